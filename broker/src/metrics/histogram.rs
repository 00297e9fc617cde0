//! Counts of values by the steps they lie in, as Prometheus draws them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Values counted by fixed steps; adding is three relaxed additions.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what lies above the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Greatest value of each step.
    pub(crate) bounds: &'static [u64],
    /// Values in each step; the last has no bound.
    pub(crate) counts: Vec<u64>,
    /// All values added up.
    pub(crate) sum: u64,
}

impl Histogram {
    /// An empty one; `bounds` ascend.
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// A value came.
    pub(crate) fn note(&self, value: u64) {
        self.note_times(value, 1);
    }

    /// The same value came as many times.
    pub(crate) fn note_times(&self, value: u64, times: u64) {
        if let Some(count) = self.counts.get(step(self.bounds, value)) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
    }

    /// Adds what was counted elsewhere by the same bounds.
    pub(crate) fn add(&self, counts: &[u64], sum: u64) {
        for (count, more) in self.counts.iter().zip(counts).filter(|(_, more)| **more > 0) {
            count.fetch_add(*more, Ordering::Relaxed);
        }
        self.sum.fetch_add(sum, Ordering::Relaxed);
    }

    /// What is counted now.
    pub(crate) fn steps(&self) -> Steps {
        Steps {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// The step that a value lies in.
pub(crate) fn step(bounds: &[u64], value: u64) -> usize {
    bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len())
}

impl Steps {
    /// Values in all.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds another of the same bounds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_step_below_it() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11] {
            histogram.note(value);
        }
        histogram.note_times(5, 3);
        histogram.add(&[0, 1, 1], 40);
        let mut steps = histogram.steps();
        assert_eq!(steps, Steps { bounds: &[1, 10], counts: vec![2, 6, 2], sum: 24 + 15 + 40 });
        assert_eq!(steps.count(), 10);
        steps.merge(&histogram.steps());
        assert_eq!((steps.count(), steps.sum), (20, 158));
    }
}
