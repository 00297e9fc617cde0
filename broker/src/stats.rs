//! What the broker has done, counted: totals since the start and rates over the last 10, 60 and 600 seconds.
//!
//! Upstream: `StoreStatsService`, `BrokerStats`; shown by GET_BROKER_RUNTIME_INFO (facts/protocol-admin.md 4.1).

mod durations;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use boostermq_store::AppendReceipt;
use parking_lot::Mutex;

use crate::broker::Broker;
use durations::Durations;

/// Samples kept: one a second, for the longest window and one more.
const SAMPLES: usize = 601;
/// The windows that rates are told for, in seconds.
const WINDOWS: [usize; 3] = [10, 60, 600];
const DAY_MS: i64 = 86_400_000;

/// Counters of a broker; every one only grows.
pub(crate) struct BrokerStats {
    started_ms: i64,
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
    pub(crate) fn new(now_ms: i64) -> Self {
        Self {
            started_ms: now_ms,
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
            today: AtomicI64::new(now_ms / DAY_MS),
        }
    }

    /// Records were appended, together, within this time.
    pub(crate) fn stored(&self, receipts: &[AppendReceipt], took: Duration) {
        self.puts.note(took);
        self.put_messages.fetch_add(receipts.len() as u64, Ordering::Relaxed);
        self.put_bytes.fetch_add(receipts.iter().map(|receipt| u64::from(receipt.length)).sum(), Ordering::Relaxed);
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
        let day = now_ms / DAY_MS;
        if self.today.swap(day, Ordering::Relaxed) != day {
            let mut days = self.days.lock();
            *days = Days {
                put_yesterday: days.put_today,
                put_today: now.put_messages,
                got_yesterday: days.got_today,
                got_today: now.got_messages,
            };
        }
    }

    /// The rate over each window, per second, as upstream writes it: a window that is not full yet is left out.
    pub(crate) fn rates(&self, rate: Rate) -> String {
        let samples = self.samples.lock();
        let mut text = String::new();
        let Some(last) = samples.back() else { return text };
        for window in WINDOWS {
            let Some(first) = samples.len().checked_sub(window + 1).and_then(|at| samples.get(at)) else { continue };
            let per_second = (last.value(rate) - first.value(rate)) as f64 / window as f64;
            if !text.is_empty() {
                text.push(' ');
            }
            // Writing into a String cannot fail.
            let _ = write!(text, "{per_second:?}");
        }
        text
    }

    /// The counters at yesterday's and today's midnight and now: stored, then handed out.
    pub(crate) fn days(&self) -> ([u64; 3], [u64; 3]) {
        let (days, now) = (*self.days.lock(), self.now());
        ([days.put_yesterday, days.put_today, now.put_messages], [days.got_yesterday, days.got_today, now.got_messages])
    }
}

/// Takes a sample each second until the task is ended.
pub(crate) async fn sample(broker: Arc<Broker>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        for _ in 0..60 {
            tick.tick().await;
            broker.stats.take_sample(broker.clock.now_ms());
        }
        broker.stats.puts.end_minute();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_once_its_window_is_full() {
        let stats = BrokerStats::new(0);
        assert_eq!(stats.rates(Rate::Transferred), "");
        for second in 0..=60 {
            stats.take_sample(second * 1000);
            stats.fetched(3);
        }
        assert_eq!(stats.rates(Rate::Transferred), "3.0 3.0");
        assert_eq!(stats.rates(Rate::GetFound), "1.0 1.0");
        assert_eq!(stats.rates(Rate::Put), "0.0 0.0");
    }

    #[test]
    fn midnight_marks_the_day() {
        let stats = BrokerStats::new(DAY_MS - 1000);
        stats.fetched(5);
        stats.take_sample(DAY_MS);
        stats.fetched(2);
        assert_eq!(stats.days().1, [0, 5, 7]);
        stats.take_sample(2 * DAY_MS);
        assert_eq!(stats.days().1, [5, 7, 7]);
    }
}
