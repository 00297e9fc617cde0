//! Tests of what is shown of a queue, against a whole broker.

use serde_json::Value;

use crate::clients::fixture::messages::Sending;
use crate::clients::fixture::{TestBroker, heartbeat};

const HEART_BEAT: i32 = 34;
const ENTRIES: i32 = 321;

#[tokio::test]
async fn entries_are_shown_with_what_a_group_wants() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for tag in ["A", "B", "A"] {
        client.store(&Sending { properties: &[("TAGS", tag)], ..Sending::default() }).await;
    }
    broker.dispatched().await;
    let fields = |index: &'static str, count: &'static str| {
        vec![("topic", "T"), ("queueId", "0"), ("index", index), ("count", count)]
    };
    for (index, count, tags) in [
        ("0", "2", vec![65, 66]),
        ("2", "10", vec![65]),
        ("3", "10", vec![]),
        ("-1", "10", vec![]),
        ("0", "-5", vec![]),
        ("0", "2147483647", vec![65, 66, 65]),
    ] {
        let body: Value = serde_json::from_str(&client.ask_ok(ENTRIES, &fields(index, count), "").await).unwrap();
        let rows = body["queueData"].as_array().unwrap();
        let found: Vec<_> = rows.iter().map(|row| row["tagsCode"].as_i64().unwrap()).collect();
        assert_eq!(found, tags, "{index} {count}");
        assert_eq!((&body["minQueueIndex"], &body["maxQueueIndex"]), (&0.into(), &3.into()));
        assert!(body.get("filterData").is_none() && rows.iter().all(|row| row.get("msg").is_none()));
    }
    let missing = client.ask(ENTRIES, &[("topic", "T"), ("queueId", "3"), ("index", "0"), ("count", "1")], "").await;
    assert_eq!((missing.code, missing.remark.as_deref()), (1, Some("3@T is not exist!")));

    let mut of_group = fields("0", "1");
    of_group.push(("consumerGroup", "g"));
    let body: Value = serde_json::from_str(&client.ask_ok(ENTRIES, &of_group, "").await).unwrap();
    assert_eq!(body["filterData"], "g@T is not online!");
    client.ask_ok(HEART_BEAT, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    let body: Value = serde_json::from_str(&client.ask_ok(ENTRIES, &of_group, "").await).unwrap();
    assert_eq!((&body["filterData"], &body["subscriptionData"]["topic"]), (&"null".into(), &"T".into()));
    broker.stop().await;
}
