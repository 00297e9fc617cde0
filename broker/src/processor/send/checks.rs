//! Checks of a send, in upstream's order, shared by all that stores messages for clients.
//!
//! Each says in its error what the client is answered. Order and texts: RocketMQ 5.5.0. Upstream:
//! `AbstractSendMessageProcessor.msgCheck`.

use std::net::SocketAddr;
use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::properties::PROPERTIES_MAX_LENGTH;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::request::send::SendMessageRequestHeader;
use boostermq_remoting::router::ResponseError;
use boostermq_store::timer::WHEEL_TOPIC;

use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::response_error;
use crate::transaction::HALF_TOPIC;

/// Topics that clients may not send to (RocketMQ 5.5.0).
pub(super) const NOT_SENDABLE: [&str; 7] = [
    "SCHEDULE_TOPIC_XXXX",
    HALF_TOPIC,
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    WHEEL_TOPIC,
];
/// Records of pops, which belong to brokers: a stranger's would give out messages again, or never.
const REVIVE_TOPIC_PREFIX: &str = "rmq_sys_REVIVE_LOG_";

pub(in crate::processor) fn check_body(broker: &Broker, body: &[u8]) -> Result<(), ResponseError> {
    if body.len() > broker.limits.body {
        let (length, limit) = (body.len(), broker.limits.body);
        return Err(response_error::message_illegal(format!(
            "the message body of {length} bytes is over the limit maxMessageSize of {limit} bytes"
        )));
    }
    Ok(())
}

/// The topic a send goes to, found or made from its template; and whether it was made.
pub(in crate::processor) fn topic_to_send(
    broker: &Broker,
    header: &SendMessageRequestHeader<'_>,
    sender: SocketAddr,
) -> Result<(Topic, Arc<TopicConfig>, bool), ResponseError> {
    let topic = Topic::parse(&header.topic).map_err(response_error::invalid_name)?;
    if NOT_SENDABLE.contains(&topic.as_str()) || topic.as_str().starts_with(REVIVE_TOPIC_PREFIX) {
        return Err(response_error::no_permission(format!("Sending message to topic[{topic}] is forbidden.")));
    }
    let known = broker.topics.find(topic.as_str());
    let is_new = known.is_none();
    let created = || {
        broker.topics.create_for_send(
            &topic,
            header.default_topic.as_deref().unwrap_or_default(),
            header.default_topic_queue_nums.unwrap_or(4),
            sender,
            if header.unit_mode == Some(true) { 1 } else { 0 },
        )
    };
    let config = known.or_else(created).ok_or_else(|| {
        ResponseError::new(
            ResponseCode::TOPIC_NOT_EXIST,
            format!("topic[{topic}] not exist, apply first please!\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."),
        )
    })?;
    Ok((topic, config, is_new))
}

pub(in crate::processor) fn check_open(broker: &Broker, settings: &BrokerConfig) -> Result<(), ResponseError> {
    let opens = settings.start_accept_send_request_time_stamp;
    if opens > 0 && broker.clock.now_ms() < opens {
        return Err(ResponseError::system(format!("broker unable to service, until {opens}")));
    }
    Ok(())
}

/// Messages that need an order go nowhere else while the broker may not be written: their producers have to wait. What
/// has none goes elsewhere by the clients' own choice and is not refused (RocketMQ 5.5.0).
pub(in crate::processor) fn check_permission(
    settings: &BrokerConfig,
    config: &TopicConfig,
) -> Result<(), ResponseError> {
    if !config.order {
        return Ok(());
    }
    if settings.broker_permission as i32 & TopicConfig::PERM_WRITE == 0 {
        return Err(response_error::no_permission(format!(
            "the broker[{}] sending message is forbidden",
            settings.broker_ip1
        )));
    }
    Ok(())
}

pub(in crate::processor) fn check_queue(
    header: &SendMessageRequestHeader<'_>,
    config: &TopicConfig,
) -> Result<QueueId, ResponseError> {
    let count = config.write_queue_nums.max(config.read_queue_nums);
    if header.queue_id >= count {
        return Err(ResponseError::new(
            ResponseCode::INVALID_PARAMETER,
            format!(
                "request queueId[{}] is illegal, topic[{}] has {} write and {} read queues",
                header.queue_id, config.topic_name, config.write_queue_nums, config.read_queue_nums
            ),
        ));
    }
    QueueId::from_wire(header.queue_id).map_or_else(
        || {
            // Below 0 the broker picks a queue; the born time is as good as any other spread.
            let writable = i64::from(config.write_queue_nums.max(1));
            let spread = header.born_timestamp.wrapping_mul(2_654_435_761) >> 8;
            Ok(QueueId(spread.rem_euclid(writable) as u32))
        },
        Ok,
    )
}

pub(in crate::processor) fn check_properties(length: usize) -> Result<(), ResponseError> {
    if length > PROPERTIES_MAX_LENGTH {
        return Err(response_error::message_illegal(format!(
            "the message is illegal, maybe msg body or properties length not matched. msg properties length limit {PROPERTIES_MAX_LENGTH}, these are {length} bytes"
        )));
    }
    Ok(())
}
