//! What a pull costs the store: 32 messages of 1 KiB, near the end of the queue and far from it, with and without a filter.
#![expect(missing_docs, reason = "the harness makes public functions")]

use std::hint::black_box;
use std::sync::Arc;

use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::message::tags::tags_code;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::clock::SystemClock;
use boostermq_store::{AppendBatch, GetRequest, MessageFilter, MessageStore, StoreOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const MESSAGES: i64 = 20_000;
const PULLED: u32 = 32;

/// Wants one message of ten.
struct Tagged(i64);

impl MessageFilter for Tagged {
    fn matches_tags(&self, tags_code: i64) -> bool {
        tags_code == self.0
    }
}

fn filled(root: &std::path::Path, queues: u32) -> MessageStore {
    let mut options = StoreOptions::new(root);
    options.commit_log_file_size = 64 << 20;
    options.index_enabled = false;
    let store = MessageStore::open(options, Arc::new(SystemClock)).expect("opens");
    let topic = Topic::parse("Bench").expect("a topic");
    let host = "127.0.0.1:10911".parse().expect("an address");
    let body = vec![7; 1024];
    let mut batch = AppendBatch::new();
    for n in 0..MESSAGES {
        let properties = format!("TAGS\u{1}tag{}\u{2}", n % 10);
        for queue_id in (0..queues).map(QueueId) {
            let plain = RecordFields::plain(topic.as_str(), queue_id, host, &body);
            let fields = RecordFields { properties: properties.as_bytes(), ..plain };
            batch.push(&store.queue(&topic, queue_id), &fields).expect("encodes");
        }
        if batch.len() >= 64 {
            store.append(&mut batch).expect("appends");
            batch.clear();
            store.dispatch_now();
        }
    }
    store.append(&mut batch).expect("appends");
    while store.dispatched_offset() < store.confirm_offset() {
        store.dispatch_now();
    }
    store
}

fn pulls(criterion: &mut Criterion) {
    let filter = Tagged(tags_code("tag3"));
    for (name, queues) in [("one queue", 1), ("four queues", 4)] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = filled(folder.path(), queues);
        let mut group = criterion.benchmark_group(format!("get 32 of {name}"));
        group.throughput(Throughput::Elements(u64::from(PULLED)));
        let cases: [(&str, i64, Option<&dyn MessageFilter>); 3] = [
            ("newest", MESSAGES - i64::from(PULLED), None),
            ("older", MESSAGES / 2, None),
            ("filtered", MESSAGES / 2, Some(&filter)),
        ];
        for (case, queue_offset, filter) in cases {
            let request = GetRequest {
                topic: "Bench",
                queue_id: QueueId(0),
                queue_offset: QueueOffset(queue_offset),
                max_messages: PULLED,
                filter,
            };
            assert_eq!(store.get(&request).expect("reads").message_count, PULLED, "{case}");
            group.bench_function(case, |bencher| bencher.iter(|| black_box(store.get(black_box(&request)))));
        }
    }
}

criterion_group!(benches, pulls);
criterion_main!(benches);
