//! Topics made, changed, deleted and shown.
//!
//! Upstream: `AdminBrokerProcessor`, `TopicConfigManager` (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::body::{
    CreateTopicListRequestBody, DataVersion, MessageQueue, TopicConfig, TopicFilterType, TopicList, TopicOffset,
    TopicStatsTable,
};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::request::topic::{
    CreateTopicRequestHeader, DeleteTopicInBroker, GetAllTopicConfig, GetAllTopicConfigResponseHeader,
    GetSystemTopicListFromBroker, GetTopicConfig, GetTopicStatsInfo, UpdateAndCreateTopic, UpdateAndCreateTopicList,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::consume_queue::QueueError;
use serde::Serialize;

use super::page::{Wanted, page};
use crate::broker::Broker;
use crate::metadata::{MESSAGE_TYPE, TopicChangeError, parse_attributes};
use crate::response_error;
use crate::stats::items::Statistic;

/// Most queues of a topic; upstream has no limit, and a table of queues for each sender.
const QUEUES_MAX: i32 = 1 << 16;
/// Bits that a topic's permission may have.
const PERM_MAX: i32 = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE | TopicConfig::PERM_INHERIT;
/// How long the answer to a change waits for the name servers, so that who asked finds the topic there.
const REGISTRATION_WAIT: Duration = Duration::from_secs(3);

/// 17: makes or changes a topic.
pub(crate) async fn update_and_create(broker: Arc<Broker>, request: Request<UpdateAndCreateTopic>) -> Handled {
    let (begun, topic) = (Instant::now(), &request.header.topic);
    let changed = match from_header(&request.header) {
        Ok(config) => put(broker.clone(), vec![(topic.clone(), config)]).await,
        Err(error) => Err(error),
    };
    if let Some(metrics) = &broker.metrics {
        metrics.changed_topics(broker.topics.is_system(topic.as_str()), changed.is_ok(), begun);
    }
    changed
}

/// 18: makes or changes several topics; when one is refused, none is changed.
pub(crate) async fn update_and_create_list(broker: Arc<Broker>, request: Request<UpdateAndCreateTopicList>) -> Handled {
    let body: CreateTopicListRequestBody = fastjson::from_slice(&request.body)
        .map_err(|error| ResponseError::system(format!("the list of topics cannot be read: {error}")))?;
    let named = |config: TopicConfig| Ok((Topic::parse(&config.topic_name)?, config));
    let configs: Result<Vec<_>, _> = body.topic_config_list.into_iter().map(named).collect();
    let configs = configs.map_err(response_error::invalid_name)?;
    let begun = Instant::now();
    let changed = put(broker.clone(), configs).await;
    if let Some(metrics) = &broker.metrics {
        metrics.changed_topics(false, changed.is_ok(), begun);
    }
    changed
}

fn from_header(header: &CreateTopicRequestHeader) -> Result<TopicConfig, ResponseError> {
    let filter = header.topic_filter_type.as_deref().unwrap_or(TopicFilterType::SingleTag.name());
    let topic_filter_type = TopicFilterType::from_name(filter).ok_or_else(|| {
        response_error::invalid_parameter(format!("topicFilterType = [{filter}] is neither SINGLE_TAG nor MULTI_TAG"))
    })?;
    Ok(TopicConfig {
        attributes: parse_attributes(header.attributes.as_deref().unwrap_or_default())
            .map_err(|error| ResponseError::system(error.to_string()))?,
        order: header.order.unwrap_or(false),
        perm: header.perm,
        read_queue_nums: header.read_queue_nums,
        topic_filter_type,
        topic_name: header.topic.to_string(),
        topic_sys_flag: header.topic_sys_flag.unwrap_or(0),
        write_queue_nums: header.write_queue_nums,
        others: BTreeMap::new(),
    })
}

async fn put(broker: Arc<Broker>, configs: Vec<(Topic, TopicConfig)>) -> Handled {
    let changing = broker.clone();
    // The table is written to its file, which may take its time.
    let changed = tokio::task::spawn_blocking(move || {
        for (topic, config) in &configs {
            check(&changing, topic, config)?;
        }
        changing.topics.put(configs).map_err(not_changed)
    });
    changed.await.map_err(|error| ResponseError::system(format!("the topics were not changed: {error}")))??;
    let settled = broker.registration.settled(REGISTRATION_WAIT).await;
    if !settled {
        tracing::warn!("a topic has changed, but not every name server has heard of it yet");
    }
    Ok(Response::success())
}

fn check(broker: &Broker, topic: &Topic, config: &TopicConfig) -> Result<(), ResponseError> {
    let settings = broker.settings.read();
    if settings.broker.validate_system_topic_when_update_topic && broker.topics.is_system(topic.as_str()) {
        return Err(conflicts_with_system(topic.as_str()));
    }
    let signed = format!("+{MESSAGE_TYPE}");
    if !settings.broker.enable_mixed_message_type && config.attributes.get(&signed).is_some_and(|kind| kind == "MIXED")
    {
        return Err(response_error::invalid_parameter("MIXED message type is not supported.".to_owned()));
    }
    for (field, value, most) in [
        ("readQueueNums", config.read_queue_nums, QUEUES_MAX),
        ("writeQueueNums", config.write_queue_nums, QUEUES_MAX),
        ("perm", config.perm, PERM_MAX),
    ] {
        if !(0..=most).contains(&value) {
            return Err(response_error::invalid_parameter(format!(
                "{field} of topic[{topic}] is {value}; it must be from 0 to {most}"
            )));
        }
    }
    Ok(())
}

fn conflicts_with_system(topic: &str) -> ResponseError {
    response_error::invalid_parameter(format!("The topic[{topic}] is conflict with system topic."))
}

fn not_changed(error: TopicChangeError) -> ResponseError {
    ResponseError::system(error.to_string())
}

/// 215: deletes a topic, the offsets that groups have of it, its queues, and the retry topics that pop groups have for
/// it. Name servers are asked separately.
pub(crate) fn delete(broker: &Arc<Broker>, request: Request<DeleteTopicInBroker>) -> Handled {
    let topic = request.header.topic.as_str();
    if topic.trim().is_empty() {
        return Err(response_error::invalid_parameter("The specified topic is blank.".to_owned()));
    }
    let (checks_system, clears_retry) = {
        let broker = &broker.settings.read().broker;
        (broker.validate_system_topic_when_update_topic, broker.clear_retry_topic_when_delete_topic)
    };
    if checks_system && broker.topics.is_system(topic) {
        return Err(conflicts_with_system(topic));
    }
    let mut topics = vec![topic.to_owned()];
    if clears_retry {
        for group in broker.offsets.groups_of(topic) {
            let names = [format!("%RETRY%{group}_{topic}"), format!("%RETRY%{group}+{topic}")];
            topics.extend(names.into_iter().filter(|name| broker.topics.find(name).is_some()));
        }
    }
    tracing::info!(peer = %request.peer(), ?topics, "deleting");
    for topic in &topics {
        // The configuration goes first: nobody sends to the topic while its queues go.
        broker.topics.delete(topic).map_err(not_changed)?;
        broker.offsets.remove_topic(topic);
        broker.store.delete_topic(topic).map_err(response_error::from_queue)?;
        if broker.settings.read().broker.auto_delete_unused_stats {
            broker.stats.items.forget_topic(topic);
        }
        if let Some(metrics) = &broker.metrics {
            metrics.forget_topic(topic);
        }
        if let Some(timer) = &broker.timer {
            timer.counts.forget(topic);
        }
    }
    Ok(Response::success())
}

/// 21: all topics, whole or in pages.
pub(crate) fn all_configs(broker: &Arc<Broker>, request: Request<GetAllTopicConfig>) -> Handled {
    /// `TopicConfigAndMappingSerializeWrapper`, borrowed.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        data_version: DataVersion,
        mapping_data_version: DataVersion,
        topic_config_table: BTreeMap<&'a str, &'a Arc<TopicConfig>>,
        topic_queue_mapping_detail_map: BTreeMap<&'a str, ()>,
        topic_queue_mapping_info_map: BTreeMap<&'a str, ()>,
    }
    let header = &request.header;
    let table = broker.topics.table();
    let sorted = table.sorted();
    let total = i32::try_from(sorted.len()).unwrap_or(i32::MAX);
    let wanted =
        Wanted { first: header.topic_seq, most: header.max_topic_num, version: header.data_version.as_deref() };
    let answer = Response::success().json(&Body {
        data_version: table.data_version,
        mapping_data_version: DataVersion::default(),
        topic_config_table: page(sorted, table.data_version, wanted, &broker.settings.read().broker),
        topic_queue_mapping_detail_map: BTreeMap::new(),
        topic_queue_mapping_info_map: BTreeMap::new(),
    })?;
    Ok(answer.header(&GetAllTopicConfigResponseHeader { total_topic_num: Some(total) }))
}

/// 351: one topic.
pub(crate) fn config(broker: &Arc<Broker>, request: Request<GetTopicConfig>) -> Handled {
    let topic = &request.header.topic;
    let config = broker.topics.find(topic.as_str()).ok_or_else(|| {
        ResponseError::new(ResponseCode::TOPIC_NOT_EXIST, format!("No topic in this broker. topic: {topic}"))
    })?;
    Response::success().json(&*config)
}

/// 202: where the queues of a topic begin and end.
pub(crate) fn stats(broker: &Arc<Broker>, request: Request<GetTopicStatsInfo>) -> Handled {
    let topic = request.header.topic.as_str();
    let config = broker
        .topics
        .find(topic)
        .ok_or_else(|| ResponseError::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist")))?;
    let count = config.read_queue_nums.max(config.write_queue_nums);
    let rows: Result<_, QueueError> = (0..count)
        .map(|number| {
            let queue = MessageQueue {
                broker_name: broker.identity.name.to_string(),
                queue_id: number,
                topic: topic.to_owned(),
            };
            Ok((queue, queue_stats(broker, topic, QueueId(number.cast_unsigned()))?))
        })
        .collect();
    let offset_table = rows.map_err(|error| ResponseError::system(error.to_string()))?;
    let topic_put_tps = broker.stats.items.per_second(Statistic::TopicPutNums, topic);
    Response::success().json(&TopicStatsTable { offset_table, topic_put_tps })
}

fn queue_stats(broker: &Broker, topic: &str, queue_id: QueueId) -> Result<TopicOffset, QueueError> {
    let (min, max) = (broker.store.min_queue_offset(topic, queue_id), broker.store.max_queue_offset(topic, queue_id));
    let newest = if max > min { broker.store.store_timestamp(topic, queue_id, max.plus(-1))? } else { None };
    Ok(TopicOffset { last_update_timestamp: newest.unwrap_or(0), max_offset: max.0, min_offset: min.0 })
}

/// 305: the topics that belong to the broker.
pub(crate) fn system_topics(broker: &Arc<Broker>, _: Request<GetSystemTopicListFromBroker>) -> Handled {
    let topic_list = broker.topics.system_topics().into_iter().collect();
    Response::success().json(&TopicList { broker_addr: None, topic_list })
}
