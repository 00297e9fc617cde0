//! The same for the timer's files: the bytes stand in place of the used cells of the wheel, of the timer log, or of the timer's
//! checkpoint. What was opened can be walked to its end, tick by tick, and what is written then is opened again.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use boostermq_store::clock::{Clock, ManualClock};
use boostermq_store::timer::{TimerFiles, TimerOptions, TimerProgress, WHEEL_TOPIC, Waiting, read_waiting};
use boostermq_store::{AppendBatch, MessageStore};
use tempfile::TempDir;

use crate::harness::{START_MS, push, settle, small_options};

const MESSAGES: i64 = 12;
const FILE_SIZE: u64 = 8192;
const WHEEL: &str = "timerwheel";

/// A file whose place is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerPart {
    Wheel,
    Log,
    Checkpoint,
}

/// A stopped store with messages that wait, and what stands in the timer's files.
struct Sound {
    dir: TempDir,
    wheel_length: u64,
    /// Where the used cells of the wheel begin.
    wheel_begin: u64,
    wheel: Vec<u8>,
    log: Vec<u8>,
    checkpoint: Vec<u8>,
}

impl TimerPart {
    /// What a sound store has there.
    pub(crate) fn seed(self) -> Vec<u8> {
        match self {
            Self::Wheel => sound().wheel.clone(),
            Self::Log => sound().log.clone(),
            Self::Checkpoint => sound().checkpoint.clone(),
        }
    }

    /// Puts `bytes` there and looks what becomes of the timer.
    pub(crate) fn survives(self, bytes: &[u8]) {
        let sound = sound();
        let root = sound.dir.path();
        let or = |part: Self, own: &[u8]| if part == self { bytes.to_vec() } else { own.to_vec() };
        for name in [WHEEL, "timerlog", "config"] {
            let path = root.join(name);
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        fs::create_dir_all(root.join("timerlog"))
            .and_then(|()| fs::create_dir_all(root.join("config")))
            .expect("folders");
        let mut log = or(Self::Log, &sound.log);
        log.resize(sound.log.len(), 0);
        fs::write(root.join("timerlog/00000000000000000000"), log).expect("a file");
        fs::write(root.join("config/timercheck"), or(Self::Checkpoint, &sound.checkpoint)).expect("a file");
        let wheel = fs::File::create(root.join(WHEEL)).expect("a file");
        wheel.set_len(sound.wheel_length).expect("room");
        let mut cells = or(Self::Wheel, &sound.wheel);
        cells.truncate((sound.wheel_length - sound.wheel_begin) as usize);
        wheel.write_all_at(&cells, sound.wheel_begin).expect("room");
        claims(root);
    }
}

fn options(root: &Path) -> TimerOptions {
    TimerOptions { root: root.to_owned(), precision_ms: 1000, log_file_size: 5200 }
}

fn open_store(root: &Path) -> MessageStore {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START_MS));
    MessageStore::open(small_options(root, FILE_SIZE), clock).expect("a sound store")
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.expect("a folder for a store");
        let root = dir.path();
        let store = open_store(root);
        let mut batch = AppendBatch::new();
        (0..MESSAGES).for_each(|_| push(&store, &mut batch, WHEEL_TOPIC, 0, b"later", "UNIQ_KEY\u{1}k\u{2}"));
        store.append(&mut batch).expect("room");
        settle(&store);
        let (mut timer, _) = TimerFiles::open(&options(root), &store, START_MS).expect("a new timer");
        take_in(&mut timer, &store, QueueOffset::ZERO);
        save(&mut timer, &store, QueueOffset(MESSAGES));
        drop(timer);
        store.close().expect("a clean stop");
        let file = |name: &str| fs::read(root.join(name)).expect("a file of the timer");
        let wheel = file(WHEEL);
        let is_used = |byte: &u8| *byte != 0;
        let begin = wheel.iter().position(is_used).unwrap_or(0) / 32 * 32;
        let end = wheel.iter().rposition(is_used).unwrap_or(0) / 32 * 32 + 32;
        Sound {
            wheel_length: wheel.len() as u64,
            wheel_begin: begin as u64,
            wheel: wheel[begin..end].to_vec(),
            log: file("timerlog/00000000000000000000"),
            checkpoint: file("config/timercheck"),
            dir,
        }
    })
}

/// Takes in what is new, each message for one of three ticks. Returns how many messages there were.
fn take_in(timer: &mut TimerFiles, store: &MessageStore, from: QueueOffset) -> usize {
    let mut units = Vec::new();
    read_waiting(store, from, 100, &mut units).expect("a queue");
    for (index, unit) in units.iter().enumerate() {
        if !timer.is_taken_in(unit.physical_offset) {
            let waiting = Waiting {
                is_put_off: false,
                is_recall: false,
                taken_in_ms: START_MS,
                slot_ms: START_MS + 1000 * (1 + index as i64 % 3),
                physical_offset: unit.physical_offset,
                size: unit.size,
                topic_hash: 7,
            };
            timer.add(&waiting).expect("room");
        }
    }
    timer.write().expect("room");
    units.len()
}

fn save(timer: &mut TimerFiles, store: &MessageStore, queue_offset: QueueOffset) {
    let deliveries_end = store.max_physical_offset();
    if let Some(snapshot) = timer.snapshot(&TimerProgress { now_ms: START_MS, queue_offset, deliveries_end }) {
        snapshot.write().expect("a disk");
    }
}

fn claims(root: &Path) {
    let store = open_store(root);
    let Ok((mut timer, _)) = TimerFiles::open(&options(root), &store, START_MS) else { return };
    let from = timer.checkpoint().queue_offset;
    let _ = (timer.pending(), timer.checkpoint().to_wire());
    take_in(&mut timer, &store, from);
    save(&mut timer, &store, QueueOffset(MESSAGES));
    let before = walk(&mut timer);
    drop(timer);
    let (mut timer, _) = TimerFiles::open(&options(root), &store, START_MS).expect("what we write can be opened");
    let from = timer.checkpoint().queue_offset;
    take_in(&mut timer, &store, from);
    assert_eq!(walk(&mut timer), before);
    while let Some(first) = timer.first_slot_ms() {
        timer.slot(first).expect("a log that can be read");
        timer.remove_slot(first);
        assert!(timer.first_slot_ms().is_none_or(|next| next > first), "ticks go on");
    }
    timer.expire(PhysicalOffset(i64::MAX)).expect("a disk");
}

fn walk(timer: &mut TimerFiles) -> Vec<(i64, i64)> {
    let mut seen = Vec::new();
    timer.for_each(|waiting| seen.push((waiting.slot_ms, waiting.physical_offset.0))).expect("a log that can be read");
    seen
}
