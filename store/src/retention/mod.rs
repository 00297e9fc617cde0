//! What is kept and for how long: deletes old files of the log, and what queues and index hold of them; refuses messages
//! while a disk is too full.
//!
//! ```text
//! percent of the disk in use   │ expire_above         │ force_above            │ refuse_above
//!   expired files go at        │ expired files go at  │ so do the oldest that  │ and no message is
//!   the hours of deletion      │ any hour             │ are not: that is loss  │ accepted
//! ```
//!
//! One thread looks every ten seconds, the first time a minute after the start; the disk it watches from the first moment. Files
//! go oldest first and one by one, each made sure of on disk before the next, so that no loss of power leaves a gap in the
//! row. Never the file that is appended to; never one that is not on disk and in the queues. Who reads a deleted file reads
//! on: its map stays until the last slice of it is gone.
//!
//! What is lost by a full disk is counted ([`crate::StoreStats`]) and logged as an error.
//!
//! A file's age is that since its last write, as upstream has it. When the machine's clock was set while the store was open, the
//! times of all files are moved by as much: a clock set forward by a week must not delete a week.
//!
//! Upstream: `CleanCommitLogService`, `CleanConsumeQueueService`, `CorrectLogicOffsetService`.

mod age;
mod policy;
#[cfg(test)]
mod tests;
mod thread;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::PhysicalOffset;
use parking_lot::Mutex;

use crate::allocate::Room;
use crate::checkpoint::Field;
use crate::clock::Clock;
use crate::consume_queue::{ConsumeQueue, QueueError};
use crate::disk::{self, Fullness};
use crate::error::CloseError;
use crate::health::Trouble;
use crate::housekeeping::House;
use crate::mapped_file::MappedFile;
use crate::once_a_minute::OnceAMinute;
use crate::options::StoreOptions;
pub use policy::RetentionOptions;
use policy::{Found, Reason};
use thread::Pause;
pub(crate) use thread::RetentionThread;

/// Looks for which an operator's wish to delete what has expired holds (RocketMQ 5.5.0).
const ASKED_LOOKS: u32 = 20;
/// A clock that was set by less changes no file's time: ages are counted in hours.
const SET_BY_LEAST_MS: i64 = 5 * 60 * 1000;

/// Decides and deletes.
pub(crate) struct Retention {
    house: Arc<House>,
    /// The machine's clock, which files' times are written by.
    clock: Arc<dyn Clock>,
    options: ArcSwap<RetentionOptions>,
    refuse_above: AtomicU32,
    /// Looks left for which an operator asked.
    asked: AtomicU32,
    pause: Pause,
    /// Held while files are deleted.
    work: Mutex<Work>,
    nothing_to_delete: OnceAMinute,
    not_deleted: OnceAMinute,
    /// Percent of the disk in use instead of what the system says.
    #[cfg(test)]
    used: Mutex<Option<Box<dyn Fn() -> u32 + Send>>>,
}

#[derive(Default)]
struct Work {
    /// Files that are deleted, but may still be read: their blocks are not free yet.
    held: Vec<Weak<MappedFile>>,
    /// Where the log began when queues and index were last trimmed.
    trimmed_to: Option<i64>,
    /// By how much the clock was set and file times not yet moved.
    unmoved_ms: i64,
}

impl Work {
    /// Bytes that will be free once nobody reads deleted files any more.
    fn held_bytes(&mut self) -> u64 {
        self.held.retain(|file| file.strong_count() > 0);
        self.held.iter().filter_map(Weak::upgrade).map(|file| file.size() as u64).sum()
    }
}

impl Retention {
    pub(crate) fn new(house: Arc<House>, clock: Arc<dyn Clock>) -> Self {
        let options = &house.options;
        Self {
            options: ArcSwap::from_pointee(options.retention.clone()),
            refuse_above: AtomicU32::new(options.disk_warning_ratio),
            clock,
            asked: AtomicU32::new(0),
            pause: Pause::default(),
            work: Mutex::default(),
            nothing_to_delete: OnceAMinute::default(),
            not_deleted: OnceAMinute::default(),
            #[cfg(test)]
            used: Mutex::default(),
            house,
        }
    }

    /// Takes over what may change while the store is open.
    pub(crate) fn set(&self, options: &StoreOptions) {
        self.options.store(Arc::new(options.retention.clone()));
        self.refuse_above.store(options.disk_warning_ratio, Ordering::Release);
    }

    /// Deletes what has expired, whatever the hour, in this look and the nineteen that follow.
    pub(crate) fn ask(&self) {
        self.asked.store(ASKED_LOOKS, Ordering::Release);
        self.pause.wake();
    }

    /// Looks at once: an append found no room.
    pub(crate) fn wake(&self) {
        self.pause.wake();
    }

    /// How full the fuller of the two disks is that messages need.
    pub(crate) fn fullness(&self) -> Fullness {
        self.fullness_less(0)
    }

    /// As if `soon_free` more bytes were free on the disk of the log.
    fn fullness_less(&self, soon_free: u64) -> Fullness {
        let options = &self.house.options;
        let refuse_above = self.refuse_above.load(Ordering::Acquire);
        #[cfg(test)]
        if let Some(used) = &*self.used.lock() {
            return Fullness { path: options.commit_log_dir.clone(), used: Some(used()), refuse_above };
        }
        let log = disk::used_percent(&options.commit_log_dir, soon_free);
        let queues = disk::used_percent(&options.consume_queue_dir, 0);
        let is_same = disk::is_same(&options.commit_log_dir, &options.consume_queue_dir);
        let (path, used) = if queues > log && !is_same {
            (&options.consume_queue_dir, queues)
        } else {
            (&options.commit_log_dir, log)
        };
        Fullness { path: path.clone(), used, refuse_above }
    }

    /// Refuses messages while a disk is too full, and accepts them again below the level of deletion by force: in between, as
    /// upstream, nothing changes.
    pub(crate) fn watch_disk(&self) -> Fullness {
        let fullness = self.fullness();
        let Some(used) = fullness.used else { return fullness };
        let health = &self.house.health;
        if used > fullness.refuse_above {
            if !health.set(Trouble::DiskFull, true) {
                tracing::error!(%fullness, "no message is accepted until there is space");
            }
        } else if used <= fullness.refuse_above.min(self.options.load().force_above)
            && health.set(Trouble::DiskFull, false)
        {
            tracing::info!(%fullness, "messages are accepted again");
        }
        fullness
    }

    /// One look at clock and disk, and what follows from it. Returns how many files of the log were deleted.
    pub(crate) fn look(&self) -> u32 {
        let mut work = self.work.lock();
        self.move_times(&mut work);
        let fullness = self.watch_disk();
        let asked = self.asked.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        let found = Found {
            now_ms: self.clock.now_ms(),
            used: fullness.used,
            room: self.house.log.room(),
            is_asked: asked.is_ok(),
        };
        let deleted = self.trim_log(&mut work, found);
        self.trim_derived(&mut work);
        if deleted > 0 {
            self.watch_disk();
        }
        if found.room != Room::Enough {
            self.house.log.try_room_again();
        }
        deleted
    }

    /// As [`Retention::look`], as if that many percent of the disk were in use.
    #[cfg(test)]
    pub(crate) fn look_as_if_used(&self, percent: u32) -> u32 {
        *self.used.lock() = Some(Box::new(move || percent));
        let deleted = self.look();
        *self.used.lock() = None;
        deleted
    }

    /// Moves the times of files along with a clock that was set.
    fn move_times(&self, work: &mut Work) {
        work.unmoved_ms = work.unmoved_ms.saturating_add(self.house.time.take_set_by_ms());
        if work.unmoved_ms.abs() < SET_BY_LEAST_MS {
            return;
        }
        tracing::warn!(
            by_ms = work.unmoved_ms,
            "the machine's clock was set: the times of commit log files are moved along, so that they are kept as long as they should"
        );
        let by_ms = std::mem::take(&mut work.unmoved_ms);
        // Oldest first: should this be interrupted, the file that would be deleted first has its time.
        for file in self.house.log.files() {
            if let Err(error) = age::move_written(file.path(), by_ms) {
                tracing::error!(%error, "the time of this file stays as it is; it may be deleted early or late by that much");
            }
        }
    }

    fn trim_log(&self, work: &mut Work, mut found: Found) -> u32 {
        let (house, options) = (&self.house, self.options.load_full());
        let mut deleted = 0;
        while let Some(file) = house.log.oldest_before(house.dispatcher.position().0) {
            let written_ms = age::written_ms(file.path()).unwrap_or(found.now_ms);
            let Some(reason) = options.decide(found, written_ms, deleted) else { break };
            if let Err(error) = self.keep_queues(file.limit()) {
                if self.not_deleted.is_due() {
                    tracing::error!(%error, "consume queues cannot be written to disk; expired files of the log stay until they can");
                }
                // A full disk may be why, and then only this makes room.
                if reason == Reason::Expired && found.room == Room::Enough {
                    break;
                }
            }
            if let Err(error) = house.log.remove_oldest(&file) {
                if self.not_deleted.is_due() {
                    tracing::error!(%error, "an old commit log file cannot be deleted");
                }
                break;
            }
            deleted += 1;
            self.tell(&file, reason, found);
            work.held.push(Arc::downgrade(&file));
            drop(file);
            if self.pause.rest(options.log_pause) {
                break;
            }
            found.used = self.fullness_less(work.held_bytes()).used;
        }
        let is_needed = options.may_force && found.used.is_some_and(|used| used > options.force_above);
        if deleted == 0 && is_needed && self.nothing_to_delete.is_due() {
            tracing::error!(
                fullness = %self.fullness(),
                "the disk is filling up, and no commit log file can be deleted: what is left is new, or something else fills it"
            );
        }
        deleted
    }

    /// Has the units of records before `end` on disk. Once the log has gone nothing can bring them back after a loss of power, and
    /// their queues would give offsets again that others had.
    fn keep_queues(&self, end: i64) -> Result<(), CloseError> {
        let house = &self.house;
        if house.checkpoint.value(Field::QueuePhysicalOffset) >= end {
            return Ok(());
        }
        house.flush_derived(true)?;
        let kept = house.checkpoint.value(Field::QueuePhysicalOffset);
        if kept >= end { Ok(()) } else { Err(CloseError::Behind { behind: end - kept }) }
    }

    fn tell(&self, file: &MappedFile, reason: Reason, found: Found) {
        let path = file.path().display();
        match reason {
            Reason::Expired => tracing::info!(%path, "this commit log file has expired and is deleted"),
            Reason::NoRoom => tracing::error!(
                %path, bytes = file.size(), used_percent = found.used, room = ?found.room,
                "MESSAGES LOST: this commit log file is deleted before it has expired, because the disk is full; add space, or lower \
                 fileReservedTime; cleanFileForciblyEnable=false refuses messages instead"
            ),
        }
        let counters = &self.house.counters;
        match reason {
            Reason::Expired => counters.file_expired(),
            Reason::NoRoom => counters.file_lost(file.size()),
        }
    }

    /// Takes what the log no longer has out of queues and index.
    fn trim_derived(&self, work: &mut Work) {
        let min = self.house.log.min_offset();
        if work.trimmed_to == Some(min) {
            return;
        }
        let queue_pause = self.options.load().queue_pause;
        let mut is_whole = true;
        for queue in self.house.queues.queues() {
            match self.trim_queue(&queue, PhysicalOffset(min), queue_pause) {
                Ok(is_stopped) if is_stopped => return,
                Ok(_) => {}
                Err(error) => {
                    is_whole = false;
                    if self.not_deleted.is_due() {
                        tracing::error!(%error, "a consume queue cannot be trimmed");
                    }
                }
            }
        }
        let index = self.house.index.as_ref().map_or(Ok(()), |index| index.delete_expired(PhysicalOffset(min)));
        if let Err(error) = index {
            is_whole = false;
            if self.not_deleted.is_due() {
                tracing::error!(%error, "an old index file cannot be deleted");
            }
        }
        if is_whole {
            work.trimmed_to = Some(min);
        }
    }

    /// Returns whether the store is being closed.
    fn trim_queue(&self, queue: &ConsumeQueue, min: PhysicalOffset, pause: Duration) -> Result<bool, QueueError> {
        queue.correct_min(min)?;
        while queue.delete_oldest_expired()? {
            if self.pause.rest(pause) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes queues none of whose messages is left, but for those that `is_used`: their next message must not get an
    /// offset that another had. Returns how many.
    ///
    /// # Errors
    /// The first [`QueueError`]; the other queues are deleted all the same.
    pub(crate) fn delete_expired_queues(&self, is_used: &dyn Fn(&str, QueueId) -> bool) -> Result<usize, QueueError> {
        let mut work = self.work.lock();
        work.trimmed_to = None;
        self.trim_derived(&mut work);
        let house = &self.house;
        let min = house.log.min_offset();
        let is_expired = |queue: &ConsumeQueue| {
            queue.max_physical_offset().is_some_and(|end| end.0 <= min)
                && !is_used(queue.topic().as_str(), queue.queue_id())
        };
        house.dispatcher.with_lane_stopped(|| {
            let mut result = Ok(0);
            for queue in house.queues.queues().into_iter().filter(|queue| is_expired(queue)) {
                tracing::info!(topic = %queue.topic(), queue_id = %queue.queue_id(), "this queue is used no more and is deleted");
                match house.queues.delete_queue(&queue) {
                    Ok(()) => result = result.map(|count| count + 1),
                    Err(error) => result = result.and(Err(error)),
                }
            }
            result
        })
    }
}
