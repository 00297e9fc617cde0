//! Consumer groups made, changed, deleted and shown.
//!
//! Upstream: `AdminBrokerProcessor`, `SubscriptionGroupManager` (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use boostermq_remoting::body::{
    DataVersion, GroupForbidden, SubscriptionGroupConfig, SubscriptionGroupList, TopicList,
};
use boostermq_remoting::fastjson;
use boostermq_remoting::names::Group;
use boostermq_remoting::request::group::{
    DeleteSubscriptiongroup, GetAllSubscriptionGroupResponseHeader, GetAllSubscriptiongroupConfig,
    GetSubscriptiongroupConfig, QueryTopicsByConsumer, UpdateAndCreateSubscriptiongroup,
    UpdateAndCreateSubscriptiongroupList, UpdateAndGetGroupForbidden,
};
use boostermq_remoting::request::offset::CloneGroupOffset;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::page::{Wanted, page};
use crate::broker::Broker;
use crate::metadata::GroupChangeError;
use crate::response_error;

/// 200: makes or changes a group.
pub(crate) fn update_and_create(broker: &Arc<Broker>, request: Request<UpdateAndCreateSubscriptiongroup>) -> Handled {
    put(broker, vec![body(&request.body)?])
}

/// 225: makes or changes several groups; when one is refused, none is changed.
pub(crate) fn update_and_create_list(
    broker: &Arc<Broker>,
    request: Request<UpdateAndCreateSubscriptiongroupList>,
) -> Handled {
    let list: SubscriptionGroupList = body(&request.body)?;
    put(broker, list.group_config_list)
}

fn body<T: DeserializeOwned>(text: &[u8]) -> Result<T, ResponseError> {
    fastjson::from_slice(text)
        .map_err(|error| ResponseError::system(format!("the configuration of the group cannot be read: {error}")))
}

fn put(broker: &Broker, configs: Vec<SubscriptionGroupConfig>) -> Handled {
    match &broker.metrics {
        Some(metrics) => metrics.time_group_change(|| put_at_once(broker, configs)),
        None => put_at_once(broker, configs),
    }
}

fn put_at_once(broker: &Broker, configs: Vec<SubscriptionGroupConfig>) -> Handled {
    let named = |config: SubscriptionGroupConfig| Ok((Group::parse(&config.group_name)?, config));
    let configs: Result<Vec<_>, _> = configs.into_iter().map(named).collect();
    broker.groups.put(configs.map_err(response_error::invalid_name)?).map_err(not_changed)?;
    Ok(Response::success())
}

fn not_changed(error: GroupChangeError) -> ResponseError {
    ResponseError::system(error.to_string())
}

/// 207: deletes a group, and its offsets when asked.
pub(crate) fn delete(broker: &Arc<Broker>, request: Request<DeleteSubscriptiongroup>) -> Handled {
    let group = request.header.group_name.as_str();
    tracing::info!(peer = %request.peer(), group, clean_offset = ?request.header.clean_offset, "deleting a group");
    broker.groups.delete(group).map_err(not_changed)?;
    if broker.settings.read().broker.auto_delete_unused_stats {
        broker.stats.items.forget_group(group);
    }
    if let Some(metrics) = &broker.metrics {
        metrics.forget_group(group);
    }
    if request.header.clean_offset == Some(true) {
        broker.offsets.remove_group(group);
    }
    Ok(Response::success())
}

/// 201: all groups, whole or in pages.
pub(crate) fn all_configs(broker: &Arc<Broker>, request: Request<GetAllSubscriptiongroupConfig>) -> Handled {
    /// `SubscriptionGroupWrapper`, borrowed.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        data_version: DataVersion,
        forbidden_table: &'a HashMap<String, BTreeMap<String, i32>>,
        subscription_group_table: BTreeMap<&'a str, &'a Arc<SubscriptionGroupConfig>>,
    }
    let header = &request.header;
    let table = broker.groups.table();
    let sorted = table.sorted();
    let total_group_num = i32::try_from(sorted.len()).unwrap_or(i32::MAX);
    let wanted =
        Wanted { first: header.group_seq, most: header.max_group_num, version: header.data_version.as_deref() };
    let answer = Response::success().json(&Body {
        data_version: table.data_version,
        forbidden_table: &table.forbidden,
        subscription_group_table: page(sorted, table.data_version, wanted, &broker.settings.read().broker),
    })?;
    Ok(answer.header(&GetAllSubscriptionGroupResponseHeader { total_group_num }))
}

/// 352: one group, made with the defaults where that is allowed.
pub(crate) fn config(broker: &Arc<Broker>, request: Request<GetSubscriptiongroupConfig>) -> Handled {
    Response::success().json(&*broker.find_or_create_group(request.header.group.as_str())?)
}

/// 353: allows or forbids a group to read a topic, or only tells.
pub(crate) fn update_and_get_forbidden(broker: &Arc<Broker>, request: Request<UpdateAndGetGroupForbidden>) -> Handled {
    let (group, topic) = (request.header.group.as_str(), request.header.topic.as_str());
    if let Some(readable) = request.header.readable {
        broker.groups.set_may_read(group, topic, readable).map_err(not_changed)?;
    }
    let readable = broker.groups.may_read(group, topic);
    let mut answer =
        Response::success().json(&GroupForbidden { group: group.to_owned(), readable, topic: topic.to_owned() })?;
    answer.remark = Some("".into());
    Ok(answer)
}

/// 343: the topics that a group has consumed.
pub(crate) fn topics_of_group(broker: &Arc<Broker>, request: Request<QueryTopicsByConsumer>) -> Handled {
    Response::success().json(&TopicList {
        broker_addr: Some(broker.identity.address.to_string()),
        topic_list: broker.offsets.topics_of(request.header.group.as_str()),
    })
}

/// 314: lets a group start where another one is. A topic that the other group, being online, no longer subscribes to is
/// left out.
pub(crate) fn clone_offsets(broker: &Arc<Broker>, request: Request<CloneGroupOffset>) -> Handled {
    let header = &request.header;
    let (from, to) = (header.src_group.as_str(), header.dest_group.as_str());
    let topics = match header.topic.as_deref().map(str::trim) {
        Some(topic) if !topic.is_empty() => vec![topic.to_owned()],
        _ => broker.offsets.topics_of(from),
    };
    let source = broker.consumers.find(from).filter(|_| header.offline != Some(true));
    for topic in topics {
        let is_consumed = source.as_ref().is_none_or(|source| source.subscription(&topic).is_some());
        if is_consumed && broker.topics.find(&topic).is_some() {
            tracing::info!(topic, from, to, "copying the offsets of a group");
            broker.offsets.copy(&topic, from, to);
        }
    }
    Ok(Response::success())
}
