//! Disks that are small, full or read-only: real ones, mounted for the test. Where mounting is not permitted a test says so and
//! does nothing; the unit tests of `retention` go through the same with a disk that only says that it is full.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::clock::SystemClock;
use boostermq_store::error::AppendError;
use boostermq_store::{AppendBatch, FlushMode, GetRequest, GetStatus, MessageStore, RetentionOptions, StoreOptions};
use tempfile::TempDir;

use crate::harness::{push, read_all, settle, small_options};

const FILE_SIZE: u64 = 64 << 10;
/// Set for the process that fills a disk: where that is mounted.
const MOUNTED: &str = "BOOSTERMQ_TEST_DISK";

/// A disk of its own; gone when dropped.
struct Disk {
    path: PathBuf,
    _folder: TempDir,
}

impl Disk {
    /// In memory, of `bytes`.
    fn in_memory(bytes: u64) -> Option<Self> {
        Self::mounted(|_| vec!["-t".into(), "tmpfs".into(), "-o".into(), format!("size={bytes}"), "tmpfs".into()])
    }

    /// An ext4 of 24 MiB in a file.
    fn ext4() -> Option<Self> {
        Self::mounted(|folder| {
            let image = folder.join("image");
            std::fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
            let made = Command::new("mkfs.ext4").arg("-q").arg(&image).stderr(Stdio::null()).status();
            assert!(made.is_ok_and(|status| status.success()), "this test needs mkfs.ext4 where it may mount");
            vec!["-o".into(), "loop,errors=remount-ro".into(), image.display().to_string()]
        })
    }

    fn mounted(arguments: impl FnOnce(&Path) -> Vec<String>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let may_mount = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        if !may_mount {
            eprintln!("skipped: mounting a disk takes root");
            return None;
        }
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(arguments(folder.path())).arg(&path).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: mounting a disk is not permitted here");
            return None;
        }
        Some(Self { path, _folder: folder })
    }

    fn options(&self) -> StoreOptions {
        let retention = RetentionOptions {
            may_force: false,
            log_pause: std::time::Duration::ZERO,
            queue_pause: std::time::Duration::ZERO,
            ..RetentionOptions::default()
        };
        StoreOptions { retention, ..small_options(&self.path.join("store"), FILE_SIZE) }
    }

    /// Takes room on the disk until this file is deleted.
    fn ballast(&self, bytes: usize) -> PathBuf {
        let path = self.path.join("ballast");
        std::fs::write(&path, vec![1; bytes]).unwrap();
        path
    }

    fn used_percent(store: &MessageStore) -> u32 {
        store.fullness().used.unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
    }
}

fn send(store: &MessageStore, body: &[u8]) -> Result<QueueOffset, AppendError> {
    let mut batch = AppendBatch::new();
    push(store, &mut batch, "T", 0, body, "");
    store.append(&mut batch)?;
    store.dispatch_now();
    Ok(batch.receipts()[0].queue_offset)
}

/// A body that says which message it is.
fn body(number: i64) -> Vec<u8> {
    number.to_string().repeat(200).into_bytes()
}

/// Sends from message `next` on until one is refused, which is returned.
fn fill(store: &MessageStore, mut next: i64) -> (i64, AppendError) {
    loop {
        match send(store, &body(next)) {
            Ok(offset) => assert_eq!(offset.0, next, "offsets are dense"),
            Err(error) => return (next, error),
        }
        next += 1;
    }
}

/// Waits until all messages can be read.
fn all_readable(store: &MessageStore) {
    store.flush().unwrap();
    while store.dispatched_offset() < store.max_physical_offset() {
        store.dispatch_now();
        std::thread::yield_now();
    }
}

fn check(store: &MessageStore, from: i64, to: i64) {
    let read = read_all(store, "T", 0);
    let expected: Vec<_> = (from..to).map(|number| (number, body(number))).collect();
    assert!(read == expected, "{} messages from {:?}, {from} to {to} expected", read.len(), read.first().map(|m| m.0));
}

#[test]
fn a20_a_disk_without_room_refuses_and_takes_messages_again_when_there_is_some() {
    for mode in [FlushMode::Async, FlushMode::Sync] {
        let Some(disk) = Disk::in_memory(2 << 20) else { return };
        let ballast = disk.ballast(1 << 20);
        let options = StoreOptions { flush_mode: mode, ..disk.options() };
        let store = MessageStore::open(options.clone(), Arc::new(SystemClock)).unwrap();
        let (sent, refused) = fill(&store, 0);
        let is_for_room = matches!(refused, AppendError::NoRoom { .. } | AppendError::Queues);
        assert!(is_for_room && sent > 100, "{mode:?}: {refused} after {sent}");
        assert!(refused.to_string().contains("commitlog") || refused.to_string().contains("consumequeue"), "{refused}");
        // All of them, unless it is the queues that have no room.
        let readable = store.max_queue_offset("T", QueueId(0)).0;
        let read = read_all(&store, "T", 0);
        assert!(read.len() as i64 >= readable && read.len() as i64 <= sent);
        assert!(read.iter().all(|(offset, bytes)| *bytes == body(*offset)));
        assert!(send(&store, &body(sent)).is_err(), "still no room");
        // Consume queues and index may be short of room as well: it is an error, and passes too.
        let _ = store.flush();
        std::fs::remove_file(&ballast).unwrap();
        while send(&store, &body(sent)).is_err() {
            store.look_for_room();
            std::thread::yield_now();
        }
        all_readable(&store);
        check(&store, 0, sent + 1);
        let (more, _) = fill(&store, sent + 1);
        assert!(more > sent + 100, "{mode:?}: {more} after {sent}");
        // A process that ends with the disk full is started again when there is room.
        drop(store);
        let extra = Command::new("mount").args(["-o", "remount,size=3m"]).arg(&disk.path).status();
        assert!(extra.unwrap().success());
        let store = MessageStore::open(options.clone(), Arc::new(SystemClock)).unwrap();
        check(&store, 0, more);
        send(&store, &body(more)).unwrap();
        all_readable(&store);
        check(&store, 0, more + 1);
    }
}

#[test]
fn a19_a_disk_that_fills_up_loses_old_files_and_refuses_messages_by_level() {
    let Some(disk) = Disk::in_memory(4 << 20) else { return };
    let mut options = StoreOptions { disk_warning_ratio: 90, ..disk.options() };
    options.retention.may_force = true;
    let store = MessageStore::open(options.clone(), Arc::new(SystemClock)).unwrap();
    let mut next = 0;
    while Disk::used_percent(&store) < 50 {
        send(&store, &body(next)).unwrap();
        next += 1;
    }
    store.flush().unwrap();
    let total = 4 << 20;
    let fill_to = |percent: usize| {
        let _ = std::fs::remove_file(disk.path.join("ballast"));
        let used = Disk::used_percent(&store) as usize;
        disk.ballast((percent - used) * total / 100);
        Disk::used_percent(&store)
    };
    assert!((80..=85).contains(&fill_to(83)));
    assert_eq!((store.look_for_room(), store.stats().lost_files), (0, 0), "nothing has expired");
    assert!(fill_to(88) > 85);
    let lost = store.look_for_room();
    assert!((1..=4).contains(&lost), "{lost} files, no more than bring it to 85 %");
    assert!(Disk::used_percent(&store) <= 85);
    assert_eq!(store.stats().lost_bytes, u64::from(lost) * FILE_SIZE);
    send(&store, &body(next)).unwrap();
    // More than can be deleted in one look: refused, and the next look makes room.
    options.retention.batch_max = 1;
    store.set_retention(&options);
    assert!(fill_to(95) > 90);
    assert_eq!(store.look_for_room(), 1);
    assert!(matches!(send(&store, b"x"), Err(AppendError::DiskFull)));
    let text = store.fullness().to_string();
    assert!(text.contains("messages are refused above 90 %") && text.contains("commitlog"), "{text}");
    settle(&store);
    let begin = store.min_queue_offset("T", QueueId(0));
    check(&store, begin.0, next + 1);
    let pulled =
        GetRequest { topic: "T", queue_id: QueueId(0), queue_offset: QueueOffset::ZERO, max_messages: 1, filter: None };
    let pulled = store.get(&pulled).unwrap();
    assert_eq!((pulled.status, pulled.next_begin_offset), (GetStatus::OffsetTooSmall, begin));
    std::fs::remove_file(disk.path.join("ballast")).unwrap();
    store.look_for_room();
    send(&store, &body(next + 1)).unwrap();
    // The next process begins where this one did.
    store.close().unwrap();
    drop(store);
    let store = MessageStore::open(options, Arc::new(SystemClock)).unwrap();
    assert_eq!(store.min_queue_offset("T", QueueId(0)), begin);
    check(&store, begin.0, next + 2);
}

/// The process of the next test: a fault at a write into a map would end it. Does nothing in an ordinary run.
#[test]
fn writer_on_a_failing_disk() {
    let Some(path) = std::env::var_os(MOUNTED).map(PathBuf::from) else { return };
    let options = StoreOptions { flush_mode: FlushMode::Async, ..small_options(&path.join("store"), FILE_SIZE) };
    let store = MessageStore::open(options, Arc::new(SystemClock)).unwrap();
    for number in 0..150 {
        send(&store, &body(number)).unwrap();
    }
    store.flush().unwrap();
    settle(&store);
    let aborted = Command::new("mount").args(["-o", "remount,abort"]).arg(&path).status();
    assert!(aborted.unwrap().success());
    for number in 150..160 {
        let refused = send(&store, &body(number)).unwrap_err();
        assert!(matches!(refused, AppendError::ReadOnly { .. }), "{refused}");
    }
    check(&store, 0, 150);
    // All that was answered is there and stays so.
    let _ = store.flush();
    assert!(send(&store, b"x").is_err());
    check(&store, 0, 150);
    println!("WRITER DONE");
}

#[test]
fn a21_a_disk_that_becomes_read_only_refuses_messages_and_serves_those_it_has() {
    let Some(disk) = Disk::ext4() else { return };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "room::writer_on_a_failing_disk", "--nocapture", "--test-threads=1"])
        .env(MOUNTED, &disk.path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("WRITER DONE"),
        "{}: {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Options by which a file expires as soon as it is full and on disk, and nothing pauses.
fn short_lived(root: &Path) -> StoreOptions {
    let mut options = small_options(root, 4096);
    options.retention.keep_for = std::time::Duration::ZERO;
    options.retention.log_pause = std::time::Duration::ZERO;
    options.retention.queue_pause = std::time::Duration::ZERO;
    options
}

#[test]
fn a_log_that_lost_its_begin_serves_the_rest_whatever_way_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = short_lived(folder.path());
    options.retention.batch_max = 3;
    let open = || MessageStore::open(options.clone(), Arc::new(SystemClock)).unwrap();
    let mut next = 0;
    for round in 0..8 {
        let store = open();
        let begin_before = store.min_queue_offset("T", QueueId(0)).0;
        check(&store, begin_before, next);
        for _ in 0..90 {
            send(&store, &body(next)).unwrap();
            next += 1;
        }
        settle(&store);
        store.flush().unwrap();
        store.delete_expired_files();
        // By these looks and by the store's own, which was woken; when there is nothing left both are done.
        while store.look_for_room() > 0 || store.stats().expired_files == 0 {}
        let begin = store.min_queue_offset("T", QueueId(0)).0;
        assert!(begin > begin_before && store.stats().expired_files > 0, "round {round}");
        let read = read_all(&store, "T", 0);
        assert!(read[0].0 >= begin, "round {round}: nothing comes back");
        check(&store, store.min_queue_offset("T", QueueId(0)).0, next);
        if round % 2 == 0 {
            store.close().unwrap();
        }
        drop(store);
        let store = open();
        assert!(store.min_queue_offset("T", QueueId(0)).0 >= begin, "round {round}");
        assert_eq!(store.max_queue_offset("T", QueueId(0)).0, next);
    }
}

#[test]
fn readers_are_never_led_astray_while_the_log_loses_its_begin() {
    let folder = tempfile::tempdir().unwrap();
    let store = MessageStore::open(short_lived(folder.path()), Arc::new(SystemClock)).unwrap();
    let store = &store;
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for start in 0..2 {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut next = QueueOffset(start);
                while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                    let request = GetRequest {
                        topic: "T",
                        queue_id: QueueId(0),
                        queue_offset: next,
                        max_messages: 32,
                        filter: None,
                    };
                    let outcome = store.get(&request).unwrap();
                    for slice in &outcome.slices {
                        for record in boostermq_remoting::message::record::Records::new(slice) {
                            let record = record.unwrap();
                            assert_eq!(record.body(), body(record.queue_offset().0));
                        }
                    }
                    // From the begin again when there is nothing new: that is where files go.
                    next =
                        if outcome.status == GetStatus::Found { outcome.next_begin_offset } else { QueueOffset::ZERO };
                    if outcome.status == GetStatus::OffsetTooSmall {
                        next = outcome.next_begin_offset;
                    }
                }
            });
        }
        for number in 0..1500 {
            send(store, &body(number)).unwrap();
            if number % 50 == 0 {
                store.flush().unwrap();
                store.delete_expired_files();
                store.look_for_room();
            }
        }
        is_over.store(true, std::sync::atomic::Ordering::Release);
    });
    assert!(store.stats().expired_files > 100);
}
