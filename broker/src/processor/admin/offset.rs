//! Groups moved to another place (222), and how long they lag behind in time (303).
//!
//! A reset has two ways, as upstream has. With `useServerSideResetOffset` the broker notes it: the next pull is sent
//! there (code 21), and until then nothing is committed. Without it, the consumers that are online are told (220) and
//! commit by themselves.
//!
//! Upstream: `AdminBrokerProcessor`, `Broker2Client` (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::body::{
    MessageQueue, MessageQueueForC, QueryConsumeTimeSpanBody, QueueTimeSpan, ResetOffsetBody, ResetOffsetBodyForC,
    TopicConfig,
};
use boostermq_remoting::code::{Language, ResponseCode, version};
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::client::ResetConsumerClientOffset;
use boostermq_remoting::request::offset::{InvokeBrokerToResetOffset, ResetOffsetRequestHeader};
use boostermq_remoting::request::stats::QueryConsumeTimeSpan;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::TimeBoundary;
use boostermq_store::consume_queue::QueueError;
use serde::Serialize;

use crate::broker::Broker;
use crate::clients::Member;
use crate::response_error;

/// Where a group is to go, by queue number.
type Targets = BTreeMap<u32, i64>;

/// 222: moves a group to a time, to the end, or in one queue to an offset.
pub(crate) fn reset(broker: &Arc<Broker>, request: Request<InvokeBrokerToResetOffset>) -> Handled {
    let header = &request.header;
    tracing::info!(
        peer = %request.peer(), group = %header.group, topic = %header.topic, timestamp = header.timestamp,
        queue_id = ?header.queue_id, offset = ?header.offset, "resetting the offsets of a group"
    );
    let on_broker = broker.settings.read().broker.use_server_side_reset_offset;
    let targets = if on_broker { reset_on_broker(broker, header)? } else { reset_on_clients(broker, header)? };
    Response::success().json(&ResetOffsetBody {
        offset_table: targets.iter().map(|(queue_id, offset)| (queue(broker, header, *queue_id), *offset)).collect(),
    })
}

fn queue(broker: &Broker, header: &ResetOffsetRequestHeader, queue_id: u32) -> MessageQueue {
    MessageQueue {
        broker_name: broker.identity.name.to_string(),
        queue_id: queue_id.cast_signed(),
        topic: header.topic.to_string(),
    }
}

/// Notes the reset here.
fn reset_on_broker(broker: &Broker, header: &ResetOffsetRequestHeader) -> Result<Targets, ResponseError> {
    let (group, topic) = (header.group.as_str(), header.topic.as_str());
    let config = broker
        .topics
        .find(topic)
        .ok_or_else(|| ResponseError::new(ResponseCode::TOPIC_NOT_EXIST, format!("Topic {topic} does not exist")))?;
    if broker.groups.find(group).is_none() {
        return Err(ResponseError::new(
            ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
            format!("Group {group} does not exist"),
        ));
    }
    let targets: Targets = match header.queue_id.and_then(QueueId::from_wire) {
        Some(queue_id) => {
            check_queue(&config, queue_id)?;
            let target = match header.offset.filter(|offset| *offset != -1) {
                Some(offset) => within(broker, topic, queue_id, offset)?,
                None => at_time(broker, topic, queue_id, header.timestamp)?,
            };
            [(queue_id.0, target)].into()
        }
        None => (0..config.read_queue_nums.max(0).cast_unsigned())
            .map(|queue_id| Ok((queue_id, at_time(broker, topic, QueueId(queue_id), header.timestamp)?)))
            .collect::<Result<_, ResponseError>>()?,
    };
    if targets.is_empty() {
        return Err(ResponseError::system("No queues to reset."));
    }
    for (queue_id, offset) in &targets {
        broker.offsets.reset(group, topic, QueueId(*queue_id), *offset);
        // A consumer that waits for the next message of a quiet queue hears of it at once.
        broker.holds.release_group(broker, group, topic, QueueId(*queue_id));
    }
    Ok(targets)
}

/// A queue that the topic does not have would keep its reset for ever.
fn check_queue(config: &TopicConfig, queue_id: QueueId) -> Result<(), ResponseError> {
    let count = config.read_queue_nums.max(config.write_queue_nums);
    if i64::from(queue_id.0) < i64::from(count) {
        return Ok(());
    }
    let topic = &config.topic_name;
    Err(response_error::invalid_parameter(format!("queueId is {queue_id}; topic {topic} has {count} queues")))
}

/// The offset asked for, if the queue has it; one beyond its end is allowed, as upstream allows it.
fn within(broker: &Broker, topic: &str, queue_id: QueueId, offset: i64) -> Result<i64, ResponseError> {
    let (min, max) =
        (broker.store.min_queue_offset(topic, queue_id).0, broker.store.max_queue_offset(topic, queue_id).0);
    if (min..=max.saturating_add(1)).contains(&offset) {
        return Ok(offset);
    }
    Err(ResponseError::system(format!("Target offset {offset} not in consume queue range [{min}-{max}]")))
}

/// The first message stored at a time, or the end for a negative one.
fn at_time(broker: &Broker, topic: &str, queue_id: QueueId, timestamp: i64) -> Result<i64, ResponseError> {
    if timestamp < 0 {
        return Ok(broker.store.max_queue_offset(topic, queue_id).0);
    }
    let found = broker.store.offset_by_time(topic, queue_id, timestamp, TimeBoundary::Lower);
    Ok(found.map_err(response_error::from_queue)?.0)
}

/// Tells the consumers that are online; without force a group only moves backwards.
fn reset_on_clients(broker: &Broker, header: &ResetOffsetRequestHeader) -> Result<Targets, ResponseError> {
    let (group, topic) = (header.group.as_str(), header.topic.as_str());
    let config = broker.topics.find(topic).ok_or_else(|| {
        ResponseError::new(
            ResponseCode::TOPIC_NOT_EXIST,
            format!("[reset-offset] reset offset failed, no topic in this broker. topic={topic}"),
        )
    })?;
    let mut targets = Targets::new();
    for queue_id in 0..config.write_queue_nums.max(0).cast_unsigned() {
        let Some(committed) = broker.offsets.query(group, topic, QueueId(queue_id)) else {
            return Err(ResponseError::system(format!("THe consumer group <{group}> not exist")));
        };
        let wanted = at_time(broker, topic, QueueId(queue_id), header.timestamp)?;
        let is_force = header.is_force == Some(true);
        targets.insert(queue_id, if is_force { wanted } else { wanted.min(committed) });
    }
    let members = broker.consumers.find(group).map(|group| group.members()).unwrap_or_default();
    if members.is_empty() {
        return Err(ResponseError::new(
            ResponseCode::CONSUMER_NOT_ONLINE,
            format!(
                "Consumer not online, so can not reset offset, Group: {group} Topic: {topic} Timestamp: {}",
                header.timestamp
            ),
        ));
    }
    // All or none: a group of which one half has moved is worse off than one that has not.
    if let Some(old) = members.iter().find(|member| member.version < version::V3_0_7_SNAPSHOT) {
        return Err(ResponseError::system(format!(
            "the client does not support this feature. version={}",
            old.version
        )));
    }
    for member in &members {
        let command = order(broker, header, &targets, member)?;
        member.connection.notify(command);
    }
    Ok(targets)
}

/// The order to move (220), in the form that the client's language reads.
fn order(
    broker: &Broker,
    header: &ResetOffsetRequestHeader,
    targets: &Targets,
    member: &Member,
) -> Result<RemotingCommand, ResponseError> {
    let queues = || targets.iter().map(|(queue_id, offset)| (queue(broker, header, *queue_id), *offset));
    let body = if member.language == Language::CPP {
        let row = |(queue, offset): (MessageQueue, i64)| MessageQueueForC {
            broker_name: queue.broker_name,
            offset,
            queue_id: queue.queue_id,
            topic: queue.topic,
        };
        written(&ResetOffsetBodyForC { offset_table: queues().map(row).collect() })?
    } else {
        written(&ResetOffsetBody { offset_table: queues().collect() })?
    };
    let header = ResetOffsetRequestHeader {
        group: header.group.clone(),
        topic: header.topic.clone(),
        queue_id: Some(-1),
        offset: None,
        timestamp: header.timestamp,
        is_force: Some(false),
    };
    Ok(RemotingCommand::request(ResetConsumerClientOffset::ROW.code, &header, body.into()))
}

fn written<T: Serialize>(body: &T) -> Result<Vec<u8>, ResponseError> {
    fastjson::try_to_vec(body).map_err(|error| ResponseError::system(format!("the offsets cannot be written: {error}")))
}

/// 303: when the first and the last message of each queue were stored, and the last one that a group consumed.
pub(crate) fn time_span(broker: &Arc<Broker>, request: Request<QueryConsumeTimeSpan>) -> Handled {
    let (group, topic) = (request.header.group.as_str(), request.header.topic.as_str());
    let config = broker
        .topics
        .find(topic)
        .ok_or_else(|| ResponseError::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist")))?;
    let queues = 0..config.write_queue_nums.max(0).cast_unsigned();
    let spans: Result<_, QueueError> =
        queues.map(|queue_id| queue_time_span(broker, group, topic, QueueId(queue_id))).collect();
    Response::success()
        .json(&QueryConsumeTimeSpanBody { consume_time_span_set: spans.map_err(response_error::from_queue)? })
}

fn queue_time_span(broker: &Broker, group: &str, topic: &str, queue_id: QueueId) -> Result<QueueTimeSpan, QueueError> {
    let store = &broker.store;
    let stored = |offset: i64| store.store_timestamp(topic, queue_id, QueueOffset(offset));
    let (min, max) = (store.min_queue_offset(topic, queue_id).0, store.max_queue_offset(topic, queue_id).0);
    let min_time_stamp = store.earliest_store_timestamp(topic, queue_id)?.unwrap_or(-1);
    let consumed = broker.offsets.query(group, topic, queue_id).unwrap_or(0);
    let consume_time_stamp = if consumed > 0 { stored(consumed - 1)?.unwrap_or(-1) } else { min_time_stamp };
    // What is gone cannot wait: the next message is the first one that is there.
    let next = consumed.max(min);
    let next_stored = if next < max { stored(next)? } else { None };
    let queue_id_on_wire = queue_id.0.cast_signed();
    Ok(QueueTimeSpan {
        consume_time_stamp,
        delay_time: next_stored.map_or(0, |stored| broker.clock.now_ms() - stored),
        max_time_stamp: stored(max - 1)?.unwrap_or(-1),
        message_queue: MessageQueue {
            broker_name: broker.identity.name.to_string(),
            queue_id: queue_id_on_wire,
            topic: topic.to_owned(),
        },
        min_time_stamp,
    })
}
