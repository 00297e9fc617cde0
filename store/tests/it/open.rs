//! Opening and closing: what is refused, what is tidied up.

use std::os::unix::fs::FileExt;

use boostermq_remoting::message::flags::SysFlag;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::error::{AppendError, OpenError};
use boostermq_store::{AppendBatch, GetStatus};

use crate::harness::{TestStore, ends, push, push_flagged, settle, small_options};

#[test]
fn a_store_has_one_owner() {
    let test = TestStore::new(4096);
    let again = TestStore::open(tempfile::tempdir().unwrap(), test.store.options().clone());
    let error = again.err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&test.dir.path().display().to_string()), "{text}");
    test.reopen_after_close();
}

#[test]
fn another_file_size_is_refused_and_nothing_is_touched() {
    let test = TestStore::new(8192);
    test.send("T", 0, b"kept");
    test.store.close().unwrap();
    let dir = test.crash();
    let log = dir.path().join("commitlog/00000000000000000000");
    let before = std::fs::read(&log).unwrap();
    let options = small_options(dir.path(), 4096);
    let error = TestStore::open(tempfile::tempdir().unwrap(), options).err().unwrap();
    assert!(matches!(error, OpenError::FileSize { found: 8192, expected: 4096, .. }), "{error}");
    assert!(!dir.path().join("abort").exists());
    assert_eq!(std::fs::read(&log).unwrap(), before);
    for size in [0, 4095, 1 << 31] {
        let options = small_options(dir.path(), size);
        let error = TestStore::open(tempfile::tempdir().unwrap(), options).err().unwrap();
        assert!(matches!(error, OpenError::Options { .. }), "{error}");
    }
}

#[test]
fn a_clean_stop_leaves_no_abort_file_and_no_spare_file() {
    let test = TestStore::new(4096);
    assert!(test.dir.path().join("abort").exists());
    // Past the point where the next file is made ahead.
    test.send("T", 0, &[1; 2000]);
    test.store.close().unwrap();
    test.store.close().unwrap();
    assert!(!test.dir.path().join("abort").exists());
    assert_eq!(std::fs::read_dir(test.dir.path().join("commitlog")).unwrap().count(), 1);
    let mut batch = AppendBatch::new();
    push(&test.store, &mut batch, "T", 0, b"late", "");
    assert!(matches!(test.store.append(&mut batch), Err(AppendError::Closed)));
    assert!(batch.receipts().is_empty());
}

#[test]
fn a_store_whose_folder_is_gone_refuses_and_recovers() {
    let test = TestStore::new(4096);
    for n in 0..3 {
        test.send("T", 0, &[n; 1000]);
    }
    let (log, away) = (test.dir.path().join("commitlog"), test.dir.path().join("away"));
    std::fs::rename(&log, &away).unwrap();
    let mut batch = AppendBatch::new();
    let mut refused = 0;
    let mut taken = 3;
    // Whatever file was made ahead can still be filled.
    while refused < 2 {
        batch.clear();
        push(&test.store, &mut batch, "T", 0, &[9; 1000], "");
        match test.store.append(&mut batch) {
            Ok(_) => taken += 1,
            Err(AppendError::NewFile(error)) => {
                assert!(error.to_string().contains("commitlog"), "{error}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    std::fs::rename(&away, &log).unwrap();
    let receipt = test.send("T", 0, b"goes on");
    assert_eq!(receipt.queue_offset, QueueOffset(taken));
    settle(&test.store);
    assert_eq!(ends(&test.store, "T", 0), (QueueOffset(0), QueueOffset(taken + 1)));
    let test = test.reopen_after_crash();
    assert_eq!(ends(&test.store, "T", 0), (QueueOffset(0), QueueOffset(taken + 1)));
}

#[test]
fn a_record_that_fits_no_file_is_refused_with_its_whole_batch() {
    let test = TestStore::new(4096);
    let mut batch = AppendBatch::new();
    push(&test.store, &mut batch, "T", 0, b"fits", "");
    push(&test.store, &mut batch, "T", 0, &[0; 4096 - 8 - 92 + 1], "");
    let error = test.store.append(&mut batch).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { index: 1, length: 4089, limit: 4088 }), "{error}");
    assert_eq!(test.store.max_physical_offset().0, 0);
    batch.clear();
    push(&test.store, &mut batch, "T", 0, &[0; 4096 - 8 - 92], "");
    push(&test.store, &mut batch, "T", 0, &[0; 4096 - 8 - 92], "");
    test.store.append(&mut batch).unwrap();
    settle(&test.store);
    assert_eq!(test.read_all("T", 0).len(), 2);
}

#[test]
fn prepared_messages_take_no_offset_and_are_not_seen() {
    let test = TestStore::new(65536);
    let flags = [
        (SysFlag::NONE, 0),
        (SysFlag::TRANSACTION_PREPARED, 0),
        (SysFlag::TRANSACTION_COMMIT, 1),
        (SysFlag::TRANSACTION_ROLLBACK, 0),
        (SysFlag::NONE, 2),
    ];
    let mut batch = AppendBatch::new();
    for (flag, _) in flags {
        push_flagged(&test.store, &mut batch, "T", 0, &flag.0.to_be_bytes(), "", flag);
    }
    test.store.append(&mut batch).unwrap();
    let offsets: Vec<i64> = batch.receipts().iter().map(|receipt| receipt.queue_offset.0).collect();
    assert_eq!(offsets, flags.map(|(_, offset)| offset));
    let test = test.reopen_after_close().reopen_after_crash();
    let read = test.read_all("T", 0);
    assert_eq!(read, [(0, vec![0, 0, 0, 0]), (1, vec![0, 0, 0, 8]), (2, vec![0, 0, 0, 0])]);
    assert_eq!(test.send("T", 0, b"next").queue_offset, QueueOffset(3));
}

#[test]
fn a_deleted_topic_begins_anew() {
    let test = TestStore::new(65536);
    for _ in 0..3 {
        test.send("T", 0, b"old");
    }
    test.send("Other", 0, b"stays");
    assert!(test.store.delete_topic("T").unwrap());
    assert!(!test.store.delete_topic("T").unwrap());
    let receipt = test.send("T", 0, b"new");
    assert_eq!(receipt.queue_offset, QueueOffset(0));
    settle(&test.store);
    assert_eq!(test.read_all("T", 0), [(0, b"new".to_vec())]);
    assert_eq!(test.read_all("Other", 0).len(), 1);
    let test = test.reopen_after_crash();
    assert_eq!(test.read_all("T", 0), [(0, b"new".to_vec())]);
    assert_eq!(test.read_all("Other", 0).len(), 1);
}

#[test]
fn a_queue_that_lost_files_is_mended() {
    let test = TestStore::new(4096);
    for n in 0..200_u8 {
        test.send("T", u32::from(n % 2), &[n; 100]);
    }
    let test = test.reopen_after_close();
    let whole = [test.read_all("T", 0), test.read_all("T", 1)];
    test.store.close().unwrap();
    let dir = test.crash();
    // The last file of one queue is gone: 20 messages, in files of the log from before where a scan begins.
    std::fs::remove_file(dir.path().join("consumequeue/T/1/00000000000000001600")).unwrap();
    let options = small_options(dir.path(), 4096);
    let test = TestStore::open(dir, options).unwrap();
    assert_eq!([test.read_all("T", 0), test.read_all("T", 1)], whole);
    let dir = test.crash();
    let file =
        std::fs::File::options().write(true).open(dir.path().join("consumequeue/T/0/00000000000000001600")).unwrap();
    file.write_all_at(&[0xEE; 400], 0).unwrap();
    let options = small_options(dir.path(), 4096);
    let test = TestStore::open(dir, options).unwrap();
    assert_eq!([test.read_all("T", 0), test.read_all("T", 1)], whole);
}

#[test]
fn a_log_that_does_not_begin_at_zero_is_served_from_where_it_begins() {
    let test = TestStore::new(4096);
    for n in 0..40_u8 {
        test.send("T", 0, &[n; 300]);
    }
    let test = test.reopen_after_close();
    let whole = test.read_all("T", 0);
    test.store.close().unwrap();
    let dir = test.crash();
    std::fs::remove_file(dir.path().join("commitlog/00000000000000000000")).unwrap();
    for is_clean in [true, false] {
        if !is_clean {
            std::fs::write(dir.path().join("abort"), "1").unwrap();
        }
        let options = small_options(dir.path(), 4096);
        let test = TestStore::open(tempfile::tempdir().unwrap(), options).unwrap();
        assert_eq!(test.store.min_physical_offset().0, 4096);
        let read = test.read_all("T", 0);
        assert!(!read.is_empty() && whole.ends_with(&read), "{} of {}", read.len(), whole.len());
        let min = test.store.min_queue_offset("T", QueueId(0));
        assert_eq!(min.0, read[0].0);
        let too_small = test.store.get(&boostermq_store::GetRequest {
            topic: "T",
            queue_id: QueueId(0),
            queue_offset: QueueOffset(0),
            max_messages: 1,
            filter: None,
        });
        assert_eq!(too_small.unwrap().status, GetStatus::OffsetTooSmall);
        test.store.close().unwrap();
    }
}
