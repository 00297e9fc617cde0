//! Settings of operators: what they switch, and what requests may change.

use boostermq_remoting::config::Seconds;
use bytes::Bytes;

use crate::support::{Broker, World, json, request};

const UPDATE: i32 = 318;
const TEXT: i32 = 319;

async fn update(world: &World, text: &'static str) -> (i32, String) {
    let answer = world.send(request(UPDATE, &[], Bytes::from_static(text.as_bytes()))).await;
    (answer.code, answer.remark.unwrap_or_default())
}

async fn value(world: &World, key: &str) -> String {
    let answer = world.ask(TEXT, &[]).await;
    let text = str::from_utf8(&answer.body).unwrap().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or("absent").to_owned()
}

#[tokio::test]
async fn a_request_changes_live_settings_and_the_file_and_nothing_else() {
    let world = World::new(|_| {}).await;
    let file = world.folder.path().join("namesrv.conf");
    std::fs::write(&file, "# ours\nlistenPort=9876\nfuture=x\n").unwrap();
    let (code, remark) = update(&world, "enableTopicList=false\nnoSuchKey=1\nserverWorkerThreads=4\n").await;
    assert_eq!(code, 0);
    assert!(
        remark.starts_with("not known and passed over: noSuchKey; serverWorkerThreads does nothing here"),
        "{remark}"
    );
    assert_eq!(value(&world, "enableTopicList").await, "false");
    let expected = "# ours\nlistenPort=9876\nfuture=x\nenableTopicList=false\nserverWorkerThreads=4\n";
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    let backup = world.folder.path().join("namesrv.conf.bak");
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), "# ours\nlistenPort=9876\nfuture=x\n");
    let before = std::fs::read_to_string(&file).unwrap();
    for (text, code) in [
        ("", 0),
        ("enableTopicList=false", 0),
        ("enableAllTopicList=false\nkvConfigPath=/tmp/x", 16),
        ("configStorePath=/etc/passwd", 16),
        ("configBlackList=", 16),
        ("rocketmqHome=/", 16),
        ("enableAllTopicList=false\nlistenPort=1", 16),
        ("enableAllTopicList=false\nsupportActingMaster=maybe\\u000alistenPort=1", 29),
        ("noSuchKey=1", 29),
        ("scanNotActiveBrokerInterval=0", 29),
        ("a=\\uZZZZ", 1),
    ] {
        assert_eq!(update(&world, text).await.0, code, "{text:?}");
    }
    assert_eq!(value(&world, "enableAllTopicList").await, "true");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let (code, remark) = update(&world, "scanNotActiveBrokerInterval=9000").await;
    assert_eq!((code, remark.as_str()), (0, "from the next start on: scanNotActiveBrokerInterval"));
    assert_eq!(value(&world, "scanNotActiveBrokerInterval").await, "5000");
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("scanNotActiveBrokerInterval=9000\n"));
}

#[tokio::test]
async fn switches_do_what_they_say() {
    let world = World::new(|config| {
        config.order_message_enable = true;
        config.return_order_topic_config_to_broker = false;
        config.enable_all_topic_list = false;
        config.enable_topic_list = false;
    })
    .await;
    let order = [("namespace", "ORDER_TOPIC_CONFIG"), ("key", "T1"), ("value", "a:4;")];
    assert_eq!(world.ask(100, &order).await.code, 0);
    let answer = world.send(Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]).register()).await;
    assert_eq!(answer.body.len(), 0);
    let ordered = world.ask(105, &[("topic", "T1")]).await;
    assert_eq!(json(&ordered.body)["orderTopicConf"], "a:4", "without the end that the Go client cannot bear");
    let plain = world.ask(105, &[("topic", "T2")]).await;
    assert_eq!(json(&plain.body).get("orderTopicConf"), None);
    for code in [206, 224, 311, 312, 313] {
        let answer = world.ask(code, &[("cluster", "DefaultCluster")]).await;
        assert_eq!((answer.code, answer.remark.as_deref()), (1, Some("disable")), "{code}");
    }
    let system = world.ask(304, &[]).await;
    let names = serde_json::json!({ "brokerAddr": "1.1.1.1:10911", "topicList": ["DefaultCluster", "a"] });
    assert_eq!(json(&system.body), names);
}

#[tokio::test]
async fn routes_wait_for_brokers_after_a_start_when_that_is_set() {
    for (seconds, code) in [(3600, 1), (0, 0)] {
        let world = World::new(|config| {
            config.need_wait_for_service = true;
            config.wait_seconds_for_service = Seconds(seconds);
        })
        .await;
        world.send(Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]).register()).await;
        assert_eq!(world.ask(105, &[("topic", "T1")]).await.code, code);
    }
}

#[tokio::test]
async fn key_value_settings_outlive_the_server() {
    let world = World::new(|_| {}).await;
    assert_eq!(world.ask(219, &[("namespace", "N")]).await.code, 22);
    let missing = world.ask(101, &[("namespace", "N"), ("key", "K")]).await;
    assert_eq!((missing.code, missing.remark.as_deref()), (22, Some("No config item, Namespace: N Key: K")));
    let nameless = world.ask(100, &[("namespace", "N"), ("value", "V")]).await;
    assert_eq!((nameless.code, nameless.remark.as_deref()), (1, Some("namespace or key is null")));
    assert_eq!(world.ask(100, &[("namespace", "N"), ("key", "K"), ("value", "V")]).await.code, 0);
    assert_eq!(world.ask(102, &[("namespace", "N"), ("key", "gone")]).await.code, 0);
    world.server.stop().await;
    let path = world.folder.path().join("kvConfig.json");
    let again = World::new(|config| config.kv_config_path = path).await;
    let table = again.ask(219, &[("namespace", "N")]).await;
    assert_eq!(json(&table.body), serde_json::json!({ "table": { "K": "V" } }));
    assert_eq!(again.ask(101, &[("namespace", "N"), ("key", "K")]).await.field("value"), Some("V"));
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let world = World::new(|_| {}).await;
    let mut config = boostermq_namesrv::config::NamesrvConfig::default();
    config.server.bind_address = [127, 0, 0, 1].into();
    config.server.listen_port = world.server.address().port();
    let error = boostermq_namesrv::start(config.clone()).await.unwrap_err().to_string();
    assert!(error.contains("is taken by another process"), "{error}");
    config.server.listen_port = 0;
    config.kv_config_path = world.folder.path().join("kv.json");
    std::fs::write(&config.kv_config_path, "no JSON").unwrap();
    let error = boostermq_namesrv::start(config).await.unwrap_err().to_string();
    assert!(error.contains("does not hold key-value settings"), "{error}");
}
