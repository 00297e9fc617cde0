//! Lines of the log that would come with every message while something is wrong.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

const MINUTE: Duration = Duration::from_secs(60);

/// Lets one line a minute through.
#[derive(Debug, Default)]
pub(crate) struct OnceAMinute(Mutex<Option<Instant>>);

impl OnceAMinute {
    /// Whether the line is to be written now.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut last = self.0.lock();
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= MINUTE);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute() {
        let line = OnceAMinute::default();
        let start = Instant::now();
        let seconds = [(0, true), (1, false), (59, false), (60, true), (119, false), (121, true)];
        for (second, expected) in seconds {
            assert_eq!(line.is_due_at(start + Duration::from_secs(second)), expected, "{second}");
        }
    }
}
