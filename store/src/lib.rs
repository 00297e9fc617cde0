//! What is kept: commit log, consume queues and index in RocketMQ's file layout.
#![deny(unsafe_code)]

mod mmap;
