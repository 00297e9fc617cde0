use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use super::*;
use crate::consume_queue::{QueueTable, UNIT_SIZE};

/// Three units a file and a mark at its end.
const FILE_SIZE: u64 = 64;
/// Units of the queue in one of its files.
const QUEUE_FILE_UNITS: u64 = 4;

fn table(root: &Path, is_written: bool) -> QueueTable {
    let table = QueueTable::new(root.join("consumequeue"), QUEUE_FILE_UNITS * UNIT_SIZE as u64, 64);
    table.with_extensions(FILE_SIZE, 64, is_written)
}

/// The queue as a start after a crash finds it.
fn open(root: &Path, is_written: bool) -> Arc<ConsumeQueue> {
    let table = table(root, is_written);
    table.load().unwrap();
    table.recover_all(true, None).unwrap();
    table.get_or_create(&Topic::parse("T").unwrap(), QueueId(0))
}

fn unit(n: i64) -> Unit {
    Unit { physical_offset: PhysicalOffset(n * 10), size: 10, tags_code: 100 + n }
}

fn push(queue: &ConsumeQueue, n: i64) {
    queue.push(QueueOffset(n), unit(n), Extension { store_timestamp: 7000 + n, bits: &[] }).unwrap();
}

fn filled(root: &Path, is_written: bool, count: i64) -> Arc<ConsumeQueue> {
    let queue = open(root, is_written);
    (0..count).for_each(|n| push(&queue, n));
    queue.flush(true).unwrap();
    queue
}

/// As the first and the last unit with bits of a Java broker: `consumequeue_ext/ProbeT/0` of RocketMQ 5.5.0.
#[test]
fn bits_are_kept_as_upstream_keeps_them() {
    let bits = [0, 0, 0, 0, 0x40, 0x58, 0, 0, 0, 0, 0, 0, 8, 0];
    let dir = tempfile::tempdir().unwrap();
    let queue = open(dir.path(), true);
    // The last ones are over what a file of 64 bytes, and what a unit may hold.
    for (n, bits) in [&bits[..], &[], &bits, &[1; 40], &[1; 41], &[1; 40_000]].into_iter().enumerate() {
        let n = n as i64;
        queue.push(QueueOffset(n), unit(n), Extension { store_timestamp: 7000 + n, bits }).unwrap();
    }
    queue.flush(true).unwrap();
    let path = dir.path().join("consumequeue_ext/T/0/00000000000000000000");
    let mut expected = vec![0, 34];
    expected.extend_from_slice(&100_i64.to_be_bytes());
    expected.extend_from_slice(&7000_i64.to_be_bytes());
    expected.extend_from_slice(&[0, 14]);
    expected.extend_from_slice(&bits);
    assert_eq!(fs::read(&path).unwrap()[..34], expected);
    let check = |queue: &ConsumeQueue| {
        let (mut units, mut found) = (Vec::new(), vec![7; 3]);
        let (mut next, mut seen) = (QueueOffset(0), Vec::new());
        while queue.read_units(next, 800, &mut units).unwrap() > 0 {
            for unit in &units {
                let stored = queue.filter_bits(unit, &mut found);
                seen.push(stored.map(|stored| (stored, found.clone())));
            }
            next = next.plus(units.len() as i64);
        }
        let bits = bits.to_vec();
        assert_eq!(seen, [Some((7000, bits.clone())), None, Some((7002, bits)), Some((7003, vec![1; 40])), None, None]);
        assert_eq!(tags(queue), (0..6).map(|n| Some(100 + n)).collect::<Vec<_>>());
    };
    check(&queue);
    check(&open(dir.path(), true));
    // A unit that is cut off, or contradicts itself, has no bits.
    let mut damaged = fs::read(&path).unwrap();
    damaged[19] = 200;
    fs::write(&path, &damaged).unwrap();
    let queue = open(dir.path(), false);
    let mut units = Vec::new();
    queue.read_units(QueueOffset(0), 1, &mut units).unwrap();
    assert_eq!(queue.filter_bits(&units[0], &mut Vec::new()), None);
}

/// What the units keep, and the tags behind it.
fn codes(queue: &ConsumeQueue) -> Vec<(i64, Option<i64>)> {
    let mut all = Vec::new();
    let mut units = Vec::new();
    let mut next = queue.min_offset();
    while queue.read_units(next, 800, &mut units).unwrap() > 0 {
        all.extend(units.iter().map(|unit| (unit.tags_code, queue.tags_code(unit))));
        next = next.plus(units.len() as i64);
    }
    all
}

fn tags(queue: &ConsumeQueue) -> Vec<Option<i64>> {
    codes(queue).into_iter().map(|(_, tags)| tags).collect()
}

/// What pushes of 0, 1, … should leave.
fn expected(count: i64) -> Vec<Option<i64>> {
    (0..count).map(|n| Some(100 + n)).collect()
}

fn file(root: &Path, base: i64) -> PathBuf {
    root.join("consumequeue_ext/T/0").join(layout::file_name(base))
}

#[test]
fn units_stand_where_java_has_them() {
    let root = tempfile::tempdir().unwrap();
    let queue = filled(root.path(), true, 4);
    let addresses: Vec<i64> = codes(&queue).iter().map(|(address, _)| *address).collect();
    assert_eq!(addresses, [0, 20, 40, 64].map(|position| i64::MIN + position));
    assert_eq!(tags(&queue), expected(4));
    let bytes = std::fs::read(file(root.path(), 0)).unwrap();
    assert_eq!(bytes.len(), 64);
    assert_eq!(
        bytes[..20],
        [[0, 20, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0], [0, 0, 0, 0, 0x1B, 0x58, 0, 0, 0, 0, 0, 0]].concat()[..20]
    );
    assert_eq!(bytes[60..], [0xFF, 0xFF, 0, 0]);
}

#[test]
fn a_queue_goes_on_after_its_last_unit_whatever_stands_behind() {
    for kept in 0..=9 {
        let root = tempfile::tempdir().unwrap();
        drop(filled(root.path(), true, 9));
        let queue = open(root.path(), true);
        queue.truncate(PhysicalOffset(kept * 10)).unwrap();
        assert_eq!(tags(&queue), expected(kept), "{kept} kept");
        (kept..14).for_each(|n| push(&queue, n));
        assert_eq!(tags(&queue), expected(14), "{kept} kept");
        let addresses: Vec<i64> = codes(&queue).iter().map(|(address, _)| address ^ i64::MIN).collect();
        assert!(addresses.is_sorted() && addresses.windows(2).all(|pair| pair[0] != pair[1]), "{kept}: {addresses:?}");
        queue.flush(true).unwrap();
        // As a Java broker finds the end: unit by unit.
        let bytes = std::fs::read(file(root.path(), (addresses[13] / 64) * 64)).unwrap();
        let after = usize::try_from(addresses[13] % 64).unwrap() + 20;
        assert!(bytes[after..].iter().all(|byte| *byte == 0), "{kept} kept: stale units");
        assert_eq!(tags(&open(root.path(), true)), expected(14), "{kept} kept");
    }
}

#[test]
fn extension_files_are_read_even_if_none_are_written() {
    let root = tempfile::tempdir().unwrap();
    drop(filled(root.path(), true, 5));
    let queue = open(root.path(), false);
    let before = codes(&queue);
    // Recovery pushes what is there already.
    (0..5).for_each(|n| push(&queue, n));
    assert_eq!(codes(&queue), before);
    push(&queue, 5);
    assert_eq!(tags(&queue), expected(6));
    assert_eq!(codes(&queue)[5].0, 105);
    queue.flush(true).unwrap();
    // And the other way round.
    let queue = open(root.path(), true);
    push(&queue, 6);
    assert_eq!(tags(&queue), expected(7));
    assert_eq!(codes(&queue)[6].0, i64::MIN + 64 + 40);
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let root = tempfile::tempdir().unwrap();
    let queue = filled(root.path(), true, 4);
    let missing = |address: i64| queue.tags_code(&Unit { tags_code: address, ..unit(0) });
    // Between units, behind the last, in no file, at the very end of all positions.
    for position in [19, 84, 1 << 40, i64::MAX - (i32::MAX as i64) - 2] {
        assert_eq!(missing(i64::MIN + position), None, "{position}");
    }
    assert_eq!(missing(i32::MIN as i64), Some(i32::MIN as i64), "a hash");
    std::fs::write(file(root.path(), 64), b"").unwrap();
    assert_eq!(missing(i64::MIN + 64), None);
}

#[test]
fn files_go_with_their_queue_and_with_their_messages() {
    let root = tempfile::tempdir().unwrap();
    let queue = filled(root.path(), true, 13);
    let files = || (0..5).filter(|index| file(root.path(), index * 64).exists()).collect::<Vec<_>>();
    assert_eq!(files(), [0, 1, 2, 3, 4]);
    queue.correct_min(PhysicalOffset(90)).unwrap();
    while queue.delete_oldest_expired().unwrap() {}
    // The queue's first file begins with unit 8, which points into the file of the units 6, 7 and 8.
    assert_eq!(files(), [2, 3, 4]);
    assert_eq!(tags(&queue), expected(13)[9..]);
    queue.destroy().unwrap();
    assert!(!root.path().join("consumequeue_ext/T").exists());
}

#[test]
fn files_of_another_length_are_refused_where_units_would_be_added() {
    let root = tempfile::tempdir().unwrap();
    drop(filled(root.path(), true, 4));
    let path = file(root.path(), 64);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(63).unwrap();
    table(root.path(), false).load().unwrap();
    let error = table(root.path(), true).load().unwrap_err();
    assert!(
        matches!(&error, QueueError::ExtensionFileSize { path: found, found: 63, expected: 64 } if *found == path),
        "{error}"
    );
}
