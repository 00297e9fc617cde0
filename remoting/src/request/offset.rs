//! Offsets: what groups have consumed, where queues begin and end.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::{Group, QueueId, Topic};
use crate::offsets::QueueOffset;

crate::header! {
    /// Header of a look-up: upstream `QueryConsumerOffsetRequestHeader`.
    QueryConsumerOffsetRequestHeader {
        /// The consuming group.
        consumer_group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
        /// False forbids the answer 0 for a group that has no offset yet.
        set_zero_if_not_found: Option<bool> = "setZeroIfNotFound",
    }

    /// Answer to a look-up: upstream `QueryConsumerOffsetResponseHeader`.
    QueryConsumerOffsetResponseHeader {
        /// The group's offset.
        offset: QueueOffset = "offset",
    }

    /// Header of a commit: upstream `UpdateConsumerOffsetRequestHeader`. Queue and offset may be missing, so that the
    /// handler can answer with the code for it.
    UpdateConsumerOffsetRequestHeader {
        /// The consuming group.
        consumer_group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: Option<QueueId> = "queueId",
        /// Offset of the next message to be consumed.
        commit_offset: Option<QueueOffset> = "commitOffset",
    }

    /// Header of a search by time: upstream `SearchOffsetRequestHeader`.
    SearchOffsetRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
        /// Store time wanted, ms.
        timestamp: i64 = "timestamp",
        /// `LOWER` (the first message not older; the default) or `UPPER` (the last not younger), in any case.
        boundary_type: Option<String> = "boundaryType",
        /// Light topic below the topic; new in 5.5.0.
        lite_topic: Option<String> = "liteTopic",
    }

    /// Answer to a search by time: upstream `SearchOffsetResponseHeader`.
    SearchOffsetResponseHeader {
        /// The offset, inside the queue.
        offset: QueueOffset = "offset",
    }

    /// Header: upstream `GetMaxOffsetRequestHeader`.
    GetMaxOffsetRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
        /// Only messages that replicas have; true by default.
        committed: Option<bool> = "committed",
    }

    /// Answer: upstream `GetMaxOffsetResponseHeader`.
    GetMaxOffsetResponseHeader {
        /// Offset after the last message; 0 for a queue never used.
        offset: QueueOffset = "offset",
    }

    /// Header: upstream `GetMinOffsetRequestHeader`.
    GetMinOffsetRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
    }

    /// Answer: upstream `GetMinOffsetResponseHeader`.
    GetMinOffsetResponseHeader {
        /// First offset; 0 for a queue never used.
        offset: QueueOffset = "offset",
    }

    /// Header: upstream `GetEarliestMsgStoretimeRequestHeader`.
    GetEarliestMsgStoretimeRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
    }

    /// Answer: upstream `GetEarliestMsgStoretimeResponseHeader`.
    GetEarliestMsgStoretimeResponseHeader {
        /// Store time of the first message, ms; -1 when there is none.
        timestamp: i64 = "timestamp",
    }

    /// Header of a reset, asked of a broker (222) or pushed to a client (220): upstream `ResetOffsetRequestHeader`.
    ResetOffsetRequestHeader {
        /// The consuming group.
        group: Group = "group",
        /// The topic.
        topic: Topic = "topic",
        /// One queue only; -1 stands for all.
        queue_id: Option<i32> = "queueId",
        /// Offset for that queue; -1 stands for none.
        offset: Option<i64> = "offset",
        /// Store time to go to, ms; -1 stands for the end.
        timestamp: i64 = "timestamp",
        /// Also forwards; counts only where clients are pushed.
        is_force: Option<bool> = "isForce",
    }

    /// Header of a question for clients' offsets, asked of a broker (223) or of a client (221): upstream
    /// `GetConsumerStatusRequestHeader`.
    GetConsumerStatusRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The consuming group.
        group: Group = "group",
        /// One client only, by its client id.
        client_addr: Option<String> = "clientAddr",
    }

    /// Header: upstream `QueryCorrectionOffsetHeader`.
    QueryCorrectionOffsetHeader {
        /// Groups that are left out, separated by commas; upstream also removes their offsets.
        filter_groups: Option<String> = "filterGroups",
        /// The group to compare with.
        compare_group: Group = "compareGroup",
        /// The topic.
        topic: Topic = "topic",
    }

    /// Header: upstream `CloneGroupOffsetRequestHeader`.
    CloneGroupOffsetRequestHeader {
        /// Group to copy from.
        src_group: Group = "srcGroup",
        /// Group to copy to.
        dest_group: Group = "destGroup",
        /// One topic only.
        topic: Option<String> = "topic",
        /// The group is offline; nobody asks.
        offline: Option<bool> = "offline",
    }
}

requests! {
    /// Declared upstream, served by nobody.
    QueryBrokerOffset = 13 "QUERY_BROKER_OFFSET", Inline, Permission::Cluster(Action::Get);
    /// Tells what a group has consumed of a queue.
    QueryConsumerOffset = 14 "QUERY_CONSUMER_OFFSET", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Get),
        QueryConsumerOffsetRequestHeader => QueryConsumerOffsetResponseHeader;
    /// Stores what a group has consumed of a queue.
    UpdateConsumerOffset = 15 "UPDATE_CONSUMER_OFFSET", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub),
        UpdateConsumerOffsetRequestHeader => NoHeader;
    /// Finds the offset at a store time.
    SearchOffsetByTimestamp = 29 "SEARCH_OFFSET_BY_TIMESTAMP", Blocking, Permission::Topic("topic", Action::Get),
        SearchOffsetRequestHeader => SearchOffsetResponseHeader;
    /// Tells where a queue ends.
    GetMaxOffset = 30 "GET_MAX_OFFSET", Inline, Permission::Topic("topic", Action::Get),
        GetMaxOffsetRequestHeader => GetMaxOffsetResponseHeader;
    /// Tells where a queue begins.
    GetMinOffset = 31 "GET_MIN_OFFSET", Inline, Permission::Topic("topic", Action::Get),
        GetMinOffsetRequestHeader => GetMinOffsetResponseHeader;
    /// Tells when the first message of a queue was stored.
    GetEarliestMsgStoretime = 32 "GET_EARLIEST_MSG_STORETIME", Blocking, Permission::Topic("topic", Action::Get),
        GetEarliestMsgStoretimeRequestHeader => GetEarliestMsgStoretimeResponseHeader;
    /// Hands a slave all offsets; body `ConsumerOffsetSerializeWrapper`.
    GetAllConsumerOffset = 43 "GET_ALL_CONSUMER_OFFSET", Blocking, Permission::Cluster(Action::Get);
    /// Hands a slave the progress of the delay levels; body `DelayOffsetSerializeWrapper`.
    GetAllDelayOffset = 45 "GET_ALL_DELAY_OFFSET", Blocking, Permission::Cluster(Action::Get);
    /// Moves a group to a time or an offset; body `ResetOffsetBody`.
    InvokeBrokerToResetOffset = 222 "INVOKE_BROKER_TO_RESET_OFFSET", Blocking, Permission::TopicAndGroup("topic", "group", Action::Update),
        ResetOffsetRequestHeader => NoHeader;
    /// Asks the clients of a group for the offsets they hold; body `GetConsumerStatusBody`.
    InvokeBrokerToGetConsumerStatus = 223 "INVOKE_BROKER_TO_GET_CONSUMER_STATUS", Waiting, Permission::TopicAndGroup("topic", "group", Action::Get),
        GetConsumerStatusRequestHeader => NoHeader;
    /// Tells the lowest offsets of all groups but some, held against those of one; body `QueryCorrectionOffsetBody`.
    QueryCorrectionOffset = 308 "QUERY_CORRECTION_OFFSET", Blocking, Permission::TopicAndGroup("topic", "compareGroup", Action::Get),
        QueryCorrectionOffsetHeader => NoHeader;
    /// Copies the offsets of a group.
    CloneGroupOffset = 314 "CLONE_GROUP_OFFSET", Blocking, Permission::Group("destGroup", Action::Update),
        CloneGroupOffsetRequestHeader => NoHeader;
}
