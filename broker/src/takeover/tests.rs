use std::fs;
use std::sync::Arc;

use boostermq_remoting::config::{Live, Machine};
use boostermq_remoting::properties_file::Properties;
use boostermq_store::clock::{Clock, ManualClock};

use super::*;
use crate::metadata::{ConsumerOffsets, Groups, Topics};
use crate::schedule::DelaySchedule;

/// Files as a RocketMQ 5.5.0 broker wrote them, unquoted keys included.
const TOPICS: &str = include_str!("../../tests/golden/metadata/topics.json");
const GROUPS: &str = include_str!("../../tests/golden/metadata/subscriptionGroup.json");
const OFFSETS: &str = include_str!("../../tests/golden/metadata/consumerOffset.json");
const DELAYS: &str = "{\n\t\"dataVersion\":{\n\t\t\"counter\":3,\n\t\t\"stateVersion\":0,\n\t\t\"timestamp\":1795369171458\n\t},\n\t\"offsetTable\":{1:10,3:19\n\t}\n}";
const NO_MAPPING: &str =
    r#"{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"topicQueueMappingInfoMap":{}}"#;

/// All files that a start must be able to read.
const NEEDED: [(&str, &str); 5] = [
    ("topics.json", TOPICS),
    ("subscriptionGroup.json", GROUPS),
    ("consumerOffset.json", OFFSETS),
    ("delayOffset.json", DELAYS),
    ("topicQueueMapping.json", NO_MAPPING),
];

struct Store {
    dir: tempfile::TempDir,
    settings: Settings,
}

impl Store {
    /// A store with all files, each with a backup that is the same.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text =
            format!("storePathRootDir={}\nbrokerClusterName=GoldCluster\nbrokerName=broker-g", dir.path().display());
        let given = Properties::parse("broker.conf", text.as_bytes()).unwrap();
        let settings = Settings::read(given, &Machine::this()).unwrap().0;
        fs::create_dir(dir.path().join("config")).unwrap();
        let store = Self { dir, settings };
        for (name, text) in NEEDED {
            store.put(name, text);
            store.put(&format!("{name}.bak"), text);
        }
        store
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join("config").join(name), text).unwrap();
    }

    /// What the start itself makes of the files.
    fn load(&self) -> Result<(), MetadataError> {
        let dir = self.dir.path().join("config");
        let live = Live::new(self.settings.clone());
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1));
        Topics::load(&dir, live.clone(), clock.clone())?;
        Groups::load(&dir, live.clone(), clock.clone())?;
        let offsets = ConsumerOffsets::load(&dir, live, clock)?;
        assert!(offsets.queues("CID_RMQ_SYS_TRANS", "RMQ_SYS_TRANS_HALF_TOPIC").len() == 1, "nothing is forgotten");
        DelaySchedule::load(&dir, &[])?;
        Ok(())
    }

    fn version(&self, name: &str) -> Version {
        let path = self.dir.path().join("config").join(name);
        files(&self.settings).into_iter().find(|file| file.path == path).unwrap().version
    }
}

/// What a crash, a full disk or a hand may leave of a file.
fn damaged(text: &str) -> [String; 5] {
    let half = text.len() / 2;
    [
        text[..half].to_owned(),
        text[..text.len() - 1].to_owned(),
        // A longer version was overwritten and not cut: its tail is left.
        format!("{text}{}", &text[half..]),
        "\0".repeat(100),
        "[1,2".to_owned(),
    ]
}

#[test]
fn a_damaged_file_gives_way_to_its_backup() {
    for (name, text) in NEEDED {
        for bad in damaged(text).into_iter().chain([String::new(), " \n".to_owned()]) {
            let store = Store::new();
            store.put(name, &bad);
            let is_empty = bad.trim().is_empty();
            match store.version(name) {
                Version::Backup(why) => assert_eq!(why.is_none(), is_empty, "{name}: {bad:?}"),
                other => panic!("{name}: {bad:?}: {other:?}"),
            }
            check(&store.settings).unwrap();
            store.load().unwrap();
        }
        let store = Store::new();
        fs::remove_file(store.dir.path().join("config").join(name)).unwrap();
        assert!(matches!(store.version(name), Version::Backup(None)), "{name}");
        check(&store.settings).unwrap();
        store.load().unwrap();
    }
}

#[test]
fn both_damaged_is_refused_with_both_names_and_nothing_is_touched() {
    for (name, text) in NEEDED {
        for bad in damaged(text) {
            for backup in [Some(bad.as_str()), Some(""), None] {
                let store = Store::new();
                let config = store.dir.path().join("config");
                store.put(name, &bad);
                let backup_path = config.join(format!("{name}.bak"));
                match backup {
                    Some(text) => fs::write(&backup_path, text).unwrap(),
                    None => fs::remove_file(&backup_path).unwrap(),
                }
                let error = check(&store.settings).unwrap_err().to_string();
                for part in [&config.join(name), &backup_path] {
                    assert!(error.contains(&part.display().to_string()), "{name}: {error}");
                }
                assert!(error.contains("Repair one of the two"), "{error}");
                assert!(matches!(store.version(name), Version::Refused(_)));
                assert_eq!(fs::read_to_string(config.join(name)).unwrap(), bad, "{name} was touched");
            }
        }
    }
}

#[test]
fn what_is_dispensable_stops_no_start() {
    let store = Store::new();
    for name in DISPENSABLE {
        store.put(name, "{");
        assert!(matches!(store.version(name), Version::Dispensable(_)), "{name}");
    }
    check(&store.settings).unwrap();
}

#[test]
fn topics_that_are_not_served_are_refused() {
    let topics = |attributes: &str| {
        format!(
            r#"{{"topicConfigTable":{{"A":{{"topicName":"A"}},"T":{{"topicName":"T","attributes":{{{attributes}}}}}}}}}"#
        )
    };
    let cases = [
        (topics(r#""queue.type":"SimpleCQ","cleanup.policy":"DELETE","message.type":"FIFO""#), None),
        (topics(r#""queue.type":"BatchCQ""#), Some("topic T has queue.type=BatchCQ")),
        (topics(r#""cleanup.policy":"COMPACTION""#), Some("topic T has cleanup.policy=COMPACTION")),
    ];
    for (text, says) in cases {
        let store = Store::new();
        store.put("topics.json", &text);
        let error = check(&store.settings).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), says.is_some(), "{text}: {error:?}");
        if let (Some(error), Some(says)) = (error, says) {
            assert!(error.contains(says) && error.contains("topics.json") && error.contains("deleteTopic"), "{error}");
        }
    }
    let store = Store::new();
    store.put(
        "topicQueueMapping.json",
        r#"{"topicQueueMappingInfoMap":{"S":{"bname":"broker-a","hostedQueues":{0:[]}}}}"#,
    );
    assert!(matches!(check(&store.settings), Err(Refusal::StaticTopic { topic, .. }) if topic == "S"));
}
