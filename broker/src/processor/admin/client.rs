//! Who is connected, for operators: consumers (203), producers (204, 328), the groups of a topic (300), and what a
//! group wants of a topic (345).
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0).

use std::collections::BTreeSet;
use std::sync::Arc;

use boostermq_remoting::body::{
    ConsumerConnection, GroupList, ProducerConnection, ProducerInfo, ProducerTableInfo, QuerySubscriptionResponseBody,
};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::request::client::{GetAllProducerInfo, GetConsumerConnectionList, GetProducerConnectionList};
use boostermq_remoting::request::group::QuerySubscriptionByConsumer;
use boostermq_remoting::request::topic::QueryTopicConsumeByWho;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;
use crate::clients::Member;

/// 203: the consumers of a group, their subscriptions and how they consume.
pub(crate) fn consumer_connections(broker: &Arc<Broker>, request: Request<GetConsumerConnectionList>) -> Handled {
    let name = &request.header.consumer_group;
    let Some(group) = broker.consumers.find(name.as_str()) else {
        return Err(ResponseError::new(
            ResponseCode::CONSUMER_NOT_ONLINE,
            format!("the consumer group[{name}] not online"),
        ));
    };
    let (consume_type, message_model, consume_from_where) = group.mode();
    Response::success().json(&ConsumerConnection {
        connection_set: group.members().iter().map(Member::to_body).collect(),
        consume_from_where,
        consume_type,
        message_model,
        subscription_table: group.all_subscription_data(),
        subscription_warning: group.disagreement().map(|how| how.to_string()),
    })
}

/// 204: the producers of a group.
pub(crate) fn producer_connections(broker: &Arc<Broker>, request: Request<GetProducerConnectionList>) -> Handled {
    let group = &request.header.producer_group;
    let members = broker
        .producers
        .members(group.as_str())
        .ok_or_else(|| ResponseError::system(format!("the producer group[{group}] not exist")))?;
    Response::success().json(&ProducerConnection { connection_set: members.iter().map(Member::to_body).collect() })
}

/// 328: all producers by group.
pub(crate) fn all_producers(broker: &Arc<Broker>, _: Request<GetAllProducerInfo>) -> Handled {
    let row = |member: &Member| ProducerInfo {
        client_id: member.client_id.to_string(),
        language: member.language.name().to_owned(),
        last_update_timestamp: member.heard_ms,
        // Java's way of printing an address, which tools show as it is.
        remote_ip: format!("/{}", member.connection.peer()),
        version: member.version,
    };
    let groups = broker.producers.all().into_iter();
    let data = groups.map(|(group, members)| (group.to_string(), members.iter().map(row).collect())).collect();
    Response::success().json(&ProducerTableInfo { data })
}

/// 300: the groups that subscribe to a topic now, or have consumed it.
pub(crate) fn groups_of_topic(broker: &Arc<Broker>, request: Request<QueryTopicConsumeByWho>) -> Handled {
    let topic = request.header.topic.as_str();
    let mut groups: BTreeSet<String> = broker.offsets.groups_of(topic).into_iter().collect();
    groups.extend(broker.consumers.groups_of_topic(topic).iter().map(ToString::to_string));
    Response::success().json(&GroupList { group_list: groups.into_iter().collect() })
}

/// 345: what a group wants of a topic; nothing when nobody is there.
pub(crate) fn subscription(broker: &Arc<Broker>, request: Request<QuerySubscriptionByConsumer>) -> Handled {
    let group = &request.header.group;
    let topic = request.header.topic.clone().unwrap_or_default();
    let subscription_data = broker
        .consumers
        .find(group.as_str())
        .and_then(|group| group.subscription_data(&topic))
        .map(|data| (*data).clone());
    Response::success().json(&QuerySubscriptionResponseBody { group: group.to_string(), subscription_data, topic })
}
