//! What is said: the wire protocol of RocketMQ 5.5.0.
#![forbid(unsafe_code)]

pub mod message;
pub mod names;
pub mod offsets;
