//! Tests of settings shown and changed, against a whole broker.

use std::collections::BTreeMap;

use crate::clients::fixture::{TestBroker, TestClient};

/// Keys that upstream's GET_BROKER_CONFIG answers with.
const LISTED: &str = include_str!("../../../../tests/golden/listed_keys.txt");

async fn settings(client: &mut TestClient) -> BTreeMap<String, String> {
    let text = client.ask_ok(26, &[], "").await;
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    text.lines().filter_map(pair).collect()
}

#[tokio::test]
async fn the_listing_has_every_key_of_upstreams_that_a_broker_without_name_server_has() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let answer = client.ask(26, &[], "").await;
    assert!(answer.field("version").unwrap().contains("\"counter\""), "{answer:?}");
    let settings = settings(&mut client).await;
    // They stand there only when they are set.
    let unset = ["namesrvAddr", "rocketmqHome"];
    for key in LISTED.lines().filter(|key| !unset.contains(key)) {
        assert!(settings.contains_key(key), "{key}");
    }
    assert_eq!(settings["brokerName"], "broker-t");
    broker.stop().await;
}

#[tokio::test]
async fn a_live_key_changes_at_once_and_any_other_refuses_the_whole_request() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let before = client.ask(26, &[], "").await;
    client.ask_ok(25, &[], "regionId=North\ntraceOn=false").await;
    let after = client.ask(26, &[], "").await;
    assert_ne!(before.field("version"), after.field("version"));
    let changed = settings(&mut client).await;
    assert_eq!((changed["regionId"].as_str(), changed["traceOn"].as_str()), ("North", "false"));
    for (what, text, code) in [
        ("after a restart", "regionId=South\nbrokerClusterName=Other", 16),
        ("barred", "regionId=South\nbrokerConfigPath=/etc/passwd", 16),
        ("barred, the list itself", "configBlackList=", 16),
        ("without effect", "sendMessageThreadPoolNums=5", 16),
        ("unknown", "regionId=South\nnoSuchKey=1", 1),
        ("a wrong value", "regionId=South\ntraceOn=perhaps", 1),
        ("out of range", "brokerPermission=9", 1),
        ("a path", "storePathRootDir=/tmp", 16),
        ("an address", "brokerIP1=10.0.0.1", 16),
        ("a port", "listenPort=1", 16),
        ("not text", "regionId=\\u12", 1),
    ] {
        let answer = client.ask(25, &[], text).await;
        assert_eq!(answer.code, code, "{what}: {:?}", answer.remark);
        assert_eq!(settings(&mut client).await, changed, "{what}");
    }
    client.ask_ok(25, &[], "").await;
    broker.stop().await;
}

#[tokio::test]
async fn an_operators_own_black_list_counts_and_a_new_permission_renews_the_topics() {
    let broker = TestBroker::start(&[("configBlackList", "regionId; traceOn")]).await;
    let mut client = broker.connect().await;
    for text in ["regionId=North", "traceOn=false"] {
        assert_eq!(client.ask(25, &[], text).await.code, 16);
    }
    let version = || broker.broker().topics.table().data_version.counter;
    let before = version();
    client.ask_ok(25, &[], "brokerPermission=4").await;
    assert!(version() > before);
    let before = version();
    client.ask_ok(25, &[], "brokerPermission=4\nautoCreateTopicEnable=false").await;
    assert_eq!(version(), before);
    broker.stop().await;
}
