//! `topicList`: every topic, with its cluster and who consumes it if that is wanted.

use std::collections::BTreeSet;

use boostermq_remoting::body::{self, ClusterInfo, GroupList};
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::topic::{
    GetAllTopicListFromNameserver, QueryTopicConsumeByWho, QueryTopicConsumeByWhoRequestHeader,
};

use crate::admin::{self, Admin, side_by_side};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[CommandOption::flag("c", "clusterModel", "clusterModel")];

commands! {
    /// Lists topics.
    TopicList = "topicList", "Fetch all topic list from name server.", OPTIONS, list, has_tables;
}

static NAMES: Style = Style { name: "topics", head: "", row: "%s%n", columns: &[Column::new("topic", "#Topic")] };

static CONSUMERS: Style = Style {
    name: "topics",
    head: "%-20s  %-48s  %-48s%n",
    row: "%-20.20s  %-64.64s  %-64.64s%n",
    columns: &[
        Column::new("clusterName", "#Cluster Name"),
        Column::new("topic", "#Topic"),
        Column::new("consumerGroup", "#Consumer Group"),
    ],
};

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let list: body::TopicList =
        session.admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
    let mut topics = list.topic_list;
    print::string_order(&mut topics);
    if !arguments.has("c") {
        let mut table = Table::new(&NAMES);
        for topic in topics {
            table.row([topic.into()]);
        }
        return Ok(session.print(&Document::of(table))?);
    }
    let info = session.admin.cluster_info().await?;
    let is_shown = |topic: &String| !topic.starts_with(RETRY_TOPIC_PREFIX) && !topic.starts_with(DLQ_TOPIC_PREFIX);
    topics.retain(is_shown);
    let admin = &session.admin;
    let found = side_by_side(&topics, async |topic: &String| look_into(admin, topic, &info).await).await;
    let mut table = Table::new(&CONSUMERS);
    for (topic, found) in topics.iter().zip(found) {
        // Upstream prints a topic that it cannot look into without cluster and groups.
        let (cluster, groups) = found.unwrap_or_else(|error| {
            session.complain(&format_args!("topicList: {topic}: {error:#}"));
            Default::default()
        });
        add(&mut table, &cluster, topic, &groups);
    }
    Ok(session.print(&Document::of(table))?)
}

/// Cluster of a topic and the groups that consume it, from all its brokers.
async fn look_into(admin: &Admin, topic: &str, info: &ClusterInfo) -> anyhow::Result<(String, Vec<String>)> {
    let route = admin.route(topic).await?;
    let first = route.broker_datas.first().map(|broker| &broker.broker_name);
    let mut clusters = info.cluster_addr_table.iter();
    let cluster = clusters.find(|(_, names)| first.is_some_and(|first| names.contains(first)));
    let header = QueryTopicConsumeByWhoRequestHeader { topic: Topic::parse(topic)? };
    let mut groups = BTreeSet::new();
    for address in route.broker_datas.iter().filter_map(admin::any_address) {
        let list: GroupList = admin.call_body::<QueryTopicConsumeByWho, _>(address, &header).await?;
        groups.extend(list.group_list);
    }
    let mut groups: Vec<String> = groups.into_iter().collect();
    print::string_order(&mut groups);
    Ok((cluster.map(|(name, _)| name.clone()).unwrap_or_default(), groups))
}

fn add(table: &mut Table, cluster: &str, topic: &str, groups: &[String]) {
    if groups.is_empty() {
        table.row([cluster.into(), topic.into(), Cell::shown("", ())]);
    }
    for group in groups {
        table.row([cluster.into(), topic.into(), group.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let mut table = Table::new(&CONSUMERS);
        let (topic, group) =
            ("topic_testNormal_lite_pull_receive_ack_KdIJEO", "GID_testNormal_lite_pull_receive_ack_jZqlxP");
        add(&mut table, "DefaultCluster", topic, &[group.to_owned()]);
        add(&mut table, "DefaultCluster", "BenchmarkTest", &[]);
        let text = printed(|out| Document::of(table).write(Format::Text, out));
        assert_eq!(text, golden("topicList-c"));
    }
}
