//! Tests of questions passed on to consumers, against a whole broker.

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::record::Record;

use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

async fn consumer(broker: &TestBroker) -> TestClient {
    let mut client = broker.connect().await;
    client.ask_ok(34, &[], &heartbeat("c1", "g", "CLUSTERING", &["T"])).await;
    assert_eq!(client.pushed().await.code, 40);
    client
}

#[tokio::test]
async fn a_consumer_answers_an_operator() {
    let broker = TestBroker::start(&[]).await;
    let (mut client, mut operator) = (consumer(&broker).await, broker.connect().await);
    let fields =
        [("consumerGroup", "g"), ("clientId", "c1"), ("jstackEnable", "true"), ("AccessKey", "a"), ("Signature", "s")];
    let opaque = operator.send(307, &fields, "").await;
    let question = client.pushed().await;
    assert_eq!(question.code, 307);
    assert!(!question.is_one_way());
    let mut passed: Vec<(&str, &str)> =
        question.fields.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    passed.sort_unstable();
    assert_eq!(passed, [("clientId", "c1"), ("consumerGroup", "g"), ("jstackEnable", "true")]);
    // The operator's connection goes on while the consumer thinks.
    let other = operator.send(38, &[("consumerGroup", "g")], "").await;
    assert_eq!(operator.next_answer().await.opaque, other);
    client.answer(&question, "said", r#"{"mqTable":{{"queueId":0}:{}}}"#).await;
    let answer = operator.next_answer().await;
    assert_eq!((answer.opaque, answer.response_code()), (opaque, ResponseCode::SUCCESS));
    assert_eq!(answer.remark.as_deref(), Some("said"));
    assert_eq!(&answer.body[..], br#"{"mqTable":{{"queueId":0}:{}}}"#);
    broker.stop().await;
}

#[tokio::test]
async fn a_consumer_is_made_to_consume_a_message() {
    let broker = TestBroker::start(&[]).await;
    let (mut client, mut operator) = (consumer(&broker).await, broker.connect().await);
    let send = [
        ("producerGroup", "p"),
        ("topic", "T"),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "1"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", "1"),
        ("flag", "0"),
    ];
    let sent = operator.ask(10, &send, "hello").await;
    assert_eq!(sent.response_code(), ResponseCode::SUCCESS, "{:?}", sent.remark);
    let id = sent.field("msgId").unwrap();
    let fields = [("consumerGroup", "g"), ("clientId", "c1"), ("msgId", id), ("topic", "T"), ("brokerName", "x")];
    operator.send(309, &fields, "").await;
    let question = client.pushed().await;
    assert_eq!(question.code, 309);
    for (name, value) in
        [("brokerName", "broker-t"), ("topicSysFlag", "0"), ("groupSysFlag", "0"), ("msgId", id), ("topic", "T")]
    {
        assert_eq!(question.field(name), Some(value), "{name}");
    }
    assert_eq!(question.fields.iter().filter(|(name, _)| name == "brokerName").count(), 1);
    let record = Record::parse(&question.body).unwrap();
    assert_eq!(record.body(), b"hello");
    client.answer(&question, "", r#"{"consumeResult":"CR_SUCCESS"}"#).await;
    assert_eq!(&operator.next_answer().await.body[..], br#"{"consumeResult":"CR_SUCCESS"}"#);
    broker.stop().await;
}

#[tokio::test]
async fn an_operator_hears_why_a_consumer_was_not_asked() {
    let broker = TestBroker::start(&[]).await;
    let (client, mut operator) = (consumer(&broker).await, broker.connect().await);
    let id = "7F00000100002A9F00000000000FFFFF";
    for (code, client_id, message_id, expected, word) in [
        (307, "c2", "", ResponseCode::SYSTEM_ERROR, "The Consumer <g> <c2> not online"),
        (309, "c1", "xyz", ResponseCode::INVALID_PARAMETER, "xyz"),
        (309, "c1", id, ResponseCode::SYSTEM_ERROR, id),
    ] {
        let fields = [("consumerGroup", "g"), ("clientId", client_id), ("msgId", message_id)];
        let answer = operator.ask(code, &fields, "").await;
        assert_eq!(answer.response_code(), expected, "{:?}", answer.remark);
        assert!(answer.remark.as_deref().unwrap_or_default().contains(word), "{:?}", answer.remark);
    }
    // A consumer that goes away in the middle.
    let opaque = operator.send(307, &[("consumerGroup", "g"), ("clientId", "c1")], "").await;
    let mut client = client;
    assert_eq!(client.pushed().await.code, 307);
    drop(client);
    let answer = operator.next_answer().await;
    assert_eq!((answer.opaque, answer.response_code()), (opaque, ResponseCode::SYSTEM_ERROR));
    broker.stop().await;
}

#[tokio::test]
async fn consumers_tell_how_far_they_are() {
    let broker = TestBroker::start(&[]).await;
    let mut operator = broker.connect().await;
    let fields = [("topic", "T"), ("group", "g")];
    let answer = operator.ask(223, &fields, "").await;
    let remark = "No Any Consumer online in the consumer group: [g]";
    assert_eq!((answer.code, answer.remark.as_deref()), (1, Some(remark)));

    let mut members = Vec::new();
    for client_id in ["a", "b", "c"] {
        let mut client = broker.connect().await;
        client.ask_ok(34, &[], &heartbeat(client_id, "g", "CLUSTERING", &["T"])).await;
        members.push(client);
    }
    operator.send(223, &fields, "").await;
    for (client, number) in members.iter_mut().zip(0..) {
        let question = asked(client).await;
        assert_eq!((question.field("topic"), question.field("group")), (Some("T"), Some("g")));
        assert!(!question.is_one_way());
        match number {
            0 => {
                client
                    .answer(&question, "", r#"{"messageQueueTable":{{"queueId":7,"brokerName":"b","topic":"T"}:9}}"#)
                    .await
            }
            1 => client.refuse(&question, 1, "not now").await,
            _ => client.answer(&question, "", "no table").await,
        }
    }
    let answer = operator.next_answer().await;
    assert_eq!(answer.code, 0, "{:?}", answer.remark);
    // Who refuses, and who talks nonsense, is left out.
    let expected = r#"{"consumerTable":{"a":{{"brokerName":"b","queueId":7,"topic":"T"}:9}},"messageQueueTable":{}}"#;
    assert_eq!(std::str::from_utf8(&answer.body).unwrap(), expected);

    // One of them by name.
    let opaque = operator.send(223, &[fields[0], fields[1], ("clientAddr", "b")], "").await;
    let question = asked(&mut members[1]).await;
    members[1].answer(&question, "", r#"{"messageQueueTable":{}}"#).await;
    let answer = operator.next_answer().await;
    assert_eq!(answer.opaque, opaque);
    assert_eq!(std::str::from_utf8(&answer.body).unwrap(), r#"{"consumerTable":{"b":{}},"messageQueueTable":{}}"#);
    broker.stop().await;
}

/// The next question for offsets; news of the group are passed over.
async fn asked(client: &mut TestClient) -> boostermq_remoting::command::RemotingCommand {
    loop {
        let pushed = client.pushed().await;
        if pushed.code == 221 {
            return pushed;
        }
        assert_eq!(pushed.code, 40);
    }
}

#[tokio::test]
async fn what_consumers_tell_is_bounded() {
    let broker = TestBroker::start(&[]).await;
    let mut operator = broker.connect().await;
    let mut members = Vec::new();
    for client_id in ["a", "b"] {
        let mut client = broker.connect().await;
        client.ask_ok(34, &[], &heartbeat(client_id, "g", "CLUSTERING", &["T"])).await;
        members.push(client);
    }
    operator.send(223, &[("topic", "T"), ("group", "g")], "").await;
    let padding = " ".repeat(super::STATUS_BYTES_MAX - 100);
    for client in &mut members {
        let question = asked(client).await;
        client.answer(&question, "", &format!(r#"{{"messageQueueTable":{{}}}}{padding}"#)).await;
    }
    let answer = operator.next_answer().await;
    assert_eq!(answer.code, 0);
    assert_eq!(std::str::from_utf8(&answer.body).unwrap(), r#"{"consumerTable":{"a":{}},"messageQueueTable":{}}"#);
    broker.stop().await;
}
