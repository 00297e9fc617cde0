use std::fs;
use std::path::Path;

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use boostermq_remoting::properties_file::Properties;
use boostermq_store::check::CheckpointSeen;
use boostermq_store::error::Quarantine;

use super::*;

fn settings(root: &Path) -> Settings {
    let given = format!("storePathRootDir={}", root.display());
    Settings::read(Properties::parse("broker.conf", given.as_bytes()).unwrap(), &Machine::this()).unwrap().0
}

/// What is said of a store, below its first line.
fn said(settings: &Settings, store: &StoreCheck, files: &[FileSeen]) -> String {
    let mut text = String::new();
    describe(&mut text, settings, store, files).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn everything_that_was_seen_is_said() {
    let settings = settings(Path::new("/s"));
    let range = |begin, end| Some((QueueOffset(begin), QueueOffset(end)));
    let change = |queue_id, before, after| QueueChange {
        topic: Topic::parse("T").unwrap(),
        queue_id: QueueId(queue_id),
        before,
        after,
    };
    let store = StoreCheck {
        has_abort_file: true,
        checkpoint: Some(CheckpointSeen {
            log_timestamp: 30,
            queue_timestamp: 20,
            index_timestamp: 0,
            queue_offset: PhysicalOffset(5000),
        }),
        log: Some(LogSeen {
            files: 2,
            bytes: 8192,
            begin: PhysicalOffset(4096),
            scan_begin: PhysicalOffset(4096),
            records: 1,
            end: PhysicalOffset(6000),
            cleared: 120,
            deleted: vec!["/s/commitlog/3".into()],
            damage: vec![Quarantine { from: PhysicalOffset(4200), to: PhysicalOffset(4300), what: "worms".into() }],
            is_after_crash: true,
        }),
        queues: Some(QueuesSeen {
            queues: 3,
            units: 9,
            changes: vec![
                change(0, range(0, 3), range(0, 4)),
                change(1, range(0, 3), range(0, 2)),
                change(2, None, range(0, 1)),
            ],
        }),
        index: Some(IndexSeen { files: 2, deleted: 1, resume: PhysicalOffset(5999) }),
        ..StoreCheck::default()
    };
    let files = [
        FileSeen { path: "/s/config/a.json".into(), version: Version::File },
        FileSeen { path: "/s/config/b.json".into(), version: Version::Backup(Some("cut".into())) },
        FileSeen { path: "/s/config/c.json".into(), version: Version::Missing },
    ];
    assert_eq!(
        said(&settings, &store, &files),
        "abort file   there: the last stop was not a clean one, or the store is in use
checkpoint   log on disk to 30 ms, queues to 20 ms and offset 5000, index to 0 ms (0: not known)
commit log   /s/commitlog
             2 files of 8192 bytes, from offset 4096
             recovery, as after a crash, reads 1 record from offset 4096 on
             and ends at offset 6000
             120 bytes after the end would be cleared
             /s/commitlog/3 after the end would be deleted
  damaged    4200 to 4300, left as it is: worms
queues       3 queues with 9 messages
             1 behind the log, 1 ahead of it, 1 to be built from nothing, 0 to be deleted, 0 with another begin
  T-0: 0..3 becomes 0..4
  T-1: 0..3 becomes 0..2
  T-2: nothing becomes 0..1
index        2 files, of which 1 would be deleted and built again; 1 byte of the log from offset 5999 on would be looked at for it in the background
config       a.json can be read
config       b.json cannot be read (cut): its backup would be used
A start would succeed."
    );
}

#[test]
fn refusals_end_in_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let settings = settings(&root);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let look = || {
        let store = check::check(&StoreOptions::from(&settings.store), &clock);
        let files = takeover::files(&settings);
        (is_sound(&store, &files), said(&settings, &store, &files))
    };
    let (is_sound, text) = look();
    assert!(is_sound && text.contains("a start makes a new one") && text.ends_with(SUCCEEDS), "{text}");
    assert!(!root.exists());
    fs::create_dir_all(root.join("config/rdb")).unwrap();
    fs::write(root.join("config/rdb/CURRENT"), "").unwrap();
    fs::write(root.join("config/topics.json"), "{").unwrap();
    let (is_sound, text) = look();
    assert!(!is_sound && text.ends_with(FAILS), "{text}");
    assert!(text.contains("RocksDB") && text.contains("topics.json.bak"), "{text}");
}
