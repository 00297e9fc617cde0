//! What the timer keeps on disk: a wheel of ticks, the log of units that it points into, and how far both have come.
//!
//! ```text
//! commit log, rmq_sys_wheel_timer/0:   message  message  message …       the only truth
//!                                         │ taken in, in order
//! timer log (log.rs):                   unit ◄─ unit     unit …          chained by tick
//!                                               ▲        ▲
//! wheel (wheel.rs):                          tick 5    tick 9
//! timercheck (checkpoint.rs):            next tick, end of the log, next message of the topic
//! ```
//! All of it is derived from the commit log and never believed against it. A snapshot goes to disk as: commit log (by its own
//! flusher), timer log, wheel, checkpoint, each synced before the next, so what a checkpoint says rests on what is on disk. The files
//! are RocketMQ's: either takes over from the other.
//!
//! What makes delivery happen once is in [`Deliveries`]: after a crash, what stands in the commit log as delivered since the
//! last checkpoint is not delivered again.
//!
//! Never here: what a message's properties mean for its sender, when the clock strikes, retries. Never called by two threads at
//! once, save for [`Snapshot::write`].
//!
//! Upstream: `TimerMessageStore`.

mod checkpoint;
mod deliveries;
mod log;
mod recover;
mod wheel;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

pub use self::checkpoint::{CheckpointVersion, TimerCheckpoint};
pub use self::deliveries::Deliveries;
pub use self::log::Waiting;

use self::checkpoint::CheckpointFile;
use self::log::{Found, LogFile, TimerLog};
use self::wheel::{Piece, Wheel};
use crate::consume_queue::{QueueError, Unit};
use crate::error::FileError;
use crate::io::StoreFile;
use crate::message_store::MessageStore;

/// Where timed messages wait.
pub const WHEEL_TOPIC: &str = "rmq_sys_wheel_timer";
/// The only queue of that topic.
pub const WHEEL_QUEUE: QueueId = QueueId(0);

/// Bytes of the commit log after which a checkpoint is written though nothing else has changed.
const DELIVERIES_LAG: i64 = 256 << 20;

/// Shape and place of the files.
#[derive(Clone, Debug)]
pub struct TimerOptions {
    /// Root of the store.
    pub root: PathBuf,
    /// Milliseconds of a tick: `timerPrecisionMs`.
    pub precision_ms: i64,
    /// Bytes of a file of the timer log: `mappedFileSizeTimerLog`.
    pub log_file_size: i64,
}

/// Why the timer's files could not be opened. They were not changed.
#[derive(Debug, thiserror::Error)]
pub enum TimerError {
    /// A file whose length is not the expected one.
    #[error(
        "{} is {found} bytes long, not {expected}: set {key} to what the store was written with. To give up the wheel, move \
         timerwheel, timerlog and config/timercheck away together: it is made again from the messages that are still there",
        path.display()
    )]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The expected length in bytes.
        expected: u64,
        /// The setting that decides.
        key: &'static str,
    },
    /// A file that has no business in the timer log's folder.
    #[error(
        "{} does not belong into a timer log: a file there is named by the byte position it begins at, in 20 digits; move it \
         away", path.display()
    )]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// The files of the timer log do not follow each other.
    #[error(
        "the timer log has a gap: after {} the file {expected:020} is missing; bring it back from a copy, or move timerwheel, \
         timerlog and config/timercheck away together: they are made again from the messages that are still there",
        path.display()
    )]
    Gap {
        /// The last file before the gap.
        path: PathBuf,
        /// Position of the file that is missing.
        expected: i64,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The queue of waiting messages cannot be read.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Wheel, log and checkpoint of one store.
#[derive(Debug)]
pub struct TimerFiles {
    precision_ms: i64,
    wheel: Wheel,
    wheel_file: Arc<StoreFile>,
    wheel_path: Arc<PathBuf>,
    log: TimerLog,
    checkpoint_file: Arc<CheckpointFile>,
    /// What the checkpoint file says.
    written: TimerCheckpoint,
    /// Before it the log is on disk.
    synced: i64,
    /// Messages, by their place in the commit log, that have a unit though the topic is read from before them.
    skipped: HashSet<i64>,
}

/// How far the timer has come, for a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct TimerProgress {
    /// Every tick that ends before is given out, as far as it had messages; milliseconds since 1970.
    pub now_ms: i64,
    /// Next message of the topic to be taken in.
    pub queue_offset: QueueOffset,
    /// Place in the commit log before which the wheel knows all deliveries.
    pub deliveries_end: PhysicalOffset,
}

impl TimerFiles {
    /// Opens the files under `options.root`, making them if there are none, and makes them agree with the commit log.
    ///
    /// # Errors
    /// [`TimerError`].
    pub fn open(options: &TimerOptions, store: &MessageStore, now_ms: i64) -> Result<(Self, Deliveries), TimerError> {
        recover::open(options, store, now_ms)
    }

    /// What the checkpoint file says.
    #[must_use]
    pub const fn checkpoint(&self) -> &TimerCheckpoint {
        &self.written
    }

    /// Messages that wait, less those that are recalled.
    #[must_use]
    pub fn pending(&self) -> i64 {
        self.wheel.pending()
    }

    /// Messages that wait for the tick of `time_ms`, less those that are recalled.
    #[must_use]
    pub fn pending_at(&self, time_ms: i64) -> i64 {
        self.wheel.slot(time_ms.div_euclid(self.precision_ms)).map_or(0, |slot| i64::from(slot.count))
    }

    /// The earliest tick that has messages, milliseconds since 1970.
    #[must_use]
    pub fn first_slot_ms(&self) -> Option<i64> {
        self.wheel.first_tick().map(|tick| tick * self.precision_ms)
    }

    /// Whether a message of the topic has a unit already; asked once of each.
    pub fn is_taken_in(&mut self, physical_offset: PhysicalOffset) -> bool {
        !self.skipped.is_empty() && self.skipped.remove(&physical_offset.0)
    }

    /// The topic is read to its end: what was to be passed over and did not come is gone. Returns whether there was any.
    pub fn end_passing_over(&mut self) -> bool {
        !std::mem::take(&mut self.skipped).is_empty()
    }

    /// Takes a message in. It can be read after [`TimerFiles::write`].
    ///
    /// # Errors
    /// [`FileError`] when there is no room for the next file of the log; nothing has changed then.
    pub fn add(&mut self, waiting: &Waiting) -> Result<(), FileError> {
        let tick = waiting.slot_ms.div_euclid(self.precision_ms);
        let prev = self.wheel.slot(tick).map_or(-1, |slot| slot.last);
        let position = self.log.append(waiting, prev)?;
        self.wheel.add(tick, position, change(waiting));
        Ok(())
    }

    /// Writes the units that were added. Until this succeeds, they cannot be read.
    ///
    /// # Errors
    /// [`FileError`]; the units are kept, and the next call tries again.
    pub fn write(&mut self) -> Result<(), FileError> {
        self.log.write()
    }

    /// What waits for a tick, in the order it was taken in. The chain ends where the log begins.
    ///
    /// # Errors
    /// [`FileError`] when the log cannot be read.
    pub fn slot(&mut self, slot_ms: i64) -> Result<Vec<Waiting>, FileError> {
        let tick = slot_ms.div_euclid(self.precision_ms);
        let Some(slot) = self.wheel.slot(tick) else { return Ok(Vec::new()) };
        let mut units = Vec::with_capacity(usize::try_from(slot.count).unwrap_or(0).min(1 << 20));
        let mut position = slot.last;
        while position >= self.log.begin() {
            let Found::Unit(waiting, prev) = self.log.read(position)? else {
                tracing::error!(position, slot_ms, "the timer log has no unit where a later one says so");
                break;
            };
            if waiting.slot_ms.div_euclid(self.precision_ms) == tick {
                units.push(waiting);
            }
            if prev >= position {
                break;
            }
            position = prev;
        }
        units.reverse();
        Ok(units)
    }

    /// Forgets a tick whose messages were given out.
    pub fn remove_slot(&mut self, slot_ms: i64) {
        self.wheel.remove(slot_ms.div_euclid(self.precision_ms));
    }

    /// What is to be written so that a restart goes on from here; `None` when the files say it already.
    ///
    /// Everything that the progress rests on must be in the commit log before; the caller waits until that is on disk before
    /// it writes the snapshot.
    pub fn snapshot(&mut self, progress: &TimerProgress) -> Option<Snapshot> {
        // While messages are passed over that have units, end of the log and queue offset do not belong together.
        if !self.skipped.is_empty() || self.log.write().is_err() {
            return None;
        }
        let now_tick = progress.now_ms.div_euclid(self.precision_ms);
        let read_tick = self.wheel.first_tick().map_or(now_tick, |first| first.min(now_tick));
        let mut checkpoint = TimerCheckpoint {
            read_ms: read_tick * self.precision_ms,
            log_position: self.log.end(),
            queue_offset: progress.queue_offset,
            master_queue_offset: progress.queue_offset,
            version: self.written.version,
            deliveries_end: Some(progress.deliveries_end),
        };
        let places = |checkpoint: &TimerCheckpoint| {
            (checkpoint.log_position, checkpoint.queue_offset, checkpoint.master_queue_offset)
        };
        if !self.wheel.is_stale() && places(&checkpoint) == places(&self.written) && !self.lags(progress.deliveries_end)
        {
            return None;
        }
        checkpoint.version = self.written.version.next(progress.now_ms);
        self.written = checkpoint;
        let log_files = self.log.files_from(self.synced);
        let synced = std::mem::replace(&mut self.synced, self.log.end());
        Some(Snapshot {
            checkpoint,
            log_files: if self.synced == synced { Vec::new() } else { log_files },
            synced,
            pieces: self.wheel.take_stale(),
            wheel_file: Arc::clone(&self.wheel_file),
            wheel_path: Arc::clone(&self.wheel_path),
            checkpoint_file: Arc::clone(&self.checkpoint_file),
        })
    }

    /// Whether the checkpoint lies so far before `deliveries_end` that a recovery would read much of the commit log.
    #[must_use]
    pub fn lags(&self, deliveries_end: PhysicalOffset) -> bool {
        self.written.deliveries_end.is_none_or(|written| deliveries_end.since(written) > DELIVERIES_LAG)
    }

    /// The snapshot could not be written: the next one holds all that it held.
    pub fn failed(&mut self, snapshot: &Snapshot) {
        self.wheel.mark_stale(&snapshot.pieces);
        self.synced = self.synced.min(snapshot.synced);
        // Differs from what the next snapshot says.
        self.written.log_position = -1;
    }

    /// Deletes files of the log all of whose messages are gone from the commit log, which begins at `min`. Returns how many.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn expire(&mut self, min: PhysicalOffset) -> Result<usize, FileError> {
        self.log.expire(min)
    }

    /// The first message in the commit log of all that are due at `now_ms`.
    fn first_due(&mut self, now_ms: i64) -> Result<Option<PhysicalOffset>, FileError> {
        let mut first = None;
        let due = self.wheel.slots().take_while(|(tick, _)| tick * self.precision_ms <= now_ms);
        for tick in due.map(|(tick, _)| tick).collect::<Vec<_>>() {
            let units = self.slot(tick * self.precision_ms)?;
            first = units.iter().map(|waiting| waiting.physical_offset).chain(first).min();
        }
        Ok(first)
    }

    /// Calls `see` for everything that waits, tick by tick.
    ///
    /// # Errors
    /// [`FileError`] when the log cannot be read.
    pub fn for_each(&mut self, mut see: impl FnMut(&Waiting)) -> Result<(), FileError> {
        let ticks: Vec<i64> = self.wheel.slots().map(|(tick, _)| tick).collect();
        for tick in ticks {
            self.slot(tick * self.precision_ms)?.iter().for_each(&mut see);
        }
        Ok(())
    }
}

/// A recall takes back what it recalls.
fn change(waiting: &Waiting) -> i32 {
    if waiting.is_recall { -1 } else { 1 }
}

/// Bytes on their way to the disk. Written outside of whatever lock guards the timer.
#[derive(Debug)]
pub struct Snapshot {
    checkpoint: TimerCheckpoint,
    log_files: Vec<LogFile>,
    /// What [`TimerFiles`] thought synced before.
    synced: i64,
    pieces: Vec<Piece>,
    wheel_file: Arc<StoreFile>,
    wheel_path: Arc<PathBuf>,
    checkpoint_file: Arc<CheckpointFile>,
}

impl Snapshot {
    /// Writes it and waits for the disk.
    ///
    /// # Errors
    /// [`FileError`]: the checkpoint still says what it said before. Tell [`TimerFiles::failed`].
    pub fn write(&self) -> Result<(), FileError> {
        for file in &self.log_files {
            file.sync()?;
        }
        if !self.pieces.is_empty() {
            let write = || -> std::io::Result<()> {
                for piece in &self.pieces {
                    self.wheel_file.write_all_at(&piece.bytes, piece.position())?;
                }
                self.wheel_file.sync_data()
            };
            write().map_err(FileError::at("writing the file", &self.wheel_path))?;
        }
        self.checkpoint_file.write(&self.checkpoint)
    }

    /// What the checkpoint will say.
    #[must_use]
    pub const fn checkpoint(&self) -> &TimerCheckpoint {
        &self.checkpoint
    }
}

/// Reads the places of waiting messages from `from` on: at most `count`, none when there is nothing new. Returns the offset of the
/// first, which is `from` unless that lies outside the queue or in a gap.
///
/// # Errors
/// [`QueueError`] when a file of the queue cannot be read.
pub fn read_waiting(
    store: &MessageStore,
    from: QueueOffset,
    count: usize,
    units: &mut Vec<Unit>,
) -> Result<QueueOffset, QueueError> {
    units.clear();
    // Asked before the queue's end: after a start the queue may lack messages that are in the log and have units already.
    let has_all = store.dispatched_offset() >= store.confirm_offset();
    let Some(queue) = store.existing_queue(WHEEL_TOPIC, WHEEL_QUEUE) else {
        return Ok(if has_all { QueueOffset::ZERO } else { from });
    };
    let (min, max) = (queue.min_offset(), queue.max_offset());
    let mut from = from.max(min);
    if from > max && has_all {
        from = max.max(min);
    }
    while from < max {
        if queue.read_units(from, count, units)? > 0 {
            break;
        }
        from = queue.next_file_offset(from).min(max);
    }
    Ok(from)
}
