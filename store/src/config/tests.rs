use super::*;
use boostermq_remoting::config::{Config, Setting};
use std::time::Duration;

#[path = "../../../remoting/tests/shared/settings.rs"]
mod shared;

/// Section, key and, where upstream has one, default of each key of RocketMQ 5.5.0.
const GOLDEN: &str = include_str!("../../tests/golden/config.tsv");

const INTRODUCTION: &str = "# Settings of the store

Keys of `broker.conf` that concern the store, with the defaults of RocketMQ 5.5.0. Sizes are in bytes. An empty default is
filled in at start as the meaning says. Written from `store/src/config.rs`; to renew it:
`BOOSTERMQ_WRITE_DOCS=1 cargo test -p boostermq-store config`.";

fn read(text: &str) -> Result<StoreConfig, ConfigError> {
    let given = Properties::parse("broker.conf", text.as_bytes()).unwrap();
    let (mut config, _) = StoreConfig::from_properties(&given)?;
    config.resolve(&given, &shared::machine())?;
    Ok(config)
}

#[test]
fn keys_and_defaults_are_upstreams() {
    shared::assert_upstreams(&read("").unwrap(), GOLDEN);
}

#[test]
fn document_is_fresh() {
    shared::assert_document_is_fresh::<StoreConfig>(env!("CARGO_MANIFEST_DIR"), INTRODUCTION);
}

#[test]
fn paths_follow_the_root() {
    let config = read("storePathRootDir=/data/mq").unwrap();
    assert_eq!(config.store_path_commit_log, PathBuf::from("/data/mq/commitlog"));
    let config = read("storePathCommitLog=/log").unwrap();
    assert_eq!(config.store_path_root_dir, PathBuf::from("/home/mq/store"));
    assert_eq!(config.store_path_commit_log, PathBuf::from("/log"));
}

#[test]
fn promises_that_cannot_be_kept_stop_the_start() {
    let table = [
        (
            "storePathCommitLog=/a,/b",
            "broker.conf:1: storePathCommitLog=/a,/b: expected one folder: move the files of the others into it, their names are told apart by the offset they begin at",
        ),
        (
            "\nbrokerRole=SLAVE",
            "broker.conf:2: brokerRole=SLAVE: expected ASYNC_MASTER or SYNC_MASTER: this version has no replication",
        ),
        ("brokerRole=MASTER", "broker.conf:1: brokerRole=MASTER: expected one of ASYNC_MASTER, SYNC_MASTER, SLAVE"),
        (
            "inSyncReplicas=2",
            "broker.conf:1: inSyncReplicas=2 cannot be kept: this version has no replication; take the key out",
        ),
        ("deleteWhen=24", "broker.conf:1: deleteWhen=24: expected hours of the day from 00 to 23, separated by `;`"),
        ("fileReservedTime=-1", "broker.conf:1: fileReservedTime=-1: expected a number of hours, 0 or more"),
        (
            "mappedFileSizeCommitLog=0",
            "broker.conf:1: mappedFileSizeCommitLog=0: expected a number of bytes from 4096 to 2147483647",
        ),
        (
            "messageDelayLevel=1s 5x",
            "broker.conf:1: messageDelayLevel=1s 5x: expected delays such as `1s 5m 2h 1d`, separated by blanks",
        ),
        (
            "storeType=defaultRocksDB",
            "broker.conf:1: storeType=defaultRocksDB cannot be kept: consume queues are kept in files; a store in RocksDB cannot be read; take the key out",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn queue_files_hold_whole_units() {
    for (given, expected) in [(6_000_000, 6_000_000), (20, 20), (2001, 2020)] {
        let config = read(&format!("mappedFileSizeConsumeQueue={given}")).unwrap();
        assert_eq!(config.consume_queue_file_size(), ByteSize(expected));
    }
}

#[test]
fn delay_levels_begin_at_one() {
    let levels = DelayLevels::default();
    assert_eq!(DelayLevels::parse(&levels.text().unwrap()), Some(levels.clone()));
    assert_eq!(levels.highest(), 18);
    assert_eq!(
        [0, 1, 5, 18, 19].map(|level| levels.delay(level)),
        [None, Some(Duration::from_secs(1)), Some(Duration::from_secs(60)), Some(Duration::from_secs(7_200)), None]
    );
    let own = DelayLevels::parse("2s 1d").unwrap();
    assert_eq!(own.delays(), [Duration::from_secs(2), Duration::from_secs(86_400)]);
    for bad in ["", "1", "s", "1w", "-1s", "1s,2s", "123456d", "1é"] {
        assert_eq!(DelayLevels::parse(bad), None, "{bad}");
    }
}

#[test]
fn hours_of_the_day_are_written_with_two_digits() {
    let hours = HoursOfDay::parse("2; 14;").unwrap();
    assert_eq!(hours.text().as_deref(), Some("02;14"));
    assert_eq!(hours.hours(), [2, 14]);
    assert_eq!(HoursOfDay::parse(""), None);
    assert_eq!(HoursOfDay::parse("x"), None);
}

#[test]
fn the_store_is_told_what_the_keys_say() {
    use crate::options::{FlushMode, StoreOptions};
    let told = StoreOptions::from(&read("").unwrap());
    assert_eq!(
        format!("{told:?}"),
        format!("{:?}", StoreOptions::new("/home/mq/store")),
        "the two have one set of defaults"
    );

    let told = StoreOptions::from(
        &read(
            "storePathRootDir=/r\nstorePathCommitLog=/c\nflushDiskType=SYNC_FLUSH\nmappedFileSizeConsumeQueue=2001\n\
             maxMessageSize=77\nmessageDelayLevel=2s 1m\nflushIntervalCommitLog=7",
        )
        .unwrap(),
    );
    assert_eq!((told.root, told.commit_log_dir), ("/r".into(), "/c".into()));
    assert_eq!((told.flush_mode, told.flush_interval), (FlushMode::Sync, Duration::from_millis(7)));
    assert_eq!((told.consume_queue_file_size, told.max_message_size), (2020, 77));
    assert_eq!(told.delay_levels, [2, 60].map(Duration::from_secs));
}
