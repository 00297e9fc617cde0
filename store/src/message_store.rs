//! The store as the broker sees it.
//!
//! Owns the order of things: what is opened before what, what stops before what. Everything it offers is done elsewhere.
//!
//! Upstream: `DefaultMessageStore`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use boostermq_remoting::message::light::{LIGHT_QUEUE, LightNames};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::allocate::Allocator;
use crate::clock::{Clock, StoreTime};
use crate::commit_log::{AppendBatch, CommitLog, FlushOutcome, Flusher};
use crate::consume_queue::{ConsumeQueue, QueueError};
use crate::disk::{self, DiskCapacity, DiskUsage, Fullness};
use crate::dispatch::{ArrivalListener, DispatchParts, Dispatcher, QueueBuilder};
use crate::error::{AppendError, CloseError, FileError, LightQueueError, OpenError, Quarantine};
use crate::get_message::{self, GetOutcome, GetRequest};
use crate::health::{Health, Trouble};
use crate::housekeeping::{House, Housekeeping};
use crate::index::IndexQuery;
use crate::io;
use crate::layout;
use crate::lock_file::StoreLock;
use crate::offset_by_time::{self, TimeBoundary};
use crate::opening::{self, Opened};
use crate::options::{FlushMode, StoreOptions};
use crate::query::{self, QueryOutcome};
use crate::queue_entries::{self, QueueEntry};
use crate::recover::Recovered;
use crate::retention::{Retention, RetentionThread};
use crate::stats::{Counters, StoreStats};
use crate::takeover;

/// An open store. Dropped without [`MessageStore::close`] it is left as a crash would leave it.
pub struct MessageStore {
    house: Arc<House>,
    housekeeping: Housekeeping,
    retention: RetentionThread,
    quarantines: Vec<Quarantine>,
    is_closed: AtomicBool,
    /// Held until everything else has ended.
    lock: Mutex<Option<StoreLock>>,
}

impl MessageStore {
    /// Opens the store under `options.root`, making it if there is none, and recovers what the last stop left.
    ///
    /// # Errors
    /// [`OpenError`]: nothing in the store was changed but what recovery does, which can be done again.
    pub fn open(options: StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        opening::check_options(&options)?;
        if !options.root.join(layout::LOCK).exists() {
            // A lock file of ours would already be a change.
            refuse(&options)?;
            layout::create_dir(&options.root)?;
        }
        let lock = StoreLock::acquire(&options.root)?;
        refuse(&options)?;
        let options = Arc::new(options);
        let found = opening::find(&options)?;
        // Everything above only looks; from here on things change.
        let opened = opening::recover(&options, &clock, found)?;
        Self::start(options, clock, opened, lock)
    }

    /// Starts the threads over what recovery found.
    fn start(
        options: Arc<StoreOptions>,
        clock: Arc<dyn Clock>,
        opened: Opened,
        lock: StoreLock,
    ) -> Result<Self, OpenError> {
        let Opened { recovered, queues, checkpoint, index } = opened;
        let Recovered { files, end, damage, .. } = recovered;
        let (health, counters) = (Arc::new(Health::default()), Arc::new(Counters::default()));
        for _ in &damage {
            counters.damaged();
        }
        tracing::info!("{}", options.durable_window());
        let file_size = options.commit_log_file_size;
        let is_zeroing = options.flush_mode == FlushMode::Sync;
        let allocator = Allocator::start(options.commit_log_dir.clone(), file_size, is_zeroing)?;
        // Checked when the options were: fits.
        let time = Arc::new(StoreTime::new(Arc::clone(&clock), end.store_timestamp));
        let log_time: Arc<dyn Clock> = Arc::clone(&time) as _;
        let log = CommitLog::new(files, file_size as usize, end, allocator, Arc::clone(&health), log_time, &options);
        let (log, checkpoint) = (Arc::new(log), Arc::new(checkpoint));
        let dispatcher = Arc::new(Dispatcher::start(DispatchParts {
            log: Arc::clone(&log),
            queues: QueueBuilder::new(Arc::clone(&queues), Arc::clone(&options)),
            index_position: index.as_ref().map_or(end.offset, |index| index.resume_offset().0),
            index: index.clone(),
            health: Arc::clone(&health),
            counters: Arc::clone(&counters),
            mode: options.flush_mode,
            position: end.offset,
        })?);
        let on_flushed = {
            let (dispatcher, mode) = (Arc::clone(&dispatcher), options.flush_mode);
            Box::new(move || {
                if mode == FlushMode::Sync {
                    dispatcher.wake();
                }
            })
        };
        let flusher = Arc::new(Flusher::start(Arc::clone(&log), Arc::clone(&checkpoint), &options, on_flushed)?);
        let house = Arc::new(House {
            log,
            queues,
            index,
            dispatcher,
            flusher,
            checkpoint,
            health,
            options,
            counters,
            time,
            is_checkpoint_stuck: AtomicBool::new(false),
        });
        let housekeeping = Housekeeping::start(Arc::clone(&house))?;
        let retention = RetentionThread::start(Arc::new(Retention::new(Arc::clone(&house), clock)))?;
        Ok(Self {
            house,
            housekeeping,
            retention,
            quarantines: damage,
            is_closed: AtomicBool::new(false),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Sets who is told when messages become readable. The first one set stays.
    pub fn set_arrival_listener(&self, listener: Arc<dyn ArrivalListener>) {
        self.house.dispatcher.set_listener(listener);
    }

    /// What the store was opened with.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.house.options
    }

    // Append.

    /// The queue, made if there is none; a new one has no files until its first message.
    #[must_use]
    pub fn queue(&self, topic: &Topic, queue_id: QueueId) -> Arc<ConsumeQueue> {
        self.house.queues.get_or_create(topic, queue_id)
    }

    /// Whether a message may be sent into the light queues that `list` names, the value of its property `INNER_MULTI_DISPATCH`. Without
    /// light queues it says nothing to anybody.
    ///
    /// # Errors
    /// [`LightQueueError`]: what is wrong with the list.
    pub fn check_light_queues(&self, list: &str) -> Result<(), LightQueueError> {
        if !self.house.options.light_queues {
            return Ok(());
        }
        let LightNames { names, refused } = LightNames::parse(list);
        if let Some(name) = refused {
            return Err(LightQueueError::Name { name: name.to_owned() });
        }
        let Some(limit) = self.house.options.light_queues_max else { return Ok(()) };
        let is_new = |name: &&str| self.house.queues.get(name, LIGHT_QUEUE).is_none();
        let new = names.iter().filter(|name| is_new(name)).count();
        if new > 0 && self.house.queues.light_queues() + new > limit as usize {
            return Err(LightQueueError::TooMany { limit });
        }
        Ok(())
    }

    /// Appends all records of `batch`, whose receipts then say where they are, or none. Returns the end of the last one.
    ///
    /// They can be read once they are dispatched: see [`MessageStore::dispatch_now`]; under SYNC_FLUSH only when they are on
    /// disk, too. The same batch must not be appended again after a success: clear it.
    ///
    /// # Errors
    /// [`AppendError`], and nothing was appended.
    pub fn append(&self, batch: &mut AppendBatch) -> Result<PhysicalOffset, AppendError> {
        batch.find_light_queues(&self.house.queues);
        let end = self.house.log.append(batch).inspect_err(|error| {
            if matches!(error, AppendError::NoRoom { .. }) {
                self.retention.retention().wake();
            }
        })?;
        self.house.flusher.appended();
        self.house.counters.appended(batch.len(), batch.byte_len());
        Ok(end)
    }

    /// Calls `done` when everything before `end` is on disk, or the deadline has passed, or that cannot happen any more: at once
    /// and on this thread if it is so already. `done` has to be quick: others wait behind it.
    pub fn when_flushed(&self, end: PhysicalOffset, deadline: Instant, done: Box<dyn FnOnce(FlushOutcome) + Send>) {
        self.house.flusher.when_flushed(end, deadline, done);
    }

    /// Makes what was appended readable and tells of its arrival, on this thread if no other does so already. Returns when there is
    /// nothing left to do or after a bounded piece of work; the rest is done in the background. Call it after the answers to
    /// the senders have been written.
    pub fn dispatch_now(&self) {
        self.house.dispatcher.dispatch_now();
    }

    /// Whether messages are taken.
    ///
    /// # Errors
    /// Why not, as [`MessageStore::append`] would say.
    pub fn check_writeable(&self) -> Result<(), AppendError> {
        self.house.health.check()
    }

    /// Switches appending off or on again, for a broker whose role forbids it.
    pub fn set_writeable(&self, is_writeable: bool) {
        self.house.health.set(Trouble::SwitchedOff, !is_writeable);
    }

    // Get.

    /// Reads messages of a queue.
    ///
    /// # Errors
    /// [`QueueError`] when a file of the queue cannot be read.
    pub fn get(&self, request: &GetRequest<'_>) -> Result<GetOutcome, QueueError> {
        let queue = self.house.queues.get(request.topic, request.queue_id);
        get_message::get(queue.as_deref(), &self.house.log, &self.house.options, request)
    }

    /// The record that begins at `physical_offset`; `None` when none does.
    #[must_use]
    pub fn record_at(&self, physical_offset: PhysicalOffset) -> Option<Bytes> {
        self.house.log.record_at(physical_offset)
    }

    /// The `size` bytes of the log from `from` on, which must lie in one file; `None` where it does not have all of them.
    #[must_use]
    pub fn read(&self, from: PhysicalOffset, size: usize) -> Option<Bytes> {
        self.house.log.read(from, size)
    }

    // Query.

    /// Finds messages by key; none without an index.
    #[must_use]
    pub fn query(&self, wanted: &IndexQuery<'_>) -> QueryOutcome {
        match &self.house.index {
            Some(index) => query::query(index, &self.house.log, wanted),
            None => QueryOutcome::default(),
        }
    }

    // Offsets.

    /// The queue, if there is one: its begin and end are [`ConsumeQueue::min_offset`] and [`ConsumeQueue::max_offset`].
    #[must_use]
    pub fn existing_queue(&self, topic: &str, queue_id: QueueId) -> Option<Arc<ConsumeQueue>> {
        self.house.queues.get(topic, queue_id)
    }

    /// First offset of a queue that can be read; 0 without the queue.
    #[must_use]
    pub fn min_queue_offset(&self, topic: &str, queue_id: QueueId) -> QueueOffset {
        self.existing_queue(topic, queue_id).map_or(QueueOffset::ZERO, |queue| queue.min_offset())
    }

    /// One past the last offset of a queue that can be read; 0 without the queue.
    #[must_use]
    pub fn max_queue_offset(&self, topic: &str, queue_id: QueueId) -> QueueOffset {
        self.existing_queue(topic, queue_id).map_or(QueueOffset::ZERO, |queue| queue.max_offset())
    }

    /// The offset in a queue that belongs to `timestamp`, in milliseconds since 1970; 0 without the queue.
    ///
    /// # Errors
    /// [`QueueError`] when a file of the queue cannot be read.
    pub fn offset_by_time(
        &self,
        topic: &str,
        queue_id: QueueId,
        timestamp: i64,
        boundary: TimeBoundary,
    ) -> Result<QueueOffset, QueueError> {
        let Some(queue) = self.existing_queue(topic, queue_id) else { return Ok(QueueOffset::ZERO) };
        offset_by_time::offset_by_time(&queue, &self.house.log, timestamp, boundary)
    }

    /// Store time, in milliseconds since 1970, of a message of a queue; `None` when it is not there.
    ///
    /// # Errors
    /// [`QueueError`] when a file of the queue cannot be read.
    pub fn store_timestamp(
        &self,
        topic: &str,
        queue_id: QueueId,
        queue_offset: QueueOffset,
    ) -> Result<Option<i64>, QueueError> {
        let Some(queue) = self.existing_queue(topic, queue_id) else { return Ok(None) };
        offset_by_time::store_timestamp(&queue, &self.house.log, queue_offset)
    }

    /// Where the record of a message of a queue begins; `None` when it is not there.
    ///
    /// # Errors
    /// [`QueueError`] when a file of the queue cannot be read.
    pub fn physical_offset(
        &self,
        topic: &str,
        queue_id: QueueId,
        queue_offset: QueueOffset,
    ) -> Result<Option<PhysicalOffset>, QueueError> {
        let Some(queue) = self.existing_queue(topic, queue_id) else { return Ok(None) };
        offset_by_time::physical_offset(&queue, queue_offset)
    }

    /// Entries of a queue as they stand, at most `count` from an offset on; `None` without the queue.
    ///
    /// # Errors
    /// [`QueueError`] when a file of the queue cannot be read.
    pub fn queue_entries(
        &self,
        topic: &str,
        queue_id: QueueId,
        from: QueueOffset,
        count: usize,
    ) -> Result<Option<Vec<QueueEntry>>, QueueError> {
        self.existing_queue(topic, queue_id).map(|queue| queue_entries::entries(&queue, from, count)).transpose()
    }

    /// Store time, in milliseconds since 1970, of the first message of a queue; `None` without one.
    ///
    /// # Errors
    /// [`QueueError`] when a file of the queue cannot be read.
    pub fn earliest_store_timestamp(&self, topic: &str, queue_id: QueueId) -> Result<Option<i64>, QueueError> {
        let Some(queue) = self.existing_queue(topic, queue_id) else { return Ok(None) };
        offset_by_time::earliest_store_timestamp(&queue, &self.house.log)
    }

    /// Store time, in milliseconds since 1970, of the first message of the log; `None` without one.
    #[must_use]
    pub fn earliest_log_timestamp(&self) -> Option<i64> {
        self.house.log.earliest_store_timestamp()
    }

    /// True when the record at `physical_offset` is new enough to be in memory still.
    #[must_use]
    pub fn is_in_memory(&self, physical_offset: PhysicalOffset) -> bool {
        offset_by_time::is_in_memory(&self.house.log, &self.house.options, physical_offset)
    }

    /// Milliseconds for which an append has been under way; 0 when none is.
    #[must_use]
    pub fn append_held_ms(&self) -> u64 {
        self.house.log.append_held_ms()
    }

    /// Lets the system read the files of the log ahead, or not: those that are there now (upstream: `scanFileAndSetReadMode`).
    pub fn set_read_ahead(&self, is_ahead: bool) {
        for file in self.house.log.files() {
            file.set_read_ahead(is_ahead);
        }
    }

    /// First byte of the log that is there.
    #[must_use]
    pub fn min_physical_offset(&self) -> PhysicalOffset {
        PhysicalOffset(self.house.log.min_offset())
    }

    /// End of the log.
    #[must_use]
    pub fn max_physical_offset(&self) -> PhysicalOffset {
        PhysicalOffset(self.house.log.end())
    }

    /// Everything before is on disk.
    #[must_use]
    pub fn flushed_offset(&self) -> PhysicalOffset {
        PhysicalOffset(self.house.log.flushed())
    }

    /// Messages before can be made readable: all under ASYNC_FLUSH, those on disk under SYNC_FLUSH.
    #[must_use]
    pub fn confirm_offset(&self) -> PhysicalOffset {
        match self.house.options.flush_mode {
            FlushMode::Async => self.max_physical_offset(),
            FlushMode::Sync => self.flushed_offset(),
        }
    }

    /// Messages before are readable.
    #[must_use]
    pub fn dispatched_offset(&self) -> PhysicalOffset {
        self.house.dispatcher.position()
    }

    /// Store time of the last message, in milliseconds since 1970; 0 for a store that never had one.
    #[must_use]
    pub fn last_store_timestamp(&self) -> i64 {
        self.house.log.last_store_timestamp()
    }

    /// Room on the disk of the commit log; `None` where the system does not say.
    #[must_use]
    pub fn disk_capacity(&self) -> Option<DiskCapacity> {
        disk::capacity(&self.house.options.commit_log_dir)
    }

    /// How full the fuller of the disks is that messages need, and above which level they are refused.
    #[must_use]
    pub fn fullness(&self) -> Fullness {
        self.retention.retention().fullness()
    }

    /// How full the disks are.
    #[must_use]
    pub fn disk_usage(&self) -> DiskUsage {
        let options = &self.house.options;
        DiskUsage {
            commit_log: disk::usage(&options.commit_log_dir),
            consume_queue: disk::usage(&options.consume_queue_dir),
            index: disk::usage(&options.index_dir),
        }
    }

    /// What the store has done since it was opened.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.house.counters.look()
    }

    /// Damage that was found when the store was opened, and left as it is.
    #[must_use]
    pub fn quarantines(&self) -> &[Quarantine] {
        &self.quarantines
    }

    /// The topics that have queues.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.house.queues.topics()
    }

    /// Deletes the queues of a topic; its records stay in the log until they expire. Returns whether there were any.
    ///
    /// # Errors
    /// [`QueueError`] when a file cannot be deleted; the queues are gone from the store all the same.
    pub fn delete_topic(&self, topic: &str) -> Result<bool, QueueError> {
        let house = &self.house;
        house.dispatcher.with_lane_stopped(|| house.queues.delete_topic(topic))
    }

    // Retention.

    #[cfg(test)]
    pub(crate) fn retention(&self) -> &Retention {
        self.retention.retention()
    }

    /// Takes over from `options` what may change while the store is open: the rules of retention and the level above which messages
    /// are refused.
    pub fn set_retention(&self, options: &StoreOptions) {
        self.retention.retention().set(options);
    }

    /// Deletes files of the log that have expired, soon and whatever the hour (upstream: `deleteExpiredCommitLog`).
    pub fn delete_expired_files(&self) {
        self.retention.retention().ask();
    }

    /// One look for files to delete, on this thread, as the store itself has every `cleanResourceInterval`. Returns how many
    /// files of the log were deleted.
    pub fn look_for_room(&self) -> u32 {
        self.retention.retention().look()
    }

    /// Deletes queues of which no message is left (upstream: `cleanExpiredCQ`), but for those that `is_used`: they only lose the
    /// files that hold nothing else. Returns how many went.
    ///
    /// # Errors
    /// [`QueueError`] when a file cannot be deleted; the others are deleted all the same.
    pub fn delete_expired_queues(&self, is_used: &dyn Fn(&str, QueueId) -> bool) -> Result<usize, QueueError> {
        self.retention.retention().delete_expired_queues(is_used)
    }

    /// The store's time, which goes on evenly when the machine's clock is set.
    #[must_use]
    pub fn time(&self) -> &StoreTime {
        &self.house.time
    }

    // Flush.

    /// Writes everything to disk, and waits for it.
    ///
    /// # Errors
    /// [`CloseError`], of which [`CloseError::Flush`] means that the store takes no more messages.
    pub fn flush(&self) -> Result<(), CloseError> {
        self.house.flusher.flush_now().map_err(|_| CloseError::Flush)?;
        self.house.flush_derived(true)
    }

    /// As [`MessageStore::flush`], but only what the housekeeping does now and then.
    #[cfg(test)]
    pub(crate) fn house_flush(&self, is_thorough: bool) -> Result<(), String> {
        self.house.flush_derived(is_thorough).map_err(|error| error.to_string())
    }

    // Close.

    /// Ends the store in order: no more messages are taken, all that were are written to disk, and the next start has nothing to
    /// recover. Further calls do nothing.
    ///
    /// # Errors
    /// [`CloseError`]: the abort file stays, and the next start recovers.
    pub fn close(&self) -> Result<(), CloseError> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let house = &self.house;
        self.retention.stop();
        // Under the append lock: when it is given back, nobody appends any more.
        house.log.with_append_lock(|| house.health.set(Trouble::Closed, true));
        let result = self.finish();
        self.stop_threads(result.is_ok());
        let result = result.and_then(|()| {
            let abort = house.options.root.join(layout::ABORT);
            io::remove_file(&abort).map_err(FileError::at("deleting the file", &abort))?;
            layout::sync_dir(&house.options.root)?;
            Ok(())
        });
        *self.lock.lock() = None;
        result
    }

    fn finish(&self) -> Result<(), CloseError> {
        let house = &self.house;
        house.flusher.flush_now().map_err(|_| CloseError::Flush)?;
        house.dispatcher.drain();
        let behind = house.log.end() - house.dispatcher.position().0;
        if behind != 0 {
            return Err(CloseError::Behind { behind });
        }
        self.housekeeping.stop();
        house.flush_derived(true)
    }

    fn stop_threads(&self, is_clean: bool) {
        let house = &self.house;
        self.retention.stop();
        self.housekeeping.stop();
        house.flusher.stop();
        house.dispatcher.stop();
        if let Err(error) = house.log.stop_allocator(is_clean) {
            tracing::warn!(%error, "a commit log file that was made ahead stays; it does no harm");
        }
    }
}

impl Drop for MessageStore {
    fn drop(&mut self) {
        if !self.is_closed.swap(true, Ordering::AcqRel) {
            self.house.health.set(Trouble::Closed, true);
            self.stop_threads(false);
        }
    }
}

/// Refuses a store that cannot be taken over.
fn refuse(options: &StoreOptions) -> Result<(), OpenError> {
    takeover::refusals(options)?.into_iter().next().map_or(Ok(()), |refusal| Err(refusal.into()))
}
