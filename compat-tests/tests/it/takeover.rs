//! A store goes from the reference to ours and back, again and again, with messages of every kind added on each leg.
//!
//! The program `Takeover.java` sends, drains and counts with the official client and orders the change of brokers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use boostermq_compat_tests::harness::{Cluster, JavaClient, Target, official_clients_skipped, slow_cases_wanted};

/// Two starts of a JVM and half a minute of pending delays on a busy machine.
const LIMIT: Duration = Duration::from_secs(1200);

/// Small files, so that log, queues and index roll on every leg.
const SMALL: [(&str, &str); 4] = [
    ("mappedFileSizeCommitLog", "1048576"),
    ("mappedFileSizeConsumeQueue", "1000"),
    ("maxHashSlotNum", "500"),
    ("maxIndexNum", "2000"),
];

/// Extension files beside the consume queues.
const EXTENDED: [(&str, &str); 2] = [("enableConsumeQueueExt", "true"), ("mappedFileSizeConsumeQueueExt", "1024")];

/// Light queues.
const LIGHT: [(&str, &str); 2] = [("enableLmq", "true"), ("enableMultiDispatch", "true")];

/// A checksum over each record, which each broker looks at in what the other wrote.
const CHECKSUM: [(&str, &str); 2] = [("enabledAppendPropCRC", "true"), ("forceVerifyPropCRC", "true")];

/// The sizes that a broker has unless told.
const DEFAULT: [(&str, &str); 1] = [("mappedFileSizeCommitLog", "1073741824")];

/// Settings of the reference that make it settle within the test what it would settle within minutes.
const HURRY: [(&str, &str); 5] = [
    ("transactionCheckInterval", "2000"),
    ("transactionTimeOut", "2000"),
    ("transactionCheckMax", "1000"),
    ("transactionOpBatchInterval", "500"),
    ("flushConsumerOffsetInterval", "500"),
];

#[test]
fn stores_change_hands_after_clean_stops() -> Result<()> {
    change_hands("takeover-clean", "stop-broker", &[&SMALL, &LIGHT, &EXTENDED], &["-lmq"])
}

#[test]
fn stores_change_hands_after_kills() -> Result<()> {
    change_hands("takeover-killed", "kill-broker", &[&SMALL, &LIGHT, &CHECKSUM], &["-lmq"])
}

#[test]
fn stores_of_ordinary_size_change_hands() -> Result<()> {
    if !slow_cases_wanted() {
        eprintln!("not run: BOOSTERMQ_SLOW is not set");
        return Ok(());
    }
    change_hands("takeover-clean-ordinary", "stop-broker", &[&DEFAULT, &LIGHT], &["-lmq"])?;
    change_hands("takeover-killed-ordinary", "kill-broker", &[&DEFAULT, &EXTENDED], &[])
}

fn change_hands(module: &str, order: &str, keys: &[&[(&str, &str)]], arguments: &[&str]) -> Result<()> {
    if official_clients_skipped() {
        return Ok(());
    }
    // Our name server all the way: only the broker is changed.
    let mut builder = Cluster::builder(module).target(Target::Mixed);
    for (key, value) in keys.iter().copied().flatten().chain(&HURRY) {
        builder = builder.broker_key(key, value);
    }
    let mut cluster = builder.start()?;
    let mut program = JavaClient::V5_5_0.program("compat.Takeover", &cluster, &[])?;
    let legs = match Target::from_env()? {
        Target::Ours => "reference,ours,reference,ours",
        // The case itself, proved by the reference alone.
        Target::Reference | Target::Mixed => "reference,reference,reference",
    };
    program.args(["-order", order, "-legs", legs]).args(arguments);
    let report = cluster.run(program, LIMIT)?;
    report.verify(cluster.target(), module)?;
    cluster.passed()
}

/// Every file below `root`, by its bytes.
fn files(root: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.clone(), std::fs::read(&path)?)),
            }
        }
    }
    Ok(found)
}

#[test]
fn a_look_at_a_store_tells_what_a_start_will_do_and_changes_nothing() -> Result<()> {
    let mut cluster = Cluster::builder("check-store").target(Target::Ours).start()?;
    let look = |cluster: &Cluster| -> Result<(bool, String)> {
        let before = files(&cluster.store())?;
        let seen = cluster.check_store()?;
        ensure!(files(&cluster.store())? == before, "the look has changed the store:\n{}", seen.1);
        Ok(seen)
    };
    // Not compared byte for byte: the broker is at work.
    let (is_sound, said) = cluster.check_store()?;
    ensure!(!is_sound && said.contains("is in use"), "{said}");
    cluster.stop_broker()?;
    let (is_sound, said) = look(&cluster)?;
    ensure!(
        is_sound && said.contains("the last stop was a clean one") && said.contains("topics.json can be read"),
        "{said}"
    );
    cluster.start_broker()?;
    cluster.kill_broker()?;
    let (is_sound, said) = look(&cluster)?;
    ensure!(is_sound && said.contains("the last stop was not a clean one"), "{said}");
    let relic = cluster.store().join("config/rdb");
    std::fs::create_dir_all(&relic)?;
    std::fs::write(relic.join("CURRENT"), "MANIFEST-000004\n")?;
    let before = files(&cluster.store())?;
    let (is_sound, said) = look(&cluster)?;
    ensure!(!is_sound && said.contains("rocksDBConfigToJson"), "{said}");
    ensure!(cluster.start_broker().is_err(), "a store with metadata in RocksDB was opened");
    ensure!(files(&cluster.store())? == before, "a start that was refused has changed the store");
    std::fs::remove_dir_all(&relic)?;
    cluster.start_broker()?;
    cluster.passed()
}
