//! Offsets: what groups have consumed (14, 15), where queues begin and end (30, 31, 32), and what was stored when (29).
//!
//! Questions about queues that do not exist are answered as those about empty ones: consumers ask before the first
//! message, and take an error for a reason to wait. Upstream: `ConsumerManageProcessor`, `AdminBrokerProcessor`
//! (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::offset::{
    GetAllConsumerOffset, GetEarliestMsgStoretime, GetEarliestMsgStoretimeResponseHeader, GetMaxOffset,
    GetMaxOffsetResponseHeader, GetMinOffset, GetMinOffsetResponseHeader, QueryConsumerOffset,
    QueryConsumerOffsetResponseHeader, SearchOffsetByTimestamp, SearchOffsetResponseHeader, UpdateConsumerOffset,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::TimeBoundary;
use boostermq_store::consume_queue::QueueError;

use crate::broker::Broker;
use crate::response_error;

/// 14: how far a group has consumed a queue. A group without an offset starts at the first message when that is still in
/// memory, unless the client forbids it; else the client decides.
pub(crate) fn query_consumer_offset(broker: &Arc<Broker>, request: Request<QueryConsumerOffset>) -> Handled {
    let header = &request.header;
    let (group, topic, queue_id) = (header.consumer_group.as_str(), header.topic.as_str(), header.queue_id);
    let found =
        |offset| Ok(Response::success().header(&QueryConsumerOffsetResponseHeader { offset: QueueOffset(offset) }));
    if let Some(offset) = broker.offsets.query(group, topic, queue_id) {
        return found(offset);
    }
    if header.set_zero_if_not_found == Some(false) {
        return Err(ResponseError::new(
            ResponseCode::QUERY_NOT_FOUND,
            "Not found, do not set to zero, maybe this group boot first",
        ));
    }
    if is_young(broker, topic, queue_id).map_err(unreadable)? {
        return found(0);
    }
    Err(ResponseError::new(
        ResponseCode::QUERY_NOT_FOUND,
        "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first",
    ))
}

/// True for a queue whose very first message is still in memory.
fn is_young(broker: &Broker, topic: &str, queue_id: QueueId) -> Result<bool, QueueError> {
    if broker.store.min_queue_offset(topic, queue_id).0 > 0 {
        return Ok(false);
    }
    let first = broker.store.physical_offset(topic, queue_id, QueueOffset::ZERO)?;
    Ok(first.is_some_and(|first| broker.store.is_in_memory(first)))
}

/// 15: stores how far a group has consumed a queue.
pub(crate) fn update_consumer_offset(broker: &Arc<Broker>, request: Request<UpdateConsumerOffset>) -> Handled {
    let header = &request.header;
    let (group, topic) = (header.consumer_group.as_str(), header.topic.as_str());
    if broker.groups.find(group).is_none() {
        return Err(ResponseError::new(
            ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
            format!("Group {group} not exist!"),
        ));
    }
    if broker.topics.find(topic).is_none() {
        return Err(ResponseError::new(ResponseCode::TOPIC_NOT_EXIST, format!("Topic {topic} not exist!")));
    }
    let Some(queue_id) = header.queue_id else {
        return Err(response_error::invalid_parameter(format!("QueueId is null, topic is {topic}")));
    };
    let Some(offset) = header.commit_offset else {
        return Err(response_error::invalid_parameter(format!("Offset is null, topic is {topic}")));
    };
    if broker.offsets.has_reset(group, topic, queue_id) {
        let mut ignored = Response::success();
        ignored.remark = Some("Offset has been previously reset".into());
        return Ok(ignored);
    }
    broker.offsets.commit(group, topic, queue_id, offset.0);
    Ok(Response::success())
}

/// 30: one past the last message.
pub(crate) fn get_max_offset(broker: &Arc<Broker>, request: Request<GetMaxOffset>) -> Handled {
    let header = &request.header;
    let offset = broker.store.max_queue_offset(header.topic.as_str(), header.queue_id);
    Ok(Response::success().header(&GetMaxOffsetResponseHeader { offset }))
}

/// 31: the first message.
pub(crate) fn get_min_offset(broker: &Arc<Broker>, request: Request<GetMinOffset>) -> Handled {
    let header = &request.header;
    let offset = broker.store.min_queue_offset(header.topic.as_str(), header.queue_id);
    Ok(Response::success().header(&GetMinOffsetResponseHeader { offset }))
}

/// 29: the message at a time.
pub(crate) fn search_offset(broker: &Arc<Broker>, request: Request<SearchOffsetByTimestamp>) -> Handled {
    let header = &request.header;
    let boundary = TimeBoundary::from_name(header.boundary_type.as_deref());
    let found = broker.store.offset_by_time(header.topic.as_str(), header.queue_id, header.timestamp, boundary);
    let offset = found.map_err(unreadable)?;
    Ok(Response::success().header(&SearchOffsetResponseHeader { offset }))
}

/// 32: when the first message was stored.
pub(crate) fn get_earliest_store_time(broker: &Arc<Broker>, request: Request<GetEarliestMsgStoretime>) -> Handled {
    let header = &request.header;
    let stored = broker.store.earliest_store_timestamp(header.topic.as_str(), header.queue_id).map_err(unreadable)?;
    Ok(Response::success().header(&GetEarliestMsgStoretimeResponseHeader { timestamp: stored.unwrap_or(-1) }))
}

/// 43: all that groups have consumed, for a replica.
pub(crate) fn get_all_consumer_offsets(broker: &Arc<Broker>, _: Request<GetAllConsumerOffset>) -> Handled {
    Ok(Response::success().body(broker.offsets.to_json()))
}

fn unreadable(error: QueueError) -> ResponseError {
    ResponseError::system(error.to_string())
}
