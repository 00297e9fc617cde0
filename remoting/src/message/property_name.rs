//! Names of the properties that RocketMQ 5.5.0 itself gives a meaning.
//!
//! One table: no other file spells such a name. Applications may use any other name.
//! Upstream: `MessageConst`.

/// One tag of the message; what consumers filter by. Set by the application.
pub const TAGS: &str = "TAGS";
/// Index keys, separated by blanks. Set by the application.
pub const KEYS: &str = "KEYS";
/// What a client calls the message's id; indexed, case-sensitive. Set by the client, by the broker if missing.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// `false`: the answer does not wait for flush and replicas; missing means `true`.
pub const WAIT: &str = "WAIT";
/// Delay level, from 1.
pub const DELAY: &str = "DELAY";
/// Delay in seconds.
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// Delay in milliseconds.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// Time of delivery, milliseconds since 1970.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// Time of delivery as the broker rounded it, milliseconds since 1970.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// When the timer took the message in, milliseconds since 1970.
pub const TIMER_ENQUEUE_MS: &str = "TIMER_ENQUEUE_MS";
/// When the timer gave the message out, milliseconds since 1970.
pub const TIMER_DEQUEUE_MS: &str = "TIMER_DEQUEUE_MS";
/// How often the timer put the message off, because it lies further ahead than the wheel reaches.
pub const TIMER_ROLL_TIMES: &str = "TIMER_ROLL_TIMES";
/// Mark of a timer message that was rolled (since 5.5.0).
pub const TIMER_ROLL_LABEL: &str = "TIMER_ROLL_LABEL";
/// Unique key of the timer message that this one recalls.
pub const TIMER_DEL_UNIQKEY: &str = "TIMER_DEL_UNIQKEY";
/// Delay level of a message that the timer handles.
pub const TIMER_DELAY_LEVEL: &str = "TIMER_DELAY_LEVEL";
/// Topic that a retried message was first sent to.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// Id of the first message of a retried one.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// How often the message was retried; on retry sends of a client.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// After how many retries the message goes to the dead-letter topic; on retry sends of a client.
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// Topic that a delayed, timed or half message really goes to.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// Queue that a delayed, timed or half message really goes to.
pub const REAL_QID: &str = "REAL_QID";
/// `true` on a half message.
pub const TRAN_MSG: &str = "TRAN_MSG";
/// Producer group of a transactional message.
pub const PGROUP: &str = "PGROUP";
/// The unique key again, on half messages.
pub const TRANSACTION_ID: &str = "__transactionId__";
/// Where the first copy of a half message stands in the half queue.
pub const TRAN_PREPARED_QUEUE_OFFSET: &str = "TRAN_PREPARED_QUEUE_OFFSET";
/// How often the producer was asked about a half message.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// Seconds before the producer is asked about a half message for the first time. Set by the application.
pub const CHECK_IMMUNITY_TIME_IN_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// Region of the broker.
pub const MSG_REGION: &str = "MSG_REGION";
/// `true` when clients are to trace the message.
pub const TRACE_ON: &str = "TRACE_ON";
/// Cluster of the broker: a reply goes to the topic of this name and `_REPLY_TOPIC`.
pub const CLUSTER: &str = "CLUSTER";
/// Least offset of the queue; set by a client on messages it received.
pub const MIN_OFFSET: &str = "MIN_OFFSET";
/// Greatest offset of the queue; set by a client on messages it received.
pub const MAX_OFFSET: &str = "MAX_OFFSET";
/// When a client began to consume the message, milliseconds since 1970.
pub const CONSUME_START_TIME: &str = "CONSUME_START_TIME";
/// `reply` on the answer of a request-reply pair.
pub const MSG_TYPE: &str = "MSG_TYPE";
/// Number that pairs request and reply.
pub const CORRELATION_ID: &str = "CORRELATION_ID";
/// Client that waits for the reply.
pub const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// How long the requester waits: milliseconds from Java, seconds from Go.
pub const TTL: &str = "TTL";
/// When the broker received a reply, milliseconds since 1970.
pub const ARRIVE_TIME: &str = "ARRIVE_TIME";
/// When the broker pushed a reply, milliseconds since 1970.
pub const PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// Handle of one delivery by pop.
pub const POP_CK: &str = "POP_CK";
/// Queue offset of the check point of a pop.
pub const POP_CK_OFFSET: &str = "POP_CK_OFFSET";
/// When the message was first popped, milliseconds since 1970.
pub const FIRST_POP_TIME: &str = "1ST_POP_TIME";
/// Key that keeps messages in order. Set by the application (Java; Go has its own name).
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// Count of messages in an inner batch.
pub const INNER_NUM: &str = "INNER_NUM";
/// First queue offset of an inner batch.
pub const INNER_BASE: &str = "INNER_BASE";
/// Further queues of the message, separated by commas.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// Offsets in those queues, in their order.
pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
/// Context of distributed tracing.
pub const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
/// Address of the client behind a proxy.
pub const BORN_HOST: &str = "__BORNHOST";
/// When the message was made, as a proxy says, milliseconds since 1970.
pub const BORN_TIMESTAMP: &str = "BORN_TIMESTAMP";
/// Topic whose consumption failed for good, on dead letters.
pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
/// Id of the message whose consumption failed for good, on dead letters.
pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";
/// Reserved; kept as it is.
pub const TRANSFER_FLAG: &str = "TRANSFER_FLAG";
/// Reserved; kept as it is.
pub const CORRECTION_FLAG: &str = "CORRECTION_FLAG";
/// Reserved; kept as it is.
pub const MQ2_FLAG: &str = "MQ2_FLAG";
/// Reserved; kept as it is.
pub const BUYER_ID: &str = "BUYER_ID";
/// Reserved; kept as it is.
pub const INSTANCE_ID: &str = "INSTANCE_ID";
/// Reserved; kept as it is.
pub const EXTEND_UNIQ_INFO: &str = "EXTEND_UNIQ_INFO";
/// Reserved; kept as it is.
pub const DUP_INFO: &str = "DUP_INFO";
/// Reserved; kept as it is.
pub const REDIRECT: &str = "REDIRECT";
/// Reserved; kept as it is.
pub const PROPERTY_FORWARD_QUEUE_ID: &str = "PROPERTY_FORWARD_QUEUE_ID";
/// Priority of the message (since 5.5.0).
pub const PRIORITY: &str = "_SYS_MSG_PRIORITY_";
/// Light topic of the message (since 5.5.0).
pub const LITE_TOPIC: &str = "__LITE_TOPIC";
/// Flags of the topic, between a client's layers; never on the wire.
pub const TRANSIENT_TOPIC_SYS_FLAG: &str = "__RMQ.TRANSIENT.TOPIC_SYS_FLAG";
/// Flags of the group, between a client's layers; never on the wire.
pub const TRANSIENT_GROUP_SYS_FLAG: &str = "__RMQ.TRANSIENT.GROUP_SYS_FLAG";
/// CRC-32 of the whole record as its last property: ten digits, least first (`enabledAppendPropCRC`).
pub const CRC32: &str = "__CRC32#";
