//! Makes the next file of the log before it is needed, so that an append does not wait for the disk.
//!
//! One thread, at most one file ahead. What it made and nobody took is deleted at a clean stop.
//!
//! Upstream: `AllocateMappedFileService`.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::{AppendError, FileError, OpenError};
use crate::mapped_file::MappedFile;
use crate::once_a_minute::OnceAMinute;

/// Longest that an append waits for a file.
const TAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failure for good reason it is not tried again before this has passed: each try costs every sender time.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const THREAD_NAME: &str = "store-allocate";

#[derive(Default)]
struct State {
    /// Base of the file that is to be made next.
    wanted: Option<i64>,
    /// Base of the file that is being made.
    making: Option<i64>,
    ready: Option<MappedFile>,
    failed: Option<(i64, FileError)>,
    refused: Option<Refused>,
}

/// Whether there is room for the next file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    /// As far as is known.
    #[default]
    Enough,
    /// Not for the one that would be made ahead; messages still go into the present one.
    NotAhead,
    /// None, and messages are refused for it.
    None,
}

/// The disk is full or read-only.
struct Refused {
    base: i64,
    at: Instant,
    is_no_room: bool,
    /// An append was refused for it.
    is_felt: bool,
    path: PathBuf,
    cause: String,
}

impl Refused {
    fn new(base: i64, error: &FileError) -> Option<Self> {
        let is_no_room = error.is_no_room();
        (is_no_room || error.is_read_only()).then(|| Self {
            base,
            at: Instant::now(),
            is_no_room,
            is_felt: false,
            path: error.path.clone(),
            cause: error.source.to_string(),
        })
    }

    /// For an append.
    fn error(&mut self) -> AppendError {
        self.is_felt = true;
        let (path, cause) = (self.path.clone(), self.cause.clone());
        if self.is_no_room { AppendError::NoRoom { path, cause } } else { AppendError::ReadOnly { path, cause } }
    }
}

impl State {
    fn has(&self, base: i64) -> bool {
        self.is_ready(base) || [self.wanted, self.making].contains(&Some(base))
    }

    fn is_ready(&self, base: i64) -> bool {
        self.ready.as_ref().is_some_and(|file| file.base() == base)
    }
}

struct Shared {
    dir: PathBuf,
    size: u64,
    is_zeroing: bool,
    state: Mutex<State>,
    changed: Condvar,
    /// Someone waits: zeroing can be cut short.
    is_awaited: AtomicBool,
    is_stopped: AtomicBool,
    failure: OnceAMinute,
}

/// The thread and what it has ready.
pub(crate) struct Allocator {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Allocator {
    /// Starts the thread. With `is_zeroing`, files are written with zeros ahead of use: see [`MappedFile::create`].
    ///
    /// # Errors
    /// [`OpenError::Thread`].
    pub(crate) fn start(dir: PathBuf, size: u64, is_zeroing: bool) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            dir,
            size,
            is_zeroing,
            state: Mutex::default(),
            changed: Condvar::new(),
            is_awaited: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            failure: OnceAMinute::default(),
        });
        let run = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || run.run());
        let thread = thread.map_err(|source| OpenError::Thread { name: THREAD_NAME, source })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Has the file that begins at `base` made in the background.
    pub(crate) fn prepare(&self, base: i64) {
        let mut state = self.shared.state.lock();
        if !state.has(base) {
            state.wanted = Some(base);
            self.shared.changed.notify_all();
        }
    }

    /// The file that begins at `base`, made now if it was not prepared.
    ///
    /// # Errors
    /// [`AppendError::NoRoom`] and [`AppendError::ReadOnly`], for a second without another try; [`AppendError::NewFile`],
    /// [`AppendError::NewFileLate`]; asking again tries again.
    pub(crate) fn take(&self, base: i64) -> Result<MappedFile, AppendError> {
        let deadline = Instant::now() + TAKE_TIMEOUT;
        let mut state = self.shared.state.lock();
        let is_recent = |refused: &&mut Refused| refused.base == base && refused.at.elapsed() < RETRY_AFTER;
        if !state.is_ready(base)
            && let Some(refused) = state.refused.as_mut().filter(is_recent)
        {
            return Err(refused.error());
        }
        self.shared.is_awaited.store(true, Ordering::Release);
        // An error from making it ahead says nothing about now.
        state.failed = None;
        let taken = loop {
            if let Some(file) = state.ready.take_if(|file| file.base() == base) {
                break Ok(file);
            }
            if let Some((_, error)) = state.failed.take_if(|(failed, _)| *failed == base) {
                let refused = state.refused.as_mut().filter(|refused| refused.base == base);
                break Err(refused.map_or(AppendError::NewFile(error), Refused::error));
            }
            if !state.has(base) {
                state.wanted = Some(base);
                self.shared.changed.notify_all();
            }
            if self.shared.is_stopped.load(Ordering::Acquire) {
                break Err(AppendError::Closed);
            }
            if self.shared.changed.wait_until(&mut state, deadline).timed_out() {
                break Err(AppendError::NewFileLate { waited_ms: TAKE_TIMEOUT.as_millis() as u64 });
            }
        };
        self.shared.is_awaited.store(false, Ordering::Release);
        taken
    }

    /// What the last try to make a file showed.
    pub(crate) fn room(&self) -> Room {
        match &self.shared.state.lock().refused {
            Some(Refused { is_no_room: true, is_felt, .. }) if *is_felt => Room::None,
            Some(Refused { is_no_room: true, .. }) => Room::NotAhead,
            _ => Room::Enough,
        }
    }

    /// Has the file made again that there was no room for.
    pub(crate) fn try_room_again(&self) {
        let base =
            self.shared.state.lock().refused.as_ref().filter(|refused| refused.is_no_room).map(|refused| refused.base);
        if let Some(base) = base {
            self.prepare(base);
        }
    }

    /// Ends the thread. With `is_clean`, deletes the file that nobody took.
    ///
    /// # Errors
    /// [`FileError`] when it could not be deleted.
    pub(crate) fn stop(&self, is_clean: bool) -> Result<(), FileError> {
        self.shared.is_stopped.store(true, Ordering::Release);
        {
            // Taken so that the thread is either before its look at the flag or waiting.
            let _state = self.shared.state.lock();
            self.shared.changed.notify_all();
        }
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
        let unused = self.shared.state.lock().ready.take();
        match unused {
            Some(file) if is_clean => file.remove(),
            _ => Ok(()),
        }
    }
}

impl Shared {
    /// Says whether to zero one more chunk, after a pause as long as the last chunk took: half of the disk is left to the log.
    fn pause_zeroing(&self, chunk_begun: &Cell<Instant>) -> bool {
        let is_unwanted = || self.is_awaited.load(Ordering::Acquire) || self.is_stopped.load(Ordering::Acquire);
        if !is_unwanted() {
            let took = chunk_begun.get().elapsed();
            self.changed.wait_for(&mut self.state.lock(), took);
        }
        chunk_begun.set(Instant::now());
        !is_unwanted()
    }

    fn run(&self) {
        let mut state = self.state.lock();
        while !self.is_stopped.load(Ordering::Acquire) {
            let Some(base) = state.wanted.take() else {
                self.changed.wait(&mut state);
                continue;
            };
            state.making = Some(base);
            state.failed = None;
            let stale = state.ready.take();
            drop(state);
            if let Some(stale) = stale {
                // Prepared for an end of the log that has moved.
                let _ = stale.remove();
            }
            let chunk_begun = Cell::new(Instant::now());
            let go_on = || self.pause_zeroing(&chunk_begun);
            let zeroing: Option<&dyn Fn() -> bool> = if self.is_zeroing { Some(&go_on) } else { None };
            let made = MappedFile::create(&self.dir, base, self.size, zeroing);
            state = self.state.lock();
            state.making = None;
            match made {
                Ok(file) => {
                    state.refused = None;
                    state.ready = Some(file);
                }
                Err(error) => {
                    if self.failure.is_due() {
                        tracing::error!(%error, "the next commit log file could not be made");
                    }
                    state.refused = Refused::new(base, &error);
                    state.failed = Some((base, error));
                }
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;

    #[test]
    fn files_are_ready_taken_and_tidied_up() {
        let dir = tempfile::tempdir().unwrap();
        let allocator = Allocator::start(dir.path().to_owned(), 4096, true).unwrap();
        assert_eq!(allocator.take(0).unwrap().base(), 0);
        allocator.prepare(4096);
        allocator.prepare(4096);
        assert_eq!(allocator.take(4096).unwrap().base(), 4096);
        allocator.prepare(8192);
        assert_eq!(allocator.take(8192).unwrap().base(), 8192);
        allocator.prepare(12288);
        // Asking for another one proves that the prepared one was made before the stop.
        assert_eq!(allocator.take(16384).unwrap().base(), 16384);
        allocator.prepare(20480);
        allocator.stop(true).unwrap();
        assert!(!dir.path().join(layout::file_name(20480)).exists());
        assert!(dir.path().join(layout::file_name(8192)).exists());
        assert!(matches!(allocator.take(24576), Err(AppendError::Closed)));
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error_and_can_be_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let allocator = Allocator::start(log.clone(), 4096, false).unwrap();
        assert!(matches!(allocator.take(0), Err(AppendError::NewFile(_))));
        std::fs::create_dir(&log).unwrap();
        assert_eq!(allocator.take(0).unwrap().base(), 0);
        allocator.stop(false).unwrap();
    }
}
