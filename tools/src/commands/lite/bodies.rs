//! What brokers tell of light topics. Upstream: `GetBrokerLiteInfoResponseBody` and its siblings.

use std::collections::{BTreeMap, BTreeSet};

use boostermq_remoting::body::{OffsetWrapper, TopicOffset};
use serde::Deserialize;

/// A broker's light topics.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OfBroker {
    pub(super) store_type: Option<String>,
    pub(super) max_lmq_num: i32,
    pub(super) current_lmq_num: i32,
    pub(super) lite_subscription_count: i32,
    pub(super) order_info_count: i32,
    pub(super) cq_table_size: i32,
    pub(super) offset_table_size: i32,
    pub(super) event_map_size: i32,
    pub(super) topic_meta: BTreeMap<String, i32>,
    pub(super) group_meta: BTreeMap<String, BTreeSet<String>>,
}

/// A topic that holds light topics.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OfParent {
    pub(super) ttl: i32,
    pub(super) groups: BTreeSet<String>,
    pub(super) lmq_num: i32,
    pub(super) lite_topic_count: i32,
}

/// A client of a group.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClientGroup {
    pub(super) client_id: String,
    pub(super) group: String,
}

/// A light topic.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OfTopic {
    pub(super) subscriber: Vec<ClientGroup>,
    pub(super) topic_offset: Option<TopicOffset>,
    pub(super) sharding_to_broker: bool,
}

/// A client's light topics.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OfClient {
    pub(super) last_access_time: i64,
    pub(super) last_consume_time: i64,
    pub(super) lite_topic_count: i32,
    pub(super) lite_topic_set: BTreeSet<String>,
}

/// How far a group is with its light topics.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OfGroup {
    pub(super) earliest_unconsumed_timestamp: i64,
    pub(super) total_lag_count: i64,
    pub(super) lite_topic_offset_wrapper: Option<OffsetWrapper>,
    pub(super) lag_count_top_k: Vec<Lag>,
    pub(super) lag_timestamp_top_k: Vec<Lag>,
}

/// How far behind a group is with one light topic.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Lag {
    pub(super) lite_topic: String,
    pub(super) lag_count: i64,
    pub(super) earliest_unconsumed_timestamp: i64,
}
