//! Tests of shares, and of modes against a whole broker.

use serde_json::{Value, json};

use super::*;
use crate::clients::fixture::{TestBroker, heartbeat};

const HEART_BEAT: i32 = 34;
const QUERY: i32 = 400;
const SET: i32 = 401;
const ALL: i32 = 402;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn members_share_queues_as_clients_would() {
    for (strategy, members, queues, member, expected) in [
        ("AVG", 3, 8, 0, Some(vec![0, 1, 2])),
        ("AVG", 3, 8, 1, Some(vec![3, 4, 5])),
        ("AVG", 3, 8, 2, Some(vec![6, 7])),
        ("AVG", 3, 2, 1, Some(vec![1])),
        ("AVG", 3, 2, 2, Some(vec![])),
        ("AVG", 1, 3, 0, Some(vec![0, 1, 2])),
        ("AVG_BY_CIRCLE", 3, 8, 1, Some(vec![1, 4, 7])),
        ("AVG_BY_CIRCLE", 3, 2, 2, Some(vec![])),
        ("CONSISTENT_HASH", 1, 1, 0, None),
    ] {
        let clients: Vec<_> = ["a", "b", "c"].into_iter().take(members).collect();
        let found = share(strategy, &names(&clients), clients[member], &numbered("T", "b", queues));
        let found = found.map(|queues| queues.iter().map(|queue| queue.queue_id).collect::<Vec<_>>());
        assert_eq!(found, expected, "{strategy}: {member} of {members}, {queues} queues");
    }
    assert_eq!(share("AVG", &names(&["a"]), "stranger", &numbered("T", "b", 4)), Some(Vec::new()));
}

#[test]
fn queues_of_a_route_are_those_that_may_be_read_in_order() {
    let route = json!({"queueDatas": [
        {"brokerName": "b", "readQueueNums": 1, "writeQueueNums": 3, "perm": 6},
        {"brokerName": "a", "readQueueNums": 2, "writeQueueNums": 2, "perm": 4},
        {"brokerName": "c", "readQueueNums": 2, "writeQueueNums": 2, "perm": 2},
    ]});
    let route: TopicRouteData = serde_json::from_value(route).unwrap();
    let queues = readable(&route, "T");
    let found: Vec<_> = queues.iter().map(|queue| (queue.broker_name.as_str(), queue.queue_id)).collect();
    assert_eq!(found, [("a", 0), ("a", 1), ("b", 0)]);
    assert!(numbered("T", "b", -1).is_empty());
}

#[tokio::test]
async fn a_broker_shares_out_the_queues_of_its_topics() {
    let broker = TestBroker::start(&[]).await;
    let (mut one, mut two) = (broker.connect().await, broker.connect().await);
    one.ask_ok(HEART_BEAT, &[], &heartbeat("c1", "g", "CLUSTERING", &["TBW102"])).await;
    two.ask_ok(HEART_BEAT, &[], &heartbeat("c2", "g", "CLUSTERING", &["TBW102"])).await;
    let question = |client: &str, group: &str, topic: &str, model: &str| {
        json!({"clientId": client, "consumerGroup": group, "topic": topic, "messageModel": model, "strategyName": "AVG"})
            .to_string()
    };
    for (client, group, topic, model, expected) in [
        ("c1", "g", "TBW102", "CLUSTERING", Some(4)),
        ("c2", "g", "TBW102", "CLUSTERING", Some(4)),
        ("c1", "g", "TBW102", "BROADCASTING", Some(8)),
        ("gone", "g", "TBW102", "CLUSTERING", Some(0)),
        ("c1", "nobody", "TBW102", "CLUSTERING", None),
        ("c1", "g", "no-such", "CLUSTERING", None),
        ("c1", "g", "%LMQ%a", "CLUSTERING", Some(1)),
        ("c2", "g", "%LMQ%a", "CLUSTERING", Some(0)),
        ("c1", "g", "%LMQ%a", "BROADCASTING", None),
        ("c1", "g", "TBW102", "no-such", None),
    ] {
        let body: Value =
            serde_json::from_str(&one.ask_ok(QUERY, &[], &question(client, group, topic, model)).await).unwrap();
        let found = body.get("messageQueueAssignments").map(|list| list.as_array().unwrap().len());
        assert_eq!(found, expected, "{client} {group} {topic} {model}");
    }
    assert_eq!(one.ask(QUERY, &[], "[").await.code, 1);
    broker.stop().await;
}

#[tokio::test]
async fn modes_are_kept_over_a_restart() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let mode = |topic: &str, group: &str, mode: &str| {
        json!({"topic": topic, "consumerGroup": group, "mode": mode, "popShareQueueNum": 2}).to_string()
    };
    for (body, code) in [
        (mode("%RETRY%g", "g", "PULL"), 16),
        (mode("no-such", "g", "PULL"), 17),
        (mode("TBW102", "CID_RMQ_SYS_", "POP"), 1),
        (mode("TBW102", "g", "POP"), 1),
        ("x".to_owned(), 1),
        (mode("TBW102", "g", "PULL"), 0),
    ] {
        let answer = client.ask(SET, &[], &body).await;
        assert_eq!(answer.code, code, "{body}: {:?}", answer.remark);
    }
    let broker = broker.restart(&[("autoCreateSubscriptionGroup", "false")]).await;
    let mut client = broker.connect().await;
    let all: Value = serde_json::from_str(&client.ask_ok(ALL, &[], "").await).unwrap();
    assert_eq!(all["messageRequestModeMap"]["TBW102"]["g"]["popShareQueueNum"], 2, "{all}");
    assert_eq!(broker.broker().modes.find("TBW102", "g").unwrap().mode, MessageRequestMode::Pull);
    assert_eq!(client.ask(SET, &[], &mode("TBW102", "no-such", "PULL")).await.code, 26);
    broker.stop().await;
}
