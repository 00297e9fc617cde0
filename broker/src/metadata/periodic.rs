//! Writes the metadata files from time to time: offsets, and what could not be written at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::MetadataError;
use crate::broker::Broker;

/// Writes every `flushConsumerOffsetInterval` what has changed, until it is aborted. Each failure is logged once, not at
/// every attempt.
pub(crate) async fn persist_periodically(broker: Arc<Broker>) {
    let mut failures = HashMap::new();
    loop {
        let pause = broker.settings.read().broker.flush_consumer_offset_interval;
        tokio::time::sleep(pause.into()).await;
        let writing = broker.clone();
        let written = tokio::task::spawn_blocking(move || {
            [
                ("consumer offsets", writing.offsets.save()),
                ("topics", writing.topics.save()),
                ("groups", writing.groups.save()),
            ]
        });
        for (what, result) in written.await.into_iter().flatten() {
            report(&mut failures, what, result);
        }
    }
}

fn report(failures: &mut HashMap<&'static str, String>, what: &'static str, result: Result<(), MetadataError>) {
    match result {
        Ok(()) if failures.remove(what).is_some() => tracing::info!("{what} are on disk again"),
        Ok(()) => {}
        Err(error) => {
            let error = error.to_string();
            if failures.get(what) != Some(&error) {
                tracing::error!(%error, "{what} are not on disk; a restart would go back to the last version");
                failures.insert(what, error);
            }
        }
    }
}
