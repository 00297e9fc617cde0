//! `consumerOffset.json`: reading it into tables by group, and writing them.

use std::collections::BTreeMap;

use boostermq_remoting::body::{self, ConsumerOffsetSerializeWrapper, DataVersion};
use boostermq_remoting::fastjson;
use boostermq_remoting::names::QueueId;
use serde_json::Value;

use super::OffsetTable;

/// Between topic and group in a key; neither may hold it.
const SEPARATOR: char = '@';

/// What was read and is not understood; it is written back as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    committed: body::OffsetTable,
    pulled: body::OffsetTable,
    others: BTreeMap<String, Value>,
}

/// Committed offsets, offsets of pulls, and the rest of a file.
pub(super) fn into_tables(stored: ConsumerOffsetSerializeWrapper) -> (OffsetTable, OffsetTable, Kept) {
    let (committed, pulled) = (OffsetTable::default(), OffsetTable::default());
    let kept = Kept {
        committed: fill(&committed, stored.offset_table),
        pulled: fill(&pulled, stored.pull_offset_table.unwrap_or_default()),
        others: stored.others,
    };
    (committed, pulled, kept)
}

/// Moves what has proper keys into `table`; returns the rest.
fn fill(table: &OffsetTable, keyed: body::OffsetTable) -> body::OffsetTable {
    let mut rest = body::OffsetTable::new();
    for (key, queues) in keyed {
        let parts = key.split_once(SEPARATOR).filter(|(_, group)| !group.contains(SEPARATOR));
        match parts {
            Some((topic, group)) if queues.keys().all(|queue_id| *queue_id >= 0) => {
                for (queue_id, offset) in queues {
                    table.set(group, topic, QueueId(queue_id.cast_unsigned()), offset);
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
    fastjson::to_pretty_vec(&ConsumerOffsetSerializeWrapper {
        data_version: version,
        group_topic_map: Some(topics_by_group(committed)),
        offset_table: keyed(committed, &kept.committed),
        pull_offset_table: Some(keyed(pulled, &kept.pulled)),
        others: kept.others.clone(),
    })
}

fn keyed(table: &OffsetTable, kept: &body::OffsetTable) -> body::OffsetTable {
    let mut keyed = kept.clone();
    for entry in &table.0 {
        for (topic, queues) in entry.value() {
            let queues = queues.iter().map(|(queue_id, offset)| (queue_id.cast_signed(), *offset));
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
