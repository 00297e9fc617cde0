//! Tests of resets and time spans, against a whole broker.

use serde_json::{Value, json};

use super::*;
use crate::clients::fixture::messages::{COMMIT, Pulling, SUBSCRIPTION, SUSPEND, Sending, number};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

const RESET: i32 = 222;
const SPAN: i32 = 303;
const ON_CLIENTS: [(&str, &str); 1] = [("useServerSideResetOffset", "false")];

/// Stores messages in queue 0 of topic `T`, which has two queues, and makes the group `g`.
async fn prepare(broker: &TestBroker, count: usize) -> TestClient {
    let mut client = broker.connect().await;
    for _ in 0..count {
        client.store(&Sending { queues: 2, ..Sending::default() }).await;
    }
    broker.dispatched().await;
    broker.broker().groups.find_or_create("g").unwrap();
    client
}

fn fields<'a>(more: &[(&'static str, &'a str)]) -> Vec<(&'static str, &'a str)> {
    let mut fields = vec![("topic", "T"), ("group", "g"), ("timestamp", "-1"), ("isForce", "true")];
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

fn table(offsets: &[(i32, i64)]) -> String {
    let row = |(id, offset): &(i32, i64)| format!(r#"{{"brokerName":"broker-t","queueId":{id},"topic":"T"}}:{offset}"#);
    format!(r#"{{"offsetTable":{{{}}}}}"#, offsets.iter().map(row).collect::<Vec<_>>().join(","))
}

fn commit(broker: &TestBroker, offsets: &[(u32, i64)]) {
    for (queue_id, offset) in offsets {
        assert!(broker.broker().offsets.commit("g", "T", QueueId(*queue_id), *offset));
    }
}

#[tokio::test]
async fn a_reset_says_where_every_queue_goes() {
    let broker = TestBroker::start(&[]).await;
    let mut client = prepare(&broker, 3).await;
    let future = i64::MAX.to_string();
    for (more, expected) in [
        (&[][..], Ok(table(&[(0, 3), (1, 0)]))),
        (&[("timestamp", "-7")], Ok(table(&[(0, 3), (1, 0)]))),
        (&[("timestamp", "0")], Ok(table(&[(0, 0), (1, 0)]))),
        (&[("timestamp", future.as_str())], Ok(table(&[(0, 3), (1, 0)]))),
        (&[("queueId", "0")], Ok(table(&[(0, 3)]))),
        (&[("queueId", "-1"), ("offset", "1")], Ok(table(&[(0, 3), (1, 0)]))),
        (&[("queueId", "0"), ("offset", "-1"), ("timestamp", "0")], Ok(table(&[(0, 0)]))),
        (&[("queueId", "0"), ("offset", "2")], Ok(table(&[(0, 2)]))),
        (&[("queueId", "0"), ("offset", "4")], Ok(table(&[(0, 4)]))),
        (&[("queueId", "0"), ("offset", "5")], Err(1)),
        (&[("queueId", "0"), ("offset", "-2")], Err(1)),
        (&[("queueId", "0"), ("offset", future.as_str())], Err(1)),
        (&[("queueId", "2")], Err(29)),
        (&[("topic", "unknown")], Err(17)),
        (&[("group", "unknown")], Err(26)),
        (&[("timestamp", "x")], Err(1)),
    ] {
        let answer = client.ask(RESET, &fields(more), "").await;
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        let found = if answer.code == 0 { Ok(body) } else { Err(answer.code) };
        assert_eq!(found, expected, "{more:?}: {:?}", answer.remark);
    }
    broker.stop().await;
}

#[tokio::test]
async fn the_next_pull_is_sent_there_and_commits_before_it_count_for_nothing() {
    let broker = TestBroker::start(&[]).await;
    let mut client = prepare(&broker, 3).await;
    commit(&broker, &[(0, 3), (1, 0)]);
    client.ask_ok(RESET, &fields(&[("queueId", "0"), ("offset", "1")]), "").await;
    let query = [("consumerGroup", "g"), ("topic", "T"), ("queueId", "0")];
    let update = [query[0], query[1], query[2], ("commitOffset", "3")];
    assert_eq!(client.ask(15, &update, "").await.remark.as_deref(), Some("Offset has been previously reset"));
    assert_eq!(number(&client.ask(14, &query, "").await, "offset"), 1);

    let pull = Pulling { offset: 3, flags: SUSPEND | SUBSCRIPTION | COMMIT, commit_offset: 3, ..Pulling::default() };
    let moved = client.pull(&pull).await;
    assert_eq!((moved.code, number(&moved, "nextBeginOffset")), (21, 1));
    assert_eq!((number(&moved, "minOffset"), number(&moved, "maxOffset")), (0, 3));
    // Taken once: from here on all is as ever.
    assert_eq!(number(&client.ask(14, &query, "").await, "offset"), 1);
    assert_eq!(client.pull(&Pulling { offset: 1, ..Pulling::default() }).await.code, 0);
    client.ask_ok(15, &update, "").await;
    assert_eq!(number(&client.ask(14, &query, "").await, "offset"), 3);
    broker.stop().await;
}

#[tokio::test]
async fn a_consumer_that_waits_is_sent_there_at_once() {
    let broker = TestBroker::start(&[]).await;
    let (mut client, mut operator) = (prepare(&broker, 2).await, broker.connect().await);
    let mut others = broker.connect().await;
    let pull = Pulling { offset: 2, flags: SUSPEND | SUBSCRIPTION, ..Pulling::default() };
    let held = client.put(&mut [&mut pull.request()]).await;
    let other = others.put(&mut [&mut Pulling { group: "other", ..pull.clone() }.request()]).await;
    while broker.broker().holds.count() < 2 {
        tokio::task::yield_now().await;
    }
    operator.ask_ok(RESET, &fields(&[("timestamp", "0")]), "").await;
    let moved = client.next_answer().await;
    assert_eq!((moved.opaque, moved.code, number(&moved, "nextBeginOffset")), (held, 21, 0));
    // Another group waits on.
    assert_eq!(broker.broker().holds.count(), 1);
    client.store(&Sending::default()).await;
    let found = others.next_answer().await;
    assert_eq!((found.opaque, found.code), (other, 0));
    broker.stop().await;
}

#[tokio::test]
async fn consumers_are_told_to_move_in_their_language() {
    let broker = TestBroker::start(&ON_CLIENTS).await;
    let mut operator = prepare(&broker, 3).await;
    commit(&broker, &[(0, 2), (1, 0)]);
    let mut members = Vec::new();
    for (client_id, language) in [("java", Language::JAVA), ("cpp", Language::CPP)] {
        let mut client = broker.connect().await;
        let body = heartbeat(client_id, "g", "CLUSTERING", &["T"]);
        let mut command = crate::clients::fixture::request(34, &[], body.as_bytes());
        command.language = language;
        assert_eq!(client.ask_command(command).await.code, 0);
        members.push(client);
    }
    let list = json!({"offsetTable": [
        {"brokerName": "broker-t", "offset": 3, "queueId": 0, "topic": "T"},
        {"brokerName": "broker-t", "offset": 0, "queueId": 1, "topic": "T"},
    ]});
    // Without force it only goes backwards.
    assert_eq!(operator.ask_ok(RESET, &fields(&[("isForce", "false")]), "").await, table(&[(0, 2), (1, 0)]));
    assert_eq!(operator.ask_ok(RESET, &fields(&[]), "").await, table(&[(0, 3), (1, 0)]));
    for client in &mut members {
        let mut orders = Vec::new();
        while orders.len() < 2 {
            let pushed = client.pushed().await;
            if pushed.code == 220 {
                assert!(pushed.is_one_way());
                for (name, value) in [("topic", "T"), ("group", "g"), ("timestamp", "-1"), ("isForce", "false")] {
                    assert_eq!(pushed.field(name), Some(value), "{name}");
                }
                orders.push(String::from_utf8(pushed.body.to_vec()).unwrap());
            }
        }
        let last = orders.pop().unwrap();
        let is_list = serde_json::from_str::<Value>(&last).is_ok_and(|value| value == list);
        assert!(is_list || last == table(&[(0, 3), (1, 0)]), "{last}");
        assert_eq!(is_list, orders[0].starts_with(r#"{"offsetTable":["#), "{orders:?}");
    }
    // The broker itself moved nothing.
    assert_eq!(broker.broker().offsets.query("g", "T", QueueId(0)), Some(2));
    broker.stop().await;
}

#[tokio::test]
async fn nobody_is_told_when_not_all_can_be() {
    let broker = TestBroker::start(&ON_CLIENTS).await;
    let mut operator = prepare(&broker, 1).await;
    let answer = operator.ask(RESET, &fields(&[]), "").await;
    assert_eq!((answer.code, answer.remark.as_deref()), (1, Some("THe consumer group <g> not exist")));
    commit(&broker, &[(0, 0), (1, 0)]);
    let answer = operator.ask(RESET, &fields(&[]), "").await;
    let remark = "Consumer not online, so can not reset offset, Group: g Topic: T Timestamp: -1";
    assert_eq!((answer.code, answer.remark.as_deref()), (206, Some(remark)));
    assert_eq!(operator.ask(RESET, &fields(&[("topic", "unknown")]), "").await.code, 17);
    let mut old = crate::clients::fixture::request(34, &[], heartbeat("c", "g", "CLUSTERING", &["T"]).as_bytes());
    old.version = version::V3_0_7_SNAPSHOT - 1;
    assert_eq!(operator.ask_command(old).await.code, 0);
    assert_eq!(operator.ask(RESET, &fields(&[]), "").await.code, 1);
    broker.stop().await;
}

#[tokio::test]
async fn time_spans_show_how_long_messages_wait() {
    let broker = TestBroker::start(&[]).await;
    let mut client = prepare(&broker, 3).await;
    let stored: Vec<i64> = client.everything("T", 0).await.iter().map(|message| message.store_timestamp).collect();
    for (committed, consumed, waits) in [(0, stored[0], true), (2, stored[1], true), (3, stored[2], false)] {
        commit(&broker, &[(0, committed)]);
        let body = client.ask_ok(SPAN, &[("topic", "T"), ("group", "g")], "").await;
        let body: QueryConsumeTimeSpanBody = fastjson::from_slice(body.as_bytes()).unwrap();
        let [used, unused] = &body.consume_time_span_set[..] else { panic!("{body:?}") };
        assert_eq!((used.min_time_stamp, used.max_time_stamp), (stored[0], stored[2]));
        assert_eq!(used.consume_time_stamp, consumed, "{committed}");
        assert!(if waits { (0..60_000).contains(&used.delay_time) } else { used.delay_time == 0 }, "{used:?}");
        assert_eq!(used.message_queue.topic, "T");
        let times = (unused.min_time_stamp, unused.max_time_stamp, unused.consume_time_stamp, unused.delay_time);
        assert_eq!(times, (-1, -1, -1, 0));
        assert_eq!(unused.message_queue.queue_id, 1);
    }
    assert_eq!(client.ask(SPAN, &[("topic", "unknown"), ("group", "g")], "").await.code, 17);
    broker.stop().await;
}
