//! Tests of entries in files, in memory, and outside the queue.

use super::*;
use crate::fixture::{Fixture, Sent};

#[test]
fn entries_are_those_of_the_queue() {
    let fixture = Fixture::new();
    let sent: Vec<_> = (0..2100).map(|_| fixture.send(Sent { body: b"x", ..Sent::default() })).collect();
    let queue = fixture.queue("T", 0);
    for (from, count, expected) in [
        (0, 0, 0..0),
        (0, 5, 0..5),
        (1990, 1000, 1990..2100),
        (0, usize::MAX, 0..2100),
        (2100, 5, 0..0),
        (-1, 5, 0..0),
        (i64::MAX, 5, 0..0),
    ] {
        let found: Vec<_> = entries(&queue, QueueOffset(from), count).unwrap();
        let places: Vec<_> = found.iter().map(|entry| entry.unit.physical_offset).collect();
        let wanted: Vec<_> = sent[expected].iter().map(|receipt| receipt.physical_offset).collect();
        assert_eq!(places, wanted, "{from} {count}");
        assert!(found.iter().all(|entry| entry.extension == EntryExtension::None));
    }
}

#[test]
fn what_an_address_leads_to_is_lost_where_nothing_stands() {
    let fixture = Fixture::new();
    fixture.send(Sent::default());
    let unit = Unit { tags_code: i64::MIN, ..Unit::BLANK };
    assert_eq!(entry(&fixture.queue("T", 0), unit).extension, EntryExtension::Lost);
}
