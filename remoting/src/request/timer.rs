//! Messages for a later time.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, Permission};
use crate::names::Topic;

crate::header! {
    /// Header: upstream `RecallMessageRequestHeader`.
    RecallMessageRequestHeader {
        /// The producer's group.
        producer_group: Option<String> = "producerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The handle from the answer to the send.
        recall_handle: String = "recallHandle",
    }

    /// Answer: upstream `RecallMessageResponseHeader`.
    RecallMessageResponseHeader {
        /// The message's `UNIQ_KEY`.
        msg_id: String = "msgId",
        /// The broker's region.
        msg_region: Option<String> = "MSG_REGION",
    }
}

requests! {
    /// Hands a slave the timer's progress; body of seven 64-bit numbers.
    GetTimerCheckPoint = 60 "GET_TIMER_CHECK_POINT", Inline, Permission::Cluster(Action::Get);
    /// Hands a slave the timer's counts by topic.
    GetTimerMetrics = 61 "GET_TIMER_METRICS", Blocking, Permission::Cluster(Action::Get);
    /// Calls a timed message back.
    RecallMessage = 370 "RECALL_MESSAGE", Waiting, Permission::Topic("topic", Action::Pub),
        RecallMessageRequestHeader => RecallMessageResponseHeader;
    /// Changes between the timer on files and the one on RocksDB.
    SwitchTimerEngine = 5001 "SWITCH_TIMER_ENGINE", Blocking, Permission::Cluster(Action::Update);
}
