//! The official clients, against ours and against the reference.
