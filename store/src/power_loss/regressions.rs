//! What the crashes by chance have found once, each by itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use boostermq_remoting::names::QueueId;
use rustix::io::Errno;

use super::disk::{Disk, Image, Lie, write_image};
use super::history::{GONE, Observed, Sent, clock_at, send, send_to_gone, settle};
use super::life::{Kind, open};
use super::{Scratch, Seeded};
use crate::clock::ManualClock;
use crate::index::{IndexQuery, KeyKind};
use crate::io::watch::{Change, Fault, Kind as Call, Step, Watch};
use crate::{FlushMode, FlushOutcome, MessageStore};

const START_MS: i64 = 1_700_000_000_000;
const ASYNC: Kind = Kind { mode: FlushMode::Async, file_size: 8192, deletes: true, has_marks: false };

/// A watched store, and what its disk holds for sure.
struct Watched {
    scratch: Scratch,
    watch: Arc<Watch>,
    clock: Arc<ManualClock>,
    store: MessageStore,
    seeded: Seeded,
}

impl Watched {
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = scratch.path().join("life");
        std::fs::create_dir(&root).unwrap();
        let watch = Watch::new(&root);
        let clock = clock_at(START_MS);
        let store = open(ASYNC, &root, &clock).unwrap();
        Self { scratch, watch, clock, store, seeded: Seeded::new(1) }
    }

    fn send(&mut self, count: usize) -> Vec<Sent> {
        self.clock.advance(1000);
        let sent = send(&self.store, &mut self.seeded, count, 0).unwrap();
        settle(&self.store);
        sent
    }

    /// Has the log on disk, and nothing else.
    fn sync_log(&self) {
        let (tell, told) = mpsc::channel();
        let deadline = Instant::now() + Duration::from_secs(3600);
        let done = Box::new(move |outcome| tell.send(outcome).unwrap());
        self.store.when_flushed(self.store.max_physical_offset(), deadline, done);
        assert_eq!(told.recv().unwrap(), FlushOutcome::Flushed);
    }

    /// What is on disk for sure.
    fn durable(&self) -> Image {
        let mut disk = Disk::new(self.watch.root(), &Image::new(), Lie::None);
        self.watch.steps().iter().enumerate().for_each(|(number, step)| disk.apply(number, step));
        disk.durable()
    }

    /// The store after power failed and nothing but that is left.
    fn after_power_loss(&self) -> MessageStore {
        let root = self.scratch.path().join("image");
        write_image(&root, &self.durable());
        open(ASYNC, &root, &self.clock).unwrap()
    }

    fn paths(&self, change: impl Fn(&Change) -> bool) -> Vec<(usize, PathBuf)> {
        let below = |step: Step| step.path.strip_prefix(self.watch.root()).unwrap().to_owned();
        let steps = self.watch.steps().into_iter().enumerate();
        steps.filter(|(_, step)| change(&step.change)).map(|(number, step)| (number, below(step))).collect()
    }
}

fn is_found(store: &MessageStore, sent: &Sent) -> bool {
    let query = IndexQuery {
        topic: sent.topic,
        key: &sent.key,
        kind: KeyKind::Key,
        max_messages: 32,
        begin_timestamp: 0,
        end_timestamp: i64::MAX,
    };
    store.query(&query).records == [&sent.bytes[..]]
}

/// A name without the whole length made the next start refuse the store.
#[test]
fn a_log_file_is_on_disk_with_its_length_before_its_name_is() {
    let mut watched = Watched::new();
    watched.send(40);
    let made = watched.paths(|change| *change == Change::Create);
    let made: Vec<_> = made.into_iter().filter(|(_, path)| path.starts_with("commitlog")).collect();
    assert!(made.len() > 2);
    let synced = watched.paths(|change| *change == Change::Sync);
    let named = watched.paths(|change| *change == Change::SyncDir);
    for (number, path) in made {
        let synced = synced.iter().find(|(at, other)| *at > number && *other == path).unwrap().0;
        let named = named.iter().find(|(at, other)| *at > number && other == Path::new("commitlog")).unwrap().0;
        assert!(synced < named, "{}", path.display());
    }
}

/// A file of a queue that was shortened to be cut, or not yet lengthened, made the next start refuse the store.
#[test]
fn queue_files_keep_their_length_and_one_without_is_made_again() {
    let mut watched = Watched::new();
    watched.send(40);
    let wanted = Observed::of(&watched.store).unwrap();
    watched.store.house_flush(false).unwrap();
    let Watched { scratch, watch, clock, store, .. } = watched;
    drop(store);
    let root = watch.root().to_owned();
    let queue = root.join("consumequeue/A/0");
    std::fs::write(queue.join("00000000000000000000"), "").unwrap();
    let before = watch.len();
    let store = open(ASYNC, &root, &clock).unwrap();
    assert_eq!(Observed::of(&store).unwrap(), wanted);
    let is_shortened = |step: &Step| matches!(step.change, Change::SetLength(length) if length != 200);
    let steps = watch.steps();
    assert!(!steps[before..].iter().any(|step| step.path.starts_with(root.join("consumequeue")) && is_shortened(step)));
    drop(scratch);
}

/// Queues that were not on disk began again at 0 once the log that could bring them back was deleted.
#[test]
fn queues_are_on_disk_before_their_log_is_deleted() {
    let mut watched = Watched::new();
    send_to_gone(&watched.store, &mut watched.seeded).unwrap();
    watched.send(40);
    watched.sync_log();
    while watched.store.retention().look_as_if_used(90) > 0 {}
    assert!(watched.store.min_physical_offset().0 > 8192);
    let store = watched.after_power_loss();
    assert_eq!(store.max_queue_offset(GONE, QueueId(0)).0, 1);
}

/// Units whose records a loss of power took came back behind the end of their queue, and led nowhere.
#[test]
fn units_without_records_go() {
    let mut watched = Watched::new();
    let sent = watched.send(40);
    watched.store.house_flush(false).unwrap();
    let wanted = Observed::of(&watched.store).unwrap();
    let Watched { scratch, watch, clock, store, .. } = watched;
    drop(store);
    let root = watch.root().to_owned();
    // At the end of A-1 a unit that leads to a message of another queue, further on.
    let other = sent.iter().rfind(|sent| (sent.topic, sent.queue_id) != ("A", 1)).unwrap();
    let last = sent.iter().rfind(|sent| (sent.topic, sent.queue_id) == ("A", 1)).unwrap();
    assert!(other.physical_offset > last.physical_offset);
    let end = wanted.ranges[&("A".to_owned(), 1)].1 * 20;
    let path = root.join(format!("consumequeue/A/1/{:020}", end / 200 * 200));
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (end % 200) as usize;
    bytes[at..at + 8].copy_from_slice(&other.physical_offset.to_be_bytes());
    bytes[at + 8..at + 12].copy_from_slice(&(other.bytes.len() as u32).to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    let store = open(ASYNC, &root, &clock).unwrap();
    assert_eq!(Observed::of(&store).unwrap(), wanted);
    // And the next thorough flush has it gone for good.
    let before = watch.len();
    store.flush().unwrap();
    let is_it = |step: &Step| step.path == path && step.change == Change::Sync;
    assert!(watch.steps()[before..].iter().any(is_it));
    drop(scratch);
}

/// A file of the index that is still written may lie on disk with a header of one moment and slots of another.
#[test]
fn an_index_file_that_is_not_full_is_not_believed() {
    let mut watched = Watched::new();
    let mut sent = watched.send(5);
    watched.store.flush().unwrap();
    sent.extend(watched.send(3));
    let mut image = watched.durable();
    let made = watched.paths(|change| *change == Change::Create);
    let path = made.into_iter().rfind(|(_, path)| path.starts_with("index")).unwrap().1;
    // The slots are those of after the flush, header and entries those of before.
    let now = std::fs::read(watched.watch.root().join(&path)).unwrap();
    let held = image.get_mut(&path).unwrap().as_mut().unwrap();
    held[40..72].copy_from_slice(&now[40..72]);
    let root = watched.scratch.path().join("image");
    write_image(&root, &image);
    let store = open(ASYNC, &root, &watched.clock).unwrap();
    let found = Observed::of(&store).unwrap();
    for sent in sent.iter().filter(|sent| sent.end() <= found.end) {
        assert!(is_found(&store, sent), "{} at {}", sent.key, sent.physical_offset);
    }
}

/// A message that could not be put into the index was never found by its key, though later ones were.
#[test]
fn the_index_goes_on_where_it_could_not_be_written() {
    let mut watched = Watched::new();
    // Full now: the next message needs a new file.
    watched.send(23);
    let dir = watched.watch.root().join("index");
    let away = watched.scratch.path().join("away");
    std::fs::rename(&dir, &away).unwrap();
    std::fs::write(&dir, "a file where the folder should be").unwrap();
    let first = watched.send(1);
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(&away, &dir).unwrap();
    let later = watched.send(3);
    let Watched { scratch, watch, clock, store, .. } = watched;
    drop(store);
    let store = open(ASYNC, watch.root(), &clock).unwrap();
    for sent in first.iter().chain(&later) {
        assert!(is_found(&store, sent), "{} at {}", sent.key, sent.physical_offset);
    }
    drop(scratch);
}

/// A second sync that succeeds says nothing of the pages that the first one lost.
#[test]
fn an_index_whose_sync_failed_is_built_again() {
    let mut watched = Watched::new();
    let sent = watched.send(40);
    watched.store.house_flush(false).unwrap_or_default();
    let steps = watched.watch.len();
    // All syncs fail until the index has had one.
    watched.watch.fail(Fault { kind: Call::Sync, first: 1, count: u64::MAX, error: Errno::IO });
    let _ = watched.store.house_flush(true);
    watched.watch.heal();
    let failed = watched.watch.steps();
    let is_index = |step: &Step| step.path.starts_with(watched.watch.root().join("index"));
    assert!(failed[steps..].iter().any(|step| step.change == Change::FailedSync && is_index(step)));
    let _ = watched.store.flush();
    watched.store.close().unwrap_err();
    let store = watched.after_power_loss();
    let found = Observed::of(&store).unwrap();
    for sent in sent.iter().filter(|sent| sent.end() <= found.end) {
        assert!(is_found(&store, sent), "{} at {}", sent.key, sent.physical_offset);
    }
}

/// A queue with a hole at its end, whose other messages had all left the log, began again at 0.
#[test]
fn units_of_messages_that_have_left_the_log_keep_their_numbers() {
    let mut watched = Watched::new();
    for _ in 0..3 {
        send_to_gone(&watched.store, &mut watched.seeded).unwrap();
    }
    watched.send(40);
    watched.sync_log();
    while watched.store.retention().look_as_if_used(90) > 0 {}
    let Watched { scratch, watch, clock, store, .. } = watched;
    assert_eq!(store.max_queue_offset(GONE, QueueId(0)).0, 3);
    drop(store);
    let path = watch.root().join("consumequeue/Gone/0/00000000000000000000");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] = 1;
    std::fs::write(&path, bytes).unwrap();
    let store = open(ASYNC, watch.root(), &clock).unwrap();
    assert_eq!(store.max_queue_offset(GONE, QueueId(0)).0, 3);
    drop(scratch);
}
