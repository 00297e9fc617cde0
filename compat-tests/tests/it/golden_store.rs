//! Stores that the reference wrote (`store/tests/golden`) are served over the wire as their manifest says.

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::{Answer, Connection};
use boostermq_compat_tests::harness::{Cluster, workspace_dir};
use serde::Deserialize;

const PULL_MESSAGE: i32 = 11;
const QUERY_MESSAGE: i32 = 12;
const VIEW_MESSAGE_BY_ID: i32 = 33;

/// The sizes that the stores were written with.
const SIZES: [(&str, &str); 5] = [
    ("mappedFileSizeCommitLog", "65536"),
    ("mappedFileSizeConsumeQueue", "2000"),
    ("maxHashSlotNum", "500"),
    ("maxIndexNum", "2000"),
    ("maxMessageSize", "32768"),
];

/// Physical offsets that stand in neither index file: the reference left these messages out when the first file was full.
const NOT_INDEXED: Range<i64> = 0x5ab3c..0x60000;

/// A line of `manifest.jsonl`: a message as its producer knew it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    kind: String,
    topic: String,
    queue_id: i32,
    queue_offset: i64,
    msg_id: String,
    offset_msg_id: String,
    #[serde(default)]
    keys: String,
    #[serde(default)]
    body_len: u32,
    #[serde(default)]
    body_crc32: u32,
}

#[test]
fn cleanly_stopped_store_is_served() -> Result<()> {
    store_is_served("clean")
}

#[test]
fn killed_store_is_served() -> Result<()> {
    store_is_served("crashed")
}

fn store_is_served(name: &str) -> Result<()> {
    let golden = workspace_dir().join("store/tests/golden");
    let store = tempfile::tempdir()?;
    let archive = golden.join(format!("{name}.tar.xz"));
    let unpacked = Command::new("tar").arg("-xSf").arg(&archive).arg("-C").arg(store.path()).status();
    ensure!(unpacked.context("tar and xz are needed")?.success(), "cannot unpack {}", archive.display());
    let mut builder = Cluster::builder(name).store_copy(store.path());
    for (key, value) in SIZES {
        builder = builder.broker_key(key, value);
    }
    let cluster = builder.start()?;
    let mut connection = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    let checked = check_manifest(&mut connection, &golden.join("manifest.jsonl"))?;
    ensure!(checked > 600, "only {checked} messages were checked");
    cluster.passed()
}

fn check_manifest(connection: &mut Connection, manifest: &Path) -> Result<usize> {
    let mut checked = 0;
    for line in std::fs::read_to_string(manifest)?.lines() {
        let sent: Sent = serde_json::from_str(line)?;
        // The others lie in queues of the broker's own, or wait to be delivered.
        if matches!(sent.kind.as_str(), "normal" | "order" | "compressed" | "unicode") {
            check_message(connection, &sent).with_context(|| line.to_owned())?;
            checked += 1;
        }
    }
    Ok(checked)
}

fn check_message(connection: &mut Connection, sent: &Sent) -> Result<()> {
    let place = i64::from_str_radix(sent.offset_msg_id.get(16..).context("offset id")?, 16)?;
    let physical = place.to_string();
    let (queue, offset) = (sent.queue_id.to_string(), sent.queue_offset.to_string());
    let pull = [
        ("consumerGroup", "TOOLS_CONSUMER"),
        ("topic", &sent.topic),
        ("queueId", &queue),
        ("queueOffset", &offset),
        ("maxMsgNums", "1"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "0"),
        ("subscription", "*"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ];
    let pulled = found(|| connection.call(PULL_MESSAGE, &pull, b""), "pull")?;
    ensure!(long(&pulled.body, 20)? == sent.queue_offset, "queue offset in the record");
    ensure!(long(&pulled.body, 28)? == place, "physical offset in the record");
    if sent.kind != "compressed" {
        ensure!(word(&pulled.body, 8)? == sent.body_crc32, "CRC of the body");
        ensure!(word(&pulled.body, 84)? == sent.body_len, "length of the body");
    }
    let view = [("offset", physical.as_str()), ("topic", &sent.topic)];
    ensure!(
        found(|| connection.call(VIEW_MESSAGE_BY_ID, &view, b""), "view")?.body == pulled.body,
        "viewed differs from pulled"
    );
    if NOT_INDEXED.contains(&place) {
        return Ok(());
    }
    let first_key = sent.keys.split(' ').next().unwrap_or_default();
    for (key, unique) in [(first_key, "false"), (sent.msg_id.as_str(), "true")] {
        let query = [
            ("topic", sent.topic.as_str()),
            ("key", key),
            ("maxNum", "64"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9999999999999"),
            ("_UNIQUE_KEY_QUERY", unique),
        ];
        let answer = found(|| connection.call(QUERY_MESSAGE, &query, b""), key)?;
        let hit = answer.body.windows(pulled.body.len()).any(|part| part == pulled.body);
        ensure!(hit, "the query by {key} brings other messages");
    }
    Ok(())
}

/// Asks until there is an answer: queues and index follow recovery by a moment.
fn found(mut ask: impl FnMut() -> Result<Answer>, what: &str) -> Result<Answer> {
    let deadline = Instant::now() + Duration::from_secs(80);
    loop {
        let answer = ask()?;
        if answer.code == 0 {
            return Ok(answer);
        }
        ensure!(Instant::now() < deadline, "{what}: {answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn word(record: &[u8], at: usize) -> Result<u32> {
    let bytes = record.get(at..at + 4).context("short record")?;
    Ok(u32::from_be_bytes(bytes.try_into()?))
}

fn long(record: &[u8], at: usize) -> Result<i64> {
    let bytes = record.get(at..at + 8).context("short record")?;
    Ok(i64::from_be_bytes(bytes.try_into()?))
}
