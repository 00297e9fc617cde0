//! How many transactions each topic has open: `config/transactionMetrics`.
//!
//! Written from time to time for whoever looks; nothing in the broker depends on it, and a crash leaves it a little
//! off, as upstream's. Upstream: `TransactionMetrics`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use boostermq_remoting::body::DataVersion;
use dashmap::DashMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::metadata::{MetadataError, MetadataFile};

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    data_version: DataVersion,
    transaction_count: BTreeMap<String, StoredCount>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StoredCount {
    count: i64,
    time_stamp: i64,
}

/// Open transactions of one topic.
#[derive(Debug, Default)]
pub(crate) struct TopicCount {
    open: AtomicI64,
    changed_ms: AtomicI64,
}

/// Open transactions of all topics.
pub(crate) struct TransactionCounts {
    topics: DashMap<Box<str>, Arc<TopicCount>>,
    changes: AtomicI64,
    version: Mutex<DataVersion>,
    file: MetadataFile,
}

impl TransactionCounts {
    /// Reads the file. One that cannot be read is no reason not to start.
    pub(crate) fn load(config_dir: &Path) -> Self {
        let file = MetadataFile::new(config_dir, "transactionMetrics");
        let stored: Stored = file
            .load()
            .unwrap_or_else(|error: MetadataError| {
                tracing::warn!(%error, "the counts of open transactions begin anew");
                None
            })
            .unwrap_or_default();
        let topics = stored.transaction_count.into_iter().map(|(topic, stored)| {
            let count = TopicCount { open: stored.count.into(), changed_ms: stored.time_stamp.into() };
            (topic.into_boxed_str(), Arc::new(count))
        });
        Self { topics: topics.collect(), changes: AtomicI64::new(0), version: Mutex::new(stored.data_version), file }
    }

    /// The count of a topic.
    pub(crate) fn of(&self, topic: &str) -> Arc<TopicCount> {
        if let Some(count) = self.topics.get(topic) {
            return count.clone();
        }
        self.topics.entry(topic.into()).or_default().clone()
    }

    /// As many transactions of the topic were begun, or ended when it is negative.
    pub(crate) fn add(&self, count: &TopicCount, change: i64, now_ms: i64) {
        count.open.fetch_add(change, Ordering::Relaxed);
        count.changed_ms.store(now_ms, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Open transactions of every topic that has had some, sorted.
    pub(crate) fn all(&self) -> Vec<(Box<str>, i64)> {
        let open = self.topics.iter().map(|entry| (entry.key().clone(), entry.open.load(Ordering::Relaxed)));
        let mut open: Vec<_> = open.collect();
        open.sort_unstable();
        open
    }

    /// Open transactions of a topic.
    #[cfg(test)]
    pub(crate) fn open(&self, topic: &str) -> i64 {
        self.of(topic).open.load(Ordering::Relaxed)
    }

    /// Writes the file if a count has changed.
    pub(crate) fn save(&self, now_ms: i64) -> Result<(), MetadataError> {
        let changes = self.changes.swap(0, Ordering::Relaxed);
        if changes > 0 {
            let mut version = self.version.lock();
            *version = version.next(0, now_ms);
            version.counter = version.counter.saturating_add(changes - 1);
            drop(version);
            self.file.note_change();
        }
        self.file.save(|| {
            let count = |entry: dashmap::mapref::multiple::RefMulti<'_, Box<str>, Arc<TopicCount>>| {
                let stored = StoredCount {
                    count: entry.open.load(Ordering::Relaxed),
                    time_stamp: entry.changed_ms.load(Ordering::Relaxed),
                };
                (entry.key().to_string(), stored)
            };
            let stored = Stored {
                data_version: *self.version.lock(),
                transaction_count: self.topics.iter().map(count).collect(),
            };
            serde_json::to_vec(&stored).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPSTREAMS: &str = r#"{"dataVersion":{"counter":5,"stateVersion":0,"timestamp":1795369238934},"transactionCount":{"StoreTx":{"count":1,"timeStamp":1795369238934}}}"#;

    #[test]
    fn upstreams_file_is_read_and_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("transactionMetrics");
        std::fs::write(&path, UPSTREAMS).unwrap();
        let counts = TransactionCounts::load(dir.path());
        assert_eq!(counts.open("StoreTx"), 1);
        counts.save(1).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), UPSTREAMS);
        counts.add(&counts.of("StoreTx"), -1, 1_800_000_000_000);
        counts.add(&counts.of("T"), 1, 1_800_000_000_001);
        counts.save(1_800_000_000_002).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            r#"{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1800000000002},"transactionCount":{"StoreTx":{"count":0,"timeStamp":1800000000000},"T":{"count":1,"timeStamp":1800000000001}}}"#
        );
    }

    #[test]
    fn a_damaged_file_is_no_reason_not_to_start() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("transactionMetrics"), "{").unwrap();
        assert_eq!(TransactionCounts::load(dir.path()).open("T"), 0);
    }
}
