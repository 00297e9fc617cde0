//! Retention in a whole store, with a disk that is as full as a test says and a clock that is moved.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use boostermq_remoting::message::record::Records;
use boostermq_remoting::names::Topic;
use boostermq_remoting::offsets::QueueOffset;
use rustix::io::Errno;
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::error::AppendError;
use crate::fixture;
use crate::get_message::{GetRequest, GetStatus};
use crate::io::watch::{Fault, Kind, Watch};
use crate::message_store::MessageStore;

const FILE_SIZE: i64 = 4096;
const HOUR_MS: i64 = 3_600_000;

struct Kept {
    store: MessageStore,
    clock: Arc<ManualClock>,
    used: Arc<AtomicU32>,
    dir: TempDir,
}

fn options(dir: &TempDir) -> StoreOptions {
    let retention = RetentionOptions {
        delete_hours: Vec::new(),
        log_pause: Duration::ZERO,
        queue_pause: Duration::ZERO,
        ..RetentionOptions::default()
    };
    let still = fixture::still_options(dir.path(), FILE_SIZE as u64);
    // The disk is as full as a test says, and that counts.
    let disk_warning_ratio = StoreOptions::new(dir.path()).disk_warning_ratio;
    StoreOptions { consume_queue_file_size: 5 * 20, disk_warning_ratio, retention, ..still }
}

impl Kept {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    /// The machine's time, because files have it.
    fn open(dir: TempDir) -> Self {
        let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        let clock = Arc::new(ManualClock::new(now_ms));
        let store = MessageStore::open(options(&dir), clock.clone()).unwrap();
        let used = Arc::new(AtomicU32::new(10));
        let reading = Arc::clone(&used);
        *store.retention().used.lock() = Some(Box::new(move || reading.load(Ordering::SeqCst)));
        Self { store, clock, used, dir }
    }

    fn reopen(self, is_clean: bool) -> Self {
        if is_clean {
            self.store.close().unwrap();
        }
        drop(self.store);
        Self::open(self.dir)
    }

    fn try_send(&self, body: &[u8]) -> Result<(), AppendError> {
        fixture::send(&self.store, "T", QueueId(0), body, b"")?;
        self.store.dispatch_now();
        Ok(())
    }

    /// Fills `files` files with a record each and flushes.
    fn fill(&self, files: usize) {
        for _ in 0..files {
            let offset = self.store.queue(&Topic::parse("T").unwrap(), QueueId(0)).next_offset();
            self.try_send(&[offset.0 as u8; 3000]).unwrap();
        }
        self.store.flush().unwrap();
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("commitlog")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        // The one that is made ahead is no file of the log yet.
        let end = self.store.max_physical_offset().0;
        paths.retain(|path| path.file_name().unwrap().to_str().unwrap().parse::<i64>().unwrap() < end);
        paths
    }

    /// The oldest `count` files were last written so many hours ago.
    fn age(&self, count: usize, hours: i64) {
        for path in self.files().iter().take(count) {
            let written =
                SystemTime::UNIX_EPOCH + Duration::from_millis((self.clock.now_ms() - hours * HOUR_MS) as u64);
            File::open(path).unwrap().set_modified(written).unwrap();
        }
    }

    /// As [`MessageStore::delete_expired_files`], but it is the test that looks, not the store's thread.
    fn ask(&self) {
        self.store.retention().asked.store(ASKED_LOOKS, Ordering::SeqCst);
    }

    /// Offsets of the messages that can be read from the first on.
    fn readable(&self) -> Vec<i64> {
        let mut offsets = Vec::new();
        let mut next = self.store.min_queue_offset("T", QueueId(0));
        loop {
            let request =
                GetRequest { topic: "T", queue_id: QueueId(0), queue_offset: next, max_messages: 32, filter: None };
            let outcome = self.store.get(&request).unwrap();
            for record in outcome.slices.iter().flat_map(|slice| Records::new(slice)) {
                let record = record.unwrap();
                assert_eq!(record.body(), [record.queue_offset().0 as u8; 3000]);
                offsets.push(record.queue_offset().0);
            }
            if outcome.next_begin_offset == next {
                return offsets;
            }
            assert_eq!(outcome.status, GetStatus::Found, "{outcome:?}");
            next = outcome.next_begin_offset;
        }
    }
}

#[test]
fn a19_each_level_of_the_disk_does_what_it_should() {
    let kept = Kept::new();
    kept.fill(8);
    // Percent in use, files deleted, whether messages are taken afterwards, files lost in all.
    for (used, deleted, is_taken, lost) in [
        (75, 0, true, 0),
        (85, 0, true, 0),
        (90, 1, true, 1),
        (91, 1, false, 2),
        (86, 1, false, 3),
        (85, 0, true, 3),
        (89, 1, true, 4),
        (91, 1, false, 5),
        (10, 0, true, 5),
    ] {
        kept.used.store(used, Ordering::SeqCst);
        // The disk is less full by a file than the look found, and that is enough.
        let freed = Arc::new(AtomicU32::new(0));
        let (level, looks) = (Arc::clone(&kept.used), Arc::clone(&freed));
        *kept.store.retention().used.lock() = Some(Box::new(move || {
            // The first look decides; the next one is after the first deletion.
            if looks.fetch_add(1, Ordering::SeqCst) == 1 && used > 85 { 85 } else { level.load(Ordering::SeqCst) }
        }));
        assert_eq!(kept.store.look_for_room(), deleted, "{used} %");
        assert_eq!(kept.try_send(b"x").is_ok(), is_taken, "{used} %");
        assert_eq!(kept.store.stats().lost_files, lost, "{used} %");
        assert_eq!(kept.store.stats().lost_bytes, lost * FILE_SIZE as u64);
        kept.store.flush().unwrap();
    }
    assert_eq!(kept.store.stats().expired_files, 0);
}

#[test]
fn a19_a_refused_message_says_which_disk_is_how_full() {
    let kept = Kept::new();
    kept.fill(1);
    kept.used.store(97, Ordering::SeqCst);
    assert_eq!(kept.store.look_for_room(), 0, "never the file that is appended to");
    assert!(matches!(kept.try_send(b"x"), Err(AppendError::DiskFull)));
    let text = kept.store.fullness().to_string();
    let folder = kept.dir.path().join("commitlog");
    assert_eq!(text, format!("the disk of {} is 97 % full, messages are refused above 90 %", folder.display()));
    assert_eq!(kept.readable(), [0], "pulls go on");
}

#[test]
fn expired_files_go_when_they_may() {
    let kept = Kept::new();
    kept.fill(8);
    kept.age(3, 72);
    assert_eq!(kept.store.look_for_room(), 0, "not the hour, and there is room");
    kept.ask();
    kept.clock.advance(1);
    assert_eq!(kept.store.look_for_room(), 3);
    assert_eq!(kept.readable(), [3, 4, 5, 6, 7]);
    // A file in the middle does not go before those in front of it.
    let second = kept.files().remove(1);
    File::open(second).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(kept.store.look_for_room(), 0);
    kept.used.store(76, Ordering::SeqCst);
    kept.age(1, 100);
    assert_eq!(kept.store.look_for_room(), 2);
    assert_eq!((kept.store.stats().expired_files, kept.store.stats().lost_files), (5, 0));
    let kept = kept.reopen(true);
    assert_eq!(kept.readable(), [5, 6, 7]);
}

#[test]
fn settings_take_effect_while_the_store_is_open() {
    let kept = Kept::new();
    kept.fill(4);
    kept.age(4, 2);
    let mut changed = kept.store.options().clone();
    changed.retention.keep_for = Duration::from_secs(3600);
    changed.retention.delete_hours = (0..24).collect();
    changed.retention.batch_max = 2;
    kept.store.set_retention(&changed);
    assert_eq!((kept.store.look_for_room(), kept.store.look_for_room()), (2, 1));
    changed.disk_warning_ratio = 5;
    changed.retention.may_force = false;
    kept.store.set_retention(&changed);
    kept.store.look_for_room();
    assert!(matches!(kept.try_send(b"x"), Err(AppendError::DiskFull)));
    assert_eq!(kept.store.stats().lost_files, 0);
}

#[test]
fn what_is_not_on_disk_stays() {
    let kept = Kept::new();
    kept.fill(1);
    kept.used.store(99, Ordering::SeqCst);
    for body in [1_u8, 2, 3] {
        kept.try_send(&[body; 3000]).unwrap();
    }
    assert_eq!(kept.store.look_for_room(), 0, "not even the end of the first is on disk");
    kept.store.flush().unwrap();
    assert_eq!(kept.store.look_for_room(), 3);
}

#[test]
fn readers_keep_what_they_hold_and_their_space_is_not_asked_for_twice() {
    let kept = Kept::new();
    kept.fill(6);
    let request =
        GetRequest { topic: "T", queue_id: QueueId(0), queue_offset: QueueOffset::ZERO, max_messages: 1, filter: None };
    let held = kept.store.get(&request).unwrap().slices;
    kept.age(1, 73);
    kept.ask();
    kept.store.look_for_room();
    assert_eq!(kept.readable(), [1, 2, 3, 4, 5]);
    assert_eq!(Records::new(&held[0]).next().unwrap().unwrap().body(), [0; 3000]);
    let mut work = kept.store.retention().work.lock();
    assert_eq!(work.held_bytes(), FILE_SIZE as u64);
    drop(held);
    assert_eq!(work.held_bytes(), 0);
}

#[test]
fn a27_a_clock_that_was_set_makes_no_file_older_or_younger() {
    for by in [24 * HOUR_MS, 365 * 24 * HOUR_MS, -HOUR_MS, -30 * 24 * HOUR_MS] {
        let kept = Kept::new();
        kept.fill(4);
        kept.age(2, 71);
        kept.clock.set(kept.clock.now_ms() + by);
        kept.ask();
        assert_eq!(kept.store.look_for_room(), 0, "set by {by}");
        // One hour later two files have been there for 72.
        kept.clock.advance(HOUR_MS);
        assert_eq!(kept.store.look_for_room(), 2, "set by {by}");
        // Also for the next process.
        let now = kept.clock.now_ms();
        let kept = kept.reopen(true);
        kept.clock.set(now);
        // It was so before this process began.
        kept.store.time().take_set_by_ms();
        kept.ask();
        assert_eq!(kept.store.look_for_room(), 0, "set by {by}");
    }
}

#[test]
fn any_step_of_a_look_may_fail_and_the_next_start_finds_a_whole_log() {
    for first in 1.. {
        let kept = Kept::new();
        kept.fill(6);
        let before = kept.readable();
        let watch = Watch::new(kept.dir.path());
        kept.age(4, 100);
        watch.fail(Fault { kind: Kind::Any, first, count: 1, error: Errno::IO });
        kept.ask();
        kept.store.look_for_room();
        let failed = watch.heal();
        let after = kept.readable();
        assert!(before.ends_with(&after), "{first}: {after:?}");
        // As a crash leaves it.
        let kept = kept.reopen(false);
        let again = kept.readable();
        assert!(again.ends_with(&after) || after.ends_with(&again), "{first}: {after:?} then {again:?}");
        kept.fill(1);
        assert_eq!(kept.readable().last(), Some(&6), "{first}: offsets go on");
        kept.ask();
        kept.store.look_for_room();
        assert_eq!(kept.readable(), [4, 5, 6], "{first}");
        if failed == 0 {
            return;
        }
    }
}

#[test]
fn a20_no_room_at_the_roll_is_refused_and_passes() {
    for error in [Errno::NOSPC, Errno::DQUOT, Errno::ROFS] {
        let kept = Kept::new();
        let watch = Watch::new(kept.dir.path());
        watch.fail(Fault { kind: Kind::Space, first: 1, count: u64::MAX, error });
        let began = Instant::now();
        let refused = kept.try_send(&[0; 3000]).unwrap_err();
        assert_eq!(matches!(refused, AppendError::NoRoom { .. }), error != Errno::ROFS, "{refused}");
        assert_eq!(matches!(refused, AppendError::ReadOnly { .. }), error == Errno::ROFS, "{refused}");
        assert!(refused.to_string().contains(&kept.dir.path().display().to_string()), "{refused}");
        // Each second one of these tries, and one look.
        for _ in 0..2000 {
            assert!(kept.try_send(&[0; 3000]).is_err());
        }
        let (failed, took) = (watch.heal(), began.elapsed());
        assert!(failed < 20 * (1 + took.as_secs()), "{failed} in {took:?}");
        // It heals by itself within a second; by a look at once.
        while kept.try_send(&[0; 3000]).is_err() {
            kept.store.look_for_room();
            std::thread::yield_now();
        }
        assert_eq!(kept.readable(), [0], "a refused message takes no offset");
    }
}

#[test]
fn a20_a_file_goes_before_its_time_when_the_next_has_no_room() {
    let kept = Kept::new();
    kept.fill(3);
    let watch = Watch::new(kept.dir.path());
    watch.fail(Fault { kind: Kind::Space, first: 1, count: u64::MAX, error: Errno::NOSPC });
    while kept.try_send(&[3; 3000]).is_ok() {}
    kept.store.look_for_room();
    watch.heal();
    // One by the look, or one by the store's own that the refusal woke, or both.
    let lost = kept.store.stats().lost_files;
    assert!((1..=2).contains(&lost), "{lost}");
    while kept.try_send(&[9; 3000]).is_err() {
        std::thread::yield_now();
    }
    assert!(kept.store.min_physical_offset().0 >= FILE_SIZE);
}

#[test]
fn queues_lose_files_and_go_only_when_nobody_uses_them() {
    let kept = Kept::new();
    kept.fill(12);
    let folder = kept.dir.path().join("consumequeue/T/0");
    let count = || std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(count(), 3, "five units in each");
    kept.age(11, 100);
    kept.ask();
    assert_eq!(kept.store.look_for_room(), 10);
    assert_eq!((count(), kept.readable()), (1, vec![10, 11]));
    kept.store.look_for_room();
    assert_eq!(kept.readable(), [11]);
    assert_eq!(kept.store.delete_expired_queues(&|_, _| false).unwrap(), 0, "it has a message");
    let queue = kept.store.existing_queue("T", QueueId(0)).unwrap();
    let other = kept.store.queue(&Topic::parse("Other").unwrap(), QueueId(3));
    assert_eq!((queue.min_offset().0, other.next_offset().0), (11, 0));
    // All that is left goes, but for a record of another queue.
    fixture::send(&kept.store, "Other", QueueId(3), &[1; 3000], b"").unwrap();
    kept.store.dispatch_now();
    kept.store.flush().unwrap();
    kept.age(1, 100);
    assert_eq!(kept.store.look_for_room(), 1);
    assert_eq!(kept.readable(), [] as [i64; 0]);
    assert_eq!((queue.min_offset().0, queue.max_offset().0), (12, 12));
    let is_used = |topic: &str, _: QueueId| topic == "T";
    assert_eq!(kept.store.delete_expired_queues(&is_used).unwrap(), 0);
    assert_eq!(count(), 1, "its next offset must be known");
    let kept = kept.reopen(false);
    assert_eq!(kept.store.max_queue_offset("T", QueueId(0)).0, 12);
    assert_eq!(kept.store.delete_expired_queues(&|_, _| false).unwrap(), 1);
    assert!(!folder.exists());
    assert!(kept.store.existing_queue("T", QueueId(0)).is_none());
    assert_eq!(kept.store.max_queue_offset("Other", QueueId(3)).0, 1);
}
