use super::*;
use std::collections::BTreeSet;

#[path = "../../../remoting/tests/shared/settings.rs"]
mod shared;

/// Section, key and, where upstream has one, default of each key of RocketMQ 5.5.0.
const GOLDEN: &str = include_str!("../../tests/golden/config.tsv");

/// Keys that a name server of RocketMQ 5.5.0 lists to `mqadmin getNamesrvConfig`.
const LISTED: &str = include_str!("../../tests/golden/listed_keys.txt");

const INTRODUCTION: &str = "# Settings of a name server

Keys of `namesrv.conf`, with the defaults of RocketMQ 5.5.0. Sizes are in bytes. An empty default is filled in at start as the
meaning says. Written from `namesrv/src/config.rs`; to renew it: `BOOSTERMQ_WRITE_DOCS=1 cargo test -p boostermq-namesrv config`.";

fn read(source: &str, text: &str) -> Result<NamesrvConfig, ConfigError> {
    let given = Properties::parse(source, text.as_bytes()).unwrap();
    NamesrvConfig::read(&given, &shared::machine()).map(|(config, _)| config)
}

#[test]
fn keys_and_defaults_are_upstreams() {
    shared::assert_upstreams(&read("", "").unwrap(), GOLDEN);
}

#[test]
fn the_listing_is_upstreams() {
    let listed = read("", "rocketmqHome=/opt/rocketmq").unwrap().to_properties();
    let ours: BTreeSet<_> = listed.iter().map(|(key, _)| key).collect();
    assert_eq!(ours, LISTED.lines().collect());
}

#[test]
fn document_is_fresh() {
    shared::assert_document_is_fresh::<NamesrvConfig>(env!("CARGO_MANIFEST_DIR"), INTRODUCTION);
}

#[test]
fn changes_are_written_to_the_file_that_was_given() {
    let path = |source, text| read(source, text).unwrap().config_store_path;
    assert_eq!(path("/etc/namesrv.conf", "listenPort=1"), PathBuf::from("/etc/namesrv.conf"));
    assert_eq!(path("/etc/namesrv.conf", "configStorePath=/tmp/x"), PathBuf::from("/tmp/x"));
    assert_eq!(path("", ""), PathBuf::from("/home/mq/namesrv/namesrv.properties"));
}

#[test]
fn a_wrong_value_stops_the_start() {
    let text = |text| read("namesrv.conf", text).unwrap_err().to_string();
    assert_eq!(text("enableTopicList=1"), "namesrv.conf:1: enableTopicList=1: expected true or false");
    assert_eq!(
        text("enableControllerInNamesrv=true"),
        "namesrv.conf:1: enableControllerInNamesrv=true cannot be kept: this version has no failover by a controller; take the key out"
    );
}
