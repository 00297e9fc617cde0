//! The name server: who holds which topic.

pub mod config;
