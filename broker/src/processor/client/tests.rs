//! Tests of what clients say of themselves, and of what operators are told about it, against a whole broker.

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::command::RemotingCommand;
use serde_json::{Value, json};

use super::*;
use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

const HEART_BEAT: i32 = 34;
const CLUSTERING: &str = "CLUSTERING";

fn remark(answer: &RemotingCommand) -> &str {
    answer.remark.as_deref().unwrap_or_default()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_heartbeat_makes_group_retry_topic_and_membership() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let answer = client.ask(HEART_BEAT, &[], &heartbeat("c1", "g", CLUSTERING, &["T", "%RETRY%g"])).await;
    assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
    for name in ["IS_SUPPORT_HEART_BEAT_V2", "IS_SUB_CHANGE"] {
        assert_eq!(answer.field(name), Some("true"));
    }
    let state = broker.broker();
    assert!(state.groups.find("g").is_some());
    let retry = state.topics.find("%RETRY%g").unwrap();
    assert_eq!((retry.read_queue_nums, retry.write_queue_nums, retry.perm, retry.order), (1, 1, 6, false));
    assert!(state.consumers.find("g").unwrap().subscription("T").is_some());
    assert!(state.consumers.find("g").unwrap().subscription("U").is_none());
    broker.stop().await;
}

#[tokio::test]
async fn a_heartbeat_names_nothing_that_may_not_be_made() {
    let broker =
        TestBroker::start(&[("autoCreateSubscriptionGroup", "false"), ("rejectPullConsumerEnable", "true")]).await;
    let mut client = broker.connect().await;
    client.ask_ok(HEART_BEAT, &[], &heartbeat("c1", "g", CLUSTERING, &["T"])).await;
    // The producer of the same heartbeat is there.
    assert!(broker.broker().producers.members("g_p").is_some());
    let pulls = heartbeat("c1", "TOOLS_CONSUMER", CLUSTERING, &[]).replace("CONSUME_PASSIVELY", "CONSUME_ACTIVELY");
    client.ask_ok(HEART_BEAT, &[], &pulls).await;
    for group in ["g", "TOOLS_CONSUMER"] {
        let answer = client.ask(38, &[("consumerGroup", group)], "").await;
        assert_eq!(answer.response_code(), ResponseCode::SYSTEM_ERROR);
        assert_eq!(remark(&answer), format!("no consumer for this group, {group}"));
        assert!(broker.broker().topics.find(&format!("%RETRY%{group}")).is_none());
    }
    broker.stop().await;
}

#[tokio::test]
async fn heartbeats_with_fingerprints_are_short_until_something_differs() {
    let broker = TestBroker::start(&[]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    let beat = |client: &str, fingerprint: i32, is_short: bool| {
        let mut beat = json(&heartbeat(client, "g", CLUSTERING, &["T"]));
        beat["heartbeatFingerprint"] = json!(fingerprint);
        if is_short {
            beat["withoutSub"] = json!(true);
            beat["consumerDataSet"][0]["subscriptionDataSet"] = json!([]);
        }
        beat.to_string()
    };
    let (full, short) = (
        |client: &str, fingerprint: i32| beat(client, fingerprint, false),
        |client: &str, fingerprint: i32| beat(client, fingerprint, true),
    );
    for (is_first, body, is_changed) in [
        (true, short("c1", 7), "true"),
        (true, full("c1", 7), "false"),
        (true, short("c1", 7), "false"),
        (false, full("c2", 7), "false"),
        (false, short("c2", 8), "true"),
        (true, short("c1", 7), "false"),
    ] {
        let client = if is_first { &mut first } else { &mut second };
        let answer = client.ask(HEART_BEAT, &[], &body).await;
        assert_eq!(answer.field("IS_SUB_CHANGE"), Some(is_changed), "{body}");
    }
    let group = broker.broker().consumers.find("g").unwrap();
    assert!(group.subscription("T").is_some());
    assert_eq!(group.members().len(), 2);
    broker.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let many: Vec<String> = (0..=SUBSCRIPTIONS_MAX).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let too_many = heartbeat("c", "g", CLUSTERING, &many);
    let (parameter, system) = (ResponseCode::INVALID_PARAMETER, ResponseCode::SYSTEM_ERROR);
    for (code, body, expected, word) in [
        (HEART_BEAT, r#"{"clientID":"c""#, system, "HEART_BEAT"),
        (HEART_BEAT, "", system, "HEART_BEAT"),
        (HEART_BEAT, "{}", parameter, "clientID"),
        (HEART_BEAT, &too_many, parameter, "subscriptions"),
        (41, r#"{"mqSet":7}"#, system, "LOCK_BATCH_MQ"),
        (41, r#"{"clientId":"c","consumerGroup":"a b"}"#, parameter, "group"),
        (41, r#"{"consumerGroup":"g"}"#, parameter, "clientId"),
        (42, r#"{"mqSet":[7]}"#, system, "UNLOCK_BATCH_MQ"),
        (46, "x", system, "CHECK_CLIENT_CONFIG"),
    ] {
        let answer = client.ask(code, &[], body).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.response_code(), expected, "{shown} {:?}", answer.remark);
        assert!(remark(&answer).contains(word), "{shown} {:?}", answer.remark);
    }
    assert!(broker.broker().consumers.find("g").is_none());
    broker.stop().await;
}

async fn lock(client: &mut TestClient, code: i32, id: &str, queues: &[i32]) -> Value {
    let set: Vec<Value> =
        queues.iter().map(|queue| json!({"brokerName": "b", "queueId": queue, "topic": "T"})).collect();
    let body = json!({"clientId": id, "consumerGroup": "g", "mqSet": set}).to_string();
    let answer = client.ask_ok(code, &[], &body).await;
    if answer.is_empty() { Value::Null } else { json(&answer)["lockOKMQSet"].clone() }
}

#[tokio::test]
async fn queues_are_locked_for_one_client() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let queue = |id: i32| json!({"brokerName": "b", "queueId": id, "topic": "T"});
    assert_eq!(lock(&mut client, 41, "c1", &[0, 1]).await, json!([queue(0), queue(1)]));
    assert_eq!(lock(&mut client, 41, "c2", &[1]).await, json!([]));
    assert_eq!(lock(&mut client, 42, "c2", &[1]).await, Value::Null);
    assert_eq!(lock(&mut client, 41, "c2", &[1, 2]).await, json!([queue(2)]));
    assert!(broker.broker().locks.has_live_lock("g"));
    assert_eq!(lock(&mut client, 42, "c1", &[0, 1]).await, Value::Null);
    assert_eq!(lock(&mut client, 41, "c2", &[0, 1]).await, json!([queue(0), queue(1)]));
    broker.stop().await;
}

#[tokio::test]
async fn filters_are_checked_before_a_consumer_starts() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let body = |kind: &str| {
        json!({"clientId": "c", "group": "g", "subscriptionData": {"topic": "T", "subString": "a", "expressionType": kind}})
            .to_string()
    };
    client.ask_ok(46, &[], &body("TAG")).await;
    client.ask_ok(46, &[], &body("")).await;
    let answer = client.ask(46, &[], &body("SQL92")).await;
    assert_eq!(answer.response_code(), ResponseCode::SYSTEM_ERROR);
    assert_eq!(remark(&answer), "The broker does not support consumer to filter message by SQL92");
    broker.stop().await;
}

#[tokio::test]
async fn operators_see_who_is_connected() {
    let broker = TestBroker::start(&[]).await;
    let (mut client, mut operator) = (broker.connect().await, broker.connect().await);
    client.ask_ok(HEART_BEAT, &[], &heartbeat("c1", "g", CLUSTERING, &["T"])).await;
    let address = broker.broker().consumers.find("g").unwrap().members()[0].connection.peer().to_string();
    let version = boostermq_remoting::code::VERSION;
    let connection = json!({"clientAddr": address, "clientId": "c1", "language": "JAVA", "version": version});
    let subscription = json!({
        "classFilterMode": false, "codeSet": [], "expressionType": "TAG", "subString": "*", "subVersion": 1,
        "tagsSet": [], "topic": "T",
    });
    let shown = operator.ask_ok(203, &[("consumerGroup", "g")], "").await;
    assert_eq!(
        json(&shown),
        json!({
            "connectionSet": [connection], "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
            "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "subscriptionTable": {"T": subscription},
        })
    );
    let shown = operator.ask_ok(204, &[("producerGroup", "g_p")], "").await;
    assert_eq!(json(&shown), json!({"connectionSet": [connection]}));
    let shown = json(&operator.ask_ok(328, &[], "").await);
    assert_eq!(shown["data"]["g_p"][0]["remoteIP"], format!("/{address}"));
    broker.broker().offsets.commit("offline", "T", boostermq_remoting::names::QueueId(0), 1);
    let shown = operator.ask_ok(300, &[("topic", "T")], "").await;
    assert_eq!(shown, r#"{"groupList":["g","offline"]}"#);
    let shown = operator.ask_ok(345, &[("group", "g"), ("topic", "T")], "").await;
    assert_eq!(json(&shown), json!({"group": "g", "subscriptionData": subscription, "topic": "T"}));
    let shown = operator.ask_ok(345, &[("group", "h"), ("topic", "T")], "").await;
    assert_eq!(json(&shown), json!({"group": "h", "topic": "T"}));

    for (code, field, expected, text) in [
        (203, "consumerGroup", ResponseCode::CONSUMER_NOT_ONLINE, "the consumer group[none] not online"),
        (204, "producerGroup", ResponseCode::SYSTEM_ERROR, "the producer group[none] not exist"),
    ] {
        let answer = operator.ask(code, &[(field, "none")], "").await;
        assert_eq!((answer.response_code(), remark(&answer)), (expected, text));
    }
    broker.stop().await;
}

#[tokio::test]
async fn members_that_do_not_want_the_same_are_told_so_and_shown() {
    let broker = TestBroker::start(&[]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    let mut operator = broker.connect().await;
    let beats = [heartbeat("c1", "g", CLUSTERING, &["T"]), heartbeat("c2", "g", CLUSTERING, &["T", "U"])];
    let how = "c2 subscribes to U, c1 does not";
    for (is_first, expected) in [(true, None), (false, Some(how)), (true, Some(how))] {
        let (client, beat) = if is_first { (&mut first, &beats[0]) } else { (&mut second, &beats[1]) };
        let answer = client.ask(HEART_BEAT, &[], beat).await;
        assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
        let expected = expected.map(|how| format!("the members of g do not want the same: {how}"));
        assert_eq!(answer.remark, expected);
    }
    let shown = |text: String| json(&text)["subscriptionWarning"].clone();
    assert_eq!(shown(operator.ask_ok(203, &[("consumerGroup", "g")], "").await), json!(how));
    second.ask_ok(35, &[("clientID", "c2"), ("consumerGroup", "g")], "").await;
    assert_eq!(shown(operator.ask_ok(203, &[("consumerGroup", "g")], "").await), Value::Null);
    assert_eq!(first.ask(HEART_BEAT, &[], &beats[0]).await.remark, None);
    broker.stop().await;
}
