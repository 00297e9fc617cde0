//! Tests of what a broker says about itself, against a whole broker.

use super::*;
use crate::clients::fixture::TestBroker;
use crate::clients::fixture::messages::{Pulling, Sending};

/// What upstream's mqadmin shows of upstream's broker.
const STATUS: &str = include_str!("../../../../tests/golden/brokerStatus.txt");

#[test]
fn bytes_are_written_as_upstream_writes_them() {
    for (bytes, text) in
        [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (252 << 30, "252.0 GiB"), (i64::MAX, "8.0 EiB")]
    {
        assert_eq!(human_bytes(bytes), text);
    }
}

#[tokio::test]
async fn every_key_that_upstream_shows_is_there() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    client.store(&Sending { properties: &[("DELAY", "1")], ..Sending::default() }).await;
    client.wait_for("T", 0, 1).await;
    client.pull(&Pulling::default()).await;
    let table: KvTable = serde_json::from_str(&client.ask_ok(28, &[], "").await).unwrap();
    let keys = STATUS.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key.trim());
    let keys = keys.filter(|key| !key.starts_with('$') && !key.contains('/'));
    // Levels that had a message, and the paths of the store, are each broker's own.
    let keys = keys.filter(|key| !key.starts_with("scheduleMessageOffset_"));
    let missing: Vec<_> = keys.filter(|key| !table.table.contains_key(*key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let value = |key: &str| table.table[key].as_str();
    assert_eq!(value("scheduleMessageOffset_1"), "1,1");
    assert_eq!((value("brokerVersionDesc"), value("dispatchBehindBytes")), ("V5_5_0", "0"));
    // The delayed message was stored twice.
    assert_eq!((value("putMessageTimesTotal"), value("msgPutTotalTodayNow")), ("3", "2"));
    let end = broker.broker().store.max_physical_offset().to_string();
    assert_eq!((value("commitLogMinOffset"), value("commitLogMaxOffset")), ("0", end.as_str()));
    broker.stop().await;
}
