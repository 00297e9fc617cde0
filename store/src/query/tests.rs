use boostermq_remoting::message::tags::java_string_hash;

use super::*;
use crate::fixture::{Fixture, START_MS, Sent, java_messages};

fn ask<'a>(topic: &'a str, key: &'a str) -> IndexQuery<'a> {
    IndexQuery { topic, key, kind: KeyKind::Key, max_messages: 64, begin_timestamp: 0, end_timestamp: i64::MAX }
}

fn places(fixture: &Fixture, wanted: &IndexQuery<'_>) -> Vec<i64> {
    let outcome = query(&fixture.index, &fixture.log, wanted);
    outcome.records.iter().map(|bytes| Record::parse(bytes).unwrap().physical_offset().0).collect()
}

#[test]
fn only_messages_with_the_key_itself_are_given() {
    let fixture = Fixture::new();
    assert_eq!(java_string_hash("T#Aa"), java_string_hash("T#BB"));
    let first = fixture.send(Sent { keys: "Aa", ..Sent::default() }).physical_offset.0;
    let other = fixture.send(Sent { keys: "BB", ..Sent::default() }).physical_offset.0;
    let unique = fixture.send(Sent { unique_key: "Aa", keys: "x y", ..Sent::default() }).physical_offset.0;
    let tagged = fixture.send(Sent { tags: "Aa", ..Sent::default() }).physical_offset.0;
    assert_eq!(places(&fixture, &ask("T", "Aa")), [unique, first]);
    assert_eq!(places(&fixture, &ask("T", "BB")), [other]);
    assert_eq!(places(&fixture, &ask("T", "y")), [unique]);
    assert_eq!(places(&fixture, &ask("T", "x y")), [0; 0]);
    assert_eq!(places(&fixture, &IndexQuery { kind: KeyKind::Tags, ..ask("T", "Aa") }), [tagged]);
    assert_eq!(places(&fixture, &ask("U", "Aa")), [0; 0]);
}

#[test]
fn answers_are_bounded_in_number_and_time() {
    let fixture = Fixture::new();
    let mut sent = Vec::new();
    for n in 0..100 {
        fixture.clock.set(START_MS + n);
        sent.insert(0, fixture.send(Sent { keys: "k", ..Sent::default() }).physical_offset.0);
    }
    assert_eq!(places(&fixture, &ask("T", "k")), sent[..64]);
    assert_eq!(places(&fixture, &IndexQuery { max_messages: 3, ..ask("T", "k") }), sent[..3]);
    assert_eq!(places(&fixture, &IndexQuery { max_messages: 0, ..ask("T", "k") }), [0; 0]);
    // Exact to the millisecond, although the index knows seconds only.
    let narrow = IndexQuery { begin_timestamp: START_MS + 10, end_timestamp: START_MS + 12, ..ask("T", "k") };
    assert_eq!(places(&fixture, &narrow), sent[87..90]);
    let outcome = query(&fixture.index, &fixture.log, &narrow);
    assert_eq!(outcome.last_update_timestamp, START_MS + 99);
    assert_eq!(outcome.last_update_offset.0, sent[0]);
}

#[test]
fn answers_are_bounded_in_bytes() {
    let fixture = Fixture::new();
    let body = vec![1; 60_000];
    for _ in 0..300 {
        fixture.send(Sent { keys: "k", body: &body, ..Sent::default() });
    }
    let outcome = query(&fixture.index, &fixture.log, &IndexQuery { max_messages: 1000, ..ask("T", "k") });
    let bytes: usize = outcome.records.iter().map(Bytes::len).sum();
    assert!(bytes <= QUERY_MAX_BYTES && bytes > QUERY_MAX_BYTES - 61_000, "{bytes}");
}

#[test]
fn places_that_hold_no_record_are_passed_over() {
    let fixture = Fixture::new();
    let empty = Fixture::new();
    fixture.send(Sent { keys: "k", ..Sent::default() });
    assert!(query(&fixture.index, &empty.log, &ask("T", "k")).records.is_empty());
    let nothing = query(&empty.index, &empty.log, &ask("T", "k"));
    assert!(nothing.records.is_empty());
    assert_eq!((nothing.last_update_timestamp, nothing.last_update_offset.0), (0, 0));
}

#[test]
fn the_java_store_answers_by_key_and_unique_key() {
    let java = Fixture::java("crashed");
    for message in java_messages() {
        if message.kind.starts_with("delay") || message.kind.starts_with("timer") {
            continue;
        }
        for (unique_key, place) in message.unique_keys.iter().zip(&message.physical_offsets) {
            assert_eq!(places(&java, &ask(&message.topic, unique_key)), [place.0]);
            for key in message.keys.split(' ').filter(|key| !key.is_empty()) {
                assert!(places(&java, &ask(&message.topic, key)).contains(&place.0), "{key}");
            }
        }
    }
}
