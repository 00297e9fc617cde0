//! Tests of what groups have consumed and of the ends of queues, against a whole broker.

use boostermq_remoting::command::RemotingCommand;

use super::*;
use crate::clients::fixture::{TestBroker, TestClient};

const QUERY: i32 = 14;
const UPDATE: i32 = 15;
const SEARCH: i32 = 29;
const MAX: i32 = 30;
const MIN: i32 = 31;
const EARLIEST: i32 = 32;

/// Sends `count` messages to queue 0 of topic `T`, which is made by it.
async fn send(client: &mut TestClient, count: usize) {
    for _ in 0..count {
        let fields = [
            ("producerGroup", "p"),
            ("topic", "T"),
            ("defaultTopic", "TBW102"),
            ("defaultTopicQueueNums", "2"),
            ("queueId", "0"),
            ("sysFlag", "0"),
            ("bornTimestamp", "1"),
            ("flag", "0"),
        ];
        client.ask_ok(10, &fields, "hello").await;
    }
}

async fn commit(client: &mut TestClient, group: &str, topic: &str, offset: &str) -> RemotingCommand {
    let fields = [("consumerGroup", group), ("topic", topic), ("queueId", "0"), ("commitOffset", offset)];
    client.ask(UPDATE, &fields, "").await
}

async fn query(client: &mut TestClient, queue_id: &str, more: &[(&'static str, &str)]) -> Result<String, i32> {
    let mut fields = vec![("consumerGroup", "g"), ("topic", "T"), ("queueId", queue_id)];
    fields.extend(more);
    let answer = client.ask(QUERY, &fields, "").await;
    match answer.field("offset") {
        Some(offset) if answer.code == 0 => Ok(offset.to_owned()),
        _ => Err(answer.code),
    }
}

#[tokio::test]
async fn a_new_group_starts_at_zero_only_where_the_first_message_is_young() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    send(&mut client, 1).await;
    for (queue_id, more, expected) in [
        ("0", &[][..], Ok("0".to_owned())),
        ("0", &[("setZeroIfNotFound", "true")][..], Ok("0".to_owned())),
        ("0", &[("setZeroIfNotFound", "false")][..], Err(22)),
        ("1", &[][..], Err(22)),
        ("77", &[][..], Err(22)),
    ] {
        assert_eq!(query(&mut client, queue_id, more).await, expected, "{queue_id} {more:?}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn commits_are_checked_in_upstreams_order() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    assert_eq!(commit(&mut client, "g", "T", "1").await.code, 26);
    broker.broker().groups.find_or_create("g").unwrap();
    assert_eq!(commit(&mut client, "g", "T", "1").await.code, 17);
    send(&mut client, 1).await;
    let base = [("consumerGroup", "g"), ("topic", "T")];
    assert_eq!(client.ask(UPDATE, &[base[0], base[1], ("commitOffset", "1")], "").await.code, 29);
    assert_eq!(client.ask(UPDATE, &[base[0], base[1], ("queueId", "0")], "").await.code, 29);
    for (offset, expected) in [("5", "5"), ("2", "2"), ("-1", "2")] {
        assert_eq!(commit(&mut client, "g", "T", offset).await.code, 0);
        assert_eq!(query(&mut client, "0", &[]).await.as_deref(), Ok(expected), "after {offset}");
    }
    broker.broker().offsets.reset("g", "T", QueueId(0), 1);
    assert_eq!(commit(&mut client, "g", "T", "9").await.remark.as_deref(), Some("Offset has been previously reset"));
    assert_eq!(query(&mut client, "0", &[]).await.as_deref(), Ok("1"));
    broker.stop().await;
}

#[tokio::test]
async fn queues_have_ends_even_when_they_do_not_exist() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    send(&mut client, 3).await;
    for (code, topic, queue_id, field, expected) in [
        (MAX, "T", "0", "offset", Some("3")),
        (MIN, "T", "0", "offset", Some("0")),
        (MAX, "T", "1", "offset", Some("0")),
        (MAX, "Unknown", "9", "offset", Some("0")),
        (MIN, "Unknown", "9", "offset", Some("0")),
        (EARLIEST, "Unknown", "9", "timestamp", Some("-1")),
    ] {
        let answer = client.ask(code, &[("topic", topic), ("queueId", queue_id)], "").await;
        assert_eq!((answer.code, answer.field(field)), (0, expected), "{code} {topic} {queue_id}");
    }
    let answer = client.ask(EARLIEST, &[("topic", "T"), ("queueId", "0")], "").await;
    let earliest: i64 = answer.field("timestamp").unwrap().parse().unwrap();
    assert!(earliest > 1_600_000_000_000);
    let future = (earliest + 3_600_000).to_string();
    for (topic, timestamp, boundary, expected) in [
        ("T", "0", None, "0"),
        ("T", "0", Some("UPPER"), "0"),
        ("T", future.as_str(), None, "3"),
        ("T", future.as_str(), Some("LOWER"), "3"),
        ("T", future.as_str(), Some("upper"), "2"),
        ("Unknown", "0", None, "0"),
    ] {
        let mut fields = vec![("topic", topic), ("queueId", "0"), ("timestamp", timestamp)];
        fields.extend(boundary.map(|boundary| ("boundaryType", boundary)));
        let answer = client.ask(SEARCH, &fields, "").await;
        assert_eq!((answer.code, answer.field("offset")), (0, Some(expected)), "{fields:?}");
    }
    broker.stop().await;
}
