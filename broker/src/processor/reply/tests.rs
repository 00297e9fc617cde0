//! Tests of replies handed over, against a whole broker.

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::record::Record;
use boostermq_remoting::offsets::PhysicalOffset;

use crate::clients::fixture::{TestBroker, TestClient};

const REPLY_TOPIC: &str = "DefaultCluster_REPLY_TOPIC";

fn properties(to: &str) -> String {
    format!("MSG_TYPE\u{1}reply\u{2}CORRELATION_ID\u{1}17\u{2}{to}TTL\u{1}3000\u{2}")
}

fn to(client_id: &str) -> String {
    properties(&format!("REPLY_TO_CLIENT\u{1}{client_id}\u{2}"))
}

fn short_names(properties: &str) -> [(&'static str, &str); 10] {
    [
        ("a", "answerers"),
        ("b", REPLY_TOPIC),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "0"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "5"),
        ("i", properties),
        ("j", "0"),
    ]
}

/// A client that waits for a reply: known by the heartbeat of its producer.
async fn asker(broker: &TestBroker) -> TestClient {
    let mut client = broker.connect().await;
    let body = r#"{"clientID":"asker@1","consumerDataSet":[],"producerDataSet":[{"groupName":"askers"}]}"#;
    client.ask_ok(34, &[], body).await;
    client
}

#[tokio::test]
async fn a_reply_reaches_the_client_that_asked_and_is_kept() {
    let broker = TestBroker::start(&[]).await;
    let (mut asker, mut answerer) = (asker(&broker).await, broker.connect().await);
    let given = to("asker@1");
    let opaque = answerer.send(325, &short_names(&given), "the answer").await;
    let pushed = asker.pushed().await;
    assert_eq!(pushed.code, 326);
    assert_eq!(&pushed.body[..], b"the answer");
    let field = |name: &str| pushed.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    for (name, value) in [
        ("producerGroup", "answerers"),
        ("topic", REPLY_TOPIC),
        ("defaultTopic", "TBW102"),
        ("queueId", "0"),
        ("flag", "5"),
        ("bornTimestamp", "1700000000000"),
    ] {
        assert_eq!(field(name), Some(value), "{name}");
    }
    let properties = field("properties").unwrap();
    assert!(properties.starts_with(given.trim_end_matches('\u{2}')), "{properties:?}");
    assert!(properties.contains("PUSH_REPLY_TIME\u{1}"), "{properties:?}");
    assert!(field("bornHost").is_some_and(|host| host.starts_with("127.0.0.1:")), "{:?}", field("bornHost"));

    asker.answer(&pushed, "", "").await;
    let answer = answerer.next_answer().await;
    assert_eq!((answer.opaque, answer.response_code()), (opaque, ResponseCode::SUCCESS), "{:?}", answer.remark);
    let field = |name: &str| answer.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((field("queueId"), field("queueOffset")), (Some("0"), Some("0")));
    assert_eq!((field("MSG_REGION"), field("TRACE_ON")), (Some("DefaultRegion"), Some("true")));
    assert_eq!(field("msgId").map(str::len), Some(32));
    let kept = broker.broker().store.record_at(PhysicalOffset(0)).unwrap();
    let record = Record::parse(&kept).unwrap();
    assert_eq!((record.topic(), record.body()), (REPLY_TOPIC, &b"the answer"[..]));
    assert_eq!(record.properties().get("CORRELATION_ID"), Some("17"));
    broker.stop().await;
}

#[tokio::test]
async fn what_cannot_be_handed_over_is_said_and_kept_all_the_same() {
    let broker = TestBroker::start(&[]).await;
    let (mut asker, mut answerer) = (asker(&broker).await, broker.connect().await);
    for (number, (properties, remark)) in [
        (to("gone@1"), "push reply message fail, channel of <gone@1> not found."),
        (properties(""), "reply message properties[REPLY_TO_CLIENT] is null"),
    ]
    .into_iter()
    .enumerate()
    {
        answerer.send(325, &short_names(&properties), "x").await;
        let answer = answerer.next_answer().await;
        assert_eq!(answer.response_code(), ResponseCode::SYSTEM_ERROR);
        assert_eq!(answer.remark.as_deref(), Some(remark));
        let offset = answer.fields.iter().find(|(name, _)| name == "queueOffset").map(|(_, value)| value.clone());
        assert_eq!(offset, Some(number.to_string()), "kept behind the one before");
    }
    // The client that asked refuses it, or goes away with the question unanswered.
    answerer.send(325, &short_names(&to("asker@1")), "x").await;
    let pushed = asker.pushed().await;
    asker.refuse(&pushed, 1, "too late").await;
    let answer = answerer.next_answer().await;
    assert_eq!(answer.remark.as_deref(), Some("push reply message to asker@1 fail. too late"));
    answerer.send(325, &short_names(&to("asker@1")), "x").await;
    asker.pushed().await;
    drop(asker);
    let answer = answerer.next_answer().await;
    assert_eq!(answer.response_code(), ResponseCode::SYSTEM_ERROR);
    assert!(answer.remark.unwrap().starts_with("push reply message to asker@1 fail. "));
    broker.stop().await;
}

#[tokio::test]
async fn replies_pass_the_checks_of_sends_and_need_not_be_kept() {
    let broker = TestBroker::start(&[("storeReplyMessageEnable", "false")]).await;
    let (mut asker, mut answerer) = (asker(&broker).await, broker.connect().await);
    let given = to("asker@1");
    let long = |topic: &'static str, queue_id: &'static str| {
        [
            ("producerGroup", "answerers"),
            ("topic", topic),
            ("defaultTopic", "TBW102"),
            ("defaultTopicQueueNums", "4"),
            ("queueId", queue_id),
            ("sysFlag", "0"),
            ("bornTimestamp", "1"),
            ("flag", "0"),
        ]
    };
    for (topic, queue_id, code) in [
        ("bad topic", "0", ResponseCode::INVALID_PARAMETER),
        (REPLY_TOPIC, "77", ResponseCode::INVALID_PARAMETER),
        ("SCHEDULE_TOPIC_XXXX", "0", ResponseCode::NO_PERMISSION),
    ] {
        answerer.send(324, &long(topic, queue_id), "x").await;
        let answer = answerer.next_answer().await;
        assert_eq!(answer.response_code(), code, "{topic}: {:?}", answer.remark);
        assert!(answer.fields.iter().any(|(name, _)| name == "MSG_REGION"), "{topic}");
    }
    let mut fields = long(REPLY_TOPIC, "0").to_vec();
    fields.push(("properties", &given));
    answerer.send(324, &fields, "x").await;
    let pushed = asker.pushed().await;
    asker.answer(&pushed, "", "").await;
    let answer = answerer.next_answer().await;
    assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
    assert_eq!(answer.fields.iter().find(|(name, _)| name == "msgId").map(|(_, id)| id.as_str()), Some("0"));
    assert_eq!(broker.broker().store.max_physical_offset(), PhysicalOffset(0), "nothing is kept");
    broker.stop().await;
}
