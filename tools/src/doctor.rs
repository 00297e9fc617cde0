//! `doctor -g GROUP`: why a group is behind, in words, with the evidence and what to do.
//!
//! ```text
//! collect.rs  asks name servers, brokers and members, twice ──► facts.rs  plain values
//!                                                                  │
//! report.rs   one page ◄── findings ◄── rules.rs  one pure function for each cause
//! ```
//!
//! Changes nothing. Ends with 0 for a healthy group, 2 when something was found, 1 when it could not look.

use std::time::Duration;

use crate::command::Session;
use crate::options::{Arguments, CommandOption};

mod collect;
mod facts;
mod report;
mod rules;
mod stack;
#[cfg(test)]
mod tests;

/// Status of a group that is not healthy.
const FOUND: u8 = 2;
/// Seconds between the samples when `-i` says nothing: consumers commit their offsets each 5 s.
const INTERVAL_SECONDS: f64 = 6.0;

/// Options of the command.
pub(crate) const OPTIONS: &[CommandOption] = &[
    CommandOption::required("g", "groupName", "Consumer group name"),
    CommandOption::optional("t", "topic", "Look at this topic only"),
    CommandOption::optional("i", "interval", "Seconds between the two samples, default:6"),
];

/// Looks, and prints the page.
pub(crate) async fn doctor(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = arguments.required("g")?;
    let seconds = arguments.number::<f64>("i")?.unwrap_or(INTERVAL_SECONDS).clamp(1.0, 600.0);
    let facts = collect::collect(session, group, arguments.text("t"), Duration::from_secs_f64(seconds)).await?;
    let findings = rules::findings(&facts);
    if !findings.is_empty() {
        session.end_with(FOUND);
    }
    Ok(session.print(&report::page(&facts, &findings))?)
}

/// A span of time as people say it: `3 min 20 s`.
pub(crate) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        ..10 => format!("{:.1} s", milliseconds as f64 / 1_000.0),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
