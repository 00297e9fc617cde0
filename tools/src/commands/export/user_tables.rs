//! The topics and groups of a broker that are users' own. Upstream: `getUserTopicConfig`, `getUserSubscriptionGroup`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use boostermq_remoting::body::{
    SubscriptionGroupWrapper, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicConfigSerializeWrapper,
    TopicList,
};
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, RETRY_TOPIC_PREFIX, SYSTEM_TOPIC_PREFIX};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::group::{GetAllSubscriptionGroupRequestHeader, GetAllSubscriptiongroupConfig};
use boostermq_remoting::request::topic::{
    GetAllTopicConfig, GetAllTopicConfigRequestHeader, GetSystemTopicListFromBroker,
};
use bytes::Bytes;
use serde::Serialize;

use crate::admin::{self, Admin, AdminError};

/// Where files are written when `-f` says nothing.
pub(super) const DEFAULT_FOLDER: &str = "/tmp/rocketmq/export";
/// How long a broker may take to hand out a whole table.
const TABLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Prefix of groups that brokers make for themselves.
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";
/// Groups that every broker has (RocketMQ 5.5.0: `MixAll.PREDEFINE_GROUP_SET`).
const PREDEFINED_GROUPS: [&str; 13] = [
    "DEFAULT_PRODUCER",
    "DEFAULT_CONSUMER",
    "TOOLS_CONSUMER",
    "SCHEDULE_CONSUMER",
    "FILTERSRV_CONSUMER",
    "__MONITOR_CONSUMER",
    "CLIENT_INNER_PRODUCER",
    "SELF_TEST_P_GROUP",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_ONSAPI_PULL",
];
/// System topics that have no prefix in common (RocketMQ 5.5.0: `TopicValidator`).
const SYSTEM_TOPICS: [&str; 10] = [
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
];

/// The topics of a broker; those of retries and dead letters only when they are wanted.
pub(super) async fn topics(
    admin: &Admin,
    address: &str,
    with_special: bool,
) -> Result<TopicConfigSerializeWrapper, AdminError> {
    let header = GetAllTopicConfigRequestHeader { topic_seq: None, max_topic_num: None, data_version: None };
    let answer = admin.ask::<GetAllTopicConfig>(address, &header, Bytes::new(), TABLE_TIMEOUT).await?;
    let all: TopicConfigAndMappingSerializeWrapper = admin::read_body(address, &admin::succeeded(answer)?)?;
    let system: TopicList = admin.call_body::<GetSystemTopicListFromBroker, _>(address, &NoHeader {}).await?;
    let mut table = all.topic_config_table;
    table.retain(|name, topic| {
        let is_special = name.starts_with(RETRY_TOPIC_PREFIX) || name.starts_with(DLQ_TOPIC_PREFIX);
        let is_system = system.topic_list.contains(name)
            || name.starts_with(SYSTEM_TOPIC_PREFIX)
            || SYSTEM_TOPICS.contains(&name.as_str());
        !is_system && (with_special || !is_special) && is_valid(topic)
    });
    Ok(TopicConfigSerializeWrapper {
        data_version: all.data_version,
        topic_config_table: table,
        ..TopicConfigSerializeWrapper::default()
    })
}

const fn is_valid(topic: &TopicConfig) -> bool {
    topic.perm >= 0 && topic.perm < 8
}

/// The groups of a broker.
pub(super) async fn groups(admin: &Admin, address: &str) -> Result<SubscriptionGroupWrapper, AdminError> {
    let header = GetAllSubscriptionGroupRequestHeader { group_seq: None, max_group_num: None, data_version: None };
    let answer = admin.ask::<GetAllSubscriptiongroupConfig>(address, &header, Bytes::new(), TABLE_TIMEOUT).await?;
    let mut all: SubscriptionGroupWrapper = admin::read_body(address, &admin::succeeded(answer)?)?;
    all.subscription_group_table.retain(|name, _| {
        let name = name.as_str();
        !name.starts_with(SYSTEM_GROUP_PREFIX) && !PREDEFINED_GROUPS.contains(&name)
    });
    Ok(all)
}

/// Writes a file as JSON with a member on each line.
pub(super) fn save(path: &str, content: &impl Serialize) -> anyhow::Result<()> {
    let failed = || format!("{path} cannot be written: name another folder with -f");
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, fastjson::to_pretty_vec(content)).with_context(failed)
}
