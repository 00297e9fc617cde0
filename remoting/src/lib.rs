//! What is said: the wire protocol of RocketMQ 5.5.0.
#![forbid(unsafe_code)]

pub mod config;
pub mod body;
pub mod fastjson;
pub mod message;
pub mod names;
pub mod offsets;
pub mod properties_file;
pub mod code;
pub mod command;
pub mod frame;
pub mod header;
pub mod request;
pub mod net;
pub mod router;
