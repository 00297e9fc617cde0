//! Sending: single messages, batches, replies.
//!
//! Codes and fields: RocketMQ 5.5.0.

use std::borrow::Cow;

use super::Action;
use super::Permission::{Group, Topic};

crate::header! {
    /// Header of a send, with long (`SEND_MESSAGE`) or one-letter names (`_V2`, batch): upstream
    /// `SendMessageRequestHeader`, `SendMessageRequestHeaderV2`. Borrowed from its frame: the hot path.
    SendMessageRequestHeader<'a> {
        /// The producer's group.
        producer_group: Cow<'a, str> = "producerGroup" | "a",
        /// Where the message goes.
        topic: Cow<'a, str> = "topic" | "b",
        /// Template for a topic that must be created first, normally `TBW102`.
        default_topic: Option<Cow<'a, str>> = "defaultTopic" | "c",
        /// Queues of a topic that must be created.
        default_topic_queue_nums: Option<i32> = "defaultTopicQueueNums" | "d",
        /// Queue; below 0 the broker picks one.
        queue_id: i32 = "queueId" | "e",
        /// Bits of the record's sysFlag.
        sys_flag: i32 = "sysFlag" | "f",
        /// When the client made the message, ms.
        born_timestamp: i64 = "bornTimestamp" | "g",
        /// The user's own flag.
        flag: i32 = "flag" | "h",
        /// Properties: `name 0x01 value 0x02`, repeated.
        properties: Option<Cow<'a, str>> = "properties" | "i",
        /// How often it has been consumed in vain.
        reconsume_times: Option<i32> = "reconsumeTimes" | "j",
        /// Unit mode of the client.
        unit_mode: Option<bool> = "unitMode" | "k",
        /// How often it may be consumed in vain; counts for retry topics only.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes" | "l",
        /// The body is a batch: this decides, not the code.
        batch: Option<bool> = "batch" | "m",
        /// The broker the client means.
        broker_name: Option<Cow<'a, str>> = "bname" | "n",
    }

    /// Header of a reply: that of a send, but owned, because its handler waits for the client that asked.
    SendReplyMessageRequestHeader {
        /// The group of the client that answers.
        producer_group: String = "producerGroup" | "a",
        /// The reply topic.
        topic: String = "topic" | "b",
        /// As in a send.
        default_topic: Option<String> = "defaultTopic" | "c",
        /// As in a send.
        default_topic_queue_nums: Option<i32> = "defaultTopicQueueNums" | "d",
        /// As in a send.
        queue_id: i32 = "queueId" | "e",
        /// As in a send.
        sys_flag: i32 = "sysFlag" | "f",
        /// As in a send.
        born_timestamp: i64 = "bornTimestamp" | "g",
        /// As in a send.
        flag: i32 = "flag" | "h",
        /// Properties, among them whom the reply is for.
        properties: Option<String> = "properties" | "i",
        /// As in a send.
        reconsume_times: Option<i32> = "reconsumeTimes" | "j",
        /// As in a send.
        unit_mode: Option<bool> = "unitMode" | "k",
        /// As in a send; clients say false, and nothing is decided by it.
        batch: Option<bool> = "batch" | "m",
        /// As in a send.
        broker_name: Option<String> = "bname" | "n",
    }

    /// Header of the answer to a send that stored the message: upstream `SendMessageResponseHeader`.
    SendMessageResponseHeader {
        /// Offset message id; several joined with `,` for a batch.
        msg_id: String = "msgId",
        /// Queue the client meant, or the one that was picked.
        queue_id: i32 = "queueId",
        /// Offset of the (first) message in the queue it went to.
        queue_offset: i64 = "queueOffset",
        /// The message's `UNIQ_KEY`.
        transaction_id: Option<String> = "transactionId",
        /// Unique id of an inner batch.
        batch_uniq_id: Option<String> = "batchUniqId",
        /// Lets a timer message be called back.
        recall_handle: Option<String> = "recallHandle",
        /// The broker's region.
        msg_region: Option<String> = "MSG_REGION",
        /// Whether clients should trace.
        trace_on: Option<bool> = "TRACE_ON",
    }
}

requests! {
    /// Stores one message; long field names.
    SendMessage = 10 "SEND_MESSAGE", Inline, Topic("topic", Action::Pub),
        SendMessageRequestHeader<'static> => SendMessageResponseHeader;
    /// Stores one message; one-letter field names.
    SendMessageV2 = 310 "SEND_MESSAGE_V2", Inline, Topic("b", Action::Pub),
        SendMessageRequestHeader<'static> => SendMessageResponseHeader;
    /// Stores the messages of a batch body in one queue.
    SendBatchMessage = 320 "SEND_BATCH_MESSAGE", Inline, Topic("b", Action::Pub),
        SendMessageRequestHeader<'static> => SendMessageResponseHeader;
    /// Hands a reply to the client that asked; long field names.
    SendReplyMessage = 324 "SEND_REPLY_MESSAGE", Waiting, Topic("topic", Action::Pub),
        SendReplyMessageRequestHeader => SendMessageResponseHeader;
    /// Hands a reply to the client that asked; one-letter field names.
    SendReplyMessageV2 = 325 "SEND_REPLY_MESSAGE_V2", Waiting, Topic("b", Action::Pub),
        SendReplyMessageRequestHeader => SendMessageResponseHeader;
    /// Sends a message back to its group's retry topic, or to its dead-letter topic.
    ConsumerSendMsgBack = 36 "CONSUMER_SEND_MSG_BACK", Waiting, Group("group", Action::Sub),
        ConsumerSendMsgBackRequestHeader => super::NoHeader;
}

crate::header! {
    /// Header of a send-back: upstream `ConsumerSendMsgBackRequestHeader`.
    ConsumerSendMsgBackRequestHeader {
        /// Where the message stands in the commit log.
        offset: crate::offsets::PhysicalOffset = "offset",
        /// The consuming group.
        group: crate::names::Group = "group",
        /// Delay level; 0 lets the broker choose, below 0 sends it to the dead letters.
        delay_level: i32 = "delayLevel",
        /// Id of the message at its first failure.
        origin_msg_id: Option<String> = "originMsgId",
        /// Topic it was consumed from.
        origin_topic: Option<String> = "originTopic",
        /// Unit mode of the client.
        unit_mode: Option<bool> = "unitMode",
        /// How often it may be consumed in vain.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    }
}

impl SendReplyMessageRequestHeader {
    /// The header as that of a send, for the checks of sends.
    #[must_use]
    pub fn as_send(&self) -> SendMessageRequestHeader<'_> {
        SendMessageRequestHeader {
            producer_group: Cow::Borrowed(&self.producer_group),
            topic: Cow::Borrowed(&self.topic),
            default_topic: self.default_topic.as_deref().map(Cow::Borrowed),
            default_topic_queue_nums: self.default_topic_queue_nums,
            queue_id: self.queue_id,
            sys_flag: self.sys_flag,
            born_timestamp: self.born_timestamp,
            flag: self.flag,
            properties: self.properties.as_deref().map(Cow::Borrowed),
            reconsume_times: self.reconsume_times,
            unit_mode: self.unit_mode,
            max_reconsume_times: None,
            batch: None,
            broker_name: None,
        }
    }
}
