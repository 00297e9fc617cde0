#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod broker;
pub mod check_store;
mod clients;
pub mod cluster;
mod cold_reads;
pub mod config;
pub mod filter;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod long_polling;
mod metadata;
mod metrics;
mod processor;
mod registration;
mod response_error;
mod retry;
mod routes;
mod schedule;
mod service;
mod stats;
mod takeover;
mod timer;
mod transaction;
