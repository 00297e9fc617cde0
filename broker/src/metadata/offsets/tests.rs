use std::fs;

use boostermq_remoting::config::Machine;
use boostermq_remoting::properties_file::Properties;
use boostermq_store::clock::ManualClock;
use serde_json::{Value, json};

use super::*;

const QUEUE: QueueId = QueueId(0);

struct Bench {
    dir: tempfile::TempDir,
    live: Live<Settings>,
}

impl Bench {
    fn new(text: &str) -> Self {
        let given = Properties::parse("broker.conf", text.as_bytes()).unwrap();
        let live = Live::new(Settings::read(given, &Machine::this()).unwrap().0);
        Self { dir: tempfile::tempdir().unwrap(), live }
    }

    fn with_file(text: &str) -> Self {
        let bench = Self::new("");
        fs::write(bench.dir.path().join("consumerOffset.json"), text).unwrap();
        bench
    }

    fn offsets(&self) -> ConsumerOffsets {
        ConsumerOffsets::load(self.dir.path(), self.live.clone(), Arc::new(ManualClock::new(7))).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir.path().join("consumerOffset.json")).unwrap()).unwrap()
    }
}

/// As a RocketMQ 5.5.0 broker writes it, queues bare, with what other versions may add.
const STORED: &str = r#"{
	"dataVersion":{
		"counter":3,
		"stateVersion":0,
		"timestamp":1795369171458
	},
	"future":{"a":1},
	"groupTopicMap":{
		"g":["Gone"]
	},
	"offsetTable":{
		"T@g":{
			0:5,
			11:1
		},
		"%RETRY%g@g":{0:2},
		"odd":{0:1}
	},
	"pullOffsetTable":{"T@g":{0:6}}
}"#;

#[test]
fn the_reference_brokers_file_is_read_and_nothing_of_it_is_lost() {
    let bench = Bench::with_file(STORED);
    let offsets = bench.offsets();
    assert_eq!(offsets.query("g", "T", QueueId(11)), Some(1));
    assert_eq!(offsets.query("g", "%RETRY%g", QUEUE), Some(2));
    offsets.save().unwrap();
    assert_eq!(fs::read_to_string(bench.dir.path().join("consumerOffset.json")).unwrap(), STORED, "nothing to write");
    offsets.commit("h", "T", QUEUE, 9);
    offsets.save().unwrap();
    assert_eq!(
        bench.json(),
        json!({
            "dataVersion": {"counter": 3, "stateVersion": 0, "timestamp": 1_795_369_171_458_i64},
            "future": {"a": 1},
            "groupTopicMap": {"g": ["%RETRY%g", "T"], "h": ["T"]},
            "offsetTable": {"%RETRY%g@g": {"0": 2}, "T@g": {"0": 5, "11": 1}, "T@h": {"0": 9}, "odd": {"0": 1}},
            "pullOffsetTable": {"T@g": {"0": 6}},
        })
    );
    assert_eq!(bench.offsets().query("h", "T", QUEUE), Some(9));
}

#[test]
fn commits_may_go_back_but_not_below_zero() {
    let offsets = Bench::new("").offsets();
    let steps = [(5, true, Some(5)), (3, true, Some(3)), (-1, false, Some(3)), (0, true, Some(0))];
    for (offset, stored, expected) in steps {
        assert_eq!(offsets.commit("g", "T", QUEUE, offset), stored, "{offset}");
        assert_eq!(offsets.query("g", "T", QUEUE), expected, "{offset}");
    }
    for (group, topic, queue_id) in [("h", "T", 0), ("g", "U", 0), ("g", "T", 1)] {
        assert_eq!(offsets.query(group, topic, QueueId(queue_id)), None);
    }
}

#[test]
fn a_reset_waits_for_the_consumer_and_shuts_out_commits() {
    let offsets = Bench::new("").offsets();
    offsets.commit("g", "T", QUEUE, 100);
    offsets.reset("g", "T", QUEUE, 10);
    assert!(!offsets.commit("g", "T", QUEUE, 101), "the consumer has not moved yet");
    assert!(offsets.commit("g", "T", QueueId(1), 7), "other queues go on");
    assert_eq!(offsets.query("g", "T", QUEUE), Some(10));
    assert_eq!(offsets.take_reset("g", "T", QUEUE), Some(10));
    assert_eq!(offsets.take_reset("g", "T", QUEUE), None);
    assert_eq!(offsets.query("g", "T", QUEUE), Some(10));
    assert!(offsets.commit("g", "T", QUEUE, 11));
}

#[test]
fn removal_takes_resets_along() {
    for remove in [(|offsets: &ConsumerOffsets| offsets.remove_topic("T")) as fn(&ConsumerOffsets), |offsets| {
        offsets.remove_group("g")
    }] {
        let offsets = Bench::new("").offsets();
        for (group, topic) in [("g", "T"), ("h", "U")] {
            offsets.reset(group, topic, QUEUE, 4);
        }
        remove(&offsets);
        assert_eq!(offsets.query("g", "T", QUEUE), None);
        assert!(!offsets.has_reset("g", "T", QUEUE) && offsets.has_reset("h", "U", QUEUE));
        assert_eq!((offsets.topics_of("g"), offsets.groups_of("U")), (vec![], vec!["h".to_owned()]));
        assert_eq!(offsets.take_reset("h", "U", QUEUE), Some(4));
        assert_eq!(offsets.waiting_resets.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn groups_of_a_topic_are_those_with_offsets_of_it() {
    let offsets = Bench::new("").offsets();
    // Topics and groups go while others come and commit.
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let offsets = &offsets;
            scope.spawn(move || {
                for round in 0..2000 {
                    let (group, topic) = (format!("g{}", round % 7), format!("T{}", round % 5));
                    match (round + thread) % 11 {
                        0 => offsets.remove_topic(&topic),
                        1 => offsets.remove_group(&group),
                        _ => drop(offsets.commit(&group, &topic, QUEUE, round)),
                    }
                }
            });
        }
    });
    let groups: Vec<String> = (0..7).map(|group| format!("g{group}")).collect();
    for topic in (0..5).map(|topic| format!("T{topic}")) {
        let mut with_offsets = groups.clone();
        with_offsets.retain(|group| offsets.topics_of(group).contains(&topic));
        assert_eq!(offsets.groups_of(&topic), with_offsets, "{topic}");
    }
    for topic in (0..5).map(|topic| format!("T{topic}")) {
        offsets.remove_topic(&topic);
        assert_eq!(offsets.groups_of(&topic), Vec::<String>::new(), "{topic}");
    }
}

#[test]
fn a_group_can_be_copied() {
    let offsets = Bench::new("").offsets();
    offsets.commit("g", "T", QUEUE, 4);
    offsets.commit("g", "T", QueueId(3), 5);
    offsets.copy("T", "g", "h");
    assert_eq!(offsets.queues("h", "T"), QueueOffsets::from([(0, 4), (3, 5)]));
}

#[test]
fn the_version_changes_every_so_many_commits() {
    let offsets = Bench::new("consumerOffsetUpdateVersionStep=3").offsets();
    for offset in 1..=7 {
        offsets.commit("g", "T", QUEUE, offset);
        offsets.commit("g", "T", QUEUE, offset);
    }
    assert_eq!(offsets.data_version().counter, 2);
}

#[test]
fn many_threads_commit_at_once() {
    let bench = Bench::new("");
    let offsets = bench.offsets();
    std::thread::scope(|scope| {
        for queue_id in 0..4 {
            let offsets = &offsets;
            scope.spawn(move || {
                for offset in 1..=1000 {
                    offsets.commit("g", "T", QueueId(queue_id), offset);
                    offsets.commit(&format!("g{}", offset % 50), "T", QueueId(queue_id), offset);
                }
            });
        }
        scope.spawn(|| (0..20).for_each(|_| offsets.save().unwrap()));
    });
    offsets.save().unwrap();
    let again = bench.offsets();
    assert_eq!(again.queues("g", "T"), (0..4).map(|queue_id| (queue_id, 1000)).collect());
    assert_eq!(again.groups_of("T").len(), 51);
}

#[test]
fn a_store_with_light_queues_keeps_offsets_in_a_file_of_its_own() {
    let bench = Bench::new("enableLmq=true");
    // As a RocketMQ 5.5.0 broker leaves the two.
    let stored = r#"{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"groupTopicMap":{},
        "lmqOffsetTable":{"%LMQ%a@%LMQ%g":9},"offsetTable":{"T@g":{0:5}},"pullOffsetTable":{}}"#;
    fs::write(bench.dir.path().join("lmqConsumerOffset.json"), stored).unwrap();
    fs::write(bench.dir.path().join("consumerOffset.json"), r#"{"offsetTable":{"T@g":{0:1}}}"#).unwrap();
    let offsets = bench.offsets();
    assert_eq!(offsets.query("g", "T", QUEUE), Some(5));
    assert_eq!(offsets.query("%LMQ%g", "%LMQ%a", QueueId(0)), Some(9));
    offsets.commit("g", "T", QUEUE, 6);
    offsets.commit("g", "%LMQ%a", QueueId(0), 3);
    offsets.commit("%LMQ%g", "%LMQ%b", QueueId(0), 4);
    offsets.save().unwrap();
    let text = fs::read(bench.dir.path().join("lmqConsumerOffset.json")).unwrap();
    let written: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(written["lmqOffsetTable"], json!({"%LMQ%a@%LMQ%g": 9, "%LMQ%b@%LMQ%g": 4}));
    assert_eq!(written["groupTopicMap"], json!({"g": ["%LMQ%a", "T"]}));
    assert_eq!(written["offsetTable"], json!({"T@g": {"0": 6}, "%LMQ%a@g": {"0": 3}}));
    let again = bench.offsets();
    assert_eq!(again.query("%LMQ%g", "%LMQ%b", QueueId(0)), Some(4));
    again.remove_group("%LMQ%g");
    again.save().unwrap();
    assert_eq!(bench.offsets().query("%LMQ%g", "%LMQ%b", QueueId(0)), None);
    let other = fs::read_to_string(bench.dir.path().join("consumerOffset.json")).unwrap();
    assert_eq!(other, r#"{"offsetTable":{"T@g":{0:1}}}"#, "it is left alone");
}
