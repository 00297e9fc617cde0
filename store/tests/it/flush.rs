//! Waiting for the disk.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use boostermq_remoting::names::QueueId;
use boostermq_store::{AppendBatch, FlushMode, FlushOutcome, StoreOptions};

use crate::harness::{TestStore, push, settle, small_options};

const LONG: Duration = Duration::from_secs(60);

fn sync_store() -> TestStore {
    TestStore::with(|root| StoreOptions { flush_mode: FlushMode::Sync, ..small_options(root, 65536) })
}

#[test]
fn under_sync_flush_all_who_wait_are_told_and_nothing_is_seen_before() {
    let test = sync_store();
    let (told, outcomes) = channel();
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (told, store) = (told.clone(), &test.store);
            scope.spawn(move || {
                let mut batch = AppendBatch::new();
                for n in 0..50_u8 {
                    batch.clear();
                    push(store, &mut batch, "T", thread, &[n], "");
                    let end = store.append(&mut batch).unwrap();
                    let told = told.clone();
                    let done = move |outcome| told.send((end, outcome)).unwrap();
                    store.when_flushed(end, Instant::now() + LONG, Box::new(done));
                    store.dispatch_now();
                    assert!(store.dispatched_offset() <= store.flushed_offset());
                }
            });
        }
    });
    drop(told);
    let mut count = 0;
    for (end, outcome) in &outcomes {
        assert_eq!(outcome, FlushOutcome::Flushed);
        assert!(test.store.flushed_offset() >= end);
        count += 1;
    }
    assert_eq!(count, 200);
    settle(&test.store);
    assert_eq!(test.store.confirm_offset(), test.store.max_physical_offset());
    for thread in 0..4 {
        assert_eq!(test.read_all("T", thread).len(), 50);
    }
}

#[test]
fn messages_nobody_waits_for_are_seen_under_sync_flush_too() {
    let test = sync_store();
    let receipt = test.send("T", 0, b"x");
    // The flush thread wakes the dispatcher: nothing else does.
    let deadline = Instant::now() + LONG;
    while test.store.max_queue_offset("T", QueueId(0)).0 == 0 {
        assert!(Instant::now() < deadline, "never dispatched");
        std::thread::yield_now();
    }
    assert!(test.store.flushed_offset() >= receipt.end());
}

#[test]
fn who_waits_for_what_never_comes_is_told_at_the_deadline() {
    let test = sync_store();
    let receipt = test.send("T", 0, b"x");
    let (told, outcomes) = channel();
    let tell = || {
        let told = told.clone();
        Box::new(move |outcome| told.send(outcome).unwrap())
    };
    let beyond = receipt.end().plus(1);
    test.store.when_flushed(beyond, Instant::now() + Duration::from_millis(10), tell());
    assert_eq!(outcomes.recv_timeout(LONG), Ok(FlushOutcome::TimedOut));
    test.store.flush().unwrap();
    test.store.when_flushed(receipt.end(), Instant::now(), tell());
    assert_eq!(outcomes.try_recv(), Ok(FlushOutcome::Flushed), "what is on disk is told at once");
    test.store.when_flushed(beyond, Instant::now() + LONG, tell());
    test.store.close().unwrap();
    assert_eq!(outcomes.recv_timeout(LONG), Ok(FlushOutcome::Failed));
}

#[test]
fn under_async_flush_one_may_wait_too() {
    let test = TestStore::new(65536);
    let receipt = test.send("T", 0, b"x");
    assert_eq!(test.store.flushed_offset().0, 0);
    let (told, outcomes) = channel();
    test.store.when_flushed(receipt.end(), Instant::now() + LONG, Box::new(move |outcome| told.send(outcome).unwrap()));
    assert_eq!(outcomes.recv_timeout(LONG), Ok(FlushOutcome::Flushed));
    assert_eq!(test.store.flushed_offset(), receipt.end());
}
