//! Popping: the broker hands out messages, and who reads by which way.
//!
//! Codes: facts/protocol-client.md 3.13 to 3.16 (RocketMQ 5.5.0).

use super::{Action, Permission};
use crate::names::{Group, Topic};

crate::header! {
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
    PopMessage = 200050 "POP_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// Tells that a popped message is consumed.
    AckMessage = 200051 "ACK_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// Tells that many popped messages are consumed.
    BatchAckMessage = 200151 "BATCH_ACK_MESSAGE", Inline, Permission::InBody(Action::Sub);
    /// Reads messages without taking them.
    PeekMessage = 200052 "PEEK_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// Keeps a popped message for longer, or gives it back.
    ChangeMessageInvisibletime = 200053 "CHANGE_MESSAGE_INVISIBLETIME", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// Waits until there is something to pop.
    Notification = 200054 "NOTIFICATION", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// Tells how many pops are held.
    PollingInfo = 200055 "POLLING_INFO", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Get),
        PollingInfoRequestHeader => PollingInfoResponseHeader;
    /// Brings records of pops back from RocksDB.
    PopRollback = 200056 "POP_ROLLBACK", Blocking, Permission::Cluster(Action::Update);
    /// Tells a consumer its queues; bodies `QueryAssignmentRequestBody`, `QueryAssignmentResponseBody`.
    QueryAssignment = 400 "QUERY_ASSIGNMENT", Inline, Permission::InBody(Action::Get);
    /// Sets whether a group pulls or pops; body `SetMessageRequestModeRequestBody`.
    SetMessageRequestMode = 401 "SET_MESSAGE_REQUEST_MODE", Blocking, Permission::InBody(Action::Update);
    /// Hands a slave all such settings; body `MessageRequestModeSerializeWrapper`.
    GetAllMessageRequestMode = 402 "GET_ALL_MESSAGE_REQUEST_MODE", Blocking, Permission::Cluster(Action::Get);
}
