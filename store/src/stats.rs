//! What the store has done since it was opened, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that only grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    appended_records: AtomicU64,
    appended_bytes: AtomicU64,
    damaged_places: AtomicU64,
    index_failures: AtomicU64,
    expired_files: AtomicU64,
    lost_files: AtomicU64,
    lost_bytes: AtomicU64,
}

/// A look at the counters of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Records appended.
    pub appended_records: u64,
    /// Bytes of them.
    pub appended_bytes: u64,
    /// Places where the log was found damaged, at start or later.
    pub damaged_places: u64,
    /// Records that could not be put into the index.
    pub index_failures: u64,
    /// Files of the log deleted because they had expired.
    pub expired_files: u64,
    /// Files of the log deleted before they had expired, because the disk was full.
    pub lost_files: u64,
    /// Bytes of those.
    pub lost_bytes: u64,
}

impl Counters {
    pub(crate) fn appended(&self, records: usize, bytes: usize) {
        self.appended_records.fetch_add(records as u64, Ordering::Relaxed);
        self.appended_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn damaged(&self) {
        self.damaged_places.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many there were before.
    pub(crate) fn index_failed(&self) -> u64 {
        self.index_failures.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn file_expired(&self) {
        self.expired_files.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn file_lost(&self, bytes: usize) {
        self.lost_files.fetch_add(1, Ordering::Relaxed);
        self.lost_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn look(&self) -> StoreStats {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            appended_records: value(&self.appended_records),
            appended_bytes: value(&self.appended_bytes),
            damaged_places: value(&self.damaged_places),
            index_failures: value(&self.index_failures),
            expired_files: value(&self.expired_files),
            lost_files: value(&self.lost_files),
            lost_bytes: value(&self.lost_bytes),
        }
    }
}
