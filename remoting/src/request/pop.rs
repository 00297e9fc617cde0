//! Popping: the broker hands out messages, and who reads by which way.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::{Group, QueueId, Topic};
use crate::offsets::QueueOffset;

crate::header! {
    /// Header of a pop: upstream `PopMessageRequestHeader`.
    PopMessageRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue; -1 stands for all.
        queue_id: i32 = "queueId",
        /// Most messages wanted.
        max_msg_nums: i32 = "maxMsgNums",
        /// How long nobody else shall get them, ms.
        invisible_time: i64 = "invisibleTime",
        /// How long the request may be held, ms; 0 not at all.
        poll_time: i64 = "pollTime",
        /// When the client sent it, ms by its own clock.
        born_time: Option<i64> = "bornTime",
        /// Where a group without offsets starts: 0 at the first message, 1 after the last.
        init_mode: i32 = "initMode",
        /// `TAG` or `SQL92`.
        exp_type: Option<String> = "expType",
        /// Filter expression; nothing takes every message.
        exp: Option<String> = "exp",
        /// In order.
        order: Option<bool> = "order",
        /// Lets a repeated request in order get the same messages.
        attempt_id: Option<String> = "attemptId",
    }

    /// Header of a look without taking: upstream `PeekMessageRequestHeader`.
    PeekMessageRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The queue; -1 stands for all.
        queue_id: i32 = "queueId",
        /// Most messages wanted.
        max_msg_nums: i32 = "maxMsgNums",
        /// The group.
        consumer_group: Group = "consumerGroup",
    }

    /// Answer to a pop or a peek: upstream `PopMessageResponseHeader`.
    PopMessageResponseHeader {
        /// When the messages were taken, ms.
        pop_time: i64 = "popTime",
        /// How long nobody else gets them, ms.
        invisible_time: i64 = "invisibleTime",
        /// Queue of the revive topic that keeps the pop; 999 in order.
        revive_qid: i32 = "reviveQid",
        /// Messages left.
        rest_num: i64 = "restNum",
        /// First offset by queue: `retry queue offset`, joined with `;`.
        start_offset_info: Option<String> = "startOffsetInfo",
        /// Offsets by queue, in the body's order: `retry queue offset,offset`, joined with `;`.
        msg_offset_info: Option<String> = "msgOffsetInfo",
        /// How often messages were consumed; in order only.
        order_count_info: Option<String> = "orderCountInfo",
    }

    /// Header of an acknowledgement: upstream `AckMessageRequestHeader`.
    AckMessageRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The topic, or the retry topic the message came from.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
        /// The message's check point, as the pop gave it.
        extra_info: String = "extraInfo",
        /// Its offset.
        offset: QueueOffset = "offset",
        /// Light topic below the topic; new in 5.5.0.
        lite_topic: Option<String> = "liteTopic",
    }

    /// Header of a change of the time a message is hidden: upstream `ChangeInvisibleTimeRequestHeader`.
    ChangeInvisibleTimeRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The topic, or the retry topic the message came from.
        topic: Topic = "topic",
        /// The queue.
        queue_id: QueueId = "queueId",
        /// The message's check point, as the pop gave it.
        extra_info: String = "extraInfo",
        /// Its offset.
        offset: QueueOffset = "offset",
        /// How long nobody shall get it, from now, ms.
        invisible_time: i64 = "invisibleTime",
        /// Light topic below the topic; new in 5.5.0.
        lite_topic: Option<String> = "liteTopic",
        /// Light topics only; new in 5.5.0.
        suspend: Option<bool> = "suspend",
    }

    /// Answer to such a change: upstream `ChangeInvisibleTimeResponseHeader`.
    ChangeInvisibleTimeResponseHeader {
        /// When it was hidden, ms.
        pop_time: i64 = "popTime",
        /// For how long, ms.
        invisible_time: i64 = "invisibleTime",
        /// Queue of the revive topic that keeps it.
        revive_qid: i32 = "reviveQid",
    }

    /// Header of a wait for something to pop: upstream `NotificationRequestHeader`.
    NotificationRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue; -1 stands for all.
        queue_id: i32 = "queueId",
        /// How long the request may be held, ms.
        poll_time: i64 = "pollTime",
        /// When the client sent it, ms by its own clock.
        born_time: Option<i64> = "bornTime",
        /// In order.
        order: Option<bool> = "order",
        /// Lets a repeated request in order see the same messages.
        attempt_id: Option<String> = "attemptId",
        /// `TAG` or `SQL92`.
        exp_type: Option<String> = "expType",
        /// Filter expression; nothing takes every message.
        exp: Option<String> = "exp",
    }

    /// Answer to such a wait: upstream `NotificationResponseHeader`.
    NotificationResponseHeader {
        /// There is something.
        has_msg: bool = "hasMsg",
        /// Too many requests are held.
        polling_full: Option<bool> = "pollingFull",
    }

    /// Header: upstream `PollingInfoRequestHeader`.
    PollingInfoRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue; -1 stands for all.
        queue_id: i32 = "queueId",
    }

    /// Answer: upstream `PollingInfoResponseHeader`.
    PollingInfoResponseHeader {
        /// Pops that are held.
        polling_num: i32 = "pollingNum",
    }
}

requests! {
    /// Takes messages of any queue for a while.
    PopMessage = 200050 "POP_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub),
        PopMessageRequestHeader => PopMessageResponseHeader;
    /// Tells that a popped message is consumed.
    AckMessage = 200051 "ACK_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub),
        AckMessageRequestHeader => NoHeader;
    /// Tells that many popped messages are consumed.
    BatchAckMessage = 200151 "BATCH_ACK_MESSAGE", Inline, Permission::InBody(Action::Sub);
    /// Reads messages without taking them.
    PeekMessage = 200052 "PEEK_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub),
        PeekMessageRequestHeader => PopMessageResponseHeader;
    /// Keeps a popped message for longer, or gives it back.
    ChangeMessageInvisibletime = 200053 "CHANGE_MESSAGE_INVISIBLETIME", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub),
        ChangeInvisibleTimeRequestHeader => ChangeInvisibleTimeResponseHeader;
    /// Waits until there is something to pop.
    Notification = 200054 "NOTIFICATION", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub),
        NotificationRequestHeader => NotificationResponseHeader;
    /// Tells how many pops are held.
    PollingInfo = 200055 "POLLING_INFO", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Get),
        PollingInfoRequestHeader => PollingInfoResponseHeader;
    /// Brings records of pops back from RocksDB.
    PopRollback = 200056 "POP_ROLLBACK", Blocking, Permission::Cluster(Action::Update);
    /// Tells a consumer its queues; bodies `QueryAssignmentRequestBody`, `QueryAssignmentResponseBody`.
    QueryAssignment = 400 "QUERY_ASSIGNMENT", Waiting, Permission::InBody(Action::Get);
    /// Sets whether a group pulls or pops; body `SetMessageRequestModeRequestBody`.
    SetMessageRequestMode = 401 "SET_MESSAGE_REQUEST_MODE", Blocking, Permission::InBody(Action::Update);
    /// Hands a slave all such settings; body `MessageRequestModeSerializeWrapper`.
    GetAllMessageRequestMode = 402 "GET_ALL_MESSAGE_REQUEST_MODE", Blocking, Permission::Cluster(Action::Get);
}
