//! The store from outside: what is appended is read again, whatever happens in between.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod concurrency;
mod corruption;
mod flush;
mod fuzz;
mod golden;
mod harness;
mod kill;
mod light;
mod model;
mod open;
#[path = "../../../remoting/fuzz/own_process.rs"]
mod own_process;
mod room;
mod scale;
mod torn;
