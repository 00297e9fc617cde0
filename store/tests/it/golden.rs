//! Stores that a Java broker of RocketMQ 5.5.0 wrote.

use std::collections::BTreeMap;

use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use boostermq_store::index::{IndexQuery, KeyKind};

use crate::harness::{TestStore, golden_path, java_options, java_store, read_all, settle};

fn open_java(name: &str) -> TestStore {
    let dir = java_store(name);
    let options = java_options(dir.path());
    TestStore::open(dir, options).unwrap()
}

/// Offsets and bodies of queues.
type Queues = BTreeMap<(String, u32), Vec<(i64, Vec<u8>)>>;

/// All messages of all queues.
fn everything(test: &TestStore) -> Queues {
    let mut all = BTreeMap::new();
    for topic in test.store.topics() {
        for queue_id in 0..32 {
            let read = read_all(&test.store, topic.as_str(), queue_id);
            if !read.is_empty() {
                all.insert((topic.as_str().to_owned(), queue_id), read);
            }
        }
    }
    all
}

fn check_manifest(test: &TestStore) -> usize {
    let lines = std::fs::read_to_string(golden_path("manifest.jsonl")).unwrap();
    let mut checked = 0;
    for line in lines.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let (topic, kind) = (text("topic"), text("kind"));
        let places = text("offsetMsgId");
        let unique_keys = text("msgId");
        let queue_offset = message["queueOffset"].as_i64().unwrap();
        for (index, (id, unique_key)) in places.split(',').zip(unique_keys.split(',')).enumerate() {
            let Some(digits) = id.get(16..) else { continue };
            let at = PhysicalOffset(i64::from_str_radix(digits, 16).unwrap());
            let bytes = test.store.record_at(at).unwrap_or_else(|| panic!("{kind} {unique_key} at {at}"));
            let record = Record::parse(&bytes).unwrap();
            record.check_body_crc().unwrap();
            let query = IndexQuery {
                topic: record.topic(),
                key: unique_key,
                kind: KeyKind::Key,
                max_messages: 64,
                begin_timestamp: 0,
                end_timestamp: i64::MAX,
            };
            let found = test.store.query(&query).records;
            assert!(found.contains(&bytes), "{kind} {unique_key}: {} found", found.len());
            if record.topic() == topic {
                let queue_id = QueueId(message["queueId"].as_u64().unwrap() as u32);
                let queue_offset = QueueOffset(queue_offset + index as i64);
                let place = test.store.physical_offset(&topic, queue_id, queue_offset).unwrap();
                assert_eq!(place, Some(at), "{kind} {unique_key}");
            }
            checked += 1;
        }
    }
    checked
}

#[test]
fn both_stores_serve_all_that_was_sent() {
    let mut contents = Vec::new();
    for name in ["clean", "crashed"] {
        let test = open_java(name);
        assert!(test.store.quarantines().is_empty(), "{name}: {:?}", test.store.quarantines());
        assert_eq!(test.store.stats().index_failures, 0, "{name}");
        let checked = check_manifest(&test);
        assert!(checked > 600, "{name}: {checked} messages");
        contents.push(everything(&test));
        // The same again after our own stops, and with something of ours appended.
        let test = test.reopen_after_close();
        assert_eq!(check_manifest(&test), checked, "{name}");
        assert_eq!(everything(&test), contents[contents.len() - 1], "{name}");
        let before = test.store.max_queue_offset("StoreNormal", QueueId(1));
        let receipt = test.send("StoreNormal", 1, b"ours");
        assert_eq!(receipt.queue_offset, before, "{name}");
        let test = test.reopen_after_crash();
        settle(&test.store);
        assert_eq!(check_manifest(&test), checked, "{name}");
        let read = test.read_all("StoreNormal", 1);
        assert_eq!(read.last().unwrap(), &(before.0, b"ours".to_vec()), "{name}");
    }
    // The crashed one was copied moments before the clean one was closed.
    let [clean, crashed] = contents.try_into().unwrap();
    for (queue, messages) in &crashed {
        assert!(clean[queue].starts_with(messages), "{queue:?}");
    }
}

#[test]
fn queues_are_built_again_from_the_log_alone() {
    for name in ["clean", "crashed"] {
        let whole = everything(&open_java(name));
        let dir = java_store(name);
        std::fs::remove_dir_all(dir.path().join("consumequeue")).unwrap();
        std::fs::remove_dir_all(dir.path().join("index")).unwrap();
        let options = java_options(dir.path());
        let test = TestStore::open(dir, options).unwrap();
        assert_eq!(everything(&test), whole, "{name}");
        assert!(check_manifest(&test) > 600, "{name}");
    }
}

#[test]
fn checkpoints_are_not_believed() {
    let whole = everything(&open_java("crashed"));
    let contents = [vec![0; 4096], vec![0x7F; 4096], vec![0xFF; 4096], Vec::new()];
    for content in contents {
        for name in ["clean", "crashed"] {
            let dir = java_store(name);
            std::fs::write(dir.path().join("checkpoint"), &content).unwrap();
            let options = java_options(dir.path());
            let test = TestStore::open(dir, options).unwrap();
            for (queue, messages) in &whole {
                let read = read_all(&test.store, &queue.0, queue.1);
                assert!(read.starts_with(messages), "{name} {queue:?}");
            }
        }
    }
}
