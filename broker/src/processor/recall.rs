//! Calling a timed message back before it is delivered.
//!
//! The message itself stays where it is: a second one for the same tick says that the first is not to be delivered, and both
//! meet when the tick is over. A recall that comes too late is answered as one in time and changes nothing.
//!
//! Upstream: `RecallMessageProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::request::timer::{RecallMessage, RecallMessageResponseHeader};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::timer::{WHEEL_QUEUE, WHEEL_TOPIC};

use crate::broker::Broker;
use crate::response_error;
use crate::retry;
use crate::schedule::append_real_destination;
use crate::timer::due::{self, Due, Wish};
use crate::timer::handle::{self, RecallHandle};

/// Tag of the message that recalls another (RocketMQ 5.5.0).
const TAG: &str = "_RECALL_TAG_";

pub(crate) async fn recall_message(broker: Arc<Broker>, request: Request<RecallMessage>) -> Handled {
    let region = broker.settings.read().broker.region_id.clone();
    let recalled = recall(&broker, &request).await;
    match recalled {
        Ok(unique_key) => {
            let header = RecallMessageResponseHeader { msg_id: unique_key, msg_region: Some(region) };
            Ok(Response::success().header(&header))
        }
        Err(error) => Err(error.field("MSG_REGION", region)),
    }
}

async fn recall(broker: &Arc<Broker>, request: &Request<RecallMessage>) -> Result<String, ResponseError> {
    let header = &request.header;
    check_open(broker)?;
    if broker.topics.find(header.topic.as_str()).is_none() {
        return Err(ResponseError::new(
            ResponseCode::TOPIC_NOT_EXIST,
            format!("recall failed, the topic[{}] not exist", header.topic),
        ));
    }
    let handle = handle::decode(&header.recall_handle).ok_or_else(|| illegal("recall handle is invalid"))?;
    let now_ms = broker.clock.now_ms();
    let slot_ms = check_handle(broker, header.topic.as_str(), &handle, now_ms)?;
    let timer = broker.timer.as_ref().ok_or_else(due::not_enabled)?;
    let properties = properties(broker, &handle, header.producer_group.as_deref(), slot_ms, now_ms);
    let fields = RecordFields {
        born_timestamp: now_ms,
        born_host: request.peer(),
        properties: &properties,
        ..RecordFields::plain(WHEEL_TOPIC, WHEEL_QUEUE, broker.identity.address, b"0")
    };
    retry::append(broker, &timer.queue(&broker.store), &fields, true).await?;
    Ok(handle.unique_key)
}

fn check_open(broker: &Broker) -> Result<(), ResponseError> {
    let settings = broker.settings.read();
    if !settings.broker.recall_message_enable {
        return Err(response_error::no_permission("recall failed, operation is forbidden".to_owned()));
    }
    let opens = settings.broker.start_accept_send_request_time_stamp;
    let is_writeable = settings.broker.broker_permission as i32 & TopicConfig::PERM_WRITE != 0;
    if broker.clock.now_ms() < opens || !is_writeable && !settings.broker.allow_recall_when_broker_not_writeable {
        return Err(ResponseError::new(
            ResponseCode::SERVICE_NOT_AVAILABLE,
            "recall failed, broker service not available",
        ));
    }
    Ok(())
}

/// The tick of the message that the handle is for.
fn check_handle(broker: &Broker, topic: &str, handle: &RecallHandle, now_ms: i64) -> Result<i64, ResponseError> {
    if handle.topic != topic {
        return Err(illegal("recall failed, topic not match"));
    }
    if handle.broker_name != broker.identity.name.as_str() {
        return Err(illegal("recall failed, broker service not available"));
    }
    let max_delay_ms = broker.settings.read().store.timer_max_delay_ms();
    let left_ms = handle.deliver_ms.saturating_sub(now_ms);
    let precision_ms = broker.timer.as_ref().ok_or_else(due::not_enabled)?.precision_ms();
    let deliver_ms = handle.deliver_ms.to_string();
    let wish = Wish { deliver_ms: Some(&deliver_ms), is_recall: true, ..Wish::default() };
    match wish.due(now_ms, precision_ms, max_delay_ms) {
        Ok(Due::At(slot_ms)) if left_ms < max_delay_ms => Ok(slot_ms),
        _ => Err(illegal("recall failed, timestamp invalid")),
    }
}

fn properties(
    broker: &Broker,
    handle: &RecallHandle,
    producer_group: Option<&str>,
    slot_ms: i64,
    now_ms: i64,
) -> Vec<u8> {
    let with_topic = broker.settings.read().store.append_topic_for_timer_delete_key;
    let key = if with_topic { format!("{}+{}", handle.topic, handle.unique_key) } else { handle.unique_key.clone() };
    let mut properties = Vec::new();
    append(&mut properties, property::TIMER_DEL_UNIQKEY, &key);
    append(&mut properties, property::UNIQ_KEY, &handle.unique_key);
    append(&mut properties, property::TIMER_DELIVER_MS, &handle.deliver_ms.to_string());
    append(&mut properties, property::BORN_TIMESTAMP, &now_ms.to_string());
    if let Some(group) = producer_group.filter(|group| !group.is_empty() && !group.contains(['\u{1}', '\u{2}'])) {
        append(&mut properties, property::PGROUP, group);
    }
    append(&mut properties, property::TAGS, TAG);
    append(&mut properties, property::TIMER_OUT_MS, &slot_ms.to_string());
    append_real_destination(&mut properties, &handle.topic, QueueId(0));
    properties
}

fn illegal(remark: &'static str) -> ResponseError {
    ResponseError::new(ResponseCode::ILLEGAL_OPERATION, remark)
}

#[cfg(test)]
mod tests;
