//! Clients: heartbeats, membership, queue locks, and what a broker asks of clients.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::{BrokerName, ClientId, Group};
use crate::offsets::{PhysicalOffset, QueueOffset};

crate::header! {
    /// Answer to a heartbeat; only clients that send fingerprints read it.
    HeartbeatResponseHeader {
        /// Fingerprints are understood.
        is_support_heart_beat_v2: Option<bool> = "IS_SUPPORT_HEART_BEAT_V2",
        /// The subscriptions must be sent in full.
        is_sub_change: Option<bool> = "IS_SUB_CHANGE",
    }

    /// Header of a goodbye: upstream `UnregisterClientRequestHeader`.
    UnregisterClientRequestHeader {
        /// Who goes.
        client_id: ClientId = "clientID",
        /// From this producer group.
        producer_group: Option<String> = "producerGroup",
        /// From this consumer group.
        consumer_group: Option<String> = "consumerGroup",
    }

    /// Header: upstream `GetConsumerListByGroupRequestHeader`.
    GetConsumerListByGroupRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
    }

    /// Header: upstream `NotifyConsumerIdsChangedRequestHeader`.
    NotifyConsumerIdsChangedRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
    }

    /// Header of the question what became of a transaction: upstream `CheckTransactionStateRequestHeader`.
    CheckTransactionStateRequestHeader {
        /// The half messages' own topic.
        topic: Option<String> = "topic",
        /// Offset of the half message in its queue.
        tran_state_table_offset: QueueOffset = "tranStateTableOffset",
        /// Where the half message stands in the commit log.
        commit_log_offset: PhysicalOffset = "commitLogOffset",
        /// The message's `UNIQ_KEY`.
        msg_id: Option<String> = "msgId",
        /// The same.
        transaction_id: Option<String> = "transactionId",
        /// Offset id of the half message.
        offset_msg_id: Option<String> = "offsetMsgId",
        /// The broker's name.
        broker_name: Option<BrokerName> = "bname",
    }

    /// Header: upstream `GetConsumerRunningInfoRequestHeader`.
    GetConsumerRunningInfoRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The client.
        client_id: ClientId = "clientId",
        /// With the stacks of its threads.
        jstack_enable: Option<bool> = "jstackEnable",
    }

    /// Header: upstream `ConsumeMessageDirectlyResultRequestHeader`. The broker adds the last three fields before it
    /// passes the request on.
    ConsumeMessageDirectlyResultRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// The client.
        client_id: Option<ClientId> = "clientId",
        /// Offset id of the message.
        msg_id: Option<String> = "msgId",
        /// Topic of the message.
        topic: Option<String> = "topic",
        /// The broker's name.
        broker_name: Option<BrokerName> = "brokerName",
        /// Unit bits of the topic.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Unit bits of the group.
        group_sys_flag: Option<i32> = "groupSysFlag",
    }

    /// Header of a reply on its way to the client that asked: upstream `ReplyMessageRequestHeader`.
    ReplyMessageRequestHeader {
        /// The group of the client that answered.
        producer_group: String = "producerGroup",
        /// The reply topic.
        topic: String = "topic",
        /// Template topic, as sent.
        default_topic: String = "defaultTopic",
        /// Queues, as sent.
        default_topic_queue_nums: i32 = "defaultTopicQueueNums",
        /// Queue, as sent.
        queue_id: i32 = "queueId",
        /// Bits of the record's sysFlag.
        sys_flag: i32 = "sysFlag",
        /// When the reply was made, ms.
        born_timestamp: i64 = "bornTimestamp",
        /// The user's own flag.
        flag: i32 = "flag",
        /// Properties: `name 0x01 value 0x02`, repeated.
        properties: Option<String> = "properties",
        /// As sent.
        reconsume_times: Option<i32> = "reconsumeTimes",
        /// As sent.
        unit_mode: Option<bool> = "unitMode",
        /// `ip:port` of the client that answered, without a slash.
        born_host: String = "bornHost",
        /// `ip:port` of the broker, without a slash.
        store_host: String = "storeHost",
        /// When the broker took the reply, ms.
        store_timestamp: i64 = "storeTimestamp",
    }

    /// Header: upstream `GetConsumerConnectionListRequestHeader`.
    GetConsumerConnectionListRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
    }

    /// Header: upstream `GetProducerConnectionListRequestHeader`.
    GetProducerConnectionListRequestHeader {
        /// The group.
        producer_group: Group = "producerGroup",
    }
}

requests! {
    /// Tells that a client lives, with all its groups and subscriptions; body `HeartbeatData`.
    HeartBeat = 34 "HEART_BEAT", Inline, Permission::InBody(Action::Sub),
        NoHeader => HeartbeatResponseHeader;
    /// Takes a client out of its groups.
    UnregisterClient = 35 "UNREGISTER_CLIENT", Inline, Permission::Group("consumerGroup", Action::Sub),
        UnregisterClientRequestHeader => NoHeader;
    /// Lists the consumers of a group; body `GetConsumerListByGroupResponseBody`.
    GetConsumerListByGroup = 38 "GET_CONSUMER_LIST_BY_GROUP", Inline, Permission::Group("consumerGroup", Action::Sub),
        GetConsumerListByGroupRequestHeader => NoHeader;
    /// Locks queues for one consumer; bodies `LockBatchRequestBody`, `LockBatchResponseBody`.
    LockBatchMq = 41 "LOCK_BATCH_MQ", Inline, Permission::InBody(Action::Sub);
    /// Gives locked queues back; body `UnlockBatchRequestBody`.
    UnlockBatchMq = 42 "UNLOCK_BATCH_MQ", Inline, Permission::InBody(Action::Sub);
    /// Asks whether a filter can be served; body `CheckClientRequestBody`.
    CheckClientConfig = 46 "CHECK_CLIENT_CONFIG", Inline, Permission::InBody(Action::Sub);
    /// Declared upstream, served by nobody.
    GetClientConfig = 47 "GET_CLIENT_CONFIG", Inline, Permission::Cluster(Action::Get);
    /// Shows the consumers of a group; body `ConsumerConnection`.
    GetConsumerConnectionList = 203 "GET_CONSUMER_CONNECTION_LIST", Inline, Permission::Group("consumerGroup", Action::Get),
        GetConsumerConnectionListRequestHeader => NoHeader;
    /// Shows the producers of a group; body `ProducerConnection`.
    GetProducerConnectionList = 204 "GET_PRODUCER_CONNECTION_LIST", Inline, Permission::Cluster(Action::Get),
        GetProducerConnectionListRequestHeader => NoHeader;
    /// Shows all producers; body `ProducerTableInfo`.
    GetAllProducerInfo = 328 "GET_ALL_PRODUCER_INFO", Blocking, Permission::Cluster(Action::Get);
    /// Asks a consumer how it does; passed on to the client; body `ConsumerRunningInfo`.
    GetConsumerRunningInfo = 307 "GET_CONSUMER_RUNNING_INFO", Waiting, Permission::Group("consumerGroup", Action::Get),
        GetConsumerRunningInfoRequestHeader => NoHeader;
    /// Makes a consumer consume one message; passed on to the client; body `ConsumeMessageDirectlyResult`.
    ConsumeMessageDirectly = 309 "CONSUME_MESSAGE_DIRECTLY", Waiting, Permission::Group("consumerGroup", Action::Sub),
        ConsumeMessageDirectlyResultRequestHeader => NoHeader;
    /// To a producer, one way: asks what became of a transaction; body of one stored record.
    CheckTransactionState = 39 "CHECK_TRANSACTION_STATE", Inline, Permission::Open,
        CheckTransactionStateRequestHeader => NoHeader;
    /// To a consumer, one way: the members of its group changed.
    NotifyConsumerIdsChanged = 40 "NOTIFY_CONSUMER_IDS_CHANGED", Inline, Permission::Open,
        NotifyConsumerIdsChangedRequestHeader => NoHeader;
    /// To a consumer, one way: take these offsets; body `ResetOffsetBody`.
    ResetConsumerClientOffset = 220 "RESET_CONSUMER_CLIENT_OFFSET", Inline, Permission::Open,
        super::offset::ResetOffsetRequestHeader => NoHeader;
    /// To a consumer: asks for the offsets it holds; body `GetConsumerStatusBody`.
    GetConsumerStatusFromClient = 221 "GET_CONSUMER_STATUS_FROM_CLIENT", Inline, Permission::Open,
        super::offset::GetConsumerStatusRequestHeader => NoHeader;
    /// To a producer: the reply it waits for; body of the message.
    PushReplyMessageToClient = 326 "PUSH_REPLY_MESSAGE_TO_CLIENT", Inline, Permission::Open,
        ReplyMessageRequestHeader => NoHeader;
}
