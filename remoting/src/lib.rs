//! What is said: the wire protocol of RocketMQ 5.5.0.
#![forbid(unsafe_code)]

pub mod message;
pub mod names;
pub mod offsets;
pub mod code;
pub mod command;
pub mod frame;
pub mod header;
pub mod request;
