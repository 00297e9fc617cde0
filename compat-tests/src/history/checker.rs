//! The rules, and the walk over all of them.

use std::fmt;
use std::time::Duration;

use super::commits::Commits;
use super::messages::Messages;
use super::queues::Queues;
use super::{Line, Op, Phase};

/// What a broker may never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// C1: a message whose send was acknowledged is not there in the end.
    Lost,
    /// C2: a message was read that nobody sent, or not there, or not yet, or whose every attempt was refused.
    Phantom,
    /// C3: a body or its properties came out other than they went in.
    Damaged,
    /// C4: a producer's acknowledged messages stand in a queue in another order than they were sent in.
    Reordered,
    /// C5: a queue offset was said to be that of two messages.
    OffsetReused,
    /// C6: an offset between the ends of a queue holds nothing, a consumer was led past one, or of the messages that nobody
    /// acknowledged a later one survived an earlier one of the same connection and queue.
    Hole,
    /// C7: a group's progress is not what was stored last, and no crash within the persist interval explains it.
    CommitLost,
    /// C8: a message is stored, or was handed to a consumer, more often than attempts and crashes explain.
    Duplicate,
    /// C10: a delayed message was shown before its time.
    Early,
    /// C12: a message or an end of a queue was shown and is not there in the end.
    ShownThenLost,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 10] = [
        Self::Lost,
        Self::Phantom,
        Self::Damaged,
        Self::Reordered,
        Self::OffsetReused,
        Self::Hole,
        Self::CommitLost,
        Self::Duplicate,
        Self::Early,
        Self::ShownThenLost,
    ];

    /// Its number.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Lost => "C1",
            Self::Phantom => "C2",
            Self::Damaged => "C3",
            Self::Reordered => "C4",
            Self::OffsetReused => "C5",
            Self::Hole => "C6",
            Self::CommitLost => "C7",
            Self::Duplicate => "C8",
            Self::Early => "C10",
            Self::ShownThenLost => "C12",
        }
    }

    /// What it counts, in a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Phantom => "phantom",
            Self::Damaged => "damaged",
            Self::Reordered => "reordered",
            Self::OffsetReused => "re-minted offsets",
            Self::Hole => "holes",
            Self::CommitLost => "lost commits",
            Self::Duplicate => "unexplained duplicates",
            Self::Early => "early",
            Self::ShownThenLost => "shown, then lost",
        }
    }
}

/// What the broker was configured to promise.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A crash may take back the progress of groups by so much: `flushConsumerOffsetInterval` and the time a write takes.
    pub persist_interval: Duration,
    /// By so much a delayed message may be early: clocks of the records count whole milliseconds.
    pub delay_tolerance: Duration,
}

/// A line, or the lack of one, that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What happened, with topic, queue, offset and messages.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.rule.id(), self.rule.name(), self.what)
    }
}

/// What was counted on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts to send a message.
    pub sends: usize,
    /// Of these, acknowledged.
    pub ok: usize,
    /// Of these, refused for certain.
    pub fail: usize,
    /// Messages found in the end.
    pub drained: usize,
    /// Messages read by consumers.
    pub reads: usize,
    /// Copies that a second attempt or a crash explains.
    pub explained_copies: usize,
    /// Messages a group read again because it began anew further back.
    pub redelivered: usize,
    /// Times a group's progress fell back within what a crash may take.
    pub commits_fallen_back: usize,
    /// How late each delayed message was stored for its readers at the latest, ms.
    pub lateness_ms: Vec<u64>,
}

impl Counts {
    /// Attempts of which nobody knows.
    pub const fn info(&self) -> usize {
        self.sends - self.ok - self.fail
    }

    /// Adds what another history counted.
    pub fn add(&mut self, other: &Self) {
        self.sends += other.sends;
        self.ok += other.ok;
        self.fail += other.fail;
        self.drained += other.drained;
        self.reads += other.reads;
        self.explained_copies += other.explained_copies;
        self.redelivered += other.redelivered;
        self.commits_fallen_back += other.commits_fallen_back;
        self.lateness_ms.extend(&other.lateness_ms);
    }
}

/// What the rules say of a history.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Empty when no rule was broken.
    pub violations: Vec<Violation>,
    /// What was counted.
    pub counts: Counts,
}

impl Verdict {
    /// How often a rule was broken.
    pub fn count(&self, rule: Rule) -> usize {
        self.violations.iter().filter(|violation| violation.rule == rule).count()
    }

    pub(super) fn report(&mut self, rule: Rule, what: String) {
        self.violations.push(Violation { rule, what });
    }
}

/// Judges a history. The lines stand in the order of their times.
pub fn check(lines: &[Line], rules: &Rules) -> Verdict {
    let mut verdict = Verdict::default();
    count(lines, &mut verdict.counts);
    Messages::collect(lines).check(lines, rules, &mut verdict);
    Queues::default().check(lines, &mut verdict);
    Commits::new(rules.persist_interval).check(lines, &mut verdict);
    verdict
}

fn count(lines: &[Line], counts: &mut Counts) {
    for line in lines {
        match &line.op {
            Op::Send { phase: Phase::Invoke, .. } => counts.sends += 1,
            Op::Send { phase: Phase::Ok, .. } => counts.ok += 1,
            Op::Send { phase: Phase::Fail, .. } => counts.fail += 1,
            Op::Read { .. } => counts.reads += 1,
            Op::Drain { .. } => counts.drained += 1,
            _ => {}
        }
    }
}
