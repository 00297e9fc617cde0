//! What is known of a group: two samples some seconds apart. Plain values, so that rules are tested with tables.

use std::collections::BTreeMap;

use boostermq_remoting::body::{ConsumeType, ConsumerRunningInfo, MessageModel, OffsetWrapper, SubscriptionData};

/// Everything that was found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The group.
    pub(crate) group: String,
    /// Time of the second sample, milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// Seconds between the samples.
    pub(crate) interval_s: f64,
    /// Brokers that know the group or a topic of it.
    pub(crate) brokers: Vec<Broker>,
    /// Who is connected.
    pub(crate) members: Vec<Member>,
    /// How the members consume; `None` when nobody is connected.
    pub(crate) model: Option<MessageModel>,
    /// Who decides when they consume.
    pub(crate) consume_type: Option<ConsumeType>,
    /// Subscriptions as the brokers have them, by topic.
    pub(crate) subscriptions: BTreeMap<String, SubscriptionData>,
    /// Topics of the group, without its retry topic.
    pub(crate) topics: Vec<Topic>,
    /// Queues of these topics.
    pub(crate) queues: Vec<Queue>,
    /// Queues of the retry topic.
    pub(crate) retries: Vec<Queue>,
    /// Dead letters: ends of the queues, both times; `None` when there are none.
    pub(crate) dead: Option<(i64, i64)>,
}

/// A broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broker {
    pub(crate) name: String,
    /// The group may consume here; `None` when the broker does not know the group.
    pub(crate) is_enabled: Option<bool>,
    /// The group may consume by broadcast here.
    pub(crate) is_broadcast_enabled: bool,
    /// Topics that the group is forbidden to read.
    pub(crate) forbidden: Vec<String>,
    /// What it says of itself: upstream's keys.
    pub(crate) runtime: BTreeMap<String, String>,
    /// It slows the group down because it reads old messages.
    pub(crate) is_cold: bool,
}

/// A consumer.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) client_id: String,
    /// What it said of itself both times, or why it did not.
    pub(crate) running: Result<(ConsumerRunningInfo, ConsumerRunningInfo), String>,
}

/// A topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// Queues that can be read; `None` when name servers do not know the topic.
    pub(crate) read_queues: Option<usize>,
    /// Messages stored in the last minute, and messages that the group got; `None` when brokers do not say.
    pub(crate) last_minute: Option<(i64, i64)>,
}

/// A queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) topic: String,
    pub(crate) broker: String,
    pub(crate) queue_id: i32,
    pub(crate) first: OffsetWrapper,
    pub(crate) second: OffsetWrapper,
    /// The message that is next, for the queues that are furthest behind.
    pub(crate) next: Option<Waiting>,
}

/// The message at the place that a group has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// When it was stored, milliseconds since 1970.
    pub(crate) stored_ms: i64,
    /// Bytes of the log that came after it.
    pub(crate) bytes_behind: i64,
}

impl Facts {
    /// Messages that wait in the topics.
    pub(crate) fn lag(&self) -> i64 {
        self.queues.iter().map(Queue::lag).sum()
    }

    /// Messages that wait to be tried again.
    pub(crate) fn retry_lag(&self) -> i64 {
        self.retries.iter().map(Queue::lag).sum()
    }

    /// Messages stored a second between the samples.
    pub(crate) fn put_rate(&self) -> f64 {
        self.rate(self.queues.iter().map(Queue::stored).sum())
    }

    /// Messages that the group came past a second between the samples.
    pub(crate) fn consume_rate(&self) -> f64 {
        self.rate(self.queues.iter().map(Queue::consumed).sum())
    }

    /// So many between the samples, a second.
    pub(crate) fn rate(&self, count: i64) -> f64 {
        if self.interval_s > 0.0 { count as f64 / self.interval_s } else { 0.0 }
    }

    /// Members that answered, with both samples.
    pub(crate) fn running(&self) -> impl Iterator<Item = (&Member, &ConsumerRunningInfo, &ConsumerRunningInfo)> {
        self.members
            .iter()
            .filter_map(|member| member.running.as_ref().ok().map(|(first, second)| (member, first, second)))
    }

    /// Age of the oldest message that waits, ms.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        let stored = self.queues.iter().filter_map(|queue| queue.next).map(|next| next.stored_ms).min()?;
        Some(self.now_ms.saturating_sub(stored))
    }
}

impl Queue {
    pub(crate) const fn lag(&self) -> i64 {
        let lag = self.second.broker_offset.saturating_sub(self.second.consumer_offset);
        if lag > 0 { lag } else { 0 }
    }

    /// Messages stored between the samples.
    pub(crate) const fn stored(&self) -> i64 {
        self.second.broker_offset.saturating_sub(self.first.broker_offset)
    }

    /// Messages consumed between the samples.
    pub(crate) const fn consumed(&self) -> i64 {
        self.second.consumer_offset.saturating_sub(self.first.consumer_offset)
    }

    /// `topic@broker:queue`, as it is named in evidence.
    pub(crate) fn name(&self) -> String {
        format!("{}@{}:{}", self.topic, self.broker, self.queue_id)
    }
}

/// A cause, why it is believed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// A name for scripts: `no-member`.
    pub(crate) cause: &'static str,
    /// What is wrong, in a sentence.
    pub(crate) what: String,
    /// What was seen.
    pub(crate) evidence: Vec<String>,
    /// What to do.
    pub(crate) advice: &'static str,
}

/// Most lines of evidence for one cause: a page is read, a roll is not.
const EVIDENCE: usize = 6;

/// A finding when there is evidence for it.
pub(crate) fn finding(
    cause: &'static str,
    what: impl Into<String>,
    mut evidence: Vec<String>,
    advice: &'static str,
) -> Option<Finding> {
    if evidence.is_empty() {
        return None;
    }
    if evidence.len() > EVIDENCE {
        let more = evidence.len() - EVIDENCE;
        evidence.truncate(EVIDENCE);
        evidence.push(format!("and {more} more"));
    }
    Some(Finding { cause, what: what.into(), evidence, advice })
}
