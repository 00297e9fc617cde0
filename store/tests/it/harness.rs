//! One way to open, send and read for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::message::flags::SysFlag;
use boostermq_remoting::message::record::{Record, RecordFields, Records};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use boostermq_store::clock::{Clock, ManualClock};
use boostermq_store::error::OpenError;
use boostermq_store::{AppendBatch, AppendReceipt, GetRequest, GetStatus, MessageStore, StoreOptions};
use tempfile::TempDir;

/// Where the clock of tests starts.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// Options with files of `file_size` bytes, 40 units and few index entries, and no timed flushes.
pub(crate) fn small_options(root: &Path, file_size: u64) -> StoreOptions {
    StoreOptions {
        commit_log_file_size: file_size,
        consume_queue_file_size: 800,
        consume_queue_open_files: 16,
        flush_interval: Duration::from_secs(3600),
        queue_flush_interval: Duration::from_secs(3600),
        queue_flush_thorough_interval: Duration::from_secs(3600),
        index_slots: 50,
        index_entries: 100,
        disk_warning_ratio: 101,
        ..StoreOptions::new(root)
    }
}

/// A store, its folder and its clock.
pub(crate) struct TestStore {
    pub(crate) store: MessageStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
}

impl TestStore {
    pub(crate) fn new(file_size: u64) -> Self {
        Self::with(|root| small_options(root, file_size))
    }

    pub(crate) fn with(options: impl FnOnce(&Path) -> StoreOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START_MS));
        let store = MessageStore::open(options(dir.path()), clock.clone()).unwrap();
        Self { store, clock, dir }
    }

    /// Opens the store in `dir` with these options.
    pub(crate) fn open(dir: TempDir, options: StoreOptions) -> Result<Self, OpenError> {
        let clock = Arc::new(ManualClock::new(START_MS));
        let store = MessageStore::open(options, clock.clone())?;
        Ok(Self { store, clock, dir })
    }

    /// Leaves the store as a crash of the process would.
    pub(crate) fn crash(self) -> TempDir {
        drop(self.store);
        self.dir
    }

    pub(crate) fn reopen_after_crash(self) -> Self {
        let options = self.store.options().clone();
        let now = self.clock.now_ms();
        let reopened = Self::open(self.crash(), options).unwrap();
        reopened.clock.set(now);
        reopened
    }

    pub(crate) fn reopen_after_close(self) -> Self {
        self.store.close().unwrap();
        assert!(!self.dir.path().join("abort").exists());
        self.reopen_after_crash()
    }

    pub(crate) fn send(&self, topic: &str, queue_id: u32, body: &[u8]) -> AppendReceipt {
        let mut batch = AppendBatch::new();
        push(&self.store, &mut batch, topic, queue_id, body, "");
        self.store.append(&mut batch).unwrap();
        batch.receipts()[0]
    }

    /// All messages of a queue: offset and body.
    pub(crate) fn read_all(&self, topic: &str, queue_id: u32) -> Vec<(i64, Vec<u8>)> {
        read_all(&self.store, topic, queue_id)
    }
}

/// Puts a message into a batch.
pub(crate) fn push(
    store: &MessageStore,
    batch: &mut AppendBatch,
    topic: &str,
    queue_id: u32,
    body: &[u8],
    properties: &str,
) {
    push_flagged(store, batch, topic, queue_id, body, properties, SysFlag::NONE);
}

/// As [`push`], with flags.
pub(crate) fn push_flagged(
    store: &MessageStore,
    batch: &mut AppendBatch,
    topic: &str,
    queue_id: u32,
    body: &[u8],
    properties: &str,
    sys_flag: SysFlag,
) {
    let queue = store.queue(&Topic::parse(topic).unwrap(), QueueId(queue_id));
    let host = "127.0.0.1:10911".parse().unwrap();
    let plain = RecordFields::plain(topic, QueueId(queue_id), host, body);
    let fields = RecordFields { sys_flag, born_timestamp: START_MS, properties: properties.as_bytes(), ..plain };
    batch.push(&queue, &fields).unwrap();
}

/// Dispatches until nothing is left that may be seen.
pub(crate) fn settle(store: &MessageStore) {
    while store.dispatched_offset() < store.confirm_offset() {
        store.dispatch_now();
        std::thread::yield_now();
    }
}

/// All messages of a queue: offset and body. Checks that each record says what the queue says.
pub(crate) fn read_all(store: &MessageStore, topic: &str, queue_id: u32) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut next = store.min_queue_offset(topic, QueueId(queue_id));
    loop {
        let request =
            GetRequest { topic, queue_id: QueueId(queue_id), queue_offset: next, max_messages: 32, filter: None };
        let outcome = store.get(&request).unwrap();
        match outcome.status {
            GetStatus::Found => {}
            GetStatus::OffsetOverflowOne | GetStatus::NoMessageInQueue | GetStatus::NoMatchedLogicQueue => {
                return found;
            }
            _ => assert!(outcome.next_begin_offset > next, "{topic}-{queue_id} at {next}: {outcome:?}"),
        }
        for slice in &outcome.slices {
            for record in Records::new(slice) {
                let record = record.unwrap();
                record.check_body_crc().unwrap();
                let queue_offset = record.offset_in(topic, QueueId(queue_id)).unwrap();
                let place = store.physical_offset(topic, QueueId(queue_id), queue_offset).unwrap();
                assert_eq!(place, Some(record.physical_offset()));
                found.push((queue_offset.0, record.body().to_vec()));
            }
        }
        next = outcome.next_begin_offset;
    }
}

/// The record at a place, copied.
pub(crate) fn record_bytes(store: &MessageStore, at: PhysicalOffset) -> Option<Vec<u8>> {
    let bytes = store.record_at(at)?;
    assert_eq!(Record::parse(&bytes).unwrap().bytes().len(), bytes.len());
    Some(bytes.to_vec())
}

/// The store that a Java broker wrote, `clean` or `crashed`, unpacked.
pub(crate) fn java_store(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let archive = golden_path(&format!("{name}.tar.xz"));
    let unpacked = Command::new("tar").arg("-xSf").arg(archive).arg("-C").arg(dir.path()).status().unwrap();
    assert!(unpacked.success(), "these tests need tar and xz");
    dir
}

pub(crate) fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Options that fit the Java store.
pub(crate) fn java_options(root: &Path) -> StoreOptions {
    StoreOptions { consume_queue_file_size: 2000, index_slots: 500, index_entries: 2000, ..small_options(root, 65536) }
}

/// Copies a store's folder, as it is at this moment.
pub(crate) fn copy_of(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let from = dir.join(".");
    let copied = Command::new("cp").arg("-a").arg(from).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    copy
}

/// Numbers without chance: the same seed gives the same row.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// The last offset and one past it of a queue, for a message.
pub(crate) fn ends(store: &MessageStore, topic: &str, queue_id: u32) -> (QueueOffset, QueueOffset) {
    (store.min_queue_offset(topic, QueueId(queue_id)), store.max_queue_offset(topic, QueueId(queue_id)))
}
