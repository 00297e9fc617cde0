//! Damage of every kind to a stopped store, and what the next start makes of it: one test for each case, named by its number in the
//! project's table of faults. Others of that table are in `room` (A19 to A21, A27) and in the crate's own `power_loss`.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::error::OpenError;
use boostermq_store::index::{IndexQuery, KeyKind};
use boostermq_store::{AppendBatch, MessageStore, StoreOptions};
use tempfile::TempDir;

use crate::harness::{Seeded, TestStore, copy_of, ends, push, read_all, settle, small_options};

const FILE_SIZE: u64 = 8192;
/// Messages of the usual store: several files of the log, several of each queue.
const COUNT: i64 = 160;

/// How the store was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Clean,
    /// Killed, with everything on disk and said so by the checkpoint.
    Flushed,
    /// Killed, with nothing but the log written.
    Bare,
}

/// Where a message is, and what.
#[derive(Clone, Debug)]
struct Place {
    queue_id: u32,
    queue_offset: i64,
    from: u64,
    to: u64,
}

/// A stopped store.
struct Stopped {
    dir: TempDir,
    places: Vec<Place>,
}

fn body(n: i64) -> Vec<u8> {
    let mut body = format!("message {n} ").repeat(4).into_bytes();
    body.truncate(30 + n as usize % 17);
    body
}

fn properties(n: i64) -> String {
    format!("UNIQ_KEY\u{1}unique{n:04}\u{2}KEYS\u{1}key{n}\u{2}TAGS\u{1}tag{}\u{2}", n % 3)
}

fn options(root: &Path) -> StoreOptions {
    StoreOptions { index_entries: 2000, ..small_options(root, FILE_SIZE) }
}

fn append(test: &TestStore, n: i64) -> Place {
    let mut batch = AppendBatch::new();
    let queue_id = (n % 3).min(1) as u32;
    push(&test.store, &mut batch, "T", queue_id, &body(n), &properties(n));
    test.store.append(&mut batch).unwrap();
    test.clock.advance(7);
    let receipt = batch.receipts()[0];
    let (from, to) = (receipt.physical_offset.0 as u64, receipt.end().0 as u64);
    Place { queue_id, queue_offset: receipt.queue_offset.0, from, to }
}

/// A store with `count` messages: a third of them in queue 0 of topic T, the others in queue 1.
fn stopped(count: i64, left: Left) -> Stopped {
    let test = TestStore::with(options);
    let places = (0..count).map(|n| append(&test, n)).collect();
    if left != Left::Bare {
        settle(&test.store);
        test.store.flush().unwrap();
    }
    if left == Left::Clean {
        test.store.close().unwrap();
    }
    Stopped { dir: test.crash(), places }
}

impl Stopped {
    fn copy(&self) -> TempDir {
        copy_of(self.dir.path())
    }

    /// What queue `queue_id` holds without the messages in `lost`.
    fn expected(&self, queue_id: u32, lost: &[usize]) -> Vec<(i64, Vec<u8>)> {
        let is_kept = |n: &usize| !lost.contains(n) && self.places[*n].queue_id == queue_id;
        (0..self.places.len()).filter(is_kept).map(|n| (self.places[n].queue_offset, body(n as i64))).collect()
    }

    fn len(&self, queue_id: u32) -> i64 {
        self.places.iter().filter(|place| place.queue_id == queue_id).count() as i64
    }

    /// The messages that are no longer as they were in the store in `dir`.
    fn changed(&self, dir: &Path) -> Vec<usize> {
        let record = |dir: &Path, place: &Place| {
            let file = std::fs::read(log_path(dir, place.from)).unwrap();
            file[(place.from % FILE_SIZE) as usize..((place.to - 1) % FILE_SIZE) as usize + 1].to_vec()
        };
        let differs = |n: &usize| record(dir, &self.places[*n]) != record(self.dir.path(), &self.places[*n]);
        (0..self.places.len()).filter(differs).collect()
    }

    /// The messages that have a byte in `[from, to)`.
    fn touched(&self, from: u64, to: u64) -> Vec<usize> {
        (0..self.places.len()).filter(|n| self.places[*n].from < to && self.places[*n].to > from).collect()
    }
}

fn open(dir: TempDir) -> TestStore {
    let options = options(dir.path());
    let test = TestStore::open(dir, options).unwrap();
    test.clock.advance(10_000_000);
    test
}

/// Opens the store in `dir`; all but `lost` have to be there, under their old numbers, and stay so while it goes on: a message is added,
/// the store is killed, opened, closed and opened.
fn check(stopped: &Stopped, dir: TempDir, lost: &[usize], what: &str) -> TestStore {
    let mut test = open(dir);
    let mut expected: Vec<_> = (0..2).map(|queue_id| stopped.expected(queue_id, lost)).collect();
    let mut next: Vec<_> = (0..2).map(|queue_id| stopped.len(queue_id)).collect();
    for round in 0..3 {
        for queue_id in [0, 1] {
            let queue = queue_id as usize;
            let read = test.read_all("T", queue_id);
            same(&read, &expected[queue], &format!("{what}, queue {queue_id}, round {round}"));
            assert_eq!(ends(&test.store, "T", queue_id).1, QueueOffset(next[queue]), "{what}, round {round}");
            let receipt = test.send("T", queue_id, b"added");
            assert_eq!(receipt.queue_offset.0, next[queue], "{what}: a number is given once");
            expected[queue].push((next[queue], b"added".to_vec()));
            next[queue] += 1;
        }
        settle(&test.store);
        test = if round == 0 { test.reopen_after_crash() } else { test.reopen_after_close() };
    }
    test
}

/// Compares what was read of a queue with what should have been, and names the offsets that differ.
fn same(read: &[(i64, Vec<u8>)], expected: &[(i64, Vec<u8>)], what: &str) {
    let without = |some: &[(i64, Vec<u8>)], others: &[(i64, Vec<u8>)]| -> Vec<i64> {
        some.iter().filter(|message| !others.contains(message)).map(|(offset, _)| *offset).collect()
    };
    let (missing, strange) = (without(expected, read), without(read, expected));
    assert!(missing.is_empty() && strange.is_empty(), "{what}: missing {missing:?}, strange {strange:?}");
    assert!(read.is_sorted(), "{what}");
}

fn log_path(dir: &Path, at: u64) -> PathBuf {
    dir.join(format!("commitlog/{:020}", at / FILE_SIZE * FILE_SIZE))
}

/// Deletes the files of the log from the one at `from` on, one that was made ahead among them.
fn remove_log_from(dir: &Path, from: u64) {
    for entry in std::fs::read_dir(dir.join("commitlog")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap() >= from {
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn change(path: &Path, from: u64, to: u64, change: impl Fn(usize, u8) -> u8) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut bytes = vec![0; (to - from) as usize];
    file.read_exact_at(&mut bytes, from).unwrap();
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = change(index, *byte);
    }
    file.write_all_at(&bytes, from).unwrap();
}

/// Changes bytes of the log, which lie in one file.
fn change_log(dir: &Path, from: u64, to: u64, how: impl Fn(usize, u8) -> u8) {
    change(&log_path(dir, from), from % FILE_SIZE, (to - 1) % FILE_SIZE + 1, how);
}

/// Every file of the store but its lock: path and content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
        } else if path.file_name().is_none_or(|name| name != "lock") {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

fn by_key(store: &MessageStore, n: i64) -> usize {
    let key = format!("key{n}");
    let query = IndexQuery {
        topic: "T",
        key: &key,
        kind: KeyKind::Key,
        max_messages: 32,
        begin_timestamp: 0,
        end_timestamp: i64::MAX,
    };
    store.query(&query).records.len()
}

/// Waits until every message of the usual store is found by its key: the index may be built in the background.
fn check_index(test: &TestStore, count: i64, what: &str) {
    for n in 0..count {
        let mut tries = 0;
        while by_key(&test.store, n) != 1 {
            tries += 1;
            assert!(tries < 2_000_000, "{what}: key{n}: {}", by_key(&test.store, n));
            std::thread::yield_now();
        }
    }
}

#[test]
fn a05_killed_between_any_two_steps_it_keeps_what_it_had_acknowledged() {
    let test = TestStore::with(options);
    let mut sent = Stopped { dir: tempfile::tempdir().unwrap(), places: Vec::new() };
    let mut seeded = Seeded(0x5DEE_CE66_D1CE_4E5B);
    for step in 0..60 {
        match seeded.below(6) {
            0 => test.store.dispatch_now(),
            1 => test.store.flush().unwrap(),
            _ => {
                for _ in 0..=seeded.below(9) {
                    sent.places.push(append(&test, sent.places.len() as i64));
                }
            }
        }
        let killed = open(copy_of(test.dir.path()));
        for queue_id in [0, 1] {
            same(&killed.read_all("T", queue_id), &sent.expected(queue_id, &[]), &format!("step {step}"));
        }
    }
}

#[test]
fn a07_a_tail_damaged_at_any_byte_ends_the_log_at_a_record() {
    let stopped = stopped(24, Left::Bare);
    let (tail, end) = (stopped.places[22].from, stopped.places[23].to);
    type Damage = fn(usize, u8) -> u8;
    let kinds: [(&str, Damage); 3] =
        [("zeroed", |_, _| 0), ("set", |_, _| 0xFF), ("scrambled", |at, byte| byte.wrapping_mul(91) ^ at as u8 ^ 0x33)];
    for (kind, damage) in kinds {
        for from in (tail..end).step_by(3) {
            let copy = stopped.copy();
            change_log(copy.path(), from, end, damage);
            let lost: Vec<usize> = if from < stopped.places[23].from { vec![22, 23] } else { vec![23] };
            let test = open(copy);
            let what = format!("{kind} from {from} on, in {tail}..{end}");
            let expected: Vec<_> = (0..2).map(|queue_id| stopped.expected(queue_id, &lost)).collect();
            for queue_id in [0, 1] {
                same(&test.read_all("T", queue_id), &expected[queue_id as usize], &what);
            }
            // Nothing of what was cut comes back, whatever is written in its place.
            let next = test.store.max_queue_offset("T", QueueId(0)).0;
            assert_eq!(test.send("T", 0, b"in its place").queue_offset.0, next);
            let test = test.reopen_after_crash();
            assert_eq!(test.read_all("T", 0).len(), expected[0].len() + 1, "{kind} from {from} on");
            same(&test.read_all("T", 1), &expected[1], &what);
        }
    }
}

#[test]
fn a07_a_tail_with_any_bit_flipped_costs_the_last_record_at_most() {
    let stopped = stopped(24, Left::Bare);
    let last = stopped.places[23].clone();
    for at in last.from..last.to {
        let copy = stopped.copy();
        change_log(copy.path(), at, at + 1, |_, byte| byte ^ 1 << (at % 8));
        let test = open(copy);
        let mut others = 0;
        for queue_id in [0, 1] {
            let expected = stopped.expected(queue_id, &[23]);
            let read = read_whole(&test.store, queue_id);
            let kept = read.iter().filter(|message| expected.contains(message)).count();
            assert_eq!(kept, expected.len(), "byte {} of {last:?}", at - last.from);
            others += read.len() - kept;
        }
        assert!(others <= 1, "byte {}", at - last.from);
    }
}

/// As `read_all`, for records in which anything but the body may be wrong.
fn read_whole(store: &MessageStore, queue_id: u32) -> Vec<(i64, Vec<u8>)> {
    let mut all = Vec::new();
    let (min, max) = ends(store, "T", queue_id);
    // A number that was damaged may have left a long row of blanks.
    for offset in min.0..max.0.min(min.0 + 1000) {
        let request = boostermq_store::GetRequest {
            topic: "T",
            queue_id: QueueId(queue_id),
            queue_offset: QueueOffset(offset),
            max_messages: 1,
            filter: None,
        };
        let outcome = store.get(&request).unwrap();
        if outcome.next_begin_offset.0 == offset + 1 {
            for slice in outcome.slices {
                let record = boostermq_remoting::message::record::Record::parse(&slice).unwrap();
                record.check_body_crc().unwrap();
                all.push((offset, record.body().to_vec()));
            }
        }
    }
    all
}

#[test]
fn a08_a_last_record_without_its_properties_is_no_record() {
    let stopped = stopped(24, Left::Bare);
    let last = stopped.places[23].clone();
    let length = properties(23).len() as u64;
    for missing in [1, 2, 5, length / 2, length - 1, length, length + 2] {
        let copy = stopped.copy();
        change_log(copy.path(), last.to - missing, last.to, |_, _| 0);
        let test = open(copy);
        for queue_id in [0, 1] {
            let what = format!("{missing} bytes of properties");
            same(&test.read_all("T", queue_id), &stopped.expected(queue_id, &[23]), &what);
        }
        assert_eq!(test.store.max_physical_offset().0 as u64, last.from);
    }
}

#[test]
fn a09_records_after_the_end_never_come_back() {
    let stopped = stopped(30, Left::Bare);
    let first_lost = stopped.places[20].from;
    let end = stopped.places[29].to;
    let old = std::fs::read(log_path(stopped.dir.path(), first_lost)).unwrap();
    // The last ten are lost; others take their place, and the store is killed after each of them.
    let copy = stopped.copy();
    change_log(copy.path(), first_lost, end, |_, _| 0);
    let mut test = open(copy);
    let mut expected: Vec<_> =
        (0..2).map(|queue_id| stopped.expected(queue_id, &(20..30).collect::<Vec<_>>())).collect();
    for n in 0..6 {
        let receipt = test.send("T", 0, format!("another {n}").as_bytes());
        expected[0].push((receipt.queue_offset.0, format!("another {n}").into_bytes()));
        // A power failure brings old sectors back behind it.
        let after = receipt.end().0 as u64;
        let sector = after.next_multiple_of(512);
        if sector < end {
            let bytes = old[(sector % FILE_SIZE) as usize..(end - 1) as usize % FILE_SIZE as usize + 1].to_vec();
            let file = std::fs::File::options().write(true).open(log_path(test.dir.path(), sector)).unwrap();
            let options = test.store.options().clone();
            let dir = test.crash();
            file.write_all_at(&bytes, sector % FILE_SIZE).unwrap();
            test = TestStore::open(dir, options).unwrap();
            test.clock.advance(20_000_000 + n);
        }
        assert_eq!(test.store.max_physical_offset().0 as u64, after, "{n}");
        for queue_id in [0, 1] {
            same(&test.read_all("T", queue_id), &expected[queue_id as usize], &format!("after {n}"));
        }
    }
}

/// Bits of records that were on disk: none may cost more than the record it is in.
fn flip(left: Left, forget_checkpoint: bool) {
    let stopped = stopped(COUNT, left);
    let mut seeded = Seeded(0x2545_F491_4F6C_DD1D);
    // Fields that a checksum or the record's place guards: size, magic, body CRC, queue offset, physical offset, body length, body.
    let guarded = [(0, 12), (20, 36), (84, 88), (88, 118)];
    for victim in (10..140).step_by(26) {
        let place = &stopped.places[victim];
        for _ in 0..12 {
            let (first, last) = guarded[seeded.below(4) as usize];
            let at = place.from + first + seeded.below(last - first);
            let bit = seeded.below(8);
            let copy = stopped.copy();
            change_log(copy.path(), at, at + 1, |_, byte| byte ^ 1 << bit);
            if forget_checkpoint {
                std::fs::write(copy.path().join("checkpoint"), [0; 4096]).unwrap();
            }
            let what = format!("{left:?}: bit {bit} of byte {} of record {victim}", at - place.from);
            check(&stopped, copy, &[victim], &what);
        }
    }
}

#[test]
fn a10_a_bit_flip_in_what_was_on_disk_costs_its_record_where_a_start_reads_it() {
    flip(Left::Flushed, true);
}

#[test]
fn a10_a_bit_flip_in_what_was_on_disk_costs_its_record_where_no_start_reads_it() {
    flip(Left::Flushed, false);
    flip(Left::Clean, false);
}

#[test]
fn a10_every_bit_of_a_record_that_was_on_disk() {
    let stopped = stopped(60, Left::Flushed);
    let place = stopped.places[30].clone();
    for at in place.from..place.to {
        let copy = stopped.copy();
        change_log(copy.path(), at, at + 1, |_, byte| byte ^ 1 << (at % 8));
        if at % 2 == 0 {
            std::fs::write(copy.path().join("checkpoint"), [0; 4096]).unwrap();
        }
        let test = open(copy);
        for queue_id in [0, 1] {
            let expected = stopped.expected(queue_id, &[30]);
            let read = read_whole(&test.store, queue_id);
            let kept = read.iter().filter(|message| expected.contains(message)).count();
            assert_eq!(kept, expected.len(), "byte {} of {place:?}, queue {queue_id}", at - place.from);
            assert_eq!(ends(&test.store, "T", queue_id).1.0, stopped.len(queue_id), "byte {}", at - place.from);
        }
    }
}

#[test]
fn a10_a_damaged_last_message_keeps_its_number() {
    let stopped = stopped(24, Left::Bare);
    let last = stopped.places[23].clone();
    let copy = stopped.copy();
    // In the body, which has its checksum: this record was written whole, and somebody may have been told its number.
    change_log(copy.path(), last.from + 95, last.from + 96, |_, byte| byte ^ 4);
    check(&stopped, copy, &[23], "the last message");
}

#[test]
fn a11_a_page_of_zeros_or_of_another_place_costs_the_records_in_it() {
    for left in [Left::Flushed, Left::Clean] {
        for is_read_by_start in [true, false] {
            let stopped = stopped(COUNT, left);
            for is_misdirected in [true, false] {
                let copy = stopped.copy();
                let path = log_path(copy.path(), FILE_SIZE);
                let page = std::fs::read(log_path(copy.path(), 0)).unwrap()[4096..8192].to_vec();
                change(&path, 0, 4096, |at, _| if is_misdirected { page[at] } else { 0 });
                if is_read_by_start {
                    std::fs::write(copy.path().join("checkpoint"), [0; 4096]).unwrap();
                }
                let lost = stopped.changed(copy.path());
                assert!(lost.len() > 10);
                let what = format!("{left:?}, misdirected: {is_misdirected}, read by the start: {is_read_by_start}");
                check(&stopped, copy, &lost, &what);
            }
        }
    }
}

#[test]
fn a12_files_of_the_log_that_are_not_as_they_should_be_refuse_the_start_and_nothing_changes() {
    let stopped = stopped(COUNT, Left::Flushed);
    let log = |dir: &Path, number: u64| dir.join(format!("commitlog/{:020}", number * FILE_SIZE));
    let last = stopped.places.last().unwrap().from / FILE_SIZE;
    type Refused = fn(&OpenError) -> bool;
    type Case<'a> = (&'a str, Box<dyn Fn(&Path) + 'a>, Refused, &'a str);
    let cases: [Case<'_>; 7] = [
        (
            "one in the middle is missing",
            Box::new(|dir| std::fs::remove_file(log(dir, 1)).unwrap()),
            |error| matches!(error, OpenError::Gap { .. }),
            "bring it back from a copy",
        ),
        (
            "the last is missing",
            Box::new(|dir| remove_log_from(dir, last * FILE_SIZE)),
            |error| matches!(error, OpenError::LogLost { .. }),
            "bring its last files back",
        ),
        (
            "all are missing",
            Box::new(|dir| remove_log_from(dir, 0)),
            |error| matches!(error, OpenError::LogLost { .. }),
            "delete the file checkpoint",
        ),
        (
            "one is shorter",
            Box::new(|dir| std::fs::File::options().write(true).open(log(dir, 1)).unwrap().set_len(100).unwrap()),
            |error| matches!(error, OpenError::FileSize { found: 100, .. }),
            "mappedFileSizeCommitLog",
        ),
        (
            "one is longer",
            Box::new(|dir| std::fs::File::options().write(true).open(log(dir, 1)).unwrap().set_len(8193).unwrap()),
            |error| matches!(error, OpenError::FileSize { found: 8193, .. }),
            "mappedFileSizeCommitLog",
        ),
        (
            "an empty one is not the last",
            Box::new(|dir| std::fs::File::options().write(true).open(log(dir, 0)).unwrap().set_len(0).unwrap()),
            |error| matches!(error, OpenError::FileSize { found: 0, .. }),
            "mappedFileSizeCommitLog",
        ),
        (
            "one has another name",
            Box::new(|dir| std::fs::write(dir.join("commitlog/notes.txt"), "x").unwrap()),
            |error| matches!(error, OpenError::FileName { .. }),
            "move it away",
        ),
    ];
    for (what, damage, is_expected, remedy) in cases {
        let copy = stopped.copy();
        damage(copy.path());
        let before = tree(copy.path());
        let options = options(copy.path());
        for _ in 0..2 {
            let error = TestStore::open(tempfile::tempdir().unwrap(), options.clone()).err().unwrap();
            assert!(is_expected(&error), "{what}: {error}");
            assert!(error.to_string().contains(remedy) && error.to_string().contains("commit"), "{what}: {error}");
            assert!(tree(copy.path()) == before, "{what}: something was changed");
        }
    }
}

#[test]
fn a12_the_remedy_for_lost_last_files_works() {
    let stopped = stopped(COUNT, Left::Flushed);
    let copy = stopped.copy();
    let last = stopped.places.last().unwrap().from / FILE_SIZE * FILE_SIZE;
    remove_log_from(copy.path(), last);
    std::fs::remove_file(copy.path().join("checkpoint")).unwrap();
    let test = open(copy);
    let lost = stopped.touched(last, u64::MAX);
    for queue_id in [0, 1] {
        same(&test.read_all("T", queue_id), &stopped.expected(queue_id, &lost), "without the last file");
    }
}

#[test]
fn a13_damaged_units_are_put_right() {
    for left in [Left::Clean, Left::Flushed] {
        let stopped = stopped(COUNT, left);
        for (file, from, to) in [(0, 0, 20), (0, 3, 4), (0, 200, 800), (800, 40, 60), (1600, 0, 100), (1600, 11, 12)] {
            for fill in [0, 0xFF, 0x5A] {
                let copy = stopped.copy();
                let path = copy.path().join(format!("consumequeue/T/1/{file:020}"));
                change(&path, from, to, |_, byte| if fill == 0x5A { byte ^ 0x5A } else { fill });
                check(&stopped, copy, &[], &format!("{left:?}: {from}..{to} of file {file} filled with {fill:#x}"));
            }
        }
    }
}

#[test]
fn a13_queues_that_lost_files_are_built_again() {
    for left in [Left::Clean, Left::Flushed, Left::Bare] {
        let stopped = stopped(COUNT, left);
        let removed = [
            "consumequeue",
            "consumequeue/T",
            "consumequeue/T/0",
            "consumequeue/T/1/00000000000000000000",
            "consumequeue/T/1/00000000000000000800",
            "consumequeue/T/1/00000000000000001600",
        ];
        for path in removed {
            let copy = stopped.copy();
            let path = copy.path().join(path);
            if path.is_dir() {
                std::fs::remove_dir_all(&path).unwrap();
            } else if path.exists() {
                std::fs::remove_file(&path).unwrap();
            }
            check(&stopped, copy, &[], &format!("{left:?}: without {}", path.display()));
        }
    }
}

#[test]
fn a13_queues_ahead_of_the_log_are_cut_and_queues_behind_it_catch_up() {
    let stopped = stopped(COUNT, Left::Flushed);
    // Ahead: the log has lost its end, and nobody but the queues knows.
    let copy = stopped.copy();
    let cut = stopped.places[150].from;
    let end = stopped.places.last().unwrap().to;
    assert_eq!(cut / FILE_SIZE, (end - 1) / FILE_SIZE);
    change_log(copy.path(), cut, end, |_, _| 0);
    std::fs::remove_file(copy.path().join("checkpoint")).unwrap();
    std::fs::remove_file(copy.path().join("consumequeue.ends")).unwrap();
    let test = open(copy);
    for queue_id in [0, 1] {
        let expected = stopped.expected(queue_id, &(150..160).collect::<Vec<_>>());
        same(&test.read_all("T", queue_id), &expected, "ahead");
        assert_eq!(test.send("T", queue_id, b"next").queue_offset.0, expected.len() as i64);
    }
    // The same, where it is known that they had been on disk: they are damaged then, and their numbers stay taken.
    let copy = stopped.copy();
    change_log(copy.path(), cut, end, |_, _| 0);
    check(&stopped, copy, &(150..160).collect::<Vec<_>>(), "zeros at the end of what was on disk");
    // Behind: queues of an hour ago, whatever the checkpoint says.
    let earlier = self::stopped(40, Left::Flushed);
    for keeps in ["", "checkpoint", "consumequeue.ends"] {
        let copy = stopped.copy();
        std::fs::remove_dir_all(copy.path().join("consumequeue")).unwrap();
        let from = earlier.dir.path().join("consumequeue");
        let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(copy.path()).status().unwrap();
        assert!(copied.success());
        if !keeps.is_empty() {
            std::fs::remove_file(copy.path().join(keeps)).unwrap();
        }
        check(&stopped, copy, &[], &format!("queues of an hour ago, without {keeps}"));
    }
}

#[test]
fn a14_a_damaged_index_is_built_again_and_searched_in_bounds() {
    let stopped = stopped(COUNT, Left::Clean);
    let index_file = |dir: &Path| std::fs::read_dir(dir.join("index")).unwrap().next().unwrap().unwrap().path();
    type Damage = Box<dyn Fn(&Path)>;
    let write = |at: u64, bytes: &'static [u8]| -> Damage {
        Box::new(move |path: &Path| {
            std::fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap()
        })
    };
    // The header's counts and ends, and the whole file.
    let built_again: Vec<(&str, Damage)> = vec![
        ("no file", Box::new(|path| std::fs::remove_file(path).unwrap())),
        ("an empty file", Box::new(|path| std::fs::write(path, b"").unwrap())),
        ("a huge count", write(36, &[0x7F, 0xFF, 0xFF, 0xFF])),
        ("a negative count", write(36, &[0xFF, 0xFF, 0xFF, 0xFF])),
        ("a count of one more", write(36, &[0, 0, 3, 0xE8])),
        ("many slots", write(32, &[0x7F, 0xFF, 0xFF, 0xFF])),
        ("a begin elsewhere", write(16, &[0, 0, 0, 0, 0, 0, 0x10, 0])),
        ("an end far away", write(24, &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])),
        ("a negative end", write(24, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])),
        ("all set", Box::new(|path| change(path, 0, 2000, |_, _| 0xFF))),
        ("first entry zeroed", Box::new(|path| change(path, 40 + 200 + 20, 40 + 200 + 40, |_, _| 0))),
    ];
    for (what, damage) in built_again {
        let copy = stopped.copy();
        damage(&index_file(copy.path()));
        let test = open(copy);
        check_index(&test, COUNT, what);
        // One file for what fills a part of one, and no more after more messages.
        for _ in 0..20 {
            test.send("T", 0, b"more");
        }
        settle(&test.store);
        assert_eq!(std::fs::read_dir(test.dir.path().join("index")).unwrap().count(), 1, "{what}");
        assert_eq!(test.store.stats().index_failures, 0, "{what}");
    }
    // Slots and chains: a search ends, and opening succeeds; loops lead nowhere.
    let mut seeded = Seeded(0x9E37_79B9_7F4A_7C15);
    for _ in 0..40 {
        let copy = stopped.copy();
        let path = index_file(copy.path());
        let number = seeded.below(480) as i32;
        let at = match seeded.below(2) {
            0 => 40 + 4 * seeded.below(50),
            _ => 40 + 200 + 20 * (1 + seeded.below(470)) + 16,
        };
        change(&path, at, at + 4, |index, _| number.to_be_bytes()[index]);
        let test = open(copy);
        for n in 0..COUNT {
            assert!(by_key(&test.store, n) <= 1);
        }
    }
}

#[test]
fn a14_an_index_that_would_be_full_at_once_is_refused() {
    for (slots, entries) in [(50, 1), (50, 0), (0, 100)] {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { index_slots: slots, index_entries: entries, ..options(dir.path()) };
        let error = TestStore::open(dir, options).err().unwrap();
        assert!(matches!(&error, OpenError::Options { .. }) && error.to_string().contains("maxIndexNum"), "{error}");
    }
}

#[test]
fn a15_a_checkpoint_that_lies_costs_nothing() {
    let field = |value: i64| value.to_be_bytes();
    let mut contents: Vec<(String, Vec<u8>)> = vec![
        ("zero".to_owned(), vec![0; 4096]),
        ("set".to_owned(), vec![0xFF; 4096]),
        ("largest".to_owned(), [0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF].repeat(512)),
        ("short".to_owned(), vec![1; 11]),
        ("empty".to_owned(), Vec::new()),
    ];
    // In the future: times and a place past what there is, together and each for itself.
    let future = 4_000_000_000_000_i64;
    for at in [100, 8192, 12_000, 20_000, 24_575, 24_576, 1 << 40] {
        for (log_time, queue_time, place) in [(future, future, at), (0, 0, at), (future, future, 0)] {
            let mut bytes =
                [field(log_time), field(queue_time), field(future), field(0), field(0), field(place)].concat();
            bytes.resize(4096, 0);
            contents.push((format!("times {log_time} {queue_time}, place {place}"), bytes));
        }
    }
    let mut seeded = Seeded(0x0DDB_1A5E_5BAD_5EED);
    for round in 0..10 {
        contents.push((format!("random {round}"), (0..4096).map(|_| seeded.next() as u8).collect()));
    }
    for left in [Left::Clean, Left::Flushed, Left::Bare] {
        let stopped = stopped(COUNT, left);
        for (what, bytes) in &contents {
            let copy = stopped.copy();
            std::fs::write(copy.path().join("checkpoint"), bytes).unwrap();
            check(&stopped, copy, &[], &format!("{left:?}: checkpoint {what}"));
            // The queues, too, are not what the checkpoint says.
            let copy = stopped.copy();
            std::fs::write(copy.path().join("checkpoint"), bytes).unwrap();
            let queue = copy.path().join("consumequeue/T/1/00000000000000001600");
            if queue.exists() {
                change(&queue, 0, 800, |_, _| 0);
            }
            check(&stopped, copy, &[], &format!("{left:?}: checkpoint {what}, units lost"));
        }
    }
}

#[test]
fn a16_the_abort_file_decides_about_speed_only() {
    for left in [Left::Clean, Left::Flushed, Left::Bare] {
        let stopped = stopped(COUNT, left);
        for is_there in [true, false] {
            let set = |dir: &Path| {
                let abort = dir.join("abort");
                if is_there {
                    std::fs::write(abort, "4711").unwrap();
                } else {
                    let _ = std::fs::remove_file(abort);
                }
            };
            let copy = stopped.copy();
            set(copy.path());
            let test = check(&stopped, copy, &[], &format!("{left:?}, abort file: {is_there}"));
            check_index(&test, COUNT, &format!("{left:?}, abort file: {is_there}"));
            // With a torn end, which only a crash leaves.
            let copy = stopped.copy();
            set(copy.path());
            let last = stopped.places.last().unwrap();
            change_log(copy.path(), last.from + 50, last.to, |_, _| 0);
            let test = open(copy);
            let expected = stopped.expected(last.queue_id, &[COUNT as usize - 1]);
            same(&test.read_all("T", last.queue_id), &expected, &format!("{left:?}, abort file: {is_there}"));
        }
    }
}

#[test]
fn a18_a_second_owner_is_refused_and_changes_nothing() {
    let test = TestStore::with(options);
    for n in 0..20 {
        append(&test, n);
    }
    test.store.flush().unwrap();
    let before = tree(test.dir.path());
    let error = TestStore::open(tempfile::tempdir().unwrap(), test.store.options().clone()).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(tree(test.dir.path()) == before, "something was changed");
    read_all(&test.store, "T", 0);
}
