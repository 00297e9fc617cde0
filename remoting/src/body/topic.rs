//! Bodies about topics, and the file `topics.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DataVersion, MessageQueue, lenient};
use crate::fastjson::ObjectKeyMap;

names! {
    /// How many tags a message of the topic may carry.
    #[derive(Default)]
    TopicFilterType {
        /// One.
        #[default]
        SingleTag = "SINGLE_TAG",
        /// Several.
        MultiTag = "MULTI_TAG",
    }
}

/// Configuration of one topic: upstream `TopicConfig`; an entry of `topics.json`, of a registration, of codes 18, 21,
/// 351.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// Attributes such as `message.type`; in code 18 the names carry their sign.
    pub attributes: BTreeMap<String, String>,
    /// True when the order of messages matters more than being available.
    pub order: bool,
    /// Bits: read 4, write 2, inherit 1.
    pub perm: i32,
    /// Queues that may be read.
    pub read_queue_nums: i32,
    /// How many tags a message may carry.
    #[serde(deserialize_with = "lenient::named_or_default")]
    pub topic_filter_type: TopicFilterType,
    /// Name of the topic.
    pub topic_name: String,
    /// Bits: unit 1, unit subscription 2.
    pub topic_sys_flag: i32,
    /// Queues that may be written.
    pub write_queue_nums: i32,
    /// Members that this version does not know; `mappingDetail` of a static topic stands here.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            order: false,
            perm: Self::PERM_READ | Self::PERM_WRITE,
            read_queue_nums: 16,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
            others: BTreeMap::new(),
        }
    }
}

impl TopicConfig {
    /// Bit of `perm`: topics may be made after this one's example.
    pub const PERM_INHERIT: i32 = 1;
    /// Bit of `perm`: messages may be sent.
    pub const PERM_WRITE: i32 = 2;
    /// Bit of `perm`: messages may be read.
    pub const PERM_READ: i32 = 4;
    /// Bit of `topic_sys_flag`: the topic belongs to a unit.
    pub const SYS_FLAG_UNIT: i32 = 1;
    /// Bit of `topic_sys_flag`: a consumer of another unit has subscribed.
    pub const SYS_FLAG_UNIT_SUB: i32 = 2;

    /// A topic with `queues` queues to read and to write; all else is the default.
    #[must_use]
    pub fn new(topic_name: &str, queues: i32, perm: i32) -> Self {
        Self {
            topic_name: topic_name.to_owned(),
            read_queue_nums: queues,
            write_queue_nums: queues,
            perm,
            ..Self::default()
        }
    }
}

bodies! {
    /// A broker's topics and their version: upstream `TopicConfigSerializeWrapper`; the file `topics.json`.
    TopicConfigSerializeWrapper {
        /// Version of the table.
        data_version: DataVersion,
        /// Configurations by topic.
        topic_config_table: BTreeMap<String, TopicConfig>,
        /// Members that this version does not know.
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    /// The same with the mappings of static topics: upstream `TopicConfigAndMappingSerializeWrapper`; the answer to
    /// 21, and part of a registration.
    TopicConfigAndMappingSerializeWrapper {
        /// Version of the table.
        data_version: DataVersion,
        /// Version of the mappings.
        mapping_data_version: DataVersion,
        /// Configurations by topic.
        topic_config_table: BTreeMap<String, TopicConfig>,
        /// Whole mappings by topic (`TopicQueueMappingDetail`).
        topic_queue_mapping_detail_map: BTreeMap<String, Value>,
        /// Short mappings by topic (`TopicQueueMappingInfo`).
        topic_queue_mapping_info_map: BTreeMap<String, Value>,
    }

    /// Names of topics: upstream `TopicList`.
    TopicList {
        /// A broker to ask further; answers to 304 and 343 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        broker_addr: Option<String>,
        /// The names.
        topic_list: Vec<String>,
    }

    /// Topics to be made or changed together (18): upstream `CreateTopicListRequestBody`.
    CreateTopicListRequestBody {
        /// The topics; names of attributes carry `+` or `-`.
        topic_config_list: Vec<TopicConfig>,
    }

    /// Offsets of one queue: upstream `TopicOffset`.
    TopicOffset {
        /// Store time of the newest message, ms; 0 when there is none.
        last_update_timestamp: i64,
        /// Offset after the last message.
        max_offset: i64,
        /// First offset.
        min_offset: i64,
    }

    /// Offsets of all queues of a topic (202): upstream `TopicStatsTable`.
    TopicStatsTable {
        /// By queue.
        offset_table: ObjectKeyMap<MessageQueue, TopicOffset>,
        /// Messages stored a second, over the last minute.
        topic_put_tps: f64,
    }
}
