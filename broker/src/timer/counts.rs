//! How many messages wait for each topic, and how many a second come and go.
//!
//! `timermetrics` in the config folder holds the counts, as upstream writes them:
//! `{"dataVersion":{…},"timingCount":{TOPIC:{"count":n,"timeStamp":ms}}}`. They are for people; nothing depends on them.
//!
//! Upstream: `TimerMetrics`, `PerfCounter`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use boostermq_remoting::body::DataVersion;
use boostermq_remoting::message::tags::java_string_hash;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::metadata::{MetadataError, MetadataFile};

/// Messages of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TopicCount {
    /// How many wait.
    pub(crate) count: i64,
    /// When that last changed, milliseconds since 1970.
    pub(crate) time_stamp: i64,
}

/// What the file and GET_TIMER_METRICS say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TimingCounts {
    /// Changes so far.
    pub(crate) data_version: DataVersion,
    /// By topic.
    pub(crate) timing_count: BTreeMap<String, TopicCount>,
}

/// The counts and their file.
#[derive(Debug)]
pub(crate) struct Counts {
    file: MetadataFile,
    table: Mutex<TimingCounts>,
}

impl Counts {
    /// Reads the counts of the last run.
    pub(crate) fn load(config_dir: &Path) -> Result<Self, MetadataError> {
        let file = MetadataFile::new(config_dir, "timermetrics");
        let table = Mutex::new(file.load()?.unwrap_or_default());
        Ok(Self { file, table })
    }

    /// Adds changes of several topics at once.
    pub(crate) fn change(&self, changes: &Changes, now_ms: i64) {
        if changes.by_topic.is_empty() {
            return;
        }
        let mut table = self.table.lock();
        for (topic, change) in &changes.by_topic {
            if !table.timing_count.contains_key(topic) {
                table.timing_count.insert(topic.clone(), TopicCount::default());
            }
            if let Some(entry) = table.timing_count.get_mut(topic) {
                entry.count += change;
                entry.time_stamp = now_ms;
            }
        }
        let version = &mut table.data_version;
        *version = version.next(version.state_version, now_ms);
        drop(table);
        self.file.note_change();
    }

    /// Puts counts that were made anew in the place of all others.
    pub(crate) fn replace(&self, counted: &Changes, now_ms: i64) {
        let entry = |(topic, count): (&String, &i64)| (topic.clone(), TopicCount { count: *count, time_stamp: now_ms });
        let mut table = self.table.lock();
        table.timing_count = counted.by_topic.iter().map(entry).collect();
        let version = &mut table.data_version;
        *version = version.next(version.state_version, now_ms);
        drop(table);
        self.file.note_change();
    }

    /// The topic is deleted.
    pub(crate) fn forget(&self, topic: &str) {
        if self.table.lock().timing_count.remove(topic).is_some() {
            self.file.note_change();
        }
    }

    /// All counts as they are.
    pub(crate) fn look(&self) -> TimingCounts {
        self.table.lock().clone()
    }

    /// The topics that are counted, by Java's hash of their names.
    pub(crate) fn topics_by_hash(&self) -> BTreeMap<i32, Option<String>> {
        let mut topics = BTreeMap::new();
        for topic in self.table.lock().timing_count.keys() {
            // Of two with the same hash neither is told by it.
            topics.entry(java_string_hash(topic)).and_modify(|found| *found = None).or_insert(Some(topic.clone()));
        }
        topics
    }

    /// Writes the file if something changed.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        self.file.save(|| serde_json::to_vec(&*self.table.lock()).unwrap_or_default())
    }
}

/// Changes gathered by one piece of work.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    by_topic: BTreeMap<String, i64>,
}

impl Changes {
    /// Counts `by` messages of `topic`.
    pub(crate) fn add(&mut self, topic: &str, by: i64) {
        match self.by_topic.get_mut(topic) {
            Some(count) => *count += by,
            None => drop(self.by_topic.insert(topic.to_owned(), by)),
        }
    }

    /// What is gathered, by topic.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.by_topic.iter().map(|(topic, by)| (topic.as_str(), *by))
    }
}

/// Events in the last whole second.
#[derive(Debug, Default)]
pub(crate) struct PerSecond {
    second: AtomicI64,
    this: AtomicU64,
    last: AtomicU64,
}

impl PerSecond {
    /// Counts events; one thread does.
    pub(crate) fn add(&self, count: usize, now_ms: i64) {
        let second = now_ms.div_euclid(1000);
        let before = self.second.swap(second, Ordering::AcqRel);
        if before != second {
            let finished = self.this.swap(0, Ordering::AcqRel);
            self.last.store(if before + 1 == second { finished } else { 0 }, Ordering::Release);
        }
        self.this.fetch_add(count as u64, Ordering::AcqRel);
    }

    /// How many there were in the second before `now_ms`.
    pub(crate) fn rate(&self, now_ms: i64) -> f64 {
        let counted = match now_ms.div_euclid(1000) - self.second.load(Ordering::Acquire) {
            0 => self.last.load(Ordering::Acquire),
            1 => self.this.load(Ordering::Acquire),
            _ => 0,
        };
        counted as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_second_before() {
        let events = PerSecond::default();
        for (count, at_ms) in [(3, 1000), (4, 1999), (5, 2000)] {
            events.add(count, at_ms);
        }
        for (at_ms, rate) in [(2500, 7.0), (3500, 5.0), (4500, 0.0)] {
            assert_eq!(events.rate(at_ms), rate, "{at_ms}");
        }
        events.add(1, 9000);
        assert_eq!((events.rate(9100), events.rate(10_000)), (0.0, 1.0));
    }

    #[test]
    fn counts_are_kept_in_the_file_that_upstream_writes() {
        let dir = tempfile::tempdir().unwrap();
        let upstream = r#"{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":7},"timingCount":{"A":{"count":1,"timeStamp":7}}}"#;
        std::fs::write(dir.path().join("timermetrics"), upstream).unwrap();
        let counts = Counts::load(dir.path()).unwrap();
        let mut changes = Changes::default();
        for (topic, by) in [("A", 2), ("B", 1), ("A", -1), ("C", 1)] {
            changes.add(topic, by);
        }
        counts.change(&changes, 9);
        counts.forget("C");
        counts.save().unwrap();
        let text = std::fs::read_to_string(dir.path().join("timermetrics")).unwrap();
        let expected = r#"{"dataVersion":{"counter":4,"stateVersion":0,"timestamp":9},"timingCount":{"A":{"count":2,"timeStamp":9},"B":{"count":1,"timeStamp":9}}}"#;
        assert_eq!(text, expected);
        // Aa and BB have the same hash in Java.
        let mut changes = Changes::default();
        changes.add("Aa", 1);
        changes.add("BB", 1);
        counts.replace(&changes, 10);
        assert_eq!(counts.topics_by_hash(), BTreeMap::from([(java_string_hash("Aa"), None)]));
    }
}
