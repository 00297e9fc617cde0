//! What a soak came to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::history::{Counts, Rule, Verdict, Violation};

/// Violations that are kept with their words; all are counted.
const KEPT: usize = 50;

/// What was counted and found so far.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The seed of all choices.
    pub seed: u64,
    /// Cycles done.
    pub cycles: u32,
    /// Of these, ended by `kill -9`.
    pub kills: u32,
    /// Kills in the middle of a start.
    pub kills_in_start: u32,
    /// Clean stops.
    pub stops: u32,
    /// Pauses.
    pub pauses: u32,
    /// Fresh stores that were used.
    pub generations: u32,
    /// From the start of the broker's process until it answers for every queue, each time.
    pub restarts: Vec<Duration>,
    /// From SIGTERM to the end of the process, each time.
    pub stop_times: Vec<Duration>,
    /// What the histories counted.
    pub counts: Counts,
    /// How often each rule was broken.
    pub broken: Vec<(Rule, usize)>,
    /// The first violations.
    pub violations: Vec<Violation>,
    /// How often the proxy broke the broker's promise.
    pub fired: usize,
    /// Histories that were kept.
    pub histories: Vec<PathBuf>,
}

impl Summary {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, broken: Rule::ALL.map(|rule| (rule, 0)).to_vec(), ..Self::default() }
    }

    pub(super) fn judge(&mut self, verdict: Verdict) {
        self.counts.add(&verdict.counts);
        for (rule, count) in &mut self.broken {
            *count += verdict.count(*rule);
        }
        let room = KEPT.saturating_sub(self.violations.len());
        self.violations.extend(verdict.violations.into_iter().take(room));
    }

    /// How often this rule was broken.
    pub fn count(&self, rule: Rule) -> usize {
        self.broken.iter().find(|(found, _)| *found == rule).map_or(0, |(_, count)| *count)
    }

    /// No rule was broken, and enough happened to say so.
    pub fn is_clean(&self) -> bool {
        self.broken.iter().all(|(_, count)| *count == 0) && self.counts.ok > 0 && self.counts.drained > 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, .. } = self;
        let (seed, cycles, generations) = (self.seed, self.cycles, self.generations);
        writeln!(f, "seed {seed}: {cycles} cycles on {generations} stores")?;
        writeln!(
            f,
            "  kills {} and {} in the middle of a start, clean stops {}, pauses {}",
            self.kills, self.kills_in_start, self.stops, self.pauses
        )?;
        let (sends, ok, info, fail) = (counts.sends, counts.ok, counts.info(), counts.fail);
        writeln!(f, "  sends {sends}: {ok} ok, {info} unknown, {fail} refused")?;
        writeln!(f, "  read {}, drained {}", counts.reads, counts.drained)?;
        let broken: Vec<String> =
            self.broken.iter().map(|(rule, count)| format!("{} {} {count}", rule.id(), rule.name())).collect();
        writeln!(f, "  {}", broken.join(", "))?;
        writeln!(
            f,
            "  explained: {} copies, {} redeliveries, {} fallen commits",
            counts.explained_copies, counts.redelivered, counts.commits_fallen_back
        )?;
        let ms = |times: &[Duration]| -> Vec<u64> {
            times.iter().map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).collect()
        };
        writeln!(f, "  restart {}", spread(ms(&self.restarts)))?;
        writeln!(f, "  clean stop {}", spread(ms(&self.stop_times)))?;
        write!(f, "  delayed messages late by {}", spread(counts.lateness_ms.clone()))?;
        if self.fired > 0 {
            write!(f, "\n  promises broken on purpose: {}", self.fired)?;
        }
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        for history in &self.histories {
            write!(f, "\n  history: {}", history.display())?;
        }
        Ok(())
    }
}

/// Median and maximum.
fn spread(mut ms: Vec<u64>) -> String {
    ms.sort_unstable();
    match (ms.get(ms.len() / 2), ms.last()) {
        (Some(median), Some(max)) => format!("p50 {median} ms, max {max} ms, {} times", ms.len()),
        _ => "never".to_owned(),
    }
}
