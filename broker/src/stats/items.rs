//! Statistics by name and key, over the last minute, hour and day: what VIEW_BROKER_STATS_DATA tells.
//!
//! ```text
//! statistic, key ──► Item: value and times, only ever added to
//!                      ├─ minute: 7 looks,  one every 10 s
//!                      ├─ hour:   7 looks,  one every 10 min
//!                      └─ day:    25 looks, one every hour
//! ```
//! A window is what was added between its oldest look and its newest: what came since the last look shows with the next one, as
//! upstream's tools expect. Before its first look an item counts as not there yet. Adding costs two atomic additions; who adds
//! often keeps the [`Item`] and looks it up anew only when [`Statistics::generation`] has moved. Each statistic has room for
//! [`ITEMS_MAX`] keys; what is counted beyond is dropped, and said once.
//!
//! Upstream: `BrokerStatsManager`, `StatsItemSet`, `StatsItem` (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use boostermq_remoting::body::{BrokerStatsData, BrokerStatsItem};
use dashmap::DashMap;
use parking_lot::Mutex;

/// Keys of one statistic.
const ITEMS_MAX: usize = 100_000;

macro_rules! statistics {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $key:ident;)*) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Statistic {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Statistic {
            const ALL: &[(Self, &str, Key)] = &[$((Self::$variant, $name, Key::$key),)*];
        }
    };
}

/// What stands in the keys of a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// `topic`
    Topic,
    /// `topic@group`
    TopicGroup,
    /// `queue@topic`
    QueueTopic,
    /// `queue@topic@group`
    QueueTopicGroup,
    /// `topic@queue`
    TopicQueue,
    /// `topic@queue@group`
    TopicQueueGroup,
    /// The cluster's name, or another word that no topic or group owns.
    Fixed,
}

statistics! {
    /// Messages stored, by topic.
    TopicPutNums = "TOPIC_PUT_NUMS", Topic;
    /// Bytes of them.
    TopicPutSize = "TOPIC_PUT_SIZE", Topic;
    /// Milliseconds that storing took.
    TopicPutLatency = "TOPIC_PUT_LATENCY", QueueTopic;
    /// Messages handed out, by topic and group.
    GroupGetNums = "GROUP_GET_NUMS", TopicGroup;
    /// Bytes of them.
    GroupGetSize = "GROUP_GET_SIZE", TopicGroup;
    /// Milliseconds that reading took; without enableDetailStat the key has no queue.
    GroupGetLatency = "GROUP_GET_LATENCY", QueueTopicGroup;
    /// Messages sent back.
    SndbckPutNums = "SNDBCK_PUT_NUMS", TopicGroup;
    /// Messages stored for a delay level; with enableDetailStat.
    QueuePutNums = "QUEUE_PUT_NUMS", TopicQueue;
    /// Bytes of them.
    QueuePutSize = "QUEUE_PUT_SIZE", TopicQueue;
    /// Messages delivered from a delay level; with enableDetailStat.
    QueueGetNums = "QUEUE_GET_NUMS", TopicQueueGroup;
    /// Bytes of them.
    QueueGetSize = "QUEUE_GET_SIZE", TopicQueueGroup;
    /// Connections of clients that came (`CONNECT`) and went (`CLOSE`).
    ChannelActivity = "CHANNEL_ACTIVITY", Fixed;
    /// Messages stored.
    BrokerPutNums = "BROKER_PUT_NUMS", Fixed;
    /// Messages handed out.
    BrokerGetNums = "BROKER_GET_NUMS", Fixed;
    /// Messages stored in topics that are not the system's.
    BrokerPutNumsWithoutSystemTopic = "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", Fixed;
    /// Messages handed out from such topics.
    BrokerGetNumsWithoutSystemTopic = "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC", Fixed;
}

/// One thing that is counted.
#[derive(Debug, Default)]
pub(crate) struct Item {
    value: AtomicI64,
    times: AtomicI64,
    windows: Mutex<Windows>,
}

#[derive(Debug, Default)]
struct Windows {
    minute: Window,
    hour: Window,
    day: Window,
    /// When a look last found the item moved.
    moved_ms: i64,
}

/// Looks at an item, oldest first. Of looks that found the same, only the last is kept: what does not move costs next to nothing.
#[derive(Debug, Default)]
struct Window {
    /// The time before which nothing had been counted.
    since_ms: i64,
    looks: Vec<Look>,
}

/// An item at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    at_ms: i64,
    value: i64,
    times: i64,
}

/// One of the three windows of every item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Looked at every ten seconds.
    Minute,
    /// Looked at every ten minutes.
    Hour,
    /// Looked at every hour.
    Day,
}

impl Span {
    /// Milliseconds between two looks, and how many looks a window holds.
    const fn looks(self) -> (i64, i64) {
        match self {
            Self::Minute => (10_000, 7),
            Self::Hour => (600_000, 7),
            Self::Day => (3_600_000, 25),
        }
    }
}

impl Window {
    fn look(&mut self, now: Look, span: Span) {
        let (period, most) = span.looks();
        if self.looks.is_empty() {
            // What was counted before the first look came within the period before it.
            self.since_ms = now.at_ms - period;
            self.push(Look { at_ms: self.since_ms, value: 0, times: 0 });
        }
        match self.looks.last_mut() {
            // Looks that were held up come in a burst; one of them is enough.
            Some(last) if now.at_ms < last.at_ms + period / 2 => return,
            Some(last) if last.value == now.value && last.times == now.times => last.at_ms = now.at_ms,
            _ => self.push(now),
        }
        let begins_ms = now.at_ms - period * (most - 1) - period / 2;
        let old = self.looks.iter().take_while(|look| look.at_ms < begins_ms).count();
        self.looks.drain(..old.min(self.looks.len() - 1));
    }

    fn push(&mut self, look: Look) {
        self.looks.reserve_exact(1);
        self.looks.push(look);
    }

    fn sum_up(&self, span: Span) -> BrokerStatsItem {
        let (Some(first), Some(last)) = (self.looks.first(), self.looks.last()) else {
            return BrokerStatsItem::default();
        };
        let (period, most) = span.looks();
        let (sum, times) = (last.value - first.value, last.times - first.times);
        let elapsed = (last.at_ms - self.since_ms).clamp(1, period * (most - 1));
        BrokerStatsItem {
            avgpt: if times > 0 { sum as f64 / times as f64 } else { 0.0 },
            sum,
            tps: sum as f64 * 1000.0 / elapsed as f64,
        }
    }
}

impl Item {
    /// Adds `value`, which came in `times` events.
    pub(crate) fn add(&self, value: i64, times: i64) {
        self.value.fetch_add(value, Ordering::Relaxed);
        if times != 0 {
            self.times.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// All that was ever added.
    pub(crate) fn total(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    fn look(&self, at_ms: i64, span: Span) {
        let now = Look { at_ms, value: self.value.load(Ordering::Relaxed), times: self.times.load(Ordering::Relaxed) };
        let mut windows = self.windows.lock();
        if windows.minute.looks.last().is_none_or(|last| last.times != now.times || last.value != now.value) {
            windows.moved_ms = at_ms;
        }
        let window = match span {
            Span::Minute => &mut windows.minute,
            Span::Hour => &mut windows.hour,
            Span::Day => &mut windows.day,
        };
        window.look(now, span);
    }

    /// The three windows.
    pub(crate) fn windows(&self) -> BrokerStatsData {
        let windows = self.windows.lock();
        BrokerStatsData {
            stats_day: windows.day.sum_up(Span::Day),
            stats_hour: windows.hour.sum_up(Span::Hour),
            stats_minute: windows.minute.sum_up(Span::Minute),
        }
    }
}

/// All statistics.
#[derive(Debug)]
pub(crate) struct Statistics {
    sets: Vec<DashMap<Box<str>, Arc<Item>>>,
    /// Grows when items are removed.
    generation: AtomicU64,
    /// Takes what is counted beyond [`ITEMS_MAX`].
    beyond: Arc<Item>,
    is_full: AtomicBool,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            sets: Statistic::ALL.iter().map(|_| DashMap::with_shard_amount(4)).collect(),
            generation: AtomicU64::new(0),
            beyond: Arc::new(Item::default()),
            is_full: AtomicBool::new(false),
        }
    }
}

impl Statistics {
    fn set(&self, statistic: Statistic) -> Option<&DashMap<Box<str>, Arc<Item>>> {
        self.sets.get(statistic as usize)
    }

    /// The item of a key, made if there is none.
    pub(crate) fn item(&self, statistic: Statistic, key: &str) -> Arc<Item> {
        let Some(set) = self.set(statistic) else { return self.beyond.clone() };
        if let Some(item) = set.get(key) {
            return item.clone();
        }
        if set.len() >= ITEMS_MAX {
            if !self.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    ?statistic,
                    key,
                    limit = ITEMS_MAX,
                    "a statistic has too many keys; more are not counted"
                );
            }
            return self.beyond.clone();
        }
        set.entry(key.into()).or_default().clone()
    }

    /// Adds to the item of a key, made if there is none.
    pub(crate) fn add(&self, statistic: Statistic, key: &str, value: i64, times: i64) {
        self.item(statistic, key).add(value, times);
    }

    /// An item by upstream's name of the statistic; `None` when nothing of it was counted.
    pub(crate) fn find(&self, name: &str, key: &str) -> Option<Arc<Item>> {
        let (statistic, ..) = Statistic::ALL.iter().find(|(_, known, _)| *known == name)?;
        let item = self.set(*statistic)?.get(key)?.clone();
        let is_counted = item.total() != 0 || item.times.load(Ordering::Relaxed) != 0;
        is_counted.then_some(item)
    }

    /// All that was ever added to each key of a statistic, sorted.
    pub(crate) fn totals(&self, statistic: Statistic) -> Vec<(Box<str>, i64)> {
        let set = self.set(statistic).into_iter().flatten();
        let mut totals: Vec<_> = set.map(|entry| (entry.key().clone(), entry.total())).collect();
        totals.sort_unstable();
        totals
    }

    /// How much was added to a key per second, over the last minute.
    pub(crate) fn per_second(&self, statistic: Statistic, key: &str) -> f64 {
        let item = self.set(statistic).and_then(|set| set.get(key).map(|item| item.clone()));
        item.map_or(0.0, |item| item.windows.lock().minute.sum_up(Span::Minute).tps)
    }

    /// Grows when items are removed: whoever keeps one looks it up anew then.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Looks at every item. `at_ms` goes on evenly, whatever is done to the clock.
    pub(crate) fn look(&self, at_ms: i64, span: Span) {
        for set in &self.sets {
            for item in set {
                item.look(at_ms, span);
            }
        }
    }

    /// Removes what is counted for a topic.
    pub(crate) fn forget_topic(&self, topic: &str) {
        self.retain(|kind, key| topic_of(kind, key) != Some(topic));
    }

    /// Removes what is counted for a group.
    pub(crate) fn forget_group(&self, group: &str) {
        self.retain(|kind, key| group_of(kind, key) != Some(group));
    }

    /// Removes items of topics and groups that no look found moved since `since_ms`.
    pub(crate) fn forget_idle(&self, since_ms: i64) {
        let mut removed = 0;
        for (set, (.., kind)) in self.sets.iter().zip(Statistic::ALL) {
            if *kind != Key::Fixed {
                let before = set.len();
                set.retain(|_, item| {
                    let windows = item.windows.lock();
                    windows.minute.looks.is_empty() || windows.moved_ms >= since_ms
                });
                removed += before.saturating_sub(set.len());
            }
        }
        if removed > 0 {
            tracing::debug!(removed, "statistics that did not move are dropped");
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn retain(&self, keep: impl Fn(Key, &str) -> bool) {
        for (set, (.., kind)) in self.sets.iter().zip(Statistic::ALL) {
            set.retain(|key, _| keep(*kind, key));
        }
        self.is_full.store(false, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// The topic in a key: names hold no `@`.
fn topic_of(kind: Key, key: &str) -> Option<&str> {
    let mut parts = key.split('@');
    match kind {
        Key::Topic | Key::TopicGroup | Key::TopicQueue | Key::TopicQueueGroup => parts.next(),
        Key::QueueTopic => parts.nth(1),
        // Without a queue where enableDetailStat is off.
        Key::QueueTopicGroup => parts.rev().nth(1),
        Key::Fixed => None,
    }
}

/// The group in a key.
fn group_of(kind: Key, key: &str) -> Option<&str> {
    match kind {
        Key::TopicGroup | Key::QueueTopicGroup | Key::TopicQueueGroup => key.rsplit('@').next(),
        Key::Topic | Key::QueueTopic | Key::TopicQueue | Key::Fixed => None,
    }
}
