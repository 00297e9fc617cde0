use boostermq_remoting::message::flags::SysFlag;
use boostermq_remoting::message::property_name::UNIQ_KEY;
use boostermq_remoting::message::record::Records;
use boostermq_remoting::message::tags::tags_code;

use super::*;
use crate::fixture::{Fixture, Sent, java_messages};

fn request(queue_offset: i64, max_messages: u32) -> GetRequest<'static> {
    GetRequest { topic: "T", queue_id: QueueId(0), queue_offset: QueueOffset(queue_offset), max_messages, filter: None }
}

fn read(fixture: &Fixture, request: &GetRequest<'_>) -> GetOutcome {
    let queue = fixture.queues.get(request.topic, request.queue_id);
    get(queue.as_deref(), &fixture.log, &fixture.options, request).unwrap()
}

/// The queue offsets of what was read, which must be whole records.
fn offsets(outcome: &GetOutcome) -> Vec<i64> {
    let mut offsets = Vec::new();
    let mut bytes = 0;
    for slice in &outcome.slices {
        bytes += slice.len();
        offsets.extend(Records::new(slice).map(|record| record.unwrap().queue_offset().0));
    }
    assert_eq!(bytes, outcome.total_bytes);
    assert_eq!(offsets.len(), outcome.message_count as usize);
    offsets
}

/// Wants messages with an even tags code, and of those the ones whose body is not empty.
struct Even {
    looks_at_record: bool,
}

impl MessageFilter for Even {
    fn matches_tags(&self, tags_code: i64) -> bool {
        tags_code % 2 == 0
    }

    fn needs_record(&self) -> bool {
        self.looks_at_record
    }

    fn matches_record(&self, record: &Record<'_>) -> bool {
        !record.body().is_empty()
    }
}

/// Wants what has these tags.
struct Tagged(i64);

impl MessageFilter for Tagged {
    fn matches_tags(&self, tags_code: i64) -> bool {
        tags_code == self.0
    }
}

#[test]
fn offsets_outside_are_told_apart() {
    let fixture = Fixture::new();
    let check = |queue_offset: i64, status: GetStatus, next: i64, range: (i64, i64)| {
        let outcome = read(&fixture, &request(queue_offset, 32));
        assert_eq!((outcome.status, outcome.next_begin_offset.0), (status, next), "{queue_offset}");
        assert_eq!((outcome.min_offset.0, outcome.max_offset.0), range, "{queue_offset}");
        assert!(outcome.slices.is_empty() && outcome.message_count == 0);
    };
    check(0, GetStatus::NoMatchedLogicQueue, 0, (0, 0));
    check(7, GetStatus::NoMatchedLogicQueue, 0, (0, 0));
    let queue = fixture.queue("T", 0);
    check(0, GetStatus::NoMessageInQueue, 0, (0, 0));
    check(7, GetStatus::NoMessageInQueue, 0, (0, 0));
    let sent = fixture.send_many(30);
    queue.correct_min(sent[10].physical_offset).unwrap();
    for too_small in [i64::MIN, -1, 0, 9] {
        check(too_small, GetStatus::OffsetTooSmall, 10, (10, 30));
    }
    check(30, GetStatus::OffsetOverflowOne, 30, (10, 30));
    for too_large in [31, i64::MAX] {
        check(too_large, GetStatus::OffsetOverflowBadly, 30, (10, 30));
    }
    assert_eq!(GetStatus::OffsetOverflowOne.to_string(), "OFFSET_OVERFLOW_ONE");
}

#[test]
fn a_read_gives_what_was_asked_for_within_the_limits() {
    let fixture = Fixture::new();
    fixture.send_many(250);
    for (from, wanted, given) in
        [(0, 1, 1), (0, 0, 1), (5, 32, 32), (5, 33, 32), (95, 10, 10), (240, 32, 10), (249, 1, 1)]
    {
        let outcome = read(&fixture, &request(from, wanted));
        assert_eq!(outcome.status, GetStatus::Found);
        assert_eq!(offsets(&outcome), (from..from + given).collect::<Vec<_>>(), "{from}, {wanted}");
        assert_eq!(outcome.next_begin_offset.0, from + given);
        // One queue alone in the log: its records stand side by side.
        assert_eq!(outcome.slices.len(), 1);
        assert_eq!((outcome.cold_bytes, outcome.suggest_pulling_from_slave), (0, false));
    }
}

#[test]
fn what_stands_apart_in_the_log_leaves_as_several_slices() {
    let fixture = Fixture::new();
    for queue_id in [0, 0, 1, 0, 1, 1, 0, 0] {
        fixture.send(Sent { queue_id, body: b"x", ..Sent::default() });
    }
    let outcome = read(&fixture, &request(0, 32));
    assert_eq!(offsets(&outcome), [0, 1, 2, 3, 4]);
    assert_eq!(outcome.slices.len(), 3);
    // A run ends where a file of the log ends.
    let body = [7; 30_000];
    for _ in 0..6 {
        fixture.send(Sent { queue_id: 2, body: &body, ..Sent::default() });
    }
    let outcome = read(&fixture, &GetRequest { queue_id: QueueId(2), ..request(0, 32) });
    assert_eq!(offsets(&outcome), [0, 1, 2, 3, 4, 5]);
    assert_eq!(outcome.slices.len(), 3);
}

#[test]
fn bytes_are_limited_but_one_message_always_goes() {
    let mut fixture = Fixture::new();
    let body = [7; 10_000];
    let length = fixture.send(Sent { body: &body, ..Sent::default() }).length as usize;
    for _ in 0..39 {
        fixture.send(Sent { body: &body, ..Sent::default() });
    }
    for (in_memory, given) in [(1, 1), (length, 1), (2 * length - 1, 1), (2 * length, 2), (256 << 10, 25)] {
        fixture.options.transfer_bytes_in_memory = in_memory as u32;
        let outcome = read(&fixture, &request(0, 32));
        assert_eq!(offsets(&outcome).len(), given, "{in_memory}");
        assert_eq!(outcome.next_begin_offset.0, given as i64);
    }
}

#[test]
fn old_parts_of_the_log_are_read_sparingly() {
    let mut fixture = Fixture::new();
    let sent = fixture.send_many(100);
    let length = i64::from(sent[0].length);
    // The newest ten messages count as cached.
    fixture.options.physical_memory = (length * 10) as u64 * 100;
    fixture.options.memory_max_ratio = 1;
    let old = read(&fixture, &request(0, 32));
    assert_eq!(offsets(&old), (0..8).collect::<Vec<_>>());
    assert_eq!((old.cold_bytes, old.suggest_pulling_from_slave), (old.total_bytes, true));
    let mixed = read(&fixture, &request(88, 32));
    assert_eq!(offsets(&mixed), (88..100).collect::<Vec<_>>());
    assert_eq!((mixed.cold_bytes as i64, mixed.suggest_pulling_from_slave), (2 * length, false));
    fixture.options.transfer_bytes_on_disk = (3 * length) as u32;
    assert_eq!(offsets(&read(&fixture, &request(0, 32))), [0, 1, 2]);
}

#[test]
fn filters_choose_and_offsets_move_on() {
    let fixture = Fixture::new();
    for n in 0..1000 {
        let body: &[u8] = if n % 4 == 0 { b"x" } else { b"" };
        // "a" is 97, "b" is 98.
        fixture.send(Sent { tags: if n % 2 == 0 { "b" } else { "a" }, body, ..Sent::default() });
    }
    let by_tags = Even { looks_at_record: false };
    let by_record = Even { looks_at_record: true };
    let outcome = read(&fixture, &GetRequest { filter: Some(&by_tags), ..request(10, 32) });
    assert_eq!(offsets(&outcome), (10..74).step_by(2).collect::<Vec<_>>());
    // The unit behind the last one wanted is looked at, and found to be too much before it is filtered.
    assert_eq!((outcome.status, outcome.next_begin_offset.0), (GetStatus::Found, 73));
    let outcome = read(&fixture, &GetRequest { filter: Some(&by_record), ..request(10, 5) });
    assert_eq!(offsets(&outcome), [12, 16, 20, 24, 28]);
    assert_eq!(outcome.next_begin_offset.0, 29);

    let none = Tagged(tags_code("c"));
    for (from, max, next) in [(0, 32, 800), (300, 32, 1000), (0, 900, 900), (999, 1, 1000)] {
        let outcome = read(&fixture, &GetRequest { filter: Some(&none), ..request(from, max) });
        assert_eq!((outcome.status, outcome.next_begin_offset.0), (GetStatus::NoMatchedMessage, next), "{from}, {max}");
    }
    // One in reach: found, and the offset moves past all that was looked at.
    fixture.send(Sent { tags: "c", body: b"x", ..Sent::default() });
    let outcome = read(&fixture, &GetRequest { filter: Some(&none), ..request(700, 32) });
    assert_eq!(offsets(&outcome), [1000]);
    assert_eq!(outcome.next_begin_offset.0, 1001);
    let outcome = read(&fixture, &GetRequest { filter: Some(&none), ..request(100, 32) });
    assert_eq!((outcome.status, outcome.next_begin_offset.0), (GetStatus::NoMatchedMessage, 900));
}

#[test]
fn a_filter_may_read_too() {
    struct Nested<'a>(&'a Fixture);
    impl MessageFilter for Nested<'_> {
        fn matches_tags(&self, _: i64) -> bool {
            read(self.0, &request(0, 1)).status == GetStatus::Found
        }
    }
    let fixture = Fixture::new();
    fixture.send_many(5);
    let outcome = read(&fixture, &GetRequest { filter: Some(&Nested(&fixture)), ..request(0, 32) });
    assert_eq!(offsets(&outcome), [0, 1, 2, 3, 4]);
}

#[test]
fn units_without_a_record_are_passed_over() {
    let fixture = Fixture::new();
    let queue = fixture.queue("T", 0);
    fixture.send_many(3);
    let end = PhysicalOffset(fixture.log.end());
    // Past the end of the log, damaged in place and in size, and blank.
    let sound = fixture.send(Sent { queue_id: 1, body: b"x", ..Sent::default() });
    let unit = Unit { physical_offset: sound.physical_offset, size: sound.length, tags_code: 0 };
    let bad = [
        Unit { physical_offset: end.plus(1 << 30), ..unit },
        Unit { physical_offset: end.plus(1), ..unit },
        Unit { size: sound.length - 1, ..unit },
        Unit { size: 0x7FFF_FFFF, ..unit },
        Unit::BLANK,
    ];
    for (index, bad) in bad.into_iter().enumerate() {
        queue.push_unit(QueueOffset(3 + index as i64), bad).unwrap();
    }
    queue.set_next_offset(QueueOffset(8));
    let outcome = read(&fixture, &request(3, 32));
    assert_eq!((outcome.status, outcome.next_begin_offset.0), (GetStatus::MessageWasRemoving, 8));
    fixture.send(Sent::default());
    // A size beyond all limits ends a read that has something, and is passed over by the next.
    let outcome = read(&fixture, &request(1, 32));
    assert_eq!(offsets(&outcome), [1, 2]);
    assert_eq!(outcome.next_begin_offset.0, 6);
    let outcome = read(&fixture, &request(6, 32));
    assert_eq!(offsets(&outcome), [8]);
    assert_eq!(outcome.next_begin_offset.0, 9);
    assert_eq!(offsets(&read(&fixture, &request(3, 32))), [8]);
}

#[test]
fn messages_whose_file_is_gone_are_passed_over() {
    let fixture = Fixture::new();
    let body = [0; 30_000];
    for _ in 0..8 {
        fixture.send(Sent { body: &body, ..Sent::default() });
    }
    // The first file of the log went, the queue has not heard of it.
    let Fixture { dir, queues, options, log, index, .. } = fixture;
    drop((log, index));
    std::fs::remove_file(options.commit_log_dir.join(format!("{:020}", 0))).unwrap();
    queues.flush_all(true).unwrap();
    let fixture = Fixture::reopened(dir);
    let outcome = read(&fixture, &request(0, 32));
    assert_eq!(offsets(&outcome), [2, 3, 4, 5, 6, 7]);
    let outcome = read(&fixture, &GetRequest { filter: Some(&Tagged(1)), ..request(0, 32) });
    assert_eq!((outcome.status, outcome.next_begin_offset.0), (GetStatus::NoMatchedMessage, 8));
}

#[test]
fn a_missing_queue_file_is_stepped_over() {
    let fixture = Fixture::new();
    let queue = fixture.queue("T", 0);
    fixture.send_many(250);
    queue.flush(true).unwrap();
    queue.flush(true).unwrap();
    let again = crate::consume_queue::QueueTable::new(&fixture.options.consume_queue_dir, 2000, 64);
    again.load().unwrap();
    again.recover_all(false, None).unwrap();
    // Lost while the store is open; the next start would build it again.
    let path = fixture.options.consume_queue_dir.join(format!("T/0/{:020}", 2000));
    std::fs::remove_file(path).unwrap();
    let queue = again.get("T", QueueId(0)).unwrap();
    let read = |from| get(Some(&queue), &fixture.log, &fixture.options, &request(from, 32)).unwrap();
    let outcome = read(120);
    assert_eq!((outcome.status, outcome.next_begin_offset.0), (GetStatus::OffsetFoundNull, 200));
    // What stands before the gap is given first.
    let outcome = read(90);
    assert_eq!(offsets(&outcome), (90..100).collect::<Vec<_>>());
    assert_eq!(outcome.next_begin_offset.0, 100);
    assert_eq!(offsets(&read(200)).len(), 32);
}

#[test]
fn every_offset_of_the_java_store_leads_to_its_message() {
    for name in ["clean", "crashed"] {
        let java = Fixture::java(name);
        let mut checked = 0;
        for message in java_messages() {
            if message.physical_offsets.is_empty()
                || message.kind.starts_with("delay")
                || message.kind.starts_with("timer")
            {
                continue;
            }
            for (index, unique_key) in message.unique_keys.iter().enumerate() {
                let wanted = GetRequest {
                    topic: &message.topic,
                    queue_id: QueueId(message.queue_id),
                    ..request(message.queue_offset + index as i64, 1)
                };
                let outcome = read(&java, &wanted);
                let record = Record::parse(&outcome.slices[0]).unwrap();
                assert_eq!(record.properties().get(UNIQ_KEY), Some(unique_key.as_str()), "{name}");
                assert_eq!(record.queue_offset(), wanted.queue_offset);
                assert_eq!(record.physical_offset(), message.physical_offsets[index]);
                assert_eq!(record.topic(), message.topic);
                record.check_body_crc().unwrap();
                checked += 1;
            }
        }
        assert_eq!(checked, 630, "{name}");
        // A queue read from end to end, and the same with a filter.
        for filter in [None, Some(Tagged(tags_code("Tag1")))] {
            let filter = filter.as_ref().map(|filter| filter as &dyn MessageFilter);
            let mut next = 0;
            let mut count = 0;
            loop {
                let wanted = GetRequest { topic: "StoreNormal", queue_id: QueueId(3), filter, ..request(next, 32) };
                let outcome = read(&java, &wanted);
                if outcome.status == GetStatus::OffsetOverflowOne {
                    break;
                }
                assert!(outcome.next_begin_offset.0 > next);
                next = outcome.next_begin_offset.0;
                count += outcome.message_count;
            }
            let messages = java_messages();
            let of_queue = messages.iter().filter(|message| message.topic == "StoreNormal" && message.queue_id == 3);
            let wanted = of_queue.filter(|message| filter.is_none() || message.tags == "Tag1").count();
            assert_eq!(count as usize, wanted, "{name}");
        }
    }
}

#[test]
fn slices_outlive_what_they_were_read_from() {
    let fixture = Fixture::new();
    fixture.send(Sent { body: b"still here", sys_flag: SysFlag::NONE, ..Sent::default() });
    let outcome = read(&fixture, &request(0, 1));
    drop(fixture);
    assert_eq!(Record::parse(&outcome.slices[0]).unwrap().body(), b"still here");
}

#[test]
fn tags_in_extension_files_count_and_unknown_ones_pass() {
    let fixture = Fixture::new();
    let tagged = |tags| Sent { tags, ..Sent::default() };
    for tags in ["A", "B", "A"] {
        fixture.send(tagged(tags));
    }
    let queue = fixture.queue("T", 0);
    let mut units = Vec::new();
    queue.read_units(QueueOffset(0), 3, &mut units).unwrap();
    // As a Java broker wrote them: the second and third point to extension units, of which only one is there.
    let folder = fixture.dir.path().join("consumequeue_ext/T/0");
    std::fs::create_dir_all(&folder).unwrap();
    let mut unit = vec![0, 20];
    unit.extend_from_slice(&tags_code("B").to_be_bytes());
    unit.extend_from_slice(&[0; 10]);
    std::fs::write(folder.join(format!("{:020}", 0)), unit).unwrap();
    let second = Unit { tags_code: i64::MIN, ..units[1] };
    let third = Unit { tags_code: i64::MIN + 20, ..units[2] };
    let copy = fixture.queue("Copy", 0);
    for (at, unit) in [units[0], second, third].into_iter().enumerate() {
        copy.push_unit(QueueOffset(at as i64), unit).unwrap();
    }
    assert_eq!(copy.tags_code(&second), None, "another queue has files of its own");
    let folder_of_copy = fixture.dir.path().join("consumequeue_ext/Copy");
    std::fs::rename(folder.parent().unwrap(), &folder_of_copy).unwrap();
    for (tags, expected) in [("A", vec![0, 2]), ("B", vec![1, 2]), ("C", vec![2])] {
        let filter = Tagged(tags_code(tags));
        let request = GetRequest { topic: "Copy", filter: Some(&filter), ..request(0, 32) };
        let read: Vec<i64> = offsets(&read(&fixture, &request));
        assert_eq!(read, expected, "{tags}");
    }
}
