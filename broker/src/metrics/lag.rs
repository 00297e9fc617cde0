//! How far the members of groups are behind: computed when a page asks for it, in one pass.
//!
//! For every group with a member and every topic that it subscribes to, over the topic's queues:
//! ```text
//!     committed          pulled            end
//! ────────┴─── in flight ───┴──── ready ────┴──►      lag = in flight and ready together
//! ```
//! With `estimateAccumulation`, of a topic that the group wants only some tags of, only these count: as many entries are looked at as
//! `maxConsumeQueueScan` says, or until `sampleCountThreshold` of them are wanted, and the rest is taken to be like them.
//!
//! Upstream: `ConsumerLagCalculator` (RocketMQ 5.5.0).

use std::time::Instant;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::names::{QueueId, RETRY_TOPIC_PREFIX};
use boostermq_remoting::offsets::QueueOffset;

use boostermq_store::{EntryExtension, MessageFilter, QueueEntry};

use crate::broker::Broker;
use crate::filter::Subscription;
use crate::metadata::is_system_group;

/// Entries looked at with one read.
const ENTRIES_AT_ONCE: i64 = 1000;

/// How far one group is in one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) is_system: bool,
    /// Messages that are not consumed.
    pub(crate) messages: i64,
    /// When the oldest of them was stored, ms since 1970; `None` when there is none.
    pub(crate) unconsumed_since_ms: Option<i64>,
    /// Messages that were handed out and are not consumed.
    pub(crate) inflight: i64,
    /// When the oldest one that was not handed out was stored.
    pub(crate) unpulled_since_ms: Option<i64>,
    /// Messages that wait to be handed out.
    pub(crate) ready: i64,
}

/// The lag of every group that has a member; what is not looked at by `deadline` is left out, and then the second is false.
pub(crate) fn lags(broker: &Broker, deadline: Instant) -> (Vec<Lag>, bool) {
    let (permission, estimates, scan) = {
        let settings = broker.settings.read();
        let scan = Scan {
            entries: i64::from(settings.store.max_consume_queue_scan),
            wanted: i64::from(settings.store.sample_count_threshold),
        };
        (settings.broker.broker_permission as i32, settings.broker.estimate_accumulation, scan)
    };
    let mut lags = Vec::new();
    for group in broker.consumers.all() {
        let name = group.name().as_str();
        if broker.groups.find(name).is_none() {
            continue;
        }
        for topic in group.all_subscription_data().into_keys() {
            if topic.starts_with(RETRY_TOPIC_PREFIX) {
                continue;
            }
            if Instant::now() >= deadline {
                return (lags, false);
            }
            let Some(config) = broker.topics.find(&topic) else { continue };
            if config.perm & permission & (TopicConfig::PERM_READ | TopicConfig::PERM_WRITE) == 0 {
                continue;
            }
            let subscription = group.subscription(&topic).filter(|subscription| estimates && wants_some(subscription));
            let wanted = subscription.as_deref().map(|subscription| (subscription as &dyn MessageFilter, scan));
            lags.push(of_topic(broker, name, &topic, config.write_queue_nums, wanted));
        }
    }
    (lags, true)
}

/// True where the group wants some tags only. What an expression lets through is not estimated: bits for it are rarely there.
fn wants_some(subscription: &Subscription) -> bool {
    subscription.expression_type == crate::filter::ExpressionType::Tag && !subscription.wants_everything()
}

/// How many entries an estimate looks at.
#[derive(Clone, Copy, Debug)]
struct Scan {
    entries: i64,
    wanted: i64,
}

fn of_topic(broker: &Broker, group: &str, topic: &str, queues: i32, wanted: Option<(&dyn MessageFilter, Scan)>) -> Lag {
    let mut lag = Lag {
        group: group.to_owned(),
        topic: topic.to_owned(),
        is_system: broker.stats.is_system(topic) || is_system_group(group),
        ..Lag::default()
    };
    for number in 0..queues.max(0) {
        let queue_id = QueueId(number.cast_unsigned());
        let end = broker.store.max_queue_offset(topic, queue_id).0.max(0);
        let committed = broker.offsets.query(group, topic, queue_id).filter(|offset| *offset >= 0);
        // After a start nothing was pulled yet: a group goes on where it committed.
        let pulled = broker.offsets.pulled(group, topic, queue_id).max(committed).unwrap_or(end);
        let committed = committed.unwrap_or(pulled);
        let count = |from: i64, to: i64| match wanted {
            Some((filter, scan)) if to > from => estimate(broker, topic, queue_id, (from, to), filter, scan),
            _ => (to - from).max(0),
        };
        let inflight = count(committed, pulled.min(end));
        let ready = count(pulled, end);
        lag.inflight += inflight;
        lag.ready += ready;
        lag.messages += inflight + ready;
        let stored_ms = |offset: i64| {
            let stored = broker.store.store_timestamp(topic, queue_id, QueueOffset(offset)).ok().flatten();
            stored.filter(|time_ms| offset < end && *time_ms > 0)
        };
        earlier(&mut lag.unconsumed_since_ms, stored_ms(committed));
        earlier(&mut lag.unpulled_since_ms, stored_ms(pulled));
    }
    lag
}

fn earlier(earliest: &mut Option<i64>, time_ms: Option<i64>) {
    *earliest = match (*earliest, time_ms) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

/// About how many messages between two offsets a filter wants. What cannot be read counts as wanted.
fn estimate(
    broker: &Broker,
    topic: &str,
    queue_id: QueueId,
    (from, to): (i64, i64),
    filter: &dyn MessageFilter,
    scan: Scan,
) -> i64 {
    let (mut next, mut seen, mut wanted) = (from, 0, 0);
    while next < to && next - from < scan.entries && wanted < scan.wanted {
        let count = ENTRIES_AT_ONCE.min(to - next).min(scan.entries - (next - from));
        let read = broker.store.queue_entries(topic, queue_id, QueueOffset(next), usize::try_from(count).unwrap_or(0));
        let Ok(Some(entries)) = read else { return to - from };
        seen += entries.len() as i64;
        let is_wanted = |entry: &&QueueEntry| match &entry.extension {
            EntryExtension::None => filter.matches_tags(entry.unit.tags_code),
            EntryExtension::Found { tags_code, .. } => filter.matches_tags(*tags_code),
            EntryExtension::Lost => true,
        };
        wanted += entries.iter().filter(is_wanted).count() as i64;
        next += count;
    }
    if next >= to {
        return wanted;
    }
    if seen == 0 { to - from } else { (wanted as f64 * (to - from) as f64 / seen as f64) as i64 }
}
