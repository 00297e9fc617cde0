//! The clocks of the store, so that tests can move them, and the store's own time, which goes on evenly when the machine's
//! clock is set.
//!
//! ```text
//! machine    ──────────┐ set back                 ┌── set forward
//!                      └──────────── ...  ────────┘
//! store      ───────────────╌╌╌╌╌╌╌╌ (nine tenths as fast, until both agree)
//! ```
//!
//! A machine's clock is compared with a counter that nobody sets. When it was set back, store time goes on from where it
//! was, a little slower than it should, until the machine has caught up: store times never fall, and what lasts half an
//! hour is never over early. When it was set forward, store time follows at once, because people search by it, and the step is
//! kept in mind: [`StoreTime::elapsed_ms`] does not count it.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970. May step: who needs an order keeps the largest seen.
    fn now_ms(&self) -> i64;

    /// Milliseconds since some moment, counted evenly whoever sets the clock, also while the machine sleeps.
    fn steady_ms(&self) -> i64;

    /// A time that never steps backward, for deadlines.
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn steady_ms(&self) -> i64 {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        since.tv_sec.saturating_mul(1000).saturating_add(since.tv_nsec / 1_000_000)
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ms: AtomicI64,
    steady_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that says `now_ms`.
    #[must_use]
    pub const fn new(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms), steady_ms: AtomicI64::new(0) }
    }

    /// Makes it say `now_ms`, as somebody who sets a clock does: no time passes.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Lets `by_ms` pass. When negative, sets it back by that: no time passes.
    pub fn advance(&self, by_ms: i64) {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
        self.steady_ms.fetch_add(by_ms.max(0), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn steady_ms(&self) -> i64 {
        self.steady_ms.load(Ordering::SeqCst)
    }
}

/// Less than this between the two clocks is the time it takes to read them.
const TOLERANCE_MS: i64 = 100;
/// While store time is ahead of the machine's, it loses this part of the time that passes.
const SLOWER_BY: i64 = 10;
/// Steps forward that are kept in mind; beyond it the oldest two count as one.
const STEPS_MAX: usize = 32;

/// The machine's clock was set forward.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Store time just before.
    at_ms: i64,
    by_ms: i64,
}

#[derive(Debug)]
struct Seen {
    machine_ms: i64,
    steady_ms: i64,
    /// By how much store time is ahead of the machine's.
    lead_ms: i64,
    /// Forward steps, oldest first.
    steps: Vec<Step>,
    /// By how much the machine's clock was set, forward or back, since somebody asked.
    set_by_ms: i64,
}

/// The store's time: never falls, and goes on evenly when the machine's clock is set.
///
/// It knows of steps since it was made only; a clock that was set while the process did not run is taken at its word, but for
/// what the log says: time goes on from its last message.
pub struct StoreTime {
    clock: Arc<dyn Clock>,
    last_ms: AtomicI64,
    lead_ms: AtomicI64,
    seen: Mutex<Seen>,
}

impl StoreTime {
    /// Goes on from `last_ms`, when the last message was stored, or from now if that is later.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, last_ms: i64) -> Self {
        let (machine_ms, steady_ms) = read_both(&*clock);
        let lead_ms = last_ms.saturating_sub(machine_ms).max(0);
        if lead_ms > TOLERANCE_MS {
            tracing::warn!(
                lead_ms,
                "the machine's clock is behind the last message: messages get times from there on, until it has caught up"
            );
        }
        let seen = Seen { machine_ms, steady_ms, lead_ms, steps: Vec::new(), set_by_ms: 0 };
        Self {
            clock,
            last_ms: AtomicI64::new(machine_ms.saturating_add(lead_ms)),
            lead_ms: AtomicI64::new(lead_ms),
            seen: Mutex::new(seen),
        }
    }

    /// Store time, in milliseconds since 1970: at least what it was before.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        let mut lead_ms = self.lead_ms.load(Ordering::Acquire);
        let mut now_ms = self.clock.now_ms().saturating_add(lead_ms);
        // With a lead, a clock that is set right must be noticed at once, or time would leap ahead by it.
        if lead_ms != 0 || now_ms < self.last_ms.load(Ordering::Acquire) {
            self.observe();
            lead_ms = self.lead_ms.load(Ordering::Acquire);
            now_ms = self.clock.now_ms().saturating_add(lead_ms);
        }
        self.last_ms.fetch_max(now_ms, Ordering::AcqRel).max(now_ms)
    }

    /// How many milliseconds have really passed since store time was `timestamp`: steps forward since then are not counted.
    /// 0 for a time to come.
    #[must_use]
    pub fn elapsed_ms(&self, timestamp: i64) -> i64 {
        self.observe();
        let now_ms = self.now_ms();
        let seen = self.seen.lock();
        let steps = seen.steps.iter().filter(|step| timestamp <= step.at_ms).map(|step| step.by_ms);
        let stepped_ms = steps.fold(0, i64::saturating_add);
        now_ms.saturating_sub(timestamp).saturating_sub(stepped_ms).max(0)
    }

    /// By how many milliseconds the machine's clock was set since the last call, back when negative.
    pub(crate) fn take_set_by_ms(&self) -> i64 {
        self.observe();
        std::mem::take(&mut self.seen.lock().set_by_ms)
    }

    /// Compares the machine's clock with the counter. To be called now and then; whoever needs to know does so as well.
    pub(crate) fn observe(&self) {
        let mut seen = self.seen.lock();
        let (machine_ms, steady_ms) = read_both(&*self.clock);
        let passed_ms = steady_ms.saturating_sub(seen.steady_ms).max(0);
        let set_by_ms = machine_ms.saturating_sub(seen.machine_ms).saturating_sub(passed_ms);
        let lead_before_ms = seen.lead_ms;
        if set_by_ms.abs() <= TOLERANCE_MS {
            seen.lead_ms = (seen.lead_ms - passed_ms / SLOWER_BY).max(0);
            if seen.lead_ms > 0 && passed_ms < SLOWER_BY {
                // Too little to count: left for the next look, or many looks would never get anywhere.
                return;
            }
        } else {
            seen.set_by_ms = seen.set_by_ms.saturating_add(set_by_ms);
            // Where store time would be had nobody touched the clock.
            let even_ms = seen.machine_ms.saturating_add(passed_ms).saturating_add(seen.lead_ms);
            seen.lead_ms = even_ms.saturating_sub(machine_ms).max(0);
            if seen.lead_ms == 0 && machine_ms > even_ms {
                seen.note(Step { at_ms: even_ms, by_ms: machine_ms - even_ms });
            }
            tracing::warn!(
                set_by_ms,
                lead_ms = seen.lead_ms,
                "the machine's clock was set; times of messages do not fall, and delays last as long as they should"
            );
        }
        (seen.machine_ms, seen.steady_ms) = (machine_ms, steady_ms);
        if seen.lead_ms != lead_before_ms {
            self.lead_ms.store(seen.lead_ms, Ordering::Release);
        }
    }
}

impl Seen {
    fn note(&mut self, step: Step) {
        if self.steps.len() >= STEPS_MAX {
            // What lies between the two counts as older than both: it is held a little longer.
            let oldest = self.steps.remove(0);
            if let Some(next) = self.steps.first_mut() {
                next.by_ms = next.by_ms.saturating_add(oldest.by_ms);
            }
        }
        self.steps.push(step);
    }
}

impl Clock for StoreTime {
    fn now_ms(&self) -> i64 {
        Self::now_ms(self)
    }

    fn steady_ms(&self) -> i64 {
        self.clock.steady_ms()
    }

    fn instant(&self) -> Instant {
        self.clock.instant()
    }
}

/// Machine time and counter, read close together.
fn read_both(clock: &dyn Clock) -> (i64, i64) {
    let mut tries = 0;
    loop {
        let before_ms = clock.steady_ms();
        let machine_ms = clock.now_ms();
        let steady_ms = clock.steady_ms();
        tries += 1;
        // A thread that was put aside in between tries again.
        if steady_ms - before_ms <= TOLERANCE_MS / 4 || tries == 4 {
            return (machine_ms, steady_ms);
        }
    }
}
