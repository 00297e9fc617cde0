//! What a client tells of itself as the members of a document, for JSON and YAML. Upstream: `ConsumerRunningInfo`.

use boostermq_remoting::body::{
    ConsumeStatus, ConsumerRunningInfo, MessageQueue, PopProcessQueueInfo, ProcessQueueInfo,
};

use crate::output::Value;

/// The members, in the order of the text.
pub(super) fn members(info: &ConsumerRunningInfo) -> Vec<(&'static str, Value)> {
    let texts = |entries: &std::collections::BTreeMap<String, String>| {
        Value::Object(entries.iter().map(|(key, value)| (key.clone(), value.into())).collect())
    };
    vec![
        ("properties", texts(&info.properties)),
        ("subscriptions", Value::List(subscriptions(info))),
        ("queues", Value::List(info.mq_table.0.iter().map(|(queue, held)| queue_value(queue, held)).collect())),
        ("popQueues", Value::List(info.mq_pop_table.0.iter().map(|(queue, held)| pop_value(queue, held)).collect())),
        ("topics", Value::List(info.status_table.iter().map(|(topic, status)| rates(topic, status)).collect())),
        ("userConsumerInfo", texts(&info.user_consumer_info)),
        ("jstack", info.jstack.clone().into()),
    ]
}

fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn subscriptions(info: &ConsumerRunningInfo) -> Vec<Value> {
    let mut all: Vec<_> = info.subscription_set.iter().collect();
    all.sort_by(|one, other| (&one.topic, &one.sub_string).cmp(&(&other.topic, &other.sub_string)));
    let value = |data: &&boostermq_remoting::body::SubscriptionData| {
        object([
            ("topic", Value::from(&data.topic)),
            ("expression", Value::from(&data.sub_string)),
            ("expressionType", data.expression_type.clone().into()),
            ("isClassFilter", data.class_filter_mode.into()),
            ("version", data.sub_version.into()),
        ])
    };
    all.iter().map(value).collect()
}

/// A time, ms since 1970; null when there was none.
fn time(time_ms: i64) -> Value {
    Some(time_ms).filter(|time_ms| *time_ms > 0).into()
}

fn queue_value(queue: &MessageQueue, held: &ProcessQueueInfo) -> Value {
    object([
        ("topic", Value::from(&queue.topic)),
        ("brokerName", Value::from(&queue.broker_name)),
        ("queueId", queue.queue_id.into()),
        ("consumerOffset", held.commit_offset.into()),
        ("cachedMsgMinOffset", held.cached_msg_min_offset.into()),
        ("cachedMsgMaxOffset", held.cached_msg_max_offset.into()),
        ("cachedMsgCount", held.cached_msg_count.into()),
        ("cachedMsgSizeInMiB", held.cached_msg_size_in_mib.into()),
        ("transactionMsgMinOffset", held.transaction_msg_min_offset.into()),
        ("transactionMsgMaxOffset", held.transaction_msg_max_offset.into()),
        ("transactionMsgCount", held.transaction_msg_count.into()),
        ("isLocked", held.locked.into()),
        ("tryUnlockTimes", held.try_unlock_times.into()),
        ("lastLockTime", time(held.last_lock_timestamp)),
        ("isDropped", held.droped.into()),
        ("lastPullTime", time(held.last_pull_timestamp)),
        ("lastConsumeTime", time(held.last_consume_timestamp)),
    ])
}

fn pop_value(queue: &MessageQueue, held: &PopProcessQueueInfo) -> Value {
    object([
        ("topic", Value::from(&queue.topic)),
        ("brokerName", Value::from(&queue.broker_name)),
        ("queueId", queue.queue_id.into()),
        ("waitAckCount", held.wait_ack_count.into()),
        ("isDropped", held.droped.into()),
        ("lastPopTime", time(held.last_pop_timestamp)),
    ])
}

fn rates(topic: &str, status: &ConsumeStatus) -> Value {
    object([
        ("topic", topic.into()),
        ("pullMs", status.pull_rt.into()),
        ("pullTps", status.pull_tps.into()),
        ("consumeMs", status.consume_rt.into()),
        ("consumedTps", status.consume_ok_tps.into()),
        ("failedTps", status.consume_failed_tps.into()),
        ("failedInHour", status.consume_failed_msgs.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Document, Format};
    use crate::tests::printed;

    #[test]
    fn every_part_has_a_member() {
        let mut info = ConsumerRunningInfo::default();
        let queue = MessageQueue { broker_name: "b".to_owned(), queue_id: 3, topic: "T".to_owned() };
        let held = ProcessQueueInfo { cached_msg_count: 9, last_pull_timestamp: 5, ..ProcessQueueInfo::default() };
        info.mq_table.0.insert(queue.clone(), held);
        info.mq_pop_table.0.insert(queue, PopProcessQueueInfo { wait_ack_count: 4, ..PopProcessQueueInfo::default() });
        info.status_table.insert("T".to_owned(), ConsumeStatus { consume_rt: 1.5, ..ConsumeStatus::default() });
        info.properties.insert("PROP_CLIENT_VERSION".to_owned(), "V5_5_0".to_owned());
        info.jstack = Some("stacks".to_owned());
        let mut document = Document::new();
        for (name, value) in members(&info) {
            document.hidden(name, value);
        }
        let json = printed(|out| document.write(Format::Json, out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        for (path, value) in [
            ("/queues/0/cachedMsgCount", serde_json::json!(9)),
            ("/queues/0/lastPullTime", 5.into()),
            ("/queues/0/lastLockTime", serde_json::Value::Null),
            ("/popQueues/0/waitAckCount", 4.into()),
            ("/topics/0/consumeMs", 1.5.into()),
            ("/properties/PROP_CLIENT_VERSION", "V5_5_0".into()),
            ("/jstack", "stacks".into()),
        ] {
            assert_eq!(json.pointer(path), Some(&value), "{path} in {json}");
        }
    }
}
