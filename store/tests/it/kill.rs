//! A process that is killed while it appends: what it had acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use boostermq_store::clock::SystemClock;
use boostermq_store::error::OpenError;
use boostermq_store::{AppendBatch, FlushMode, MessageStore, StoreOptions};

use crate::harness::{Seeded, TestStore, push, small_options};

/// Set for the process that is to be killed: the folder of its store.
const VICTIM: &str = "BOOSTERMQ_TEST_STORE";
const FILE_SIZE: u64 = 256 << 10;

fn options(root: &Path) -> StoreOptions {
    StoreOptions { flush_mode: FlushMode::Async, ..small_options(root, FILE_SIZE) }
}

/// Set for the process whose file is made shorter: the folder of its store.
const READER: &str = "BOOSTERMQ_TEST_SHORTENED";

/// The other process: reads a record that is no longer there. Does nothing in an ordinary run.
#[test]
fn reader() {
    let Some(root) = std::env::var_os(READER) else { return };
    let store = MessageStore::open(options(Path::new(&root)), Arc::new(SystemClock)).unwrap();
    println!("open");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    println!("read {:?}", store.record_at(boostermq_remoting::offsets::PhysicalOffset(0)).map(|bytes| bytes.len()));
}

#[test]
fn a23_a_file_that_is_shortened_while_it_is_mapped_ends_the_process_with_its_name() {
    let test = TestStore::with(options);
    test.send("T", 0, &[7; 300]);
    test.store.close().unwrap();
    let dir = test.crash();
    let mut reader = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::reader", "--nocapture", "--test-threads=1"])
        .env(READER, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("open")));
    let log = dir.path().join("commitlog/00000000000000000000");
    std::fs::File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    reader.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(!lines.any(|line| line.unwrap_or_default().contains("read")));
    let ended = reader.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(74), "{ended:?}");
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains(log.to_str().unwrap()) && said.contains("check the disk"), "{said}");
}

/// What message `n` of queue `queue_id` holds.
fn body(queue_id: u32, n: i64) -> Vec<u8> {
    format!("{queue_id}/{n} ").repeat(5 + n as usize % 40).into_bytes()
}

/// The other process: appends, and after each batch writes down what is acknowledged. Does nothing in an ordinary run.
#[test]
fn victim() {
    let Some(root) = std::env::var_os(VICTIM) else { return };
    let store = MessageStore::open(options(Path::new(&root)), Arc::new(SystemClock)).unwrap();
    let mut seeded = Seeded(u64::from(std::process::id()));
    let mut batch = AppendBatch::new();
    let mut out = std::io::stdout().lock();
    let mut next =
        [0, 1, 2, 3].map(|queue_id| store.max_queue_offset("T", boostermq_remoting::names::QueueId(queue_id)).0);
    loop {
        batch.clear();
        for _ in 0..=seeded.below(6) {
            let queue_id = seeded.below(4) as u32;
            push(&store, &mut batch, "T", queue_id, &body(queue_id, next[queue_id as usize]), "UNIQ_KEY\u{1}k\u{2}");
            next[queue_id as usize] += 1;
        }
        store.append(&mut batch).unwrap();
        // One write each, so that a line is there whole or not at all.
        let line = format!("acknowledged {} {} {} {}\n", next[0], next[1], next[2], next[3]);
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
        store.dispatch_now();
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let mut dir = tempfile::tempdir().unwrap();
    let mut acknowledged = [0_i64; 4];
    for round in 0..6_u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut read = |count: u64, is_to_end: bool| {
            let mut seen = 0;
            while is_to_end || seen < count {
                let Some(Ok(line)) = lines.next() else { break };
                let Some((_, numbers)) = line.split_once("acknowledged ") else { continue };
                let numbers: Vec<i64> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
                if let Ok(numbers) = <[i64; 4]>::try_from(numbers) {
                    acknowledged = numbers;
                    seen += 1;
                }
            }
        };
        read(100 + 150 * round, false);
        if round == 0 {
            let second = TestStore::open(tempfile::tempdir().unwrap(), options(dir.path()));
            assert!(matches!(second.err(), Some(OpenError::InUse { .. })), "another process has the store");
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        // What it had still written before it died.
        read(0, true);
        let options = options(dir.path());
        let test = TestStore::open(dir, options).unwrap();
        assert!(test.store.quarantines().is_empty());
        for (queue_id, acknowledged) in (0..).zip(acknowledged) {
            let messages = test.read_all("T", queue_id);
            assert!(messages.len() as i64 >= acknowledged, "{} of {acknowledged}", messages.len());
            for (n, (offset, read)) in (0..).zip(&messages) {
                assert_eq!((*offset, read), (n, &body(queue_id, n)));
            }
        }
        dir = test.crash();
    }
}
