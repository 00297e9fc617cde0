//! Tests of light queues, against a whole broker.

use boostermq_remoting::message::Message;

use crate::clients::fixture::messages::{Pulling, SUBSCRIPTION, SUSPEND, Sending, batch, bodies, number};
use crate::clients::fixture::{TestBroker, TestClient};

const ON: [(&str, &str); 2] = [("enableLmq", "true"), ("enableMultiDispatch", "true")];

async fn send(client: &mut TestClient, body: &str, properties: &[(&str, &str)]) {
    client.store(&Sending { body: body.as_bytes(), properties, ..Sending::default() }).await;
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| std::str::from_utf8(&message.body).unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_pulled_from_each_light_queue() {
    let broker = TestBroker::start(&ON).await;
    let mut client = broker.connect().await;
    send(&mut client, "one", &[("INNER_MULTI_DISPATCH", "%LMQ%a,%LMQ%$p$c"), ("TAGS", "x")]).await;
    send(&mut client, "plain", &[]).await;
    let body = batch(&[("two", &[("INNER_MULTI_DISPATCH", "%LMQ%a")]), ("three", &[])]);
    client.store(&Sending { code: 320, is_batch: true, body: &body, ..Sending::default() }).await;
    send(&mut client, "four", &[("INNER_MULTI_DISPATCH", "%LMQ%$p$c,%LMQ%a"), ("INNER_MULTI_QUEUE_OFFSET", "7,7")])
        .await;
    broker.dispatched().await;
    assert_eq!(texts(&client.everything("%LMQ%a", 0).await), ["one", "two", "four"]);
    assert_eq!(texts(&client.everything("%LMQ%$p$c", 0).await), ["one", "four"]);
    assert_eq!(texts(&client.everything("T", 0).await), ["one", "plain", "two", "three", "four"]);
    let four = client.wait_for("%LMQ%a", 0, 2).await;
    // The message is that of its topic, and tells of all its places.
    assert_eq!((four[0].topic.as_str(), four[0].queue_offset.0), ("T", 4));
    assert_eq!(four[0].properties.get("INNER_MULTI_QUEUE_OFFSET"), Some("1,2"));

    for (code, field, expected) in [(30, "offset", 3), (31, "offset", 0)] {
        let answer = client.ask(code, &[("topic", "%LMQ%a"), ("queueId", "0")], "").await;
        assert_eq!(number(&answer, field), expected, "{code}");
    }
    let pulling = Pulling { topic: "%LMQ%a", expression: "x", ..Pulling::default() };
    assert_eq!(bodies(&client.pull(&pulling).await), ["one"]);
    let other = Pulling { topic: "%LMQ%a", queue_id: 1, ..Pulling::default() };
    assert_eq!(client.pull(&other).await.code, 29);
    let nothing = Pulling { topic: "%LMQ%nobody", ..Pulling::default() };
    let answer = client.pull(&nothing).await;
    assert_eq!((answer.code, number(&answer, "nextBeginOffset")), (19, 0), "{answer:?}");
    for name in ["%LMQ%a/..", "%LMQ%", "%LMQ%\u{1}"] {
        assert_eq!(client.pull(&Pulling { topic: name, ..Pulling::default() }).await.code, 17, "{name:?}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_held_pull_of_a_light_queue_is_answered() {
    let broker = TestBroker::start(&ON).await;
    let (mut client, mut waiting) = (broker.connect().await, broker.connect().await);
    for (group, name) in [("g", "%LMQ%a"), ("%LMQ%g", "%LMQ%b")] {
        let flags = SUSPEND | SUBSCRIPTION;
        let pulling = Pulling { group, topic: name, flags, ..Pulling::default() };
        let mut command = pulling.request();
        waiting.put(&mut [&mut command]).await;
        send(&mut client, name, &[("INNER_MULTI_DISPATCH", name)]).await;
        assert_eq!(bodies(&waiting.next_answer().await), [name]);
    }
    broker.stop().await;
}

#[tokio::test]
async fn offsets_of_light_queues_outlive_the_broker() {
    let broker = TestBroker::start(&ON).await;
    let mut client = broker.connect().await;
    let both = [("INNER_MULTI_DISPATCH", "%LMQ%a,%LMQ%b")];
    for body in ["one", "two", "three"] {
        send(&mut client, body, &both).await;
    }
    let place = |group| [("consumerGroup", group), ("topic", "%LMQ%a"), ("queueId", "0")];
    for (group, offset) in [("%LMQ%g", "2"), ("g", "1")] {
        // Ordinary groups have to be there; a pull makes them.
        client.pull(&Pulling { group, topic: "%LMQ%a", ..Pulling::default() }).await;
        client.ask_ok(15, &[&place(group)[..], &[("commitOffset", offset)]].concat(), "").await;
    }
    let broker = broker.restart(&ON).await;
    let mut client = broker.connect().await;
    for (group, offset) in [("%LMQ%g", 2), ("g", 1)] {
        assert_eq!(number(&client.ask(14, &place(group), "").await, "offset"), offset, "{group}");
    }
    send(&mut client, "four", &both).await;
    broker.dispatched().await;
    assert_eq!(texts(&client.everything("%LMQ%b", 0).await), ["one", "two", "three", "four"]);
    broker.stop().await;
}

#[tokio::test]
async fn lists_that_cannot_be_are_refused_with_a_word_why() {
    let limited = [ON[0], ON[1], ("enableLmqQuota", "true"), ("maxLmqConsumeQueueNum", "3")];
    let broker = TestBroker::start(&limited).await;
    let mut client = broker.connect().await;
    let thousand: String = (0..1000).map(|number| format!("%LMQ%{number},")).collect();
    for (list, code, word) in [
        ("../../etc/passwd", 13, "../../etc/passwd"),
        ("%LMQ%../../etc", 13, "%LMQ%../../etc"),
        ("%LMQ%a/b", 13, "%LMQ%a/b"),
        ("%LMQ%a,other", 13, "other"),
        ("%LMQ%", 13, "cannot name a light queue"),
        (thousand.as_str(), 1, "[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]"),
    ] {
        for properties in [&[("INNER_MULTI_DISPATCH", list)][..], &[("INNER_MULTI_DISPATCH", list), ("DELAY", "1")]] {
            let answer = client.ask_command(Sending { properties, ..Sending::default() }.request()).await;
            assert_eq!(answer.code, code, "{list}: {:?}", answer.remark);
            assert!(answer.remark.unwrap().contains(word), "{list}");
        }
        let body = batch(&[("good", &[]), ("bad", &[("INNER_MULTI_DISPATCH", list)])]);
        let sending = Sending { code: 320, is_batch: true, body: &body, ..Sending::default() };
        assert_eq!(client.ask_command(sending.request()).await.code, code, "{list} in a batch");
    }
    send(&mut client, "good", &[("INNER_MULTI_DISPATCH", ",%LMQ%a,,%LMQ%a,%LMQ%b,%LMQ%c")]).await;
    let one_more = [("INNER_MULTI_DISPATCH", "%LMQ%d")];
    assert_eq!(client.ask_command(Sending { properties: &one_more, ..Sending::default() }.request()).await.code, 1);
    send(&mut client, "known", &[("INNER_MULTI_DISPATCH", "%LMQ%c")]).await;
    broker.dispatched().await;
    assert_eq!(texts(&client.everything("T", 0).await), ["good", "known"], "nothing is stored half");
    assert_eq!(texts(&client.everything("%LMQ%c", 0).await), ["good", "known"]);
    assert!(!broker.dir().join("store/etc").exists());
    broker.stop().await;
}

#[tokio::test]
async fn without_the_settings_it_is_a_property_like_others() {
    for keys in [&ON[..0], &ON[..1], &ON[1..]] {
        let broker = TestBroker::start(keys).await;
        let mut client = broker.connect().await;
        let properties = [("INNER_MULTI_DISPATCH", "%LMQ%a,other/../x")];
        send(&mut client, "one", &properties).await;
        let all = client.wait_for("T", 0, 0).await;
        assert_eq!(all[0].properties.get("INNER_MULTI_DISPATCH"), Some(properties[0].1));
        assert_eq!(all[0].properties.get("INNER_MULTI_QUEUE_OFFSET"), None);
        let code = if keys == &ON[..1] { 19 } else { 17 };
        assert_eq!(client.pull(&Pulling { topic: "%LMQ%a", ..Pulling::default() }).await.code, code, "{keys:?}");
        broker.stop().await;
    }
}

#[tokio::test]
async fn light_queues_are_counted_together_unless_each_is_wanted() {
    for (each, expected) in [("false", (Some(30), None)), ("true", (None, Some(1)))] {
        let broker = TestBroker::start(&[ON[0], ON[1], ("enableLmqStats", each)]).await;
        let mut client = broker.connect().await;
        for number in 0..30 {
            let name = format!("%LMQ%{number}");
            send(&mut client, "counted", &[("INNER_MULTI_DISPATCH", &name)]).await;
            broker.dispatched().await;
            assert_eq!(bodies(&client.pull(&Pulling { topic: &name, ..Pulling::default() }).await), ["counted"]);
        }
        let total = |key: &str| broker.broker().stats.items.find("GROUP_GET_NUMS", key).map(|item| item.total());
        assert_eq!((total("%LMQ%@g"), total("%LMQ%7@g")), expected);
        broker.stop().await;
    }
}

/// What waits is in light queues when it is delivered, and only then; what is rolled back, or given up, never.
#[tokio::test]
async fn what_waits_comes_into_light_queues_when_it_is_delivered() {
    let (broker, clock) = TestBroker::start_timeless(&ON).await;
    let mut client = broker.connect().await;
    let light = ("INNER_MULTI_DISPATCH", "%LMQ%a");
    send(&mut client, "delayed", &[light, ("DELAY", "1")]).await;
    let half = [light, ("TRAN_MSG", "true"), ("PGROUP", "p"), ("UNIQ_KEY", "u1")];
    let sent = client.store(&Sending { body: b"half", properties: &half, ..Sending::default() }).await;
    broker.dispatched().await;
    assert!(client.everything("%LMQ%a", 0).await.is_empty(), "nothing is delivered");
    let physical = i64::from_str_radix(&sent.field("msgId").unwrap()[16..], 16).unwrap().to_string();
    let offset = number(&sent, "queueOffset").to_string();
    let end = [
        ("producerGroup", "p"),
        ("tranStateTableOffset", offset.as_str()),
        ("commitLogOffset", physical.as_str()),
        ("commitOrRollback", "8"),
        ("fromTransactionCheck", "false"),
        ("msgId", "u1"),
        ("transactionId", "u1"),
    ];
    client.ask_ok(37, &end, "").await;
    let first = client.wait_for("%LMQ%a", 0, 0).await;
    assert_eq!(texts(&first), ["half"]);
    clock.advance(1000);
    let second = client.wait_for("%LMQ%a", 0, 1).await;
    assert_eq!(texts(&second), ["delayed"]);
    broker.stop().await;
}
