//! A06: a recovery that is broken off at any of its steps, again and again, ends where an undisturbed one does.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use rustix::io::Errno;
use tempfile::TempDir;

use crate::clock::ManualClock;
use crate::fixture;
use crate::io::watch::{Fault, Kind, Watch};
use crate::{GetRequest, MessageStore, StoreOptions};

const FILE_SIZE: u64 = 4096;

fn open(root: &Path) -> Result<MessageStore, String> {
    let options = StoreOptions {
        consume_queue_file_size: 400,
        index_slots: 10,
        index_entries: 50,
        ..fixture::still_options(root, FILE_SIZE)
    };
    MessageStore::open(options, Arc::new(ManualClock::new(fixture::START_MS))).map_err(|error| error.to_string())
}

fn send(store: &MessageStore, n: u32) {
    let properties = format!("UNIQ_KEY\u{1}k{n}\u{2}");
    fixture::send(store, "T", QueueId(n % 3), &[n as u8; 90], properties.as_bytes()).unwrap();
}

/// A store that was killed, and damaged in every way that recovery has work with.
fn broken() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    (0..40).for_each(|n| send(&store, n));
    store.dispatch_now();
    store.flush().unwrap();
    (40..90).for_each(|n| send(&store, n));
    store.dispatch_now();
    let end = store.max_physical_offset().0 as u64;
    drop(store);
    let log = |at: u64| {
        let path = dir.path().join(format!("commitlog/{:020}", at / FILE_SIZE * FILE_SIZE));
        std::fs::File::options().write(true).open(path).unwrap()
    };
    // The end is torn, a record in the middle damaged, and a queue has lost what it had.
    log(end - 60).write_all_at(&[0; 60], (end - 60) % FILE_SIZE).unwrap();
    log(FILE_SIZE).write_all_at(&[0xFF], 130).unwrap();
    std::fs::remove_dir_all(dir.path().join("consumequeue/T/1")).unwrap();
    dir
}

fn copy_of(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    assert!(Command::new("cp").arg("-a").arg(dir.join(".")).arg(copy.path()).status().unwrap().success());
    copy
}

/// What a store holds: the files of its log up to the end, and every message by queue and offset.
type State = (i64, BTreeMap<PathBuf, Vec<u8>>, Vec<(u32, i64, Vec<u8>)>);

fn state(root: &Path) -> State {
    let store = open(root).unwrap();
    let end = store.max_physical_offset().0;
    let mut messages = Vec::new();
    for queue_id in 0..3 {
        for offset in 0..store.max_queue_offset("T", QueueId(queue_id)).0 {
            let queue_offset = QueueOffset(offset);
            let (queue_id, max_messages) = (QueueId(queue_id), 1);
            let request = GetRequest { topic: "T", queue_id, queue_offset, max_messages, filter: None };
            let outcome = store.get(&request).unwrap();
            // A damaged one is passed over: then this is the next.
            let is_it = outcome.next_begin_offset.0 == offset + 1;
            messages.push((queue_id.0, offset, if is_it { outcome.slices.concat() } else { Vec::new() }));
        }
    }
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root.join("commitlog")).unwrap() {
        let path = entry.unwrap().path();
        // One that was made ahead may be there or not.
        let base: i64 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        if base < end {
            files.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
    (end, files, messages)
}

#[test]
fn a06_recovery_broken_off_at_any_step_up_to_five_times_ends_in_the_same_state() {
    let broken = broken();
    let undisturbed = state(copy_of(broken.path()).path());
    let empty: Vec<_> = undisturbed.2.iter().filter(|message| message.2.is_empty()).collect();
    assert_eq!((undisturbed.2.len(), empty.len()), (89, 1), "{empty:?}");
    let mut broken_off = 0;
    for first in 1_u64.. {
        let copy = copy_of(broken.path());
        let mut is_whole = false;
        // Each time a little later than before.
        for round in 0..5 {
            let watch = Watch::new(copy.path());
            watch.fail(Fault { kind: Kind::Any, first: first + round * 3, count: u64::MAX, error: Errno::IO });
            let opened = open(copy.path());
            broken_off += u64::from(opened.is_err());
            drop(opened);
            let is_undisturbed = watch.heal() == 0;
            is_whole |= round == 0 && is_undisturbed;
        }
        assert!(state(copy.path()) == undisturbed, "broken off at step {first} and later");
        if is_whole {
            break;
        }
    }
    assert!(broken_off > 40, "{broken_off}");
}
