use std::fs;

use boostermq_remoting::properties_file::Properties;
use boostermq_store::clock::ManualClock;

use super::*;
use crate::config::tests::machine;

const NOW: i64 = 1_700_000_000_000;
const READ_WRITE: i32 = 6;

fn settings(text: &str) -> Settings {
    let named = format!("brokerClusterName=GoldCluster\nbrokerName=broker-g\n{text}");
    Settings::read(Properties::parse("broker.conf", named.as_bytes()).unwrap(), &machine()).unwrap().0
}

struct Bench {
    dir: tempfile::TempDir,
    live: Live<Settings>,
}

impl Bench {
    fn new(text: &str) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), live: Live::new(settings(text)) }
    }

    fn topics(&self) -> Topics {
        Topics::load(self.dir.path(), self.live.clone(), Arc::new(ManualClock::new(NOW))).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir.path().join("topics.json")).unwrap()).unwrap()
    }
}

fn remote() -> SocketAddr {
    ([192, 0, 2, 9], 4711).into()
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

fn put(topics: &Topics, name: &str, config: TopicConfig) -> Result<(), TopicChangeError> {
    topics.put(vec![(topic(name), config)])
}

/// Name, read queues, write queues, permission.
fn outline(topics: &Topics) -> Vec<(String, i32, i32, i32)> {
    let line = |(name, config): (&&str, &&Arc<TopicConfig>)| {
        (name.to_string(), config.read_queue_nums, config.write_queue_nums, config.perm)
    };
    topics.table().sorted().iter().map(line).collect()
}

#[test]
fn a_new_broker_has_the_reference_brokers_topics() {
    // Of a store that a RocketMQ 5.5.0 broker made, without the topics of its users.
    let expected = [
        ("BenchmarkTest", 1024, 6),
        ("GoldCluster", 16, 7),
        ("GoldCluster_REPLY_TOPIC", 1, 6),
        ("OFFSET_MOVED_EVENT", 1, 6),
        ("RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC", 1, 6),
        ("RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC", 1, 6),
        ("RMQ_SYS_TRANS_HALF_TOPIC", 1, 6),
        ("RMQ_SYS_TRANS_OP_HALF_TOPIC", 1, 6),
        ("SCHEDULE_TOPIC_XXXX", 18, 6),
        ("SELF_TEST_TOPIC", 1, 6),
        ("TBW102", 8, 7),
        ("broker-g", 1, 7),
        ("rmq_sys_REVIVE_LOG_GoldCluster", 8, 6),
        ("rmq_sys_SYNC_BROKER_MEMBER_broker-g", 1, 1),
        ("rmq_sys_wheel_timer", 1, 6),
    ];
    let expected: Vec<_> =
        expected.iter().map(|&(name, queues, perm)| (name.to_owned(), queues, queues, perm)).collect();
    assert_eq!(outline(&Bench::new("").topics()), expected);
}

#[test]
fn switches_decide_about_topics_at_start() {
    let perm = |text: &str, name: &str| Bench::new(text).topics().find(name).map(|config| config.perm);
    assert_eq!(perm("autoCreateTopicEnable=false", "TBW102"), None);
    assert_eq!(perm("clusterTopicEnable=false", "GoldCluster"), Some(1));
    assert_eq!(perm("brokerTopicEnable=false", "broker-g"), Some(1));
    assert_eq!(perm("", "RMQ_SYS_TRACE_TOPIC"), None);
    assert_eq!(perm("traceTopicEnable=true", "RMQ_SYS_TRACE_TOPIC"), Some(6));
    let bench = Bench::new("");
    bench.topics().save().unwrap();
    bench.live.replace(settings("defaultTopicQueueNums=3"));
    assert_eq!(bench.topics().find("TBW102").unwrap().write_queue_nums, 3, "the setting counts, not the file");
}

#[test]
fn system_topics_are_the_reference_brokers() {
    let expected = "BenchmarkTest CHECKPOINT_TOPIC GoldCluster GoldCluster_REPLY_TOPIC OFFSET_MOVED_EVENT \
        RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC RMQ_SYS_TRACE_TOPIC \
        RMQ_SYS_TRANS_HALF_TOPIC RMQ_SYS_TRANS_OP_HALF_TOPIC SCHEDULE_TOPIC_XXXX SELF_TEST_TOPIC TBW102 \
        TRANS_CHECK_MAX_TIME_TOPIC broker-g rmq_sys_REVIVE_LOG_GoldCluster rmq_sys_SYNC_BROKER_MEMBER_broker-g \
        rmq_sys_wheel_timer";
    let topics = Bench::new("").topics();
    assert_eq!(Vec::from_iter(topics.system_topics()).join(" "), expected);
    for (name, expected) in [("TBW102", true), ("rmq_sys_any", true), ("GoldCluster", true), ("Orders", false)] {
        assert_eq!(topics.is_system(name), expected, "{name}");
    }
}

#[test]
fn a_send_makes_a_topic_after_its_pattern() {
    for (text, name, pattern, wanted, expected) in [
        ("", "Orders", "TBW102", 4, Some((4, 6))),
        ("", "Orders", "TBW102", 16, Some((8, 6))),
        ("", "Orders", "TBW102", -1, Some((1, 6))),
        ("defaultTopicQueueNums=2", "Orders", "TBW102", 4, Some((2, 6))),
        ("", "Orders", "GoldCluster", 99, Some((16, 6))),
        ("", "Orders", "", 4, None),
        ("", "Orders", "unknown", 4, None),
        ("", "Orders", "SELF_TEST_TOPIC", 4, None),
        ("autoCreateTopicEnable=false", "Orders", "TBW102", 4, None),
        ("autoCreateTopicEnable=false", "%RETRY%g", "TBW102", 4, Some((1, 6))),
        ("", "%RETRY%g", "TBW102", 4, Some((1, 6))),
    ] {
        let topics = Bench::new(text).topics();
        let made = topics.create_for_send(&topic(name), pattern, wanted, remote(), 1);
        let outline = made.as_ref().map(|config| (config.read_queue_nums, config.perm));
        assert_eq!(outline, expected, "{text} {name} after {pattern}");
        assert_eq!(made, topics.find(name));
        assert!(made.is_none_or(|made| made.topic_sys_flag == 1 && made.write_queue_nums == made.read_queue_nums));
    }
}

#[test]
fn auto_creation_can_be_switched_off_while_running() {
    let bench = Bench::new("");
    let topics = bench.topics();
    bench.live.replace(settings("autoCreateTopicEnable=false"));
    assert!(topics.create_for_send(&topic("Orders"), "TBW102", 4, remote(), 0).is_none());
    bench.live.replace(settings(""));
    assert!(topics.create_for_send(&topic("Orders"), "TBW102", 4, remote(), 0).is_some());
}

#[test]
fn every_change_is_on_disk_has_a_version_and_is_told() {
    let bench = Bench::new("");
    let topics = bench.topics();
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = told.clone();
    topics.on_change(move |change| notes.lock().push(format!("{change:?}")));
    let counter = |topics: &Topics| topics.table().data_version.counter;
    let generation = topics.generation();

    topics.create_for_send(&topic("Orders"), "TBW102", 4, remote(), 0);
    topics.create_for_send(&topic("Orders"), "TBW102", 4, remote(), 0);
    assert_eq!(bench.json()["topicConfigTable"]["Orders"]["writeQueueNums"], 4);
    put(&topics, "Orders", TopicConfig::new("Orders", 8, READ_WRITE)).unwrap();
    put(&topics, "Orders", TopicConfig::new("Orders", 8, READ_WRITE)).unwrap();
    assert_eq!(bench.json()["topicConfigTable"]["Orders"]["writeQueueNums"], 8);
    assert!(topics.delete("Orders").unwrap());
    assert!(!topics.delete("Orders").unwrap());
    assert_eq!(bench.json()["topicConfigTable"].get("Orders"), None);
    topics.renew_version().unwrap();

    assert_eq!((counter(&topics), topics.generation() - generation), (4, 4), "what changes nothing does not count");
    assert_eq!(told.lock().join(" "), r#"Put("Orders") Put("Orders") Deleted Version"#);
    assert_eq!(bench.json()["dataVersion"], serde_json::json!({"counter": 4, "stateVersion": 0, "timestamp": NOW}));
    assert_eq!(counter(&bench.topics()), 4, "the version goes on after a restart");
}

#[test]
fn retry_topics_are_made_once_and_take_over_the_order_asked_for() {
    let topics = Bench::new("").topics();
    let name = topic("%RETRY%g");
    let first = topics.create_retry_or_dlq(&name, 2, READ_WRITE, false, 0);
    assert_eq!((first.read_queue_nums, first.order), (2, false));
    let version = topics.table().data_version.counter;
    assert!(Arc::ptr_eq(&first, &topics.create_retry_or_dlq(&name, 9, READ_WRITE, false, 0)));
    assert_eq!(topics.table().data_version.counter, version);
    let ordered = topics.create_retry_or_dlq(&name, 9, READ_WRITE, true, 0);
    assert_eq!((ordered.read_queue_nums, ordered.order), (2, true));
}

#[test]
fn a_refused_attribute_changes_nothing() {
    let topics = Bench::new("").topics();
    let generation = topics.generation();
    let mut config = TopicConfig::new("Orders", 4, READ_WRITE);
    config.attributes.insert("+color".into(), "red".into());
    let other = TopicConfig::new("Other", 4, READ_WRITE);
    let error = topics.put(vec![(topic("Other"), other), (topic("Orders"), config)]).unwrap_err();
    assert_eq!(error.to_string(), "unsupported key: color");
    assert_eq!(topics.find("Other"), None, "all or none");
    assert_eq!((topics.find("Orders"), topics.generation()), (None, generation));
}

#[test]
fn attributes_stay_when_the_rest_changes() {
    let topics = Bench::new("").topics();
    let mut config = TopicConfig::new("Orders", 4, READ_WRITE);
    config.attributes.insert("+message.type".into(), "FIFO".into());
    put(&topics, "Orders", config).unwrap();
    put(&topics, "Orders", TopicConfig::new("Orders", 9, 4)).unwrap();
    let changed = topics.find("Orders").unwrap();
    assert_eq!((changed.perm, changed.attributes["message.type"].as_str()), (4, "FIFO"));
}

#[test]
fn what_a_newer_broker_wrote_survives() {
    let bench = Bench::new("");
    fs::write(
        bench.dir.path().join("topics.json"),
        r#"{"dataVersion":{"counter":7,"stateVersion":2,"timestamp":5},"future":[1],
           "topicConfigTable":{"T":{"topicName":"T","readQueueNums":4,"writeQueueNums":4,"perm":6,"color":"red"}}}"#,
    )
    .unwrap();
    let topics = bench.topics();
    put(&topics, "T", TopicConfig::new("T", 8, READ_WRITE)).unwrap();
    let json = bench.json();
    assert_eq!((&json["future"], &json["dataVersion"]["counter"]), (&serde_json::json!([1]), &8.into()));
    assert_eq!(
        (&json["topicConfigTable"]["T"]["color"], &json["topicConfigTable"]["T"]["perm"]),
        (&"red".into(), &6.into())
    );
}

#[test]
fn a_change_holds_even_when_the_disk_fails_and_is_written_later() {
    let bench = Bench::new("");
    let topics = bench.topics();
    let blocked = bench.dir.path().join("topics.json.tmp");
    fs::create_dir(&blocked).unwrap();
    let failed = put(&topics, "Orders", TopicConfig::new("Orders", 4, READ_WRITE));
    assert!(matches!(failed, Err(TopicChangeError::NotWritten(_))));
    assert!(topics.find("Orders").is_some());
    fs::remove_dir(&blocked).unwrap();
    topics.save().unwrap();
    assert_eq!(bench.json()["topicConfigTable"]["Orders"]["perm"], 6);
}

#[test]
fn many_senders_of_one_new_topic_make_it_once() {
    let bench = Bench::new("");
    let topics = bench.topics();
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| topics.create_for_send(&topic("Orders"), "TBW102", 4, remote(), 0).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(made.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])));
    assert_eq!(topics.table().data_version.counter, 1);
}
