//! Bodies about offsets, and the files `consumerOffset.json` and `delayOffset.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::lenient::IntegerKeyMap;
use super::{DataVersion, MessageQueue};
use crate::fastjson::ObjectKeyMap;

/// Offsets by queue number, by `topic@group`.
pub type OffsetTable = BTreeMap<String, BTreeMap<i32, i64>>;

fn offset_table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetTable, D::Error> {
    let table = BTreeMap::<String, IntegerKeyMap<i32, i64>>::deserialize(deserializer)?;
    Ok(table.into_iter().map(|(key, IntegerKeyMap(offsets))| (key, offsets)).collect())
}

fn optional_offset_table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetTable>, D::Error> {
    offset_table(deserializer).map(Some)
}

fn delay_offsets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<i32, i64>, D::Error> {
    IntegerKeyMap::deserialize(deserializer).map(|IntegerKeyMap(offsets)| offsets)
}

bodies! {
    /// What groups have consumed: upstream `ConsumerOffsetSerializeWrapper`, `ConsumerOffsetManager`; the file
    /// `consumerOffset.json` and the answer to 43.
    ConsumerOffsetSerializeWrapper {
        /// Version of the table.
        data_version: DataVersion,
        /// Topics by group; written by 5.5.0, derived from the offsets.
        #[serde(skip_serializing_if = "Option::is_none")]
        group_topic_map: Option<BTreeMap<String, Vec<String>>>,
        /// Offsets by queue, by `topic@group`.
        #[serde(deserialize_with = "offset_table")]
        offset_table: OffsetTable,
        /// Offsets up to which messages were pulled, likewise; written by 5.5.0.
        #[serde(deserialize_with = "optional_offset_table", skip_serializing_if = "Option::is_none")]
        pull_offset_table: Option<OffsetTable>,
        /// Members that this version does not know.
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    /// How far each delay level has been delivered: upstream `DelayOffsetSerializeWrapper`; the file
    /// `delayOffset.json` and the answer to 45.
    DelayOffsetSerializeWrapper {
        /// Version of the table.
        data_version: DataVersion,
        /// Offset in the level's queue, by level from 1.
        #[serde(deserialize_with = "delay_offsets")]
        offset_table: BTreeMap<i32, i64>,
        /// Members that this version does not know.
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    /// Offsets that clients shall take (220, 222): upstream `ResetOffsetBody`.
    ResetOffsetBody {
        /// By queue.
        offset_table: ObjectKeyMap<MessageQueue, i64>,
    }

    /// A queue and its offset: upstream `MessageQueueForC`.
    MessageQueueForC {
        /// The broker's name.
        broker_name: String,
        /// The offset.
        offset: i64,
        /// Number of the queue.
        queue_id: i32,
        /// The topic.
        topic: String,
    }

    /// The same as a list, for clients in C++ (220): upstream `ResetOffsetBodyForC`.
    ResetOffsetBodyForC {
        /// The offsets.
        offset_table: Vec<MessageQueueForC>,
    }

    /// Offsets as consumers hold them (221, 223): upstream `GetConsumerStatusBody`.
    GetConsumerStatusBody {
        /// By client and queue; filled by the broker.
        consumer_table: BTreeMap<String, ObjectKeyMap<MessageQueue, i64>>,
        /// By queue; filled by the client.
        message_queue_table: ObjectKeyMap<MessageQueue, i64>,
    }

    /// How far a group is in one queue: upstream `OffsetWrapper`.
    OffsetWrapper {
        /// Offset after the last message of the queue.
        broker_offset: i64,
        /// Offset of the next message to be consumed.
        consumer_offset: i64,
        /// Store time of the last consumed message, ms; 0 when there is none.
        last_timestamp: i64,
        /// Offset of the next message to be pulled, never below the consumed one.
        pull_offset: i64,
    }

    /// How far a group is (208): upstream `ConsumeStats`.
    ConsumeStats {
        /// Messages consumed a second, over the last minute.
        consume_tps: f64,
        /// By queue.
        offset_table: ObjectKeyMap<MessageQueue, OffsetWrapper>,
    }

    /// How far all groups of a broker are (317): upstream `ConsumeStatsList`.
    ConsumeStatsList {
        /// The broker.
        broker_addr: String,
        /// One map of a single group each, and its topics.
        consume_stats_list: Vec<BTreeMap<String, Vec<ConsumeStats>>>,
        /// Messages not consumed yet.
        total_diff: i64,
        /// Messages pulled but not consumed yet.
        total_inflight_diff: i64,
    }

    /// Lowest offsets over several groups, by queue number (308): upstream `QueryCorrectionOffsetBody`.
    QueryCorrectionOffsetBody {
        /// By queue number.
        correction_offsets: BTreeMap<i32, i64>,
    }

    /// Store times in one queue: upstream `QueueTimeSpan`.
    QueueTimeSpan {
        /// Store time of the last consumed message, ms.
        consume_time_stamp: i64,
        /// How long the next message has waited, ms.
        delay_time: i64,
        /// Store time of the last message, ms.
        max_time_stamp: i64,
        /// The queue.
        message_queue: MessageQueue,
        /// Store time of the first message, ms.
        min_time_stamp: i64,
    }

    /// Store times in all queues (303): upstream `QueryConsumeTimeSpanBody`.
    QueryConsumeTimeSpanBody {
        /// By queue.
        consume_time_span_set: Vec<QueueTimeSpan>,
    }
}
