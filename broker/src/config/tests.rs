use super::*;
use boostermq_remoting::config::{ConfigError, Machine, Outcome, Warning};
use boostermq_remoting::properties_file::Properties;
use std::collections::BTreeSet;

#[path = "../../../remoting/tests/shared/settings.rs"]
mod shared;

pub(crate) use shared::machine;

/// Section, key and, where upstream has one, default of each key of RocketMQ 5.5.0, but for those of the store.
const GOLDEN: &str = include_str!("../../tests/golden/config.tsv");

/// Keys that a broker of RocketMQ 5.5.0 lists to `mqadmin getBrokerConfig`.
const LISTED: &str = include_str!("../../tests/golden/listed_keys.txt");

const INTRODUCTION: &str = "# Settings of a broker

Keys of `broker.conf`, with the defaults of RocketMQ 5.5.0; those of the store are in `store/CONFIG.md`. Sizes are in bytes.
An empty default is filled in at start as the meaning says. Written from `broker/src/config.rs`; to renew it:
`BOOSTERMQ_WRITE_DOCS=1 cargo test -p boostermq-broker config`.";

fn read_on(machine: &Machine, text: &str) -> Result<(Settings, Vec<Warning>), ConfigError> {
    Settings::read(Properties::parse("broker.conf", text.as_bytes()).unwrap(), machine)
}

fn read(text: &str) -> Settings {
    read_on(&machine(), text).unwrap().0
}

#[test]
fn keys_and_defaults_are_upstreams() {
    shared::assert_upstreams(&read("").broker, GOLDEN);
}

#[test]
fn each_key_is_declared_once() {
    let rows = Settings::rows();
    let keys: BTreeSet<_> = rows.iter().map(|row| row.key).collect();
    assert_eq!(keys.len(), rows.len());
}

#[test]
fn the_listing_is_upstreams() {
    let machine = Machine {
        namesrv_addr: Some("127.0.0.1:9876".into()),
        rocketmq_home: Some("/opt/rocketmq".into()),
        ..machine()
    };
    let (settings, _) = read_on(&machine, "").unwrap();
    let properties = settings.to_properties();
    let ours: BTreeSet<_> = properties.iter().map(|(key, _)| key).collect();
    let golden: BTreeSet<_> = LISTED.lines().collect();
    assert_eq!(ours, golden);
}

#[test]
fn keys_of_access_control_are_listed_once_set() {
    let listed = read("userCacheMaxNum=5\ninitAuthenticationUser={\"username\":\"root\"}").to_properties();
    assert_eq!(listed.get("userCacheMaxNum"), Some("5"));
    assert_eq!(listed.get("initAuthenticationUser"), Some("******"));
    assert_eq!(listed.get("aclCacheMaxNum"), None);
    // Headers of requests to a collector of metrics hold its token.
    assert_eq!(listed.get("metricsGrpcExporterHeader"), Some(""));
    let listed = read("metricsGrpcExporterHeader=Authorization:Bearer x").to_properties();
    assert_eq!(listed.get("metricsGrpcExporterHeader"), Some("******"));
}

#[test]
fn document_is_fresh() {
    shared::assert_document_is_fresh::<BrokerConfig>(env!("CARGO_MANIFEST_DIR"), INTRODUCTION);
}

#[test]
fn open_values_are_filled_in() {
    let settings = read("listenPort=20911\nbrokerIP1=10.0.0.7\nbrokerId=3");
    assert_eq!((settings.broker.server.listen_port, settings.store.ha_listen_port), (20911, 20912));
    assert_eq!((settings.broker.broker_ip1.as_str(), settings.broker.broker_ip2.as_str()), ("10.0.0.7", "192.0.2.2"));
    assert_eq!(settings.broker.broker_id, BrokerId::MASTER);
    assert_eq!(read("haListenPort=7").store.ha_listen_port, 7);

    let nameless = Machine { host_name: None, ..machine() };
    let named = |text| read_on(&nameless, text).unwrap().0.broker.broker_name.as_str().to_owned();
    assert_eq!(["", "brokerName=", "brokerName=broker-a"].map(named), ["DEFAULT_BROKER", "DEFAULT_BROKER", "broker-a"]);

    let elsewhere = Machine { namesrv_addr: Some("a:1".into()), ..machine() };
    let servers = |text| read_on(&elsewhere, text).unwrap().0.broker.namesrv_addr;
    assert_eq!(["", "namesrvAddr=b:2;c:2"].map(servers), [Some("a:1".into()), Some("b:2;c:2".into())]);
}

#[test]
fn promises_that_cannot_be_kept_stop_the_start() {
    let no_access = "cannot be kept: this version has no access control; take the key out";
    let table = [
        ("aclEnable=true", format!("broker.conf:1: aclEnable=true {no_access}")),
        ("authenticationEnabled=true", format!("broker.conf:1: authenticationEnabled=true {no_access}")),
        ("listenPort=70000", "broker.conf:1: listenPort=70000: expected a port from 0 to 65535".into()),
        ("listenPort=2", "broker.conf:1: listenPort=2: expected a port from 3 to 65535, for the port two below".into()),
        ("brokerPermission=8", "broker.conf:1: brokerPermission=8: expected a whole number from 0 to 7".into()),
        ("bindAddress=here", "broker.conf:1: bindAddress=here: expected an IP address such as 0.0.0.0".into()),
        ("flushDiskType=SYNC", "broker.conf:1: flushDiskType=SYNC: expected one of SYNC_FLUSH, ASYNC_FLUSH".into()),
    ];
    for (text, expected) in table {
        assert_eq!(read_on(&machine(), text).unwrap_err().to_string(), expected);
    }
}

/// The file that comes with RocketMQ, and lines that many guides repeat.
#[test]
fn files_of_the_field_are_read() {
    let shipped = "brokerClusterName = DefaultCluster\nbrokerName = broker-a\nbrokerId = 0\ndeleteWhen = 04\n\
                   fileReservedTime = 48\nbrokerRole = ASYNC_MASTER\nflushDiskType = ASYNC_FLUSH\n";
    let (settings, warnings) = read_on(&machine(), shipped).unwrap();
    assert_eq!((settings.store.file_reserved_time.0, warnings), (48, vec![]));

    let guide = "storePathIndex=/data/index\nsendMessageThreadPoolNums=128\nautoCreateTopicEnabled=false\n";
    let (settings, warnings) = read_on(&machine(), guide).unwrap();
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "broker.conf:3: autoCreateTopicEnabled is not a known key and does nothing; did you mean autoCreateTopicEnable?",
            "broker.conf:2: sendMessageThreadPoolNums does nothing here: requests run where they are read; there is no pool of threads to size",
            "broker.conf:1: storePathIndex is not a known key and does nothing",
        ]
    );
    assert_eq!(
        settings.unknown(),
        [("autoCreateTopicEnabled", "false"), ("storePathIndex", "/data/index")]
            .map(|(key, value)| (key.into(), value.into()))
    );
}

#[test]
fn a_change_at_run_time_is_noted_for_the_file() {
    let mut settings = read("brokerName=broker-a");
    assert_eq!(settings.update("brokerPermission", "4"), Ok(Outcome::Applied));
    assert_eq!(settings.update("fileReservedTime", "24"), Ok(Outcome::Applied));
    assert_eq!(settings.update("listenPort", "1234"), Ok(Outcome::AtStartOnly));
    assert_eq!(settings.update("listenPort", "10911"), Ok(Outcome::Unchanged));
    assert_eq!(settings.update("flushIntervalCommitLog", "250"), Ok(Outcome::AfterRestart));
    assert_eq!(settings.update("noSuchKey", "1"), Ok(Outcome::UnknownKey));
    assert!(matches!(settings.update("popPollingSize", "1"), Ok(Outcome::NoEffect(_))));
    assert!(settings.update("brokerPermission", "write").is_err());
    assert_eq!((settings.broker.broker_permission, settings.store.file_reserved_time.0), (4, 24));
    assert_eq!(settings.broker.server.listen_port, 10911);
    assert_eq!(
        settings.given.to_file_text(),
        "brokerName=broker-a\nbrokerPermission=4\nfileReservedTime=24\nflushIntervalCommitLog=250\n"
    );
}

/// A key that says it takes effect must be read somewhere: its field stands in the source of some crate.
#[test]
fn keys_that_take_effect_are_read() {
    let tables = [include_str!("../config.rs"), include_str!("../../../store/src/config.rs")];
    let mut source = String::new();
    for folder in ["../broker/src", "../store/src"] {
        append_source(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut source);
    }
    tables.iter().for_each(|table| source.push_str(parts(table).1));
    let words: BTreeSet<_> = source.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let claimed: Vec<_> = tables.iter().flat_map(|table| claims(parts(table).0)).collect();
    assert!(claimed.len() > 60, "the tables were not understood: {claimed:?}");
    let unread: Vec<_> =
        claimed.iter().filter(|(field, _)| !words.contains(field.as_str())).map(|(_, key)| key).collect();
    assert!(unread.is_empty(), "declared Live or Restart, yet read nowhere: {unread:?}");
}

/// The table of a file, and what follows it.
fn parts(text: &str) -> (&str, &str) {
    let table = text.split_once("boostermq_remoting::config! {").unwrap().1;
    table.split_once("\n}\n").unwrap()
}

/// Field and key of each line of a table that is `Live` or `Restart`.
fn claims(table: &str) -> Vec<(String, String)> {
    let lines: String = table.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let claim = |statement: &str| {
        let (rest, effect) = statement.rsplit_once("\",")?;
        let is_claim = ["Live", "Restart"].iter().any(|name| effect.trim_start().starts_with(name));
        let field = rest.rsplit_once('{').map_or(rest, |(_, first)| first).split_once(':')?.0.trim();
        is_claim.then(|| Some((field.to_owned(), rest.rsplit_once('"')?.1.to_owned()))).flatten()
    };
    lines.split(';').filter_map(|statement| claim(statement.trim())).collect()
}

/// The source of a folder without the tables of settings and without tests.
fn append_source(folder: &std::path::Path, source: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            append_source(&path, source);
        } else if name.ends_with(".rs") && name != "config.rs" && !name.contains("tests") {
            source.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
