//! Flushing: one thread writes the log to disk, for everyone who waits at once.
//!
//! Under [`FlushMode::Sync`] it runs whenever something was appended, again as soon as the last sync has ended, so that one
//! sync serves all appends that came during the one before. Under [`FlushMode::Async`] it runs by time and by how much there
//! is. A failed sync is final: the system may have dropped the pages and call them clean, so a second try would lie.
//!
//! Upstream: `GroupCommitService`, `FlushRealTimeService`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use boostermq_remoting::offsets::PhysicalOffset;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::CommitLog;
use crate::checkpoint::{Checkpoint, Field};
use crate::error::OpenError;
use crate::health::Trouble;
use crate::options::{FlushMode, StoreOptions};

const THREAD_NAME: &str = "store-flush";
const WATCH_NAME: &str = "store-flush-watch";
/// How often the watch looks for deadlines while it knows of none: who begins to wait wakes nobody up for it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes that upstream counts as one page.
const PAGE_BITS: u32 = 12;

/// What became of waiting for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushOutcome {
    /// It is on disk.
    Flushed,
    /// The deadline passed first. It is in the log and may still reach the disk.
    TimedOut,
    /// The log cannot be written to disk: the store takes no more messages.
    Failed,
}

/// Called on the flush thread each time that more of the log is on disk.
type FlushListener = Box<dyn Fn() + Send + Sync>;

type Done = Box<dyn FnOnce(FlushOutcome) + Send>;

struct Waiter {
    end: i64,
    deadline: Instant,
    done: Done,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiter>,
    /// Something was appended since the thread last looked.
    is_dirty: bool,
    is_stopped: bool,
}

struct Shared {
    log: Arc<CommitLog>,
    checkpoint: Arc<Checkpoint>,
    mode: FlushMode,
    interval: Duration,
    least_pages: i64,
    thorough_interval: Duration,
    state: Mutex<State>,
    woken: Condvar,
    /// Wakes the watch, at the stop only.
    stopped: Condvar,
    listener: FlushListener,
}

/// The flush thread, and the watch: a thread that ends waits when their deadlines have passed. It never touches a file, so
/// that a slow disk does not keep it from saying so.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Flusher {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`OpenError::Thread`].
    pub(crate) fn start(
        log: Arc<CommitLog>,
        checkpoint: Arc<Checkpoint>,
        options: &StoreOptions,
        listener: FlushListener,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            log,
            checkpoint,
            mode: options.flush_mode,
            interval: options.flush_interval,
            least_pages: i64::from(options.flush_least_pages),
            thorough_interval: options.flush_thorough_interval,
            state: Mutex::default(),
            woken: Condvar::new(),
            stopped: Condvar::new(),
            listener,
        });
        let flusher = Self { shared, threads: Mutex::default() };
        for (name, run) in [(THREAD_NAME, Shared::run as fn(&Shared)), (WATCH_NAME, Shared::watch)] {
            let shared = Arc::clone(&flusher.shared);
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared));
            match thread {
                Ok(thread) => flusher.threads.lock().push(thread),
                Err(source) => {
                    flusher.stop();
                    return Err(OpenError::Thread { name, source });
                }
            }
        }
        Ok(flusher)
    }

    /// Says that something was appended. Costs nothing under [`FlushMode::Async`].
    pub(crate) fn appended(&self) {
        if self.shared.mode == FlushMode::Sync {
            let mut state = self.shared.state.lock();
            if !state.is_dirty {
                state.is_dirty = true;
                self.shared.woken.notify_one();
            }
        }
    }

    /// Calls `done` once everything before `end` is on disk, or the deadline has passed, or that can no longer happen: on this
    /// thread if it is so already, else on a thread of the store.
    pub(crate) fn when_flushed(&self, end: PhysicalOffset, deadline: Instant, done: Done) {
        let shared = &self.shared;
        let outcome = {
            let mut state = shared.state.lock();
            match shared.outcome(end.0, state.is_stopped) {
                Some(outcome) => outcome,
                None => {
                    state.waiting.push(Waiter { end: end.0, deadline, done });
                    shared.woken.notify_one();
                    return;
                }
            }
        };
        done(outcome);
    }

    /// Writes everything appended so far to disk, on this thread.
    ///
    /// # Errors
    /// What the system says; the store is poisoned then.
    pub(crate) fn flush_now(&self) -> io::Result<()> {
        self.shared.sync()?;
        self.shared.tell();
        Ok(())
    }

    /// Ends the threads. Those who still wait are told what is true then.
    pub(crate) fn stop(&self) {
        self.shared.state.lock().is_stopped = true;
        self.shared.woken.notify_all();
        self.shared.stopped.notify_all();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            let _ = thread.join();
        }
        self.shared.tell();
    }
}

impl Shared {
    /// What one who waits for `end` can be told now.
    fn outcome(&self, end: i64, is_stopped: bool) -> Option<FlushOutcome> {
        if self.log.flushed() >= end {
            Some(FlushOutcome::Flushed)
        } else if is_stopped || self.log.health.has(Trouble::Poisoned) {
            Some(FlushOutcome::Failed)
        } else {
            None
        }
    }

    fn run(&self) {
        let mut flushed_at = Instant::now();
        loop {
            let Some(is_awaited) = self.wait() else { return };
            if is_awaited || self.is_due(flushed_at) {
                // An error is logged and told to all who wait in `sync` and `tell`.
                if self.sync().is_ok() {
                    flushed_at = Instant::now();
                    (self.listener)();
                }
                self.tell();
            }
        }
    }

    /// Tells those whose deadline has passed.
    fn watch(&self) {
        let mut state = self.state.lock();
        while !state.is_stopped {
            let now = Instant::now();
            let late: Vec<Waiter> = state.waiting.extract_if(.., |waiter| waiter.deadline <= now).collect();
            if !late.is_empty() {
                MutexGuard::unlocked(&mut state, || {
                    late.into_iter().for_each(|waiter| (waiter.done)(FlushOutcome::TimedOut));
                });
                continue;
            }
            let deadlines = state.waiting.iter().map(|waiter| waiter.deadline);
            let wake_at = deadlines.chain([now + LOOK_INTERVAL]).min().unwrap_or(now + LOOK_INTERVAL);
            self.stopped.wait_until(&mut state, wake_at);
        }
    }

    /// Sleeps until there may be something to do. Returns whether someone waits for it; `None` at the stop.
    fn wait(&self) -> Option<bool> {
        let mut state = self.state.lock();
        let next_look = Instant::now() + self.interval;
        loop {
            if state.is_stopped {
                return None;
            }
            let is_dirty = std::mem::take(&mut state.is_dirty);
            // One who waits for what is not in the log yet is helped by no sync.
            let end = self.log.end();
            if is_dirty || state.waiting.iter().any(|waiter| waiter.end <= end) {
                return Some(true);
            }
            match self.mode {
                FlushMode::Sync => self.woken.wait(&mut state),
                FlushMode::Async => {
                    if self.woken.wait_until(&mut state, next_look).timed_out() {
                        return Some(false);
                    }
                }
            }
        }
    }

    fn is_due(&self, flushed_at: Instant) -> bool {
        let (end, flushed) = (self.log.end(), self.log.flushed());
        let pages = (end >> PAGE_BITS) - (flushed >> PAGE_BITS);
        end > flushed && (pages >= self.least_pages || flushed_at.elapsed() >= self.thorough_interval)
    }

    fn sync(&self) -> io::Result<()> {
        let log = &self.log;
        if log.health.has(Trouble::Poisoned) {
            return Err(io::Error::other("an earlier sync of the commit log failed"));
        }
        // Read first: the record it belongs to lies before the end that is read after it.
        let store_timestamp = log.last_store_timestamp();
        let result = log.sync();
        match &result {
            Ok(()) => self.checkpoint.raise(Field::PhysicalTimestamp, store_timestamp),
            Err(error) => {
                log.health.set(Trouble::Poisoned, true);
                tracing::error!(
                    %error, after = log.flushed(),
                    "the commit log could not be written to disk: no message is answered or taken any more, reading goes on; \
                     see to the disk, then restart: what was answered is kept, what was not may be gone"
                );
            }
        }
        result
    }

    /// Tells those who can be told.
    fn tell(&self) {
        let told: Vec<(Waiter, FlushOutcome)> = {
            let mut state = self.state.lock();
            let is_stopped = state.is_stopped;
            let outcome = |waiter: &Waiter| self.outcome(waiter.end, is_stopped);
            let ready = state.waiting.extract_if(.., |waiter| outcome(waiter).is_some());
            ready
                .map(|waiter| (outcome(&waiter).unwrap_or(FlushOutcome::Failed), waiter))
                .map(|(o, w)| (w, o))
                .collect()
        };
        for (waiter, outcome) in told {
            (waiter.done)(outcome);
        }
    }
}

impl CommitLog {
    /// Waits until everything appended so far is on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        let (flushed, end) = (self.flushed(), self.end());
        for file in self.files.between(flushed, end) {
            file.sync()?;
        }
        // Two may sync at once at the stop; neither takes back what the other has reached.
        self.flushed.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }
}
