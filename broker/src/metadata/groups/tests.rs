use std::fs;

use boostermq_remoting::config::Machine;
use boostermq_remoting::properties_file::Properties;
use boostermq_store::clock::ManualClock;

use super::*;

fn settings(text: &str) -> Live<Settings> {
    let given = Properties::parse("broker.conf", text.as_bytes()).unwrap();
    Live::new(Settings::read(given, &Machine::this()).unwrap().0)
}

struct Bench {
    dir: tempfile::TempDir,
    live: Live<Settings>,
}

impl Bench {
    fn new(text: &str) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), live: settings(text) }
    }

    fn groups(&self) -> Groups {
        Groups::load(self.dir.path(), self.live.clone(), Arc::new(ManualClock::new(7))).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir.path().join("subscriptionGroup.json")).unwrap()).unwrap()
    }
}

fn group(name: &str) -> Group {
    Group::parse(name).unwrap()
}

#[test]
fn a_new_broker_has_the_reference_brokers_groups() {
    let expected = "CID_ONS-HTTP-PROXY CID_ONSAPI_OWNER CID_ONSAPI_PERMISSION CID_ONSAPI_PULL CID_RMQ_SYS_TRANS \
        FILTERSRV_CONSUMER SELF_TEST_C_GROUP TOOLS_CONSUMER";
    let groups = Bench::new("").groups();
    assert_eq!(Vec::from_iter(groups.table().sorted().into_keys()).join(" "), expected);
}

#[test]
fn a_group_is_made_by_its_first_use_where_that_is_allowed() {
    let long = "g".repeat(121);
    for (text, name, expected) in [
        ("", "payments", true),
        ("", "not a name", false),
        ("", &long, false),
        ("autoCreateSubscriptionGroup=false", "payments", false),
        ("autoCreateSubscriptionGroup=false", "TOOLS_CONSUMER", true),
        ("autoCreateSubscriptionGroup=false", "CID_RMQ_SYS_NEW", true),
        ("autoCreateSubscriptionGroup=false\nenableCreateSysGroup=false", "CID_RMQ_SYS_NEW", false),
    ] {
        let bench = Bench::new(text);
        let groups = bench.groups();
        let made = groups.find_or_create(name);
        assert_eq!(made.is_some(), expected, "{text} {name}");
        assert_eq!(made, groups.find(name));
        groups.save().unwrap();
        assert_eq!(bench.groups().find(name), made, "it is there after a restart");
    }
}

#[test]
fn every_change_is_on_disk_and_has_a_version() {
    let bench = Bench::new("");
    let groups = bench.groups();
    let generation = groups.generation();
    let mut config = SubscriptionGroupConfig { retry_max_times: 3, ..SubscriptionGroupConfig::new("ignored") };
    for _ in 0..2 {
        groups.put(vec![(group("payments"), config.clone())]).unwrap();
    }
    let json = &bench.json()["subscriptionGroupTable"]["payments"];
    assert_eq!((&json["groupName"], &json["retryMaxTimes"]), (&"payments".into(), &3.into()));
    groups.set_may_read("payments", "Orders", false).unwrap();
    assert!(!groups.may_read("payments", "Orders"));
    assert_eq!(bench.json()["forbiddenTable"], serde_json::json!({"payments": {"Orders": 4}}));
    config.attributes.insert("+color".into(), "red".into());
    let refused = vec![(group("other"), SubscriptionGroupConfig::new("other")), (group("payments"), config)];
    assert!(matches!(groups.put(refused), Err(GroupChangeError::Attribute(_))));
    assert!(groups.find("other").is_none(), "all or none");
    assert!(groups.delete("payments").unwrap());
    assert!(!groups.delete("payments").unwrap());
    assert_eq!(bench.json()["forbiddenTable"], serde_json::json!({}));
    assert_eq!((groups.table().data_version.counter, groups.generation() - generation), (3, 3));
}

#[test]
fn allowing_one_topic_again_leaves_the_others_forbidden() {
    let groups = Bench::new("").groups();
    for topic in ["A", "B"] {
        groups.set_may_read("g", topic, false).unwrap();
    }
    groups.set_may_read("g", "A", true).unwrap();
    assert_eq!([groups.may_read("g", "A"), groups.may_read("g", "B"), groups.may_read("h", "B")], [true, false, true]);
}

#[test]
fn what_a_newer_broker_wrote_survives() {
    let bench = Bench::new("");
    fs::write(
        bench.dir.path().join("subscriptionGroup.json"),
        r#"{"dataVersion":{"counter":7},"future":1,"forbiddenTable":{"g":{"T":12}},
           "subscriptionGroupTable":{"g":{"groupName":"g","retryMaxTimes":2,"color":"red"}}}"#,
    )
    .unwrap();
    let groups = bench.groups();
    assert_eq!((groups.find("g").unwrap().retry_max_times, groups.may_read("g", "T")), (2, false));
    groups.set_may_read("g", "T", true).unwrap();
    let json = bench.json();
    assert_eq!(json["forbiddenTable"], serde_json::json!({"g": {"T": 8}}));
    assert_eq!((&json["future"], &json["subscriptionGroupTable"]["g"]["color"]), (&1.into(), &"red".into()));
    assert_eq!(json["dataVersion"]["counter"], 8);
}
