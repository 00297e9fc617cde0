use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::*;
use crate::clock::ManualClock;
use crate::error::OpenError;
use crate::fixture::Fixture;
use crate::message_store::MessageStore;

/// Every file and folder below `root`: bytes and time of the last change.
fn tree(root: &Path) -> BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let changed = path.metadata().unwrap().modified().unwrap();
            if path.is_dir() {
                folders.push(path.clone());
                found.insert(path, (None, changed));
            } else {
                found.insert(path.clone(), (Some(std::fs::read(path).unwrap()), changed));
            }
        }
    }
    found
}

/// A store with messages, closed in order, in which `name` was then put, with its folders.
fn store_with(name: &str, bytes: &[u8]) -> Fixture {
    let store = Fixture::new();
    store.send_many(3);
    let path = store.dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    store
}

fn open(store: &Fixture) -> Result<MessageStore, OpenError> {
    MessageStore::open(store.options.clone(), Arc::new(ManualClock::new(1)))
}

#[test]
fn what_cannot_be_taken_over_is_refused_and_nothing_is_touched() {
    for (name, says) in [
        ("consumequeue/CURRENT", "move the folder away"),
        ("consumequeue_rocksdb/CURRENT", "RocksDB"),
        ("config/topics/CURRENT", "rocksDBConfigToJson"),
        ("config/subscriptionGroups/CURRENT", "rocksDBConfigToJson"),
        ("config/consumerOffsets/CURRENT", "rocksDBConfigToJson"),
        ("config/metadata/CURRENT", "rocksDBConfigToJson"),
        ("config/rdb/CURRENT", "rocksDBConfigToJson"),
        ("kvStore/CURRENT", "popConsumerKVServiceInit=false"),
        ("dledger-n0/data/00000000000000000000", "DLedger"),
        ("batchconsumequeue/T/0/00000000000000000000", "queue.type=BatchCQ"),
        ("compaction/compactionLog/T/0/00000000000000000000", "cleanup.policy=COMPACTION"),
        ("compaction/compactionCq/T/0/00000000000000000000", "cleanup.policy=COMPACTION"),
    ] {
        for lock in [None, Some("lock")] {
            let store = store_with(name, b"x");
            if let Some(lock) = lock {
                std::fs::write(store.dir.path().join(lock), lock).unwrap();
            }
            let before = tree(store.dir.path());
            let error = open(&store).err().unwrap();
            assert!(matches!(error, OpenError::Refused(_)), "{name}: {error}");
            let path = store.dir.path().join(name);
            let text = error.to_string();
            assert!(text.contains(&path.parent().unwrap().display().to_string()), "{name}: {text}");
            assert!(text.contains(says), "{name}: {text}");
            assert!(tree(store.dir.path()) == before, "{name}: the store was changed");
        }
    }
}

#[test]
fn what_java_leaves_empty_or_always_makes_is_no_sign() {
    for name in [
        "compaction/position-checkpoint",
        "compaction/compactionLog/relic",
        "batchconsumequeue/T/relic",
        "dledger-n0/relic",
        "rocksdbstore/CURRENT",
        "config/users/CURRENT",
        "consumequeue/relic",
        "kvStore/relic",
        "timerlog/00000000000000000000",
    ] {
        let store = store_with(name, b"x");
        assert_eq!(refusals(&store.options).unwrap(), [], "{name}");
    }
}

#[test]
fn a_store_that_is_not_there_is_not_refused_nor_made() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions::new(dir.path().join("store"));
    assert_eq!(refusals(&options).unwrap(), []);
    assert!(!options.root.exists());
}

#[test]
fn records_of_a_version_to_come_are_refused_and_damage_is_not() {
    const NEWER: [u8; 4] = [0xDA, 0xA3, 0x20, 0xAF];
    // What is written at which place of the first record, and whether the store is refused.
    type Case = (&'static [(u64, &'static [u8])], bool);
    let cases: [Case; 6] = [
        // Another magic, and fields that no known version has.
        (&[(4, &NEWER), (84, &[0x7F; 4])], true),
        // A flipped bit: all the rest is a record as ever.
        (&[(4, &NEWER)], false),
        // It does not claim this place.
        (&[(4, &NEWER), (84, &[0x7F; 4]), (28, &[1; 8])], false),
        // No magic of the family.
        (&[(4, &[1, 2, 3, 4]), (84, &[0x7F; 4])], false),
        // Known versions.
        (&[(84, &[0x7F; 4])], false),
        (&[(4, &[0xDA, 0xA3, 0x20, 0xAB]), (84, &[0x7F; 4])], false),
    ];
    for (writes, is_refused) in cases {
        let store = Fixture::new();
        store.send_many(3);
        let path = store.dir.path().join("commitlog").join(layout::file_name(0));
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for (at, bytes) in writes {
            file.write_all_at(bytes, *at).unwrap();
        }
        let found = refusals(&store.options).unwrap();
        let expected = is_refused.then(|| Refusal::NewerRecord { path, position: 0, magic: i32::from_be_bytes(NEWER) });
        assert_eq!(found, Vec::from_iter(expected), "{writes:?}");
    }
}

#[test]
fn a_record_of_a_version_to_come_is_not_cut_off_the_end() {
    // Of three records, the first stays as it is.
    for index in [1, 2] {
        let store = Fixture::new();
        let at = store.send_many(3)[index].physical_offset.0;
        let path = store.dir.path().join("commitlog").join(layout::file_name(0));
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for (within, bytes) in [(4, [0xDA, 0xA3, 0x20, 0xAF]), (84, [0x7F; 4])] {
            file.write_all_at(&bytes, at.cast_unsigned() + within).unwrap();
        }
        let before = std::fs::read(&path).unwrap();
        match open(&store) {
            Err(OpenError::Refused(Refusal::NewerRecord { path: found, position, .. })) => {
                assert_eq!((found, position), (path.clone(), at));
            }
            other => panic!("record {index}: {:?}", other.err()),
        }
        assert!(std::fs::read(&path).unwrap() == before, "the log was changed");
    }
}
