//! Queries: messages by key, by id, entries of a queue.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::{QueueId, Topic};
use crate::offsets::PhysicalOffset;

crate::header! {
    /// Header of a query by key: upstream `QueryMessageRequestHeader`.
    QueryMessageRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// One of the keys, or the unique id.
        key: String = "key",
        /// Most messages wanted.
        max_num: i32 = "maxNum",
        /// Stored at this time or later, ms.
        begin_timestamp: i64 = "beginTimestamp",
        /// Stored at this time or earlier, ms.
        end_timestamp: i64 = "endTimestamp",
        /// Which index; new in 5.5.0, for stores on RocksDB.
        index_type: Option<String> = "indexType",
        /// Where the last page ended; new in 5.5.0.
        last_key: Option<String> = "lastKey",
        /// The key is a unique id; written by clients beside upstream's declared fields.
        unique_key_query: Option<bool> = "_UNIQUE_KEY_QUERY",
    }

    /// Answer: upstream `QueryMessageResponseHeader`.
    QueryMessageResponseHeader {
        /// When the index last took a message, ms.
        index_last_update_timestamp: i64 = "indexLastUpdateTimestamp",
        /// Where that message stands in the commit log.
        index_last_update_phyoffset: PhysicalOffset = "indexLastUpdatePhyoffset",
    }

    /// Header: upstream `ViewMessageRequestHeader`.
    ViewMessageRequestHeader {
        /// The topic.
        topic: Option<String> = "topic",
        /// Where the message stands in the commit log.
        offset: PhysicalOffset = "offset",
    }

    /// Header: upstream `QueryConsumeQueueRequestHeader`.
    QueryConsumeQueueRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
        /// Offset of the first entry wanted.
        index: i64 = "index",
        /// Entries wanted.
        count: i32 = "count",
        /// A group whose filter is tried on each entry.
        consumer_group: Option<String> = "consumerGroup",
    }
}

requests! {
    /// Finds messages by key or by unique id; body of stored records.
    QueryMessage = 12 "QUERY_MESSAGE", Blocking, Permission::Topic("topic", Action::Get),
        QueryMessageRequestHeader => QueryMessageResponseHeader;
    /// Reads the message at a place in the commit log; body of one stored record.
    ViewMessageById = 33 "VIEW_MESSAGE_BY_ID", Blocking, Permission::Topic("topic", Action::Get),
        ViewMessageRequestHeader => NoHeader;
    /// Shows entries of a consume queue; body `QueryConsumeQueueResponseBody`.
    QueryConsumeQueue = 321 "QUERY_CONSUME_QUEUE", Blocking, Permission::Topic("topic", Action::Get),
        QueryConsumeQueueRequestHeader => NoHeader;
}
