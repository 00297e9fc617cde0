//! Whatever stands in the fields and the body of a request: it is answered, and the connection stays.

use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::frame::HeaderCodec;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::clients::fixture::messages::{Pulling, Sending, batch};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat, request};

/// Codes and the fields that their handlers read.
const CODES: [(i32, &[&str]); 14] = [
    (10, &SEND_LONG),
    (310, &SEND_SHORT),
    (320, &SEND_SHORT),
    (11, &PULL),
    (361, &PULL),
    (36, &["offset", "group", "delayLevel", "originMsgId", "originTopic", "unitMode", "maxReconsumeTimes"]),
    (12, &["topic", "key", "maxNum", "beginTimestamp", "endTimestamp", "indexType", "lastKey", "_UNIQUE_KEY_QUERY"]),
    (33, &["topic", "offset"]),
    (14, &["consumerGroup", "topic", "queueId", "setZeroIfNotFound"]),
    (15, &["consumerGroup", "topic", "queueId", "commitOffset"]),
    (29, &["topic", "queueId", "timestamp", "boundaryType"]),
    (34, &[]),
    (41, &[]),
    (42, &[]),
];

const SEND_LONG: [&str; 13] = [
    "producerGroup",
    "topic",
    "defaultTopic",
    "defaultTopicQueueNums",
    "queueId",
    "sysFlag",
    "bornTimestamp",
    "flag",
    "properties",
    "reconsumeTimes",
    "unitMode",
    "maxReconsumeTimes",
    "batch",
];
const SEND_SHORT: [&str; 13] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
const PULL: [&str; 13] = [
    "consumerGroup",
    "topic",
    "queueId",
    "queueOffset",
    "maxMsgNums",
    "sysFlag",
    "commitOffset",
    "suspendTimeoutMillis",
    "subscription",
    "subVersion",
    "expressionType",
    "maxMsgBytes",
    "requestSource",
];

/// A value of any field; most pass some check.
fn value() -> impl Strategy<Value = String> {
    let known = [
        "",
        "0",
        "1",
        "2",
        "6",
        "7",
        "-1",
        "2147483647",
        "-2147483648",
        "2147483648",
        "9223372036854775807",
        "-9223372036854775808",
        "1e3",
        "true",
        "false",
        "null",
        "T",
        "g",
        "%RETRY%g",
        "%DLQ%g",
        "TBW102",
        "SCHEDULE_TOPIC_XXXX",
        "TAG",
        "SQL92",
        "*",
        "A || B",
        "||",
        "LOWER",
        "UPPER",
        "DELAY\u{1}1\u{2}",
        "DELAY\u{1}-9\u{2}REAL_TOPIC\u{1}../x\u{2}",
        "UNIQ_KEY\u{1}\u{2}WAIT\u{1}false",
        "\u{1}\u{2}\u{1}\u{2}",
        "KEYS\u{1} \u{2}",
        "../../etc",
        "a\0b",
        "ü😀",
        " ",
    ];
    prop_oneof![
        6 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<i32>().prop_map(|number| number.to_string()),
        1 => vec(any::<char>(), 0..40).prop_map(|letters| letters.into_iter().collect()),
        1 => (0..70_000_usize).prop_map(|length| "x".repeat(length)),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let good = batch(&[("one", &[("TAGS", "A")]), ("two", &[])]);
    let beat = heartbeat("c", "g", "CLUSTERING", &["T"]).into_bytes();
    let locks =
        br#"{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"b","queueId":0,"topic":"T"}]}"#.to_vec();
    let sample = prop::sample::select(vec![Vec::new(), good, beat, locks, b"{}".to_vec(), b"[[[[".to_vec()]);
    let damaged = (sample.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![sample, damaged, vec(any::<u8>(), 0..200)]
}

/// A request that would be carried out, with some of its fields and perhaps its body replaced.
fn requests() -> impl Strategy<Value = RemotingCommand> {
    let choice = prop::sample::select(CODES.to_vec());
    let changes = vec((any::<prop::sample::Index>(), prop::option::of(value())), 0..4);
    (choice, changes, prop::option::of(body()), any::<bool>(), any::<bool>()).prop_map(
        |((code, names), changes, body, is_binary, is_old)| {
            let mut command = match code {
                10 | 310 | 320 => Sending { code, ..Sending::default() }.request(),
                11 | 361 => Pulling { code, ..Pulling::default() }.request(),
                34 => request(code, &[], heartbeat("c", "g", "CLUSTERING", &["T"]).as_bytes()),
                _ => {
                    let mut command = request(code, &[], b"");
                    let usual = |name: &str| match name {
                        "topic" | "originTopic" => "T",
                        "group" | "consumerGroup" => "g",
                        _ => "1",
                    };
                    command.fields = names.iter().map(|name| ((*name).into(), usual(name).to_owned())).collect();
                    command
                }
            };
            for (at, value) in changes {
                if let Some(at) = (!names.is_empty()).then(|| at.index(names.len())) {
                    command.fields.retain(|(name, _)| name != names[at]);
                    command.fields.extend(value.map(|value| (names[at].into(), value)));
                }
            }
            if let Some(body) = body {
                command.body = body.into();
            }
            if is_binary {
                command.codec = HeaderCodec::Binary;
            }
            if is_old {
                command.version = 0;
            }
            command
        },
    )
}

async fn is_answered(broker: &TestBroker, client: &mut TestClient, mut command: RemotingCommand) -> RemotingCommand {
    let mut marker = request(30, &[("topic", "T"), ("queueId", "0")], b"");
    let last = client.put(&mut [&mut command, &mut marker]).await;
    let first = client.next_answer().await;
    if first.opaque == last {
        // It is still being carried out, or it is a pull and held.
        broker.broker().holds.answer_all(broker.broker());
    }
    let second = client.next_answer().await;
    let mut opaques = [first.opaque, second.opaque];
    opaques.sort_unstable();
    assert_eq!(opaques, [last - 1, last]);
    if first.opaque == last { second } else { first }
}

#[test]
fn every_request_is_answered_and_none_ends_its_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let broker = runtime.block_on(TestBroker::start(&[("maxMessageSize", "60000")]));
    let client = std::cell::RefCell::new(runtime.block_on(broker.connect()));
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1500);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&requests(), |command| {
        let client = &mut *client.borrow_mut();
        let code = command.code;
        let answer = runtime.block_on(is_answered(&broker, client, command));
        let is_panic = answer.remark.as_deref().is_some_and(|remark| remark.starts_with("the handler of request"));
        if is_panic {
            return Err(TestCaseError::fail(format!("{code}: {:?}", answer.remark)));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    runtime.block_on(broker.stop());
}

#[tokio::test]
async fn a_broker_that_stops_sends_clients_away_where_that_is_wanted() {
    let keys = [("enableShutdownGracefully", "true"), ("shutdownWaitTimeSeconds", "2")];
    let broker = TestBroker::start(&keys).await;
    let mut client = broker.connect().await;
    let stopping = tokio::spawn(broker.stop());
    let end_of = |version| {
        let mut command = request(30, &[("topic", "T"), ("queueId", "0")], b"");
        command.version = version;
        command
    };
    // Served until the stop has begun.
    let away = loop {
        let answer = client.ask_command(end_of(boostermq_remoting::code::VERSION)).await;
        if answer.code != 0 {
            break answer;
        }
    };
    assert_eq!((away.code, away.remark.as_deref()), (1500, Some("please go away")));
    assert_eq!(client.ask_command(end_of(boostermq_remoting::code::version::V5_3_1)).await.code, 0);
    stopping.await.unwrap();
    client.closed().await;
}
