//! Pulling.
//!
//! Codes and fields: RocketMQ 5.5.0.

use std::borrow::Cow;

use super::Action;
use super::Permission::TopicAndGroup;

/// Bits of a pull's `sysFlag`.
pub mod pull_flag {
    /// The request carries an offset to be stored.
    pub const COMMIT_OFFSET: i32 = 1;
    /// The broker may hold the request until a message arrives.
    pub const SUSPEND: i32 = 2;
    /// The request carries the subscription.
    pub const SUBSCRIPTION: i32 = 4;
    /// Class filters, long gone.
    pub const CLASS_FILTER: i32 = 8;
    /// The client is a lite pull consumer.
    pub const LITE_PULL: i32 = 16;
}

crate::header! {
    /// Header of a pull: upstream `PullMessageRequestHeader`. Borrowed from its frame: the hot path.
    PullMessageRequestHeader<'a> {
        /// The consuming group.
        consumer_group: Cow<'a, str> = "consumerGroup",
        /// Topic to read.
        topic: Cow<'a, str> = "topic",
        /// Queue to read.
        queue_id: i32 = "queueId",
        /// Offset of the first message wanted.
        queue_offset: i64 = "queueOffset",
        /// Most messages wanted.
        max_msg_nums: i32 = "maxMsgNums",
        /// Bits of [`pull_flag`].
        sys_flag: i32 = "sysFlag",
        /// Offset to be stored when the bit is set.
        commit_offset: Option<i64> = "commitOffset",
        /// How long the request may be held, ms.
        suspend_timeout_millis: Option<i64> = "suspendTimeoutMillis",
        /// Filter expression when the bit is set.
        subscription: Option<Cow<'a, str>> = "subscription",
        /// Version of the client's subscription.
        sub_version: Option<i64> = "subVersion",
        /// `TAG` or `SQL92`.
        expression_type: Option<Cow<'a, str>> = "expressionType",
        /// Most bytes wanted; upstream ignores it.
        max_msg_bytes: Option<i32> = "maxMsgBytes",
        /// What kind of proxy asks.
        request_source: Option<i32> = "requestSource",
        /// The client behind the proxy.
        proxy_forward_client_id: Option<Cow<'a, str>> = "proxyFrowardClientId",
    }

    /// Header of every answer to a pull that was carried out: upstream `PullMessageResponseHeader`.
    PullMessageResponseHeader {
        /// Broker to ask next time.
        suggest_which_broker_id: i64 = "suggestWhichBrokerId",
        /// Offset to go on at.
        next_begin_offset: i64 = "nextBeginOffset",
        /// First offset of the queue.
        min_offset: i64 = "minOffset",
        /// Offset after the last message of the queue.
        max_offset: i64 = "maxOffset",
        /// Added to queue offsets; static topics only.
        offset_delta: Option<i64> = "offsetDelta",
        /// Unit bits of the topic.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Unit bits of the group.
        group_sys_flag: Option<i32> = "groupSysFlag",
        /// Who forbade the pull.
        forbidden_type: Option<i32> = "forbiddenType",
    }
}

requests! {
    /// Reads one queue from an offset; may be held until a message arrives.
    PullMessage = 11 "PULL_MESSAGE", Inline, TopicAndGroup("topic", "consumerGroup", Action::Sub),
        PullMessageRequestHeader<'static> => PullMessageResponseHeader;
    /// The same for lite pull consumers.
    LitePullMessage = 361 "LITE_PULL_MESSAGE", Inline, TopicAndGroup("topic", "consumerGroup", Action::Sub),
        PullMessageRequestHeader<'static> => PullMessageResponseHeader;
}
