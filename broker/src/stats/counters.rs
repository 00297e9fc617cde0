//! The statistics that a sender or a reader keeps at hand, so that counting needs no look-up.
//!
//! Upstream: `BrokerStatsManager`.

use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::names::Topic;
use boostermq_store::AppendReceipt;
use boostermq_store::consume_queue::ConsumeQueue;

use super::BrokerStats;
use super::items::{Item, Statistic};
use crate::schedule::SCHEDULE_TOPIC;

/// Topics that one sender keeps at hand.
const TOPICS_KEPT: usize = 16;
/// Queues of a topic whose counters one sender or reader keeps at hand.
pub(crate) const QUEUES_KEPT: usize = 1024;

/// What was stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Puts {
    requests: i64,
    messages: i64,
    bytes: i64,
    /// Requests that were answered, and how long they took together; others are noted when they are.
    answered: i64,
    millis: i64,
}

impl Puts {
    /// One record that nobody waits for.
    pub(crate) fn one(receipt: &AppendReceipt) -> Self {
        Self { requests: 1, messages: 1, bytes: i64::from(receipt.length), answered: 0, millis: 0 }
    }

    /// One request with all its records, and when it is answered already, how long it took.
    pub(crate) fn request(receipts: &[AppendReceipt], took: Option<Duration>) -> Self {
        Self {
            requests: 1,
            messages: receipts.len() as i64,
            bytes: receipts.iter().map(|receipt| i64::from(receipt.length)).sum(),
            answered: i64::from(took.is_some()),
            millis: took.map_or(0, millis),
        }
    }
}

/// Milliseconds of a duration.
pub(crate) fn millis(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}

/// Counters of the topics that a sender sent to lately. What follows on another in the same queue is added up first.
#[derive(Debug, Default)]
pub(crate) struct PutCounters {
    generation: u64,
    topics: Vec<TopicPuts>,
    /// Of which topic and queue something is not yet counted, and what.
    open: Option<(usize, u32, Puts)>,
}

#[derive(Debug)]
struct TopicPuts {
    topic: Topic,
    is_system: bool,
    nums: Arc<Item>,
    size: Arc<Item>,
    /// By queue, for the first [`QUEUES_KEPT`].
    latencies: Vec<Option<Arc<Item>>>,
}

impl PutCounters {
    /// Counts what was stored in a queue; it shows after [`PutCounters::flush`].
    pub(crate) fn stored(&mut self, stats: &BrokerStats, queue: &ConsumeQueue, stored: Puts) {
        let at = self.find(stats, queue);
        match &mut self.open {
            Some((open_at, open_queue, sum)) if *open_at == at && *open_queue == queue.queue_id().0 => {
                sum.requests += stored.requests;
                sum.messages += stored.messages;
                sum.bytes += stored.bytes;
                sum.answered += stored.answered;
                sum.millis += stored.millis;
            }
            _ => {
                self.flush(stats);
                self.open = Some((at, queue.queue_id().0, stored));
            }
        }
    }

    /// Adds what is open to the statistics.
    pub(crate) fn flush(&mut self, stats: &BrokerStats) {
        let Some((at, queue_id, sum)) = self.open.take() else { return };
        let Some(puts) = self.topics.get_mut(at) else { return };
        puts.nums.add(sum.messages, sum.requests);
        puts.size.add(sum.bytes, sum.requests);
        stats.put.add(sum.messages, 0);
        if !puts.is_system {
            stats.put_by_users.add(sum.messages, 0);
        }
        if sum.answered > 0 {
            puts.latency(stats, queue_id).add(sum.millis, sum.answered);
        }
        if stats.is_detailed() && puts.topic.as_str() == SCHEDULE_TOPIC {
            let key = format!("{SCHEDULE_TOPIC}@{queue_id}");
            stats.items.add(Statistic::QueuePutNums, &key, sum.messages, sum.requests);
            stats.items.add(Statistic::QueuePutSize, &key, sum.bytes, sum.requests);
        }
    }

    /// Where the time of a request to a queue is noted once it is answered.
    pub(crate) fn latency(&mut self, stats: &BrokerStats, queue: &ConsumeQueue) -> Arc<Item> {
        let at = self.find(stats, queue);
        match self.topics.get_mut(at) {
            Some(puts) => puts.latency(stats, queue.queue_id().0),
            None => Arc::default(),
        }
    }

    /// The place of a queue's topic; what is open is flushed before places change.
    fn find(&mut self, stats: &BrokerStats, queue: &ConsumeQueue) -> usize {
        let generation = stats.items.generation();
        if self.generation != generation || self.topics.len() > TOPICS_KEPT {
            self.flush(stats);
            self.topics.clear();
            self.generation = generation;
        }
        let topic = queue.topic();
        if let Some(at) = self.topics.iter().position(|puts| puts.topic == *topic) {
            return at;
        }
        self.topics.push(TopicPuts {
            is_system: stats.is_system(topic.as_str()),
            nums: stats.items.item(Statistic::TopicPutNums, topic.as_str()),
            size: stats.items.item(Statistic::TopicPutSize, topic.as_str()),
            latencies: Vec::new(),
            topic: topic.clone(),
        });
        self.topics.len() - 1
    }
}

impl TopicPuts {
    fn latency(&mut self, stats: &BrokerStats, queue_id: u32) -> Arc<Item> {
        let at = queue_id as usize;
        if let Some(Some(item)) = self.latencies.get(at) {
            return item.clone();
        }
        let item = stats.items.item(Statistic::TopicPutLatency, &format!("{queue_id}@{}", self.topic));
        if at < QUEUES_KEPT {
            self.latencies.resize(self.latencies.len().max(at + 1), None);
            if let Some(slot) = self.latencies.get_mut(at) {
                *slot = Some(item.clone());
            }
        }
        item
    }
}

/// Counters of what one group reads of one topic.
#[derive(Debug)]
pub(crate) struct GroupGets {
    generation: u64,
    is_system: bool,
    nums: Arc<Item>,
    size: Arc<Item>,
}

impl GroupGets {
    /// The counters of a group and topic.
    pub(crate) fn new(stats: &BrokerStats, topic: &str, group: &str) -> Self {
        let key = format!("{topic}@{group}");
        Self {
            generation: stats.items.generation(),
            is_system: stats.is_system(topic),
            nums: stats.items.item(Statistic::GroupGetNums, &key),
            size: stats.items.item(Statistic::GroupGetSize, &key),
        }
    }

    /// False when the counters have to be looked up anew.
    pub(crate) fn is_current(&self, stats: &BrokerStats) -> bool {
        self.generation == stats.items.generation()
    }

    /// Counts messages that were handed out with one answer.
    pub(crate) fn count(&self, stats: &BrokerStats, messages: i64, bytes: i64) {
        self.nums.add(messages, 1);
        self.size.add(bytes, 1);
        stats.got.add(messages, 0);
        if !self.is_system {
            stats.got_by_users.add(messages, 0);
        }
    }
}

/// Where the time of a group's reads of a queue is noted.
pub(crate) fn read_latency(stats: &BrokerStats, topic: &str, group: &str, queue_id: u32) -> Arc<Item> {
    let key = if stats.is_detailed() { format!("{queue_id}@{topic}@{group}") } else { format!("{topic}@{group}") };
    stats.items.item(Statistic::GroupGetLatency, &key)
}
