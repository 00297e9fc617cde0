//! Up to where the groups of a topic have consumed it at least, held against one of them (308).
//!
//! Upstream removes the offsets of the groups in `filterGroups`, of all their topics, before it looks. Here a question changes
//! nothing: those groups are left out of the answer and keep what they have.
//!
//! Upstream: `AdminBrokerProcessor`, `ConsumerOffsetManager` (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::body::QueryCorrectionOffsetBody;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::request::offset::QueryCorrectionOffset;
use boostermq_remoting::router::{Handled, Request, Response};

use crate::broker::Broker;

/// 308: by queue the lowest offset of any group, of those that the queue still has; `i64::MAX` where the group compared with is
/// behind it.
pub(crate) fn offsets(broker: &Arc<Broker>, request: Request<QueryCorrectionOffset>) -> Handled {
    let header = &request.header;
    let topic = header.topic.as_str();
    let left_out: Vec<&str> = header.filter_groups.as_deref().unwrap_or_default().split(',').map(str::trim).collect();
    let mut lowest: BTreeMap<i32, i64> = BTreeMap::new();
    for group in broker.offsets.groups_of(topic) {
        if left_out.contains(&group.as_str()) {
            continue;
        }
        for (queue_id, offset) in broker.offsets.queues(&group, topic) {
            if offset >= broker.store.min_queue_offset(topic, QueueId(queue_id)).0 {
                let least = lowest.entry(QueueId(queue_id).to_wire()).or_insert(offset);
                *least = offset.min(*least);
            }
        }
    }
    for (queue_id, offset) in broker.offsets.queues(header.compare_group.as_str(), topic) {
        if let Some(least) = lowest.get_mut(&QueueId(queue_id).to_wire()).filter(|least| **least > offset) {
            *least = i64::MAX;
        }
    }
    Response::success().json(&QueryCorrectionOffsetBody { correction_offsets: lowest })
}

#[cfg(test)]
mod tests {
    use crate::clients::fixture::TestBroker;

    #[tokio::test]
    async fn the_lowest_offset_of_all_groups_is_told_and_none_is_removed() {
        let broker = TestBroker::start(&[]).await;
        let mut client = broker.connect().await;
        for (group, queue, offset) in [("a", 0, 7), ("a", 1, 3), ("b", 0, 5), ("c", 0, 1), ("d", 1, 2)] {
            broker.broker().offsets.commit(group, "T", boostermq_remoting::names::QueueId(queue), offset);
        }
        let max = i64::MAX;
        for (filter, compare, expected) in [
            ("", "a", r#"{"correctionOffsets":{"0":1,"1":2}}"#.to_owned()),
            ("c", "a", r#"{"correctionOffsets":{"0":5,"1":2}}"#.to_owned()),
            ("c,d", "b", r#"{"correctionOffsets":{"0":5,"1":3}}"#.to_owned()),
            ("b, c", "c", format!(r#"{{"correctionOffsets":{{"0":{max},"1":2}}}}"#)),
            ("", "nobody", r#"{"correctionOffsets":{"0":1,"1":2}}"#.to_owned()),
        ] {
            let fields = [("topic", "T"), ("compareGroup", compare), ("filterGroups", filter)];
            assert_eq!(client.ask_ok(308, &fields, "").await, expected, "{filter} {compare}");
        }
        broker.stop().await;
    }
}
