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

/// A broker that was started with a file.
async fn with_file(text: &str) -> TestBroker {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("broker.conf"), text).unwrap();
    TestBroker::start_in(dir, &[]).await
}

fn file(broker: &TestBroker) -> String {
    std::fs::read_to_string(broker.dir().join("broker.conf")).unwrap()
}

#[tokio::test]
async fn a_live_key_changes_at_once_and_a_wrong_one_refuses_the_whole_request() {
    let broker = with_file("# mine\nregionId=West\nown=1\n").await;
    let mut client = broker.connect().await;
    let before = client.ask(26, &[], "").await;
    client.ask_ok(25, &[], "regionId=North\ntraceOn=false").await;
    let after = client.ask(26, &[], "").await;
    assert_ne!(before.field("version"), after.field("version"));
    let changed = settings(&mut client).await;
    assert_eq!((changed["regionId"].as_str(), changed["traceOn"].as_str()), ("North", "false"));
    assert_eq!(file(&broker), "# mine\nregionId=North\nown=1\ntraceOn=false\n");
    for (what, text, code) in [
        ("barred", "regionId=South\nbrokerConfigPath=/etc/passwd", 16),
        ("barred, the list itself", "configBlackList=", 16),
        ("who the broker is", "regionId=South\nbrokerClusterName=Other", 16),
        ("its number", "brokerId=1", 16),
        ("unknown", "noSuchKey=1", 29),
        ("a wrong value", "regionId=South\ntraceOn=perhaps", 29),
        ("out of range", "brokerPermission=9", 29),
        ("two lines in one", "regionId=a\\nlistenPort=1", 29),
        ("a path", "storePathRootDir=/tmp", 16),
        ("an address", "brokerIP1=10.0.0.1", 16),
        ("a name server", "namesrvAddr=10.0.0.1:9876", 16),
        ("a port", "listenPort=1", 16),
        ("a class", "authenticationProvider=org.Evil", 16),
        ("a promise that cannot be kept", "aclEnable=true", 16),
        ("not text", "regionId=\\u12", 1),
    ] {
        let answer = client.ask(25, &[], text).await;
        assert_eq!(answer.code, code, "{what}: {:?}", answer.remark);
        assert_eq!(settings(&mut client).await, changed, "{what}");
        assert_eq!(file(&broker), "# mine\nregionId=North\nown=1\ntraceOn=false\n", "{what}");
    }
    client.ask_ok(25, &[], "").await;
    // Of several keys those that nobody knows are passed over.
    let mixed = client.ask(25, &[], "regionId=North\nnoSuchKey=1").await;
    assert_eq!((mixed.code, mixed.remark.as_deref()), (0, Some("not known and passed over: noSuchKey")));
    broker.stop().await;
}

#[tokio::test]
async fn a_key_that_is_read_at_start_is_kept_for_the_next_one() {
    let broker = with_file("").await;
    let mut client = broker.connect().await;
    let answer = client.ask(25, &[], "flushIntervalCommitLog=250\nsendMessageThreadPoolNums=5\nregionId=North").await;
    assert_eq!(answer.code, 0);
    let remark = answer.remark.unwrap();
    assert!(
        remark
            .starts_with("from the next start on: flushIntervalCommitLog; sendMessageThreadPoolNums does nothing here"),
        "{remark}"
    );
    assert_eq!(settings(&mut client).await["flushIntervalCommitLog"], "500");
    let broker = broker.restart(&[]).await;
    let mut client = broker.connect().await;
    let settings = settings(&mut client).await;
    assert_eq!((settings["flushIntervalCommitLog"].as_str(), settings["regionId"].as_str()), ("250", "North"));
    broker.stop().await;
}

#[tokio::test]
async fn without_a_file_only_what_holds_at_once_changes() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let answer = client.ask(25, &[], "regionId=North").await;
    assert_eq!(answer.code, 0);
    assert!(answer.remark.unwrap().starts_with("holds until the next start only: the broker was started without"));
    let answer = client.ask(25, &[], "regionId=South\nflushIntervalCommitLog=250").await;
    assert_eq!(answer.code, 1);
    assert!(answer.remark.unwrap().ends_with("nothing was changed"));
    assert_eq!(settings(&mut client).await["regionId"], "North");
    broker.stop().await;
}

/// Free text that a request may change, since it takes effect at once; no path and no address.
#[test]
fn free_text_that_a_request_may_change_is_listed() {
    use boostermq_remoting::config::Effect;
    let rows = crate::config::Settings::rows();
    let free: Vec<_> =
        rows.iter().filter(|row| row.effect == Effect::Live && row.is_free_text).map(|row| row.key).collect();
    assert_eq!(free, ["regionId"]);
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
