//! The broker: who may do what, when.

pub mod config;
