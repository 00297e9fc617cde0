//! The name server: who holds which topic.
