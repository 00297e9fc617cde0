//! Tests of the timer's files: bytes as RocketMQ has them, and what is left of them after ends of every kind.

use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::Record;
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::fixture;
use crate::options::StoreOptions;

const NOW: i64 = 1_795_368_912_000;

struct Bench {
    dir: TempDir,
    store: MessageStore,
    files: TimerFiles,
    deliveries: Deliveries,
    log_file_size: i64,
}

fn store_options(dir: &Path) -> StoreOptions {
    let mut options = StoreOptions::new(dir);
    options.commit_log_file_size = 65_536;
    options.consume_queue_file_size = 2000;
    (options.index_slots, options.index_entries) = (500, 2000);
    options
}

impl Bench {
    fn new(log_file_size: i64) -> Self {
        Self::open(tempfile::tempdir().unwrap(), log_file_size, NOW)
    }

    fn open(dir: TempDir, log_file_size: i64, now_ms: i64) -> Self {
        let store = MessageStore::open(store_options(dir.path()), Arc::new(ManualClock::new(now_ms))).unwrap();
        let options = TimerOptions { root: dir.path().to_owned(), precision_ms: 1000, log_file_size };
        let (files, deliveries) = TimerFiles::open(&options, &store, now_ms).unwrap();
        Self { dir, store, files, deliveries, log_file_size }
    }

    /// As after a kill: what was not written is gone.
    fn die(self, now_ms: i64) -> Self {
        let Self { dir, store, files, log_file_size, .. } = self;
        drop((store, files));
        Self::open(dir, log_file_size, now_ms)
    }

    /// Stores a message that is due `delay_s` after [`NOW`]; returns where.
    fn send(&self, key: &str, delay_s: i64) -> PhysicalOffset {
        self.append(WHEEL_TOPIC, key, delay_s, false)
    }

    /// Stores what a delivery of it would store.
    fn deliver(&self, key: &str, delay_s: i64) -> PhysicalOffset {
        self.append("T", key, delay_s, true)
    }

    fn append(&self, topic: &str, key: &str, delay_s: i64, is_delivery: bool) -> PhysicalOffset {
        let mut properties = Vec::new();
        append(&mut properties, property::UNIQ_KEY, key);
        append(&mut properties, property::TIMER_OUT_MS, &(NOW + delay_s * 1000).to_string());
        append(&mut properties, property::REAL_TOPIC, "T");
        append(&mut properties, property::REAL_QID, "0");
        if is_delivery {
            append(&mut properties, property::TIMER_DEQUEUE_MS, "1");
        }
        let receipt = fixture::send(&self.store, topic, WHEEL_QUEUE, b"b", &properties).unwrap();
        self.store.dispatch_now();
        receipt.physical_offset
    }

    /// Takes in all that is new, as the broker does.
    fn take_in(&mut self, from: QueueOffset) -> QueueOffset {
        let mut units = Vec::new();
        let mut next = read_waiting(&self.store, from, 100, &mut units).unwrap();
        for unit in &units {
            next = next.plus(1);
            if self.files.is_taken_in(unit.physical_offset) {
                continue;
            }
            let bytes = self.store.record_at(unit.physical_offset).unwrap();
            let record = Record::parse(&bytes).unwrap();
            let due = record.properties().get(property::TIMER_OUT_MS).unwrap().parse().unwrap();
            self.files.add(&unit_at(due, unit.physical_offset, unit.size)).unwrap();
        }
        self.files.write().unwrap();
        next
    }

    fn checkpoint(&mut self, queue_offset: QueueOffset) {
        let deliveries_end = self.store.max_physical_offset();
        let progress = TimerProgress { now_ms: NOW, queue_offset, deliveries_end };
        if let Some(snapshot) = self.files.snapshot(&progress) {
            snapshot.write().unwrap();
        }
    }

    /// Keys of what waits, tick by tick, each with its seconds after [`NOW`].
    fn waiting(&mut self) -> Vec<(i64, String)> {
        let mut waiting = Vec::new();
        let (files, store) = (&mut self.files, &self.store);
        files
            .for_each(|unit| {
                let bytes = store.record_at(unit.physical_offset).unwrap();
                let record = Record::parse(&bytes).unwrap();
                let key = record.properties().get(property::UNIQ_KEY).unwrap().to_owned();
                waiting.push(((unit.slot_ms - NOW) / 1000, key));
            })
            .unwrap();
        assert_eq!(waiting.len() as i64, files.pending());
        waiting
    }
}

fn unit_at(slot_ms: i64, physical_offset: PhysicalOffset, size: u32) -> Waiting {
    Waiting {
        is_put_off: false,
        is_recall: false,
        taken_in_ms: NOW,
        slot_ms,
        physical_offset,
        size,
        topic_hash: i32::from(b'T'),
    }
}

fn pairs(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected.iter().map(|(at, key)| (*at, (*key).to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn bytes_are_those_of_rocketmq() {
    let mut bench = Bench::new(4096);
    bench.files.add(&unit_at(NOW + 3000, PhysicalOffset(0), 104)).unwrap();
    bench.checkpoint(QueueOffset(1));
    let read = |name: &str| std::fs::read(bench.dir.path().join(name)).unwrap();
    let log = read("timerlog/00000000000000000000");
    assert_eq!(log.len(), 4096);
    let unit =
        "00000034ffffffffffffffff00000001000001a20453848000000bb8000000000000000000000068000000540000000000000000";
    assert_eq!(hex(&log[..52]), unit);
    let wheel = read("timerwheel");
    assert_eq!(wheel.len(), 38_707_200);
    assert_eq!(hex(&wheel[322_515 * 32..][..32]), "000000006b0327d3000000000000000000000000000000000000000100000000");
    assert_eq!(wheel.iter().filter(|byte| **byte != 0).count(), 5);
    let check = read("config/timercheck");
    assert_eq!(check.len(), 4096);
    assert_eq!(hex(&check[..32]), format!("{NOW:016x}{:016x}{:016x}{:016x}", 52, 1, 1));
}

#[test]
fn a_java_store_is_taken_over() {
    for name in ["clean", "crashed"] {
        let dir = tempfile::tempdir().unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.tar.xz"));
        let unpacked =
            std::process::Command::new("tar").arg("-xSf").arg(archive).arg("-C").arg(dir.path()).status().unwrap();
        assert!(unpacked.success());
        let now_ms = 1_795_369_400_000;
        let mut bench = Bench::open(dir, 100 << 20, now_ms);
        let checkpoint = *bench.files.checkpoint();
        assert_eq!((checkpoint.queue_offset, checkpoint.log_position), (QueueOffset(2), 104), "{name}");
        assert_eq!(bench.files.first_slot_ms(), Some(1_795_372_838_000), "{name}");
        let waiting = bench.files.slot(1_795_372_838_000).unwrap();
        assert_eq!(waiting.len(), 1, "{name}");
        let bytes = bench.store.record_at(waiting[0].physical_offset).unwrap();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.properties().get("KEYS"), record.total_size()), (Some("tk3600000"), waiting[0].size));
    }
}

#[test]
fn the_log_goes_on_in_the_next_file_and_old_files_go() {
    // Three units and a blank with 20 bytes to spare.
    let size = 3 * 52 + 16 + 20;
    let mut bench = Bench::new(size);
    let places: Vec<_> = (0..8).map(|at| bench.send(&format!("k{at}"), 5 + at % 2)).collect();
    let next = bench.take_in(QueueOffset(0));
    let expected = pairs(&[(5, "k0"), (5, "k2"), (5, "k4"), (5, "k6"), (6, "k1"), (6, "k3"), (6, "k5"), (6, "k7")]);
    assert_eq!(bench.waiting(), expected);
    let first = std::fs::read(bench.dir.path().join("timerlog/00000000000000000000")).unwrap();
    assert_eq!(hex(&first[156..172]), "000000240000000000000000cbd43194");
    assert_eq!(first.len() as i64, size);
    bench.checkpoint(next);
    let mut bench = bench.die(NOW);
    assert_eq!(bench.waiting(), expected);
    assert_eq!(bench.take_in(bench.files.checkpoint().queue_offset), QueueOffset(8));
    assert_eq!(bench.waiting(), expected, "nothing is taken in twice");

    assert_eq!(bench.files.expire(places[2]).unwrap(), 0);
    assert_eq!(bench.files.expire(places[3]).unwrap(), 1);
    assert_eq!(bench.files.expire(PhysicalOffset(i64::MAX)).unwrap(), 1, "the last file stays");
    // Chains end where the log begins.
    assert_eq!(bench.files.slot(NOW + 5000).unwrap().len(), 1);
}

#[test]
fn whatever_was_lost_comes_back_from_the_commit_log() {
    /// Files that a crash may have left behind, as if the rest was never written.
    type Damage = fn(&Path);
    let nothing: Damage = |_| {};
    let no_wheel: Damage = |dir| std::fs::remove_file(dir.join("timerwheel")).unwrap();
    let no_log: Damage = |dir| std::fs::remove_dir_all(dir.join("timerlog")).unwrap();
    let torn_unit: Damage = |dir| cut_log(dir, 52 * 4 + 20);
    let lost_units: Damage = |dir| cut_log(dir, 52);
    let no_files: Damage = |dir| {
        std::fs::remove_file(dir.join("timerwheel")).unwrap();
        std::fs::remove_dir_all(dir.join("timerlog")).unwrap();
        std::fs::remove_file(dir.join("config/timercheck")).unwrap();
    };
    let no_check: Damage = |dir| std::fs::remove_file(dir.join("config/timercheck")).unwrap();
    let java_check: Damage = |dir| {
        // RocketMQ has run since: the line of ours does not fit.
        let path = dir.join("config/timercheck");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40..48].copy_from_slice(&7_i64.to_be_bytes());
        std::fs::write(path, bytes).unwrap();
    };
    let cases: [(&str, Damage); 8] = [
        ("nothing", nothing),
        ("wheel", no_wheel),
        ("log", no_log),
        ("torn unit", torn_unit),
        ("units of the checkpoint", lost_units),
        ("all files", no_files),
        ("checkpoint", no_check),
        ("checkpoint of ours", java_check),
    ];
    for (name, damage) in cases {
        for snapshots in 0..3 {
            let mut bench = Bench::new(4096);
            let mut next = QueueOffset(0);
            for at in 0..6 {
                bench.send(&format!("k{at}"), 10 + at % 3);
                next = bench.take_in(next);
                if at == 2 && snapshots > 0 || at == 5 && snapshots > 1 {
                    bench.checkpoint(next);
                }
            }
            let Bench { dir, store, files, .. } = bench;
            drop((store, files));
            damage(dir.path());
            let mut bench = Bench::open(dir, 4096, NOW);
            let from = bench.files.checkpoint().queue_offset;
            assert_eq!(bench.take_in(from), QueueOffset(6), "{name} {snapshots}");
            let mut found = bench.waiting();
            found.sort();
            let expected = pairs(&[(10, "k0"), (10, "k3"), (11, "k1"), (11, "k4"), (12, "k2"), (12, "k5")]);
            assert_eq!(found, expected, "{name} {snapshots}");
            // And once more, from what this start left.
            bench.checkpoint(QueueOffset(6));
            let mut bench = bench.die(NOW);
            bench.take_in(bench.files.checkpoint().queue_offset);
            let mut found = bench.waiting();
            found.sort();
            assert_eq!(found, expected, "{name} {snapshots}, again");
        }
    }
}

fn cut_log(dir: &Path, at: usize) {
    let path = dir.join("timerlog/00000000000000000000");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at..].fill(0);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_unit_whose_message_was_lost_is_cut_and_never_comes_back() {
    let mut bench = Bench::new(4096);
    bench.send("k0", 5);
    let next = bench.take_in(QueueOffset(0));
    bench.checkpoint(next);
    // Units for messages that a loss of power took from the commit log.
    let end = bench.store.max_physical_offset();
    for at in 0..3 {
        bench.files.add(&unit_at(NOW + 5000, end.plus(at * 100), 100)).unwrap();
    }
    bench.files.write().unwrap();
    let mut bench = bench.die(NOW);
    assert_eq!(bench.waiting(), pairs(&[(5, "k0")]));
    bench.send("k1", 5);
    let next = bench.take_in(bench.files.checkpoint().queue_offset);
    assert_eq!((next, bench.waiting()), (QueueOffset(2), pairs(&[(5, "k0"), (5, "k1")])));
    let mut bench = bench.die(NOW);
    assert_eq!(bench.waiting(), pairs(&[(5, "k0"), (5, "k1")]));
}

#[test]
fn what_was_delivered_since_the_checkpoint_is_known() {
    let mut bench = Bench::new(4096);
    for key in ["a", "b", "twin", "twin"] {
        bench.send(key, 5);
    }
    bench.send("later", 50);
    let next = bench.take_in(QueueOffset(0));
    bench.deliver("a", 5);
    bench.checkpoint(next);
    bench.deliver("b", 5);
    bench.deliver("twin", 5);
    bench.deliver("b", 6);
    let mut bench = bench.die(NOW + 10_000);
    assert_eq!(bench.deliveries.len(), 3);
    let waiting = bench.files.slot(NOW + 5000).unwrap();
    let taken: Vec<_> = waiting
        .iter()
        .map(|unit| {
            let bytes = bench.store.record_at(unit.physical_offset).unwrap();
            bench.deliveries.take(&Record::parse(&bytes).unwrap(), false)
        })
        .collect();
    // What was delivered before the checkpoint, the wheel would know; of the twins one was delivered.
    assert_eq!(taken, [false, true, true, false]);
    assert_eq!(bench.deliveries.len(), 1);

    // Nothing is looked for when nothing can have been due.
    let bench = bench.die(NOW + 5000 - 1001);
    assert_eq!(bench.deliveries.scanned_from(), None);
}

#[test]
fn a_tick_that_was_given_out_stays_empty() {
    let mut bench = Bench::new(4096);
    bench.send("a", 5);
    bench.send("b", 6);
    let next = bench.take_in(QueueOffset(0));
    bench.checkpoint(next);
    bench.files.remove_slot(NOW + 5000);
    bench.checkpoint(next);
    assert_eq!(bench.files.pending_at(NOW + 6000), 1);
    let mut bench = bench.die(NOW + 7000);
    assert_eq!(bench.waiting(), pairs(&[(6, "b")]));
    let wheel = std::fs::read(bench.dir.path().join("timerwheel")).unwrap();
    let cell = ((NOW + 5000) / 1000 % 1_209_600) as usize * 32;
    assert!(wheel[cell..cell + 32].iter().all(|byte| *byte == 0));
}

#[test]
fn no_checkpoint_is_made_in_the_midst_of_passing_over() {
    let mut bench = Bench::new(4096);
    for key in ["a", "b", "c"] {
        bench.send(key, 5);
    }
    bench.take_in(QueueOffset(0));
    let mut bench = bench.die(NOW);
    let first = bench.store.physical_offset(WHEEL_TOPIC, WHEEL_QUEUE, QueueOffset(0)).unwrap().unwrap();
    assert!(bench.files.is_taken_in(first) && !bench.files.is_taken_in(first));
    // A checkpoint here would say that "b" has no unit, and that all units are before it.
    bench.checkpoint(QueueOffset(1));
    let mut bench = bench.die(NOW);
    assert_eq!(bench.take_in(bench.files.checkpoint().queue_offset), QueueOffset(3));
    assert_eq!(bench.waiting(), pairs(&[(5, "a"), (5, "b"), (5, "c")]));
    assert!(!bench.files.end_passing_over());
    bench.checkpoint(QueueOffset(3));
    assert_eq!(bench.die(NOW).files.checkpoint().queue_offset, QueueOffset(3));
}

#[test]
fn a_failed_snapshot_is_made_up_for() {
    let mut bench = Bench::new(4096);
    bench.send("a", 5);
    let next = bench.take_in(QueueOffset(0));
    let deliveries_end = bench.store.max_physical_offset();
    let progress = TimerProgress { now_ms: NOW, queue_offset: next, deliveries_end };
    let lost = bench.files.snapshot(&progress).unwrap();
    assert!(bench.files.snapshot(&progress).is_none());
    bench.files.failed(&lost);
    bench.files.snapshot(&progress).unwrap().write().unwrap();
    let mut bench = bench.die(NOW);
    assert_eq!((bench.files.checkpoint().queue_offset, bench.waiting()), (QueueOffset(1), pairs(&[(5, "a")])));
}

#[test]
fn files_of_another_shape_are_refused() {
    let bench = Bench::new(4096);
    bench.send("a", 5);
    let Bench { dir, store, mut files, .. } = bench;
    files.add(&unit_at(NOW + 5000, PhysicalOffset(0), 100)).unwrap();
    files.write().unwrap();
    drop(files);
    let open = |log_file_size| {
        let options = TimerOptions { root: dir.path().to_owned(), precision_ms: 1000, log_file_size };
        TimerFiles::open(&options, &store, NOW).map(|_| ()).unwrap_err().to_string()
    };
    let error = open(8192);
    assert!(error.contains("mappedFileSizeTimerLog") && error.contains("4096 bytes"), "{error}");
    std::fs::write(dir.path().join("timerlog/notes"), "").unwrap();
    assert!(open(4096).contains("does not belong"));
    std::fs::remove_file(dir.path().join("timerlog/notes")).unwrap();
    std::fs::write(dir.path().join("timerwheel"), "short").unwrap();
    assert!(open(4096).contains("38707200"));
}
