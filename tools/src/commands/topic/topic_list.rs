//! `topicList`: every topic, with its cluster and who consumes it if that is wanted.

use std::collections::BTreeSet;
use std::io::{self, Write};

use boostermq_remoting::body::{self, ClusterInfo, GroupList};
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::topic::{
    GetAllTopicListFromNameserver, QueryTopicConsumeByWho, QueryTopicConsumeByWhoRequestHeader,
};

use crate::admin::{self, Admin};
use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
use crate::print;

const OPTIONS: &[CommandOption] = &[CommandOption::flag("c", "clusterModel", "clusterModel")];

/// Lists topics.
pub struct TopicList;

impl SubCommand for TopicList {
    fn name(&self) -> &'static str {
        "topicList"
    }

    fn description(&self) -> &'static str {
        "Fetch all topic list from name server."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(list(arguments, session))
    }
}

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let list: body::TopicList =
        session.admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
    let mut topics = list.topic_list;
    print::string_order(&mut topics);
    if !arguments.has("c") {
        for topic in &topics {
            writeln!(session.out, "{topic}")?;
        }
        return Ok(());
    }
    let info = session.admin.cluster_info().await?;
    print_head(session.out)?;
    let is_shown = |topic: &&String| !topic.starts_with(RETRY_TOPIC_PREFIX) && !topic.starts_with(DLQ_TOPIC_PREFIX);
    for topic in topics.iter().filter(is_shown) {
        // Upstream prints a topic that it cannot look into without cluster and groups.
        let (cluster, groups) = match look_into(&session.admin, topic, &info).await {
            Ok(found) => found,
            Err(error) => {
                session.complain(&format_args!("topicList: {topic}: {error:#}"));
                Default::default()
            }
        };
        print_rows(session.out, &cluster, topic, &groups)?;
    }
    Ok(())
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

fn print_head(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<20}  {:<48}  {:<48}", "#Cluster Name", "#Topic", "#Consumer Group")
}

fn print_rows(out: &mut dyn Write, cluster: &str, topic: &str, groups: &[String]) -> io::Result<()> {
    let nobody = [String::new()];
    for group in if groups.is_empty() { &nobody } else { groups } {
        let (cluster, topic, group) = (print::front(cluster, 20), print::front(topic, 64), print::front(group, 64));
        writeln!(out, "{cluster:<20}  {topic:<64}  {group:<64}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let text = printed(|out| {
            print_head(out)?;
            let (topic, group) =
                ("topic_testNormal_lite_pull_receive_ack_KdIJEO", "GID_testNormal_lite_pull_receive_ack_jZqlxP");
            print_rows(out, "DefaultCluster", topic, &[group.to_owned()])?;
            print_rows(out, "DefaultCluster", "BenchmarkTest", &[])
        });
        assert_eq!(text, golden("topicList-c"));
    }
}
