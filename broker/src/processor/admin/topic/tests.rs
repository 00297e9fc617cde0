//! Tests of what operators do with topics, against a whole broker.

use boostermq_remoting::command::RemotingCommand;
use serde_json::{Value, json};

use crate::clients::fixture::{TestBroker, TestClient};

const CREATE: i32 = 17;
const CREATE_LIST: i32 = 18;
const ALL: i32 = 21;
const STATS: i32 = 202;
const DELETE: i32 = 215;
const ONE: i32 = 351;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn create(client: &mut TestClient, topic: &str, more: &[(&'static str, &str)]) -> RemotingCommand {
    let mut fields = vec![
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "4"),
        ("writeQueueNums", "4"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    fields.extend(more);
    client.ask(CREATE, &fields, "").await
}

#[tokio::test]
async fn topics_are_made_and_changed_or_refused_with_upstreams_codes() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let long = "t".repeat(128);
    for (topic, more, code, remark) in [
        ("Orders", &[][..], 0, ""),
        ("Orders", &[("attributes", "+message.type=FIFO"), ("order", "true")][..], 0, ""),
        ("Orders", &[("attributes", "+message.type=MIXED")][..], 29, "MIXED message type is not supported."),
        ("Orders", &[("attributes", "+color=red")][..], 1, "unsupported key: color"),
        ("Orders", &[("attributes", "color=red")][..], 1, "add/alter attribute format is wrong: color=red"),
        (
            "Orders",
            &[("writeQueueNums", "-1")][..],
            29,
            "writeQueueNums of topic[Orders] is -1; it must be from 0 to 65536",
        ),
        ("Orders", &[("perm", "8")][..], 29, "perm of topic[Orders] is 8; it must be from 0 to 7"),
        ("TBW102", &[][..], 29, "The topic[TBW102] is conflict with system topic."),
        ("rmq_sys_x", &[][..], 29, "The topic[rmq_sys_x] is conflict with system topic."),
        ("a b", &[][..], 29, "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
        (&long, &[][..], 29, "The specified topic is longer than topic max length 127."),
    ] {
        let answer = create(&mut client, topic, more).await;
        assert_eq!((answer.code, answer.remark.as_deref().unwrap_or_default()), (code, remark), "{topic} {more:?}");
    }
    let body = client.ask_ok(ONE, &[("topic", "Orders"), ("lo", "true")], "").await;
    assert_eq!(
        body,
        r#"{"attributes":{"message.type":"FIFO"},"order":true,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"Orders","topicSysFlag":0,"writeQueueNums":4}"#
    );
    assert_eq!(client.ask(ONE, &[("topic", "Unknown")], "").await.code, 17);
    broker.stop().await;
}

#[tokio::test]
async fn a_list_is_made_whole_or_not_at_all() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let list = |second: &str| {
        let topic = |name: &str| json!({"topicName": name, "readQueueNums": 2, "writeQueueNums": 2, "perm": 6});
        json!({"topicConfigList": [topic("A"), topic(second)]}).to_string()
    };
    for second in ["SELF_TEST_TOPIC", "b b"] {
        assert_eq!(client.ask(CREATE_LIST, &[], &list(second)).await.code, 29, "{second}");
    }
    assert_eq!(client.ask(CREATE_LIST, &[], "{").await.code, 1);
    assert!(broker.broker().topics.find("A").is_none());
    client.ask_ok(CREATE_LIST, &[], &list("B")).await;
    client.ask_ok(CREATE_LIST, &[], &list("C")).await;
    for name in ["A", "B", "C"] {
        assert!(broker.broker().topics.find(name).is_some(), "{name}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_deleted_topic_leaves_nothing() {
    let broker = TestBroker::start(&[]).await;
    let state = broker.broker();
    let mut client = broker.connect().await;
    for name in ["Orders", "%RETRY%g_Orders", "%RETRY%g+Orders", "%RETRY%g"] {
        // A plus cannot stand in a name that a client asks for; pop makes it by itself.
        state.topics.create_retry_or_dlq(
            &boostermq_remoting::names::Topic::parse_stored(name).unwrap(),
            1,
            6,
            false,
            0,
        );
    }
    state.groups.find_or_create("g").unwrap();
    let send = [
        ("producerGroup", "p"),
        ("topic", "Orders"),
        ("defaultTopic", ""),
        ("defaultTopicQueueNums", "1"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", "1"),
        ("flag", "0"),
    ];
    client.ask_ok(10, &send, "hello").await;
    let commit = [("consumerGroup", "g"), ("topic", "Orders"), ("queueId", "0"), ("commitOffset", "1")];
    client.ask_ok(15, &commit, "").await;
    for (topic, code) in [("", 29), (" ", 29), ("TBW102", 29), ("Orders", 0), ("Orders", 0), ("Unknown", 0)] {
        assert_eq!(client.ask(DELETE, &[("topic", topic)], "").await.code, code, "{topic:?}");
    }
    for name in ["Orders", "%RETRY%g_Orders", "%RETRY%g+Orders"] {
        assert!(state.topics.find(name).is_none(), "{name}");
    }
    assert!(state.topics.find("%RETRY%g").is_some());
    assert!(state.offsets.topics_of("g").is_empty());
    assert!(!state.store.topics().iter().any(|topic| topic.as_str() == "Orders"));
    assert_eq!(client.ask(10, &send, "hello").await.code, 17, "nobody sends to it any more");
    broker.stop().await;
}

#[tokio::test]
async fn tables_come_whole_or_in_pages() {
    let broker = TestBroker::start(&[("splitMetadataSize", "10")]).await;
    let mut client = broker.connect().await;
    let whole = client.ask(ALL, &[], "").await;
    let total: usize = whole.field("totalTopicNum").unwrap().parse().unwrap();
    let whole = json(std::str::from_utf8(&whole.body).unwrap());
    assert_eq!(whole["topicConfigTable"].as_object().unwrap().len(), total);
    let mut collected = serde_json::Map::new();
    let mut version = String::new();
    while collected.len() < total {
        let seq = collected.len().to_string();
        let fields = [("topicSeq", seq.as_str()), ("maxTopicNum", "2000"), ("dataVersion", &version)];
        let page = json(&client.ask_ok(ALL, &fields, "").await);
        let entries = page["topicConfigTable"].as_object().unwrap();
        assert!((1..=10).contains(&entries.len()));
        collected.extend(entries.clone());
        version = page["dataVersion"].to_string();
    }
    assert_eq!(Value::Object(collected), whole["topicConfigTable"]);
    broker.stop().await;
}

#[tokio::test]
async fn statistics_list_every_queue() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    create(&mut client, "Orders", &[("readQueueNums", "1"), ("writeQueueNums", "2")]).await;
    assert_eq!(
        client.ask_ok(STATS, &[("topic", "Orders")], "").await,
        r#"{"offsetTable":{{"brokerName":"broker-t","queueId":0,"topic":"Orders"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0},{"brokerName":"broker-t","queueId":1,"topic":"Orders"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}},"topicPutTps":0.0}"#
    );
    assert_eq!(client.ask(STATS, &[("topic", "Unknown")], "").await.code, 17);
    let system = json(&client.ask_ok(305, &[], "").await);
    assert!(system["topicList"].as_array().unwrap().contains(&"TBW102".into()));
    broker.stop().await;
}
