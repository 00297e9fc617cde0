#![no_main]

#[path = "../../tests/it/harness.rs"]
#[allow(dead_code)]
mod harness;
#[path = "../seeds.rs"]
mod seeds;
#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

use targets::Part;

libfuzzer_sys::fuzz_target!(init: seeds::write("queue", &Part::Queue.seed()), |bytes: &[u8]| Part::Queue.survives(bytes));
