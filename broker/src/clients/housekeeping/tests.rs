//! Tests of members that go away, against a whole broker.

use boostermq_remoting::names::Group;

use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

use super::*;

const LIST: i32 = 38;
const CLUSTERING: &str = "CLUSTERING";

async fn members(client: &mut TestClient, group: &str) -> String {
    let answer = client.ask(LIST, &[("consumerGroup", group)], "").await;
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// The group of the next notification.
async fn notified(client: &mut TestClient) -> String {
    let pushed = client.pushed().await;
    assert_eq!(pushed.code, 40);
    assert!(pushed.is_one_way());
    pushed.field("consumerGroup").unwrap().to_owned()
}

#[tokio::test]
async fn members_hear_of_comings_and_of_closed_connections() {
    let broker = TestBroker::start(&[]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    first.ask_ok(34, &[], &heartbeat("c1", "g", CLUSTERING, &["T"])).await;
    assert_eq!(notified(&mut first).await, "g");
    second.ask_ok(34, &[], &heartbeat("c2", "g", CLUSTERING, &["T"])).await;
    assert_eq!((notified(&mut first).await, notified(&mut second).await), ("g".into(), "g".into()));
    assert_eq!(members(&mut first, "g").await, r#"{"consumerIdList":["c1","c2"]}"#);
    // Go's only goodbye.
    drop(second);
    assert_eq!(notified(&mut first).await, "g");
    assert_eq!(members(&mut first, "g").await, r#"{"consumerIdList":["c1"]}"#);
    first.ask_ok(35, &[("clientID", "c1"), ("consumerGroup", "g"), ("producerGroup", "g_p")], "").await;
    assert_eq!(members(&mut first, "g").await, "");
    assert!(broker.broker().producers.members("g_p").is_none());
    broker.stop().await;
}

#[tokio::test]
async fn a_client_that_came_back_survives_the_end_of_its_old_connection() {
    let broker = TestBroker::start(&[]).await;
    let (mut old, mut new) = (broker.connect().await, broker.connect().await);
    for client in [&mut old, &mut new] {
        client.ask_ok(34, &[], &heartbeat("c1", "g", CLUSTERING, &["T"])).await;
        notified(client).await;
    }
    assert_eq!(members(&mut new, "g").await, r#"{"consumerIdList":["c1","c1"]}"#);
    drop(old);
    notified(&mut new).await;
    assert_eq!(members(&mut new, "g").await, r#"{"consumerIdList":["c1"]}"#);
    broker.stop().await;
}

/// Nothing can be awaited that never comes: a group that is told always hears of its change after the silent one's.
#[tokio::test]
async fn broadcasting_and_silenced_groups_are_not_told() {
    let broker = TestBroker::start(&[]).await;
    let groups = &broker.broker().groups;
    let mut silenced = (*groups.find_or_create("quiet").unwrap()).clone();
    silenced.notify_consumer_ids_changed_enable = false;
    groups.put(vec![(Group::parse("quiet").unwrap(), silenced)]).unwrap();
    let mut client = broker.connect().await;
    for round in ["g0", "g1", "g2"] {
        client.ask_ok(34, &[], &heartbeat("c", &format!("{round}b"), "BROADCASTING", &["T"])).await;
        client.ask_ok(34, &[], &heartbeat("c", "quiet", CLUSTERING, &[round])).await;
        client.ask_ok(34, &[], &heartbeat("c", round, CLUSTERING, &["T"])).await;
        assert_eq!(notified(&mut client).await, round);
    }
    broker.stop().await;
}

#[tokio::test]
async fn silent_clients_are_closed_and_those_with_another_group_are_not() {
    let broker = TestBroker::start(&[]).await;
    let (mut silent, mut alive) = (broker.connect().await, broker.connect().await);
    silent.ask_ok(34, &[], &heartbeat("c1", "g", CLUSTERING, &["T"])).await;
    alive.ask_ok(34, &[], &heartbeat("c2", "g", CLUSTERING, &["T"])).await;
    assert_eq!((notified(&mut silent).await, notified(&mut alive).await), ("g".into(), "g".into()));
    let state = broker.broker();
    drop_silent_before(state, state.clock.instant() - Duration::from_secs(120));
    assert_eq!(members(&mut alive, "g").await, r#"{"consumerIdList":["c1","c2"]}"#);

    let before = state.clock.instant();
    while state.clock.instant() == before {
        std::hint::spin_loop();
    }
    // The second one's last word is about another group.
    alive.ask_ok(34, &[], &heartbeat("c2", "h", CLUSTERING, &["T"])).await;
    drop_silent_before(state, state.consumers.find("h").unwrap().members().first().unwrap().heard);
    silent.closed().await;
    assert_eq!(members(&mut alive, "g").await, "");
    assert_eq!(members(&mut alive, "h").await, r#"{"consumerIdList":["c2"]}"#);
    assert!(state.producers.members("g_p").is_none());
    broker.stop().await;
}
