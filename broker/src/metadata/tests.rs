use std::fs;
use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::config::{Live, Machine};
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::properties_file::Properties;
use boostermq_store::clock::ManualClock;
use serde_json::Value;

use super::*;
use crate::config::Settings;

/// `config` of a store that a RocketMQ 5.5.0 broker wrote.
const TOPICS: &str = include_str!("../../tests/golden/metadata/topics.json");
const GROUPS: &str = include_str!("../../tests/golden/metadata/subscriptionGroup.json");
const OFFSETS: &str = include_str!("../../tests/golden/metadata/consumerOffset.json");

fn value(dir: &Path, name: &str) -> Value {
    // Strict: other programs read these files too.
    serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap()
}

fn golden(text: &str) -> Value {
    fastjson::parse(text.as_bytes()).unwrap()
}

#[test]
fn files_of_the_reference_broker_are_read_and_written_again_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, text) in [("topics.json", TOPICS), ("subscriptionGroup.json", GROUPS), ("consumerOffset.json", OFFSETS)]
    {
        fs::write(dir.join(name), text).unwrap();
    }
    let given = Properties::parse("broker.conf", b"brokerClusterName=GoldCluster\nbrokerName=broker-g").unwrap();
    let settings = Live::new(Settings::read(given, &Machine::this()).unwrap().0);
    let clock = Arc::new(ManualClock::new(1));
    let topics = Topics::load(dir, settings.clone(), clock.clone()).unwrap();
    let groups = Groups::load(dir, settings.clone(), clock.clone()).unwrap();
    let offsets = ConsumerOffsets::load(dir, settings, clock).unwrap();
    topics.save().unwrap();
    assert_eq!(fs::read_to_string(dir.join("topics.json")).unwrap(), TOPICS, "a start alone writes nothing");

    topics.renew_version().unwrap();
    groups.set_may_read("fill_group", "StoreOrder", false).unwrap();
    groups.set_may_read("fill_group", "StoreOrder", true).unwrap();
    offsets.commit("CID_RMQ_SYS_TRANS", "RMQ_SYS_TRANS_HALF_TOPIC", QueueId(0), 6);
    offsets.commit("CID_RMQ_SYS_TRANS", "RMQ_SYS_TRANS_HALF_TOPIC", QueueId(0), 5);
    offsets.save().unwrap();
    for (name, table, text) in [
        ("topics.json", "topicConfigTable", TOPICS),
        ("subscriptionGroup.json", "subscriptionGroupTable", GROUPS),
        ("consumerOffset.json", "offsetTable", OFFSETS),
    ] {
        let (mut written, mut expected) = (value(dir, name), golden(text));
        let versions = [&mut written, &mut expected].map(|json| json.as_object_mut().unwrap().remove("dataVersion"));
        assert_eq!(written, expected, "{name}");
        assert!(
            versions.iter().all(Option::is_some) && written[table].as_object().is_some_and(|table| !table.is_empty())
        );
    }
    assert_eq!(offsets.query("CID_RMQ_SYS_TRANS", "RMQ_SYS_TRANS_OP_HALF_TOPIC", QueueId(0)), Some(1));
    assert_eq!(topics.find("StoreBatch").unwrap().write_queue_nums, 4);
    assert!(
        topics.create_for_send(&Topic::parse("New").unwrap(), "TBW102", 4, ([127, 0, 0, 1], 1).into(), 0).is_some()
    );
}
