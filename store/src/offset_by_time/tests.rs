use super::*;
use crate::fixture::{Fixture, START_MS, Sent};

/// What a search from the first to the last message would say.
fn model(times: &[i64], first: i64, timestamp: i64, boundary: TimeBoundary) -> i64 {
    match boundary {
        TimeBoundary::Lower => first + times.iter().take_while(|&&stored| stored < timestamp).count() as i64,
        TimeBoundary::Upper => {
            first + (times.iter().take_while(|&&stored| stored <= timestamp).count() as i64 - 1).max(0)
        }
    }
}

/// A store whose queue T-0 holds messages stored so many ms after the start.
fn stored_at(times: &[i64]) -> Fixture {
    let fixture = Fixture::new();
    for (index, time) in times.iter().enumerate() {
        fixture.clock.set(START_MS + time);
        // Another queue's messages lie between.
        fixture.send(Sent { queue_id: 1, body: &vec![0; index * 37 % 500], ..Sent::default() });
        fixture.send(Sent { body: b"x", ..Sent::default() });
    }
    fixture
}

#[test]
fn a_search_says_what_looking_at_all_would() {
    let many: Vec<i64> = (0..300).map(|n| n * n / 40 / 7 * 7).collect();
    let lists: [&[i64]; 6] = [&[], &[0], &[5, 5, 5, 5], &[0, 10, 10, 10, 20], &[3, 4, 5, 6, 7, 8], &many];
    for times in lists {
        let fixture = stored_at(times);
        let queue = fixture.queue("T", 0);
        let last = times.last().copied().unwrap_or(0);
        for skipped in [0, times.len() / 3, times.len().saturating_sub(1)] {
            if let Some(at) = physical_offset(&queue, QueueOffset(skipped as i64)).unwrap() {
                queue.correct_min(at).unwrap();
            }
            let absolute: Vec<i64> = times.iter().skip(skipped).map(|time| START_MS + time).collect();
            for time in -2..last + 3 {
                for boundary in [TimeBoundary::Lower, TimeBoundary::Upper] {
                    let found = offset_by_time(&queue, &fixture.log, START_MS + time, boundary).unwrap().0;
                    let expected = model(&absolute, skipped as i64, START_MS + time, boundary);
                    assert_eq!(found, expected, "{boundary:?} {time} in {} from {skipped}", times.len());
                }
            }
        }
    }
}

#[test]
fn extreme_times_stay_in_the_queue() {
    let fixture = stored_at(&[0, 10, 20]);
    let queue = fixture.queue("T", 0);
    for (timestamp, lower, upper) in [(i64::MIN, 0, 0), (-1, 0, 0), (0, 0, 0), (i64::MAX, 3, 2)] {
        for (boundary, expected) in [(TimeBoundary::Lower, lower), (TimeBoundary::Upper, upper)] {
            assert_eq!(offset_by_time(&queue, &fixture.log, timestamp, boundary).unwrap().0, expected);
        }
    }
}

#[test]
fn messages_that_are_gone_are_passed_over() {
    use crate::consume_queue::Unit;
    let fixture = Fixture::new();
    let queue = fixture.queue("T", 0);
    for n in 0..20 {
        fixture.clock.set(START_MS + n * 10);
        if (5..12).contains(&n) {
            // Their records went with a file; or were never there.
            let unit = if n < 8 {
                Unit::BLANK
            } else {
                Unit { physical_offset: PhysicalOffset(1 << 40), size: 91, tags_code: 0 }
            };
            queue.push_unit(QueueOffset(n), unit).unwrap();
            queue.set_next_offset(QueueOffset(n + 1));
        } else {
            fixture.send(Sent::default());
        }
    }
    for (time, lower) in [(40, 4), (41, 5), (119, 5), (120, 5), (121, 13), (130, 13)] {
        let found = offset_by_time(&queue, &fixture.log, START_MS + time, TimeBoundary::Lower).unwrap();
        assert_eq!(found.0, lower, "{time}");
    }
    assert_eq!(store_timestamp(&queue, &fixture.log, QueueOffset(6)).unwrap(), None);
    assert_eq!(store_timestamp(&queue, &fixture.log, QueueOffset(9)).unwrap(), None);
}

#[test]
fn single_messages_tell_their_time() {
    let fixture = stored_at(&[0, 10, 20]);
    let queue = fixture.queue("T", 0);
    for (at, expected) in [(-1, None), (0, Some(0)), (2, Some(20)), (3, None)] {
        let expected = expected.map(|time| START_MS + time);
        assert_eq!(store_timestamp(&queue, &fixture.log, QueueOffset(at)).unwrap(), expected, "{at}");
    }
    assert_eq!(earliest_store_timestamp(&queue, &fixture.log).unwrap(), Some(START_MS));
    let at = physical_offset(&queue, QueueOffset(1)).unwrap().unwrap();
    queue.correct_min(at).unwrap();
    assert_eq!(earliest_store_timestamp(&queue, &fixture.log).unwrap(), Some(START_MS + 10));
    assert_eq!(store_timestamp(&queue, &fixture.log, QueueOffset(0)).unwrap(), None);
    let empty = fixture.queue("T", 9);
    assert_eq!(earliest_store_timestamp(&empty, &fixture.log).unwrap(), None);
}

#[test]
fn only_the_newest_part_of_the_log_is_in_memory() {
    let mut fixture = stored_at(&[0; 50]);
    assert!(is_in_memory(&fixture.log, &fixture.options, PhysicalOffset::ZERO));
    (fixture.options.physical_memory, fixture.options.memory_max_ratio) = (100_000, 1);
    let edge = PhysicalOffset(fixture.log.end() - 1000);
    assert!(is_in_memory(&fixture.log, &fixture.options, edge));
    assert!(!is_in_memory(&fixture.log, &fixture.options, edge.plus(-1)));
}

#[test]
fn boundary_names_are_upstreams() {
    for (name, expected) in [
        (None, TimeBoundary::Lower),
        (Some("LOWER"), TimeBoundary::Lower),
        (Some("upper"), TimeBoundary::Upper),
        (Some("UPPER"), TimeBoundary::Upper),
        (Some("x"), TimeBoundary::Lower),
    ] {
        assert_eq!(TimeBoundary::from_name(name), expected, "{name:?}");
    }
}
