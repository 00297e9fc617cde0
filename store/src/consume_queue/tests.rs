use std::collections::BTreeMap;
use std::path::Path;

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use super::*;

/// Seven units a file: files end inside reads and inside the buffer.
const FILE_SIZE: u64 = 7 * UNIT_SIZE as u64;

fn table(folder: &Path) -> QueueTable {
    QueueTable::new(folder, FILE_SIZE, 1024)
}

/// The queue of a table with files of so many units.
fn open_sized(folder: &Path, units: u64, is_thorough: bool) -> Arc<ConsumeQueue> {
    let table = QueueTable::new(folder, units * UNIT_SIZE as u64, 1024);
    table.load().unwrap();
    table.recover_all(is_thorough, None).unwrap();
    table.get_or_create(&topic(), QueueId(0))
}

fn topic() -> Topic {
    Topic::parse("T").unwrap()
}

fn open(folder: &Path, is_thorough: bool) -> Arc<ConsumeQueue> {
    open_sized(folder, 7, is_thorough)
}

/// The unit of a record of 10 bytes, the `n`th in the log.
fn unit(n: i64) -> Unit {
    Unit { physical_offset: PhysicalOffset(n * 10), size: 10, tags_code: n - 3 }
}

fn push(queue: &ConsumeQueue, queue_offset: i64, n: i64) {
    queue.push_unit(QueueOffset(queue_offset), unit(n)).unwrap();
}

/// Everything in [from, max), read with calls of `count` units; places in missing files come out blank.
fn read_all(queue: &ConsumeQueue, from: i64, count: usize) -> Vec<Unit> {
    let mut all = Vec::new();
    let mut out = Vec::new();
    let mut next = from;
    while next < queue.max_offset().0 {
        if queue.read_units(QueueOffset(next), count, &mut out).unwrap() == 0 {
            out.push(Unit::BLANK);
        }
        all.extend_from_slice(&out);
        next = from + all.len() as i64;
    }
    all
}

fn readable(queue: &ConsumeQueue) -> Vec<Unit> {
    read_all(queue, queue.min_offset().0, 5)
}

fn range(queue: &ConsumeQueue) -> (i64, i64) {
    (queue.min_offset().0, queue.max_offset().0)
}

/// What a queue should hold.
#[derive(Default, Debug)]
struct Model {
    units: BTreeMap<i64, Unit>,
    min: i64,
    max: i64,
}

impl Model {
    fn push(&mut self, queue_offset: i64, unit: Unit) {
        if queue_offset < self.max {
            if self.units.get(&queue_offset) == Some(&unit) {
                return;
            }
            self.units.split_off(&queue_offset);
            self.max = queue_offset;
            self.min = self.min.min(queue_offset);
        }
        if self.min == self.max {
            self.min = queue_offset;
        }
        self.units.insert(queue_offset, unit);
        self.max = queue_offset + 1;
    }

    fn check(&self, queue: &ConsumeQueue, what: &str) {
        assert_eq!(range(queue), (self.min, self.max), "{what}");
        for count in [1, 4, 800] {
            let expected = (self.min..self.max).map(|at| self.units.get(&at).copied().unwrap_or(Unit::BLANK));
            assert_eq!(read_all(queue, self.min, count), expected.collect::<Vec<_>>(), "{what}, {count} at once");
        }
        let end = self.units.values().last().map(Unit::physical_end);
        assert_eq!(queue.max_physical_offset(), end, "{what}");
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn unit_layout_is_upstreams() {
    let of_record = Unit { physical_offset: PhysicalOffset(0), size: 0x68, tags_code: 2_598_919 };
    let hex = |unit: Unit| unit.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(of_record), "000000000000000000000068000000000027a807");
    assert_eq!(hex(Unit::BLANK), "00000000000000007fffffff0000000000000000");
    assert_eq!(Unit::from_bytes(&of_record.to_bytes()), of_record);
    assert!(Unit::BLANK.is_blank() && !of_record.is_blank());
}

/// A log of pushes is replayed into queue and model, with flushes, clean stops and crashes (each followed by pushing the whole
/// log again, as recovery does).
#[test]
fn behaves_as_its_model() {
    for seed in 1..=10_u64 {
        let folder = tempfile::tempdir().unwrap();
        // Few units a file mean many files, and a sync of each takes its time.
        let units = if seed == 1 { 7 } else { 20 + seed * 13 };
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut log: Vec<(i64, i64)> = Vec::new();
        let mut model = Model::default();
        let mut queue = open_sized(folder.path(), units, false);
        for step in 0..250 {
            let what = format!("seed {seed}, step {step}");
            match dice.below(40) {
                0 => queue.flush(false).unwrap(),
                1 if dice.below(8) == 0 => queue.flush(true).unwrap(),
                2 => {
                    queue.flush(false).unwrap();
                    queue = open_sized(folder.path(), units, false);
                    model.check(&queue, &what);
                }
                3 => {
                    queue = open_sized(folder.path(), units, true);
                    for &(queue_offset, n) in &log {
                        push(&queue, queue_offset, n);
                    }
                    model.check(&queue, &what);
                }
                4 if !log.is_empty() => {
                    // The same record once more.
                    let (queue_offset, n) = log[log.len() - 1];
                    push(&queue, queue_offset, n);
                }
                roll => {
                    let queue_offset = match roll {
                        5 => model.max + dice.below(4) as i64,
                        6 if dice.below(4) == 0 => dice.below(model.max as u64 + 1) as i64,
                        _ => model.max,
                    };
                    for queue_offset in queue_offset..=queue_offset + dice.below(30) as i64 {
                        let n = log.len() as i64 + 1;
                        log.push((queue_offset, n));
                        push(&queue, queue_offset, n);
                        model.push(queue_offset, unit(n));
                    }
                }
            }
            if step % 16 == 0 {
                model.check(&queue, &what);
            }
        }
        model.check(&queue, &format!("seed {seed}"));
    }
}

#[test]
fn a_queue_may_begin_in_the_middle() {
    for first in [0, 1, 6, 7, 8, 20, 1_000_000_007] {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), false);
        push(&queue, first, 5);
        push(&queue, first + 1, 6);
        let check = |queue: &ConsumeQueue| {
            assert_eq!(range(queue), (first, first + 2), "{first}");
            assert_eq!(readable(queue), [unit(5), unit(6)], "{first}");
        };
        check(&queue);
        queue.flush(true).unwrap();
        check(&queue);
        for is_thorough in [false, true] {
            check(&open(folder.path(), is_thorough));
        }
        // As upstream fills it: blank units from the file's first byte on.
        let base = first - first % 7;
        let bytes = std::fs::read(folder.path().join(format!("T/0/{:020}", base * 20))).unwrap();
        assert_eq!(bytes.len() as u64, FILE_SIZE);
        for unit in Unit::all_in(&bytes).take((first - base) as usize) {
            assert!(unit.is_blank(), "{first}");
        }
    }
}

#[test]
fn a_hole_of_many_files_leaves_them_out() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path(), false);
    push(&queue, 0, 0);
    push(&queue, 1_000_003, 1);
    queue.flush(true).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("T/0")).unwrap().count(), 2);
    for queue in [queue, open(folder.path(), false), open(folder.path(), true)] {
        assert_eq!(range(&queue), (0, 1_000_004));
        let mut out = Vec::new();
        assert_eq!(queue.read_units(QueueOffset(0), 100, &mut out).unwrap(), 7);
        assert_eq!((out[0], out[6]), (unit(0), Unit::BLANK));
        assert_eq!(queue.read_units(QueueOffset(7), 100, &mut out).unwrap(), 0);
        queue.read_units(QueueOffset(1_000_003), 100, &mut out).unwrap();
        assert_eq!(out, [unit(1)]);
        assert_eq!(queue.max_physical_offset(), Some(unit(1).physical_end()));
    }
}

#[test]
fn impossible_offsets_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path(), false);
    for bad in [-1, i64::MIN, i64::MAX, i64::MAX / 20] {
        let refused = queue.push_unit(QueueOffset(bad), unit(1));
        assert!(matches!(refused, Err(QueueError::OffsetOutOfRange { .. })), "{bad}");
    }
    push(&queue, 4, 1);
    let refused = queue.push_unit(QueueOffset(1 << 40), unit(2));
    assert!(matches!(refused, Err(QueueError::OffsetOutOfRange { .. })));
    let mut out = Vec::new();
    for outside in [i64::MIN, -1, 5, i64::MAX] {
        assert_eq!(queue.read_units(QueueOffset(outside), 10, &mut out).unwrap(), 0, "{outside}");
    }
}

fn filled(folder: &Path, count: i64) -> Arc<ConsumeQueue> {
    let queue = open(folder, false);
    for n in 0..count {
        push(&queue, n, n);
    }
    queue.flush(true).unwrap();
    queue
}

#[test]
fn truncation_keeps_whole_records_below() {
    for (physical, left) in [(0, 0), (9, 0), (10, 1), (69, 6), (70, 7), (71, 7), (255, 25), (300, 30), (999, 30)] {
        let folder = tempfile::tempdir().unwrap();
        for queue in [filled(folder.path(), 30), open(folder.path(), true)] {
            queue.truncate(PhysicalOffset(physical)).unwrap();
            assert_eq!(range(&queue), (0, left), "{physical}");
            assert_eq!(readable(&queue), (0..left).map(unit).collect::<Vec<_>>(), "{physical}");
        }
        for is_thorough in [false, true] {
            let queue = open(folder.path(), is_thorough);
            assert_eq!(range(&queue), (0, left), "{physical}");
            push(&queue, left, 77);
            assert_eq!(readable(&queue).last(), Some(&unit(77)), "{physical}");
        }
    }
}

#[test]
fn the_end_stays_known_when_all_is_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path(), false);
    push(&queue, 100, 50);
    queue.flush(true).unwrap();
    queue.truncate(PhysicalOffset(0)).unwrap();
    assert_eq!(range(&queue), (100, 100));
    let queue = open(folder.path(), true);
    assert_eq!(range(&queue), (100, 100));
}

#[test]
fn the_begin_follows_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let queue = filled(folder.path(), 30);
    for (min_physical, min, files) in [(0, 0, 5), (1, 1, 5), (10, 1, 5), (69, 7, 4), (155, 16, 3), (299, 30, 1)] {
        let min_physical = PhysicalOffset(min_physical);
        queue.correct_min(min_physical).unwrap();
        assert_eq!(range(&queue), (min, 30), "{min_physical}");
        while queue.delete_oldest_expired().unwrap() {}
        assert_eq!(std::fs::read_dir(folder.path().join("T/0")).unwrap().count(), files, "{min_physical}");
        let again = open(folder.path(), false);
        again.correct_min(min_physical).unwrap();
        assert_eq!(range(&again), (min, 30), "{min_physical}");
        assert_eq!(readable(&again), (min..30).map(unit).collect::<Vec<_>>());
    }
}

#[test]
fn the_begin_is_found_around_blank_units() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path(), false);
    for (queue_offset, n) in [(3, 0), (4, 1), (60, 2), (61, 3), (62, 4)] {
        push(&queue, queue_offset, n);
    }
    for (min_physical, min) in [(0, 3), (5, 4), (11, 60), (20, 60), (25, 61), (45, 63)] {
        queue.correct_min(PhysicalOffset(min_physical)).unwrap();
        assert_eq!(range(&queue), (min, 63), "{min_physical}");
    }
}

#[test]
fn damage_ends_the_queue_after_a_crash() {
    use std::os::unix::fs::FileExt;
    let damages: [(&str, Vec<u8>); 4] = [
        ("zeros", vec![0; 20]),
        ("negative size", Unit { size: 0x8000_0001, ..unit(17) }.to_bytes().to_vec()),
        ("negative place", Unit { physical_offset: PhysicalOffset(-1), ..unit(17) }.to_bytes().to_vec()),
        ("place before the one in front", unit(3).to_bytes().to_vec()),
    ];
    for (what, bytes) in damages {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), 30));
        let path = folder.path().join(format!("T/0/{:020}", 14 * 20));
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_at(&bytes, 60).unwrap();
        let queue = open(folder.path(), true);
        assert_eq!(range(&queue), (0, 17), "{what}");
        // Nothing of what followed may come back.
        push(&queue, 17, 17);
        queue.flush(true).unwrap();
        assert_eq!(range(&open(folder.path(), true)), (0, 18), "{what}");
        assert_eq!(range(&open(folder.path(), false)), (0, 18), "{what}");
    }
}

#[test]
fn a_damaged_unit_is_rewritten_from_the_log() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 30));
    let path = folder.path().join(format!("T/0/{:020}", 0));
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_at(&[7; 20], 40).unwrap();
    let queue = open(folder.path(), false);
    for n in 0..30 {
        push(&queue, n, n);
    }
    assert_eq!(readable(&queue), (0..30).map(unit).collect::<Vec<_>>());
}

#[test]
fn load_refuses_what_it_does_not_understand() {
    type Check = fn(&QueueError) -> bool;
    let cases: [(&str, u64, Check); 3] = [
        ("T/0/notes.txt", 3, |error| matches!(error, QueueError::FileName { .. })),
        ("T/0/00000000000000000010", FILE_SIZE, |error| matches!(error, QueueError::FileName { .. })),
        ("T/0/00000000000000000140", FILE_SIZE - 1, |error| matches!(error, QueueError::FileSize { .. })),
    ];
    for (name, length, check) in cases {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), 3));
        std::fs::File::create(folder.path().join(name)).unwrap().set_len(length).unwrap();
        let error = table(folder.path()).load().unwrap_err();
        assert!(check(&error), "{name}: {error}");
    }
}

#[test]
fn load_passes_over_what_upstream_passes_over() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 3));
    std::fs::create_dir_all(folder.path().join("T/x1")).unwrap();
    std::fs::create_dir_all(folder.path().join("T/0/a folder")).unwrap();
    std::fs::write(folder.path().join("a file"), "x").unwrap();
    // An empty last file is one whose making was interrupted.
    std::fs::write(folder.path().join(format!("T/0/{FILE_SIZE:020}")), "").unwrap();
    let queue = open(folder.path(), false);
    assert_eq!(range(&queue), (0, 3));
    assert!(!folder.path().join(format!("T/0/{FILE_SIZE:020}")).exists());
}

#[test]
fn the_table_finds_queues_by_name_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let queues = table(folder.path());
    for number in [3, 0, 1_000_000, 1] {
        let made = queues.get_or_create(&topic(), QueueId(number));
        assert_eq!(made.queue_id(), QueueId(number));
        assert!(Arc::ptr_eq(&made, &queues.get_or_create(&topic(), QueueId(number))));
        assert!(Arc::ptr_eq(&made, &queues.get("T", QueueId(number)).unwrap()));
    }
    assert!(queues.get("T", QueueId(2)).is_none());
    assert!(queues.get("U", QueueId(0)).is_none());
    assert_eq!(queues.queues().len(), 4);
    assert_eq!(queues.max_physical_offset(), None);
    // Looking a queue up makes no file.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_deleted_topic_leaves_nothing_and_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let queues = table(folder.path());
    let queue = queues.get_or_create(&topic(), QueueId(0));
    push(&queue, 0, 0);
    queues.flush_all(true).unwrap();
    assert!(folder.path().join("T/0").exists());
    assert!(queues.delete_topic("T").unwrap());
    assert!(!queues.delete_topic("T").unwrap());
    push(&queue, 1, 1);
    queue.flush(true).unwrap();
    assert!(!folder.path().join("T").exists());
    assert!(queues.get("T", QueueId(0)).is_none());
    assert_eq!(range(&queues.get_or_create(&topic(), QueueId(0))), (0, 0));
}

#[test]
fn open_files_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let queues = QueueTable::new(folder.path(), FILE_SIZE, 32);
    for number in 0..100 {
        push(&queues.get_or_create(&topic(), QueueId(number)), 0, i64::from(number));
    }
    queues.flush_all(true).unwrap();
    queues.flush_all(true).unwrap();
    for number in 0..100 {
        let queue = queues.get("T", QueueId(number)).unwrap();
        assert_eq!(queue.tail.lock().buffer.capacity(), 0, "an idle queue keeps no buffer");
        assert_eq!(readable(&queue), [unit(i64::from(number))]);
        assert!(queue.files.open_count() <= 32);
    }
}

#[test]
fn a_queue_is_small() {
    assert!(size_of::<ConsumeQueue>() <= 256, "{}", size_of::<ConsumeQueue>());
}

/// Readers never see a unit that was not pushed, while the buffer turns over and files are made.
#[test]
fn readers_and_writer_run_together() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path(), false);
    let count = 20_000;
    std::thread::scope(|scope| {
        scope.spawn(|| (0..count).for_each(|n| push(&queue, n, n)));
        scope.spawn(|| {
            while queue.max_offset().0 < count {
                queue.flush(false).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut next, mut out) = (0, Vec::new());
                while next < count {
                    queue.read_units(QueueOffset(next), 100, &mut out).unwrap();
                    for got in &out {
                        assert_eq!(*got, unit(next));
                        next += 1;
                    }
                }
            });
        }
    });
}

#[test]
fn many_queues_are_flushed_together() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path());
    let queues: Vec<_> =
        (0..=table::SYNC_EACH_MAX).map(|id| table.get_or_create(&topic(), QueueId(id as u32))).collect();
    for (n, queue) in (0..).zip(&queues) {
        for queue_offset in 0..9 {
            push(queue, queue_offset, 100 * n + queue_offset);
        }
    }
    assert!(queues.iter().all(|queue| queue.is_busy()));
    table.flush_all(true).unwrap();
    for queue in &queues {
        let tail = queue.tail.lock();
        assert_eq!((tail.written, tail.synced), (9 * UNIT_SIZE_I64, 9 * UNIT_SIZE_I64));
    }
    // Buffers are given back by the first flush that finds nothing new.
    table.flush_all(true).unwrap();
    assert!(!queues.iter().any(|queue| queue.is_busy()));
    push(&queues[3], 9, 777);
    assert!(queues[3].is_busy() && !queues[4].is_busy());
    drop((queues, table));
    assert_eq!(range(&open(folder.path(), true)), (0, 9));
}
