//! Stores for unit tests: one that a test fills itself, and the one that a Java broker of RocketMQ 5.5.0 wrote.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::message::flags::SysFlag;
use boostermq_remoting::message::properties;
use boostermq_remoting::message::property_name::{KEYS, TAGS, UNIQ_KEY};
use boostermq_remoting::message::record::{Record, RecordFields};
use boostermq_remoting::message::tags::tags_code;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::PhysicalOffset;
use tempfile::TempDir;

use crate::allocate::Allocator;
use crate::clock::ManualClock;
use crate::commit_log::{AppendBatch, AppendReceipt, CommitLog, LogEnd};
use crate::consume_queue::{ConsumeQueue, QueueTable, Unit};
use crate::error::AppendError;
use crate::health::Health;
use crate::index::{Index, Shape, Trust};
use crate::mapped_file_queue;
use crate::message_store::MessageStore;
use crate::options::StoreOptions;

/// A message to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) topic: &'a str,
    pub(crate) queue_id: u32,
    pub(crate) tags: &'a str,
    pub(crate) keys: &'a str,
    pub(crate) unique_key: &'a str,
    pub(crate) sys_flag: SysFlag,
    pub(crate) body: &'a [u8],
}

impl Default for Sent<'_> {
    fn default() -> Self {
        Self { topic: "T", queue_id: 0, tags: "", keys: "", unique_key: "", sys_flag: SysFlag::NONE, body: b"" }
    }
}

/// A message with nothing but a body and properties.
pub(crate) fn record<'a>(topic: &'a str, queue_id: QueueId, body: &'a [u8], properties: &'a [u8]) -> RecordFields<'a> {
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    RecordFields { properties, ..RecordFields::plain(topic, queue_id, host, body) }
}

/// Appends such a message to a whole store. Nothing is dispatched.
pub(crate) fn send(
    store: &MessageStore,
    topic: &str,
    queue_id: QueueId,
    body: &[u8],
    properties: &[u8],
) -> Result<AppendReceipt, AppendError> {
    let mut batch = AppendBatch::new();
    let queue = store.queue(&Topic::parse_stored(topic).unwrap(), queue_id);
    batch.push(&queue, &record(topic, queue_id, body, properties)).unwrap();
    store.append(&mut batch)?;
    Ok(batch.receipts()[0])
}

/// What a whole store in `root` is told that flushes only when it is asked to and does not care how full the disk is, with files
/// of `file_size` bytes in its log and few entries in its index.
pub(crate) fn still_options(root: &Path, file_size: u64) -> StoreOptions {
    let never = Duration::from_secs(3600);
    StoreOptions {
        commit_log_file_size: file_size,
        flush_interval: never,
        queue_flush_interval: never,
        queue_flush_thorough_interval: never,
        index_slots: 50,
        index_entries: 100,
        disk_warning_ratio: 101,
        ..StoreOptions::new(root)
    }
}

/// Log, queues and index, without threads that move anything.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: CommitLog,
    pub(crate) queues: QueueTable,
    pub(crate) index: Index,
    pub(crate) options: StoreOptions,
}

/// When the clock of a fixture starts.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// The shape of index files in fixtures and in the Java store.
pub(crate) const SHAPE: Shape = Shape { slots: 500, entries: 2000 };

impl Fixture {
    /// An empty store with files of 64 KiB, 100 units and 2000 index entries.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("commitlog")).unwrap();
        Self::open(dir, |_| 0)
    }

    /// The Java store, unpacked: `clean` or `crashed`.
    pub(crate) fn java(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.tar.xz"));
        let unpacked = Command::new("tar").arg("-xSf").arg(archive).arg("-C").arg(dir.path()).status().unwrap();
        assert!(unpacked.success(), "these tests need tar and xz");
        Self::reopened(dir)
    }

    /// The store in `dir`, as it was left.
    pub(crate) fn reopened(dir: TempDir) -> Self {
        Self::open(dir, |queues| queues.max_physical_offset().map_or(0, |end| end.0))
    }

    fn open(dir: TempDir, end: impl FnOnce(&QueueTable) -> i64) -> Self {
        let mut options = StoreOptions::new(dir.path());
        options.commit_log_file_size = 65536;
        let queues = QueueTable::new(&options.consume_queue_dir, 2000, 64);
        queues.load().unwrap();
        queues.recover_all(true, None).unwrap();
        let clock = Arc::new(ManualClock::new(START_MS));
        let index =
            Index::open(&options.index_dir, SHAPE, clock.clone(), Trust::All, PhysicalOffset(i64::MAX)).unwrap();
        let allocator = Allocator::start(options.commit_log_dir.clone(), 65536, false).unwrap();
        let files = mapped_file_queue::load(&options.commit_log_dir, 65536).unwrap();
        let end = LogEnd { offset: end(&queues), store_timestamp: 0 };
        let log = CommitLog::new(files, 65536, end, allocator, Arc::new(Health::default()), clock.clone(), &options);
        Self { dir, clock, log, queues, index, options }
    }

    pub(crate) fn queue(&self, topic: &str, queue_id: u32) -> Arc<ConsumeQueue> {
        self.queues.get_or_create(&Topic::parse(topic).unwrap(), QueueId(queue_id))
    }

    /// Appends a message and puts it into its queue and the index.
    pub(crate) fn send(&self, sent: Sent<'_>) -> AppendReceipt {
        let mut text = Vec::new();
        for (name, value) in [(UNIQ_KEY, sent.unique_key), (KEYS, sent.keys), (TAGS, sent.tags)] {
            if !value.is_empty() {
                properties::append(&mut text, name, value);
            }
        }
        let fields =
            RecordFields { sys_flag: sent.sys_flag, ..record(sent.topic, QueueId(sent.queue_id), sent.body, &text) };
        let queue = self.queue(sent.topic, sent.queue_id);
        let mut batch = AppendBatch::new();
        batch.push(&queue, &fields).unwrap();
        self.log.append(&mut batch).unwrap();
        let receipt = batch.receipts()[0];
        let unit =
            Unit { physical_offset: receipt.physical_offset, size: receipt.length, tags_code: tags_code(sent.tags) };
        queue.push_unit(receipt.queue_offset, unit).unwrap();
        let bytes = self.log.record_at(receipt.physical_offset).unwrap();
        self.index.put(&Record::parse(&bytes).unwrap()).unwrap();
        receipt
    }

    /// Sends `count` messages with one byte of body into queue 0 of topic T.
    pub(crate) fn send_many(&self, count: usize) -> Vec<AppendReceipt> {
        (0..count).map(|n| self.send(Sent { body: &[n as u8], ..Sent::default() })).collect()
    }
}

/// A line of the list of messages sent into the Java store.
pub(crate) struct JavaMessage {
    pub(crate) kind: String,
    pub(crate) topic: String,
    pub(crate) queue_id: u32,
    pub(crate) queue_offset: i64,
    /// Unique key; several, separated by commas, for a batch.
    pub(crate) unique_keys: Vec<String>,
    /// Where the records begin; none for transactions.
    pub(crate) physical_offsets: Vec<PhysicalOffset>,
    pub(crate) tags: String,
    pub(crate) keys: String,
}

/// The messages sent into the Java store, in order.
pub(crate) fn java_messages() -> Vec<JavaMessage> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/manifest.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let message = |line: &str| {
        let fields: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        // A message id ends in 16 digits of physical offset.
        let place = |id: &str| i64::from_str_radix(id.get(16..)?, 16).ok().map(PhysicalOffset);
        JavaMessage {
            kind: text("kind"),
            topic: text("topic"),
            queue_id: fields["queueId"].as_u64().unwrap() as u32,
            queue_offset: fields["queueOffset"].as_i64().unwrap(),
            unique_keys: text("msgId").split(',').map(str::to_owned).collect(),
            physical_offsets: text("offsetMsgId").split(',').filter_map(place).collect(),
            tags: text("tags"),
            keys: text("keys"),
        }
    };
    lines.lines().map(message).collect()
}
