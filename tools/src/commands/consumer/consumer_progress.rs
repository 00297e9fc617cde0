//! `consumerProgress`: how far a group is, or all groups.

use std::collections::BTreeMap;

use boostermq_remoting::body::{ConsumeStats, ConsumeType, ConsumerConnection, MessageQueue, TopicList};
use boostermq_remoting::names::{Group, RETRY_TOPIC_PREFIX};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::topic::GetAllTopicListFromNameserver;

use crate::admin::{Admin, AdminError, side_by_side};
use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("g", "groupName", "consumer group name"),
    CommandOption::optional("t", "topicName", "topic name"),
    CommandOption::optional("s", "showClientIP", "Show Client IP per Queue"),
    CommandOption::optional("c", "cluster", "Cluster name or lmq parent topic, lmq is used to find the route."),
];

commands! {
    /// Shows how far groups are.
    ConsumerProgress = "consumerProgress", "Query consumer's progress, speed.", OPTIONS, show, has_tables;
}

static QUEUES: Style = Style {
    name: "queues",
    head: "%-64s  %-32s  %-4s  %-20s  %-20s  %-20s %-20s%s%n",
    row: "%-64.64s  %-32.32s  %-4s  %-20s  %-20s  %-20s %-20s %s%n",
    columns: &[
        Column::new("topic", "#Topic"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("queueId", "#QID"),
        Column::new("brokerOffset", "#Broker Offset"),
        Column::new("consumerOffset", "#Consumer Offset"),
        Column::new("diff", "#Diff"),
        Column::new("inflight", "#Inflight"),
        Column::new("lastTime", "#LastTime"),
    ],
};

static QUEUES_OF_CLIENTS: Style = Style {
    name: "queues",
    head: "%-64s  %-32s  %-4s  %-20s  %-20s  %-20s %-20s %-20s%s%n",
    row: "%-64.64s  %-32.32s  %-4s  %-20s  %-20s  %-20s %-20s %-20s %s%n",
    columns: &[
        Column::new("topic", "#Topic"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("queueId", "#QID"),
        Column::new("brokerOffset", "#Broker Offset"),
        Column::new("consumerOffset", "#Consumer Offset"),
        Column::new("clientIp", "#Client IP"),
        Column::new("diff", "#Diff"),
        Column::new("inflight", "#Inflight"),
        Column::new("lastTime", "#LastTime"),
    ],
};

static GROUPS: Style = Style {
    name: "groups",
    head: "%-64s  %-6s  %-24s %-5s  %-14s  %-7s  %s%n",
    row: "%-64.64s  %-6s  %-24s %-5s  %-14s  %-7s  %s%n",
    columns: &[
        Column::new("group", "#Group"),
        Column::new("count", "#Count"),
        Column::new("version", "#Version"),
        Column::new("type", "#Type"),
        Column::new("model", "#Model"),
        Column::new("tps", "#TPS"),
        Column::new("diffTotal", "#Diff Total"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    match arguments.text("g") {
        Some(group) => show_group(arguments, session, group).await,
        None => show_all(session).await,
    }
}

async fn show_group(arguments: &Arguments, session: &mut Session<'_>, group: &str) -> anyhow::Result<()> {
    let group = Group::parse(group)?;
    let (topic, cluster) = (arguments.text("t"), arguments.text("c"));
    let (stats, unasked) = groups::stats(&session.admin, &group, topic, cluster).await?;
    for (address, error) in &unasked {
        session.complain_of(address, error);
    }
    let clients = if arguments.truth("s") { Some(clients(&session.admin, &group).await) } else { None };
    Ok(session.print(&group_document(&stats, clients.as_ref()))?)
}

/// Who holds which queue, by the address in front of the client id. Who cannot be asked is left out.
async fn clients(admin: &Admin, group: &Group) -> BTreeMap<MessageQueue, String> {
    let Ok(connection) = groups::connection(admin, group).await else { return BTreeMap::new() };
    let asked = side_by_side(&connection.connection_set, async |client: &boostermq_remoting::body::Connection| {
        let running = groups::running(admin, group, &client.client_id, false).await.ok()?;
        let address = client.client_id.split('@').next().unwrap_or_default().to_owned();
        Some((address, running.mq_table.0))
    })
    .await;
    let queues = asked.into_iter().flatten();
    queues.flat_map(|(address, table)| table.into_keys().map(move |queue| (queue, address.clone()))).collect()
}

fn group_document(stats: &ConsumeStats, clients: Option<&BTreeMap<MessageQueue, String>>) -> Document {
    let mut table = Table::new(if clients.is_some() { &QUEUES_OF_CLIENTS } else { &QUEUES });
    let (mut diff_total, mut inflight_total) = (0, 0);
    for (queue, offsets) in &stats.offset_table.0 {
        let diff = offsets.broker_offset - offsets.consumer_offset;
        let inflight = offsets.pull_offset - offsets.consumer_offset;
        diff_total += diff;
        inflight_total += inflight;
        let time = offsets.last_timestamp;
        let time = Cell::shown(if time == 0 { "N/A".to_owned() } else { print::local_seconds(time) }, time);
        let (topic, broker) = (Cell::from(&queue.topic), Cell::from(&queue.broker_name));
        let [id, end, at] = [i64::from(queue.queue_id), offsets.broker_offset, offsets.consumer_offset].map(Cell::from);
        match clients {
            None => table.row([topic, broker, id, end, at, diff.into(), inflight.into(), time]),
            Some(clients) => {
                let client = clients.get(queue);
                let client = Cell::shown(client.map_or("N/A", String::as_str), client.cloned());
                table.row([topic, broker, id, end, at, client, diff.into(), inflight.into(), time]);
            }
        }
    }
    let mut document = Document::of(table);
    let tps = stats.consume_tps;
    document.line("").field("consumeTps", tps, format!("Consume TPS: {tps:.2}"));
    document.field("diffTotal", diff_total, format!("Consume Diff Total: {diff_total}"));
    document.field("inflightTotal", inflight_total, format!("Consume Inflight Total: {inflight_total}"));
    document
}

/// What could be found out about a group.
struct Progress {
    group: String,
    stats: Option<ConsumeStats>,
    connection: Option<ConsumerConnection>,
    /// Servers that could not be asked, and why.
    unasked: Vec<(String, AdminError)>,
}

async fn show_all(session: &mut Session<'_>) -> anyhow::Result<()> {
    let list: TopicList = session.admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
    let mut topics = list.topic_list;
    print::string_order(&mut topics);
    let names: Vec<&str> = topics.iter().filter_map(|topic| group_of(topic)).collect();
    let admin = &session.admin;
    let all = side_by_side(names, async |name: &str| progress(admin, name).await).await;
    let mut complained = Vec::new();
    for (address, error) in all.iter().flat_map(|progress| &progress.unasked) {
        // One word for each server is enough.
        if !complained.contains(address) {
            complained.push(address.clone());
            session.complain_of(address, error);
        }
    }
    Ok(session.print(&all_document(&all))?)
}

/// The group of a retry topic; retry topics of pop name their topic behind it.
fn group_of(topic: &str) -> Option<&str> {
    let name = topic.strip_prefix(RETRY_TOPIC_PREFIX)?;
    Some(name.split_once('+').map_or(name, |(group, _)| group))
}

async fn progress(admin: &Admin, name: &str) -> Progress {
    let mut progress = Progress { group: name.to_owned(), stats: None, connection: None, unasked: Vec::new() };
    let Ok(group) = Group::parse(name) else { return progress };
    match groups::stats(admin, &group, None, None).await {
        Ok((stats, unasked)) => (progress.stats, progress.unasked) = (Some(stats), unasked),
        // Nobody connected, or no such group any more: the line says so.
        Err(error @ AdminError::Refused { .. }) if !error.is_not_built() => {}
        Err(error) => progress.unasked.push((name.to_owned(), error)),
    }
    progress.connection = groups::connection(admin, &group).await.ok();
    progress
}

fn all_document(all: &[Progress]) -> Document {
    let mut table = Table::new(&GROUPS);
    for Progress { group, stats, connection, .. } in all {
        let clients = connection.as_ref().map(|connection| connection.connection_set.as_slice()).unwrap_or_default();
        let oldest = clients.iter().map(|client| client.version).min().unwrap_or_default();
        let kind = connection.as_ref().and_then(|connection| connection.consume_type).filter(|_| !clients.is_empty());
        let model = connection.as_ref().and_then(|connection| connection.message_model);
        let model = model.filter(|_| kind == Some(ConsumeType::Passively));
        let diff: i64 = stats
            .iter()
            .flat_map(|stats| stats.offset_table.0.values())
            .map(|offsets| offsets.broker_offset - offsets.consumer_offset)
            .sum();
        let tps = stats.as_ref().map_or(0.0, |stats| stats.consume_tps);
        table.row([
            group.into(),
            clients.len().into(),
            if clients.is_empty() { "OFFLINE".into() } else { print::version_name(oldest).into() },
            match kind {
                Some(ConsumeType::Actively) => "PULL".into(),
                _ if clients.is_empty() => "".into(),
                _ => "PUSH".into(),
            },
            model.map_or("", |model| model.name()).into(),
            Cell::shown(format!("{:.0}", tps.trunc()), tps),
            diff.into(),
        ]);
    }
    Document::of(table)
}

#[cfg(test)]
mod tests;
