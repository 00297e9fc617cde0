//! `consumerOffset.json`: reading it into tables by group, and writing them.

use std::collections::BTreeMap;

use boostermq_remoting::body::{self, ConsumerOffsetSerializeWrapper, DataVersion};
use boostermq_remoting::fastjson;
use boostermq_remoting::message::light::LIGHT_QUEUE;
use boostermq_remoting::names::{LMQ_PREFIX, QueueId};
use serde_json::{Map, Value};

use super::OffsetTable;

/// Between topic and group in a key; neither may hold it.
const SEPARATOR: char = '@';

/// The table of the groups of light queues: `TOPIC@GROUP -> offset`.
const LIGHT_TABLE: &str = "lmqOffsetTable";

/// What was read and is not understood; it is written back as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    committed: body::OffsetTable,
    pulled: body::OffsetTable,
    others: BTreeMap<String, Value>,
}

/// Committed offsets, offsets of pulls, and the rest of a file.
pub(super) fn into_tables(
    mut stored: ConsumerOffsetSerializeWrapper,
    has_light_groups: bool,
) -> (OffsetTable, OffsetTable, Kept) {
    let (committed, pulled) = (OffsetTable::default(), OffsetTable::default());
    if has_light_groups && let Some(Value::Object(light)) = stored.others.get_mut(LIGHT_TABLE) {
        light.retain(|key, offset| !take_light(&committed, key, offset));
    }
    let kept = Kept {
        committed: fill(&committed, stored.offset_table),
        pulled: fill(&pulled, stored.pull_offset_table.unwrap_or_default()),
        others: stored.others,
    };
    (committed, pulled, kept)
}

/// Puts an entry of the groups of light queues into `table`. False when it is none; then it is kept aside.
fn take_light(table: &OffsetTable, key: &str, offset: &Value) -> bool {
    let Some((topic, group)) = key.split_once(SEPARATOR).filter(|(_, group)| is_light(group)) else { return false };
    let Some(offset) = offset.as_i64().filter(|_| !group.contains(SEPARATOR)) else { return false };
    table.set(group, topic, LIGHT_QUEUE, offset);
    true
}

fn is_light(group: &str) -> bool {
    group.starts_with(LMQ_PREFIX)
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
pub(super) fn text(
    version: DataVersion,
    committed: &OffsetTable,
    pulled: &OffsetTable,
    kept: &Kept,
    has_light_groups: bool,
) -> Vec<u8> {
    let mut offset_table = keyed(committed, &kept.committed);
    let mut others = kept.others.clone();
    if has_light_groups {
        let light = others.entry(LIGHT_TABLE.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(light) = light {
            move_light(&mut offset_table, light);
        }
    }
    fastjson::to_pretty_vec(&ConsumerOffsetSerializeWrapper {
        data_version: version,
        group_topic_map: Some(topics_by_group(committed, has_light_groups)),
        offset_table,
        pull_offset_table: Some(keyed(pulled, &kept.pulled)),
        others,
    })
}

/// Moves what groups of light queues have consumed of queue 0, which is all there is, into their own table.
fn move_light(offset_table: &mut body::OffsetTable, light: &mut Map<String, Value>) {
    offset_table.retain(|key, queues| {
        let is_light = key.split_once(SEPARATOR).is_some_and(|(_, group)| is_light(group));
        let offset = queues.get(&LIGHT_QUEUE.to_wire()).filter(|_| is_light);
        if let Some(offset) = offset {
            light.insert(key.clone(), Value::from(*offset));
        }
        offset.is_none()
    });
}

fn keyed(table: &OffsetTable, kept: &body::OffsetTable) -> body::OffsetTable {
    let mut keyed = kept.clone();
    for entry in &table.groups {
        for (topic, queues) in entry.value() {
            let queues = queues.iter().map(|(queue_id, offset)| (queue_id.cast_signed(), *offset));
            keyed.insert(format!("{topic}{SEPARATOR}{}", entry.key()), queues.collect());
        }
    }
    keyed
}

fn topics_by_group(table: &OffsetTable, has_light_groups: bool) -> BTreeMap<String, Vec<String>> {
    let mut by_group = BTreeMap::new();
    for entry in table.groups.iter().filter(|entry| !(has_light_groups && is_light(entry.key()))) {
        let mut topics: Vec<String> = entry.value().keys().map(|topic| topic.to_string()).collect();
        topics.sort_unstable();
        by_group.insert(entry.key().to_string(), topics);
    }
    by_group
}
