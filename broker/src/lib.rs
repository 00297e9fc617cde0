//! The broker: who may do what, when.
