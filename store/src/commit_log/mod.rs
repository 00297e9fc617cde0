//! The commit log: all records of all topics, one after the other, in files of one size.
//!
//! ```text
//!  file 0                               file 1
//!  | record | record | … | blank |      | record | record | zeros …              |
//!                                                       ^ flushed   ^ end
//!  min offset                                           on disk     readable
//! ```
//!
//! Owns the files, the append lock, the end of the log and how far it is on disk. A record never reaches over the end of a
//! file: what does not fit, with 8 bytes to spare, goes to the next file, and a blank fills this one. Never here: which
//! record belongs to which queue's files, what a record means.
//!
//! Upstream: `CommitLog`, `FlushManager`.

mod ahead;
mod append;
mod flush;
mod read;
mod recover;
mod trim;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub(crate) use append::has_queue_offset;
pub use append::{AppendBatch, AppendReceipt};
pub use flush::FlushOutcome;
pub(crate) use flush::Flusher;
pub(crate) use recover::{Check, Found, Headway, Scan, Seen, Step, first_record, look, scan, step_over};

use crate::allocate::Allocator;
use crate::clock::Clock;
use crate::error::FileError;
use crate::health::Health;
use crate::mapped_file::MappedFile;
use crate::mapped_file_queue::MappedFileQueue;
use crate::once_a_minute::OnceAMinute;
use crate::options::{FlushMode, StoreOptions};
use append::Tail;

/// Bytes of a blank: length and magic. Every file but the last ends in one.
pub(crate) const BLANK_LENGTH: usize = 8;

/// The log of an open store.
pub(crate) struct CommitLog {
    files: MappedFileQueue,
    file_size: usize,
    allocator: Allocator,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    /// The append lock: guards the end of the log and every queue's next offset.
    tail: Mutex<Tail>,
    /// When the append lock was taken, in ms since `opened`; 0 while it is free.
    held_since: AtomicU64,
    opened: Instant,
    /// An append lock held for longer makes others busy instead of waiting (`osPageCacheBusyTimeOutMills`).
    busy_after: Duration,
    /// Everything before can be read. Stored after the bytes and the files are in place.
    end: AtomicI64,
    /// Everything before is on disk.
    flushed: AtomicI64,
    /// Where the log ended when it was opened.
    recovered_end: i64,
    damage_line: OnceAMinute,
    /// Store time of the last record, stored before `end` reaches it.
    last_store_timestamp: AtomicI64,
    refusals: OnceAMinute,
    content: Check,
}

/// What recovery found out about the end of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogEnd {
    /// First byte after the last record.
    pub(crate) offset: i64,
    /// Store time of the last record; 0 without one.
    pub(crate) store_timestamp: i64,
}

impl CommitLog {
    /// A log of these files, which end at `end` and are on disk up to there.
    pub(crate) fn new(
        files: Vec<MappedFile>,
        file_size: usize,
        end: LogEnd,
        allocator: Allocator,
        health: Arc<Health>,
        clock: Arc<dyn Clock>,
        options: &StoreOptions,
    ) -> Self {
        let files = MappedFileQueue::new(files);
        if options.flush_mode == FlushMode::Sync && files.last().is_none() {
            // Zeroed before the first message comes, where there is time.
            allocator.prepare(end.offset);
        }
        Self {
            tail: Mutex::new(Tail::new(files.last(), end)),
            held_since: AtomicU64::new(0),
            opened: clock.instant(),
            busy_after: options.busy_after,
            files,
            file_size,
            allocator,
            health,
            clock,
            end: AtomicI64::new(end.offset),
            flushed: AtomicI64::new(end.offset),
            recovered_end: end.offset,
            damage_line: OnceAMinute::default(),
            last_store_timestamp: AtomicI64::new(end.store_timestamp),
            refusals: OnceAMinute::default(),
            content: options.content_check(),
        }
    }

    /// First byte that is there: the begin of the first file, or the end of an empty log.
    pub(crate) fn min_offset(&self) -> i64 {
        self.files.first().map_or_else(|| self.end(), |file| file.base())
    }

    /// First byte after the last record.
    pub(crate) fn end(&self) -> i64 {
        self.end.load(Ordering::Acquire)
    }

    /// Everything before is on disk.
    pub(crate) fn flushed(&self) -> i64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Everything before was in the log when it was opened, and comes from the disk.
    pub(crate) fn recovered_end(&self) -> i64 {
        self.recovered_end
    }

    /// How the content of records is looked at.
    pub(crate) fn content_check(&self) -> Check {
        self.content
    }

    /// Whether damage that a reader meets is to be logged now.
    pub(crate) fn damage_line(&self) -> &OnceAMinute {
        &self.damage_line
    }

    /// Store time of the last record; 0 for a log that never had one.
    pub(crate) fn last_store_timestamp(&self) -> i64 {
        self.last_store_timestamp.load(Ordering::Acquire)
    }

    /// Runs `work` while nothing can be appended and no queue's next offset can change.
    pub(crate) fn with_append_lock<T>(&self, work: impl FnOnce() -> T) -> T {
        let _tail = self.tail.lock();
        work()
    }

    /// Ends the allocator; with `is_clean` the file made ahead is deleted.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be deleted.
    pub(crate) fn stop_allocator(&self, is_clean: bool) -> Result<(), FileError> {
        self.allocator.stop(is_clean)?;
        if is_clean {
            // Files an append had taken and then could not use.
            for file in self.tail.lock().take_spare() {
                file.remove()?;
            }
        }
        Ok(())
    }
}
