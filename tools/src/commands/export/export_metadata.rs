//! `exportMetadata`: topics and groups of a broker or a cluster, as a file that `updateTopicList` can be fed from.

use std::collections::BTreeMap;

use boostermq_remoting::body::{SubscriptionGroupConfig, TopicConfig};
use serde::Serialize;

use super::user_tables::{self, DEFAULT_FOLDER};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::producer::now_ms;
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("c", "clusterName", "choose a cluster to export"),
    CommandOption::optional("b", "brokerAddr", "choose a broker to export"),
    CommandOption::optional("f", "filePath", "export metadata.json path | default /tmp/rocketmq/export"),
    CommandOption::flag("t", "topic", "only export topic metadata"),
    CommandOption::flag("g", "subscriptionGroup", "only export subscriptionGroup metadata"),
    CommandOption::flag("s", "specialTopic", "need retryTopic and dlqTopic"),
];

commands! {
    /// Writes topics and groups.
    ExportMetadata = "exportMetadata", "Export metadata.", OPTIONS, export;
}

/// What the file of a cluster holds.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    export_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_group_table: Option<BTreeMap<String, SubscriptionGroupConfig>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_config_table: Option<BTreeMap<String, TopicConfig>>,
}

async fn export(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let folder = arguments.text("f").unwrap_or(DEFAULT_FOLDER);
    let (only_topics, only_groups) = (arguments.has("t"), arguments.has("g"));
    match arguments.text("b") {
        Some(address) if only_topics || only_groups => {
            export_broker(session, address, folder, only_topics, arguments.has("s")).await
        }
        // Upstream says nothing and does nothing.
        Some(_) => session.refuse(),
        None => export_cluster(arguments, session, folder).await,
    }
}

/// Upstream ends its line without a line feed.
async fn export_broker(
    session: &mut Session<'_>,
    address: &str,
    folder: &str,
    only_topics: bool,
    with_special: bool,
) -> anyhow::Result<()> {
    let path = if only_topics {
        let path = format!("{folder}/topic.json");
        user_tables::save(&path, &user_tables::topics(&session.admin, address, with_special).await?)?;
        path
    } else {
        let path = format!("{folder}/subscriptionGroup.json");
        user_tables::save(&path, &user_tables::groups(&session.admin, address).await?)?;
        path
    };
    Ok(write!(session.out, "export {path} success")?)
}

async fn export_cluster(arguments: &Arguments, session: &mut Session<'_>, folder: &str) -> anyhow::Result<()> {
    let (only_topics, only_groups) = (arguments.has("t"), arguments.has("g"));
    let with_special = arguments.has("s");
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let (mut topics, mut groups) = (BTreeMap::new(), BTreeMap::new());
    let total = i64::try_from(brokers.len()).unwrap_or(i64::MAX);
    for (done, address) in (1..).zip(&brokers) {
        let tables = async {
            let topics = user_tables::topics(&session.admin, address, with_special).await?;
            Ok::<_, crate::admin::AdminError>((topics, user_tables::groups(&session.admin, address).await?))
        };
        match tables.await {
            Ok((of_topics, of_groups)) => {
                of_topics.topic_config_table.into_iter().for_each(|(name, topic)| add_topic(&mut topics, name, topic));
                let of_groups = of_groups.subscription_group_table;
                of_groups.into_iter().for_each(|(name, group)| add_group(&mut groups, name, group));
            }
            Err(error) => session.complain_of(address, &error),
        }
        session.progress(done, total, "brokers");
    }
    let (name, metadata) = if only_topics {
        ("topic", Metadata { topic_config_table: Some(topics), ..Metadata::default() })
    } else if only_groups {
        ("subscriptionGroup", Metadata { subscription_group_table: Some(groups), ..Metadata::default() })
    } else {
        let both = Metadata {
            topic_config_table: Some(topics),
            subscription_group_table: Some(groups),
            ..Metadata::default()
        };
        ("metadata", both)
    };
    let path = format!("{folder}/{name}.json");
    user_tables::save(&path, &Metadata { export_time: now_ms(), ..metadata })?;
    Ok(writeln!(session.out, "export {path} success")?)
}

/// Queues of one topic on several brokers count together.
fn add_topic(topics: &mut BTreeMap<String, TopicConfig>, name: String, mut topic: TopicConfig) {
    if let Some(known) = topics.get(&name) {
        topic.read_queue_nums = topic.read_queue_nums.saturating_add(known.read_queue_nums);
        topic.write_queue_nums = topic.write_queue_nums.saturating_add(known.write_queue_nums);
    }
    topics.insert(name, topic);
}

fn add_group(groups: &mut BTreeMap<String, SubscriptionGroupConfig>, name: String, mut group: SubscriptionGroupConfig) {
    if let Some(known) = groups.get(&name) {
        group.retry_queue_nums = group.retry_queue_nums.saturating_add(known.retry_queue_nums);
    }
    groups.insert(name, group);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_of_several_brokers_count_together() {
        let mut topics = BTreeMap::new();
        for queues in [4, 8] {
            add_topic(&mut topics, "T".to_owned(), TopicConfig::new("T", queues, 6));
        }
        let topic = topics.get("T").unwrap();
        assert_eq!((topic.read_queue_nums, topic.write_queue_nums), (12, 12));
        let mut groups = BTreeMap::new();
        for _ in 0..2 {
            add_group(&mut groups, "g".to_owned(), SubscriptionGroupConfig::new("g"));
        }
        assert_eq!(groups.get("g").unwrap().retry_queue_nums, 2);
    }
}
