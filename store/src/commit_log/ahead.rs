//! Bringing the log into memory ahead of a walk along it: a second thread asks the disk, and takes the page faults.
//!
//! ```text
//!  let go | walked | in memory …            | asked for |
//!                  ^ at                     ^ the thread, at most WINDOW ahead
//! ```
//!
//! What was not in memory before is let go of when it has been walked: the next of it finds memory that is at hand. Memory that a
//! virtual machine has to be given first costs more than all the rest of the walk, and other files would lose theirs.
//!
//! Never here: looking at what is read.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::Thread;

use super::recover::file_of;
use crate::mapped_file::MappedFile;
use crate::mmap::PAGE;

const THREAD_NAME: &str = "store-read-ahead";
/// A shorter walk has no thread.
const WORTHWHILE: i64 = 64 << 20;
/// Furthest that the thread goes ahead.
const WINDOW: i64 = 64 << 20;
/// Bytes that it brings in at once.
const CHUNK: i64 = 2 << 20;
/// Where a walk is that has ended.
const ENDED: i64 = i64::MAX;

/// Tells the thread how far a walk has come; ends it when dropped.
pub(super) struct Ahead<'a> {
    at: &'a AtomicI64,
    thread: Option<Thread>,
}

impl Ahead<'_> {
    /// The walk has come to `at`. Call it every few megabytes.
    pub(super) fn walked(&self, at: i64) {
        if let Some(thread) = &self.thread {
            self.at.store(at, Ordering::Release);
            thread.unpark();
        }
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.walked(ENDED);
    }
}

/// Runs `walk`, which goes along `files` from `from` on, with the thread ahead of it.
pub(super) fn with_pages_ahead<T>(files: &[MappedFile], from: i64, walk: impl FnOnce(&Ahead<'_>) -> T) -> T {
    let at = AtomicI64::new(from);
    let limit = files.last().map_or(from, MappedFile::limit);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned());
        // Without the thread the walk is slower.
        let thread = (limit - from >= WORTHWHILE).then(|| thread.spawn_scoped(scope, || fetch(files, from, &at)).ok());
        let thread = thread.flatten().map(|thread| thread.thread().clone());
        walk(&Ahead { at: &at, thread })
    })
}

/// The thread.
fn fetch(files: &[MappedFile], from: i64, walked: &AtomicI64) {
    let mut at = from;
    // Chunks that were not in memory, first those that are walked first.
    let mut cold: VecDeque<(&MappedFile, i64, i64)> = VecDeque::new();
    // The file that the thread is in, and which of its chunks were in memory.
    let mut current: Option<(usize, Vec<bool>)> = None;
    loop {
        let walked = walked.load(Ordering::Acquire);
        while let Some((file, begin, end)) = cold.pop_front_if(|(_, _, end)| *end <= walked) {
            file.let_go(begin, end - begin);
        }
        if walked == ENDED {
            return;
        }
        if at >= walked.saturating_add(WINDOW) {
            std::thread::park();
            continue;
        }
        at = at.max(walked);
        let Some((index, file)) = file_of(files, at) else { return };
        // What was never written has no page, and is given none.
        let Some((begin, end)) = file.next_written(at) else {
            at = file.limit();
            continue;
        };
        let to = end.min(begin + CHUNK);
        let (_, cached) = match current.take() {
            Some(known) if known.0 == index => current.insert(known),
            _ => current.insert((index, file.cached(CHUNK as usize))),
        };
        let was_cached = cached.get(((begin - file.base()) / CHUNK) as usize).is_none_or(|was_cached| *was_cached);
        file.read_ahead(begin, 2 * CHUNK);
        let bytes = usize::try_from(to - begin).ok().and_then(|length| file.slice(begin, length));
        black_box(bytes.unwrap_or_default().iter().step_by(PAGE).fold(0, |sum: u8, byte| sum ^ byte));
        if !was_cached {
            cold.push_back((file, begin, to));
        }
        at = to;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_walk_leaves_in_memory_what_was_there_and_nothing_else() {
        let size = 2 * WORTHWHILE;
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [cold, control] = dirs.each_ref().map(|dir| {
            let file = MappedFile::create(dir.path(), 0, size as u64, None).unwrap();
            file.write(0, &[1; PAGE]).unwrap();
            file.sync().unwrap();
            file.let_go(0, size);
            file
        });
        let walk = |file: &MappedFile| {
            let files = std::slice::from_ref(file);
            with_pages_ahead(files, 0, |ahead| (0..size).step_by(CHUNK as usize).for_each(|at| ahead.walked(at)));
        };
        walk(&cold);
        // Some file systems are memory: there all stays.
        assert_eq!(cold.cached(PAGE)[0], control.cached(PAGE)[0]);
        cold.write(0, &[1; CHUNK as usize]).unwrap();
        walk(&cold);
        assert!(cold.cached(PAGE)[0], "it was in use");
    }

    #[test]
    fn the_thread_ends_with_the_walk_however_that_ends() {
        let dir = tempfile::tempdir().unwrap();
        let size = 2 * WORTHWHILE;
        let file = MappedFile::create(dir.path(), 0, size as u64, None).unwrap();
        for position in [0, 5 << 20, 100 << 20] {
            file.write(position, b"something").unwrap();
        }
        drop(file);
        let files = [MappedFile::open(dir.path().join("00000000000000000000"), 0, size as u64).unwrap()];
        let walked = with_pages_ahead(&files, 0, |ahead| {
            assert!(ahead.thread.is_some());
            (0..size).step_by(CHUNK as usize).map(|at| ahead.walked(at)).count()
        });
        assert_eq!(walked as i64, size / CHUNK);
        assert_eq!(with_pages_ahead(&files, 0, |_| "nothing walked"), "nothing walked");
        assert!(with_pages_ahead(&files, size - 1, |ahead| ahead.thread.is_none()), "too short");
        let panicked = catch_unwind(AssertUnwindSafe(|| with_pages_ahead(&files, 0, |_| panic!("in the walk"))));
        assert!(panicked.is_err());
    }
}
