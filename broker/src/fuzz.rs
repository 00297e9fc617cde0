//! What is fuzzed of the files that an operator or an earlier broker left: one function a file, each a claim about any bytes in
//! it, with a folder of its own to work in. Built for tests and for the libFuzzer binaries in `fuzz/` only.

#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use boostermq_remoting::body::{SetMessageRequestModeRequestBody, SubscriptionData};
use boostermq_remoting::config::{Live, Machine};
use boostermq_remoting::names::QueueId;
use boostermq_remoting::properties_file::Properties;
use boostermq_store::StoreOptions;
use boostermq_store::clock::{Clock, ManualClock};

use crate::config::Settings;
use crate::filter::ConsumerFilters;
use crate::metadata::{ConsumerOffsets, Groups, MetadataError, RequestModes, Topics};
use crate::schedule::DelaySchedule;
use crate::transaction::TransactionCounts;

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::this);
static DEFAULTS: LazyLock<Live<Settings>> = LazyLock::new(|| {
    let (settings, _) = Settings::read(Properties::new(), &MACHINE).expect("the defaults are fine");
    Live::new(settings)
});

fn settings() -> Live<Settings> {
    DEFAULTS.clone()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(1_700_000_000_000))
}

/// The bytes are refused, or what was read of them is read again once it was written, by `change` and by us.
fn comes_back<T>(
    (dir, name, bytes): (&Path, &str, &[u8]),
    load: impl Fn(&Path) -> Result<T, MetadataError>,
    change: impl Fn(&T),
    look: impl Fn(&T) -> String,
) {
    // Nothing of the last input stays.
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).and_then(|()| fs::write(dir.join(name), bytes)).expect("a file in a folder");
    let table = match load(dir) {
        Ok(table) => table,
        Err(error) => {
            assert!(error.to_string().contains(name), "an operator learns which file it is: {error}");
            return;
        }
    };
    change(&table);
    let again = load(dir).expect("what we write can be read");
    assert_eq!(look(&again), look(&table));
}

fn text(value: impl Debug) -> String {
    format!("{value:?}")
}

/// `topics.json`.
pub fn topics(dir: &Path, bytes: &[u8]) {
    let load = |dir: &Path| Topics::load(dir, settings(), clock());
    let change = |topics: &Topics| topics.renew_version().expect("a disk");
    comes_back((dir, "topics.json", bytes), load, change, |topics| text(topics.table().sorted()));
}

/// `subscriptionGroup.json`.
pub fn groups(dir: &Path, bytes: &[u8]) {
    let load = |dir: &Path| Groups::load(dir, settings(), clock());
    let change = |groups: &Groups| groups.set_may_read("fuzz", "T", false).expect("a disk");
    comes_back((dir, "subscriptionGroup.json", bytes), load, change, |groups| {
        text((groups.table().sorted(), groups.may_read("fuzz", "T")))
    });
}

/// `consumerOffset.json`.
pub fn offsets(dir: &Path, bytes: &[u8]) {
    let load = |dir: &Path| ConsumerOffsets::load(dir, settings(), clock());
    let change = |offsets: &ConsumerOffsets| {
        offsets.commit("fuzz", "T", QueueId(3), 17);
        offsets.save().expect("a disk");
    };
    let look = |offsets: &ConsumerOffsets| String::from_utf8(offsets.to_json()).expect("JSON");
    comes_back((dir, "consumerOffset.json", bytes), load, change, look);
}

/// `delayOffset.json`.
pub fn delay_offsets(dir: &Path, bytes: &[u8]) {
    let load = |dir: &Path| DelaySchedule::load(dir, &StoreOptions::new(dir).delay_levels);
    comes_back((dir, "delayOffset.json", bytes), load, |_| {}, |schedule| text(schedule.offsets()));
}

/// `messageRequestMode.json`.
pub fn request_modes(dir: &Path, bytes: &[u8]) {
    let mode = SetMessageRequestModeRequestBody {
        topic: "T".into(),
        consumer_group: "fuzz".into(),
        ..SetMessageRequestModeRequestBody::default()
    };
    let change = |modes: &RequestModes| modes.set(mode.clone()).expect("a disk");
    let look = |modes: &RequestModes| String::from_utf8(modes.to_json()).expect("JSON");
    comes_back((dir, "messageRequestMode.json", bytes), RequestModes::load, change, look);
}

/// `consumerFilter.json`.
pub fn filters(dir: &Path, bytes: &[u8]) {
    let load = |dir: &Path| ConsumerFilters::load(dir, settings(), clock());
    let filter = SubscriptionData {
        topic: "T".into(),
        sub_string: "a > 5".into(),
        sub_version: i64::MAX,
        expression_type: Some("SQL92".into()),
        ..SubscriptionData::default()
    };
    let change = |filters: &ConsumerFilters| {
        filters.register("fuzz", std::slice::from_ref(&filter));
        filters.tidy(|_| false);
        filters.save().expect("a disk");
    };
    let look = |filters: &ConsumerFilters| text(filters.find("T", "fuzz").map(|(_, version)| version));
    comes_back((dir, "consumerFilter.json", bytes), load, change, look);
}

/// `transactionMetrics`.
pub fn transaction_counts(dir: &Path, bytes: &[u8]) {
    let load = |dir: &Path| Ok(TransactionCounts::load(dir));
    let change = |counts: &TransactionCounts| {
        let count = counts.of("T");
        (0..3).for_each(|_| counts.add(&count, 1, 1));
        counts.save(1).expect("a disk");
    };
    comes_back((dir, "transactionMetrics", bytes), load, change, |counts| text(counts.of("T")));
}

/// `broker.conf`: refused with what is wrong, or its keys come back the same from the text that we make of them.
pub fn properties(_: &Path, bytes: &[u8]) {
    let Ok(given) = Properties::parse("broker.conf", bytes) else { return };
    let again = Properties::parse("broker.conf", given.to_file_text().as_bytes()).expect("what we write can be read");
    assert!(again.iter().eq(given.iter()), "{again:?} instead of {given:?}");
    match Settings::read(given, &MACHINE) {
        Ok((settings, _)) => drop(StoreOptions::from(&settings.store)),
        Err(error) => {
            assert!(error.to_string().contains("broker.conf"), "an operator learns which file it is: {error}")
        }
    }
}
