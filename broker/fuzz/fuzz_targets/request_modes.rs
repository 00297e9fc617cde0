#![no_main]

#[path = "../scratch.rs"]
mod scratch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| boostermq_broker::fuzz::request_modes(scratch::dir(), bytes));
