//! What Prometheus is told: RocketMQ 5's metrics by their names, kinds and labels.
//!
//! ```text
//! sends, answers, ends of transactions, dead letters ──► counters here (only while metrics are wanted)
//! statistics, clients, offsets, timer, store         ──► looked at when a page is made
//!                                                          scrape.rs ──► text.rs ──► exporter.rs: /metrics, or the log
//! ```
//! Owns what no statistic counts already. With `metricsExporterType=DISABLE` there is none of it: the paths of messages ask one
//! `Option` and go on. While they are wanted, a connection adds up what it stored in one read and adds that once.
//!
//! Left out: series of parts that are not built (pop, RocksDB, tiered storage, proxy, controller). Names, labels and steps: `compat-tests/golden/metrics.txt`,
//! which a broker of RocketMQ 5.5.0 wrote.
//!
//! Upstream: `BrokerMetricsManager`, `RemotingMetricsManager`, `DefaultStoreMetricsManager`.

mod exporter;
mod histogram;
mod inbound;
mod lag;
mod rpc;
mod scrape;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::Topic;
use boostermq_remoting::router::{AnswerObserver, Handled, Question};
use boostermq_store::AppendReceipt;
use dashmap::DashMap;

use crate::config::{BrokerConfig, MetricsExporterType};
use histogram::Histogram;
use inbound::{InboundSums, InboundTable};
use rpc::RpcLatencies;

pub(crate) use exporter::Exporter;
pub(crate) use inbound::MessageKind;

/// Bounds of the times that changes of topics and groups take, in milliseconds (RocketMQ 5.5.0).
const CREATIONS: [u64; 5] = [10, 100, 1000, 3000, 5000];
/// Bounds of how long transactions are open, in seconds, whatever the name of the series says (RocketMQ 5.5.0).
const TRANSACTIONS: [u64; 6] = [5, 60, 600, 3600, 43_200, 86_400];
/// Bounds of the delays that are asked for, in seconds (RocketMQ 5.5.0).
const DELAYS: [u64; 6] = [60, 600, 3600, 43_200, 86_400, 259_200];
/// Groups and topics whose dead letters are counted; more are not.
const DEAD_LETTERS_MAX: usize = 100_000;

/// Which series are wanted: the `enable…Metrics` settings.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    remoting: bool,
    store: bool,
    connections: bool,
    transactions: bool,
    stats: bool,
    requests: bool,
    lag_and_dead_letters: bool,
}

/// What is counted for Prometheus and for nobody else.
pub(crate) struct Metrics {
    wanted: Wanted,
    /// Labels of every series.
    labels: Vec<(String, String)>,
    /// Series of one family, at most.
    limit: usize,
    has_said_overfull: AtomicBool,
    inbound: InboundTable,
    rpc: Arc<RpcLatencies>,
    dead_letters: DashMap<(Box<str>, Box<str>), AtomicU64>,
    /// Times that changes of topics took, by whether a topic is the system's and whether it was done.
    topic_changes: DashMap<(bool, bool), Histogram>,
    /// The same of groups, by whether it was done.
    group_changes: DashMap<bool, Histogram>,
    transactions: DashMap<Box<str>, Ends>,
    timer: DashMap<Box<str>, TimerWork>,
}

/// How the transactions of a topic ended.
struct Ends {
    committed: AtomicU64,
    rolled_back: AtomicU64,
    open_s: Histogram,
}

/// What the timer did for a topic.
struct TimerWork {
    taken_in: AtomicU64,
    delivered: AtomicU64,
    delays_s: Histogram,
}

impl Default for Ends {
    fn default() -> Self {
        Self { committed: AtomicU64::new(0), rolled_back: AtomicU64::new(0), open_s: Histogram::new(&TRANSACTIONS) }
    }
}

impl Default for TimerWork {
    fn default() -> Self {
        Self { taken_in: AtomicU64::new(0), delivered: AtomicU64::new(0), delays_s: Histogram::new(&DELAYS) }
    }
}

impl Metrics {
    /// The counters; nothing while nobody wants metrics.
    pub(crate) fn new(config: &BrokerConfig) -> Option<Arc<Self>> {
        if config.metrics_exporter_type == MetricsExporterType::Disable {
            return None;
        }
        Some(Arc::new(Self {
            wanted: Wanted {
                remoting: config.enable_remoting_metrics,
                store: config.enable_message_store_metrics,
                connections: config.enable_connection_metrics,
                transactions: config.enable_transaction_metrics,
                stats: config.enable_stats_metrics,
                requests: config.enable_request_metrics,
                lag_and_dead_letters: config.enable_lag_and_dlq_metrics,
            },
            labels: labels(config),
            limit: config.metrics_otel_cardinality_limit as usize,
            has_said_overfull: AtomicBool::new(false),
            inbound: InboundTable::default(),
            rpc: Arc::default(),
            dead_letters: DashMap::new(),
            topic_changes: DashMap::new(),
            group_changes: DashMap::new(),
            transactions: DashMap::new(),
            timer: DashMap::new(),
        }))
    }

    /// Who is told of answers that the router writes; nobody where that is not wanted.
    pub(crate) fn observer(&self) -> Option<Arc<dyn AnswerObserver>> {
        self.wanted.remoting.then(|| Arc::clone(&self.rpc) as _)
    }

    /// A request was answered; `since` it came.
    pub(crate) fn answered(&self, question: &Question, response: ResponseCode, was_held: bool, since: Instant) {
        if self.wanted.remoting {
            self.rpc.note(question, response, was_held, since.elapsed(), 1);
        }
    }

    /// Messages were stored that no client sent just now: the broker delivers them.
    pub(crate) fn delivered(&self, topic: &Topic, kind: MessageKind, receipts: &[AppendReceipt]) {
        let mut sums = InboundSums::default();
        for receipt in receipts.iter().filter(|_| self.counts_inbound(topic)) {
            sums.stored(&self.inbound, topic, kind, (1, u64::from(receipt.length)));
        }
        sums.flush();
    }

    fn counts_inbound(&self, topic: &Topic) -> bool {
        self.wanted.requests && !topic.is_retry() && !topic.is_dlq()
    }

    /// A message was given up.
    pub(crate) fn gave_up(&self, group: &str, topic: &str) {
        let key = (group.into(), topic.into());
        if let Some(count) = self.dead_letters.get(&key) {
            count.fetch_add(1, Ordering::Relaxed);
        } else if self.dead_letters.len() < DEAD_LETTERS_MAX {
            self.dead_letters.entry(key).or_default().fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Topics were changed, or could not be; the change was `begun` then.
    pub(crate) fn changed_topics(&self, is_system: bool, is_done: bool, begun: Instant) {
        let steps = self.topic_changes.entry((is_system, is_done));
        steps.or_insert_with(|| Histogram::new(&CREATIONS)).note(millis(begun.elapsed()));
    }

    /// Carries out a change of groups and notes how long it took.
    pub(crate) fn time_group_change(&self, change: impl FnOnce() -> Handled) -> Handled {
        let begun = Instant::now();
        let handled = change();
        let steps = self.group_changes.entry(handled.is_ok());
        steps.or_insert_with(|| Histogram::new(&CREATIONS)).note(millis(begun.elapsed()));
        handled
    }

    /// A transaction was committed that had been open for so many seconds.
    pub(crate) fn committed(&self, topic: &str, open_s: u64) {
        self.ends(topic, |ends| {
            ends.committed.fetch_add(1, Ordering::Relaxed);
            ends.open_s.note(open_s);
        });
    }

    /// A transaction was rolled back.
    pub(crate) fn rolled_back(&self, topic: &str) {
        self.ends(topic, |ends| {
            ends.rolled_back.fetch_add(1, Ordering::Relaxed);
        });
    }

    fn ends(&self, topic: &str, note: impl FnOnce(&Ends)) {
        match self.transactions.get(topic) {
            Some(ends) => note(&ends),
            None => note(&self.transactions.entry(topic.into()).or_default()),
        }
    }

    /// The timer took in a message that was sent for so many seconds later.
    pub(crate) fn timer_took_in(&self, topic: &str, delay_s: u64) {
        self.timer_work(topic, |work| {
            work.taken_in.fetch_add(1, Ordering::Relaxed);
            work.delays_s.note(delay_s);
        });
    }

    /// The timer delivered messages.
    pub(crate) fn timer_delivered(&self, topic: &str, messages: i64) {
        if let Ok(messages @ 1..) = u64::try_from(messages) {
            self.timer_work(topic, |work| {
                work.delivered.fetch_add(messages, Ordering::Relaxed);
            });
        }
    }

    fn timer_work(&self, topic: &str, note: impl FnOnce(&TimerWork)) {
        match self.timer.get(topic) {
            Some(work) => note(&work),
            None => note(&self.timer.entry(topic.into()).or_default()),
        }
    }

    /// A topic was deleted: its series end.
    pub(crate) fn forget_topic(&self, topic: &str) {
        self.inbound.forget(topic);
        self.transactions.remove(topic);
        self.timer.remove(topic);
        self.dead_letters.retain(|(_, known), _| **known != *topic);
    }

    /// A group was deleted.
    pub(crate) fn forget_group(&self, group: &str) {
        self.dead_letters.retain(|(known, _), _| **known != *group);
    }
}

/// The labels of every series. What `metricsLabel` says is `key:value,key:value`; a pair that is none is left out.
fn labels(config: &BrokerConfig) -> Vec<(String, String)> {
    let mut labels = std::collections::BTreeMap::new();
    for pair in config.metrics_label.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once(':').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if text::is_label_name(name) && !value.is_empty() && !value.contains(':') => {
                labels.insert(name.to_owned(), value.to_owned());
            }
            _ => {
                tracing::warn!(pair, "metricsLabel holds what is no label and is left out; write name:value,name:value")
            }
        }
    }
    if config.metrics_in_delta {
        labels.insert("aggregation".to_owned(), "delta".to_owned());
    }
    labels.insert("cluster".to_owned(), config.broker_cluster_name.to_string());
    labels.insert("node_id".to_owned(), config.broker_name.to_string());
    labels.insert("node_type".to_owned(), "broker".to_owned());
    labels.insert("otel_scope_name".to_owned(), "broker-meter".to_owned());
    labels.into_iter().collect()
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What a connection counts of its sends between two appends.
pub(crate) struct SendMeter {
    metrics: Arc<Metrics>,
    sums: InboundSums,
    /// When the first send of this append came.
    since: Option<Instant>,
    /// Answers of the same kind, one after the other.
    answered: Option<(Question, ResponseCode, u64)>,
}

impl SendMeter {
    /// Nothing is counted yet.
    pub(crate) fn new(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), sums: InboundSums::default(), since: None, answered: None }
    }

    /// A send has come.
    pub(crate) fn came(&mut self) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
    }

    /// When the first send of this append came.
    pub(crate) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// A send was stored.
    pub(crate) fn stored(&mut self, topic: &Topic, kind: MessageKind, receipts: &[AppendReceipt]) {
        if self.metrics.counts_inbound(topic) {
            let bytes = receipts.iter().map(|receipt| u64::from(receipt.length)).sum();
            self.sums.stored(&self.metrics.inbound, topic, kind, (receipts.len() as u64, bytes));
        }
    }

    /// A send was answered.
    pub(crate) fn answered(&mut self, question: &Question, response: ResponseCode) {
        match &mut self.answered {
            Some((open, code, times))
                if *code == response && open.code == question.code && open.one_way == question.one_way =>
            {
                *times += 1;
            }
            _ => {
                self.flush_answered();
                self.answered = Some((*question, response, 1));
            }
        }
    }

    fn flush_answered(&mut self) {
        if let Some((question, response, times)) = self.answered.take()
            && self.metrics.wanted.remoting
        {
            let took = self.since.map_or(Duration::ZERO, |since| since.elapsed());
            self.metrics.rpc.note(&question, response, false, took, times);
        }
    }

    /// The sends of this append are done with.
    pub(crate) fn flush(&mut self) {
        self.flush_answered();
        self.sums.flush();
        self.since = None;
    }
}
