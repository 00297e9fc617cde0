//! How far groups are: one group (208) or all of them (317).
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0). A group that never consumed has an empty table,
//! and topics that are gone are left out: tools look each topic of an answer up again.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boostermq_remoting::body::{ConsumeStats, ConsumeStatsList, MessageQueue, OffsetWrapper};
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::stats::{GetBrokerConsumeStats, GetConsumeStats};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;
use crate::response_error;
use crate::stats::items::Statistic;

/// 208: how far a group is, in the topics named or in all that it consumed.
pub(crate) fn of_group(broker: &Arc<Broker>, request: Request<GetConsumeStats>) -> Handled {
    let header = &request.header;
    let group = header.consumer_group.as_str();
    let named: BTreeSet<String> =
        header.topic_list.as_deref().unwrap_or_default().split(';').map(str::trim).map(str::to_owned).collect();
    let mut stats = ConsumeStats::default();
    for topic in topics(broker, group, header.topic.as_deref(), named) {
        let Some(config) = broker.topics.find(&topic) else { continue };
        add_queues(broker, group, &topic, config.read_queue_nums, &mut stats)?;
    }
    Response::success().json(&stats)
}

/// The topics to look at: those of the list whatever they are, else the one topic or all that were consumed, and of these
/// only what the group, if somebody is there, still subscribes to.
fn topics(broker: &Broker, group: &str, topic: Option<&str>, mut named: BTreeSet<String>) -> Vec<String> {
    named.remove("");
    if !named.is_empty() {
        return named.into_iter().collect();
    }
    let topics = match topic.map(str::trim) {
        Some(topic) if !topic.is_empty() => vec![topic.to_owned()],
        _ => broker.offsets.topics_of(group),
    };
    topics.into_iter().filter(|topic| is_consumed(broker, group, topic)).collect()
}

/// False for a topic that the members of the group no longer subscribe to.
fn is_consumed(broker: &Broker, group: &str, topic: &str) -> bool {
    broker
        .consumers
        .find(group)
        .is_none_or(|online| online.subscription_data(topic).is_some() || online.all_subscription_data().is_empty())
}

/// Adds the queues of a topic, and how much of it the group got a second.
fn add_queues(
    broker: &Broker,
    group: &str,
    topic: &str,
    queues: i32,
    stats: &mut ConsumeStats,
) -> Result<(), ResponseError> {
    for number in 0..queues.max(0) {
        let queue_id = QueueId(number.cast_unsigned());
        let broker_offset = broker.store.max_queue_offset(topic, queue_id).0.max(0);
        let consumer_offset = broker.offsets.query(group, topic, queue_id).unwrap_or(0).max(0);
        let pulled = broker.offsets.pulled(group, topic, queue_id).unwrap_or(0);
        let last_timestamp = match consumer_offset {
            0 => None,
            next => broker
                .store
                .store_timestamp(topic, queue_id, QueueOffset(next - 1))
                .map_err(response_error::from_queue)?,
        };
        let queue =
            MessageQueue { broker_name: broker.identity.name.to_string(), queue_id: number, topic: topic.to_owned() };
        let offsets = OffsetWrapper {
            broker_offset,
            consumer_offset,
            last_timestamp: last_timestamp.unwrap_or(0).max(0),
            pull_offset: pulled.max(consumer_offset),
        };
        stats.offset_table.0.insert(queue, offsets);
    }
    stats.consume_tps += broker.stats.items.per_second(Statistic::GroupGetNums, &format!("{topic}@{group}"));
    Ok(())
}

/// 317: how far every group is in every topic that it consumed; with `isOrder` only in topics whose messages are ordered.
pub(crate) fn of_all_groups(broker: &Arc<Broker>, request: Request<GetBrokerConsumeStats>) -> Handled {
    let in_order_only = request.header.is_order == Some(true);
    let mut list = ConsumeStatsList { broker_addr: broker.identity.address.to_string(), ..ConsumeStatsList::default() };
    let groups: Vec<String> = broker.groups.table().sorted().into_keys().map(str::to_owned).collect();
    for group in groups {
        let mut of_group = Vec::new();
        for topic in broker.offsets.topics_of(&group) {
            let Some(config) = broker.topics.find(&topic) else { continue };
            if (in_order_only && !config.order) || !is_consumed(broker, &group, &topic) {
                continue;
            }
            let mut stats = ConsumeStats::default();
            add_queues(broker, &group, &topic, config.write_queue_nums, &mut stats)?;
            for offsets in stats.offset_table.0.values() {
                list.total_diff += offsets.broker_offset - offsets.consumer_offset;
                list.total_inflight_diff += offsets.pull_offset - offsets.consumer_offset;
            }
            of_group.push(stats);
        }
        list.consume_stats_list.push(BTreeMap::from([(group, of_group)]));
    }
    Response::success().json(&list)
}
