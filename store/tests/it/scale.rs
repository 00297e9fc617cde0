//! Many queues: what one costs while nobody uses it.

use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::names::QueueId;
use boostermq_store::clock::SystemClock;
use boostermq_store::{AppendBatch, MessageStore, StoreOptions};

use crate::harness::{push, read_all, settle, small_options};
use crate::own_process::is_own_process;

const TOPICS: u32 = 625;
const QUEUES: u32 = 8;
const ROUNDS: u32 = 2;
/// Open files of queues that the store may keep.
const OPEN_FILES: usize = 16;
/// Address space of the process: 5,000 maps would be no more, but 5,000 buffers would.
const MEMORY_KIB: u64 = 1 << 20;

fn count(what: &str) -> usize {
    let own = Path::new("/proc/self").join(what);
    if own.is_dir() {
        return std::fs::read_dir(own).unwrap().count();
    }
    std::fs::read_to_string(own).unwrap().lines().count()
}

fn anonymous_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn five_thousand_queues_take_no_files_and_no_maps() {
    if !is_own_process("scale::five_thousand_queues_take_no_files_and_no_maps", MEMORY_KIB) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { consume_queue_open_files: OPEN_FILES, ..small_options(dir.path(), 1 << 20) };
    let store = MessageStore::open(options.clone(), Arc::new(SystemClock)).unwrap();
    let before = (count("fd"), count("maps"), anonymous_kib());
    let topics: Vec<String> = (0..TOPICS).map(|n| format!("Topic{n:03}")).collect();
    for round in 0..ROUNDS {
        for topic in &topics {
            let mut batch = AppendBatch::new();
            (0..QUEUES).for_each(|queue| push(&store, &mut batch, topic, queue, format!("{round}").as_bytes(), ""));
            store.append(&mut batch).unwrap();
            store.dispatch_now();
        }
        settle(&store);
        // All buffers are written, so all queues are idle afterwards.
        store.flush().unwrap();
    }
    let bounded = |store: &MessageStore, when: &str| {
        let after = (count("fd"), count("maps"), anonymous_kib());
        let queues = u64::from(TOPICS * QUEUES);
        // Log files besides, of which there are few.
        assert!(after.0 <= before.0 + OPEN_FILES + 16, "{when}: {} descriptors, {} before", after.0, before.0);
        assert!(after.1 <= before.1 + 64, "{when}: {} maps, {} before", after.1, before.1);
        assert!(after.2 <= before.2 + 2 * queues, "{when}: {} KiB for {queues} queues, {} before", after.2, before.2);
        let cold = (topics[300].as_str(), 3);
        let read: Vec<i64> = read_all(store, cold.0, cold.1).into_iter().map(|(offset, _)| offset).collect();
        assert_eq!(read, [0, 1], "{when}");
        assert_eq!(store.max_queue_offset(&topics[TOPICS as usize - 1], QueueId(QUEUES - 1)).0, i64::from(ROUNDS));
    };
    bounded(&store, "after sends");
    drop(store);
    let store = MessageStore::open(options.clone(), Arc::new(SystemClock)).unwrap();
    bounded(&store, "after a kill");
    store.close().unwrap();
    drop(store);
    let store = MessageStore::open(options, Arc::new(SystemClock)).unwrap();
    bounded(&store, "after a clean stop");
}
