//! What the store asked of the file system, written down in order, and calls that fail on demand. Tests only.
//!
//! A [`Watch`] sees everything below one folder; tests that run at the same time have a folder each. A change is written down
//! when the call has succeeded. A sync also remembers where the row stood when it began: it may be believed only for what was
//! written down before. Changes made through a map are seen by looking at the mapped file: before each other change, and
//! before its own sync.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use rustix::io::Errno;

static WATCHES: RwLock<Vec<(PathBuf, Weak<Watch>)>> = RwLock::new(Vec::new());

/// One change to the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A file was made; it is empty.
    Create,
    CreateDir,
    Write {
        position: u64,
        bytes: Vec<u8>,
    },
    SetLength(u64),
    /// Blocks were reserved, and the file is at least this long.
    Allocate {
        to: u64,
    },
    Sync,
    SyncDir,
    /// A sync failed: what was not on disk counts as clean and may never get there.
    FailedSync,
    Rename {
        to: PathBuf,
    },
    /// A file or an empty folder was deleted.
    Remove,
}

/// What kind of call is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Write,
    Sync,
    /// All that take space: making, writing, lengthening, reserving.
    Space,
    /// Reading what is not mapped.
    Read,
}

/// Calls that are to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// The first of them: 1 is the next one.
    pub(crate) first: u64,
    /// How many in a row fail.
    pub(crate) count: u64,
    pub(crate) error: Errno,
}

/// One line of the row.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) path: PathBuf,
    pub(crate) change: Change,
    /// Steps there were when the call began.
    pub(crate) began: usize,
}

#[derive(Debug, Default)]
struct State {
    steps: Vec<Step>,
    fault: Option<Fault>,
    seen: u64,
    hit: u64,
    /// Mapped files that are looked at, and what they held.
    maps: BTreeMap<PathBuf, Vec<u8>>,
}

/// Everything that happens below one folder.
#[derive(Debug)]
pub(crate) struct Watch {
    root: PathBuf,
    state: Mutex<State>,
}

/// A path below a watched folder.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    watch: Arc<Watch>,
    path: PathBuf,
}

impl Watch {
    /// Watches what happens below `root` from now on, for as long as it lives.
    pub(crate) fn new(root: &Path) -> Arc<Self> {
        let watch = Arc::new(Self { root: root.to_owned(), state: Mutex::default() });
        let mut watches = WATCHES.write();
        watches.retain(|(_, watch)| watch.strong_count() > 0);
        watches.push((root.to_owned(), Arc::downgrade(&watch)));
        watch
    }

    /// The folder that is watched.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Has calls fail.
    pub(crate) fn fail(&self, fault: Fault) {
        let mut state = self.state.lock();
        (state.fault, state.seen, state.hit) = (Some(fault), 0, 0);
    }

    /// Lets all calls succeed again. Returns how many failed.
    pub(crate) fn heal(&self) -> u64 {
        let mut state = self.state.lock();
        state.fault = None;
        state.hit
    }

    /// How many steps there are.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().steps.len()
    }

    /// The row so far.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut state = self.state.lock();
        state.look_at_maps();
        state.steps.clone()
    }
}

impl Watched {
    /// Looks at this file, which is going to be changed through a map, from now on.
    pub(super) fn look_at_map(&self) {
        let held = std::fs::read(&self.path).unwrap_or_default();
        self.watch.state.lock().maps.insert(self.path.clone(), held);
    }
}

impl State {
    /// Whether this call is to fail.
    fn fault_for(&mut self, change: &Change) -> Option<Errno> {
        let fault = self.fault?;
        let is_it = match fault.kind {
            Kind::Read => false,
            Kind::Any => true,
            Kind::Write => matches!(change, Change::Write { .. }),
            Kind::Sync => matches!(change, Change::Sync | Change::SyncDir),
            Kind::Space => matches!(
                change,
                Change::Create
                    | Change::CreateDir
                    | Change::Write { .. }
                    | Change::SetLength(_)
                    | Change::Allocate { .. }
            ),
        };
        if is_it { self.count(fault) } else { None }
    }

    /// Counts a call of the kind that is to fail. Whether this one does.
    fn count(&mut self, fault: Fault) -> Option<Errno> {
        self.seen += 1;
        let fails = self.seen >= fault.first && self.seen - fault.first < fault.count;
        self.hit += u64::from(fails);
        fails.then_some(fault.error)
    }

    /// Writes down what was written through maps since the last look.
    fn look_at_maps(&mut self) {
        let Self { steps, maps, .. } = self;
        maps.retain(|path, held| {
            let Ok(now) = std::fs::read(path) else { return false };
            if now != *held {
                for (index, block) in now.chunks(512).enumerate() {
                    if held.get(index * 512..index * 512 + block.len()) != Some(block) {
                        let change = Change::Write { position: index as u64 * 512, bytes: block.to_vec() };
                        steps.push(Step { path: path.clone(), change, began: steps.len() });
                    }
                }
                *held = now;
            }
            true
        });
    }
}

/// The watch that sees `path`, if there is one.
pub(crate) fn find(path: &Path) -> Option<Watched> {
    let watches = WATCHES.read();
    let (_, watch) = watches.iter().find(|(root, _)| path.starts_with(root))?;
    Some(Watched { watch: watch.upgrade()?, path: path.to_owned() })
}

/// Whether a call that reads succeeds.
pub(super) fn may_read(watched: Option<&Watched>) -> io::Result<()> {
    let Some(Watched { watch, .. }) = watched else { return Ok(()) };
    let mut state = watch.state.lock();
    let fault = state.fault.filter(|fault| fault.kind == Kind::Read);
    let error = fault.and_then(|fault| state.count(fault));
    error.map_or(Ok(()), |error| Err(error.into()))
}

/// Makes the call and writes down its change; or has it fail.
pub(super) fn run<T>(
    watched: Option<&Watched>,
    change: impl FnOnce() -> Change,
    call: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let Some(Watched { watch, path }) = watched else { return call() };
    let change = change();
    let began = {
        let mut state = watch.state.lock();
        state.look_at_maps();
        if let Some(error) = state.fault_for(&change) {
            if change == Change::Sync {
                let began = state.steps.len();
                state.steps.push(Step { path: path.clone(), change: Change::FailedSync, began });
            }
            return Err(error.into());
        }
        state.steps.len()
    };
    let result = call();
    if result.is_ok() {
        watch.state.lock().steps.push(Step { path: path.clone(), change, began });
    }
    result
}
