//! The topics that a broker has from its first start, and those that belong to it.
//!
//! Names, queues and permissions: RocketMQ 5.5.0.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::names::Topic;

use super::AUTO_CREATE_TOPIC;
use crate::config::{BrokerConfig, Settings};

const INHERIT: i32 = TopicConfig::PERM_INHERIT;
const READ_WRITE: i32 = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE;

/// Queues of the topic that holds delayed messages: one for each level that upstream has.
const DELAY_LEVELS: i32 = 18;

/// Names that belong to every broker, whether it has the topic or not.
const ALWAYS_SYSTEM: [&str; 12] = [
    AUTO_CREATE_TOPIC,
    "BenchmarkTest",
    "CHECKPOINT_TOPIC",
    "OFFSET_MOVED_EVENT",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "SCHEDULE_TOPIC_XXXX",
    "SELF_TEST_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
];

/// Name, queues and permission of each.
fn topics(settings: &Settings) -> Vec<(String, i32, i32)> {
    let broker = &settings.broker;
    let (cluster, name) = (&broker.broker_cluster_name, &broker.broker_name);
    let queues = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let if_enabled = |enabled| if enabled { READ_WRITE | INHERIT } else { INHERIT };
    let mut topics: Vec<(String, i32, i32)> = vec![
        ("SELF_TEST_TOPIC".into(), 1, READ_WRITE),
        ("BenchmarkTest".into(), 1024, READ_WRITE),
        (cluster.to_string(), 16, if_enabled(broker.cluster_topic_enable)),
        (name.to_string(), 1, if_enabled(broker.broker_topic_enable)),
        ("OFFSET_MOVED_EVENT".into(), 1, READ_WRITE),
        ("SCHEDULE_TOPIC_XXXX".into(), DELAY_LEVELS, READ_WRITE),
        (format!("{cluster}_REPLY_TOPIC"), 1, READ_WRITE),
        (format!("rmq_sys_REVIVE_LOG_{cluster}"), queues(broker.revive_queue_num), READ_WRITE),
        (format!("rmq_sys_SYNC_BROKER_MEMBER_{name}"), 1, INHERIT),
        ("RMQ_SYS_TRANS_HALF_TOPIC".into(), 1, READ_WRITE),
        ("RMQ_SYS_TRANS_OP_HALF_TOPIC".into(), 1, READ_WRITE),
        ("RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC".into(), 1, READ_WRITE),
        ("RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC".into(), 1, READ_WRITE),
    ];
    if broker.auto_create_topic_enable {
        topics.push((AUTO_CREATE_TOPIC.into(), queues(broker.default_topic_queue_nums), READ_WRITE | INHERIT));
    }
    if broker.trace_topic_enable {
        topics.push((broker.msg_trace_topic_name.clone(), 1, READ_WRITE));
    }
    if settings.store.timer_wheel_enable {
        topics.push(("rmq_sys_wheel_timer".into(), 1, READ_WRITE));
    }
    topics
}

/// Adds what is missing; a topic that the file holds stays as it is, but for the queues of the pattern topic, which
/// follow their setting. True when anything changed.
pub(super) fn add_topics(table: &mut HashMap<Topic, Arc<TopicConfig>>, settings: &Settings) -> bool {
    let mut changed = false;
    for (name, queues, perm) in topics(settings) {
        let Some(topic) = Topic::parse_stored(&name) else {
            tracing::warn!(topic = %name, "no topic can have this name; check brokerClusterName and brokerName");
            continue;
        };
        let config = || Arc::new(TopicConfig::new(&name, queues, perm));
        match table.entry(topic) {
            Entry::Vacant(entry) => {
                entry.insert(config());
                changed = true;
            }
            Entry::Occupied(mut entry) if name == AUTO_CREATE_TOPIC && entry.get().write_queue_nums != queues => {
                entry.insert(config());
                changed = true;
            }
            Entry::Occupied(_) => {}
        }
    }
    changed
}

/// The names that belong to this broker, without those that only their prefix marks.
pub(super) fn system_topics(broker: &BrokerConfig) -> BTreeSet<String> {
    let (cluster, name) = (&broker.broker_cluster_name, &broker.broker_name);
    let mut topics: BTreeSet<String> = ALWAYS_SYSTEM.iter().map(|&topic| topic.to_owned()).collect();
    topics.extend([cluster.to_string(), name.to_string(), format!("{cluster}_REPLY_TOPIC")]);
    if broker.trace_topic_enable {
        topics.insert(broker.msg_trace_topic_name.clone());
    }
    topics
}
