//! What is fuzzed: one function a kind of file, each a claim about any bytes in it. Shared by the libFuzzer binaries and by the
//! bounded run in `cargo test`.
//!
//! A small stopped store gets the bytes in place of one of its files, once as after a clean stop and once as after a kill. It opens
//! or is refused, and a look at it says which beforehand. An open one can be read to its end, takes messages, gives none of
//! their numbers twice, and says the same when it is closed and opened again. Nothing is made outside its folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::clock::{Clock, ManualClock};
use boostermq_store::index::{IndexQuery, KeyKind};
use boostermq_store::{AppendBatch, GetRequest, MessageFilter, MessageStore, StoreOptions, TimeBoundary, check};
use tempfile::TempDir;

use crate::harness::{START_MS, push, read_all, settle, small_options};

/// The first records that a Java broker wrote into the store `clean`.
const JAVA: &[u8] = include_bytes!("../tests/golden/log-begin.bin");
const FILE_SIZE: usize = 8192;
/// Queues of each topic that are looked at.
const QUEUES: u32 = 4;

/// A file whose place is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The first file of the log, the Java broker's records in it.
    LogBegin,
    /// The last file of the log.
    LogEnd,
    Queue,
    Extension,
    Index,
    Checkpoint,
}

impl Part {
    /// Begin of the path of its files.
    fn prefix(self) -> &'static str {
        match self {
            Self::LogBegin | Self::LogEnd => "commitlog/",
            Self::Queue => "consumequeue/T/0/",
            Self::Extension => "consumequeue_ext/T/0/",
            Self::Index => "index/",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// The file, and what a sound store has there.
    fn file(self) -> (&'static Path, &'static [u8]) {
        let mut files = sound().iter().filter(|(path, _)| path.to_string_lossy().starts_with(self.prefix()));
        let found = if self == Self::LogEnd { files.next_back() } else { files.next() };
        let (path, bytes) = found.expect("a sound store has each kind of file");
        (path, bytes)
    }

    /// What a sound store has there.
    #[allow(dead_code, reason = "the libFuzzer binaries of one part do not name the others")]
    pub(crate) fn seed(self) -> Vec<u8> {
        self.file().1.to_vec()
    }

    /// Puts `bytes` there and looks what becomes of the store.
    pub(crate) fn survives(self, bytes: &[u8]) {
        let (path, original) = self.file();
        let mut bytes = bytes.to_vec();
        if !matches!(self, Self::Queue | Self::Checkpoint) {
            // Another length is another matter: such a file is refused or left alone.
            bytes.resize(original.len(), 0);
        }
        for is_killed in [false, true] {
            let dir = scratch();
            let root = dir.path().join("store");
            for (file, original) in sound() {
                write(&root.join(file), if file == path { &bytes } else { original });
            }
            if is_killed {
                write(&root.join("abort"), b"1");
            }
            claims(&root);
            let names: Vec<_> = fs::read_dir(dir.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
            assert_eq!(names, ["store"], "nothing is made outside the store's folder");
        }
    }
}

/// In memory where the system has such a place.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a folder for a store")
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

fn options(root: &Path) -> StoreOptions {
    StoreOptions {
        consume_queue_file_size: 200,
        extension_enabled: true,
        extension_file_size: 400,
        light_queues: true,
        index_slots: 16,
        index_entries: 64,
        ..small_options(root, FILE_SIZE as u64)
    }
}

/// The files of a sound, stopped store.
fn sound() -> &'static BTreeMap<PathBuf, Vec<u8>> {
    static SOUND: OnceLock<BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let dir = scratch();
        let root = dir.path().join("store");
        let mut log = JAVA.to_vec();
        log.resize(FILE_SIZE, 0);
        write(&root.join("commitlog/00000000000000000000"), &log);
        let store = MessageStore::open(options(&root), clock()).expect("a sound store");
        for n in 0..60_u32 {
            let mut batch = AppendBatch::new();
            let light = if n % 3 == 0 { "INNER_MULTI_DISPATCH\u{1}%LMQ%a,%LMQ%b\u{2}" } else { "" };
            let properties =
                format!("UNIQ_KEY\u{1}unique{n}\u{2}KEYS\u{1}key{n}\u{2}TAGS\u{1}tag{}\u{2}{light}", n % 3);
            push(&store, &mut batch, "T", n % 2, format!("body {n}").repeat(3).as_bytes(), &properties);
            store.append(&mut batch).expect("room");
        }
        settle(&store);
        store.close().expect("a clean stop");
        let mut files = BTreeMap::new();
        collect(&root, &root, &mut files);
        files
    })
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("it is in there").to_owned();
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(START_MS))
}

/// A third of all tags.
struct SomeTags;

impl MessageFilter for SomeTags {
    fn matches_tags(&self, tags_code: i64) -> bool {
        tags_code % 3 == 0
    }

    fn knows_bits(&self) -> bool {
        true
    }

    fn matches_bits(&self, _: i64, bits: &[u8]) -> bool {
        bits.first().is_none_or(|bits| bits % 2 == 0)
    }
}

/// Offset and body of all messages.
type Contents = BTreeMap<(String, u32), Vec<(i64, Vec<u8>)>>;

/// Everything that can be read, in every way it can be.
fn contents(store: &MessageStore) -> Contents {
    let mut all = Contents::new();
    for topic in store.topics() {
        for queue_id in 0..QUEUES {
            let topic = topic.as_str();
            all.insert((topic.to_owned(), queue_id), read_all(store, topic, queue_id));
            for timestamp in [i64::MIN, 0, START_MS, i64::MAX] {
                let found = store.offset_by_time(topic, QueueId(queue_id), timestamp, TimeBoundary::Lower);
                found.expect("files that can be read");
            }
            for queue_offset in [i64::MIN, -1, 0, 7, i64::MAX].map(QueueOffset) {
                let request = GetRequest {
                    topic,
                    queue_id: QueueId(queue_id),
                    queue_offset,
                    max_messages: 32,
                    filter: Some(&SomeTags),
                };
                store.get(&request).expect("files that can be read");
            }
        }
        for (kind, key) in [(KeyKind::Key, "key7"), (KeyKind::Key, "unique9"), (KeyKind::Tags, "tag1")] {
            let query = IndexQuery {
                topic: topic.as_str(),
                key,
                kind,
                max_messages: 64,
                begin_timestamp: i64::MIN,
                end_timestamp: i64::MAX,
            };
            assert!(store.query(&query).records.len() <= 64);
        }
    }
    all
}

fn claims(root: &Path) {
    let (options, clock) = (options(root), clock());
    let seen = check::check(&options, &clock);
    let store = match MessageStore::open(options.clone(), Arc::clone(&clock)) {
        Ok(store) => store,
        Err(error) => {
            assert!(!seen.is_sound(), "a look says that the store opens, and it does not: {error}");
            return;
        }
    };
    assert!(seen.is_sound(), "a look says that the store does not open, and it does: {seen:?}");
    let end = seen.log.map(|log| log.end);
    assert_eq!(end, Some(store.max_physical_offset()), "a look says where the log ends");
    settle(&store);
    let mut expected = contents(&store);
    for (topic, queue_id) in [("T", 0), ("T", 1), ("New", 0)] {
        let next = store.max_queue_offset(topic, QueueId(queue_id));
        let mut batch = AppendBatch::new();
        push(&store, &mut batch, topic, queue_id, b"added", "KEYS\u{1}added\u{2}");
        store.append(&mut batch).expect("room for a message");
        assert_eq!(batch.receipts()[0].queue_offset, next, "{topic}-{queue_id}: a number is given once");
        expected.entry((topic.to_owned(), queue_id)).or_default().push((next.0, b"added".to_vec()));
    }
    settle(&store);
    assert_same(&contents(&store), &expected, "after an append");
    store.close().expect("a clean stop");
    drop(store);
    let store = MessageStore::open(options, clock).expect("what was closed can be opened");
    assert_same(&contents(&store), &expected, "after a clean stop");
}

fn assert_same(found: &Contents, expected: &Contents, when: &str) {
    for (queue, messages) in expected {
        let read = found.get(queue).cloned().unwrap_or_default();
        assert!(read == *messages, "{queue:?} {when}: {read:?} instead of {messages:?}");
    }
}
