//! What has to be done now and then: writing consume queues and index, the checkpoint, looking at the clock.
//!
//! One thread. Nothing here is needed for correctness but that it happens at all: what is lost between two rounds is built
//! again from the log.
//!
//! Upstream: `FlushConsumeQueueService`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use boostermq_remoting::offsets::PhysicalOffset;
use parking_lot::{Condvar, Mutex};

use crate::boot;
use crate::checkpoint::{Checkpoint, Field};
use crate::clock::StoreTime;
use crate::commit_log::{CommitLog, Flusher};
use crate::consume_queue::QueueTable;
use crate::dispatch::Dispatcher;
use crate::error::{CloseError, OpenError};
use crate::health::Health;
use crate::index::Index;
use crate::options::StoreOptions;
use crate::stats::Counters;

const THREAD_NAME: &str = "store-housekeeping";

/// What housekeeping and retention work on.
pub(crate) struct House {
    pub(crate) log: Arc<CommitLog>,
    pub(crate) queues: Arc<QueueTable>,
    pub(crate) index: Option<Arc<Index>>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) health: Arc<Health>,
    pub(crate) options: Arc<StoreOptions>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) time: Arc<StoreTime>,
    /// A queue could not be written once. Pages that a failed sync left may count as clean, so nobody knows any more what is
    /// on disk, and the checkpoint stays where it is.
    pub(crate) is_checkpoint_stuck: AtomicBool,
}

#[derive(Default)]
struct Shared {
    is_stopped: Mutex<bool>,
    stopped: Condvar,
}

/// The thread.
pub(crate) struct Housekeeping {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Housekeeping {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`OpenError::Thread`].
    pub(crate) fn start(house: Arc<House>) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared::default());
        let run = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || run.run(&house));
        let thread = thread.map_err(|source| OpenError::Thread { name: THREAD_NAME, source })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        *self.shared.is_stopped.lock() = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, house: &House) {
        let options = &house.options;
        let start = Instant::now();
        let mut flush_at = start + options.queue_flush_interval;
        // The first round at once: should the process soon end again, the next start need not repeat what this one did.
        let mut thorough_at = start;
        loop {
            let now = Instant::now();
            if now >= flush_at {
                house.time.observe();
                flush_at = now + options.queue_flush_interval;
                // Who appends also dispatches; should one not come to it, nobody waits longer than this.
                house.dispatcher.wake();
                let is_thorough = now >= thorough_at;
                if is_thorough {
                    thorough_at = now + options.queue_flush_thorough_interval;
                }
                // An error has been logged there, once.
                let _ = house.flush_derived(is_thorough);
            }
            let mut is_stopped = self.is_stopped.lock();
            if !*is_stopped {
                self.stopped.wait_until(&mut is_stopped, flush_at);
            }
            if *is_stopped {
                return;
            }
        }
    }
}

impl House {
    /// Writes consume queues and index, forced to disk if `is_thorough`; then the checkpoint.
    ///
    /// # Errors
    /// The first error; the rest is done all the same.
    pub(crate) fn flush_derived(&self, is_thorough: bool) -> Result<(), CloseError> {
        // Both read before the flush: what is dispatched meanwhile may miss it. The time first: it may lag, not lead.
        let store_timestamp = self.dispatcher.store_timestamp();
        let position = self.dispatcher.position().0;
        let queues = self.queues.flush_all(is_thorough);
        let index = self.index.as_ref().map_or(Ok(None), |index| index.flush(is_thorough));
        if let Err(error) = &queues
            && !self.is_checkpoint_stuck.swap(true, Ordering::AcqRel)
        {
            tracing::error!(%error, "the next start will read more of the commit log than usual");
        }
        if queues.is_err() || index.is_err() {
            boot::forget(&self.options.root);
        }
        let is_stuck = self.is_checkpoint_stuck.load(Ordering::Acquire);
        if is_thorough && !is_stuck {
            // Not past what is on disk of the log itself: after a loss of power it would end before.
            let position = position.min(self.log.flushed());
            // Before the checkpoint says so: ends that are older than it are not believed.
            match self.queues.write_ends(PhysicalOffset(position)) {
                Ok(()) => {
                    self.checkpoint.set(Field::QueuePhysicalOffset, position);
                    self.checkpoint.raise(Field::QueueTimestamp, store_timestamp.min(self.flushed_timestamp()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a start after a crash would read more of the commit log than usual");
                }
            }
        }
        if let Ok(Some(timestamp)) = index {
            self.checkpoint.raise(Field::IndexTimestamp, timestamp);
        }
        let checkpoint = self.checkpoint.flush();
        queues?;
        index?;
        Ok(checkpoint?)
    }

    fn flushed_timestamp(&self) -> i64 {
        self.checkpoint.value(Field::PhysicalTimestamp)
    }
}
