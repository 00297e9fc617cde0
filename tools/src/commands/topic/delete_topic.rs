//! `deleteTopic`: removes a topic from the brokers of a cluster and from every name server.

use boostermq_remoting::names::ClusterName;
use boostermq_remoting::request::topic::{
    DeleteTopicFromNamesrvRequestHeader, DeleteTopicInBroker, DeleteTopicInNamesrv, DeleteTopicRequestHeader,
};
use bytes::Bytes;

use crate::admin::UNKNOWN_CLUSTER;
use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("c", "clusterName", "delete topic from which cluster"),
];

/// Removes a topic.
pub struct DeleteTopic;

impl SubCommand for DeleteTopic {
    fn name(&self) -> &'static str {
        "deleteTopic"
    }

    fn description(&self) -> &'static str {
        "Delete topic from broker and NameServer."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(delete(arguments, session))
    }
}

async fn delete(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (topic, cluster) = (arguments.required("t")?, arguments.required("c")?);
    let Some(masters) = session.admin.masters(cluster).await? else {
        // Upstream goes on, and reports a success that there was not.
        session.fail();
        return Ok(writeln!(session.out, "{UNKNOWN_CLUSTER}")?);
    };
    let header = DeleteTopicRequestHeader { topic: topic.to_owned() };
    for address in &masters {
        session.admin.call::<DeleteTopicInBroker>(address, &header, Bytes::new()).await?;
    }
    writeln!(session.out, "delete topic [{topic}] from cluster [{cluster}] success.")?;
    let header =
        DeleteTopicFromNamesrvRequestHeader { topic: topic.to_owned(), cluster_name: Some(ClusterName::from(cluster)) };
    session.admin.tell_name_servers::<DeleteTopicInNamesrv>(&header).await?;
    Ok(writeln!(session.out, "delete topic [{topic}] from NameServer success.")?)
}
