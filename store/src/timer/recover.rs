//! Opening: wheel, timer log and checkpoint are made to agree with each other and with the commit log.
//!
//! 1. The wheel is read from the tick that the checkpoint names.
//! 2. Units of the timer log after the checkpoint's end of it are added; the log is cut at the first place that holds no unit,
//!    or one whose message the commit log does not have.
//! 3. A wheel that points to what the log does not have is made again from the whole log.
//! 4. The topic is read from the checkpoint's offset. Messages that have a unit already are passed over.
//! 5. Deliveries since the checkpoint are looked up in the commit log.
//!
//! Upstream: `TimerMessageStore.recover`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::message::record::Record;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use super::checkpoint::{CheckpointFile, TimerCheckpoint};
use super::deliveries::Deliveries;
use super::log::{FILE_SIZE_MIN, Found, TimerLog, Waiting};
use super::wheel::{WHEEL_SIZE, Wheel};
use super::{TimerError, TimerFiles, TimerOptions, WHEEL_QUEUE, WHEEL_TOPIC, change};
use crate::error::FileError;
use crate::io::StoreFile;
use crate::layout;
use crate::message_store::MessageStore;

/// See [`TimerFiles::open`].
pub(super) fn open(
    options: &TimerOptions,
    store: &MessageStore,
    now_ms: i64,
) -> Result<(TimerFiles, Deliveries), TimerError> {
    let precision_ms = options.precision_ms.max(1);
    let wheel_path = options.root.join("timerwheel");
    let (wheel_file, is_new_wheel) = open_wheel(&wheel_path)?;
    let mut log = TimerLog::open(&options.root.join("timerlog"), options.log_file_size.max(FILE_SIZE_MIN))?;
    let (checkpoint_file, found) = CheckpointFile::open(&options.root.join("config").join("timercheck"))?;
    layout::sync_dir(&options.root)?;
    let checkpoint = found.unwrap_or_default();
    // No tick that is still to come was given out, whatever a damaged file says. What was given out is a record, so where the clock
    // was set back the log tells how late it has been.
    let latest_ms = now_ms.max(store.last_store_timestamp()).max(0);
    let read_tick = checkpoint.read_ms.clamp(0, latest_ms).div_euclid(precision_ms);
    let before = if is_new_wheel { Wheel::default() } else { read_wheel(&wheel_file, &wheel_path, read_tick)? };

    let mut recovery = Recovery {
        store,
        precision_ms,
        read_tick,
        log_end: store.max_physical_offset(),
        wheel: before,
        seen: Vec::new(),
    };
    let first = first_position(&log, &checkpoint);
    let mut end = recovery.replay(&log, first)?;
    log.cut(end)?;
    if is_new_wheel && first > log.begin() || !recovery.is_sound(&mut log)? {
        tracing::warn!("the timer wheel is gone or does not fit the timer log; it is made again from the log");
        let mut wheel = Wheel::default();
        wheel.replace(&recovery.wheel);
        recovery.wheel = wheel;
        recovery.seen.clear();
        let begin = log.begin();
        end = recovery.replay(&log, begin)?;
        log.cut(end)?;
    }
    let is_log_lost = end < checkpoint.log_position;
    let queue_offset = recovery.queue_offset(&checkpoint, is_log_lost);
    let skipped = recovery.skipped(queue_offset);
    let from = match (checkpoint.deliveries_end, is_log_lost) {
        (Some(end), false) => end,
        _ => recovery.file_before(checkpoint.read_ms),
    };
    let unread = recovery.unread(queue_offset);
    let mut files = TimerFiles {
        precision_ms,
        wheel: recovery.wheel,
        wheel_file: Arc::new(wheel_file),
        wheel_path: Arc::new(wheel_path),
        synced: log.begin(),
        log,
        checkpoint_file: Arc::new(checkpoint_file),
        written: TimerCheckpoint { queue_offset, ..checkpoint },
        skipped,
    };
    // A message is delivered after it was stored: what was stored first of all that may be due says where to begin.
    let first = [files.first_due(now_ms)?, unread].into_iter().flatten().min();
    let deliveries = first.map(|first| Deliveries::scan(store, from.max(first))).unwrap_or_default();
    tracing::info!(
        pending = files.pending(),
        queue_offset = queue_offset.0,
        log_end = end,
        deliveries = deliveries.len(),
        "the timer goes on"
    );
    Ok((files, deliveries))
}

/// The file, and whether it was made just now.
fn open_wheel(path: &Path) -> Result<(StoreFile, bool), TimerError> {
    let failed = |error| FileError::at("opening the file", path)(error);
    let file = StoreFile::open_or_create(path).map_err(failed)?;
    match file.length().map_err(failed)? {
        WHEEL_SIZE => Ok((file, false)),
        // Holes stand for empty cells.
        0 => {
            file.set_length(WHEEL_SIZE).map_err(failed)?;
            Ok((file, true))
        }
        found => {
            let (path, expected) = (path.to_owned(), WHEEL_SIZE);
            Err(TimerError::FileSize { path, found, expected, key: "the size of the wheel, which is fixed," })
        }
    }
}

fn read_wheel(file: &StoreFile, path: &Path, from: i64) -> Result<Wheel, TimerError> {
    let mut bytes = vec![0; WHEEL_SIZE as usize];
    file.read_exact_at(&mut bytes, 0).map_err(FileError::at("reading the file", path))?;
    Ok(Wheel::read(&bytes, from))
}

/// Where units begin that the wheel may not know: at the checkpoint if this broker wrote it, else a file earlier, because
/// RocketMQ's own numbers belong to different moments.
fn first_position(log: &TimerLog, checkpoint: &TimerCheckpoint) -> i64 {
    let position = checkpoint.log_position;
    let known = if checkpoint.deliveries_end.is_some() && position <= log.end() {
        position
    } else {
        log.file_base((position.min(log.end()) - log.file_size()).max(0))
    };
    known.clamp(log.begin(), log.end())
}

struct Recovery<'a> {
    store: &'a MessageStore,
    precision_ms: i64,
    /// Earlier ticks were given out.
    read_tick: i64,
    /// End of the commit log.
    log_end: PhysicalOffset,
    wheel: Wheel,
    /// The messages of the units that were replayed.
    seen: Vec<PhysicalOffset>,
}

impl Recovery<'_> {
    /// Adds the units from `first` on to the wheel. Returns where they end.
    fn replay(&mut self, log: &TimerLog, first: i64) -> Result<i64, FileError> {
        let (log_end, precision_ms, read_tick) = (self.log_end, self.precision_ms, self.read_tick);
        let (wheel, seen) = (&mut self.wheel, &mut self.seen);
        log.scan(first, |position, waiting: &Waiting| {
            if waiting.physical_offset.plus(i64::from(waiting.size)) > log_end {
                return false;
            }
            let tick = waiting.slot_ms.div_euclid(precision_ms);
            if tick >= read_tick {
                wheel.add(tick, position, change(waiting));
            }
            seen.push(waiting.physical_offset);
            true
        })
    }

    /// Whether every slot ends with a unit of its tick.
    fn is_sound(&self, log: &mut TimerLog) -> Result<bool, FileError> {
        for (tick, slot) in self.wheel.slots() {
            let is_in_log = slot.last >= log.begin() && slot.last < log.end();
            let found = if is_in_log { log.read(slot.last)? } else { Found::Other };
            // A slot whose log was deleted with its messages is empty, not damaged.
            let is_gone = slot.last < log.begin();
            let is_own =
                matches!(found, Found::Unit(waiting, _) if waiting.slot_ms.div_euclid(self.precision_ms) == tick);
            if !is_own && !is_gone {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first message of the topic that may have no unit.
    fn queue_offset(&self, checkpoint: &TimerCheckpoint, is_log_lost: bool) -> QueueOffset {
        let mut offset = checkpoint.queue_offset.min(checkpoint.master_queue_offset);
        if is_log_lost {
            // The checkpoint rests on units that are gone: the last one that is there says how far they reach.
            let last = self.seen.last().and_then(|at| self.number_of(*at));
            offset = offset.min(last.map_or(QueueOffset::ZERO, |last| last.plus(1)));
        }
        let queue = self.store.existing_queue(WHEEL_TOPIC, WHEEL_QUEUE);
        let (min, max) = queue.map_or((QueueOffset::ZERO, QueueOffset::ZERO), |q| (q.min_offset(), q.max_offset()));
        // The queue may not have all messages of the log yet; units for them are as good.
        let seen = self.seen.iter().filter_map(|at| self.number_of(*at)).max().map(|last| last.plus(1));
        offset.max(min).min(max.max(seen.unwrap_or(min)).max(min))
    }

    /// Messages at or after `queue_offset` that have a unit.
    fn skipped(&self, queue_offset: QueueOffset) -> HashSet<i64> {
        let is_ahead = |at: &&PhysicalOffset| self.number_of(**at).is_some_and(|number| number >= queue_offset);
        self.seen.iter().filter(is_ahead).map(|at| at.0).collect()
    }

    /// Number in the topic's queue of the message at `at`.
    fn number_of(&self, at: PhysicalOffset) -> Option<QueueOffset> {
        let bytes = self.store.record_at(at)?;
        Record::parse(&bytes).ok().filter(|record| record.topic() == WHEEL_TOPIC).map(|record| record.queue_offset())
    }

    /// Where the messages begin that are still to be taken in: at the next one, or where the log is not in the queues yet.
    fn unread(&self, queue_offset: QueueOffset) -> Option<PhysicalOffset> {
        let dispatched = self.store.dispatched_offset();
        let undispatched = (dispatched < self.log_end).then_some(dispatched);
        [self.physical_offset(queue_offset), undispatched].into_iter().flatten().min()
    }

    fn physical_offset(&self, queue_offset: QueueOffset) -> Option<PhysicalOffset> {
        self.store.physical_offset(WHEEL_TOPIC, WHEEL_QUEUE, queue_offset).ok().flatten()
    }

    /// Begin of the last file of the commit log whose first message is older than `time_ms`.
    fn file_before(&self, time_ms: i64) -> PhysicalOffset {
        let min = self.store.min_physical_offset();
        let file_size = i64::try_from(self.store.options().commit_log_file_size).unwrap_or(i64::MAX);
        let mut base = self.log_end.0 - self.log_end.0.rem_euclid(file_size);
        while base > min.0 {
            let first = self.store.record_at(PhysicalOffset(base));
            let is_older =
                first.is_some_and(|bytes| Record::parse(&bytes).is_ok_and(|first| first.store_timestamp() < time_ms));
            if is_older {
                return PhysicalOffset(base);
            }
            base -= file_size;
        }
        min
    }
}
