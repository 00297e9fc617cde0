//! What operators have deleted at once instead of waiting for the store's own rounds.
//!
//! Upstream: `AdminBrokerProcessor`, `DefaultMessageStore` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::names::QueueId;
use boostermq_remoting::request::broker_config::{CleanExpiredConsumequeue, DeleteExpiredCommitlog};
use boostermq_remoting::request::topic::CleanUnusedTopic;
use boostermq_remoting::router::{Handled, Request, Response};

use crate::broker::Broker;
use crate::response_error;

/// Light queues have no configuration of their own.
const LIGHT_QUEUE_PREFIX: &str = "%LMQ%";

/// 329: deletes files of the commit log that have expired, whatever the hour, in this round and those of the next minutes.
pub(crate) fn delete_expired_commit_log(broker: &Arc<Broker>, request: Request<DeleteExpiredCommitlog>) -> Handled {
    tracing::info!(peer = %request.peer(), "deleting expired commit log files");
    broker.store.delete_expired_files();
    Ok(Response::success())
}

/// 306: deletes queues of which no message is left, and of queues in use the files that hold none.
pub(crate) fn clean_expired_queues(broker: &Arc<Broker>, request: Request<CleanExpiredConsumequeue>) -> Handled {
    let count = broker.store.delete_expired_queues(&|topic, queue_id| is_used(broker, topic, queue_id));
    let count = count.map_err(response_error::from_queue)?;
    tracing::info!(peer = %request.peer(), count, "expired queues deleted");
    Ok(Response::success())
}

/// 316: deletes the queues of topics that are no more.
pub(crate) fn clean_unused_topics(broker: &Arc<Broker>, _: Request<CleanUnusedTopic>) -> Handled {
    for topic in broker.store.topics() {
        if !is_known(broker, topic.as_str()) {
            tracing::info!(%topic, "deleting the queues of a topic that is no more");
            broker.store.delete_topic(topic.as_str()).map_err(response_error::from_queue)?;
        }
    }
    Ok(Response::success())
}

fn is_known(broker: &Broker, topic: &str) -> bool {
    let topics = &broker.topics;
    topics.find(topic).is_some() || topics.is_system(topic) || topic.starts_with(LIGHT_QUEUE_PREFIX)
}

/// A queue that may get another message, whose offset must be a new one.
fn is_used(broker: &Broker, topic: &str, queue_id: QueueId) -> bool {
    match broker.topics.find(topic) {
        Some(config) if !broker.topics.is_system(topic) => {
            let count = config.read_queue_nums.max(config.write_queue_nums);
            i64::from(queue_id.0) < i64::from(count)
        }
        Some(_) => true,
        None => is_known(broker, topic),
    }
}

#[cfg(test)]
mod tests;
