//! Tests of what operators do with groups, against a whole broker.

use boostermq_remoting::names::QueueId;
use serde_json::{Value, json};

use crate::clients::fixture::TestBroker;

const UPDATE: i32 = 200;
const ALL: i32 = 201;
const DELETE: i32 = 207;
const UPDATE_LIST: i32 = 225;
const CLONE: i32 = 314;
const TOPICS: i32 = 343;
const ONE: i32 = 352;
const FORBIDDEN: i32 = 353;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn groups_are_made_changed_and_deleted() {
    let broker = TestBroker::start(&[("autoCreateSubscriptionGroup", "false")]).await;
    let mut client = broker.connect().await;
    assert_eq!(client.ask(ONE, &[("group", "payments")], "").await.code, 26);
    for (body, code) in [
        (r#"{"groupName":"payments","retryMaxTimes":3,"consumeBroadcastEnable":false}"#, 0),
        (r#"{"groupName":"pay ments"}"#, 29),
        (r#"{}"#, 29),
        (r#"{"groupName":"other","attributes":{"+color":"red"}}"#, 1),
        ("", 1),
    ] {
        assert_eq!(client.ask(UPDATE, &[], body).await.code, code, "{body}");
    }
    let config = json(&client.ask_ok(ONE, &[("group", "payments")], "").await);
    assert_eq!(
        config,
        json!({
            "attributes": {}, "brokerId": 0, "consumeBroadcastEnable": false, "consumeEnable": true,
            "consumeFromMinEnable": true, "consumeMessageOrderly": false, "consumeTimeoutMinute": 15,
            "groupName": "payments", "groupRetryPolicy": {"type": "CUSTOMIZED"}, "groupSysFlag": 0,
            "notifyConsumerIdsChangedEnable": true, "retryMaxTimes": 3, "retryQueueNums": 1,
            "whichBrokerWhenConsumeSlowly": 1,
        })
    );
    let list = |second: &str| json!({"groupConfigList": [{"groupName": "one"}, {"groupName": second}]}).to_string();
    assert_eq!(client.ask(UPDATE_LIST, &[], &list("t w o")).await.code, 29);
    assert!(broker.broker().groups.find("one").is_none());
    client.ask_ok(UPDATE_LIST, &[], &list("two")).await;

    let all = client.ask(ALL, &[("groupSeq", "0"), ("maxGroupNum", "2000"), ("dataVersion", "")], "").await;
    let body = json(std::str::from_utf8(&all.body).unwrap());
    let names: Vec<_> = body["subscriptionGroupTable"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((all.field("totalGroupNum"), names.len()), (Some("11"), 11));
    assert!(["one", "payments", "two"].iter().all(|name| names.contains(name)));
    assert_eq!(body["forbiddenTable"], json!({}));

    for (group, clean, left) in [("one", "false", 1), ("two", "true", 0), ("two", "true", 0)] {
        broker.broker().offsets.commit("one", "T", QueueId(0), 1);
        broker.broker().offsets.commit("two", "T", QueueId(0), 1);
        client.ask_ok(DELETE, &[("groupName", group), ("cleanOffset", clean)], "").await;
        assert!(broker.broker().groups.find(group).is_none());
        assert_eq!(broker.broker().offsets.topics_of(group).len(), left, "{group} {clean}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_group_can_be_forbidden_a_topic() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for (readable, expected) in [(None, true), (Some("false"), false), (None, false), (Some("true"), true)] {
        let mut fields = vec![("group", "g"), ("topic", "T")];
        fields.extend(readable.map(|readable| ("readable", readable)));
        let body = client.ask_ok(FORBIDDEN, &fields, "").await;
        assert_eq!(body, format!(r#"{{"group":"g","readable":{expected},"topic":"T"}}"#));
        assert_eq!(broker.broker().groups.may_read("g", "T"), expected);
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_group_starts_where_another_one_stands() {
    let broker = TestBroker::start(&[]).await;
    let state = broker.broker();
    let mut client = broker.connect().await;
    for name in ["T", "U"] {
        state.topics.create_retry_or_dlq(&boostermq_remoting::names::Topic::parse(name).unwrap(), 1, 6, false, 0);
    }
    for topic in ["T", "U", "Gone"] {
        state.offsets.commit("old", topic, QueueId(0), 7);
    }
    let topics = |text: String| json(&text)["topicList"].clone();
    for (to, topic, expected) in [("one", "T", json!(["T"])), ("all", "", json!(["T", "U"]))] {
        let fields = [("srcGroup", "old"), ("destGroup", to), ("topic", topic), ("offline", "true")];
        client.ask_ok(CLONE, &fields, "").await;
        assert_eq!(topics(client.ask_ok(TOPICS, &[("group", to)], "").await), expected, "{to}");
        assert_eq!(state.offsets.query(to, "T", QueueId(0)), Some(7));
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_group_keeps_its_policy_and_what_this_version_does_not_know() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for policy in [
        json!({"type": "EXPONENTIAL", "exponentialRetryPolicy": {"initial": 5000, "max": 7_200_000, "multiplier": 2}}),
        json!({"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [1000, 5000]}}),
    ] {
        let body = json!({
            "groupName": "g", "groupRetryPolicy": policy, "retryQueueNums": 3, "newer": {"kept": [1]},
            "subscriptionDataSet": [{"expression": "A", "expressionType": "TAG", "topic": "T", "version": 4}],
        });
        client.ask_ok(UPDATE, &[], &body.to_string()).await;
        let stored = json(&client.ask_ok(ONE, &[("group", "g")], "").await);
        for key in ["groupRetryPolicy", "retryQueueNums", "newer", "subscriptionDataSet"] {
            assert_eq!(stored[key], body[key], "{key}");
        }
    }
    broker.stop().await;
}
