//! Appends that fail half way.

use boostermq_remoting::message::record::Records;
use boostermq_remoting::names::{QueueId, Topic};
use rustix::io::Errno;
use tempfile::TempDir;

use super::*;
use crate::clock::SystemClock;
use crate::fixture;
use crate::get_message::GetRequest;
use crate::io::watch::{Fault, Kind, Watch};
use crate::message_store::MessageStore;
use crate::options::StoreOptions;

fn open(dir: &TempDir) -> MessageStore {
    let options = StoreOptions { index_enabled: false, ..fixture::still_options(dir.path(), 4096) };
    MessageStore::open(options, Arc::new(SystemClock)).unwrap()
}

/// A batch of messages with these bodies, in the queues 0, 1, 0, 1, …
fn batch(store: &MessageStore, bodies: &[&[u8]]) -> AppendBatch {
    let mut batch = AppendBatch::new();
    for (number, body) in bodies.iter().enumerate() {
        let queue_id = QueueId(number as u32 % 2);
        let queue = store.queue(&Topic::parse("T").unwrap(), queue_id);
        batch.push(&queue, &fixture::record("T", queue_id, body, b"")).unwrap();
    }
    batch
}

fn bodies(store: &MessageStore, queue_id: u32) -> Vec<Vec<u8>> {
    while store.dispatched_offset() < store.max_physical_offset() {
        store.dispatch_now();
    }
    let queue_id = QueueId(queue_id);
    let request = GetRequest { topic: "T", queue_id, queue_offset: QueueOffset::ZERO, max_messages: 32, filter: None };
    let outcome = store.get(&request).unwrap();
    outcome.slices.iter().flat_map(|slice| Records::new(slice)).map(|record| record.unwrap().body().to_vec()).collect()
}

#[test]
fn a_batch_that_cannot_be_written_leaves_no_trace() {
    let long = [b'l'; 700];
    // Three files' worth: written in three pieces and two blanks.
    let refused = [&long[..]; 12];
    for first in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let watch = Watch::new(dir.path());
        store.append(&mut batch(&store, &[b"first", b"second"])).unwrap();
        let end = store.max_physical_offset();
        watch.fail(Fault { kind: Kind::Write, first, count: 1, error: Errno::ROFS });
        let mut failing = batch(&store, &refused);
        let result = store.append(&mut failing);
        if watch.heal() == 0 {
            assert!(result.is_ok() && first > 5, "{first}: {result:?}");
            return;
        }
        assert!(matches!(result, Err(AppendError::ReadOnly { .. })), "{first}: {result:?}");
        assert!(failing.receipts().is_empty());
        assert_eq!(store.max_physical_offset(), end, "{first}");
        assert_eq!((bodies(&store, 0).len(), bodies(&store, 1).len()), (1, 1), "{first}");
        // A shorter one takes the place, and those behind it do not come back with a crash.
        let mut short = batch(&store, &[b"third", b"fourth"]);
        store.append(&mut short).unwrap();
        assert_eq!(short.receipts()[0].physical_offset, end, "{first}");
        assert_eq!(short.receipts().iter().map(|receipt| receipt.queue_offset.0).collect::<Vec<_>>(), [1, 1]);
        let expected = |store: &MessageStore| {
            assert_eq!(bodies(store, 0), [b"first", b"third"], "{first}");
            assert_eq!(bodies(store, 1), [&b"second"[..], b"fourth"], "{first}");
        };
        expected(&store);
        drop(store);
        let store = open(&dir);
        expected(&store);
        store.append(&mut failing).unwrap();
        assert_eq!((bodies(&store, 0).len(), bodies(&store, 1).len()), (8, 8), "{first}");
    }
}

#[test]
fn a_log_that_cannot_be_written_refuses_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let watch = Watch::new(dir.path());
    store.append(&mut batch(&store, &[b"first"])).unwrap();
    for (error, is_expected) in [
        (Errno::ROFS, (|error| matches!(error, AppendError::ReadOnly { .. })) as fn(&AppendError) -> bool),
        (Errno::NOSPC, |error| matches!(error, AppendError::NoRoom { .. })),
        (Errno::IO, |error| matches!(error, AppendError::NotWritten { .. })),
    ] {
        watch.fail(Fault { kind: Kind::Write, first: 1, count: u64::MAX, error });
        for _ in 0..3 {
            let refused = store.append(&mut batch(&store, &[b"refused"])).unwrap_err();
            assert!(is_expected(&refused), "{refused}");
            let folder = dir.path().join("commitlog").display().to_string();
            assert!(refused.to_string().contains(&folder), "{refused}");
        }
        assert_eq!(bodies(&store, 0), [b"first"], "what is there is served");
        watch.heal();
    }
    store.append(&mut batch(&store, &[b"after"])).unwrap();
    assert_eq!(bodies(&store, 0), [&b"first"[..], b"after"]);
    store.close().unwrap();
}
