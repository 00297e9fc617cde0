//! The fuzz targets, for a bounded number of damaged files in every test run, each in a process of its own that may not have more
//! than [`MEMORY_KIB`]: a length from a file that reserves memory ends it. At length by hand: see `fuzz/Cargo.toml`, or set
//! `BOOSTERMQ_FUZZ_ROUNDS`.

#[path = "../../../remoting/fuzz/dice.rs"]
mod dice;
#[path = "../../fuzz/targets.rs"]
mod targets;
#[path = "../../fuzz/timer.rs"]
mod timer;

use std::sync::atomic::{AtomicU64, Ordering};

use dice::Dice;
use targets::Part;
use timer::TimerPart;

use crate::own_process::is_own_process;

/// Damaged files for each target: about a second of each.
const ROUNDS: u64 = 60;
/// Address space of a process.
const MEMORY_KIB: u64 = 1 << 20;
/// What the dice showed before the present input.
static STATE: AtomicU64 = AtomicU64::new(0);

/// Runs a target if this is the process for it, else starts that. `BOOSTERMQ_FUZZ_SEED` is where the dice begin.
fn run(name: &'static str, seed: fn() -> Vec<u8>, survives: fn(&[u8])) {
    if !is_own_process(name, MEMORY_KIB) {
        return;
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        eprintln!("{name}: BOOSTERMQ_FUZZ_SEED={}", STATE.load(Ordering::Relaxed));
        // A thread of the store may be the one, and then nobody else would know.
        std::process::abort();
    }));
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mut dice = Dice(number("BOOSTERMQ_FUZZ_SEED").unwrap_or(Dice::SEED));
    let seed = seed();
    survives(&seed);
    // Zeros at the end are room: damage there is found at once.
    let used = seed.iter().rposition(|byte| *byte != 0).map_or(0, |last| seed.len().min(last + 16));
    let (used, room) = seed.split_at(used);
    for _ in 0..number("BOOSTERMQ_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        STATE.store(dice.0, Ordering::Relaxed);
        survives(&[dice.damage_in_place(used).as_slice(), room].concat());
    }
}

#[test]
fn log_begins_survive_damage() {
    run("fuzz::log_begins_survive_damage", || Part::LogBegin.seed(), |bytes| Part::LogBegin.survives(bytes));
}

#[test]
fn log_ends_survive_damage() {
    run("fuzz::log_ends_survive_damage", || Part::LogEnd.seed(), |bytes| Part::LogEnd.survives(bytes));
}

#[test]
fn queues_survive_damage() {
    run("fuzz::queues_survive_damage", || Part::Queue.seed(), |bytes| Part::Queue.survives(bytes));
}

#[test]
fn extensions_survive_damage() {
    run("fuzz::extensions_survive_damage", || Part::Extension.seed(), |bytes| Part::Extension.survives(bytes));
}

#[test]
fn index_files_survive_damage() {
    run("fuzz::index_files_survive_damage", || Part::Index.seed(), |bytes| Part::Index.survives(bytes));
}

#[test]
fn checkpoints_survive_damage() {
    run("fuzz::checkpoints_survive_damage", || Part::Checkpoint.seed(), |bytes| Part::Checkpoint.survives(bytes));
}

#[test]
fn timer_wheels_survive_damage() {
    run("fuzz::timer_wheels_survive_damage", || TimerPart::Wheel.seed(), |bytes| TimerPart::Wheel.survives(bytes));
}

#[test]
fn timer_logs_survive_damage() {
    run("fuzz::timer_logs_survive_damage", || TimerPart::Log.seed(), |bytes| TimerPart::Log.survives(bytes));
}

#[test]
fn timer_checkpoints_survive_damage() {
    run(
        "fuzz::timer_checkpoints_survive_damage",
        || TimerPart::Checkpoint.seed(),
        |bytes| TimerPart::Checkpoint.survives(bytes),
    );
}
