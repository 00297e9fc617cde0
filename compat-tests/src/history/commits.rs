//! The progress of groups: C7.
//!
//! A broker keeps it in memory and writes it every interval. So without a crash it is what was stored last, and after one
//! it is any of the values it has had since one interval before the crash.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Line, Op, Phase, Rule, Server, Verdict};

/// Waits for the disk in one turn of writing what is kept in memory: some files, each with its folder.
const WRITES: u64 = 6;

/// The progress of one group in one queue.
struct Progress {
    /// Values it has had, oldest first, each with the time from which it was there for certain.
    values: Vec<(u64, i64)>,
    /// Values that were asked for and not confirmed: they may be there. With each, the crashes before it.
    open: Vec<(i64, u64)>,
    crashes: u64,
    /// A crash since the value was last known.
    is_uncertain: bool,
}

impl Default for Progress {
    fn default() -> Self {
        // Where nothing is stored a group begins at the front.
        Self { values: vec![(0, 0)], open: Vec::new(), crashes: 0, is_uncertain: false }
    }
}

impl Progress {
    fn last(&self) -> i64 {
        self.values.last().map_or(0, |(_, value)| *value)
    }

    fn may_be(&self, value: i64) -> bool {
        self.last() == value
            || self.open.iter().any(|(open, _)| *open == value)
            || (self.is_uncertain && self.values.iter().any(|(_, before)| *before == value))
    }

    /// A value was confirmed.
    fn stored(&mut self, ns: u64, value: i64) {
        // One consumer per queue: what it asked for before is settled by this.
        let asked = self.open.drain(..).rev().find(|(open, _)| *open == value);
        self.values.push((ns, value));
        // An answer may be read after the broker that gave it is gone.
        let is_older_than_crash = asked.is_some_and(|(_, crashes)| crashes < self.crashes);
        self.is_uncertain &= is_older_than_crash;
    }

    /// Forgets what was written for certain before a crash at `ns`.
    fn crash(&mut self, ns: u64, interval_ns: u64) {
        self.crashes += 1;
        // Which value it fell back to stays as it is, however often the broker crashes before somebody asks.
        if self.is_uncertain {
            return;
        }
        let written = self.values.iter().rposition(|(since, _)| *since <= ns.saturating_sub(interval_ns));
        self.values.drain(..written.unwrap_or_default());
        self.is_uncertain = true;
    }
}

/// The progress of all groups of a history.
pub(super) struct Commits {
    interval_ns: u64,
    progress: HashMap<(Arc<str>, Arc<str>, u32), Progress>,
}

impl Commits {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval_ns: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX), progress: HashMap::new() }
    }

    /// Judges them.
    pub(super) fn check(mut self, lines: &[Line], verdict: &mut Verdict) {
        for (at, line) in lines.iter().enumerate() {
            match &line.op {
                Op::Commit { phase, group, topic, queue, offset } => {
                    let progress = self.progress.entry((group.clone(), topic.clone(), *queue)).or_default();
                    match phase {
                        Phase::Invoke => progress.open.push((*offset, progress.crashes)),
                        Phase::Ok => progress.stored(line.ns, *offset),
                        Phase::Fail => progress.open.retain(|(open, _)| open != offset),
                        Phase::Info => {}
                    }
                }
                Op::Committed { group, topic, queue, offset } => {
                    let progress = self.progress.entry((group.clone(), topic.clone(), *queue)).or_default();
                    answer(progress, line.ns, (*offset).max(0), verdict, || {
                        format!("line {}: {group} in {topic}/{queue}", at + 1)
                    });
                }
                Op::Broker { event: Server::Killed, stalled_ms, took_ms } => {
                    let more_ns = (stalled_ms * WRITES + took_ms) * 1_000_000;
                    let interval_ns = self.interval_ns.saturating_add(more_ns);
                    self.progress.values_mut().for_each(|progress| progress.crash(line.ns, interval_ns));
                }
                _ => {}
            }
        }
    }
}

fn answer(progress: &mut Progress, ns: u64, value: i64, verdict: &mut Verdict, whose: impl Fn() -> String) {
    if !progress.may_be(value) {
        let what = format!("{} is said to be at {value}; stored last was {}", whose(), progress.last());
        verdict.report(Rule::CommitLost, what);
    } else if value < progress.last() {
        verdict.counts.commits_fallen_back += 1;
    }
    if progress.is_uncertain {
        // It was read from disk: no crash takes it back.
        progress.values = vec![(0, value)];
        progress.open.clear();
        progress.is_uncertain = false;
    } else if value != progress.last() {
        progress.values.push((ns, value));
        progress.open.clear();
    }
}
