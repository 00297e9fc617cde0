//! `startMonitoring`: looks once a minute how far all groups are and what stands still, until it is interrupted.

use std::collections::BTreeMap;
use std::time::Duration;

use boostermq_remoting::body::{Connection, ConsumeStats, TopicList};
use boostermq_remoting::names::{Group, RETRY_TOPIC_PREFIX};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::topic::GetAllTopicListFromNameserver;

use super::running_text;
use crate::admin::{Admin, side_by_side};
use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::producer::now_ms;

/// Time between two rounds (RocketMQ 5.5.0: `MonitorConfig.roundInterval`).
const ROUND: Duration = Duration::from_secs(60);

const OPTIONS: &[CommandOption] = &[];

commands! {
    /// Watches all groups.
    StartMonitoring = "startMonitoring", "Start Monitoring.", OPTIONS, watch;
}

/// Upstream writes the same lines to its log, where nobody sees them.
async fn watch(_: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    loop {
        writeln!(session.out, "{} beginRound", print::local_time(now_ms()))?;
        let list: TopicList = session.admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
        let names: Vec<&str> =
            list.topic_list.iter().filter_map(|topic| topic.strip_prefix(RETRY_TOPIC_PREFIX)).collect();
        let admin = &session.admin;
        let lines = side_by_side(names, async |name: &str| look(admin, name).await).await;
        for line in lines.into_iter().flatten() {
            writeln!(session.out, "{line}")?;
        }
        writeln!(session.out, "{} endRound", print::local_time(now_ms()))?;
        session.out.flush()?;
        tokio::time::sleep(ROUND).await;
    }
}

/// What there is to tell of a group; nothing when nobody of it is connected.
async fn look(admin: &Admin, name: &str) -> Vec<String> {
    let Ok(group) = Group::parse(name) else { return Vec::new() };
    let Ok(connection) = groups::connection(admin, &group).await else { return Vec::new() };
    let mut lines = Vec::new();
    if let Ok((stats, _)) = groups::stats(admin, &group, None, None).await {
        lines.extend(undone(name, &stats));
    }
    let asked = side_by_side(&connection.connection_set, async |client: &Connection| {
        let info = groups::running(admin, &group, &client.client_id, false).await.ok()?;
        Some((client.client_id.clone(), info))
    })
    .await;
    let members: BTreeMap<String, _> = asked.into_iter().flatten().collect();
    let now_ms = now_ms();
    if !running_text::is_subscription_same(&members, now_ms) {
        lines.push(format!("reportConsumerRunningInfo: ConsumerGroup: {name}, Subscription different"));
    }
    for (client_id, info) in &members {
        let stuck = running_text::stuck_queues(client_id, info, now_ms);
        lines.extend(
            stuck
                .lines()
                .map(|line| format!("reportConsumerRunningInfo: ConsumerGroup: {name}, ClientId: {client_id}, {line}")),
        );
    }
    lines
}

/// Messages not consumed yet, by topic.
fn undone(group: &str, stats: &ConsumeStats) -> Vec<String> {
    let mut topics: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (queue, offsets) in &stats.offset_table.0 {
        let diff = (offsets.broker_offset - offsets.consumer_offset).max(0);
        let (total, most) = topics.entry(&queue.topic).or_default();
        *total += diff;
        *most = diff.max(*most);
    }
    let line = |(topic, (total, most))| {
        format!(
            "reportUndoneMsgs: UndoneMsgs [consumerGroup={group}, topic={topic}, undoneMsgsTotal={total}, \
             undoneMsgsSingleMQ={most}]"
        )
    };
    topics.into_iter().map(line).collect()
}
