//! Queues shared out by the broker, for consumers that leave it to the broker (400), and whether groups pull or pop (401, 402).
//!
//! The queues of a topic on all brokers are asked of a name server, and remembered for `loadBalancePollNameServerInterval`. A client that gets no
//! list keeps the queues it has; one that gets an empty list gives them up. Popping is not built: a group that a file of a Java
//! broker makes pop is told to pull.
//!
//! Upstream: `QueryAssignmentProcessor`, `TopicRouteInfoManager`, `AllocateMessageQueueAveragely` (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::body::{
    MessageModel, MessageQueue, MessageQueueAssignment, MessageRequestMode, QueryAssignmentRequestBody,
    SetMessageRequestModeRequestBody, TopicConfig, TopicRouteData,
};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{LMQ_PREFIX, RETRY_TOPIC_PREFIX};
use boostermq_remoting::request::pop::{GetAllMessageRequestMode, QueryAssignment, SetMessageRequestMode};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use parking_lot::Mutex;
use serde::Serialize;

use crate::broker::Broker;
use crate::response_error;

/// Topics whose queues are remembered.
const ROUTES_MAX: usize = 10_000;

/// The queues of topics on all brokers, as name servers told them.
#[derive(Debug, Default)]
pub(crate) struct KnownQueues {
    topics: Mutex<HashMap<String, (Instant, Queues)>>,
}

/// Queues in order, shared by all who ask for them.
type Queues = Arc<Vec<MessageQueue>>;

/// `QueryAssignmentResponseBody`: nothing at all differs from an empty list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// 400: the queues of a client.
pub(crate) async fn query(broker: Arc<Broker>, request: Request<QueryAssignment>) -> Handled {
    let body: QueryAssignmentRequestBody = fastjson::from_slice(&request.body)
        .map_err(|error| ResponseError::system(format!("the question for queues cannot be read: {error}")))?;
    let assignment = |message_queue| MessageQueueAssignment {
        message_queue,
        mode: MessageRequestMode::Pull,
        ..MessageQueueAssignment::default()
    };
    let queues = assigned(&broker, &body).await;
    Response::success()
        .json(&Answer { message_queue_assignments: queues.map(|queues| queues.into_iter().map(assignment).collect()) })
}

/// The queues that the client shall read; `None` when that cannot be told.
async fn assigned(broker: &Broker, asked: &QueryAssignmentRequestBody) -> Option<Vec<MessageQueue>> {
    let queues = match asked.message_model? {
        // Each broker has its own, of which no name server knows.
        MessageModel::Clustering if asked.topic.starts_with(LMQ_PREFIX) => {
            Arc::new(numbered(&asked.topic, broker.identity.name.as_str(), 1))
        }
        _ => find_queues(broker, &asked.topic).await?,
    };
    match asked.message_model? {
        MessageModel::LiteSelective => None,
        MessageModel::Broadcasting => Some(queues.to_vec()),
        _ if !broker.settings.read().broker.server_load_balancer_enable => Some(queues.to_vec()),
        MessageModel::Clustering => {
            let members: BTreeSet<String> = broker
                .consumers
                .find(&asked.consumer_group)?
                .members()
                .iter()
                .map(|member| member.client_id.to_string())
                .collect();
            let members: Vec<String> = members.into_iter().collect();
            share(&asked.strategy_name, &members, &asked.client_id, &queues)
        }
    }
}

/// The part of one member: both lists in order, so that all brokers and clients come to the same.
fn share(strategy: &str, members: &[String], member: &str, queues: &[MessageQueue]) -> Option<Vec<MessageQueue>> {
    let Some(index) = members.iter().position(|known| known == member) else { return Some(Vec::new()) };
    let (queue_count, member_count) = (queues.len(), members.len());
    match strategy {
        "AVG" => {
            let (each, more) = (queue_count / member_count, queue_count % member_count);
            let start = index * each + index.min(more);
            let count = each + usize::from(index < more);
            Some(queues.iter().skip(start).take(count).cloned().collect())
        }
        "AVG_BY_CIRCLE" => Some(queues.iter().skip(index).step_by(member_count).cloned().collect()),
        _ => {
            tracing::debug!(strategy, "a client wants its queues shared out in a way that is not known");
            None
        }
    }
}

/// The queues of a topic that may be read, on all brokers, in order; `None` for a topic that is nowhere.
async fn find_queues(broker: &Broker, topic: &str) -> Option<Queues> {
    let now = Instant::now();
    let age = Duration::from(broker.settings.read().broker.load_balance_poll_name_server_interval);
    let known = broker.known_queues.topics.lock().get(topic).cloned();
    if let Some((_, queues)) = known.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < age) {
        return Some(queues.clone());
    }
    let queues = match broker.registration.route(topic).await {
        // No name server: there is this broker only.
        None => own_queues(broker, topic)?,
        Some(Ok(route)) => readable(&route, topic),
        Some(Err(error)) => {
            tracing::warn!(topic, %error, "the queues of a topic are not known anew");
            return known.map(|(_, queues)| queues);
        }
    };
    if queues.is_empty() {
        return None;
    }
    let queues = Arc::new(queues);
    let mut topics = broker.known_queues.topics.lock();
    if topics.len() >= ROUTES_MAX {
        topics.retain(|_, (at, _)| now.saturating_duration_since(*at) < age);
    }
    if topics.len() < ROUTES_MAX {
        topics.insert(topic.to_owned(), (now, queues.clone()));
    }
    Some(queues)
}

fn own_queues(broker: &Broker, topic: &str) -> Option<Vec<MessageQueue>> {
    let config = broker.topics.find(topic)?;
    let is_readable = config.perm & TopicConfig::PERM_READ != 0;
    let count = if is_readable { config.read_queue_nums } else { 0 };
    Some(numbered(topic, broker.identity.name.as_str(), count))
}

fn readable(route: &TopicRouteData, topic: &str) -> Vec<MessageQueue> {
    let mut queues: Vec<MessageQueue> = route
        .queue_datas
        .iter()
        .filter(|queues| queues.perm & TopicConfig::PERM_READ != 0)
        .flat_map(|queues| numbered(topic, &queues.broker_name, queues.read_queue_nums))
        .collect();
    queues.sort();
    queues
}

fn numbered(topic: &str, broker_name: &str, count: i32) -> Vec<MessageQueue> {
    let queue = |queue_id| MessageQueue { broker_name: broker_name.to_owned(), queue_id, topic: topic.to_owned() };
    (0..count.clamp(0, i32::from(u16::MAX))).map(queue).collect()
}

/// 401: sets whether a group pulls or pops a topic.
pub(crate) fn set_mode(broker: &Arc<Broker>, request: Request<SetMessageRequestMode>) -> Handled {
    let mode: SetMessageRequestModeRequestBody = fastjson::from_slice(&request.body)
        .map_err(|error| ResponseError::system(format!("the mode cannot be read: {error}")))?;
    if mode.topic.starts_with(RETRY_TOPIC_PREFIX) {
        return Err(response_error::no_permission("retry topic is not allowed to set mode".to_owned()));
    }
    if broker.topics.find(&mode.topic).is_none() {
        let remark = format!("topic[{}] not exist", mode.topic);
        return Err(ResponseError::new(ResponseCode::TOPIC_NOT_EXIST, remark));
    }
    if broker.groups.find_or_create(&mode.consumer_group).is_none() {
        let remark = "subscription group does not exist";
        return Err(ResponseError::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    }
    if mode.mode == MessageRequestMode::Pop {
        return Err(ResponseError::system("this broker does not serve POP yet; the group goes on pulling"));
    }
    tracing::info!(peer = %request.peer(), topic = mode.topic, group = mode.consumer_group, "a group's way to read is set");
    broker.modes.set(mode).map_err(|error| ResponseError::system(error.to_string()))?;
    Ok(Response::success())
}

/// 402: all modes that were set.
pub(crate) fn all_modes(broker: &Arc<Broker>, _: Request<GetAllMessageRequestMode>) -> Handled {
    Ok(Response::success().body(broker.modes.to_json()))
}
