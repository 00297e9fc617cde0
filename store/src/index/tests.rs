use std::collections::BTreeMap;

use boostermq_remoting::message::flags::SysFlag;

use super::*;
use crate::fixture::{Fixture, SHAPE, START_MS, Sent, java_messages};
use crate::io::watch::{Change, Watch};

/// Places of records that a search visits, newest first.
fn found(index: &Index, topic: &str, key: &str, kind: KeyKind, range: (i64, i64)) -> Vec<i64> {
    let query = IndexQuery { topic, key, kind, max_messages: 64, begin_timestamp: range.0, end_timestamp: range.1 };
    let mut places = Vec::new();
    index.search(&query, |place| {
        places.push(place.0);
        true
    });
    places
}

const ALWAYS: (i64, i64) = (0, i64::MAX);

fn by_key(index: &Index, topic: &str, key: &str) -> Vec<i64> {
    found(index, topic, key, KeyKind::Key, ALWAYS)
}

fn with_key(keys: &str) -> Sent<'_> {
    Sent { keys, ..Sent::default() }
}

fn file_names(fixture: &Fixture) -> Vec<String> {
    let paths = name::list(&fixture.options.index_dir).unwrap();
    paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn reopen(fixture: &Fixture, shape: Shape, is_after_crash: bool, safe_timestamp: i64) -> Index {
    let trust = if is_after_crash { Trust::FullUpTo { timestamp: safe_timestamp } } else { Trust::All };
    Index::open(&fixture.options.index_dir, shape, fixture.clock.clone(), trust, PhysicalOffset(i64::MAX)).unwrap()
}

#[test]
fn hashes_are_upstreams() {
    for (topic, key, slot) in [("TopicTest", "k1", 2_746_024), ("T", "k1", 2_539_445)] {
        assert_eq!(KeyHash::of_topic(topic).with_key(key).0 % 5_000_000, slot, "{topic}#{key}");
    }
    let tags = KeyHash::of_topic("StoreNormal").with_tags("Tag0");
    assert_eq!(tags.0, 1_469_871_776);
    assert_eq!(tags, KeyHash::of_topic("StoreNormal").with_key("T#Tag0"));
}

#[test]
fn entries_stand_where_java_has_them() {
    let fixture = Fixture::new();
    fixture.send(with_key("k1"));
    let receipt = fixture.send(with_key("k1"));
    let path = name::list(&fixture.options.index_dir).unwrap().remove(0);
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.len(), 40 + 500 * 4 + 2000 * 20);
    let i32_at = |at: usize| i32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
    let i64_at = |at: usize| i64::from_be_bytes(*bytes[at..].first_chunk().unwrap());
    let hash = 0x0026_BFB5;
    assert_eq!([0, 8].map(i64_at), [START_MS; 2]);
    assert_eq!([16, 24].map(i64_at), [0, receipt.physical_offset.0]);
    assert_eq!([32, 36].map(i32_at), [1, 3]);
    assert_eq!(i32_at(40 + hash as usize % 500 * 4), 2);
    let entry = |number: usize| 2040 + number * 20;
    assert_eq!(bytes[entry(0)..entry(1)], [0; 20]);
    assert_eq!((i32_at(entry(1)), i64_at(entry(1) + 4), i64_at(entry(1) + 12)), (hash, 0, 0));
    assert_eq!((i32_at(entry(2)), i64_at(entry(2) + 4)), (hash, receipt.physical_offset.0));
    assert_eq!((i32_at(entry(2) + 12), i32_at(entry(2) + 16)), (0, 1));
}

/// What a Java broker put and what we put for the same log are the same entries.
#[test]
fn the_same_log_makes_the_same_index_as_java() {
    let java = Fixture::java("crashed");
    let ours =
        Index::open(&java.dir.path().join("ours"), SHAPE, java.clock.clone(), Trust::All, PhysicalOffset(0)).unwrap();
    let mut at = 0;
    while at < java.log.end() {
        match java.log.record_at(PhysicalOffset(at)) {
            Some(bytes) => {
                ours.put(&Record::parse(&bytes).unwrap()).unwrap();
                at += bytes.len() as i64;
            }
            None => at = (at / 65536 + 1) * 65536,
        }
    }
    let (java, ours) = (java.index.files.load(), ours.files.load());
    assert_eq!(java.len(), ours.len());
    for (java, ours) in java.iter().zip(ours.iter()) {
        let (java, ours) = (std::fs::read(java.path()).unwrap(), std::fs::read(ours.path()).unwrap());
        let wrong = (0..java.len()).find(|&at| java[at] != ours[at]);
        assert_eq!((wrong, java.len()), (None, ours.len()));
    }
}

#[test]
fn every_key_in_the_java_store_is_found() {
    let java = Fixture::java("crashed");
    let mut by_tags: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    let mut checked = 0;
    for message in java_messages() {
        for (unique_key, place) in message.unique_keys.iter().zip(&message.physical_offsets) {
            if message.kind.starts_with("delay") || message.kind.starts_with("timer") {
                // The index has it under the topic that it waited in, and where it was delivered.
                continue;
            }
            assert_eq!(by_key(&java.index, &message.topic, unique_key), [place.0], "{unique_key}");
            for key in message.keys.split(' ').filter(|key| !key.is_empty()) {
                assert!(by_key(&java.index, &message.topic, key).contains(&place.0), "{key}");
            }
            if !message.tags.is_empty() {
                by_tags.entry((message.topic.clone(), message.tags.clone())).or_default().insert(0, place.0);
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 630);
    for ((topic, tags), places) in by_tags {
        assert_eq!(found(&java.index, &topic, &tags, KeyKind::Tags, ALWAYS), places, "{topic} {tags}");
    }
}

#[test]
fn times_narrow_a_search_to_the_second() {
    let fixture = Fixture::new();
    let mut places = Vec::new();
    for second in 0..10 {
        fixture.clock.set(START_MS + second * 1000);
        places.insert(0, fixture.send(with_key("k")).physical_offset.0);
    }
    for (begin, end, expected) in [
        (0, i64::MAX, 0..10),
        (START_MS + 3000, START_MS + 5000, 4..7),
        (START_MS + 3999, START_MS + 4999, 5..7),
        (START_MS + 9000, i64::MAX, 0..1),
        (START_MS + 10_000, i64::MAX, 0..0),
        (0, START_MS - 1, 0..0),
        (0, START_MS, 9..10),
    ] {
        let expected = &places[expected];
        assert_eq!(found(&fixture.index, "T", "k", KeyKind::Key, (begin, end)), expected, "{begin} to {end}");
    }
}

#[test]
fn which_keys_a_message_is_put_under() {
    let fixture = Fixture::new();
    let all = Sent { unique_key: "u", keys: " a  b ü ", tags: "x||y", ..Sent::default() };
    let place = fixture.send(all).physical_offset.0;
    for key in ["u", "a", "b", "ü", "T#x||y"] {
        assert_eq!(by_key(&fixture.index, "T", key), [place], "{key}");
    }
    for key in ["", "x||y", " a  b ü "] {
        assert_eq!(by_key(&fixture.index, "T", key), [0; 0], "{key:?}");
    }
    let prepared = fixture.send(Sent { sys_flag: SysFlag::TRANSACTION_PREPARED, ..with_key("p") });
    fixture.send(Sent { sys_flag: SysFlag::TRANSACTION_ROLLBACK, ..with_key("p") });
    assert_eq!(by_key(&fixture.index, "T", "p"), [prepared.physical_offset.0]);
    assert_eq!(by_key(&fixture.index, "U", "a"), [0; 0]);
}

#[test]
fn a_message_without_keys_makes_no_file() {
    let fixture = Fixture::new();
    fixture.send(Sent::default());
    assert_eq!(file_names(&fixture), [""; 0]);
    assert_eq!(by_key(&fixture.index, "T", "k"), [0; 0]);
}

#[test]
fn files_follow_each_other_and_searches_cross_them() {
    let fixture = Fixture::new();
    let mut places = Vec::new();
    for n in 0..1500 {
        fixture.clock.set(START_MS + n * 100);
        places.push(fixture.send(with_key(&format!("k{} all", n % 100))).physical_offset.0);
    }
    let names = file_names(&fixture);
    assert_eq!(names.len(), 2);
    let check = |index: &Index| {
        let mut expected: Vec<i64> = places.iter().skip(7).step_by(100).copied().collect();
        expected.reverse();
        assert_eq!(by_key(index, "T", "k7"), expected);
        assert_eq!(by_key(index, "T", "all").len(), 1500);
    };
    check(&fixture.index);
    // What is put twice stays once, wherever the second time begins, but for the record at the very end.
    let again = reopen(&fixture, SHAPE, false, 0);
    assert_eq!(again.resume_offset().0, places[1499]);
    for &place in &places[..1499] {
        again.put(&Record::parse(&fixture.log.record_at(PhysicalOffset(place)).unwrap()).unwrap()).unwrap();
    }
    check(&again);
    // After a crash the file that was being written goes, and comes back when its records are put again.
    let first_end = fixture.index.files.load()[0].end_timestamp();
    let again = reopen(&fixture, SHAPE, true, first_end);
    assert_eq!(file_names(&fixture), names[..1]);
    let resume = again.resume_offset().0;
    for &place in places.iter().filter(|&&place| place >= resume) {
        again.put(&Record::parse(&fixture.log.record_at(PhysicalOffset(place)).unwrap()).unwrap()).unwrap();
    }
    check(&again);
}

#[test]
fn flush_tells_what_is_safe() {
    let fixture = Fixture::new();
    fixture.send(with_key("k"));
    assert_eq!(fixture.index.flush(false).unwrap(), None);
    // A file that will be written again is never safe.
    assert_eq!(fixture.index.flush(true).unwrap(), None);
    for n in 0..2000 {
        fixture.clock.set(START_MS + n);
        fixture.send(with_key("k"));
    }
    // The first file was filled by its 1,999th entry.
    assert_eq!(fixture.index.flush(false).unwrap(), Some(START_MS + 1997));
    assert_eq!(fixture.index.flush(false).unwrap(), None);
}

#[test]
fn expired_files_go_but_never_the_newest() {
    let fixture = Fixture::new();
    for _ in 0..4500 {
        fixture.send(with_key("k"));
    }
    assert_eq!(file_names(&fixture).len(), 3);
    let first_end = fixture.index.files.load()[0].end_offset();
    fixture.index.delete_expired(first_end).unwrap();
    assert_eq!(file_names(&fixture).len(), 3);
    fixture.index.delete_expired(first_end.plus(1)).unwrap();
    assert_eq!(file_names(&fixture).len(), 2);
    fixture.index.delete_expired(PhysicalOffset(i64::MAX)).unwrap();
    assert_eq!(file_names(&fixture).len(), 1);
    assert_eq!(by_key(&fixture.index, "T", "k").len(), 4500 - 2 * 1999);
}

#[test]
fn a_file_of_another_shape_is_left_alone() {
    let fixture = Fixture::new();
    fixture.send(with_key("k"));
    let other = reopen(&fixture, Shape { slots: 501, entries: 2000 }, true, 0);
    assert_eq!(by_key(&other, "T", "k"), [0; 0]);
    assert_eq!(file_names(&fixture).len(), 1);
}

/// Whatever stands in a file, opening, searching and putting end, and without a panic.
/// A second crash must not bring back what the first one made wrong: by then other records may stand in its places.
#[test]
fn a_deleted_file_stays_so() {
    for is_empty in [false, true] {
        let fixture = Fixture::new();
        fixture.send(with_key("k1"));
        let path = name::list(&fixture.options.index_dir).unwrap().remove(0);
        if is_empty {
            std::fs::write(&path, b"").unwrap();
        }
        let watch = Watch::new(fixture.dir.path());
        reopen(&fixture, SHAPE, true, 0);
        let steps = watch.steps();
        let place =
            |wanted: &Path, change: Change| steps.iter().position(|step| step.path == wanted && step.change == change);
        let (removed, synced) = (place(&path, Change::Remove), place(&fixture.options.index_dir, Change::SyncDir));
        assert!(removed.is_some() && removed < synced, "{steps:?}");
    }
}

#[test]
fn damage_ends_a_search_and_nothing_else() {
    let fixture = Fixture::new();
    for n in 0..200 {
        fixture.send(with_key(&format!("k{} all", n % 10)));
    }
    let path = name::list(&fixture.options.index_dir).unwrap().remove(0);
    let sound = std::fs::read(&path).unwrap();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let mut bytes = sound.clone();
        for _ in 0..1 + round {
            // The header, the slots and the used entries.
            let at = random() as usize % (2040 + 420 * 20);
            bytes[at] = random() as u8;
        }
        std::fs::write(&path, bytes).unwrap();
        let index = reopen(&fixture, SHAPE, false, 0);
        for key in ["k3", "all", "none"] {
            assert!(by_key(&index, "T", key).len() <= 2000);
        }
        let last = fixture.log.record_at(PhysicalOffset(0)).unwrap();
        index.put(&Record::parse(&last).unwrap()).unwrap();
    }
}
