//! The name server over real sockets.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod brokers;
mod golden;
mod settings;
mod support;
