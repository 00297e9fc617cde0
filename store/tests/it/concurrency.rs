//! Many threads at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::names::QueueId;
use boostermq_store::{AppendBatch, Arrival, ArrivalListener};
use parking_lot::Mutex;

use crate::harness::{Seeded, TestStore, push, settle};

const THREADS: u64 = 4;
const BATCHES: u64 = 400;

/// Ends of queues, as they were told, and bodies.
type Heard = BTreeMap<(String, u32), Vec<(i64, Vec<u8>)>>;

#[derive(Default)]
struct Listener(Mutex<Heard>);

impl ArrivalListener for Listener {
    fn arrived(&self, arrival: &Arrival<'_>) {
        let mut heard = self.0.lock();
        let queue = heard.entry((arrival.topic.to_owned(), arrival.queue_id.0)).or_default();
        queue.push((arrival.queue_offset.0 - 1, arrival.record.body().to_vec()));
    }
}

#[test]
fn appends_of_many_threads_are_dense_in_order_and_heard_once() {
    let test = TestStore::new(65536);
    let listener = Arc::new(Listener::default());
    test.store.set_arrival_listener(listener.clone());
    let written = Mutex::new(Heard::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, written) = (&test.store, &written);
            scope.spawn(move || {
                let mut seeded = Seeded(thread + 1);
                let mut batch = AppendBatch::new();
                for _ in 0..BATCHES {
                    batch.clear();
                    let mut sent = Vec::new();
                    for _ in 0..=seeded.below(5) {
                        let queue_id = seeded.below(3) as u32;
                        let body: Vec<u8> = (0..seeded.below(300)).map(|_| seeded.next() as u8).collect();
                        push(store, &mut batch, "T", queue_id, &body, "UNIQ_KEY\u{1}k\u{2}");
                        sent.push((queue_id, body));
                    }
                    store.append(&mut batch).unwrap();
                    for ((queue_id, body), receipt) in sent.into_iter().zip(batch.receipts()) {
                        let mut written = written.lock();
                        let queue = written.entry(("T".to_owned(), queue_id)).or_default();
                        queue.push((receipt.queue_offset.0, body));
                    }
                    store.dispatch_now();
                    // What a reader is shown is whole at any moment.
                    let max = store.max_queue_offset("T", QueueId(0));
                    if max.0 > 0 {
                        assert!(store.store_timestamp("T", QueueId(0), max.plus(-1)).unwrap().is_some());
                    }
                }
            });
        }
    });
    settle(&test.store);
    let mut written = written.into_inner();
    for messages in written.values_mut() {
        messages.sort_unstable();
        let offsets = messages.iter().map(|(offset, _)| *offset);
        assert!(offsets.eq(0..messages.len() as i64), "dense");
    }
    assert_eq!(*listener.0.lock(), written, "heard once, in order");
    for ((topic, queue_id), messages) in &written {
        assert_eq!(&test.read_all(topic, *queue_id), messages);
    }
    let test = test.reopen_after_crash();
    for ((topic, queue_id), messages) in &written {
        assert_eq!(&test.read_all(topic, *queue_id), messages);
    }
}
