//! Tests of held pulls, against a whole broker.

use crate::clients::fixture::messages::{Pulling, SUBSCRIPTION, SUSPEND, Sending, bodies, number};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat, request};

fn held(offset: i64) -> Pulling<'static> {
    Pulling { offset, flags: SUBSCRIPTION | SUSPEND, ..Pulling::default() }
}

/// Asks for something that is to be held, and waits until it is: what follows on a connection is carried out after it.
async fn hold(client: &mut TestClient, pulling: &Pulling<'_>) -> i32 {
    let mut marker = request(30, &[("topic", "T"), ("queueId", "0")], b"");
    let last = client.put(&mut [&mut pulling.request(), &mut marker]).await;
    let answer = client.next_answer().await;
    assert_eq!(answer.opaque, last, "the pull was not held: {answer:?}");
    last - 1
}

async fn with_topic() -> (TestBroker, TestClient, TestClient) {
    let broker = TestBroker::start(&[]).await;
    let (mut producer, consumer) = (broker.connect().await, broker.connect().await);
    producer.store(&Sending { queue_id: 1, ..Sending::default() }).await;
    (broker, producer, consumer)
}

#[tokio::test]
async fn a_held_pull_is_woken_by_a_message_it_wants_and_by_no_other() {
    let (broker, mut producer, mut consumer) = with_topic().await;
    let mut witness = broker.connect().await;
    let wanted = hold(&mut consumer, &Pulling { expression: "A", ..held(0) }).await;
    let other_queue = hold(&mut consumer, &Pulling { queue_id: 2, ..held(0) }).await;
    for (at, tag) in ["B", "", "C"].into_iter().enumerate() {
        hold(&mut witness, &held(at as i64)).await;
        assert_eq!(broker.broker().holds.count(), 3);
        let properties = [("TAGS", tag)];
        producer.store(&Sending { properties: &properties, ..Sending::default() }).await;
        // The witness wants everything: when it has been woken, so would the other.
        assert_eq!(witness.next_answer().await.code, 0);
        assert_eq!(broker.broker().holds.count(), 2, "after {tag}");
    }
    producer.store(&Sending { body: b"mine", properties: &[("TAGS", "A")], ..Sending::default() }).await;
    let answer = consumer.next_answer().await;
    assert_eq!((answer.opaque, answer.code, bodies(&answer)), (wanted, 0, vec!["mine".to_owned()]));
    assert_eq!(number(&answer, "nextBeginOffset"), 4);
    producer.store(&Sending { queue_id: 2, ..Sending::default() }).await;
    assert_eq!(consumer.next_answer().await.opaque, other_queue);
    assert_eq!(broker.broker().holds.count(), 0);
    broker.stop().await;
}

#[tokio::test]
async fn a_pull_is_held_by_the_filter_of_its_groups_heartbeat() {
    let (broker, mut producer, mut consumer) = with_topic().await;
    let beat = heartbeat("c", "g", "CLUSTERING", &["T"])
        .replace("\"*\"", "\"A\"")
        .replace("\"tagsSet\":[]", "\"tagsSet\":[\"A\"]");
    consumer.ask_ok(34, &[], &beat).await;
    let opaque = hold(&mut consumer, &Pulling { flags: SUSPEND, version: 1, ..held(0) }).await;
    producer.store(&Sending { properties: &[("TAGS", "B")], ..Sending::default() }).await;
    broker.dispatched().await;
    assert_eq!(broker.broker().holds.count(), 1);
    producer.store(&Sending { body: b"mine", properties: &[("TAGS", "A")], ..Sending::default() }).await;
    let answer = consumer.next_answer().await;
    assert_eq!((answer.opaque, bodies(&answer)), (opaque, vec!["mine".to_owned()]));
    broker.stop().await;
}

#[tokio::test]
async fn everyone_who_waits_gets_the_message() {
    let (broker, mut producer, mut first) = with_topic().await;
    let mut second = broker.connect().await;
    let expected = [hold(&mut first, &held(0)).await, hold(&mut first, &Pulling { group: "h", ..held(0) }).await];
    hold(&mut second, &held(0)).await;
    producer.store(&Sending { body: b"all", ..Sending::default() }).await;
    let mut opaques = Vec::new();
    for _ in expected {
        let answer = first.next_answer().await;
        assert_eq!(bodies(&answer), ["all"]);
        opaques.push(answer.opaque);
    }
    opaques.sort_unstable();
    assert_eq!(opaques, expected);
    assert_eq!(bodies(&second.next_answer().await), ["all"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_pull_whose_time_is_up_is_told_that_there_is_nothing() {
    let (broker, mut producer, mut consumer) = with_topic().await;
    producer.store(&Sending::default()).await;
    broker.dispatched().await;
    for (pulling, remark, next) in [
        (Pulling { suspend_ms: 1, ..held(1) }, "OFFSET_OVERFLOW_ONE", 1),
        (Pulling { suspend_ms: 1, queue_id: 3, ..held(0) }, "NO_MATCHED_LOGIC_QUEUE", 0),
        (Pulling { suspend_ms: 0, ..held(1) }, "OFFSET_OVERFLOW_ONE", 1),
        (Pulling { suspend_ms: -1, ..held(1) }, "OFFSET_OVERFLOW_ONE", 1),
        (Pulling { suspend_ms: i64::MIN, ..held(1) }, "OFFSET_OVERFLOW_ONE", 1),
    ] {
        let answer = consumer.pull(&pulling).await;
        assert_eq!((answer.code, answer.remark.as_deref()), (19, Some(remark)));
        assert_eq!((number(&answer, "nextBeginOffset"), number(&answer, "suggestWhichBrokerId")), (next, 0));
        assert_eq!(broker.broker().holds.count(), 0);
    }
    // Without long polling the client's wish does not count.
    producer.ask_ok(25, &[], "longPollingEnable=false\nshortPollingTimeMills=1").await;
    assert_eq!(consumer.pull(&Pulling { suspend_ms: 3_600_000, ..held(1) }).await.code, 19);
    broker.stop().await;
}

#[tokio::test]
async fn the_pulls_of_a_closed_connection_are_forgotten() {
    let (broker, mut producer, mut leaving) = with_topic().await;
    let mut staying = broker.connect().await;
    for (client, name) in [(&mut leaving, "c1"), (&mut staying, "c2")] {
        client.ask_ok(34, &[], &heartbeat(name, "g", "CLUSTERING", &["T"])).await;
        client.pushed().await;
    }
    for queue_id in [0, 2, 3] {
        hold(&mut leaving, &Pulling { queue_id, ..held(0) }).await;
    }
    hold(&mut staying, &held(0)).await;
    assert_eq!(broker.broker().holds.count(), 4);
    drop(leaving);
    // Members hear of it after the pulls are gone.
    staying.pushed().await;
    assert_eq!(broker.broker().holds.count(), 1);
    producer.store(&Sending::default()).await;
    assert_eq!(staying.next_answer().await.code, 0);
    assert_eq!(broker.broker().holds.count(), 0);
    broker.stop().await;
}

#[tokio::test]
async fn whoever_waits_when_the_broker_stops_is_answered() {
    let (broker, _producer, mut consumer) = with_topic().await;
    let mut opaques = vec![hold(&mut consumer, &held(0)).await];
    opaques.push(hold(&mut consumer, &Pulling { queue_id: 3, ..held(0) }).await);
    broker.stop().await;
    let mut answered = Vec::new();
    for _ in 0..2 {
        let answer = consumer.next_answer().await;
        assert_eq!(answer.code, 19);
        answered.push(answer.opaque);
    }
    answered.sort_unstable();
    assert_eq!(answered, opaques);
}

#[tokio::test]
async fn pulls_that_race_with_sends_are_all_answered() {
    let (broker, mut producer, mut consumer) = with_topic().await;
    let sends = tokio::spawn(async move {
        for _ in 0..300 {
            producer.store(&Sending::default()).await;
        }
    });
    let mut offset = 0;
    while offset < 300 {
        let answer = consumer.pull(&Pulling { max_messages: 1, ..held(offset) }).await;
        assert_eq!((answer.code, bodies(&answer).len()), (0, 1));
        offset += 1;
    }
    sends.await.unwrap();
    assert_eq!(broker.broker().holds.count(), 0);
    broker.stop().await;
}
