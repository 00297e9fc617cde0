//! One page: everything that Prometheus is told, at one moment.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use boostermq_remoting::body::ConsumeType;
use boostermq_remoting::code::version_name;
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, RETRY_TOPIC_PREFIX, Topic};

use super::inbound::{Inbound, MessageKind};
use super::lag::{self, Lag};
use super::text::Kind::{Counter, Gauge, Histogram};
use super::text::{Family, Page};
use super::{Ends, Metrics, TimerWork};
use crate::broker::Broker;
use crate::metadata::is_system_group;
use crate::stats::items::Statistic;

/// How long one page looks at lags: Prometheus waits ten seconds for the whole page.
const LAG_TIME: Duration = Duration::from_secs(5);
/// Ends of the steps of what waits in the timer, in seconds from now (RocketMQ 5.5.0).
const TIMER_BOUNDS_S: [i64; 8] = [5, 60, 300, 900, 3600, 14_400, 28_800, 86_400];
/// Thread pools of the reference. Nothing waits for a thread here before it is looked at.
const PROCESSORS: [&str; 12] = [
    "ack",
    "admin",
    "async_put",
    "client_manager",
    "consumer_manager",
    "heartbeat",
    "lite_pull",
    "pull",
    "query_message",
    "reply",
    "send",
    "transaction",
];
/// What storage series are about.
const DISK: [(&str, &str); 2] = [("storage_medium", "disk"), ("storage_type", "local")];

/// A family, and how one of its numbers is read.
type Count<T> = (&'static Family, fn(&T) -> u64);
/// The same of lags, whose ages depend on the moment.
type LagValue<'a> = (&'static Family, &'a dyn Fn(&Lag) -> i64);

macro_rules! families {
    ($($name:ident = $text:literal, $kind:ident, $help:literal;)*) => {
        $(const $name: Family = Family { name: $text, kind: $kind, help: $help };)*
    };
}

families! {
    WATERMARK = "rocketmq_processor_watermark", Gauge, "Requests that wait for a thread";
    PERMISSION = "rocketmq_broker_permission", Gauge, "What clients may do: 2 write, 4 read, 6 both";
    TOPICS = "rocketmq_topic_number", Gauge, "Topics";
    GROUPS = "rocketmq_consumer_group_number", Gauge, "Consumer groups";
    MESSAGES_IN = "rocketmq_messages_in_total", Counter, "Messages stored";
    BYTES_IN = "rocketmq_throughput_in_total", Counter, "Bytes of messages stored";
    SIZES = "rocketmq_message_size", Histogram, "Bytes of a message stored; of a batch the average";
    MESSAGES_OUT = "rocketmq_messages_out_total", Counter, "Messages handed out";
    BYTES_OUT = "rocketmq_throughput_out_total", Counter, "Bytes of messages handed out";
    TOPIC_CHANGES = "rocketmq_topic_create_execution_time_milliseconds", Histogram, "Time that changes of topics took";
    GROUP_CHANGES = "rocketmq_consumer_group_create_execution_time_milliseconds", Histogram,
        "Time that changes of groups took";
    PRODUCERS = "rocketmq_producer_connections", Gauge, "Connections of producers, once for each group";
    CONSUMERS = "rocketmq_consumer_connections", Gauge, "Connections of consumers, once for each group";
    LAG_MESSAGES = "rocketmq_consumer_lag_messages", Gauge, "Messages that are not consumed";
    LAG_LATENCY = "rocketmq_consumer_lag_latency_milliseconds", Gauge, "Age of the oldest message that is not consumed";
    INFLIGHT = "rocketmq_consumer_inflight_messages", Gauge, "Messages that are handed out and not consumed";
    QUEUEING = "rocketmq_consumer_queueing_latency_milliseconds", Gauge, "Age of the oldest message that is not handed out";
    READY = "rocketmq_consumer_ready_messages", Gauge, "Messages that are not handed out";
    DEAD_LETTERS = "rocketmq_send_to_dlq_messages_total", Counter, "Messages given up";
    COMMITS = "rocketmq_commit_messages_total", Counter, "Transactions committed";
    ROLLBACKS = "rocketmq_rollback_messages_total", Counter, "Transactions rolled back";
    FINISHED = "rocketmq_finish_message_latency_milliseconds", Histogram,
        "Time from the half message to the commit, in seconds whatever the name says";
    HALVES = "rocketmq_half_messages", Gauge, "Transactions that are open";
    RPC = "rocketmq_rpc_latency_milliseconds", Histogram, "Time from a request to its answer";
    STORAGE = "rocketmq_storage_size_bytes", Gauge, "Bytes used on the store's disk";
    UNFLUSHED = "rocketmq_storage_flush_behind_bytes", Gauge, "Bytes of the log that are not on disk";
    UNDISPATCHED = "rocketmq_storage_dispatch_behind_bytes", Gauge, "Bytes of the log that are in no queue yet";
    RESERVED = "rocketmq_storage_message_reserve_time_milliseconds", Gauge, "Age of the oldest message";
    TIMER_IN_LAG = "rocketmq_timer_enqueue_lag", Gauge, "Timed messages that are not taken in";
    TIMER_IN_LATENCY = "rocketmq_timer_enqueue_latency_milliseconds", Gauge, "Age of the oldest one that is not taken in";
    TIMER_OUT_LAG = "rocketmq_timer_dequeue_lag", Gauge, "Timed messages that wait";
    TIMER_OUT_LATENCY = "rocketmq_timer_dequeue_latency_milliseconds", Gauge, "How long the earliest tick is overdue";
    TIMING = "rocketmq_timing_messages", Gauge, "Timed messages that wait, by topic";
    TIMER_SNAPSHOT = "rocketmq_timer_message_snapshot", Gauge, "Timed messages due up to a time from now, since the bound before";
    TIMER_IN = "rocketmq_timer_enqueue_total", Counter, "Timed messages taken in";
    TIMER_OUT = "rocketmq_timer_dequeue_total", Counter, "Timed messages delivered";
    DELAYS = "rocketmq_delay_message_latency_seconds", Histogram, "Delays that timed messages ask for";
}

/// Makes the page. Looks at files: not for a network thread.
pub(super) fn page(broker: &Broker, metrics: &Metrics) -> String {
    let (wanted, mut page) = (metrics.wanted, Page::new(metrics.labels.clone(), metrics.limit));
    if wanted.stats {
        counts(broker, &mut page);
    }
    if wanted.requests {
        traffic(broker, metrics, &mut page);
    }
    if wanted.connections {
        connections(broker, &mut page);
    }
    if wanted.lag_and_dead_letters {
        lags(broker, &mut page);
        dead_letters(broker, metrics, &mut page);
    }
    if wanted.transactions {
        transactions(broker, metrics, &mut page);
    }
    if wanted.remoting {
        requests(metrics, &mut page);
    }
    if wanted.store {
        storage(broker, &mut page);
        timer(broker, metrics, &mut page);
    }
    let overfull = page.overfull();
    if !overfull.is_empty() && !metrics.has_said_overfull.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            families = ?overfull, limit = metrics.limit,
            "metrics have more series than metricsOtelCardinalityLimit allows; the rest is left out"
        );
    }
    page.finish()
}

const fn truth(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}

fn counts(broker: &Broker, page: &mut Page) {
    for processor in PROCESSORS {
        page.number(&WATERMARK, &[("processor", processor)], 0.0);
    }
    page.number(&PERMISSION, &[], f64::from(broker.settings.read().broker.broker_permission as i32));
    page.number(&TOPICS, &[], broker.topics.table().topics.len() as f64);
    page.number(&GROUPS, &[], broker.groups.table().groups.len() as f64);
}

fn traffic(broker: &Broker, metrics: &Metrics, page: &mut Page) {
    let inbound = metrics.inbound.all();
    let counts: [Count<Inbound>; 2] = [(&MESSAGES_IN, Inbound::messages), (&BYTES_IN, Inbound::bytes)];
    for (family, count) in counts {
        for (topic, kind, counters) in &inbound {
            page.number(family, &inbound_labels(broker, topic, *kind), count(counters) as f64);
        }
    }
    for (topic, kind, counters) in &inbound {
        page.histogram(&SIZES, &inbound_labels(broker, topic, *kind), &counters.sizes());
    }
    // What was handed out is counted for mqadmin already, by `topic@group`.
    for (family, statistic) in [(&MESSAGES_OUT, Statistic::GroupGetNums), (&BYTES_OUT, Statistic::GroupGetSize)] {
        for (key, total) in broker.stats.items.totals(statistic) {
            let Some((topic, group)) = key.split_once('@') else { continue };
            if total <= 0 || topic.starts_with(RETRY_TOPIC_PREFIX) || topic.starts_with(DLQ_TOPIC_PREFIX) {
                continue;
            }
            let is_system = truth(broker.stats.is_system(topic) || is_system_group(group));
            let labels = [("consumer_group", group), ("is_system", is_system), ("topic", topic)];
            page.number(family, &labels, total as f64);
        }
    }
    for entry in &metrics.topic_changes {
        let (is_system, is_done) = *entry.key();
        let labels = [("invocation_status", status(is_done)), ("is_system", truth(is_system))];
        page.histogram(&TOPIC_CHANGES, &labels, &entry.steps());
    }
    for entry in &metrics.group_changes {
        page.histogram(&GROUP_CHANGES, &[("invocation_status", status(*entry.key()))], &entry.steps());
    }
}

fn inbound_labels<'a>(broker: &Broker, topic: &'a Topic, kind: MessageKind) -> [(&'a str, &'a str); 3] {
    let is_system = truth(broker.stats.is_system(topic.as_str()));
    [("is_system", is_system), ("message_type", kind.name()), ("topic", topic.as_str())]
}

const fn status(is_done: bool) -> &'static str {
    if is_done { "success" } else { "failure" }
}

fn connections(broker: &Broker, page: &mut Page) {
    let mut producers: BTreeMap<(String, String), u64> = BTreeMap::new();
    for member in broker.producers.all().into_values().flatten() {
        *producers.entry(client(&member)).or_default() += 1;
    }
    for ((language, version), count) in &producers {
        let labels = [("language", language.as_str()), ("protocol_type", "remoting"), ("version", version.as_str())];
        page.number(&PRODUCERS, &labels, *count as f64);
    }
    for group in broker.consumers.all() {
        let mut members: BTreeMap<(String, String), u64> = BTreeMap::new();
        for member in group.members() {
            *members.entry(client(&member)).or_default() += 1;
        }
        let mode = match group.mode().0 {
            Some(ConsumeType::Actively) => "pull",
            Some(ConsumeType::Pop) => "pop",
            _ => "push",
        };
        let name = group.name().as_str();
        for ((language, version), count) in &members {
            let labels = [
                ("consume_mode", mode),
                ("consumer_group", name),
                ("is_system", truth(is_system_group(name))),
                ("language", language.as_str()),
                ("protocol_type", "remoting"),
                ("version", version.as_str()),
            ];
            page.number(&CONSUMERS, &labels, *count as f64);
        }
    }
}

fn client(member: &crate::clients::Member) -> (String, String) {
    (member.language.name().to_ascii_lowercase(), version_name(member.version).to_ascii_lowercase())
}

fn lags(broker: &Broker, page: &mut Page) {
    let (lags, is_whole) = lag::lags(broker, Instant::now() + LAG_TIME);
    if !is_whole {
        tracing::warn!(
            shown = lags.len(),
            "consumer lag is shown of some groups only: looking at all takes longer than five seconds"
        );
    }
    let now_ms = broker.clock.now_ms();
    let age = |since_ms: Option<i64>| since_ms.map_or(0, |since_ms| (now_ms - since_ms).max(0));
    let values: [LagValue<'_>; 5] = [
        (&LAG_MESSAGES, &|lag| lag.messages),
        (&LAG_LATENCY, &|lag| age(lag.unconsumed_since_ms)),
        (&INFLIGHT, &|lag| lag.inflight),
        (&QUEUEING, &|lag| age(lag.unpulled_since_ms)),
        (&READY, &|lag| lag.ready),
    ];
    for (family, value) in values {
        for lag in &lags {
            let labels = [
                ("consumer_group", lag.group.as_str()),
                ("is_retry", "false"),
                ("is_system", truth(lag.is_system)),
                ("topic", lag.topic.as_str()),
            ];
            page.number(family, &labels, value(lag) as f64);
        }
    }
}

fn dead_letters(broker: &Broker, metrics: &Metrics, page: &mut Page) {
    for entry in &metrics.dead_letters {
        let (group, topic) = entry.key();
        let is_system = truth(broker.stats.is_system(topic) || is_system_group(group));
        let labels = [("consumer_group", group.as_ref()), ("is_system", is_system), ("topic", topic.as_ref())];
        page.number(&DEAD_LETTERS, &labels, entry.load(Ordering::Relaxed) as f64);
    }
}

fn transactions(broker: &Broker, metrics: &Metrics, page: &mut Page) {
    let counts: [Count<Ends>; 2] = [
        (&COMMITS, |ends| ends.committed.load(Ordering::Relaxed)),
        (&ROLLBACKS, |ends| ends.rolled_back.load(Ordering::Relaxed)),
    ];
    for (family, count) in counts {
        for entry in &metrics.transactions {
            let count = count(&entry);
            if count > 0 {
                page.number(family, &[("topic", entry.key())], count as f64);
            }
        }
    }
    for entry in &metrics.transactions {
        page.histogram(&FINISHED, &[("topic", entry.key())], &entry.open_s.steps());
    }
    for (topic, open) in broker.transactions.counts.all() {
        page.number(&HALVES, &[("topic", &topic)], open as f64);
    }
}

fn requests(metrics: &Metrics, page: &mut Page) {
    for (answered, steps) in metrics.rpc.all() {
        let labels = [
            ("is_long_polling", truth(answered.was_held)),
            ("protocol_type", "remoting"),
            ("request_code", &answered.request_name()),
            ("response_code", &answered.response_name()),
            ("result", if answered.one_way { "oneway" } else { "success" }),
        ];
        page.histogram(&RPC, &labels, &steps);
    }
}

fn storage(broker: &Broker, page: &mut Page) {
    let store = &broker.store;
    if let Some(capacity) = store.disk_capacity() {
        page.number(&STORAGE, &DISK, (capacity.total - capacity.free) as f64);
    }
    let end = store.max_physical_offset();
    page.number(&UNFLUSHED, &DISK, end.since(store.flushed_offset()).max(0) as f64);
    page.number(&UNDISPATCHED, &DISK, end.since(store.dispatched_offset()).max(0) as f64);
    if let Some(earliest_ms) = store.earliest_log_timestamp().filter(|time_ms| *time_ms > 0) {
        page.number(&RESERVED, &DISK, (broker.clock.now_ms() - earliest_ms).max(0) as f64);
    }
}

fn timer(broker: &Broker, metrics: &Metrics, page: &mut Page) {
    let Some(timer) = &broker.timer else { return };
    let now_ms = broker.clock.now_ms();
    let look = timer.look(&broker.store, now_ms);
    page.number(&TIMER_IN_LAG, &DISK, look.offset_behind as f64);
    page.number(&TIMER_IN_LATENCY, &DISK, look.intake_behind_ms as f64);
    page.number(&TIMER_OUT_LAG, &DISK, look.pending as f64);
    page.number(&TIMER_OUT_LATENCY, &DISK, look.read_behind_ms as f64);
    for (topic, count) in timer.counts.look().timing_count {
        page.number(&TIMING, &with_disk(("topic", &topic)), count.count as f64);
    }
    for (bound_s, waiting) in TIMER_BOUNDS_S.iter().zip(timer.waiting_until(now_ms, &TIMER_BOUNDS_S)) {
        page.number(&TIMER_SNAPSHOT, &with_disk(("timer_bound_s", &bound_s.to_string())), waiting as f64);
    }
    let counts: [Count<TimerWork>; 2] = [
        (&TIMER_IN, |work| work.taken_in.load(Ordering::Relaxed)),
        (&TIMER_OUT, |work| work.delivered.load(Ordering::Relaxed)),
    ];
    for (family, count) in counts {
        for entry in &metrics.timer {
            let count = count(&entry);
            if count > 0 {
                page.number(family, &with_disk(("topic", entry.key())), count as f64);
            }
        }
    }
    for entry in &metrics.timer {
        page.histogram(&DELAYS, &with_disk(("topic", entry.key())), &entry.delays_s.steps());
    }
}

const fn with_disk<'a>(label: (&'a str, &'a str)) -> [(&'a str, &'a str); 3] {
    [DISK[0], DISK[1], label]
}
