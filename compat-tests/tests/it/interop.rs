//! A store that one broker closed is served by the other, record for record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::{Answer, Connection};
use boostermq_compat_tests::harness::{Cluster, Target, official_clients_skipped};

const PULL_MESSAGE: i32 = 11;
const QUERY_MESSAGE: i32 = 12;
const QUERY_CONSUMER_OFFSET: i32 = 14;
const UPDATE_CONSUMER_OFFSET: i32 = 15;
const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const GET_MAX_OFFSET: i32 = 30;
const VIEW_MESSAGE_BY_ID: i32 = 33;
const SEND_MESSAGE_V2: i32 = 310;

const QUEUES: usize = 4;
const EACH: usize = 100;
/// A group that every broker has.
const GROUP: &str = "TOOLS_CONSUMER";
/// Small files, so that the log and the queues roll. Both brokers get the same.
const SIZES: [(&str, &str); 4] = [
    ("mappedFileSizeCommitLog", "65536"),
    ("mappedFileSizeConsumeQueue", "2000"),
    ("maxHashSlotNum", "500"),
    ("maxIndexNum", "2000"),
];

#[test]
fn reference_serves_a_store_of_the_target() -> Result<()> {
    store_changes_hands(Target::from_env()?, Target::Reference)
}

#[test]
fn target_serves_a_store_of_the_reference() -> Result<()> {
    store_changes_hands(Target::Reference, Target::from_env()?)
}

fn store_changes_hands(from: Target, to: Target) -> Result<()> {
    if official_clients_skipped() {
        return Ok(());
    }
    let mut first = start("interop-first", from, None)?;
    let mut connection = Connection::open(&first.broker(), Duration::from_secs(60))?;
    let sent = fill(&mut connection)?;
    let before = everything(&mut connection, &sent)?;
    first.stop_broker()?;
    let second = start("interop-second", to, Some(&first))?;
    let mut connection = Connection::open(&second.broker(), Duration::from_secs(60))?;
    let after = everything(&mut connection, &sent)?;
    for (what, bytes) in &before {
        ensure!(after.get(what) == Some(bytes), "{what} differs between {from:?} and {to:?}");
    }
    // And it goes on where the first one ended.
    let next = send(&mut connection, 0, EACH)?;
    ensure!(next.fields.get("queueOffset") == Some(&EACH.to_string()), "the next offset: {next:?}");
    first.passed()?;
    second.passed()
}

fn start(case: &str, target: Target, store: Option<&Cluster>) -> Result<Cluster> {
    let mut builder = Cluster::builder(case).target(target);
    for (key, value) in SIZES {
        builder = builder.broker_key(key, value);
    }
    if let Some(cluster) = store {
        builder = builder.store_copy(&cluster.store());
    }
    builder.start()
}

/// Sends to a topic of its own and commits an offset; returns the physical offset of each message by key.
fn fill(connection: &mut Connection) -> Result<BTreeMap<String, String>> {
    let topic = [
        ("topic", "Interop"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "4"),
        ("writeQueueNums", "4"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    ensure!(connection.call(UPDATE_AND_CREATE_TOPIC, &topic, b"")?.code == 0, "topic");
    let mut sent = BTreeMap::new();
    for number in 0..EACH {
        for queue in 0..QUEUES {
            let answer = send(connection, queue, number)?;
            let id = answer.fields.get("msgId").context("no msgId")?;
            let offset = i64::from_str_radix(id.get(16..).context("short msgId")?, 16)?;
            sent.insert(format!("k{queue}-{number}"), offset.to_string());
        }
    }
    let commit = [("consumerGroup", GROUP), ("topic", "Interop"), ("queueId", "2"), ("commitOffset", "33")];
    ensure!(connection.call(UPDATE_CONSUMER_OFFSET, &commit, b"")?.code == 0, "commit");
    Ok(sent)
}

fn send(connection: &mut Connection, queue: usize, number: usize) -> Result<Answer> {
    let queue_text = queue.to_string();
    let properties =
        format!("KEYS\u{1}k{queue}-{number}\u{2}TAGS\u{1}t{}\u{2}UNIQ_KEY\u{1}U{queue}x{number}\u{2}", number % 3);
    let fields = [
        ("a", "p"),
        ("b", "Interop"),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", &queue_text),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "7"),
        ("i", properties.as_str()),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
        ("n", "broker-a"),
    ];
    let answer = connection.call(SEND_MESSAGE_V2, &fields, "body ".repeat(number + 1).as_bytes())?;
    ensure!(answer.code == 0, "send: {answer:?}");
    Ok(answer)
}

/// What the broker serves, as bytes by question.
fn everything(connection: &mut Connection, sent: &BTreeMap<String, String>) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for queue in 0..QUEUES {
        let records = whole_queue(connection, &queue.to_string())?;
        all.insert(format!("queue {queue}"), records);
    }
    for (key, offset) in sent {
        let query = [
            ("topic", "Interop"),
            ("key", key.as_str()),
            ("maxNum", "5"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9999999999999"),
        ];
        let deadline = Instant::now() + Duration::from_secs(80);
        let found = loop {
            let answer = connection.call(QUERY_MESSAGE, &query, b"")?;
            if answer.code == 0 {
                break answer;
            }
            ensure!(Instant::now() < deadline, "key {key}: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        all.insert(format!("key {key}"), found.body);
        let viewed = connection.call(VIEW_MESSAGE_BY_ID, &[("offset", offset), ("topic", "Interop")], b"")?;
        ensure!(viewed.code == 0, "view {key} at {offset}: {viewed:?}");
        all.insert(format!("view {key}"), viewed.body);
    }
    let stored = connection.call(
        QUERY_CONSUMER_OFFSET,
        &[("consumerGroup", GROUP), ("topic", "Interop"), ("queueId", "2")],
        b"",
    )?;
    all.insert(
        "committed offset".to_owned(),
        format!("{} {:?}", stored.code, stored.fields.get("offset")).into_bytes(),
    );
    Ok(all)
}

fn whole_queue(connection: &mut Connection, queue: &str) -> Result<Vec<u8>> {
    let (mut records, mut offset) = (Vec::new(), 0i64);
    let deadline = Instant::now() + Duration::from_secs(80);
    let target = [("topic", "Interop"), ("queueId", queue)];
    // Dispatch into the queues follows the sends, or recovery, by a moment.
    loop {
        let max = connection.call(GET_MAX_OFFSET, &target, b"")?;
        if max.fields.get("offset") == Some(&EACH.to_string()) {
            break;
        }
        ensure!(Instant::now() < deadline, "max offset of queue {queue}: {max:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    while offset < i64::try_from(EACH)? {
        let at = offset.to_string();
        let pull = [
            ("consumerGroup", GROUP),
            ("topic", "Interop"),
            ("queueId", queue),
            ("queueOffset", &at),
            ("maxMsgNums", "32"),
            ("sysFlag", "4"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("subscription", "*"),
            ("subVersion", "0"),
            ("expressionType", "TAG"),
        ];
        let answer = connection.call(PULL_MESSAGE, &pull, b"")?;
        ensure!(Instant::now() < deadline, "queue {queue} at {offset}: {answer:?}");
        if answer.code == 0 {
            records.extend(answer.body);
            offset = answer.fields.get("nextBeginOffset").context("no nextBeginOffset")?.parse()?;
        }
    }
    Ok(records)
}
