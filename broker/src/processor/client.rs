//! Heartbeats and goodbyes of clients (34, 35), who is in a group (38), whether a filter is served (46), and queue
//! locks (41, 42).
//!
//! Upstream: `ClientManageProcessor`, `ConsumerManageProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::body::{
    CheckClientRequestBody, ConsumeType, ConsumerData, GetConsumerListByGroupResponseBody, HeartbeatData,
    LockBatchRequestBody, LockBatchResponseBody, ProducerData, SubscriptionGroupConfig, TopicConfig,
    UnlockBatchRequestBody,
};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{Group, Topic};
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::client::{
    CheckClientConfig, GetConsumerListByGroup, HeartBeat, HeartbeatResponseHeader, LockBatchMq, UnlockBatchMq,
    UnregisterClient,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use serde::de::DeserializeOwned;

use crate::broker::Broker;
use crate::clients::{Heard, Member, Subscriptions, TooManyGroups, connection_closed};
use crate::filter::compile;
use crate::response_error;

/// Subscriptions that all consumer groups of one heartbeat may have together. Clients have a few for each group.
const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Warnings in one answer to a heartbeat.
const WARNINGS_MAX: usize = 3;
/// Bytes of a client's id: upstream's clients stay below 100.
const CLIENT_ID_MAX: usize = 1024;

/// 34: the client lives, and these are its groups.
pub(crate) fn heartbeat(broker: &Arc<Broker>, request: Request<HeartBeat>) -> Handled {
    let data: HeartbeatData = body(&request)?;
    check(&data)?;
    let member = Member {
        connection: request.connection.clone(),
        client_id: data.client_id.as_str().into(),
        language: request.language,
        version: request.version,
        heard: broker.clock.instant(),
        heard_ms: broker.clock.now_ms(),
    };
    // Clients without fingerprints are told so every time, as upstream tells them.
    let mut is_stale = data.heartbeat_fingerprint == 0;
    let subscriptions = match (data.without_sub, data.heartbeat_fingerprint) {
        (true, fingerprint) if fingerprint != 0 => Subscriptions::LeftOut(fingerprint),
        (_, fingerprint) => Subscriptions::Given(fingerprint),
    };
    let mut warnings = Vec::new();
    for consumer in &data.consumer_data_set {
        let Some(heard) = consumer_heartbeat(broker, &member, consumer, subscriptions)? else { continue };
        is_stale |= heard.is_stale;
        if let Some(how) = heard.warning.filter(|_| warnings.len() < WARNINGS_MAX) {
            warnings.push(format!("the members of {} do not want the same: {how}", consumer.group_name));
        }
    }
    producer_heartbeats(broker, &member, &data.producer_data_set)?;
    if !request.connection.is_open() {
        // It may have been closed, and taken out of its groups, before it joined them.
        connection_closed(broker, &request.connection);
    }
    let mut answer = Response::success()
        .header(&HeartbeatResponseHeader { is_support_heart_beat_v2: Some(true), is_sub_change: Some(is_stale) });
    if !warnings.is_empty() {
        // Clients read no remark of a success; whoever looks at the wire does.
        answer.remark = Some(warnings.join("; ").into());
    }
    Ok(answer)
}

/// Bounds of a heartbeat that the frame's own limit leaves too wide.
fn check(data: &HeartbeatData) -> Result<(), ResponseError> {
    let length = data.client_id.len();
    if data.client_id.trim().is_empty() || length > CLIENT_ID_MAX {
        let remark = format!("the heartbeat's clientID has {length} bytes; it must have from 1 to {CLIENT_ID_MAX}");
        return Err(response_error::invalid_parameter(remark));
    }
    let count: usize = data.consumer_data_set.iter().map(|consumer| consumer.subscription_data_set.len()).sum();
    if count > SUBSCRIPTIONS_MAX {
        let remark = format!("the heartbeat holds {count} subscriptions; one may hold at most {SUBSCRIPTIONS_MAX}");
        return Err(response_error::invalid_parameter(remark));
    }
    Ok(())
}

/// Registers a consumer. A group that does not exist and may not be made is passed over: its pulls are refused.
fn consumer_heartbeat(
    broker: &Broker,
    member: &Member,
    data: &ConsumerData,
    subscriptions: Subscriptions,
) -> Result<Option<Heard>, ResponseError> {
    let rejects_pull = broker.settings.read().broker.reject_pull_consumer_enable;
    if rejects_pull && data.consume_type == Some(ConsumeType::Actively) {
        return Ok(None);
    }
    let Some(config) = broker.groups.find_or_create(&data.group_name) else { return Ok(None) };
    let Some(group) = Group::parse_stored(&data.group_name) else { return Ok(None) };
    make_retry_topic(broker, &group, &config, data, subscriptions);
    let heard = broker.consumers.heartbeat(&group, member, data, subscriptions).map_err(too_many)?;
    if let Subscriptions::Given(_) = subscriptions {
        broker.filters.register(group.as_str(), &data.subscription_data_set);
    }
    Ok(Some(heard))
}

/// Sees to it that failed messages of the group have a topic to go to.
fn make_retry_topic(
    broker: &Broker,
    group: &Group,
    config: &SubscriptionGroupConfig,
    data: &ConsumerData,
    subscriptions: Subscriptions,
) {
    let topic = Topic::retry_of(group);
    if matches!(subscriptions, Subscriptions::LeftOut(_)) && broker.topics.find(topic.as_str()).is_some() {
        // Without the subscriptions nobody can say whether one of them is ordered.
        return;
    }
    let is_ordered = |topic: &str| broker.topics.find(topic).is_some_and(|config| config.order);
    let order = data.subscription_data_set.iter().any(|subscription| is_ordered(&subscription.topic));
    let perm = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE;
    let sys_flag = if data.unit_mode { TopicConfig::SYS_FLAG_UNIT_SUB } else { 0 };
    broker.topics.create_retry_or_dlq(&topic, config.retry_queue_nums.max(0), perm, order, sys_flag);
}

fn producer_heartbeats(broker: &Broker, member: &Member, producers: &[ProducerData]) -> Result<(), ResponseError> {
    {
        let settings = &broker.settings.read().broker;
        // Producers are looked up for transactions only.
        if !settings.enable_register_producer && settings.reject_transaction_message {
            return Ok(());
        }
    }
    for producer in producers {
        let Some(group) = Group::parse_stored(&producer.group_name) else {
            let client = &member.client_id;
            tracing::debug!(group = %producer.group_name, %client, "the name of a producer group is passed over");
            continue;
        };
        broker.producers.heartbeat(&group, member.clone()).map_err(too_many)?;
    }
    Ok(())
}

fn too_many(error: TooManyGroups) -> ResponseError {
    response_error::invalid_parameter(error.to_string())
}

/// 35: the client leaves a producer group, a consumer group, or one of each.
pub(crate) fn unregister(broker: &Arc<Broker>, request: Request<UnregisterClient>) -> Handled {
    let connection = request.connection.id();
    if let Some(group) = &request.header.producer_group {
        broker.producers.leave(group, connection);
    }
    if let Some(group) = &request.header.consumer_group {
        broker.consumers.leave(group, connection);
    }
    Ok(Response::success())
}

/// 46: whether the broker can filter as the subscription wants.
pub(crate) fn check_config(broker: &Arc<Broker>, request: Request<CheckClientConfig>) -> Handled {
    let asked: CheckClientRequestBody = body(&request)?;
    let subscription = &asked.subscription_data;
    if subscription.is_tag_type() {
        return Ok(Response::success());
    }
    let kind = subscription.expression_type.as_deref().unwrap_or_default();
    if !broker.settings.read().broker.enable_property_filter {
        return Err(response_error::filter_unsupported(kind));
    }
    compile(kind, &subscription.sub_string).map_err(|error| {
        tracing::info!(%error, group = %asked.group, client = %asked.client_id, "a client's filter cannot be used");
        ResponseError::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, error.to_string())
    })?;
    Ok(Response::success())
}

/// 38: who is in a group, one entry for each connection.
pub(crate) fn consumer_list(broker: &Arc<Broker>, request: Request<GetConsumerListByGroup>) -> Handled {
    let group = &request.header.consumer_group;
    let members = broker.consumers.find(group.as_str()).map(|group| group.members()).unwrap_or_default();
    if members.is_empty() {
        // Clients fail on an empty list, and know what to make of this (RocketMQ 5.5.0).
        return Err(ResponseError::system(format!("no consumer for this group, {group}")));
    }
    let consumer_id_list = members.iter().map(|member| member.client_id.to_string()).collect();
    Response::success().json(&GetConsumerListByGroupResponseBody { consumer_id_list })
}

/// 41: locks queues for one client; the answer lists those that it holds now.
pub(crate) fn lock_queues(broker: &Arc<Broker>, request: Request<LockBatchMq>) -> Handled {
    let asked: LockBatchRequestBody = body(&request)?;
    check_holder(&asked.consumer_group, &asked.client_id)?;
    let lock_ok_mq_set = broker.locks.lock(&asked.consumer_group, &asked.client_id, asked.mq_set);
    Response::success().json(&LockBatchResponseBody { lock_ok_mq_set })
}

/// 42: gives queues back.
pub(crate) fn unlock_queues(broker: &Arc<Broker>, request: Request<UnlockBatchMq>) -> Handled {
    let asked: UnlockBatchRequestBody = body(&request)?;
    check_holder(&asked.consumer_group, &asked.client_id)?;
    broker.locks.unlock(&asked.consumer_group, &asked.client_id, &asked.mq_set);
    Ok(Response::success())
}

fn check_holder(group: &str, client_id: &str) -> Result<(), ResponseError> {
    Group::parse(group).map_err(response_error::invalid_name)?;
    if client_id.is_empty() || client_id.len() > CLIENT_ID_MAX {
        let remark = format!("clientId has {} bytes; it must have from 1 to {CLIENT_ID_MAX}", client_id.len());
        return Err(response_error::invalid_parameter(remark));
    }
    Ok(())
}

/// The request's body as the type that belongs to it.
fn body<R: RequestKind, T: DeserializeOwned>(request: &Request<R>) -> Result<T, ResponseError> {
    fastjson::from_slice(&request.body)
        .map_err(|error| ResponseError::system(format!("the body of {} cannot be read: {error}", R::ROW.name)))
}

#[cfg(test)]
mod tests;
