//! What is kept: commit log, consume queues and index in RocketMQ's file layout.
#![deny(unsafe_code)]

mod mmap;

pub mod config;
pub mod consume_queue;
mod queue_files;
