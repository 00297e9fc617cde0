//! `consumerFilter.json`: reading it into a table, and writing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::fastjson;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConsumerFilter, FILTERS_MAX, FilterTable, GroupFilter, SQL92, compile};
use crate::filter::bloom::{Bloom, BloomPositions};

/// How long before the start the groups of a file are taken to have left (RocketMQ 5.5.0).
const ABSENT_MS: i64 = 30_000;

/// The whole file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FilterFile {
    filter_data_by_topic: BTreeMap<String, TopicFilters>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// The filters of one topic.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TopicFilters {
    group_filter_data: BTreeMap<String, FilterData>,
    topic: String,
}

/// One filter: upstream `ConsumerFilterData`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FilterData {
    bloom_filter_data: Option<BloomPositions>,
    born_time: i64,
    client_version: i64,
    consumer_group: String,
    #[serde(skip_deserializing)]
    dead: bool,
    dead_time: i64,
    expression: String,
    expression_type: String,
    topic: String,
}

/// The filters of a file, of which nobody uses one yet. With bits of other sizes than the broker's the whole file is left
/// out: they say nothing.
pub(super) fn into_table(file: FilterFile, bloom: Bloom, now_ms: i64) -> FilterTable {
    let mut table = FilterTable::default();
    let stored = || {
        file.filter_data_by_topic.iter().flat_map(|(topic, filters)| {
            filters.group_filter_data.iter().map(move |(group, data)| (topic.as_str(), group.as_str(), data))
        })
    };
    if stored().any(|(.., data)| !data.bloom_filter_data.as_ref().is_some_and(|positions| bloom.fits(positions))) {
        tracing::info!(
            "consumerFilter.json has filter bits of other sizes; the filters start empty, heartbeats bring them again"
        );
        return table;
    }
    for (topic, group, data) in stored().take(FILTERS_MAX) {
        let compiled = match compile(&data.expression_type, &data.expression) {
            Ok(compiled) => compiled,
            Err(error) => {
                tracing::warn!(%group, %topic, %error, "a filter in consumerFilter.json cannot be used and is left out");
                continue;
            }
        };
        let dead_ms = match data.dead_time {
            0 => (now_ms - ABSENT_MS).max(data.born_time),
            dead_ms => dead_ms,
        };
        let filter = GroupFilter {
            expression: compiled,
            positions: data.bloom_filter_data.clone().unwrap_or_default(),
            born_ms: data.born_time,
        };
        let filter = ConsumerFilter {
            expression: data.expression.clone(),
            filter: Arc::new(filter),
            dead_ms,
            version: data.client_version,
        };
        table.insert(topic, group, filter);
    }
    table
}

fn data_of(topic: &str, group: &str, filter: &ConsumerFilter) -> FilterData {
    FilterData {
        bloom_filter_data: Some(filter.filter.positions.clone()),
        born_time: filter.filter.born_ms,
        client_version: filter.version,
        consumer_group: group.to_owned(),
        dead: filter.is_dead(),
        dead_time: filter.dead_ms,
        expression: filter.expression.clone(),
        expression_type: SQL92.to_owned(),
        topic: topic.to_owned(),
    }
}

/// The text of one entry.
pub(super) fn entry_text(topic: &str, group: &str, filter: &ConsumerFilter) -> String {
    String::from_utf8_lossy(&fastjson::to_pretty_vec(&data_of(topic, group, filter))).into_owned()
}

/// The file's text.
pub(super) fn text(table: &FilterTable) -> Vec<u8> {
    let mut file = FilterFile::default();
    for (topic, groups) in &table.by_topic {
        let data = groups.iter().map(|(group, filter)| (group.clone(), data_of(topic, group, filter)));
        let filters = TopicFilters { group_filter_data: data.collect(), topic: topic.clone() };
        file.filter_data_by_topic.insert(topic.clone(), filters);
    }
    fastjson::to_pretty_vec(&file)
}
