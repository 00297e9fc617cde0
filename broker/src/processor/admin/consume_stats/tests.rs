//! Tests of how far groups are said to be, against a whole broker.

use serde_json::Value;

use super::*;
use crate::clients::fixture::messages::{Pulling, Sending};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat};
use crate::stats::items::Span;

const COMMIT: i32 = 15;
const HEART_BEAT: i32 = 34;
const OF_GROUP: i32 = 208;
const OF_ALL: i32 = 317;
const STATISTIC: i32 = 315;
/// Later than the broker itself looks at its statistics during a test.
const LATER_MS: i64 = 3_600_000;

async fn commit(client: &mut TestClient, topic: &str, queue_id: i32, offset: i64) {
    let (queue_id, offset) = (queue_id.to_string(), offset.to_string());
    let fields =
        [("consumerGroup", "g"), ("topic", topic), ("queueId", queue_id.as_str()), ("commitOffset", offset.as_str())];
    client.ask_ok(COMMIT, &fields, "").await;
}

/// Offsets by topic and queue: of the broker, consumed, pulled.
async fn offsets(client: &mut TestClient, more: &[(&'static str, &str)]) -> Vec<(String, i32, [i64; 3])> {
    let fields: Vec<_> = std::iter::once(("consumerGroup", "g")).chain(more.iter().copied()).collect();
    let body = client.ask_ok(OF_GROUP, &fields, "").await;
    let stats: ConsumeStats = boostermq_remoting::fastjson::from_slice(body.as_bytes()).unwrap();
    let row = |(queue, at): (MessageQueue, OffsetWrapper)| {
        (queue.topic, queue.queue_id, [at.broker_offset, at.consumer_offset, at.pull_offset])
    };
    stats.offset_table.0.into_iter().map(row).filter(|(.., at)| *at != [0, 0, 0]).collect()
}

#[tokio::test]
async fn a_group_is_as_far_as_it_committed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for _ in 0..5 {
        client.store(&Sending::default()).await;
        client.store(&Sending { topic: "U", queue_id: 1, ..Sending::default() }).await;
    }
    broker.dispatched().await;
    assert!(offsets(&mut client, &[]).await.is_empty());
    client.pull(&Pulling { max_messages: 4, ..Pulling::default() }).await;
    commit(&mut client, "T", 0, 2).await;
    commit(&mut client, "U", 1, 5).await;
    let (t, u) = (("T".to_owned(), 0, [5, 2, 4]), ("U".to_owned(), 1, [5, 5, 5]));
    assert_eq!(offsets(&mut client, &[]).await, [t.clone(), u.clone()]);
    assert_eq!(offsets(&mut client, &[("topic", "U")]).await, std::slice::from_ref(&u));
    assert_eq!(offsets(&mut client, &[("topic", "no-such")]).await, []);
    assert_eq!(offsets(&mut client, &[("topic", "U"), ("topicList", "T;no-such;")]).await, std::slice::from_ref(&t));
    // A group that is there has what it subscribes to now.
    client.ask_ok(HEART_BEAT, &[], &heartbeat("c", "g", "CLUSTERING", &["U"])).await;
    assert_eq!(offsets(&mut client, &[]).await, std::slice::from_ref(&u));
    assert_eq!(offsets(&mut client, &[("topicList", "T")]).await, [t]);
    broker.stop().await;
}

#[tokio::test]
async fn all_groups_are_summed_up_and_read_by_java() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for _ in 0..3 {
        client.store(&Sending::default()).await;
    }
    broker.dispatched().await;
    client.pull(&Pulling::default()).await;
    commit(&mut client, "T", 0, 1).await;
    let body = client.ask_ok(OF_ALL, &[("isOrder", "false")], "").await;
    assert!(body.contains(r#"{{"brokerName":"broker-t","queueId":0,"topic":"T"}:{"brokerOffset":3,"#), "{body}");
    let list: ConsumeStatsList = boostermq_remoting::fastjson::from_slice(body.as_bytes()).unwrap();
    assert_eq!((list.total_diff, list.total_inflight_diff), (2, 2));
    assert!(list.consume_stats_list.iter().any(|group| group.get("TOOLS_CONSUMER").is_some_and(Vec::is_empty)));
    let ordered = client.ask_ok(OF_ALL, &[("isOrder", "true")], "").await;
    let list: ConsumeStatsList = boostermq_remoting::fastjson::from_slice(ordered.as_bytes()).unwrap();
    assert_eq!(list.total_diff, 0);
    broker.stop().await;
}

#[tokio::test]
async fn what_was_sent_and_read_is_counted_by_name_and_key() {
    let broker = TestBroker::start(&[("enableDetailStat", "true")]).await;
    let mut client = broker.connect().await;
    let missing = client.ask(STATISTIC, &[("statsName", "TOPIC_PUT_NUMS"), ("statsKey", "T")], "").await;
    assert_eq!((missing.code, missing.remark.as_deref()), (1, Some("The stats <TOPIC_PUT_NUMS> <T> not exist")));
    for _ in 0..4 {
        client.store(&Sending::default()).await;
    }
    client.store(&Sending { properties: &[("DELAY", "18")], ..Sending::default() }).await;
    broker.dispatched().await;
    client.pull(&Pulling { max_messages: 3, ..Pulling::default() }).await;
    broker.broker().stats.items.look(LATER_MS, Span::Minute);
    for (name, key, sum, times) in [
        ("TOPIC_PUT_NUMS", "T", Some(4), 4),
        ("TOPIC_PUT_SIZE", "T", None, 4),
        ("TOPIC_PUT_LATENCY", "0@T", None, 4),
        ("TOPIC_PUT_NUMS", "SCHEDULE_TOPIC_XXXX", Some(1), 1),
        ("QUEUE_PUT_NUMS", "SCHEDULE_TOPIC_XXXX@17", Some(1), 1),
        ("GROUP_GET_NUMS", "T@g", Some(3), 1),
        ("GROUP_GET_SIZE", "T@g", None, 1),
        ("GROUP_GET_LATENCY", "0@T@g", None, 1),
        ("CHANNEL_ACTIVITY", "CONNECT", Some(1), 1),
        ("BROKER_PUT_NUMS", "DefaultCluster", Some(5), 0),
        ("BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", "DefaultCluster", Some(4), 0),
        ("BROKER_GET_NUMS", "DefaultCluster", Some(3), 0),
    ] {
        let body: Value =
            serde_json::from_str(&client.ask_ok(STATISTIC, &[("statsName", name), ("statsKey", key)], "").await)
                .unwrap();
        let minute = &body["statsMinute"];
        if let Some(sum) = sum {
            assert_eq!(minute["sum"], sum, "{name} {key}");
            assert!(minute["tps"].as_f64().unwrap() > 0.0, "{name} {key}");
        }
        if times > 0 {
            let average = minute["sum"].as_f64().unwrap() / f64::from(times);
            assert_eq!(minute["avgpt"], average, "{name} {key}");
        }
        assert_eq!(body["statsDay"]["sum"], 0, "{name} {key}");
    }
    // A deleted topic takes its counts along, and what is sent to it later is counted anew.
    client.ask_ok(215, &[("topic", "T")], "").await;
    let gone = client.ask(STATISTIC, &[("statsName", "GROUP_GET_NUMS"), ("statsKey", "T@g")], "").await;
    assert_eq!(gone.code, 1);
    client.store(&Sending::default()).await;
    broker.broker().stats.items.look(2 * LATER_MS, Span::Minute);
    let again = client.ask_ok(STATISTIC, &[("statsName", "TOPIC_PUT_NUMS"), ("statsKey", "T")], "").await;
    assert!(again.contains(r#""statsMinute":{"avgpt":1.0,"sum":1,"#), "{again}");
    broker.stop().await;
}
