//! Light queues, and the checksum over whole records.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use boostermq_store::clock::Clock;
use boostermq_store::error::LightQueueError;
use boostermq_store::{AppendBatch, Arrival, ArrivalListener, GetRequest, StoreOptions, check};
use parking_lot::Mutex;

use crate::harness::{TestStore, java_store, push, settle, small_options};

fn light(root: &Path) -> StoreOptions {
    StoreOptions { light_queues: true, ..small_options(root, 4096) }
}

fn with_checksum(root: &Path) -> StoreOptions {
    StoreOptions { checksum_appended: true, checksum_verified: true, ..light(root) }
}

fn list(names: &str) -> String {
    format!("INNER_MULTI_DISPATCH\u{1}{names}\u{2}")
}

/// Appends one message for each pair of topic and properties, all together. What their properties are then.
fn send(test: &TestStore, messages: &[(&str, &str)]) -> Vec<String> {
    let mut batch = AppendBatch::new();
    for (topic, properties) in messages {
        push(&test.store, &mut batch, topic, 0, topic.as_bytes(), properties);
    }
    test.store.append(&mut batch).unwrap();
    let properties = |receipt: &boostermq_store::AppendReceipt| {
        let bytes = test.store.record_at(receipt.physical_offset).unwrap();
        assert_eq!(bytes.len(), receipt.length as usize);
        Record::parse(&bytes).unwrap().properties().as_str().to_owned()
    };
    batch.receipts().iter().map(properties).collect()
}

fn offsets(properties: &str) -> Option<&str> {
    let rest = properties.split_once("INNER_MULTI_QUEUE_OFFSET\u{1}")?.1;
    rest.split_once('\u{2}').map(|(offsets, _)| offsets)
}

#[test]
fn messages_stand_in_the_light_queues_they_name() {
    let test = TestStore::with(light);
    let both = list("%LMQ%a,%LMQ%b");
    // Twice the same, empty ones, and numbers that came with the message.
    let odd = list(",%LMQ%b,,%LMQ%b,%LMQ%c,") + "INNER_MULTI_QUEUE_OFFSET\u{1}77\u{2}";
    let stored = send(&test, &[("T", &both), ("T", ""), ("U", &odd), ("T", &both)]);
    let numbers: Vec<_> = stored.iter().map(|properties| offsets(properties)).collect();
    assert_eq!(numbers, [Some("0,0"), None, Some("1,0"), Some("1,2")]);
    assert!(stored[2].starts_with("INNER_MULTI_DISPATCH\u{1}%LMQ%b,%LMQ%c\u{2}"), "{stored:?}");
    settle(&test.store);
    let of = |test: &TestStore, name: &str| -> Vec<(i64, String)> {
        let text = |(offset, body): (i64, Vec<u8>)| (offset, String::from_utf8(body).unwrap());
        test.read_all(name, 0).into_iter().map(text).collect()
    };
    let expected = |test: &TestStore| {
        assert_eq!(of(test, "%LMQ%a"), [(0, "T".to_owned()), (1, "T".to_owned())]);
        assert_eq!(of(test, "%LMQ%b"), [(0, "T".to_owned()), (1, "U".to_owned()), (2, "T".to_owned())]);
        assert_eq!(of(test, "%LMQ%c"), [(0, "U".to_owned())]);
    };
    expected(&test);
    let test = test.reopen_after_crash();
    expected(&test);
    let test = test.reopen_after_close();
    expected(&test);
    // All is made again from the log.
    test.store.close().unwrap();
    let options = test.store.options().clone();
    let dir = test.crash();
    std::fs::remove_dir_all(dir.path().join("consumequeue")).unwrap();
    std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
    let test = TestStore::open(dir, options).unwrap();
    expected(&test);
    assert_eq!(offsets(&send(&test, &[("T", &both)])[0]), Some("2,3"));
}

#[test]
fn some_topics_messages_get_no_number_in_light_queues() {
    let test = TestStore::with(light);
    let named = list("%LMQ%a") + "INNER_MULTI_QUEUE_OFFSET\u{1}5\u{2}";
    let topics = [
        "%RETRY%g",
        "%DLQ%g",
        "SCHEDULE_TOPIC_XXXX",
        "rmq_sys_wheel_timer",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
    ];
    for topic in topics {
        // They keep the list: when they go on to their topic, it counts.
        assert_eq!(send(&test, &[(topic, &named)]), [list("%LMQ%a")], "{topic}");
    }
    for bad in ["", "other", "%LMQ%", "%LMQ%a/b,..", ",,,"] {
        assert_eq!(offsets(&send(&test, &[("T", &list(bad))])[0]), None, "{bad}");
    }
    settle(&test.store);
    assert!(test.store.existing_queue("%LMQ%a", QueueId(0)).is_none());
    let off = TestStore::with(|root| small_options(root, 4096));
    assert_eq!(send(&off, &[("T", &named)]), [named], "without light queues it is a property like others");
    settle(&off.store);
    assert!(off.store.existing_queue("%LMQ%a", QueueId(0)).is_none());
}

#[test]
fn a_list_of_light_queues_is_checked_before() {
    let test = TestStore::with(|root| StoreOptions { light_queues_max: Some(2), ..light(root) });
    let name = |name: &str| Err(LightQueueError::Name { name: name.to_owned() });
    for (list, expected) in [
        ("%LMQ%a,%LMQ%b", Ok(())),
        ("%LMQ%a,%LMQ%b,%LMQ%c", Err(LightQueueError::TooMany { limit: 2 })),
        ("%LMQ%a,other", name("other")),
        ("../../etc", name("../../etc")),
        ("%LMQ%../../etc", name("%LMQ%../../etc")),
        ("", Ok(())),
    ] {
        assert_eq!(test.store.check_light_queues(list), expected, "{list}");
    }
    send(&test, &[("T", &list("%LMQ%a,%LMQ%b"))]);
    assert_eq!(test.store.check_light_queues("%LMQ%b,%LMQ%a"), Ok(()), "those that are there");
    assert_eq!(test.store.check_light_queues("%LMQ%c"), Err(LightQueueError::TooMany { limit: 2 }));
    test.store.delete_topic("%LMQ%a").unwrap();
    assert_eq!(test.store.check_light_queues("%LMQ%c"), Ok(()));
    let off = TestStore::with(|root| small_options(root, 4096));
    assert_eq!(off.store.check_light_queues("../../etc"), Ok(()));
}

#[test]
fn a_list_of_a_thousand_names_is_stored_or_refused_as_a_whole() {
    let test = TestStore::with(|root| StoreOptions { light_queues: true, ..small_options(root, 65536) });
    let names: Vec<String> = (0..1000).map(|number| format!("%LMQ%{number}")).collect();
    for round in 0..2 {
        let stored = send(&test, &[("T", &list(&names.join(",")))]);
        let all = vec![round.to_string(); 1000].join(",");
        assert_eq!(offsets(&stored[0]), Some(all.as_str()));
    }
    let too_many: String = (0..2000).map(|number| format!("%LMQ%{number},")).collect();
    let mut batch = AppendBatch::new();
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        push(&test.store, &mut batch, "T", 0, b"", &list(&too_many));
    }));
    assert!(refused.is_err() && batch.is_empty());
    settle(&test.store);
    let test = test.reopen_after_crash();
    assert_eq!(test.read_all("%LMQ%999", 0).len(), 2);
}

#[derive(Default)]
struct Heard(Mutex<Vec<(String, u32, i64)>>);

impl ArrivalListener for Heard {
    fn arrived(&self, arrival: &Arrival<'_>) {
        let Arrival { topic, queue_id, queue_offset, .. } = *arrival;
        self.0.lock().push((topic.to_owned(), queue_id.0, queue_offset.0));
    }
}

#[test]
fn an_arrival_is_told_in_each_queue() {
    let test = TestStore::with(light);
    let heard = Arc::new(Heard::default());
    test.store.set_arrival_listener(heard.clone());
    send(&test, &[("T", &list("%LMQ%a,%LMQ%b")), ("T", &list("%LMQ%b"))]);
    settle(&test.store);
    let expected = [("T", 1), ("%LMQ%a", 1), ("%LMQ%b", 1), ("T", 2), ("%LMQ%b", 2)];
    assert_eq!(*heard.0.lock(), expected.map(|(topic, end)| (topic.to_owned(), 0, end)));
}

#[test]
fn a_deleted_light_queue_begins_anew() {
    let test = TestStore::with(light);
    let both = list("%LMQ%a,%LMQ%b");
    send(&test, &[("T", &both), ("T", &both)]);
    settle(&test.store);
    test.store.delete_topic("%LMQ%a").unwrap();
    assert_eq!(offsets(&send(&test, &[("T", &both)])[0]), Some("0,2"));
    settle(&test.store);
    assert_eq!(test.read_all("%LMQ%a", 0).len(), 1);
    assert_eq!(test.read_all("%LMQ%b", 0).len(), 3);
    let test = test.reopen_after_close();
    assert_eq!(test.read_all("%LMQ%a", 0).len(), 1);
    assert_eq!(offsets(&send(&test, &[("T", &both)])[0]), Some("1,3"));
}

/// A unit that power left damaged is put right from the log, in a light queue as in any other.
#[test]
fn a_damaged_unit_of_a_light_queue_is_put_right() {
    let test = TestStore::with(light);
    let both = list("%LMQ%a,%LMQ%b");
    for _ in 0..6 {
        send(&test, &[("T", &both), ("U", ""), ("U", &list("%LMQ%b"))]);
    }
    test.store.close().unwrap();
    let path = test.dir.path().join("consumequeue/%LMQ%a/0/00000000000000000000");
    let options = test.store.options().clone();
    let dir = test.crash();
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[0x11; 20], 40).unwrap();
    let test = TestStore::open(dir, options).unwrap();
    let offsets: Vec<_> = test.read_all("%LMQ%a", 0).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5]);
}

/// Every record of a store with checksums is whole, and a bit of it that flips is noticed: by who reads it, and by a start.
#[test]
fn a_flipped_bit_anywhere_in_a_record_is_noticed() {
    let test = TestStore::with(with_checksum);
    for number in 0..9 {
        let keys = format!("KEYS\u{1}k{number}");
        send(&test, &[("T", &keys), ("T", &list("%LMQ%a"))]);
    }
    test.store.close().unwrap();
    let options = test.store.options().clone();
    let places: Vec<_> = (0..18)
        .map(|offset| test.store.physical_offset("T", QueueId(0), QueueOffset(offset)).unwrap().unwrap())
        .collect();
    let record = test.store.record_at(places[6]).unwrap();
    let (at, length) = (places[6].0, record.len() as i64);
    let dir = test.crash();
    // Born time, reconsume times, flag, a property: nothing but the checksum covers these.
    for byte in [16, 41, 75, length - 25] {
        let log = dir.path().join(format!("commitlog/{:020}", at / 4096 * 4096));
        let file = OpenOptions::new().write(true).read(true).open(&log).unwrap();
        let mut held = [0];
        let place = (at % 4096 + byte) as u64;
        file.read_exact_at(&mut held, place).unwrap();
        file.write_all_at(&[held[0] ^ 1], place).unwrap();
        for is_verified in [true, false] {
            let options = StoreOptions { checksum_verified: is_verified, ..options.clone() };
            let copy = crate::harness::copy_of(dir.path());
            std::fs::write(copy.path().join("abort"), "1").unwrap();
            for hint in ["checkpoint", "consumequeue.ends"] {
                std::fs::remove_file(copy.path().join(hint)).unwrap();
            }
            let options = StoreOptions { root: copy.path().into(), ..moved(options, copy.path()) };
            let clock: Arc<dyn Clock> = Arc::new(boostermq_store::clock::SystemClock);
            let damage = check::check(&options, &clock).log.unwrap().damage.len();
            assert_eq!(damage, usize::from(is_verified), "byte {byte}");
            let test = TestStore::open(copy, options).unwrap();
            assert_eq!(test.store.quarantines().len(), usize::from(is_verified), "byte {byte}");
            assert_eq!(test.read_all("T", 0).len(), 18 - usize::from(is_verified), "byte {byte}");
            assert_eq!(test.store.record_at(PhysicalOffset(at)).is_none(), is_verified);
        }
        file.write_all_at(&held, place).unwrap();
    }
}

fn moved(options: StoreOptions, root: &Path) -> StoreOptions {
    let there = StoreOptions::new(root);
    StoreOptions {
        commit_log_dir: there.commit_log_dir,
        consume_queue_dir: there.consume_queue_dir,
        index_dir: there.index_dir,
        ..options
    }
}

/// Records from before the checksum was switched on are checked by their bodies: upstream ends the log there.
#[test]
fn records_without_a_checksum_are_kept_where_one_is_wanted() {
    let test = TestStore::with(light);
    send(&test, &[("T", ""), ("T", &list("%LMQ%a")), ("T", "a\u{1}b")]);
    settle(&test.store);
    let options = StoreOptions { checksum_appended: true, checksum_verified: true, ..test.store.options().clone() };
    let test = TestStore::open(test.crash(), options).unwrap();
    assert!(test.store.quarantines().is_empty());
    assert!(send(&test, &[("T", "a\u{1}b")])[0].starts_with("a\u{1}b\u{2}__CRC32#\u{1}"));
    settle(&test.store);
    let test = test.reopen_after_crash();
    assert_eq!(test.read_all("T", 0).len(), 4);
    assert_eq!(test.read_all("%LMQ%a", 0).len(), 1);
}

#[test]
fn a_checksum_that_comes_with_a_message_is_not_believed() {
    let forged = "a\u{1}b\u{2}__CRC32#\u{1}0123456789\u{2}";
    for (is_appended, is_verified, expected) in [
        (false, true, "a\u{1}b\u{2}"),
        (true, true, "a\u{1}b\u{2}__CRC32#\u{1}"),
        (true, false, "a\u{1}b\u{2}__CRC32#\u{1}"),
        (false, false, forged),
    ] {
        for light_queues in [false, true] {
            let test = TestStore::with(|root| StoreOptions {
                checksum_appended: is_appended,
                checksum_verified: is_verified,
                light_queues,
                ..small_options(root, 4096)
            });
            let stored = send(&test, &[("T", forged)]).remove(0);
            assert!(stored.starts_with(expected), "{stored:?}");
            assert_eq!(stored == forged, !is_appended && !is_verified);
            settle(&test.store);
            let test = test.reopen_after_crash();
            assert!(test.store.quarantines().is_empty());
            assert_eq!(test.read_all("T", 0).len(), 1);
        }
    }
}

/// A store of RocketMQ 5.5.0 with both switched on. It was sent half messages with light queues, one of them rolled back, which upstream
/// shows there all the same; and a list with a name that is no light queue's, for which upstream gives numbers and writes no units.
#[test]
fn light_queues_of_java_are_taken_over() {
    let options = |root: &Path| StoreOptions {
        commit_log_file_size: 1 << 20,
        consume_queue_file_size: 6000,
        index_slots: 1000,
        index_entries: 4000,
        ..with_checksum(root)
    };
    let dir = java_store("light");
    let clock: Arc<dyn Clock> = Arc::new(boostermq_store::clock::SystemClock);
    let seen = check::check(&options(dir.path()), &clock);
    assert!(seen.error.is_none() && seen.refusals.is_empty(), "{seen:?}");
    assert_eq!((seen.log.as_ref().unwrap().records, seen.log.unwrap().damage.len()), (21, 0));
    let opened = options(dir.path());
    let test = TestStore::open(dir, opened).unwrap();
    assert!(test.store.quarantines().is_empty());
    let bodies = |test: &TestStore, name: &str| -> Vec<String> {
        let mut found = Vec::new();
        let (mut next, max) = (QueueOffset::ZERO, test.store.max_queue_offset(name, QueueId(0)));
        while next < max {
            let request =
                GetRequest { topic: name, queue_id: QueueId(0), queue_offset: next, max_messages: 32, filter: None };
            let outcome = test.store.get(&request).unwrap();
            let records =
                outcome.slices.iter().flat_map(|slice| boostermq_remoting::message::record::Records::new(slice));
            found.extend(records.map(|record| String::from_utf8(record.unwrap().body().to_vec()).unwrap()));
            assert!(outcome.next_begin_offset > next);
            next = outcome.next_begin_offset;
        }
        // Without a unit for the number that was given to none, upstream has what follows one place too early. Where its record says
        // is its place, it may stand as well.
        found.dedup();
        found
    };
    let expected = |test: &TestStore, more: &[&str]| {
        let of_a = ["ab", "bac", "committed", "rolled", "committed", "delayed", "timed"];
        for (name, there) in [("a", &of_a[..]), ("b", &["ab", "b", "bac"]), ("c.d", &["bac"]), ("$p$c", &["dollar"])] {
            assert_eq!(bodies(test, &format!("%LMQ%{name}")), [there, more].concat(), "{name}");
        }
    };
    expected(&test, &[]);
    let all = list("%LMQ%a,%LMQ%b,%LMQ%c.d,%LMQ%$p$c");
    send(&test, &[("T", &all)]);
    settle(&test.store);
    expected(&test, &["T"]);
    let test = test.reopen_after_crash();
    expected(&test, &["T"]);
    let test = test.reopen_after_close();
    expected(&test, &["T"]);
}
