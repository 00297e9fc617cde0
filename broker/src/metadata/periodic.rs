//! Writes the metadata files from time to time: offsets, and what could not be written at once.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::Broker;

/// While a file cannot be written, that is said so often.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Writes every `flushConsumerOffsetInterval` what has changed, until it is aborted.
pub(crate) async fn persist_periodically(broker: Arc<Broker>) {
    let mut failures = SaveFailures::default();
    loop {
        let pause = broker.settings.read().broker.flush_consumer_offset_interval;
        tokio::time::sleep(pause.into()).await;
        let writing = broker.clone();
        let written = tokio::task::spawn_blocking(move || {
            writing.filters.tidy(|group| writing.consumers.find(group).is_some());
            [
                ("consumer offsets", writing.offsets.save()),
                ("topics", writing.topics.save()),
                ("groups", writing.groups.save()),
                ("filters of consumers", writing.filters.save()),
                ("ways in which groups read", writing.modes.save()),
            ]
        });
        for (what, result) in written.await.into_iter().flatten() {
            failures.report(what, result);
        }
    }
}

/// Files that could not be written, and what was last said about it: once a minute, not at every try.
#[derive(Default)]
pub(crate) struct SaveFailures(HashMap<&'static str, Instant>);

impl SaveFailures {
    pub(crate) fn report(&mut self, what: &'static str, result: Result<(), impl Display>) {
        self.report_at(what, result, Instant::now());
    }

    /// Returns whether something was said.
    fn report_at(&mut self, what: &'static str, result: Result<(), impl Display>, now: Instant) -> bool {
        let said = self.0.get(what).copied();
        match result {
            Ok(()) => {
                if said.is_some() {
                    self.0.remove(what);
                    tracing::info!("{what} are on disk again");
                }
                said.is_some()
            }
            Err(_) if said.is_some_and(|said| now.saturating_duration_since(said) < REPORT_INTERVAL) => false,
            Err(error) => {
                tracing::error!(%error, "{what} are not on disk; a restart would go back to the last version");
                self.0.insert(what, now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_a_minute_and_its_end_once() {
        let mut failures = SaveFailures::default();
        let start = Instant::now();
        for (second, is_failed, is_told) in [
            (0, false, false),
            (5, true, true),
            (10, true, false),
            (64, true, false),
            (65, true, true),
            (70, false, true),
            (75, false, false),
            (80, true, true),
        ] {
            let result = if is_failed { Err("the disk is full") } else { Ok(()) };
            assert_eq!(failures.report_at("topics", result, start + Duration::from_secs(second)), is_told, "{second}");
        }
        assert!(failures.report_at("groups", Err("the disk is full"), start), "each file by itself");
    }
}
