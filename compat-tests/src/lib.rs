#![doc = include_str!("../README.md")]
//!
//!
//! Owns the [`harness`] that starts a name server and a broker for a test and runs a client program against them.
//! Never uses the product's crates: what is tested is the built binaries and the public wire.

pub mod harness;
