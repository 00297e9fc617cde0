//! `consumerOffset.json`: reading it into tables by group, and writing them.

use std::collections::BTreeMap;

use boostermq_remoting::body::DataVersion;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::QueueId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OffsetTable, QueueOffsets};

/// Between topic and group in a key; neither may hold it.
const SEPARATOR: char = '@';

/// Offsets by `TOPIC@GROUP`, with keys of queues as text: Java writes them bare, others quoted.
type Keyed = BTreeMap<String, BTreeMap<String, i64>>;

/// What was read and is not understood; it is written back as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    committed: Keyed,
    pulled: Keyed,
    others: BTreeMap<String, Value>,
}

/// The file, when it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConsumerOffsetJson {
    pub(super) data_version: DataVersion,
    offset_table: Keyed,
    pull_offset_table: Keyed,
    /// Derived; what is read is not used.
    #[serde(rename = "groupTopicMap")]
    _group_topic_map: serde::de::IgnoredAny,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl ConsumerOffsetJson {
    /// Committed offsets, offsets of pulls, and the rest.
    pub(super) fn into_tables(self) -> (OffsetTable, OffsetTable, Kept) {
        let (committed, pulled) = (OffsetTable::default(), OffsetTable::default());
        let kept = Kept {
            committed: fill(&committed, self.offset_table),
            pulled: fill(&pulled, self.pull_offset_table),
            others: self.others,
        };
        (committed, pulled, kept)
    }
}

/// Moves what has proper keys into `table`; returns the rest.
fn fill(table: &OffsetTable, keyed: Keyed) -> Keyed {
    let mut rest = Keyed::new();
    for (key, queues) in keyed {
        let parts = key.split_once(SEPARATOR).filter(|(_, group)| !group.contains(SEPARATOR));
        let numbers: Option<QueueOffsets> =
            queues.iter().map(|(queue_id, offset)| Some((queue_id.parse().ok()?, *offset))).collect();
        match (parts, numbers) {
            (Some((topic, group)), Some(queues)) => {
                for (queue_id, offset) in queues {
                    table.set(group, topic, QueueId(queue_id), offset);
                }
            }
            _ => {
                tracing::warn!(entry = %key, "consumerOffset.json holds an entry that is no TOPIC@GROUP; it is kept aside");
                rest.insert(key, queues);
            }
        }
    }
    rest
}

/// The file's text.
pub(super) fn text(version: DataVersion, committed: &OffsetTable, pulled: &OffsetTable, kept: &Kept) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Written<'a> {
        data_version: DataVersion,
        group_topic_map: BTreeMap<String, Vec<String>>,
        offset_table: Keyed,
        pull_offset_table: Keyed,
        #[serde(flatten)]
        others: &'a BTreeMap<String, Value>,
    }
    fastjson::to_pretty_vec(&Written {
        data_version: version,
        group_topic_map: topics_by_group(committed),
        offset_table: keyed(committed, &kept.committed),
        pull_offset_table: keyed(pulled, &kept.pulled),
        others: &kept.others,
    })
}

fn keyed(table: &OffsetTable, kept: &Keyed) -> Keyed {
    let mut keyed = kept.clone();
    for entry in &table.0 {
        for (topic, queues) in entry.value() {
            let queues = queues.iter().map(|(queue_id, offset)| (queue_id.to_string(), *offset));
            keyed.insert(format!("{topic}{SEPARATOR}{}", entry.key()), queues.collect());
        }
    }
    keyed
}

fn topics_by_group(table: &OffsetTable) -> BTreeMap<String, Vec<String>> {
    let mut by_group = BTreeMap::new();
    for entry in &table.0 {
        let mut topics: Vec<String> = entry.value().keys().map(|topic| topic.to_string()).collect();
        topics.sort_unstable();
        by_group.insert(entry.key().to_string(), topics);
    }
    by_group
}
