//! What stands in a consume queue (321).
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0). Where upstream answers an offset outside the
//! queue without a body, at which its own tool fails, this answers with no entries.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use boostermq_remoting::body::{ConsumeQueueData, QueryConsumeQueueResponseBody};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::query::QueryConsumeQueue;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::{EntryExtension, MessageFilter, QueueEntry};
use serde_json::json;

use crate::broker::Broker;
use crate::response_error;

/// Most entries of one answer: of 100 bytes each, they stay well below a frame.
const ENTRIES_MAX: usize = 32_768;

/// 321: entries of a queue, and what a group wants of its topic.
pub(crate) fn entries(broker: &Arc<Broker>, request: Request<QueryConsumeQueue>) -> Handled {
    let header = &request.header;
    let (topic, queue_id) = (header.topic.as_str(), header.queue_id);
    let count = usize::try_from(header.count).unwrap_or(0).min(ENTRIES_MAX);
    let found = broker
        .store
        .queue_entries(topic, queue_id, QueueOffset(header.index), count)
        .map_err(response_error::from_queue)?
        .ok_or_else(|| ResponseError::system(format!("{queue_id}@{topic} is not exist!")))?;
    let mut body = QueryConsumeQueueResponseBody {
        max_queue_index: broker.store.max_queue_offset(topic, queue_id).0,
        min_queue_index: broker.store.min_queue_offset(topic, queue_id).0,
        ..QueryConsumeQueueResponseBody::default()
    };
    let mut filter = None;
    if let Some(group) = header.consumer_group.as_deref().filter(|group| !group.is_empty()) {
        let subscription = broker.consumers.find(group).and_then(|group| group.subscription_data(topic));
        body.filter_data = Some(match &subscription {
            None => format!("{group}@{topic} is not online!"),
            Some(_) => broker.filters.show(topic, group).unwrap_or_else(|| "null".to_owned()),
        });
        filter = broker.filters.find(topic, group).map(|(filter, _)| filter).filter(|_| subscription.is_some());
        body.subscription_data = subscription.map(|data| (*data).clone());
    }
    let row = |entry: QueueEntry| row(entry, filter.as_deref().map(|filter| filter as &dyn MessageFilter));
    body.queue_data = found.into_iter().map(row).collect();
    Response::success().json(&body)
}

fn row(entry: QueueEntry, filter: Option<&dyn MessageFilter>) -> ConsumeQueueData {
    let mut row = ConsumeQueueData {
        physic_offset: entry.unit.physical_offset.0,
        physic_size: i32::try_from(entry.unit.size).unwrap_or(i32::MAX),
        tags_code: entry.unit.tags_code,
        ..ConsumeQueueData::default()
    };
    match entry.extension {
        EntryExtension::None => {}
        EntryExtension::Lost => row.msg = Some(format!("Cq extend not exist!addr: {}", row.tags_code)),
        EntryExtension::Found { tags_code, store_timestamp, bits } => {
            row.eval = filter.is_some_and(|filter| {
                filter.matches_tags(tags_code) && (bits.is_empty() || filter.matches_bits(store_timestamp, &bits))
            });
            if !bits.is_empty() {
                row.bit_map = Some(bits.iter().rev().map(|byte| format!("{byte:08b}")).collect());
            }
            let extension = json!({ "filterBitMap": bits, "msgStoreTime": store_timestamp, "tagsCode": tags_code });
            row.extend_data_json = Some(extension.to_string());
        }
    }
    row
}
