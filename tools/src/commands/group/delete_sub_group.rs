//! `deleteSubGroup`: removes a consumer group from one broker, or from a cluster with its retry and dead-letter topics.

use boostermq_remoting::names::{Group, Topic};
use boostermq_remoting::request::group::{DeleteSubscriptionGroupRequestHeader, DeleteSubscriptiongroup};
use boostermq_remoting::request::kv::{DeleteKvConfig, DeleteKvConfigRequestHeader};
use boostermq_remoting::request::topic::{
    DeleteTopicFromNamesrvRequestHeader, DeleteTopicInBroker, DeleteTopicInNamesrv, DeleteTopicRequestHeader,
};
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::order_conf;
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "delete subscription group from which broker"),
    CommandOption::optional("c", "clusterName", "delete subscription group from which cluster"),
    CommandOption::required("g", "groupName", "subscription group name"),
    CommandOption::optional("r", "removeOffset", "remove offset"),
];

commands! {
    /// Removes a group.
    DeleteSubGroup = "deleteSubGroup", "Delete subscription group from broker.", OPTIONS, delete;
}

async fn delete(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = Group::parse(arguments.required("g")?)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let header =
        DeleteSubscriptionGroupRequestHeader { group_name: group.clone(), clean_offset: Some(arguments.truth("r")) };
    let cluster = arguments.text("c").filter(|_| !arguments.has("b"));
    let suffix = cluster.map(|cluster| format!(" in cluster [{cluster}]")).unwrap_or_default();
    let done = |address: &str| format!("delete subscription group [{group}] from broker [{address}]{suffix} success.");
    targets::tell::<DeleteSubscriptiongroup>(session, &brokers, &header, Bytes::new(), done).await?;
    if let Some(cluster) = cluster {
        for topic in [Topic::retry_of(&group), Topic::dlq_of(&group)] {
            delete_topic(session, cluster, topic.as_str()).await?;
        }
    }
    Ok(())
}

/// Removes a topic from all brokers of the cluster and from every name server, with its setting for ordered queues.
async fn delete_topic(session: &mut Session<'_>, cluster: &str, topic: &str) -> anyhow::Result<()> {
    let Some(brokers) = targets::of_cluster(session, cluster, Members::All).await? else { return Ok(()) };
    let header = DeleteTopicRequestHeader { topic: topic.to_owned() };
    session
        .ask_all(&brokers, async |admin, address| {
            admin.call::<DeleteTopicInBroker>(address, &header, Bytes::new()).await.map(drop)
        })
        .await;
    let header = DeleteTopicFromNamesrvRequestHeader { topic: topic.to_owned(), cluster_name: None };
    session.admin.tell_name_servers::<DeleteTopicInNamesrv>(&header).await?;
    let header = DeleteKvConfigRequestHeader { namespace: order_conf::NAMESPACE.to_owned(), key: topic.to_owned() };
    Ok(session.admin.tell_name_servers::<DeleteKvConfig>(&header).await?)
}
