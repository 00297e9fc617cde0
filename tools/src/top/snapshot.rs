//! What was seen of a cluster at one time. Plain values.

use std::collections::BTreeMap;

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// When, milliseconds since 1970.
    pub(super) at_ms: i64,
    pub(super) brokers: Vec<BrokerLoad>,
    pub(super) topics: Vec<TopicLoad>,
    pub(super) groups: Vec<GroupLoad>,
    /// Consumers of the group that is looked into.
    pub(super) members: Vec<Member>,
    /// What could not be seen.
    pub(super) problems: Vec<String>,
}

/// A broker.
#[derive(Clone, Debug, Default)]
pub(super) struct BrokerLoad {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) id: i64,
    pub(super) address: String,
    /// What it says of itself, by upstream's keys; empty when it does not answer.
    pub(super) runtime: BTreeMap<String, String>,
}

/// A topic.
#[derive(Clone, Debug, Default)]
pub(super) struct TopicLoad {
    pub(super) name: String,
    /// Messages stored a second; `None` before the second look.
    pub(super) in_tps: Option<f64>,
    /// Messages ever stored: the sum of the ends of its queues.
    pub(super) end: i64,
}

/// A group.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupLoad {
    pub(super) name: String,
    /// Messages given out a second, as brokers count them.
    pub(super) out_tps: f64,
    pub(super) queues: Vec<QueueLoad>,
}

/// A queue of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueLoad {
    pub(super) topic: String,
    pub(super) broker: String,
    pub(super) queue_id: i32,
    pub(super) end: i64,
    pub(super) committed: i64,
    /// Store time of the last message that was consumed, or of the first when none was, milliseconds since 1970; 0 when
    /// not known.
    pub(super) last_ms: i64,
}

/// A consumer.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub(super) client_id: String,
    pub(super) address: String,
    pub(super) language: String,
}

impl BrokerLoad {
    pub(super) fn is_up(&self) -> bool {
        !self.runtime.is_empty()
    }

    /// A value with one number, or the first of several: the rate of the last ten seconds.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.runtime.get(key)?.split(' ').next()?.parse().ok()
    }
}

impl GroupLoad {
    pub(super) fn lag(&self) -> i64 {
        self.queues.iter().map(QueueLoad::lag).sum()
    }

    /// How far it is behind in time, ms; `None` when nothing waits or it is not known.
    pub(super) fn behind_ms(&self, now_ms: i64) -> Option<i64> {
        self.queues.iter().filter_map(|queue| queue.behind_ms(now_ms)).max()
    }
}

impl QueueLoad {
    pub(super) fn lag(&self) -> i64 {
        self.end.saturating_sub(self.committed).max(0)
    }

    /// As [`GroupLoad::behind_ms`].
    pub(super) fn behind_ms(&self, now_ms: i64) -> Option<i64> {
        (self.lag() > 0 && self.last_ms > 0).then(|| now_ms.saturating_sub(self.last_ms).max(0))
    }
}
