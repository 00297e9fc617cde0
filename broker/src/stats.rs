//! What the broker has done, counted: totals since the start, rates over the last 10, 60 and 600 seconds, and by topic, group
//! and queue over windows up to a day ([`items`]).
//!
//! Upstream: `StoreStatsService`, `BrokerStats`, `BrokerStatsManager`; shown by GET_BROKER_RUNTIME_INFO and
//! VIEW_BROKER_STATS_DATA (RocketMQ 5.5.0).

pub(crate) mod counters;
mod durations;
pub(crate) mod items;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boostermq_store::{AppendBatch, AppendReceipt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;

use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::metadata::{fixed_system_topics, is_system_name};
use crate::schedule::SCHEDULE_TOPIC;
use counters::{PutCounters, Puts};
use durations::Durations;
use items::{Item, Span, Statistic, Statistics};

/// Samples kept: one a second, for the longest window and one more.
const SAMPLES: usize = 601;
/// The windows that rates are told for, in seconds.
const WINDOWS: [usize; 3] = [10, 60, 600];
const DAY_MS: i64 = 86_400_000;
/// The group under which upstream counts what delay levels deliver.
const SCHEDULE_GROUP: &str = "SCHEDULE_CONSUMER";

/// Counters of a broker; every one only grows.
pub(crate) struct BrokerStats {
    started_ms: i64,
    /// What is counted by topic, group and queue.
    pub(crate) items: Statistics,
    put: Arc<Item>,
    put_by_users: Arc<Item>,
    got: Arc<Item>,
    got_by_users: Arc<Item>,
    connected: Arc<Item>,
    closed: Arc<Item>,
    /// Whether queues are counted, too.
    is_detailed: AtomicBool,
    /// Names of topics that belong to the broker, beside those that its prefix tells.
    system_topics: BTreeSet<String>,
    put_messages: AtomicU64,
    put_bytes: AtomicU64,
    put_failures: AtomicU64,
    /// Pulls that found messages, that found none, and the messages they found.
    get_found: AtomicU64,
    get_missed: AtomicU64,
    got_messages: AtomicU64,
    /// How long appends took.
    puts: Durations,
    /// The longest read of the store in milliseconds.
    longest_get_ms: AtomicU64,
    samples: Mutex<VecDeque<Sample>>,
    days: Mutex<Days>,
    today: AtomicI64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    put_messages: u64,
    get_found: u64,
    get_missed: u64,
    got_messages: u64,
}

/// Counters at the last two midnights.
#[derive(Clone, Copy, Debug, Default)]
struct Days {
    put_yesterday: u64,
    put_today: u64,
    got_yesterday: u64,
    got_today: u64,
}

/// Which rate is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rate {
    /// Messages stored.
    Put,
    /// Reads that found messages.
    GetFound,
    /// Reads that found none.
    GetMissed,
    /// All reads.
    Get,
    /// Messages handed out.
    Transferred,
}

impl Sample {
    const fn value(&self, rate: Rate) -> u64 {
        match rate {
            Rate::Put => self.put_messages,
            Rate::GetFound => self.get_found,
            Rate::GetMissed => self.get_missed,
            Rate::Get => self.get_found + self.get_missed,
            Rate::Transferred => self.got_messages,
        }
    }
}

impl BrokerStats {
    pub(crate) fn new(now_ms: i64, config: &BrokerConfig) -> Self {
        let items = Statistics::default();
        let of_cluster = |statistic| items.item(statistic, config.broker_cluster_name.as_str());
        Self {
            started_ms: now_ms,
            put: of_cluster(Statistic::BrokerPutNums),
            put_by_users: of_cluster(Statistic::BrokerPutNumsWithoutSystemTopic),
            got: of_cluster(Statistic::BrokerGetNums),
            got_by_users: of_cluster(Statistic::BrokerGetNumsWithoutSystemTopic),
            connected: items.item(Statistic::ChannelActivity, "CONNECT"),
            closed: items.item(Statistic::ChannelActivity, "CLOSE"),
            is_detailed: AtomicBool::new(config.enable_detail_stat),
            system_topics: fixed_system_topics(config),
            items,
            put_messages: AtomicU64::new(0),
            put_bytes: AtomicU64::new(0),
            put_failures: AtomicU64::new(0),
            get_found: AtomicU64::new(0),
            get_missed: AtomicU64::new(0),
            got_messages: AtomicU64::new(0),
            puts: Durations::default(),
            longest_get_ms: AtomicU64::new(0),
            samples: Mutex::new(VecDeque::new()),
            days: Mutex::new(Days::default()),
            today: AtomicI64::new(local_day(now_ms)),
        }
    }

    /// Records were appended, together, within this time.
    pub(crate) fn stored(&self, receipts: &[AppendReceipt], took: Duration) {
        self.puts.note(took);
        self.put_messages.fetch_add(receipts.len() as u64, Ordering::Relaxed);
        self.put_bytes.fetch_add(receipts.iter().map(|receipt| u64::from(receipt.length)).sum(), Ordering::Relaxed);
    }

    /// Records of the broker's own making were appended, together, within this time; each counts as one request.
    pub(crate) fn stored_by_broker(&self, batch: &AppendBatch, took: Duration) {
        self.stored(batch.receipts(), took);
        let mut counters = PutCounters::default();
        for (at, receipt) in batch.receipts().iter().enumerate() {
            if let Some(queue) = batch.queue(at) {
                counters.stored(self, queue, Puts::one(receipt));
            }
        }
        counters.flush(self);
    }

    /// Delayed messages were delivered from the queue of their level.
    pub(crate) fn delivered(&self, queue_id: u32, messages: i64, bytes: i64) {
        let key = format!("{SCHEDULE_TOPIC}@{SCHEDULE_GROUP}");
        self.items.add(Statistic::GroupGetNums, &key, messages, messages);
        self.items.add(Statistic::GroupGetSize, &key, bytes, messages);
        if self.is_detailed() {
            let key = format!("{SCHEDULE_TOPIC}@{queue_id}@{SCHEDULE_GROUP}");
            self.items.add(Statistic::QueueGetNums, &key, messages, messages);
            self.items.add(Statistic::QueueGetSize, &key, bytes, messages);
        }
    }

    /// True for a topic that belongs to the broker.
    pub(crate) fn is_system(&self, topic: &str) -> bool {
        is_system_name(topic) || self.system_topics.contains(topic)
    }

    /// Whether queues are counted, too.
    pub(crate) fn is_detailed(&self) -> bool {
        self.is_detailed.load(Ordering::Relaxed)
    }

    /// A client has connected.
    pub(crate) fn connected(&self) {
        self.connected.add(1, 1);
    }

    /// A client's connection is closed.
    pub(crate) fn closed(&self) {
        self.closed.add(1, 1);
    }

    /// Records were refused by the store.
    pub(crate) fn refused(&self, count: usize) {
        self.put_failures.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A read found messages.
    pub(crate) fn fetched(&self, messages: u64) {
        self.get_found.fetch_add(1, Ordering::Relaxed);
        self.got_messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// A read found none.
    pub(crate) fn missed(&self) {
        self.get_missed.fetch_add(1, Ordering::Relaxed);
    }

    /// The store was read within this time.
    pub(crate) fn read_took(&self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if millis > self.longest_get_ms.load(Ordering::Relaxed) {
            self.longest_get_ms.fetch_max(millis, Ordering::Relaxed);
        }
    }

    /// How long appends took.
    pub(crate) const fn puts(&self) -> &Durations {
        &self.puts
    }

    /// The longest read of the store, in milliseconds.
    pub(crate) fn longest_get_ms(&self) -> u64 {
        self.longest_get_ms.load(Ordering::Relaxed)
    }

    /// When the broker started, ms.
    pub(crate) const fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// Messages stored, bytes of them, messages refused.
    pub(crate) fn put_totals(&self) -> (u64, u64, u64) {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (value(&self.put_messages), value(&self.put_bytes), value(&self.put_failures))
    }

    fn now(&self) -> Sample {
        Sample {
            put_messages: self.put_messages.load(Ordering::Relaxed),
            get_found: self.get_found.load(Ordering::Relaxed),
            get_missed: self.get_missed.load(Ordering::Relaxed),
            got_messages: self.got_messages.load(Ordering::Relaxed),
        }
    }

    /// Keeps the counters of this second; at midnight also those of the day.
    pub(crate) fn take_sample(&self, now_ms: i64) {
        let now = self.now();
        let mut samples = self.samples.lock();
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(now);
        drop(samples);
        let day = local_day(now_ms);
        if self.today.swap(day, Ordering::Relaxed) != day {
            let mut days = self.days.lock();
            *days = Days {
                put_yesterday: days.put_today,
                put_today: total(&self.put_by_users),
                got_yesterday: days.got_today,
                got_today: total(&self.got_by_users),
            };
        }
    }

    /// The rate over each window, per second: three numbers always, of a window that is not full yet what there is. Upstream leaves
    /// such out, at which some of the tools that read it fail.
    pub(crate) fn rates(&self, rate: Rate) -> String {
        let samples = self.samples.lock();
        let per_second = |window: usize| {
            let from = samples.len().saturating_sub(window + 1);
            let (Some(first), Some(last)) = (samples.get(from), samples.back()) else { return 0.0 };
            let seconds = (samples.len() - 1 - from).max(1);
            (last.value(rate) - first.value(rate)) as f64 / seconds as f64
        };
        let rates: Vec<String> = WINDOWS.iter().map(|window| format!("{:?}", per_second(*window))).collect();
        rates.join(" ")
    }

    /// The counters at yesterday's and today's midnight and now, the system's topics left out: stored, then handed out.
    pub(crate) fn days(&self) -> ([u64; 3], [u64; 3]) {
        let days = *self.days.lock();
        let (put, got) = (total(&self.put_by_users), total(&self.got_by_users));
        ([days.put_yesterday, days.put_today, put], [days.got_yesterday, days.got_today, got])
    }
}

/// The number of the day that it is here, by the machine's time zone as in RocketMQ 5.5.0.
fn local_day(now_ms: i64) -> i64 {
    let offset_s = Timestamp::from_millisecond(now_ms).map_or(0, |now| TimeZone::system().to_offset(now).seconds());
    now_ms.saturating_add(i64::from(offset_s) * 1000).div_euclid(DAY_MS)
}

fn total(item: &Item) -> u64 {
    item.total().max(0).cast_unsigned()
}

/// Seconds over which reads of old messages are added up (RocketMQ 5.5.0).
const COLD_WINDOW: u64 = 5;
/// How often idle statistics are looked for, in seconds.
const IDLE_LOOK: u64 = 600;

/// Takes a sample each second until the task is ended.
pub(crate) async fn sample(broker: Arc<Broker>) {
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let stats = &broker.stats;
    for second in 1_u64.. {
        tick.tick().await;
        stats.take_sample(broker.clock.now_ms());
        let (is_detailed, idle_minutes) = {
            let settings = broker.settings.read();
            (settings.broker.enable_detail_stat, i64::from(settings.broker.max_stats_idle_time_in_minutes))
        };
        stats.is_detailed.store(is_detailed, Ordering::Relaxed);
        if second.is_multiple_of(COLD_WINDOW) {
            broker.cold_reads.end_window(broker.clock.now_ms());
        }
        if second.is_multiple_of(60) {
            stats.puts.end_minute();
        }
        let at_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        for (span, every) in [(Span::Minute, 10), (Span::Hour, 600), (Span::Day, 3600)] {
            if second.is_multiple_of(every) {
                stats.items.look(at_ms, span);
            }
        }
        if idle_minutes > 0 && second.is_multiple_of(IDLE_LOOK) {
            stats.items.forget_idle(at_ms.saturating_sub(idle_minutes.saturating_mul(60_000)));
        }
    }
}

#[cfg(test)]
mod tests;
