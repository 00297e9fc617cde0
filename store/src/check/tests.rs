use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::fixture;
use crate::message_store::MessageStore;

const FILE_SIZE: u64 = 4096;

fn options(root: &Path) -> StoreOptions {
    StoreOptions { consume_queue_file_size: 200, ..fixture::still_options(root, FILE_SIZE) }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(fixture::START_MS))
}

fn open(options: &StoreOptions) -> MessageStore {
    MessageStore::open(options.clone(), clock()).unwrap()
}

/// A store that was closed in order, with messages in `queues` queues, 30 each.
fn closed(queues: u32) -> (TempDir, StoreOptions) {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let store = open(&options);
    for number in 0..30 * queues {
        fixture::send(&store, "T", QueueId(number % queues), b"body", b"KEYS\x01k\x02").unwrap();
    }
    store.close().unwrap();
    (dir, options)
}

/// Every file and folder below `root`: bytes and time of the last change.
fn tree(root: &Path) -> BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let changed = path.metadata().unwrap().modified().unwrap();
            let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
            if bytes.is_none() {
                folders.push(path.clone());
            }
            found.insert(path, (bytes, changed));
        }
    }
    found
}

/// Looks twice at a store: neither changes anything, and both see the same.
fn look_at(options: &StoreOptions) -> StoreCheck {
    let before = tree(&options.root);
    let seen = check(options, &clock());
    let again = check(options, &clock());
    assert_eq!(format!("{seen:?}"), format!("{again:?}"));
    assert!(tree(&options.root) == before, "the store was changed");
    seen
}

fn last_file(options: &StoreOptions) -> PathBuf {
    let files = std::fs::read_dir(&options.commit_log_dir).unwrap();
    files.map(|entry| entry.unwrap().path()).max().unwrap()
}

#[test]
fn a_store_closed_in_order_needs_nothing() {
    let (_dir, options) = closed(3);
    let seen = look_at(&options);
    assert!(seen.is_sound() && !seen.is_new && !seen.has_abort_file, "{seen:?}");
    let log = seen.log.unwrap();
    let bytes = std::fs::read_dir(&options.commit_log_dir).unwrap().count() as u64 * FILE_SIZE;
    assert_eq!((log.bytes, log.cleared, log.is_after_crash), (bytes, 0, false));
    assert!(log.deleted.is_empty() && log.damage.is_empty());
    assert_eq!(log.end, seen.checkpoint.unwrap().queue_offset);
    let queues = seen.queues.unwrap();
    assert_eq!((queues.queues, queues.units, queues.changes), (3, 90, Vec::new()));
    assert_eq!((seen.index.unwrap().files, seen.index.unwrap().deleted), (1, 0));
    assert_eq!(open(&options).max_physical_offset(), log.end);
}

#[test]
fn a_torn_end_and_queues_that_disagree_are_told_as_a_start_will_find_them() {
    let (_dir, options) = closed(2);
    let end = check(&options, &clock()).log.unwrap().end;
    // The last record is torn, one queue is gone, the other has a unit of what is no more; the abort file stands.
    let path = last_file(&options);
    let base: i64 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0; 30], (end.0 - base).cast_unsigned() - 30).unwrap();
    std::fs::write(options.root.join("abort"), "1").unwrap();
    std::fs::remove_dir_all(options.consume_queue_dir.join("T/0")).unwrap();
    let spare = options.commit_log_dir.join(layout::file_name(base + FILE_SIZE as i64));
    std::fs::write(&spare, vec![0; FILE_SIZE as usize]).unwrap();
    let seen = look_at(&options);
    assert!(seen.is_sound() && seen.has_abort_file, "{seen:?}");
    let log = seen.log.unwrap();
    assert!(log.is_after_crash && log.end < end && log.cleared > 0, "{log:?}");
    assert_eq!((log.scan_begin, log.records), (PhysicalOffset(0), 59));
    assert_eq!(log.deleted, [spare]);
    let changes = seen.queues.unwrap().changes;
    let range = |begin, end| Some((QueueOffset(begin), QueueOffset(end)));
    let told: Vec<_> = changes.iter().map(|change| (change.queue_id.0, change.before, change.after)).collect();
    assert_eq!(told, [(0, None, range(0, 30)), (1, range(0, 30), range(0, 29))]);
    let store = open(&options);
    assert_eq!(store.max_physical_offset(), log.end);
    assert_eq!(store.max_queue_offset("T", QueueId(0)).0, 30);
    assert_eq!(store.max_queue_offset("T", QueueId(1)).0, 29);
}

#[test]
fn what_a_start_would_refuse_is_told() {
    let (_dir, small) = closed(1);
    let large = StoreOptions { commit_log_file_size: 2 * FILE_SIZE, ..small.clone() };
    assert!(matches!(look_at(&large).error, Some(OpenError::FileSize { .. })));
    let odd = StoreOptions { commit_log_file_size: 1, ..small.clone() };
    assert!(matches!(look_at(&odd).error, Some(OpenError::Options { .. })));
    std::fs::create_dir_all(small.root.join("kvStore")).unwrap();
    std::fs::write(small.root.join("kvStore/CURRENT"), "").unwrap();
    let seen = look_at(&small);
    assert!(matches!(seen.refusals[..], [Refusal::RocksDbPops { .. }]) && !seen.is_sound());
}

#[test]
fn a_store_in_use_is_left_alone_and_one_looked_at_is_not_opened() {
    let (_dir, options) = closed(1);
    let store = open(&options);
    let seen = check(&options, &clock());
    assert!(matches!(seen.error, Some(OpenError::InUse { .. })) && seen.log.is_none(), "{seen:?}");
    let again = MessageStore::open(options.clone(), clock());
    assert!(matches!(again, Err(OpenError::InUse { .. })), "the look has not dropped the owner's lock");
    drop(store);
}

#[test]
fn a_folder_that_is_not_there_is_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    let seen = check(&options(&dir.path().join("store")), &clock());
    assert!(seen.is_new && seen.is_sound());
    // A folder with nothing in it is as good as new.
    let seen = look_at(&options(dir.path()));
    assert!(seen.is_sound() && seen.log.unwrap().files == 0);
}

#[test]
fn stores_of_a_java_broker_are_seen_as_they_will_be_opened() {
    for name in ["clean", "crashed"] {
        let dir = tempfile::tempdir().unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.tar.xz"));
        let unpacked = Command::new("tar").arg("-xSf").arg(archive).arg("-C").arg(dir.path()).status().unwrap();
        assert!(unpacked.success(), "these tests need tar and xz");
        let mut options = StoreOptions::new(dir.path());
        (options.commit_log_file_size, options.consume_queue_file_size) = (65536, 2000);
        (options.index_slots, options.index_entries) = (500, 2000);
        let seen = look_at(&options);
        assert!(seen.is_sound(), "{name}: {seen:?}");
        assert_eq!(seen.has_abort_file, name == "crashed");
        let (log, queues) = (seen.log.unwrap(), seen.queues.unwrap());
        assert!(log.damage.is_empty() && queues.units > 600, "{name}: {queues:?}");
        let store = open(&options);
        assert_eq!(store.max_physical_offset(), log.end, "{name}");
        assert_eq!(store.quarantines(), log.damage, "{name}");
    }
}
