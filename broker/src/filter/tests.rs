//! Tests of SQL92 filters from a client's side, against a whole broker.

use boostermq_remoting::command::RemotingCommand;
use serde_json::{Value, json};

use crate::clients::fixture::messages::{Pulling, SUBSCRIPTION, SUSPEND, Sending, bodies, number};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

const ENABLED: (&str, &str) = ("enablePropertyFilter", "true");

/// Stores a message for each of these values of `a`, with the value as its body.
async fn store(client: &mut TestClient, topic: &str, values: std::ops::Range<u32>) {
    for value in values {
        let text = value.to_string();
        let properties: &[_] = &[("a", &*text), ("b", "x"), ("RETRY_TOPIC", "T")];
        client.store(&Sending { topic, properties, body: text.as_bytes(), ..Sending::default() }).await;
    }
}

fn subscription(topic: &str, expression: &str, version: i64) -> Value {
    json!({ "topic": topic, "subString": expression, "subVersion": version, "expressionType": "SQL92" })
}

async fn beat(client: &mut TestClient, group: &str, subscriptions: &[Value]) {
    let mut body: Value = serde_json::from_str(&heartbeat("c", group, "CLUSTERING", &[])).unwrap();
    body["consumerDataSet"][0]["subscriptionDataSet"] = json!(subscriptions);
    client.ask_ok(34, &[], &body.to_string()).await;
}

async fn check(client: &mut TestClient, kind: &str, expression: &str) -> RemotingCommand {
    let mut subscription = subscription("T", expression, 1);
    subscription["expressionType"] = json!(kind);
    let body = json!({ "clientId": "c", "group": "g", "namespace": "", "subscriptionData": subscription });
    client.ask(46, &[], &body.to_string()).await
}

fn sql(expression: &str) -> Pulling<'_> {
    Pulling { expression, expression_type: "SQL92", ..Pulling::default() }
}

/// A pull that filters as the heartbeats of its group say.
fn registered(group: &str, version: i64) -> Pulling<'_> {
    Pulling { group, flags: 0, version, expression: "", expression_type: "SQL92", ..Pulling::default() }
}

#[tokio::test]
async fn a_pull_is_filtered_by_the_expression_it_carries() {
    let broker = TestBroker::start(&[ENABLED]).await;
    let mut client = broker.connect().await;
    store(&mut client, "T", 0..10).await;
    broker.dispatched().await;
    for (expression, expected) in [
        ("a > 5 AND b = 'x'", &["6", "7", "8", "9"][..]),
        ("a BETWEEN 2 AND 4 OR a IN ('9')", &["2", "3", "4", "9"]),
        ("c IS NULL AND a = 7", &["7"]),
    ] {
        let answer = client.pull(&sql(expression)).await;
        assert_eq!((answer.code, number(&answer, "nextBeginOffset")), (0, 10), "{expression}");
        assert_eq!(bodies(&answer), expected, "{expression}");
    }
    for expression in ["a > 100", "c > 1", "b > 1", "a"] {
        let answer = client.pull(&sql(expression)).await;
        assert_eq!((answer.code, answer.remark.as_deref()), (20, Some("NO_MATCHED_MESSAGE")), "{expression}");
        assert_eq!(number(&answer, "nextBeginOffset"), 10, "{expression}");
    }
    let brackets = "(".repeat(100_000);
    for (kind, expression) in [("SQL92", "a >"), ("SQL92", ""), ("SQL92", &brackets), ("LUA", "a > 5")] {
        let answer = client.pull(&Pulling { expression_type: kind, ..sql(expression) }).await;
        assert_eq!((answer.code, answer.remark.as_deref()), (23, Some("parse the consumer's subscription failed")));
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_group_is_filtered_by_its_heartbeat() {
    let broker = TestBroker::start(&[ENABLED]).await;
    let mut client = broker.connect().await;
    store(&mut client, "T", 0..10).await;
    broker.dispatched().await;
    beat(&mut client, "g", &[subscription("T", "a >", 100)]).await;
    assert_eq!(client.pull(&registered("g", 100)).await.code, 27);
    beat(&mut client, "g", &[subscription("T", "a > 7", 101)]).await;
    assert_eq!(bodies(&client.pull(&registered("g", 101)).await), ["8", "9"]);
    assert_eq!(client.pull(&registered("g", 102)).await.code, 25);
    beat(&mut client, "g", &[subscription("T", "a > 8", 102)]).await;
    assert_eq!(bodies(&client.pull(&registered("g", 102)).await), ["9"]);
    // A filter that is older than the subscription: here, of another member that a newer one has overtaken.
    beat(&mut client, "h", &[subscription("T", "a > 8", 5)]).await;
    let mut tags = subscription("T", "*", 6);
    tags["expressionType"] = json!("TAG");
    beat(&mut client, "h", &[tags]).await;
    assert_eq!(bodies(&client.pull(&registered("h", 6)).await).len(), 10);
    let broker = broker.restart(&[ENABLED]).await;
    let mut client = broker.connect().await;
    beat(&mut client, "g", &[subscription("T", "a > 8", 102)]).await;
    assert_eq!(bodies(&client.pull(&registered("g", 102)).await), ["9"]);
    broker.stop().await;
}

#[tokio::test]
async fn without_leave_filters_are_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    store(&mut client, "T", 0..3).await;
    broker.dispatched().await;
    beat(&mut client, "g", &[subscription("T", "a > 1", 1)]).await;
    let refusal = Some("The broker does not support consumer to filter message by SQL92");
    for (answer, code) in [
        (client.pull(&sql("a > 1")).await, 1),
        (client.pull(&sql("a >")).await, 1),
        (client.pull(&registered("g", 1)).await, 1),
        (check(&mut client, "SQL92", "a > 1").await, 1),
        (check(&mut client, "TAG", "a").await, 0),
    ] {
        assert_eq!((answer.code, answer.remark.as_deref()), (code, refusal.filter(|_| code == 1)));
    }
    client.ask_ok(25, &[], "enablePropertyFilter=true").await;
    assert_eq!(bodies(&client.pull(&registered("g", 1)).await), ["2"]);
    for (kind, expression, code) in
        [("SQL92", "a > 1", 0), ("SQL92", "a >", 23), ("SQL92", "", 23), ("LUA", "a > 1", 23), ("", "a", 0)]
    {
        let answer = check(&mut client, kind, expression).await;
        assert_eq!(answer.code, code, "{kind} {expression}");
        assert_eq!(answer.remark.is_some(), code != 0, "{kind} {expression}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_held_pull_wakes_for_what_it_wants_only() {
    let broker = TestBroker::start(&[ENABLED]).await;
    let (mut waiting, mut client) = (broker.connect().await, broker.connect().await);
    store(&mut client, "T", 0..1).await;
    broker.dispatched().await;
    let held = Pulling { offset: 1, flags: SUSPEND | SUBSCRIPTION, ..sql("a > 5") };
    waiting.put(&mut [&mut held.request()]).await;
    // Its answer comes behind that of the pull, which is held by then.
    let other = Pulling { group: "other", ..Pulling::default() };
    while broker.broker().holds.count() == 0 {
        client.pull(&other).await;
    }
    store(&mut client, "T", 1..6).await;
    broker.dispatched().await;
    assert_eq!(broker.broker().holds.count(), 1);
    store(&mut client, "T", 6..7).await;
    let answer = waiting.next_answer().await;
    assert_eq!(bodies(&answer), ["6"]);
    // Past its time it is answered by how far it has looked.
    let late = Pulling { offset: 7, suspend_ms: 300, ..held };
    let opaque = waiting.put(&mut [&mut late.request()]).await;
    while broker.broker().holds.count() == 0 {
        client.pull(&other).await;
    }
    store(&mut client, "T", 0..3).await;
    let answer = waiting.next_answer().await;
    assert_eq!((answer.opaque, answer.code, number(&answer, "nextBeginOffset")), (opaque, 20, 10));
    broker.stop().await;
}

/// Filter bits leave nothing out that is wanted, whenever the filter came, and whatever they say of messages from before.
#[tokio::test]
async fn filter_bits_change_nothing_that_a_consumer_sees() {
    // No message counts as being in memory: bits are asked.
    let keys = [
        ENABLED,
        ("enableCalcFilterBitMap", "true"),
        ("enableConsumeQueueExt", "true"),
        ("accessMessageInMemoryMaxRatio", "0"),
    ];
    let mut broker = TestBroker::start(&keys).await;
    let mut client = broker.connect().await;
    let mut stored = 0;
    for (version, expression) in [(1, "a > 7"), (2, "a > 7"), (3, "a < 2 OR a = 8")] {
        store(&mut client, "T", 0..10).await;
        beat(&mut client, "g", &[subscription("T", expression, version)]).await;
        beat(&mut client, "h", &[subscription("T", "a = 5", version)]).await;
        store(&mut client, "T", 0..10).await;
        stored += 20;
        broker.dispatched().await;
        for (group, once) in [("g", if version < 3 { &["8", "9"][..] } else { &["0", "1", "8"] }), ("h", &["5"])] {
            let (mut found, mut offset) = (Vec::new(), 0);
            while offset < stored {
                let answer = client.pull(&Pulling { offset, ..registered(group, version) }).await;
                found.extend(bodies(&answer));
                offset = number(&answer, "nextBeginOffset");
            }
            assert_eq!(found, once.repeat(stored as usize / 10), "{group} {version}");
        }
        broker = broker.restart(&keys).await;
        client = broker.connect().await;
    }
    broker.stop().await;
}

#[tokio::test]
async fn retry_topics_are_filtered_where_that_is_asked_for() {
    let broker = TestBroker::start(&[ENABLED]).await;
    let mut client = broker.connect().await;
    beat(&mut client, "g", &[subscription("T", "a > 1", 1), subscription("%RETRY%g", "a > 2", 1)]).await;
    store(&mut client, "%RETRY%g", 0..4).await;
    broker.dispatched().await;
    let retry = Pulling { topic: "%RETRY%g", ..registered("g", 1) };
    assert_eq!(bodies(&client.pull(&retry).await), ["3"]);
    client.ask_ok(25, &[], "filterSupportRetry=true").await;
    assert_eq!(bodies(&client.pull(&retry).await), ["2", "3"]);
    // Clients subscribe to their retry topic by `*`: that is never filtered.
    let all = Pulling { topic: "%RETRY%g", ..Pulling::default() };
    assert_eq!(bodies(&client.pull(&all).await).len(), 4);
    broker.stop().await;
}
