//! The thread that looks from time to time, and its pauses.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Retention;
use crate::error::OpenError;

const THREAD_NAME: &str = "store-retention";
/// After a start nothing is deleted for this long (RocketMQ 5.5.0), unless it is asked for or an append found no room.
const FIRST_LOOK_AFTER: Duration = Duration::from_secs(60);
/// While there is no room every refused message asks for a look: they come no closer together than this.
const LOOKS_APART: Duration = Duration::from_secs(1);

#[derive(Default)]
struct State {
    is_woken: bool,
    is_stopped: bool,
}

/// Pauses that end when there is something to do, or at the stop.
#[derive(Default)]
pub(super) struct Pause {
    state: Mutex<State>,
    changed: Condvar,
}

/// Why a pause ended.
#[derive(PartialEq, Eq)]
enum Ended {
    InTime,
    Woken,
    Stopped,
}

impl Pause {
    pub(super) fn wake(&self) {
        self.state.lock().is_woken = true;
        self.changed.notify_all();
    }

    /// Waits between two deletions. Returns whether to stop.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.is_stopped, pause);
        state.is_stopped
    }

    fn wait(&self, until: Instant) -> Ended {
        let mut state = self.state.lock();
        let is_idle = |state: &mut State| !state.is_stopped && !state.is_woken;
        self.changed.wait_while_until(&mut state, is_idle, until);
        match (state.is_stopped, std::mem::take(&mut state.is_woken)) {
            (true, _) => Ended::Stopped,
            (false, true) => Ended::Woken,
            (false, false) => Ended::InTime,
        }
    }

    fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.changed.notify_all();
    }
}

/// The thread.
pub(crate) struct RetentionThread {
    retention: Arc<Retention>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl RetentionThread {
    /// Looks at the disk, then starts the thread.
    ///
    /// # Errors
    /// [`OpenError::Thread`].
    pub(crate) fn start(retention: Arc<Retention>) -> Result<Self, OpenError> {
        retention.watch_disk();
        let run = Arc::clone(&retention);
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || run.run());
        let thread = thread.map_err(|source| OpenError::Thread { name: THREAD_NAME, source })?;
        Ok(Self { retention, thread: Mutex::new(Some(thread)) })
    }

    /// What it works with.
    pub(crate) fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Ends the thread, at the latest after the file that is being deleted.
    pub(crate) fn stop(&self) {
        self.retention.pause.stop();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Retention {
    fn run(&self) {
        let first_look = Instant::now() + FIRST_LOOK_AFTER;
        let mut looked: Option<Instant> = None;
        loop {
            let interval = self.options.load().interval;
            let ended = self.pause.wait(Instant::now() + interval);
            match ended {
                Ended::Stopped => return,
                Ended::InTime if Instant::now() < first_look => {
                    self.watch_disk();
                }
                Ended::InTime | Ended::Woken => {
                    let since = looked.map_or(LOOKS_APART, |looked| looked.elapsed());
                    if self.pause.rest(LOOKS_APART.saturating_sub(since)) {
                        return;
                    }
                    looked = Some(Instant::now());
                    self.look();
                }
            }
        }
    }
}
