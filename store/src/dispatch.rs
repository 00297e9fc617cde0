//! From the log to what is derived from it: consume queues, index, and those who wait for messages.
//!
//! ```text
//!            position                 limit: end of the log, or what is on disk under SYNC_FLUSH
//! | dispatched | record | record | … | not to be seen yet |
//! ```
//!
//! One lane walks the log, record by record; whoever has its lock walks. A network thread takes it right after an append if it
//! is free, so that no other thread has to wake up before a message can be read. Who finds it taken only leaves word; the one
//! who has it looks for word after giving it back, so none is lost. What is left over, and retries, are the work of a thread.
//!
//! The index may be far behind after a crash. Then a second thread feeds it, and the lane takes over where that one ends.
//!
//! Never here: finding the end of the log, flushing.
//!
//! Upstream: `ReputMessageService`, `CommitLogDispatcherBuildConsumeQueue`, `CommitLogDispatcherBuildIndex`.

mod queue_builder;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use parking_lot::{Condvar, Mutex};

pub(crate) use queue_builder::{Place, Pushed, QueueBuilder, unit_of};

use crate::commit_log::{Check, CommitLog, Found, Headway, look, step_over};
use crate::consume_queue::QueueError;
use crate::error::OpenError;
use crate::health::{Health, Trouble};
use crate::index::Index;
use crate::mapped_file::MappedFile;
use crate::options::FlushMode;
use crate::stats::Counters;

const THREAD_NAME: &str = "store-dispatch";
const INDEX_THREAD_NAME: &str = "store-index";
/// No place in the log.
const NOTHING: i64 = -1;
/// Records that a network thread dispatches before it hands over to the thread.
const INLINE_RECORDS: u32 = 512;
/// Records that the thread dispatches before it lets others have the lane.
const THREAD_RECORDS: u32 = 8192;
/// Pause before another try to write a consume queue.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of the log that the index may be behind to be brought up while the store opens.
const INDEX_INLINE_BYTES: i64 = 64 << 20;
/// Records after which the building of the index has more of the log read ahead, and may say how far it is.
const INDEX_RECORDS: u64 = 4096;
/// Bytes of the log that are read ahead then.
const INDEX_READ_AHEAD: i64 = 16 << 20;

/// A message that has become readable.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its topic, or the light queue it stands in, too.
    pub topic: &'a str,
    /// Its queue.
    pub queue_id: QueueId,
    /// One past its offset: the end of the queue.
    pub queue_offset: QueueOffset,
    /// What the consume queue keeps for filters: the hash of its tags, or the time of delivery of a delayed message.
    pub tags_code: i64,
    /// When it was appended, in milliseconds since 1970.
    pub store_timestamp: i64,
    /// The message.
    pub record: &'a Record<'a>,
}

/// Who is told of messages that have become readable. Called in the order of the log, on the thread that dispatches: it has to
/// be quick, and it may not wait for another message.
pub trait ArrivalListener: Send + Sync {
    /// A message can be read from now on.
    fn arrived(&self, arrival: &Arrival<'_>);

    /// Appends the filter bits of a message to `bits`, where somebody wants them computed. Asked before the message can be read, and
    /// only where extension files keep them.
    fn filter_bits(&self, record: &Record<'_>, bits: &mut Vec<u8>) {
        let _ = (record, bits);
    }
}

/// Why a walk along the log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    CaughtUp,
    OutOfBudget,
    Failed,
}

/// What the lane's lock guards.
struct Lane {
    queues: QueueBuilder,
    position: i64,
    file: Option<Arc<MappedFile>>,
    /// The lane feeds the index, too: it is not behind.
    feeds_index: bool,
    /// Filter bits of the record at hand.
    bits: Vec<u8>,
    /// Its units.
    pushed: Vec<Pushed>,
}

#[derive(Default)]
struct Wake {
    is_wanted: bool,
    is_stopped: bool,
}

struct Shared {
    log: Arc<CommitLog>,
    index: Option<Arc<Index>>,
    health: Arc<Health>,
    counters: Arc<Counters>,
    mode: FlushMode,
    listener: OnceLock<Arc<dyn ArrivalListener>>,
    lane: Mutex<Lane>,
    /// The first record that could not be put into the index.
    index_lacks: AtomicI64,
    /// There may be records that the holder of the lane has not seen.
    is_pending: AtomicBool,
    /// Copies of the lane's state for those who only look.
    position: AtomicI64,
    store_timestamp: AtomicI64,
    wake: Mutex<Wake>,
    woken: Condvar,
}

/// Feeds everything that is derived from the log.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a dispatcher works with.
pub(crate) struct DispatchParts {
    pub(crate) log: Arc<CommitLog>,
    pub(crate) queues: QueueBuilder,
    pub(crate) index: Option<Arc<Index>>,
    pub(crate) health: Arc<Health>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) mode: FlushMode,
    /// Where the consume queues end.
    pub(crate) position: i64,
    /// From where on the index may lack records.
    pub(crate) index_position: i64,
}

impl Dispatcher {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`OpenError::Thread`].
    pub(crate) fn start(parts: DispatchParts) -> Result<Self, OpenError> {
        let DispatchParts { log, queues, index, health, counters, mode, position, index_position } = parts;
        let lane = Lane { queues, position, file: None, feeds_index: false, bits: Vec::new(), pushed: Vec::new() };
        let shared = Arc::new(Shared {
            store_timestamp: AtomicI64::new(log.last_store_timestamp()),
            log,
            index,
            health,
            counters,
            mode,
            listener: OnceLock::new(),
            lane: Mutex::new(lane),
            index_lacks: AtomicI64::new(NOTHING),
            is_pending: AtomicBool::new(true),
            position: AtomicI64::new(position),
            wake: Mutex::default(),
            woken: Condvar::new(),
        });
        let dispatcher = Self { shared, threads: Mutex::default() };
        if position - index_position <= INDEX_INLINE_BYTES {
            dispatcher.shared.feed_index(index_position);
        } else {
            dispatcher.spawn(INDEX_THREAD_NAME, move |shared| shared.feed_index(index_position))?;
        }
        dispatcher.spawn(THREAD_NAME, |shared| shared.run())?;
        Ok(dispatcher)
    }

    fn spawn(&self, name: &'static str, work: impl FnOnce(&Shared) + Send + 'static) -> Result<(), OpenError> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared));
        self.threads.lock().push(thread.map_err(|source| OpenError::Thread { name, source })?);
        Ok(())
    }

    /// Sets who is told of arrivals; the first one stays.
    pub(crate) fn set_listener(&self, listener: Arc<dyn ArrivalListener>) {
        let _ = self.shared.listener.set(listener);
    }

    /// Everything before is in the consume queues.
    pub(crate) fn position(&self) -> PhysicalOffset {
        PhysicalOffset(self.shared.position.load(Ordering::Acquire))
    }

    /// Store time of a record before [`Dispatcher::position`], the last one or one shortly before.
    pub(crate) fn store_timestamp(&self) -> i64 {
        self.shared.store_timestamp.load(Ordering::Acquire)
    }

    /// Dispatches what there is, on this thread if nobody else does, up to a bound.
    pub(crate) fn dispatch_now(&self) {
        self.shared.dispatch_now();
    }

    /// Has the thread look for records.
    pub(crate) fn wake(&self) {
        self.shared.wake();
    }

    /// Dispatches everything there is, on this thread. Returns false when a consume queue cannot be written.
    pub(crate) fn drain(&self) -> bool {
        let mut lane = self.shared.lane.lock();
        let mut budget = u32::MAX;
        loop {
            match self.shared.walk(&mut lane, &mut budget) {
                Progress::CaughtUp => return true,
                Progress::OutOfBudget => budget = u32::MAX,
                Progress::Failed => return false,
            }
        }
    }

    /// Runs `work`, which removes queues, when nothing of them is left to dispatch, and forgets them.
    pub(crate) fn with_lane_stopped<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut lane = self.shared.lane.lock();
        let mut budget = u32::MAX;
        self.shared.walk(&mut lane, &mut budget);
        let result = work();
        lane.queues.forget();
        result
    }

    /// Ends the threads; what is not dispatched stays so.
    pub(crate) fn stop(&self) {
        self.shared.wake.lock().is_stopped = true;
        self.shared.woken.notify_all();
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn dispatch_now(&self) {
        self.is_pending.store(true, Ordering::Release);
        let mut budget = INLINE_RECORDS;
        loop {
            // Between word and look, here and after the lane is given back: one of the two sees the other.
            fence(Ordering::SeqCst);
            let Some(mut lane) = self.lane.try_lock() else { return };
            self.is_pending.swap(false, Ordering::AcqRel);
            let progress = self.walk(&mut lane, &mut budget);
            drop(lane);
            fence(Ordering::SeqCst);
            match progress {
                Progress::CaughtUp if self.is_pending.load(Ordering::Acquire) => {}
                Progress::CaughtUp => return,
                Progress::OutOfBudget | Progress::Failed => return self.wake(),
            }
        }
    }

    fn wake(&self) {
        let mut wake = self.wake.lock();
        if !wake.is_wanted {
            wake.is_wanted = true;
            self.woken.notify_one();
        }
    }

    /// The thread.
    fn run(&self) {
        loop {
            let lacking = self.index_lacks.swap(NOTHING, Ordering::AcqRel);
            if lacking != NOTHING {
                self.feed_index(lacking);
            }
            match self.walk_all() {
                Progress::Failed => {
                    let mut wake = self.wake.lock();
                    if !wake.is_stopped {
                        self.woken.wait_for(&mut wake, RETRY_PAUSE);
                    }
                }
                _ => {
                    let mut wake = self.wake.lock();
                    while !wake.is_wanted && !wake.is_stopped {
                        self.woken.wait(&mut wake);
                    }
                }
            }
            let mut wake = self.wake.lock();
            wake.is_wanted = false;
            if wake.is_stopped {
                return;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.wake.lock().is_stopped
    }

    fn walk_all(&self) -> Progress {
        loop {
            let mut budget = THREAD_RECORDS;
            let progress = {
                let mut lane = self.lane.lock();
                self.is_pending.swap(false, Ordering::AcqRel);
                self.walk(&mut lane, &mut budget)
            };
            fence(Ordering::SeqCst);
            match progress {
                Progress::Failed => return progress,
                Progress::CaughtUp if !self.is_pending.load(Ordering::Acquire) => return progress,
                _ if self.is_stopped() => return progress,
                _ => {}
            }
        }
    }

    /// First byte that must not be seen yet.
    fn limit(&self) -> i64 {
        match self.mode {
            FlushMode::Async => self.log.end(),
            FlushMode::Sync => self.log.flushed(),
        }
    }

    /// Dispatches record after record.
    fn walk(&self, lane: &mut Lane, budget: &mut u32) -> Progress {
        let mut limit = self.limit();
        let progress = loop {
            if lane.position >= limit {
                limit = self.limit();
                if lane.position >= limit {
                    break Progress::CaughtUp;
                }
            }
            if *budget == 0 {
                break Progress::OutOfBudget;
            }
            *budget -= 1;
            if let Err(error) = self.step(lane, limit) {
                if !self.health.set(Trouble::Queues, true) {
                    tracing::error!(%error, position = lane.position, "no message is accepted until this succeeds");
                }
                break Progress::Failed;
            }
            self.position.store(lane.position, Ordering::Release);
        };
        if progress != Progress::Failed && self.health.has(Trouble::Queues) {
            self.health.set(Trouble::Queues, false);
            tracing::info!("consume queues can be written again");
        }
        progress
    }

    /// Dispatches what stands at the lane's position.
    fn step(&self, lane: &mut Lane, limit: i64) -> Result<(), QueueError> {
        let at = lane.position;
        let holds_it = |file: &Arc<MappedFile>| (file.base()..file.limit()).contains(&at);
        if !lane.file.as_ref().is_some_and(holds_it) {
            lane.file = self.log.file_at(at);
        }
        // Cloned, so that the record it lends does not hold on to the lane.
        let Some(file) = lane.file.clone() else {
            // Deleted before it was dispatched.
            lane.position = self.log.min_offset().clamp(at + 1, limit.max(at + 1));
            tracing::error!(from = at, to = lane.position, "the log was deleted before it was dispatched");
            return Ok(());
        };
        lane.position = match look(&file, at, Check::Lengths) {
            Found::Record(record) => {
                self.dispatch(lane, &record)?;
                at + i64::from(record.total_size())
            }
            Found::EndOfFile => file.limit(),
            Found::Damage { what, length, .. } => {
                let to = step_over(&file, at, length, self.log.content_check()).min(limit).max(at + 1);
                self.counters.damaged();
                tracing::error!(from = at, to, what, "the log is damaged here; consumers will not see these messages");
                to
            }
        };
        Ok(())
    }

    fn dispatch(&self, lane: &mut Lane, record: &Record<'_>) -> Result<(), QueueError> {
        lane.bits.clear();
        // What a failed try left there is pushed again.
        lane.pushed.clear();
        if let Some(listener) = self.listener.get().filter(|_| lane.queues.keeps_bits()) {
            listener.filter_bits(record, &mut lane.bits);
        }
        // All of them before anybody is told of one: who is told may look for the message everywhere.
        for place in lane.queues.places_of(record) {
            if let Some(pushed) = lane.queues.push_at(&place, record, &lane.bits)? {
                lane.pushed.push(pushed);
            }
        }
        if lane.feeds_index && !self.put_into_index(record) {
            lane.feeds_index = false;
        }
        self.store_timestamp.store(record.store_timestamp(), Ordering::Release);
        for pushed in lane.pushed.drain(..) {
            self.announce(record, &pushed);
        }
        Ok(())
    }

    /// Tells of a message that has become readable in one queue.
    fn announce(&self, record: &Record<'_>, pushed: &Pushed) {
        let Pushed { queue, queue_offset, tags_code } = pushed;
        if queue.next_offset() < *queue_offset {
            // The topic was deleted while a message of it was being appended: the new queue goes on after it.
            self.log.with_append_lock(|| queue.set_next_offset(queue.next_offset().max(*queue_offset)));
        }
        if let Some(listener) = self.listener.get() {
            listener.arrived(&Arrival {
                topic: queue.topic().as_str(),
                queue_id: queue.queue_id(),
                queue_offset: *queue_offset,
                tags_code: *tags_code,
                store_timestamp: record.store_timestamp(),
                record,
            });
        }
    }

    /// Returns whether that worked. If not, nothing after the record may be put before it: whoever continues begins with it, and
    /// so does the next start.
    fn put_into_index(&self, record: &Record<'_>) -> bool {
        let Some(index) = &self.index else { return true };
        let Err(error) = index.put(record) else { return true };
        if self.counters.index_failed() == 0 {
            tracing::error!(%error, "messages from here on are not found by key until the index can be written again");
        }
        self.index_lacks.store(record.physical_offset().0, Ordering::Release);
        false
    }

    /// Feeds the index from `position` until it has caught up with the lane, which then feeds it.
    fn feed_index(&self, mut position: i64) {
        if self.index.is_none() {
            return;
        }
        position = position.max(self.log.min_offset());
        let mut records = 0_u64;
        let mut headway = Headway::new("the index is being built from the commit log", position, self.limit());
        while !self.is_stopped() {
            let reached = {
                let mut lane = self.lane.lock();
                lane.feeds_index = position >= lane.position;
                lane.position
            };
            if position >= reached {
                return;
            }
            while position < reached && !self.is_stopped() {
                let Some(file) = self.log.file_at(position) else { break };
                position = match look(&file, position, Check::Lengths) {
                    Found::Record(record) => {
                        if !self.put_into_index(&record) {
                            return;
                        }
                        position + i64::from(record.total_size())
                    }
                    Found::EndOfFile => file.limit(),
                    Found::Damage { length, .. } => {
                        step_over(&file, position, length, self.log.content_check()).max(position + 1)
                    }
                };
                records += 1;
                if records.is_multiple_of(INDEX_RECORDS) {
                    file.read_ahead(position, INDEX_READ_AHEAD);
                    headway.report(position);
                }
            }
            position = position.max(self.log.min_offset());
        }
    }
}
