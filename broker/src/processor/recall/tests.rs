//! Tests of recalls, against a whole broker.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use crate::clients::fixture::messages::Sending;
use crate::clients::fixture::{TestBroker, TestClient};

const TIMED: [(&str, &str); 2] = [("UNIQ_KEY", "KEY"), ("TIMER_DELAY_SEC", "3")];
const SMALL: (&str, &str) = ("mappedFileSizeTimerLog", "65536");

fn handle(text: &str) -> String {
    URL_SAFE.encode(text)
}

async fn recall(client: &mut TestClient, topic: &str, handle: &str) -> (i32, Option<String>) {
    let answer = client.ask(370, &[("topic", topic), ("recallHandle", handle), ("producerGroup", "p")], "").await;
    assert_eq!(answer.field("MSG_REGION"), Some("DefaultRegion"));
    (answer.code, answer.field("msgId").map(str::to_owned))
}

#[tokio::test]
async fn a_message_is_recalled_by_the_handle_of_its_answer() {
    let (broker, clock) = TestBroker::start_timeless(&[("recallMessageEnable", "true"), SMALL]).await;
    let mut client = broker.connect().await;
    let answer = client.store(&Sending { queue_id: 1, properties: &TIMED, ..Sending::default() }).await;
    let given = answer.field("recallHandle").unwrap().to_owned();
    let text = String::from_utf8(URL_SAFE.decode(&given).unwrap()).unwrap();
    let parts: Vec<_> = text.split(' ').collect();
    assert_eq!([parts[0], parts[1], parts[2], parts[4]], ["v1", "T", "broker-t", "KEY"]);
    assert_eq!(parts[3].parse::<i64>().unwrap() % 1000, 1);
    client.store(&Sending { queue_id: 1, properties: &[("UNIQ_KEY", "NEXT"), TIMED[1]], ..Sending::default() }).await;
    assert_eq!(recall(&mut client, "T", &given).await, (0, Some("KEY".to_owned())));
    clock.advance(4000);
    let delivered = client.wait_for("T", 1, 0).await;
    assert_eq!(delivered[0].properties.get("UNIQ_KEY"), Some("NEXT"));
    assert_eq!(delivered.len(), 1);
    // Too late: nothing is undone, and the time says so.
    assert_eq!(recall(&mut client, "T", &given).await, (604, None));
    broker.stop().await;
}

#[tokio::test]
async fn what_is_no_handle_of_this_broker_is_refused() {
    let broker = TestBroker::start(&[("recallMessageEnable", "true"), SMALL]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    let now_ms = broker.broker().clock.now_ms();
    let due = |after_ms: i64| (now_ms + after_ms).to_string();
    for (topic, text, code) in [
        ("T", "v1 T broker-t soon KEY".to_owned(), 604),
        ("T", format!("v1 T broker-t {} KEY", due(-1)), 604),
        ("T", format!("v1 T broker-t {} KEY", due(259_200_000 + 600_000)), 604),
        ("T", format!("v1 T broker-t {} KEY", i64::MAX), 604),
        ("T", format!("v1 T other {} KEY", due(600_000)), 604),
        ("T", format!("v1 U broker-t {} KEY", due(600_000)), 604),
        ("T", format!("v2 T broker-t {} KEY", due(600_000)), 604),
        ("T", format!("v1 T broker-t {}", due(600_000)), 604),
        ("Unknown", format!("v1 Unknown broker-t {} KEY", due(600_000)), 17),
        ("T", format!("v1 T broker-t {} KEY", due(600_000)), 0),
    ] {
        assert_eq!(recall(&mut client, topic, &handle(&text)).await.0, code, "{text}");
    }
    for bad in ["", "!!!", "AAAA", &"A".repeat(100_000)] {
        assert_eq!(recall(&mut client, "T", bad).await.0, 604, "{bad:.20}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn recalls_are_off_unless_the_operator_wants_them() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    assert_eq!(recall(&mut client, "T", "x").await.0, 16);
    broker.stop().await;
}

#[tokio::test]
async fn only_messages_with_a_time_of_their_own_have_a_handle() {
    let broker = TestBroker::start(&[SMALL]).await;
    let mut client = broker.connect().await;
    for (properties, has_handle) in [
        (&[("TIMER_DELAY_SEC", "60")][..], true),
        (&[("TIMER_DELIVER_MS", "1")], false),
        (&[("DELAY", "2"), ("TIMER_DELAY_SEC", "60")], false),
        (&[("TIMER_OUT_MS", "9"), ("TIMER_DELAY_SEC", "60")], false),
        (&[], false),
    ] {
        let answer = client.store(&Sending { properties, ..Sending::default() }).await;
        assert_eq!(answer.field("recallHandle").is_some(), has_handle, "{properties:?}");
    }
    broker.stop().await;
}
