//! Random load on a broker that is killed, stopped and paused at random, and a verdict.
//!
//! ```sh
//! BOOSTERMQ_BIN_DIR=target/release cargo run --release -p boostermq-compat-tests --bin soak -- --cycles 200 --flush sync
//! ```

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use boostermq_compat_tests::soak::{Broken, Flush, Options, Summary, run};
use clap::Parser;

/// Random load on a broker that is killed, stopped and paused at random; then every message is accounted for.
#[derive(Parser, Debug)]
#[command(name = "soak")]
struct Flags {
    /// How often the broker ends and comes back.
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// Decides all choices of the load; 0 takes one from the clock.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// `sync` or `async`.
    #[arg(long, default_value = "sync")]
    flush: Flush,
    /// Producers.
    #[arg(long, default_value_t = 8)]
    producers: u32,
    /// Longest time under load before the broker ends, ms.
    #[arg(long, default_value_t = 2000)]
    load_ms: u64,
    /// Folder for histories and the summary.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Breaks a promise on purpose: `ack-before-flush`, `drop-one` or `swap-offsets`. The verdict must say so.
    #[arg(long)]
    broken: Option<Broken>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    match soak(&flags) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the summary is what it is run for")]
fn soak(flags: &Flags) -> Result<bool> {
    let defaults = Options::default();
    let seed = if flags.seed == 0 { fastrand::u64(1..1_000_000) } else { flags.seed };
    let is_broken = flags.broken.is_some();
    let options = Options {
        cycles: flags.cycles,
        seed,
        flush: flags.flush,
        producers: flags.producers,
        load_ms: 200.min(flags.load_ms)..=flags.load_ms,
        keep: flags.keep.clone(),
        broken: flags.broken,
        only_single: is_broken,
        topics: if is_broken { 1 } else { defaults.topics },
        queues: if is_broken { 1 } else { defaults.queues },
        ..defaults
    };
    let began = Instant::now();
    let is_terminal = std::io::stderr().is_terminal();
    let mut progress = |summary: &Summary| {
        let line = format!(
            "{}/{} cycles, {} kills, {:.0} s",
            summary.cycles,
            flags.cycles,
            summary.kills,
            began.elapsed().as_secs_f32()
        );
        if is_terminal {
            eprint!("\r{line} ");
            let _ = std::io::stderr().flush();
        } else if summary.cycles.is_multiple_of(20) {
            eprintln!("{line}");
        }
    };
    let summary = run(&options, &mut progress)?;
    if is_terminal {
        eprintln!();
    }
    let text = format!("{:?} flush, {:.0} s, {summary}", flags.flush, began.elapsed().as_secs_f32());
    println!("{text}");
    if let Some(keep) = &flags.keep {
        std::fs::write(keep.join("summary.txt"), text + "\n")?;
    }
    Ok(summary.is_clean())
}
