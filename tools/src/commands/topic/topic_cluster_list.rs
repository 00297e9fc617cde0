//! `topicClusterList`: the clusters that hold a topic.

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[CommandOption::required("t", "topic", "topic name")];

commands! {
    /// Lists the clusters of a topic.
    TopicClusterList = "topicClusterList", "Get cluster info for topic.", OPTIONS, list, has_tables;
}

static CLUSTERS: Style =
    Style { name: "clusters", head: "", row: "%s%n", columns: &[Column::new("cluster", "#Cluster Name")] };

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let route = session.admin.route(arguments.required("t")?).await?;
    let info = session.admin.cluster_info().await?;
    let holds = |names: &[String]| route.broker_datas.iter().any(|broker| names.contains(&broker.broker_name));
    let clusters = info.cluster_addr_table.iter().filter(|(_, names)| holds(names));
    let mut clusters: Vec<&String> = clusters.map(|(cluster, _)| cluster).collect();
    print::string_order(&mut clusters);
    let mut table = Table::new(&CLUSTERS);
    for cluster in clusters {
        table.row([cluster.into()]);
    }
    Ok(session.print(&Document::of(table))?)
}
