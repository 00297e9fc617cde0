//! What appending and dispatching cost: records of 1 KiB, one by one and in batches, eight queues.
//!
//! Measured is the processor time of the thread, page faults included: it says the same on a busy machine.
#![expect(missing_docs, reason = "the macros of criterion make public functions")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_store::clock::SystemClock;
use boostermq_store::consume_queue::ConsumeQueue;
use boostermq_store::{AppendBatch, MessageStore, StoreOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const QUEUES: u32 = 8;
const BODY: [u8; 1024] = [0x5A; 1024];
/// Records after which a store is made anew, so that a bench fills no disk.
const RECORDS_OF_A_STORE: u64 = 1 << 20;

/// A store and its queues.
struct Bench {
    store: MessageStore,
    queues: Vec<Arc<ConsumeQueue>>,
    left: u64,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new(is_indexed: bool) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the store");
        let options = StoreOptions { index_enabled: is_indexed, ..StoreOptions::new(dir.path()) };
        let store = MessageStore::open(options, Arc::new(SystemClock)).expect("an empty store");
        let topic = Topic::parse("BenchmarkTopic").expect("a topic");
        let queues = (0..QUEUES).map(|id| store.queue(&topic, QueueId(id))).collect();
        Self { store, queues, left: RECORDS_OF_A_STORE, _dir: dir }
    }

    fn fill(&self, batch: &mut AppendBatch, records: usize) {
        batch.clear();
        let host = "127.0.0.1:10911".parse().expect("an address");
        for queue in self.queues.iter().cycle().take(records) {
            let fields = RecordFields {
                born_timestamp: 1_700_000_000_000,
                properties: b"UNIQ_KEY\x01FD00000000000000000000000000000245861DBD16A66FF080DE0000\x02WAIT\x01true\x02TAGS\x01TagA\x02",
                ..RecordFields::plain("BenchmarkTopic", queue.queue_id(), host, &BODY)
            };
            batch.push(queue, &fields).expect("a record");
        }
    }
}

/// Processor time that this thread has used.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    Duration::from_nanos(nanoseconds)
}

/// Encodes and appends `records` at a time, then dispatches if asked to.
fn append(criterion: &mut Criterion, name: &str, records: usize, is_dispatched: bool, is_indexed: bool) {
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(records as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    let mut bench = Bench::new(is_indexed);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let mut batch = AppendBatch::new();
            let mut taken = Duration::ZERO;
            let mut start = processor_time();
            for _ in 0..times {
                if bench.left < records as u64 {
                    taken += processor_time() - start;
                    bench = Bench::new(is_indexed);
                    start = processor_time();
                }
                bench.left -= records as u64;
                bench.fill(&mut batch, records);
                black_box(bench.store.append(&mut batch)).expect("room");
                if is_dispatched {
                    bench.store.dispatch_now();
                }
            }
            taken + (processor_time() - start)
        });
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    append(criterion, "one", 1, false, false);
    append(criterion, "batch of 64", 64, false, false);
    append(criterion, "one, dispatched", 1, true, false);
    append(criterion, "batch of 64, dispatched", 64, true, false);
    append(criterion, "batch of 64, dispatched and indexed", 64, true, true);
}

criterion_group!(appending, benches);
criterion_main!(appending);
