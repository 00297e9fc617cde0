//! Messages that consumers send back: to be tried again later, or to be given up.
//!
//! Upstream: `AbstractSendMessageProcessor.consumerSendMsgBack` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::code::version;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{Record, RecordFields};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::request::send::ConsumerSendMsgBack;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;
use crate::retry::{self, Fate};
use crate::stats::items::Statistic;
use crate::{response_error, schedule};

pub(crate) async fn consumer_send_msg_back(broker: Arc<Broker>, request: Request<ConsumerSendMsgBack>) -> Handled {
    let header = &request.header;
    let group = broker.find_or_create_group(header.group.as_str())?;
    let settings = broker.settings.snapshot();
    if settings.broker.broker_permission as i32 & TopicConfig::PERM_WRITE == 0 {
        return Err(response_error::no_permission(format!(
            "the broker[{}] sending message is forbidden",
            settings.broker.broker_ip1
        )));
    }
    if group.retry_queue_nums <= 0 {
        tracing::warn!(group = %header.group, "a message sent back is dropped: the group's retryQueueNums is 0");
        return Ok(Response::success());
    }
    let retry_topic = Topic::retry_of(&header.group);
    let sys_flag = if header.unit_mode == Some(true) { TopicConfig::SYS_FLAG_UNIT_SUB } else { 0 };
    let read_write = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE;
    let config = broker.topics.create_retry_or_dlq(&retry_topic, group.retry_queue_nums, read_write, false, sys_flag);
    if config.perm & TopicConfig::PERM_WRITE == 0 {
        return Err(response_error::no_permission(format!("the topic[{retry_topic}] sending message is forbidden")));
    }
    let stored = broker
        .store
        .record_at(header.offset)
        .ok_or_else(|| ResponseError::system(format!("look message by offset failed, {}", header.offset)))?;
    let record = Record::parse(&stored)
        .map_err(|error| ResponseError::system(format!("look message by offset failed, {}: {error}", header.offset)))?;
    let honours = request.version >= version::V3_4_9;
    let max = retry::max_reconsume_times(&group, header.max_reconsume_times, honours);
    let fate = retry::fate(record.reconsume_times(), max, header.delay_level);
    let origin = Origin::of(&record, header.origin_topic.as_deref());
    let mut properties = origin.properties(&record);
    let (topic, queue_id) = match fate {
        Fate::DeadLetter => {
            let topic = retry::dead_letter_topic(&broker, &header.group);
            append(&mut properties, property::DLQ_ORIGIN_TOPIC, &origin.topic);
            append(&mut properties, property::DLQ_ORIGIN_MESSAGE_ID, &origin.message_id);
            (topic, QueueId(0))
        }
        Fate::Again { delay_level } => {
            let queues = i64::from(group.retry_queue_nums.max(1));
            let queue_id = QueueId((header.offset.0.rem_euclid(queues)) as u32);
            let target = schedule::delay_target(delay_level, broker.schedule.levels());
            append(&mut properties, property::DELAY, &(target.queue_id.0 + 1).to_string());
            schedule::append_real_destination(&mut properties, retry_topic.as_str(), queue_id);
            (target.topic, target.queue_id)
        }
    };
    let queue = broker.store.queue(&topic, queue_id);
    let fields = RecordFields {
        topic: topic.as_str(),
        queue_id,
        reconsume_times: record.reconsume_times().saturating_add(1),
        store_host: broker.identity.address,
        prepared_transaction_offset: 0,
        properties: &properties,
        ..record.to_fields()
    };
    // Whatever keeps it from being stored is a failure to the client, which then sends a copy itself.
    retry::append(&broker, &queue, &fields, true).await.map_err(|error| ResponseError::system(error.remark))?;
    if fate == Fate::DeadLetter
        && let Some(metrics) = &broker.metrics
    {
        metrics.gave_up(header.group.as_str(), &origin.topic);
    }
    broker.stats.items.add(Statistic::SndbckPutNums, &format!("{}@{}", origin.topic, header.group), 1, 1);
    Ok(Response::success())
}

/// Where a message was first consumed from.
struct Origin {
    topic: String,
    message_id: String,
}

impl Origin {
    fn of(record: &Record<'_>, named: Option<&str>) -> Self {
        let properties = record.properties();
        let own = || named.filter(|_| record.topic().is_empty()).unwrap_or(record.topic());
        let id = OffsetMessageId { store_host: record.store_host(), physical_offset: record.physical_offset() };
        Self {
            topic: properties.get(property::RETRY_TOPIC).unwrap_or_else(own).to_owned(),
            message_id: properties.get(property::ORIGIN_MESSAGE_ID).map_or_else(|| id.to_string(), str::to_owned),
        }
    }

    /// The record's properties, with the origin in them and without what an earlier delay left behind.
    fn properties(&self, record: &Record<'_>) -> Vec<u8> {
        let left_over = [
            property::DELAY,
            property::REAL_TOPIC,
            property::REAL_QID,
            property::WAIT,
            property::RETRY_TOPIC,
            property::ORIGIN_MESSAGE_ID,
            property::TIMER_DELAY_SEC,
            property::TIMER_DELAY_MS,
            property::TIMER_DELIVER_MS,
            property::CRC32,
        ];
        let mut properties = Vec::new();
        for (name, value) in Properties(record.properties().as_str()).iter() {
            if !left_over.contains(&name) {
                append(&mut properties, name, value);
            }
        }
        append(&mut properties, property::RETRY_TOPIC, &self.topic);
        append(&mut properties, property::ORIGIN_MESSAGE_ID, &self.message_id);
        append(&mut properties, property::WAIT, "false");
        properties
    }
}

#[cfg(test)]
mod tests;
