//! Damage to the end of the log and to its middle: what was whole before is served after.

use std::os::unix::fs::FileExt;
use std::path::Path;

use boostermq_store::AppendBatch;

use crate::harness::{TestStore, copy_of, push, settle, small_options};

const FILE_SIZE: u64 = 8192;

/// A crashed store with `count` messages in one queue; returns its folder and where each record begins and ends.
fn crashed_store(count: u8) -> (tempfile::TempDir, Vec<(u64, u64)>) {
    filled_store(count, false)
}

/// As [`crashed_store`], with everything on disk, and the checkpoint says so.
fn flushed_store(count: u8) -> (tempfile::TempDir, Vec<(u64, u64)>) {
    filled_store(count, true)
}

fn filled_store(count: u8, flushes: bool) -> (tempfile::TempDir, Vec<(u64, u64)>) {
    let test = TestStore::new(FILE_SIZE);
    let send = |n: u8| {
        let mut batch = AppendBatch::new();
        push(&test.store, &mut batch, "T", 0, &[n + 1; 60], "TAGS\u{1}x\u{2}");
        test.store.append(&mut batch).unwrap();
        batch.receipts()[0]
    };
    let receipts: Vec<_> = (0..count).map(send).collect();
    let places = receipts.iter().map(|receipt| (receipt.physical_offset.0 as u64, receipt.end().0 as u64)).collect();
    if flushes {
        settle(&test.store);
        test.store.flush().unwrap();
    }
    (test.crash(), places)
}

fn damage(dir: &Path, from: u64, to: u64, change: impl Fn(u8) -> u8) {
    for at in from..to {
        let path = dir.join(format!("commitlog/{:020}", at / FILE_SIZE * FILE_SIZE));
        let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at % FILE_SIZE).unwrap();
        file.write_all_at(&[change(byte[0])], at % FILE_SIZE).unwrap();
    }
}

/// Opens the store, reads queue 0, appends one message and reads again, then once more after a close.
fn offsets_after(dir: tempfile::TempDir) -> (Vec<i64>, usize) {
    let options = small_options(dir.path(), FILE_SIZE);
    let test = TestStore::open(dir, options).unwrap();
    let read = test.read_all("T", 0);
    for (offset, body) in &read {
        assert_eq!(*body, [*offset as u8 + 1; 60]);
    }
    let quarantines = test.store.quarantines().len();
    test.send("T", 0, b"after");
    let test = test.reopen_after_close();
    let again = test.read_all("T", 0);
    assert_eq!(again.len(), read.len() + 1);
    assert_eq!(again.last().unwrap().1, b"after");
    (read.into_iter().map(|(offset, _)| offset).collect(), quarantines)
}

#[test]
fn a_torn_end_is_cut_at_the_last_whole_record() {
    let (dir, places) = crashed_store(6);
    // Around the border of the last two records, and all of the last.
    let (start, end) = (places[4].1 - 12, places[5].1);
    for cut in start..end {
        let copy = copy_of(dir.path());
        damage(copy.path(), cut, end, |_| 0);
        let expected: Vec<i64> = if cut < places[4].1 { (0..4).collect() } else { (0..5).collect() };
        assert_eq!(offsets_after(copy), (expected, 0), "zeroed from {cut} in {places:?}");
    }
}

#[test]
fn garbage_after_the_end_is_cut_and_never_comes_back() {
    let (dir, places) = crashed_store(5);
    for from in [places[3].0, places[4].0, places[4].0 + 4] {
        let copy = copy_of(dir.path());
        damage(copy.path(), from, from + 500, |byte| byte.wrapping_mul(31).wrapping_add(7));
        let expected: Vec<i64> = if from == places[3].0 { (0..3).collect() } else { (0..4).collect() };
        assert_eq!(offsets_after(copy), (expected, 0), "garbage from {from}");
    }
}

#[test]
fn a_damaged_record_in_the_middle_costs_itself_only() {
    let (dir, places) = crashed_store(100);
    // Fields whose damage shows: size, magic, body CRC, physical offset, body length, body. The 40th lies in the first
    // file of the log, the last but one in the last.
    for victim in [40, 98] {
        let (from, to) = places[victim];
        let fields = [(0, 8), (8, 12), (28, 36), (84, 88), (88, 148)];
        for (first, last) in fields {
            for at in (from + first)..(from + last).min(to) {
                let copy = copy_of(dir.path());
                damage(copy.path(), at, at + 1, |byte| byte ^ 0x40);
                let expected: Vec<i64> = (0..100).filter(|offset| *offset != victim as i64).collect();
                let (read, quarantines) = offsets_after(copy);
                assert_eq!(read, expected, "flipped byte {} of record {victim}", at - from);
                assert_eq!(quarantines, 1);
                if first == 88 {
                    break;
                }
            }
        }
    }
}

#[test]
fn any_flipped_byte_leaves_a_store_that_opens() {
    let (dir, places) = crashed_store(12);
    let (from, to) = places[5];
    for at in from..to {
        let copy = copy_of(dir.path());
        damage(copy.path(), at, at + 1, |byte| byte ^ 0x01);
        let options = small_options(copy.path(), FILE_SIZE);
        let test = TestStore::open(copy, options).unwrap();
        assert!(test.store.max_physical_offset().0 >= places[11].1 as i64, "byte {}", at - from);
        let read = test.read_all("T", 0);
        assert!(read.iter().filter(|(_, body)| body.len() == 60).count() >= 9, "byte {}: {}", at - from, read.len());
        test.send("T", 0, b"after");
        test.store.close().unwrap();
    }
}

#[test]
fn a_page_of_zeros_in_what_was_synced_is_passed_over() {
    let (dir, places) = flushed_store(100);
    let copy = copy_of(dir.path());
    damage(copy.path(), 4096, 8192, |_| 0);
    let lost = |(from, to): &(u64, u64)| *to > 4096 && *from < 8192;
    let expected: Vec<i64> =
        places.iter().enumerate().filter(|(_, place)| !lost(place)).map(|(index, _)| index as i64).collect();
    assert!(expected.len() < 90);
    // A start does not read what is on disk and in the queues; whoever reads there finds the damage.
    assert_eq!(offsets_after(copy), (expected, 0));
}

/// Power failed, and the later of two pages reached the disk: the log ends before the one that did not.
#[test]
fn a_page_that_was_never_synced_ends_the_log() {
    let (dir, places) = crashed_store(100);
    let copy = copy_of(dir.path());
    damage(copy.path(), 4096, 8192, |_| 0);
    let kept = places.iter().take_while(|(_, to)| *to <= 4096).count();
    assert_eq!(offsets_after(copy), ((0..kept as i64).collect(), 0));
}

/// No checksum covers the properties: a sector of them that did not reach the disk shows by its zeros, wherever it lies.
#[test]
fn a_sector_missing_in_the_properties_of_the_last_record_ends_the_log() {
    let test = TestStore::new(FILE_SIZE);
    let filler = "x".repeat(1500);
    for n in 0..3 {
        let mut batch = AppendBatch::new();
        push(&test.store, &mut batch, "T", 0, &[n + 1; 60], &format!("FILLER\u{1}{filler}\u{2}"));
        test.store.append(&mut batch).unwrap();
    }
    let end = test.store.max_physical_offset().0 as u64;
    let dir = test.crash();
    for sector in (end - 1400).div_ceil(512)..end / 512 {
        let copy = copy_of(dir.path());
        damage(copy.path(), sector * 512, sector * 512 + 512, |_| 0);
        assert_eq!(offsets_after(copy), (vec![0, 1], 0), "sector {sector}");
    }
}

#[test]
fn records_of_an_earlier_life_do_not_come_back() {
    let (dir, places) = crashed_store(10);
    let log = dir.path().join("commitlog/00000000000000000000");
    let stale = std::fs::read(&log).unwrap();
    // Four records are lost, the store goes on, and stops in the middle of a record of the same length as the old ones: what
    // stands behind it are the old ones, whole.
    damage(dir.path(), places[6].0, places[9].1, |_| 0);
    let options = small_options(dir.path(), FILE_SIZE);
    let test = TestStore::open(dir, options.clone()).unwrap();
    test.clock.advance(1000);
    for body in [7, 99] {
        let mut batch = AppendBatch::new();
        push(&test.store, &mut batch, "T", 0, &[body; 60], "TAGS\u{1}x\u{2}");
        test.store.append(&mut batch).unwrap();
    }
    let dir = test.crash();
    let file = std::fs::File::options().write(true).open(&log).unwrap();
    file.write_all_at(&stale[places[8].0 as usize..places[9].1 as usize], places[8].0).unwrap();
    file.write_all_at(&[0; 40], places[7].0 + 40).unwrap();
    let test = TestStore::open(dir, options).unwrap();
    assert_eq!(test.store.max_physical_offset().0 as u64, places[7].0);
    let offsets: Vec<i64> = test.read_all("T", 0).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5, 6]);
}
