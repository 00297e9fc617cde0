//! Bodies about connected clients.

use std::collections::BTreeMap;

use super::{ConsumeFromWhere, ConsumeType, MessageModel, MessageQueue, SubscriptionData, lenient};
use crate::fastjson::ObjectKeyMap;

names! {
    /// What became of a message that a client was made to consume.
    CmResult {
        /// Consumed.
        Success = "CR_SUCCESS",
        /// To be tried again.
        Later = "CR_LATER",
        /// Rolled back.
        Rollback = "CR_ROLLBACK",
        /// Committed.
        Commit = "CR_COMMIT",
        /// The listener failed.
        ThrowException = "CR_THROW_EXCEPTION",
        /// The listener said nothing.
        ReturnNull = "CR_RETURN_NULL",
    }
}

bodies! {
    /// A client's connection: upstream `Connection`.
    Connection {
        /// `ip:port` of the client.
        client_addr: String,
        /// What it calls itself.
        client_id: String,
        /// Name of its language.
        language: String,
        /// Ordinal of its version.
        #[serde(deserialize_with = "lenient::integer")]
        version: i32,
    }

    /// Consumers of a group and their subscriptions (203): upstream `ConsumerConnection`.
    ConsumerConnection {
        /// The connections.
        connection_set: Vec<Connection>,
        /// Where the group starts without offsets.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        consume_from_where: Option<ConsumeFromWhere>,
        /// Who decides when a message is consumed.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        consume_type: Option<ConsumeType>,
        /// Who gets a message.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        message_model: Option<MessageModel>,
        /// By topic.
        subscription_table: BTreeMap<String, SubscriptionData>,
        /// In what members differ, when they do; our word, which upstream's tools pass over.
        #[serde(skip_serializing_if = "Option::is_none")]
        subscription_warning: Option<String>,
    }

    /// Producers of a group (204): upstream `ProducerConnection`.
    ProducerConnection {
        /// The connections.
        connection_set: Vec<Connection>,
    }

    /// One producer: upstream `ProducerInfo`.
    ProducerInfo {
        /// What it calls itself.
        client_id: String,
        /// Name of its language.
        language: String,
        /// When it was last heard, ms.
        last_update_timestamp: i64,
        /// `/ip:port`, with the slash.
        #[serde(rename = "remoteIP")]
        remote_ip: String,
        /// Ordinal of its version.
        version: i32,
    }

    /// Producers by group (328): upstream `ProducerTableInfo`.
    ProducerTableInfo {
        /// By group.
        data: BTreeMap<String, Vec<ProducerInfo>>,
    }

    /// Consumers of a group by name (38): upstream `GetConsumerListByGroupResponseBody`.
    GetConsumerListByGroupResponseBody {
        /// What they call themselves, one for each connection.
        consumer_id_list: Vec<String>,
    }

    /// Asks whether a subscription can be served (46): upstream `CheckClientRequestBody`.
    CheckClientRequestBody {
        /// Who asks.
        client_id: String,
        /// For which group.
        group: String,
        /// In which namespace.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// The subscription.
        subscription_data: SubscriptionData,
    }

    /// A group's subscription to a topic (345): upstream `QuerySubscriptionResponseBody`.
    QuerySubscriptionResponseBody {
        /// The group.
        group: String,
        /// Its subscription; absent when nobody is connected.
        #[serde(skip_serializing_if = "Option::is_none")]
        subscription_data: Option<SubscriptionData>,
        /// The topic.
        topic: String,
    }

    /// Answer of a client that was made to consume a message (309): upstream `ConsumeMessageDirectlyResult`.
    ConsumeMessageDirectlyResult {
        /// The listener commits by itself.
        auto_commit: bool,
        /// What became of the message.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        consume_result: Option<CmResult>,
        /// The listener consumes in order.
        order: bool,
        /// Free text.
        #[serde(skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
        /// How long it took, ms.
        #[serde(deserialize_with = "lenient::integer")]
        spent_time_mills: i64,
    }

    /// What a client holds of one queue: upstream `ProcessQueueInfo`.
    ProcessQueueInfo {
        /// Messages held.
        cached_msg_count: i32,
        /// Last offset held.
        cached_msg_max_offset: i64,
        /// First offset held.
        cached_msg_min_offset: i64,
        /// Their size, MiB.
        #[serde(rename = "cachedMsgSizeInMiB")]
        cached_msg_size_in_mib: i32,
        /// Offset of the next message to be consumed.
        commit_offset: i64,
        /// The queue was given up.
        droped: bool,
        /// When a message was last consumed, ms.
        last_consume_timestamp: i64,
        /// When the queue was last locked, ms.
        last_lock_timestamp: i64,
        /// When messages were last pulled, ms.
        last_pull_timestamp: i64,
        /// The queue is locked.
        locked: bool,
        /// Messages being consumed in order.
        transaction_msg_count: i32,
        /// Last of their offsets.
        transaction_msg_max_offset: i64,
        /// First of their offsets.
        transaction_msg_min_offset: i64,
        /// How often unlocking was tried in vain.
        try_unlock_times: i64,
    }

    /// What a client holds of one queue it pops from: upstream `PopProcessQueueInfo`.
    PopProcessQueueInfo {
        /// The queue was given up.
        droped: bool,
        /// When messages were last popped, ms.
        last_pop_timestamp: i64,
        /// Messages not acknowledged yet.
        wait_ack_count: i32,
    }

    /// How a client does with one topic: upstream `ConsumeStatus`.
    ConsumeStatus {
        /// Messages that failed in the last hour.
        consume_failed_msgs: i64,
        /// Messages failed a second.
        #[serde(rename = "consumeFailedTPS")]
        consume_failed_tps: f64,
        /// Messages consumed a second.
        #[serde(rename = "consumeOKTPS")]
        consume_ok_tps: f64,
        /// How long one takes, ms.
        #[serde(rename = "consumeRT")]
        consume_rt: f64,
        /// How long a pull takes, ms.
        #[serde(rename = "pullRT")]
        pull_rt: f64,
        /// Messages pulled a second.
        #[serde(rename = "pullTPS")]
        pull_tps: f64,
    }

    /// How a consumer does (307): upstream `ConsumerRunningInfo`. A broker passes it on unread.
    ConsumerRunningInfo {
        /// Stacks of the client's threads.
        #[serde(skip_serializing_if = "Option::is_none")]
        jstack: Option<String>,
        /// Queues it pops from.
        mq_pop_table: ObjectKeyMap<MessageQueue, PopProcessQueueInfo>,
        /// Queues it pulls from.
        mq_table: ObjectKeyMap<MessageQueue, ProcessQueueInfo>,
        /// Settings, by names such as `PROP_CLIENT_VERSION`.
        #[serde(deserialize_with = "lenient::texts")]
        properties: BTreeMap<String, String>,
        /// By topic.
        status_table: BTreeMap<String, ConsumeStatus>,
        /// Its subscriptions.
        subscription_set: Vec<SubscriptionData>,
        /// What the application added.
        user_consumer_info: BTreeMap<String, String>,
    }
}
