use std::fs;

use boostermq_remoting::config::Machine;
use boostermq_remoting::message::properties::Properties;
use boostermq_remoting::properties_file;
use boostermq_store::clock::ManualClock;

use super::*;

/// As a broker of RocketMQ 5.5.0 wrote it, with its defaults, after the groups had left.
const GOLDEN: &str = include_str!("../../../tests/golden/metadata/consumerFilter.json");

struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::new(1_000_000)) }
    }

    fn filters(&self, keys: &str) -> ConsumerFilters {
        let given = properties_file::Properties::parse("broker.conf", keys.as_bytes()).unwrap();
        let settings = Live::new(Settings::read(given, &Machine::this()).unwrap().0);
        ConsumerFilters::load(self.dir.path(), settings, self.clock.clone()).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(self.dir.path().join("consumerFilter.json"), text).unwrap();
    }

    fn written(&self) -> String {
        fs::read_to_string(self.dir.path().join("consumerFilter.json")).unwrap()
    }
}

fn sql(topic: &str, expression: &str, version: i64) -> SubscriptionData {
    SubscriptionData {
        topic: topic.into(),
        sub_string: expression.into(),
        sub_version: version,
        expression_type: Some(SQL92.into()),
        ..SubscriptionData::default()
    }
}

fn tags(topic: &str) -> SubscriptionData {
    SubscriptionData { expression_type: None, ..sql(topic, "*", 1) }
}

/// Version of a group's filter for the topic T, and the values of `a` from 0 to 9 that it wants.
fn wanted(filters: &ConsumerFilters, group: &str) -> Option<(i64, String)> {
    let (filter, version) = filters.find("T", group)?;
    let is_wanted = |a: &u32| filter.expression.matches(Properties(&format!("a\u{1}{a}\u{2}")));
    Some((version, (0..10).filter(is_wanted).map(|a| a.to_string()).collect()))
}

#[test]
fn the_newest_expression_counts() {
    let bench = Bench::new();
    let filters = bench.filters("");
    for (expression, version, expected) in [
        ("a >", 1, None),
        ("a > 7", 2, Some((2, "89"))),
        ("a > 5", 2, Some((2, "89"))),
        ("a > 5", 1, Some((2, "89"))),
        ("a > 7", 3, Some((3, "89"))),
        ("a > 6", 4, Some((4, "789"))),
        // So that pulls say what is wrong.
        ("a >", 5, None),
        ("a > 8", 5, Some((5, "9"))),
    ] {
        filters.register("g", &[sql("T", expression, version)]);
        let expected = expected.map(|(version, values)| (version, values.to_owned()));
        assert_eq!(wanted(&filters, "g"), expected, "{expression} {version}");
    }
    assert_eq!(wanted(&filters, "h"), None);
    filters.register("h", &[SubscriptionData { expression_type: Some("LUA".into()), ..sql("T", "a > 5", 1) }]);
    assert_eq!(wanted(&filters, "h"), None);
}

#[test]
fn the_file_is_upstreams() {
    let bench = Bench::new();
    bench.write(GOLDEN);
    let filters = bench.filters("");
    let (filter, version) = filters.find("ProbeT", "GH").unwrap();
    assert!(filter.expression.matches(Properties("a\u{1}7")) && !filter.expression.matches(Properties("a\u{1}6")));
    assert_eq!(version, 104);
    filters.file.note_change();
    filters.save().unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&bench.written()).unwrap(),
        serde_json::from_str::<serde_json::Value>(GOLDEN).unwrap()
    );
}

#[test]
fn a_filter_survives_a_restart_and_its_group_for_a_time() {
    let bench = Bench::new();
    let filters = bench.filters("");
    filters.register("g", &[sql("T", "a > 5", 9), tags("%RETRY%g")]);
    filters.save().unwrap();
    assert!(bench.written().contains("\"deadTime\":0"));

    // After a start nobody is there, until a heartbeat comes.
    bench.clock.advance(100_000);
    let filters = bench.filters("filterDataCleanTimeSpan=60000");
    assert!(filters.table.read().find("T", "g").unwrap().is_dead());
    assert_eq!(wanted(&filters, "g"), Some((9, "6789".into())));
    filters.register("g", &[sql("T", "a > 5", 9)]);
    assert!(!filters.table.read().find("T", "g").unwrap().is_dead());
    filters.tidy(|_| true);
    assert!(!filters.table.read().find("T", "g").unwrap().is_dead());

    // The last member leaves.
    filters.tidy(|_| false);
    assert!(filters.table.read().find("T", "g").unwrap().is_dead());
    bench.clock.advance(59_999);
    filters.tidy(|_| false);
    assert_eq!(wanted(&filters, "g"), Some((9, "6789".into())));
    bench.clock.advance(1);
    filters.tidy(|_| false);
    assert_eq!(wanted(&filters, "g"), None);
    assert!(filters.table.read().by_topic.is_empty() && filters.table.read().topics.is_empty());
    filters.save().unwrap();
    assert!(!bench.written().contains("\"g\""));
}

#[test]
fn a_topic_that_is_no_longer_subscribed_ends() {
    let bench = Bench::new();
    let filters = bench.filters("");
    let is_dead = |topic: &str| filters.table.read().find(topic, "g").unwrap().is_dead();
    filters.register("g", &[sql("T", "a > 5", 1), sql("U", "a > 6", 1)]);
    filters.register("h", &[sql("T", "a > 5", 1)]);
    filters.register("g", &[tags("X"), sql("U", "a > 6", 1)]);
    assert_eq!((is_dead("T"), is_dead("U")), (true, false));
    filters.register("g", &[sql("T", "a > 5", 1), sql("U", "a > 6", 1)]);
    assert_eq!((is_dead("T"), is_dead("U")), (false, false));
    filters.register("g", &[]);
    assert_eq!((is_dead("T"), is_dead("U")), (true, true));
    assert!(!filters.table.read().find("T", "h").unwrap().is_dead());
}

#[test]
fn a_file_that_says_nothing_is_left_out() {
    let bench = Bench::new();
    for (text, keys, count) in [
        (GOLDEN, "", 2),
        (GOLDEN, "expectConsumerNumUseFilter=64", 0),
        ("{", "", 0),
        ("{}", "", 0),
        (&GOLDEN.replace("a > 6", "a >"), "", 0),
        (&GOLDEN.replace("99,46,38", "99,46"), "", 0),
        (&GOLDEN.replace("99,46,38", "99,46,113"), "", 0),
    ] {
        bench.write(text);
        let _ = fs::remove_file(bench.dir.path().join("consumerFilter.json.bak"));
        assert_eq!(bench.filters(keys).table.read().count, count, "{keys} {text}");
    }
}
