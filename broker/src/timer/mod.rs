//! Messages with a time of their own: they wait in `rmq_sys_wheel_timer` and are delivered when their tick is over.
//!
//! ```text
//! send ──► commit log, rmq_sys_wheel_timer/0          due.rs decides the tick, handle.rs the handle for a recall
//!             │ intake.rs, in the order of the queue
//!             ▼
//!          timer log and wheel (store::timer)
//!             │ delivery.rs, tick by tick
//!             ▼
//!          commit log, the real topic ── or the wheel's topic once more, when the time lies beyond the wheel's reach
//! ```
//! One thread does both (`thread.rs`), another writes snapshots to disk. A message is delivered when the tick it waits for is
//! over by the machine's clock: never early, and late by no more than a tick and what the work takes.
//!
//! **Once**: a delivery and the mark that it was made cannot be written at one moment, so the commit log itself is the mark. What
//! was delivered since the last snapshot is looked up there after a crash and not delivered again; a snapshot is written only
//! after the commit log that it rests on is on disk. So a message is delivered exactly once across stops, kills and losses of
//! power, as far as its delivery is in the log. Three things are left: a broker of the Java release that goes on after a crash of
//! this one delivers up to a second's worth again, as it does after its own; a message without `UNIQ_KEY` that another broker
//! stored is told by topic and time only; and a delivery whose properties are too long for the stamp `TIMER_DEQUEUE_MS` may be
//! made again after a crash.
//!
//! Never here: delay levels (`crate::schedule`), the formats of the files.
//!
//! Upstream: `TimerMessageStore` (RocketMQ 5.5.0).

pub(crate) mod counts;
mod delivery;
pub(crate) mod due;
pub(crate) mod handle;
mod intake;
mod thread;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use boostermq_remoting::names::Topic;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use boostermq_store::AppendBatch;
use boostermq_store::MessageStore;
use boostermq_store::config::StoreConfig;
use boostermq_store::consume_queue::{ConsumeQueue, QueueError, Unit};
use boostermq_store::error::{AppendError, FileError};
use boostermq_store::timer::{
    Deliveries, TimerCheckpoint, TimerError, TimerFiles, TimerOptions, TimerProgress, WHEEL_QUEUE, WHEEL_TOPIC,
};
use parking_lot::Mutex;

use self::counts::{Counts, PerSecond};
use self::delivery::Run;
use crate::metadata::MetadataError;
use crate::metrics::Metrics;
use crate::stats::BrokerStats;

pub(crate) use self::thread::TimerThreads;

/// Slots of the wheel that stay free, so that a tick to come never meets one that has passed (RocketMQ 5.5.0).
const BLANK_SLOTS: i64 = 60;
/// Slots of the wheel that can be used: a week of seconds (RocketMQ 5.5.0).
const SLOTS: i64 = 7 * 86_400;

/// Slots that are looked at under one lock by those who only look.
const SLOTS_AT_ONCE: i64 = 4096;

/// Why the timer cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TimerStartError {
    /// Its files.
    #[error(transparent)]
    Files(#[from] TimerError),
    /// Its counts.
    #[error(transparent)]
    Counts(#[from] MetadataError),
    /// Its threads.
    #[error("starting the timer's threads failed: {0}; check the limit of processes (ulimit -u)")]
    Threads(#[from] io::Error),
}

/// Why a turn of the timer could not be finished. It is tried again; nothing is lost or done twice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TimerTrouble {
    /// A file of the timer.
    #[error(transparent)]
    File(#[from] FileError),
    /// The queue of waiting messages.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Due messages cannot be stored.
    #[error("due messages cannot be stored: {0}")]
    Append(#[from] AppendError),
}

/// Times by which the timer works; fixed at start.
#[derive(Clone, Copy, Debug)]
struct Times {
    precision_ms: i64,
    /// A message that is due later is put off: it waits for a part of the time and comes back.
    reach_ms: i64,
}

impl Times {
    fn new(config: &StoreConfig) -> Self {
        let precision_ms = i64::try_from(config.timer_precision_ms.0).unwrap_or(1000).max(1);
        let slots = match i64::from(config.timer_roll_window_slot) {
            slots @ 2.. if slots <= SLOTS - BLANK_SLOTS => slots,
            _ => SLOTS - BLANK_SLOTS,
        };
        // A unit of the timer log has 32 bits for the delay.
        let slots = slots.min(i64::from(i32::MAX) / precision_ms).max(2);
        Self { precision_ms, reach_ms: slots * precision_ms }
    }

    /// Begin of the tick that `time_ms` lies in.
    const fn tick(self, time_ms: i64) -> i64 {
        time_ms.div_euclid(self.precision_ms) * self.precision_ms
    }
}

/// What a turn works with.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a MessageStore,
    pub(crate) stats: &'a BrokerStats,
    /// What counts for Prometheus, where that is wanted.
    pub(crate) metrics: Option<&'a Metrics>,
    /// The machine's time, milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// Takes nothing in.
    pub(crate) stops_intake: bool,
    /// Gives nothing out.
    pub(crate) stops_delivery: bool,
}

/// What is to be done after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is more to do now.
    Again,
    /// Nothing before this time, milliseconds since 1970, unless a message arrives.
    At(i64),
    /// Nothing unless a message arrives.
    Arrival,
}

/// The timer of a broker.
pub(crate) struct Timer {
    times: Times,
    topic: Topic,
    state: Mutex<State>,
    wake: thread::Wake,
    pub(crate) counts: Counts,
    taken_in: PerSecond,
    delivered: PerSecond,
    /// [`State::queue_offset`] for those who only look.
    queue_offset: AtomicI64,
}

/// What the timer's thread changes. Its lock is held for a millisecond or so at a time, and never while a disk is waited for.
struct State {
    files: TimerFiles,
    /// Next message of the topic.
    queue_offset: QueueOffset,
    /// Deliveries that the files do not know of, until all that they may concern has been seen.
    deliveries: Deliveries,
    /// Where in the commit log those were looked for, and what they may concern.
    unsettled: Option<Unsettled>,
    /// The tick being given out.
    run: Option<Run>,
    batch: AppendBatch,
    units: Vec<Unit>,
    /// Properties of the record being made.
    properties: Vec<u8>,
    needs_recount: bool,
}

/// After a crash: what may have been delivered before it.
#[derive(Clone, Copy, Debug)]
struct Unsettled {
    from: PhysicalOffset,
    /// Messages of the commit log before this place.
    log_end: PhysicalOffset,
    /// Ticks up to this time.
    until_ms: i64,
}

impl Timer {
    /// Opens the timer of a store.
    pub(crate) fn open(
        store: &MessageStore,
        config: &StoreConfig,
        config_dir: &Path,
        now_ms: i64,
    ) -> Result<Self, TimerStartError> {
        let times = Times::new(config);
        let options = TimerOptions {
            root: store.options().root.clone(),
            precision_ms: times.precision_ms,
            log_file_size: config.mapped_file_size_timer_log.0 as i64,
        };
        let counts = Counts::load(config_dir)?;
        let (files, deliveries) = TimerFiles::open(&options, store, now_ms)?;
        let checkpoint = *files.checkpoint();
        let unsettled = deliveries.scanned_from().map(|from| Unsettled {
            from,
            log_end: store.max_physical_offset(),
            until_ms: now_ms,
        });
        let state = State {
            files,
            queue_offset: checkpoint.queue_offset,
            needs_recount: unsettled.is_some(),
            deliveries,
            unsettled,
            run: None,
            batch: AppendBatch::new(),
            units: Vec::new(),
            properties: Vec::new(),
        };
        // The name is a constant that may stand in a path.
        let topic = Topic::parse_stored(WHEEL_TOPIC).unwrap_or_else(|| unreachable!("a legal topic name"));
        Ok(Self {
            times,
            topic,
            queue_offset: AtomicI64::new(state.queue_offset.0),
            state: Mutex::new(state),
            wake: thread::Wake::default(),
            counts,
            taken_in: PerSecond::default(),
            delivered: PerSecond::default(),
        })
    }

    /// Milliseconds of a tick.
    pub(crate) const fn precision_ms(&self) -> i64 {
        self.times.precision_ms
    }

    /// The queue in which messages wait to be taken in.
    pub(crate) fn queue(&self, store: &MessageStore) -> Arc<ConsumeQueue> {
        // Looked up each time: an empty queue may have been made anew.
        store.queue(&self.topic, WHEEL_QUEUE)
    }

    /// A message can be read: if it waits for a time, the timer takes it in.
    pub(crate) fn arrived(&self, topic: &str) {
        if topic == WHEEL_TOPIC {
            self.wake.arrived();
        }
    }

    /// Whether one more message for this tick is too many. From the limit to twice of it the more are refused the more there
    /// are; `draw` is random.
    pub(crate) fn refuses(&self, slot_ms: i64, limit: i64, draw: u64) -> bool {
        if limit >= i64::from(i32::MAX) {
            return false;
        }
        let waiting = self.state.lock().files.pending_at(slot_ms);
        let over = waiting - limit;
        over > 0 && (over >= limit || (draw % 1000) as i64 > 1000 - 1000 * over / limit.max(1))
    }

    /// Does a piece of what there is to do.
    pub(crate) fn turn(&self, scene: &Scene<'_>) -> Result<Next, TimerTrouble> {
        let state = &mut *self.state.lock();
        if std::mem::take(&mut state.needs_recount) {
            self.recount(state, scene)?;
        }
        // A tick that is being given out is finished first, so that a snapshot never sees a part of one.
        if state.run.is_none() && !scene.stops_intake && self.take_in(state, scene)? {
            return Ok(Next::Again);
        }
        self.settle(state, scene);
        if state.run.is_none()
            && !scene.stops_intake
            && scene.store.dispatched_offset() >= scene.store.confirm_offset()
            && state.files.end_passing_over()
        {
            self.wake.changed();
        }
        let due_ms = state.files.first_slot_ms().map(|slot_ms| slot_ms + self.times.precision_ms);
        match due_ms {
            _ if scene.stops_delivery && state.run.is_none() => Ok(Next::Arrival),
            Some(due_ms) if due_ms > scene.now_ms => {
                if state.files.lags(scene.store.max_physical_offset()) {
                    self.wake.changed();
                }
                Ok(Next::At(due_ms))
            }
            Some(_) => {
                self.give_out(state, scene)?;
                Ok(Next::Again)
            }
            None => Ok(Next::Arrival),
        }
    }

    /// Forgets what was looked up after a crash once it can concern nothing any more.
    fn settle(&self, state: &mut State, scene: &Scene<'_>) {
        let Some(unsettled) = state.unsettled else { return };
        let is_open = |slot_ms: i64| slot_ms + self.times.precision_ms <= unsettled.until_ms;
        if state.run.is_none()
            && scene.store.dispatched_offset() >= unsettled.log_end
            && state.queue_offset >= scene.store.max_queue_offset(WHEEL_TOPIC, WHEEL_QUEUE)
            && !state.files.first_slot_ms().is_some_and(is_open)
            && scene.now_ms >= unsettled.until_ms
        {
            state.unsettled = None;
            state.deliveries = Deliveries::default();
        }
    }

    /// What a snapshot says. Everything before `deliveries_end` that was delivered, the wheel knows.
    fn progress(&self, state: &State, store: &MessageStore, now_ms: i64) -> TimerProgress {
        let deliveries_end = match (&state.unsettled, &state.run) {
            (Some(unsettled), _) => unsettled.from,
            (None, Some(run)) => run.began,
            (None, None) => store.max_physical_offset(),
        };
        TimerProgress { now_ms, queue_offset: state.queue_offset, deliveries_end }
    }

    /// Counts anew what waits for each topic, after a stop that may have lost counts.
    fn recount(&self, state: &mut State, scene: &Scene<'_>) -> Result<(), TimerTrouble> {
        let topics = self.counts.topics_by_hash();
        let mut changes = counts::Changes::default();
        state.files.for_each(|waiting| {
            let by = if waiting.is_recall { -1 } else { 1 };
            match topics.get(&waiting.topic_hash) {
                Some(Some(topic)) => changes.add(topic, by),
                _ => {
                    let record = scene.store.record_at(waiting.physical_offset);
                    if let Some(topic) = record.as_deref().and_then(delivery::real_topic) {
                        changes.add(topic, by);
                    }
                }
            }
        })?;
        self.counts.replace(&changes, scene.now_ms);
        Ok(())
    }

    /// How many messages are due up to each of these many seconds from now, each step without the ones before.
    pub(crate) fn waiting_until(&self, now_ms: i64, bounds_s: &[i64]) -> Vec<i64> {
        let (mut slot_ms, precision_ms) = (self.times.tick(now_ms), self.times.precision_ms);
        let waiting = bounds_s.iter().map(|bound_s| {
            let end_ms = self.times.tick(now_ms).saturating_add(bound_s * 1000);
            let mut count = 0;
            while slot_ms < end_ms {
                // The lock is held for a few microseconds at a time: it is the one under which messages are delivered.
                let state = self.state.lock();
                let part_ms = end_ms.min(slot_ms.saturating_add(SLOTS_AT_ONCE * precision_ms));
                while slot_ms < part_ms {
                    count += state.files.pending_at(slot_ms);
                    slot_ms += precision_ms;
                }
            }
            count
        });
        waiting.collect()
    }

    /// The numbers that slaves ask for.
    pub(crate) fn checkpoint(&self) -> TimerCheckpoint {
        *self.state.lock().files.checkpoint()
    }

    /// How far the timer is behind, and how much it has to do.
    pub(crate) fn look(&self, store: &MessageStore, now_ms: i64) -> TimerLook {
        let (pending, due_ms) = {
            let state = self.state.lock();
            (state.files.pending(), state.files.first_slot_ms().map(|slot_ms| slot_ms + self.times.precision_ms))
        };
        let behind_ms = due_ms.map_or(0, |due_ms| now_ms.saturating_sub(due_ms).max(0));
        let queue_end = store.max_queue_offset(WHEEL_TOPIC, WHEEL_QUEUE);
        let next = QueueOffset(self.queue_offset.load(Ordering::Acquire));
        // What cannot be read is passed over: nothing is late by it.
        let not_taken_in =
            (next < queue_end).then(|| store.store_timestamp(WHEEL_TOPIC, WHEEL_QUEUE, next).ok().flatten());
        let not_taken_in = not_taken_in.flatten();
        TimerLook {
            read_behind_s: behind_ms / 1000,
            read_behind_ms: behind_ms,
            offset_behind: (queue_end.0 - next.0).max(0),
            intake_behind_ms: not_taken_in.map_or(0, |stored_ms| now_ms.saturating_sub(stored_ms).max(0)),
            pending: pending.max(0),
            taken_in_per_second: self.taken_in.rate(now_ms),
            delivered_per_second: self.delivered.rate(now_ms),
        }
    }
}

/// What runtime info says about the timer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct TimerLook {
    /// Seconds by which the earliest tick that waits is overdue.
    pub(crate) read_behind_s: i64,
    /// The same in milliseconds.
    pub(crate) read_behind_ms: i64,
    /// Messages that are not taken in.
    pub(crate) offset_behind: i64,
    /// Milliseconds since the first of them was stored.
    pub(crate) intake_behind_ms: i64,
    /// Messages that wait.
    pub(crate) pending: i64,
    /// Messages taken in during the last second.
    pub(crate) taken_in_per_second: f64,
    /// Messages given out during the last second.
    pub(crate) delivered_per_second: f64,
}
