#![no_main]

#[path = "../../tests/it/harness.rs"]
#[allow(dead_code)]
mod harness;
#[path = "../seeds.rs"]
mod seeds;
#[path = "../timer.rs"]
#[allow(dead_code)]
mod timer;

use timer::TimerPart;

libfuzzer_sys::fuzz_target!(init: seeds::write("timer_checkpoint", &TimerPart::Checkpoint.seed()), |bytes: &[u8]| TimerPart::Checkpoint.survives(bytes));
