//! What is looked at after an unwritten place.

use std::path::Path;

use boostermq_remoting::message::record::{set_physical_offset, set_store_timestamp};
use boostermq_remoting::names::QueueId;

use super::*;
use crate::{fixture, mapped_file_queue};

const FILE_SIZE: usize = 40 << 20;

/// A file of the log that is zeroed, but for records at these places.
fn file(dir: &Path, places: &[i64]) -> MappedFile {
    let mut bytes = vec![0; FILE_SIZE];
    for at in places {
        let mut record = Vec::new();
        fixture::record("T", QueueId(0), b"found", b"").encode(&mut record).unwrap();
        set_physical_offset(&mut record, PhysicalOffset(*at));
        set_store_timestamp(&mut record, 1);
        let at = *at as usize;
        bytes[at..at + record.len()].copy_from_slice(&record);
    }
    std::fs::write(dir.join(format!("{:020}", 0)), bytes).unwrap();
    mapped_file_queue::load(dir, FILE_SIZE as u64).unwrap().remove(0)
}

#[test]
fn far_behind_an_unwritten_place_a_record_is_found_where_it_leaves_a_sign_or_somebody_knows_of_it() {
    const FAR: i64 = 30 << 20;
    for (places, near, expected) in [
        (&[][..], NEAR, None),
        (&[1000], NEAR, Some(1000)),
        (&[NEAR - 200], NEAR, Some(NEAR - 200)),
        // Over the end of what is searched through.
        (&[NEAR - 1], NEAR, Some(NEAR - 1)),
        // On a page that is looked at, and on none.
        (&[NEAR + 5 * STRIDE + 700, FAR], NEAR, Some(NEAR + 5 * STRIDE + 700)),
        (&[NEAR + STRIDE / 2], NEAR, None),
        (&[NEAR + STRIDE / 2], i64::MAX, Some(NEAR + STRIDE / 2)),
        // The sign of another one leads to it.
        (&[NEAR + STRIDE / 2, NEAR + 9 * STRIDE + 900], NEAR, Some(NEAR + STRIDE / 2)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), places);
        let found = search(&file, 1, 0, Check::Body, near);
        assert_eq!(found.sound, expected, "{places:?}");
        assert_eq!(found.is_zero, expected.is_none(), "{places:?}");
    }
}
