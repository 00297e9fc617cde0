//! Real faults under a real broker: a full disk, a disk that fails or dawdles, few descriptors, little memory, signals.
//!
//! A fault that needs rights or tools this machine lacks is left out, and the test says so on standard error. With
//! `BOOSTERMQ_SLOW=1` the faults last as long as in the field.

mod disk;
mod limits;
mod load;
mod signals;
mod sync;

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Says why a fault was left out.
fn left_out(fault: &str, why: &str) -> Result<()> {
    eprintln!("{fault} left out: {why}");
    Ok(())
}

/// Runs a command to its end; what it says on standard error is the error.
fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
