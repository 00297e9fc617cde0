//! What a message that waits for its time costs in the timer's files: taking it in, and reading it when its tick is over.
//!
//! Measured is the processor time of the thread; a million messages wait beside those that are measured.
#![expect(missing_docs, reason = "the macros of criterion make public functions")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::offsets::PhysicalOffset;
use boostermq_store::clock::SystemClock;
use boostermq_store::timer::{TimerFiles, TimerOptions, Waiting};
use boostermq_store::{MessageStore, StoreOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Begin of the ticks, milliseconds since 1970.
const NOW_MS: i64 = 1_700_000_000_000;
/// Messages that wait from the start on, and seconds over which all are spread.
const WAITING: u64 = 1_000_000;
const SECONDS: i64 = 3600;
/// Messages that are taken in together.
const TURN: u64 = 1000;
/// Messages after which the files are made anew, so that a bench fills no disk.
const MESSAGES_OF_A_TIMER: u64 = 8 << 20;

/// A timer, and where its next message would lie.
struct Bench {
    timer: TimerFiles,
    taken_in: u64,
    _store: MessageStore,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder for the store");
        let store = MessageStore::open(StoreOptions::new(dir.path()), Arc::new(SystemClock)).expect("an empty store");
        let options = TimerOptions { root: dir.path().to_owned(), precision_ms: 1000, log_file_size: 100 << 20 };
        let (timer, _) = TimerFiles::open(&options, &store, NOW_MS).expect("new files");
        let mut bench = Self { timer, taken_in: 0, _store: store, _dir: dir };
        (0..WAITING / TURN).for_each(|_| bench.take_in());
        bench
    }

    fn take_in(&mut self) {
        for _ in 0..TURN {
            let number = self.taken_in.cast_signed();
            // Spread so that neighbours are not of one tick.
            let slot_ms = NOW_MS + (1 + number.wrapping_mul(7919) % SECONDS) * 1000;
            let waiting = Waiting {
                is_put_off: false,
                is_recall: false,
                taken_in_ms: NOW_MS,
                slot_ms,
                physical_offset: PhysicalOffset(number * 300),
                size: 300,
                topic_hash: 17,
            };
            self.timer.add(&waiting).expect("room");
            self.taken_in += 1;
        }
        self.timer.write().expect("room");
    }
}

/// Processor time that this thread has used.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    Duration::from_nanos(nanoseconds)
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer");
    group.sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    let mut bench = Bench::new();
    group.throughput(Throughput::Elements(TURN));
    group.bench_function("taken in, 1000 in a turn", |bencher| {
        bencher.iter_custom(|times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                if bench.taken_in > MESSAGES_OF_A_TIMER {
                    bench = Bench::new();
                }
                let start = processor_time();
                bench.take_in();
                taken += processor_time() - start;
            }
            taken
        });
    });
    let mut bench = Bench::new();
    let first = bench.timer.first_slot_ms().expect("messages");
    group.throughput(Throughput::Elements(bench.timer.pending_at(first).unsigned_abs()));
    group.bench_function("read when its tick is over", |bencher| {
        bencher.iter_custom(|times| {
            let start = processor_time();
            (0..times).for_each(|_| drop(black_box(bench.timer.slot(first)).expect("the log")));
            processor_time() - start
        });
    });
    group.finish();
}

criterion_group!(timer, benches);
criterion_main!(timer);
