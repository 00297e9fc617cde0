#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod names;
pub mod offsets;

pub mod message;

pub mod frame;

pub mod code;
pub mod header;

pub mod command;
pub mod request;

pub mod body;
pub mod fastjson;

pub mod config;
pub mod properties_file;
pub mod replace_file;

pub mod router;

pub mod net;
