//! How long appends take: what upstream shows as the distribution and the percentiles of puts.
//!
//! Counts of the running minute and of the last full one. Upstream: `StoreStatsService`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// Ends of the steps in milliseconds and what upstream calls them; the last has no end.
const STEPS: [(u64, &str); 13] = [
    (1, "[<=0ms]"),
    (10, "[0~10ms]"),
    (50, "[10~50ms]"),
    (100, "[50~100ms]"),
    (200, "[100~200ms]"),
    (500, "[200~500ms]"),
    (1000, "[500ms~1s]"),
    (2000, "[1~2s]"),
    (3000, "[2~3s]"),
    (4000, "[3~4s]"),
    (5000, "[4~5s]"),
    (10_000, "[5~10s]"),
    (u64::MAX, "[10s~]"),
];
/// Finer steps for percentiles: each ends at twice the one before, the first at 2 µs, the last at half a minute.
const DOUBLINGS: usize = 24;

/// Counted durations.
#[derive(Default)]
pub(crate) struct Durations {
    running: Counts<AtomicU64>,
    last_minute: Mutex<Counts<u64>>,
    longest_ms: AtomicU64,
}

#[derive(Default)]
struct Counts<T> {
    steps: [T; STEPS.len()],
    doublings: [T; DOUBLINGS],
}

impl Durations {
    pub(crate) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let millis = micros / 1000;
        self.longest_ms.fetch_max(millis, Ordering::Relaxed);
        let step = STEPS.iter().position(|(end, _)| millis < *end).unwrap_or(STEPS.len() - 1);
        let doubling = (micros.max(1).ilog2() as usize).min(DOUBLINGS - 1);
        for counter in [self.running.steps.get(step), self.running.doublings.get(doubling)].into_iter().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Begins another minute.
    pub(crate) fn end_minute(&self) {
        let mut last = self.last_minute.lock();
        let counts = last.steps.iter_mut().zip(&self.running.steps);
        for (kept, running) in counts {
            *kept = running.swap(0, Ordering::Relaxed);
        }
        for (kept, running) in last.doublings.iter_mut().zip(&self.running.doublings) {
            *kept = running.swap(0, Ordering::Relaxed);
        }
    }

    /// The longest since the start.
    pub(crate) fn longest_ms(&self) -> u64 {
        self.longest_ms.load(Ordering::Relaxed)
    }

    /// The last minute's counts as upstream writes them.
    pub(crate) fn distribution(&self) -> String {
        let last = self.last_minute.lock();
        let mut text = String::new();
        for ((_, name), count) in STEPS.iter().zip(last.steps) {
            // Writing into a String cannot fail.
            let _ = write!(text, "{name}:{count} ");
        }
        text
    }

    /// Milliseconds within which this share of the last minute's durations lay, to within a doubling; 0 without any.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let last = self.last_minute.lock();
        let wanted = last.doublings.iter().sum::<u64>() as f64 * share;
        let mut counted = 0;
        for (at, count) in last.doublings.iter().enumerate() {
            counted += count;
            if counted > 0 && counted as f64 >= wanted {
                return (2_u64 << at) as f64 / 1000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_by_the_last_full_minute() {
        let durations = Durations::default();
        assert_eq!(durations.percentile_ms(0.99), 0.0);
        for _ in 0..98 {
            durations.note(Duration::from_micros(3));
        }
        durations.note(Duration::from_millis(9));
        durations.note(Duration::from_secs(60));
        assert!(durations.distribution().starts_with("[<=0ms]:0 "));
        durations.end_minute();
        let text = durations.distribution();
        assert!(
            text.starts_with("[<=0ms]:98 [0~10ms]:1 [10~50ms]:0 ") && text.ends_with(" [5~10s]:0 [10s~]:1 "),
            "{text}"
        );
        assert_eq!(text.split(':').count(), 14);
        let percentiles = [0.5, 0.98, 0.99, 0.999].map(|share| durations.percentile_ms(share));
        assert_eq!(percentiles, [0.004, 0.004, 16.384, 16777.216]);
        durations.end_minute();
        assert_eq!((durations.percentile_ms(0.99), durations.longest_ms()), (0.0, 60_000));
    }
}
