//! The two threads of the timer: one that takes in and gives out, one that writes snapshots.
//!
//! Both sleep while there is nothing to do. The first wakes for the next tick that has messages, and once a second while there is
//! one, because somebody may set the clock. Messages that arrive are left for [`GATHER`], so that many are taken in at once: none
//! is due sooner than the end of the tick it arrives in. The second wakes when something has changed, and rests ten times as long as
//! its last write took, so that it never takes more than a tenth of the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use boostermq_remoting::offsets::PhysicalOffset;
use boostermq_store::{FlushOutcome, MessageStore};
use parking_lot::{Condvar, Mutex};

use super::{Next, Scene, Timer};
use crate::broker::Broker;

/// How long arrivals are gathered.
const GATHER: Duration = Duration::from_millis(20);
/// How long the timer rests when something could not be done.
const REST: Duration = Duration::from_secs(1);
/// The clock is looked at this often while something waits.
const LOOK: Duration = Duration::from_secs(1);
/// How long a snapshot waits for the commit log to be on disk before it looks again.
const FLUSH_WAIT: Duration = Duration::from_secs(10);
/// Time between two looks for files of the timer log that nobody needs.
const EXPIRY: Duration = Duration::from_secs(30);

/// What the threads sleep on.
#[derive(Debug, Default)]
pub(super) struct Wake {
    has_arrivals: AtomicBool,
    flags: Mutex<Flags>,
    work: Condvar,
    snapshot: Condvar,
}

#[derive(Debug, Default)]
struct Flags {
    is_changed: bool,
    is_stopped: bool,
}

impl Wake {
    /// Messages arrived.
    pub(super) fn arrived(&self) {
        if !self.has_arrivals.swap(true, Ordering::AcqRel) {
            // Under the lock: else the thread could look, see nothing, and go to sleep after this.
            let _flags = self.flags.lock();
            self.work.notify_one();
        }
    }

    /// There is something for a snapshot.
    pub(super) fn changed(&self) {
        let mut flags = self.flags.lock();
        if !flags.is_changed {
            flags.is_changed = true;
            self.snapshot.notify_one();
        }
    }

    fn stop(&self) {
        self.flags.lock().is_stopped = true;
        self.work.notify_all();
        self.snapshot.notify_all();
    }

    /// Sleeps until messages arrive or the time is over. False at the stop.
    fn wait_for_work(&self, longest: Option<Duration>) -> bool {
        let until = longest.map(|longest| Instant::now() + longest);
        let mut flags = self.flags.lock();
        while !flags.is_stopped && !self.has_arrivals.load(Ordering::Acquire) {
            match until {
                None => self.work.wait(&mut flags),
                Some(until) => {
                    if self.work.wait_until(&mut flags, until).timed_out() {
                        return true;
                    }
                }
            }
        }
        let gathered = Instant::now() + GATHER;
        while !flags.is_stopped && !self.work.wait_until(&mut flags, gathered).timed_out() {}
        self.has_arrivals.store(false, Ordering::Release);
        !flags.is_stopped
    }

    fn is_stopped(&self) -> bool {
        self.flags.lock().is_stopped
    }

    /// Rests, then sleeps until something has changed. False at the stop.
    fn wait_for_change(&self, rest: Duration) -> bool {
        let rested = Instant::now() + rest;
        let mut flags = self.flags.lock();
        while !flags.is_stopped && !self.snapshot.wait_until(&mut flags, rested).timed_out() {}
        while !flags.is_stopped && !flags.is_changed {
            self.snapshot.wait(&mut flags);
        }
        flags.is_changed = false;
        !flags.is_stopped
    }
}

/// What a thread does until it is told to stop.
type Body = fn(&Broker, &Timer);

/// The threads while they run.
pub(crate) struct TimerThreads {
    broker: Arc<Broker>,
    threads: Vec<JoinHandle<()>>,
}

impl TimerThreads {
    /// Starts them; `None` for a broker without a timer.
    pub(crate) fn start(broker: &Arc<Broker>) -> io::Result<Option<Self>> {
        if broker.timer.is_none() {
            return Ok(None);
        }
        let mut started = Self { broker: Arc::clone(broker), threads: Vec::new() };
        let bodies: [(&str, Body); 2] = [("timer", work), ("timer-snapshot", write_snapshots)];
        for (name, body) in bodies {
            let broker = Arc::clone(broker);
            let run = move || {
                if let Some(timer) = &broker.timer {
                    body(&broker, timer);
                }
            };
            match std::thread::Builder::new().name(name.to_owned()).spawn(run) {
                Ok(thread) => started.threads.push(thread),
                Err(error) => {
                    started.stop();
                    return Err(error);
                }
            }
        }
        Ok(Some(started))
    }

    /// Ends them and writes the last snapshot. Nobody may append to the store at the same time.
    pub(crate) fn stop(mut self) {
        self.end();
        if let Some(timer) = &self.broker.timer {
            timer.close(&self.broker.store, self.broker.clock.now_ms());
        }
    }

    fn end(&mut self) {
        if let Some(timer) = &self.broker.timer {
            timer.wake.stop();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Dropped without [`TimerThreads::stop`], what is on disk is left as a crash would leave it.
impl Drop for TimerThreads {
    fn drop(&mut self) {
        self.end();
    }
}

fn work(broker: &Broker, timer: &Timer) {
    let mut is_troubled = false;
    loop {
        let now_ms = broker.clock.now_ms();
        let (stops_intake, stops_delivery) = {
            let settings = broker.settings.read();
            (settings.store.timer_stop_enqueue, settings.store.timer_stop_dequeue)
        };
        let scene = Scene {
            store: &broker.store,
            stats: &broker.stats,
            metrics: broker.metrics.as_deref(),
            now_ms,
            stops_intake,
            stops_delivery,
        };
        let longest = match timer.turn(&scene) {
            Ok(next) => {
                if std::mem::take(&mut is_troubled) {
                    tracing::info!("the timer works again");
                }
                match next {
                    Next::Again if timer.wake.is_stopped() => return,
                    Next::Again => continue,
                    // The switches may be turned while nothing arrives.
                    _ if stops_intake || stops_delivery => Some(LOOK),
                    Next::At(due_ms) => Some(Duration::from_millis((due_ms - now_ms).max(1) as u64).min(LOOK)),
                    Next::Arrival => None,
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_troubled, true) {
                    tracing::error!(%error, "the timer cannot go on; it tries again every second, and nothing is lost");
                }
                if !timer.wake.rest(REST) {
                    return;
                }
                continue;
            }
        };
        if !timer.wake.wait_for_work(longest) {
            return;
        }
    }
}

impl Wake {
    /// Rests whatever arrives. False at the stop.
    fn rest(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut flags = self.flags.lock();
        while !flags.is_stopped && !self.work.wait_until(&mut flags, until).timed_out() {}
        !flags.is_stopped
    }
}

fn write_snapshots(broker: &Broker, timer: &Timer) {
    let mut rest = Duration::ZERO;
    let mut expired_at = Instant::now();
    loop {
        let interval: Duration = broker.settings.read().store.timer_flush_interval_ms.into();
        if !timer.wake.wait_for_change(rest.max(interval)) {
            return;
        }
        let begun = Instant::now();
        timer.write_snapshot(&broker.store, broker.clock.now_ms(), |store, end| await_flush(store, timer, end));
        if let Err(error) = timer.counts.save() {
            tracing::warn!(%error, "the timer's counts are not on disk");
        }
        if expired_at.elapsed() >= EXPIRY {
            expired_at = Instant::now();
            timer.expire(&broker.store);
        }
        rest = begun.elapsed().saturating_mul(10).min(FLUSH_WAIT);
    }
}

/// Waits until the commit log before `end` is on disk. False when that does not happen or the timer stops.
fn await_flush(store: &MessageStore, timer: &Timer, end: PhysicalOffset) -> bool {
    loop {
        let (sender, receiver) = mpsc::sync_channel(1);
        let done = Box::new(move |outcome| {
            let _ = sender.send(outcome);
        });
        store.when_flushed(end, Instant::now() + FLUSH_WAIT, done);
        match receiver.recv_timeout(FLUSH_WAIT * 2) {
            Ok(FlushOutcome::Flushed) => return true,
            Ok(FlushOutcome::TimedOut) if !timer.wake.is_stopped() => {}
            _ => return false,
        }
    }
}

impl Timer {
    /// Writes what changed since the last snapshot, once the commit log that it rests on is on disk.
    pub(super) fn write_snapshot(
        &self,
        store: &MessageStore,
        now_ms: i64,
        await_flush: impl FnOnce(&MessageStore, PhysicalOffset) -> bool,
    ) {
        let (snapshot, end) = {
            let mut state = self.state.lock();
            let progress = self.progress(&state, store, now_ms);
            let Some(snapshot) = state.files.snapshot(&progress) else { return };
            (snapshot, store.max_physical_offset())
        };
        let written = if await_flush(store, end) {
            snapshot.write().map_err(|error| error.to_string())
        } else {
            Err("the commit log is not on disk".to_owned())
        };
        if let Err(error) = written {
            self.state.lock().files.failed(&snapshot);
            self.wake.changed();
            if self.wake.is_stopped() {
                // The last snapshot follows.
                return;
            }
            tracing::error!(error, "the timer's progress is not on disk; a restart goes back to the last one that is");
        }
    }

    /// Writes the last snapshot.
    fn close(&self, store: &MessageStore, now_ms: i64) {
        self.write_snapshot(store, now_ms, |store, _| store.flush().is_ok());
        if self.state.lock().files.checkpoint().log_position < 0 {
            tracing::error!("the timer's progress is not on disk; the next start goes back to the last one that is");
        }
        if let Err(error) = self.counts.save() {
            tracing::warn!(%error, "the timer's counts are not on disk");
        }
    }

    /// Deletes files of the timer log that nobody needs.
    fn expire(&self, store: &MessageStore) {
        match self.state.lock().files.expire(store.min_physical_offset()) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old files of the timer log are deleted"),
            Err(error) => tracing::warn!(%error, "old files of the timer log cannot be deleted"),
        }
    }
}
