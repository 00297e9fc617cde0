//! `statsAll`: what came into each topic and went out to each of its groups.

use boostermq_remoting::body::{BrokerStatsData, GroupList, TopicList};
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, Group, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::stats::{ViewBrokerStatsData, ViewBrokerStatsDataRequestHeader};
use boostermq_remoting::request::topic::{
    GetAllTopicListFromNameserver, QueryTopicConsumeByWho, QueryTopicConsumeByWhoRequestHeader,
};

use crate::admin::{self, Admin, side_by_side};
use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table, Value};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::flag("a", "activeTopic", "print active topic only"),
    CommandOption::optional("t", "topic", "print select topic only"),
];

commands! {
    /// Shows rates and counts of topics and groups.
    StatsAll = "statsAll", "Topic and Consumer tps stats.", OPTIONS, show, has_tables;
}

static ROWS: Style = Style {
    name: "topics",
    head: "%-64s  %-64s %12s %11s %11s %14s %14s%n",
    row: "%-64.64s  %-64.64s %12s %11s %11s %14s %14s%n",
    columns: &[
        Column::new("topic", "#Topic"),
        Column::new("group", "#Consumer Group"),
        Column::new("accumulation", "#Accumulation"),
        Column::new("inTps", "#InTPS"),
        Column::new("outTps", "#OutTPS"),
        Column::new("inMsg24Hour", "#InMsg24Hour"),
        Column::new("outMsg24Hour", "#OutMsg24Hour"),
    ],
};

/// Rate of the last minute, and count of the last day or of what is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Flow {
    tps: f64,
    day: i64,
}

/// A topic, and who consumes it with what it lags behind.
struct Traffic {
    topic: String,
    input: Flow,
    groups: Vec<(String, i64, Flow)>,
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let only = arguments.text("t").filter(|topic| !topic.is_empty());
    let list: TopicList = session.admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
    let mut topics = list.topic_list;
    print::string_order(&mut topics);
    topics.retain(|topic| {
        let is_hidden = topic.starts_with(RETRY_TOPIC_PREFIX) || topic.starts_with(DLQ_TOPIC_PREFIX);
        !is_hidden && only.is_none_or(|only| only == topic)
    });
    let admin = &session.admin;
    let asked = side_by_side(&topics, async |topic: &String| traffic(admin, topic).await).await;
    let mut all = Vec::with_capacity(asked.len());
    for (topic, answer) in topics.iter().zip(asked) {
        match answer {
            Ok(traffic) => all.push(traffic),
            // Upstream leaves such a topic out without a word.
            Err(error) => session.complain(&format_args!("statsAll: {topic}: {error:#}")),
        }
    }
    Ok(session.print(&document(&all, arguments.has("a")))?)
}

async fn traffic(admin: &Admin, name: &str) -> anyhow::Result<Traffic> {
    let topic = Topic::parse(name)?;
    let route = admin.route(name).await?;
    let masters: Vec<&str> = route.broker_datas.iter().filter_map(admin::master).collect();
    let mut groups = Vec::new();
    let header = QueryTopicConsumeByWhoRequestHeader { topic };
    for address in route.broker_datas.iter().filter_map(admin::any_address) {
        let list: GroupList = admin.call_body::<QueryTopicConsumeByWho, _>(address, &header).await?;
        groups.extend(list.group_list);
    }
    groups.sort_unstable();
    groups.dedup();
    print::string_order(&mut groups);
    let mut traffic =
        Traffic { topic: name.to_owned(), input: flow(admin, &masters, "TOPIC_PUT_NUMS", name).await, groups: vec![] };
    for group in groups {
        let output = flow(admin, &masters, "GROUP_GET_NUMS", &format!("{name}@{group}")).await;
        let stats = match Group::parse(&group) {
            Ok(group) => groups::stats(admin, &group, Some(name), None).await.ok(),
            Err(_) => None,
        };
        let offsets = stats.iter().flat_map(|(stats, _)| stats.offset_table.0.values());
        let lag: i64 = offsets.map(|offsets| offsets.broker_offset - offsets.consumer_offset).sum();
        traffic.groups.push((group, lag.max(0), output));
    }
    Ok(traffic)
}

/// What all masters counted together. One that has counted nothing yet says that it does not know the item.
async fn flow(admin: &Admin, masters: &[&str], statistic: &str, key: &str) -> Flow {
    let header = ViewBrokerStatsDataRequestHeader { stats_name: statistic.to_owned(), stats_key: key.to_owned() };
    let mut flow = Flow::default();
    for address in masters {
        let Ok(data) = admin.call_body::<ViewBrokerStatsData, BrokerStatsData>(address, &header).await else {
            continue;
        };
        flow.tps += data.stats_minute.tps;
        flow.day += day(&data);
    }
    flow
}

/// The count over a day, or over the longest time that is known.
pub(crate) fn day(data: &BrokerStatsData) -> i64 {
    let spans = [data.stats_day.sum, data.stats_hour.sum, data.stats_minute.sum];
    spans.into_iter().find(|sum| *sum != 0).unwrap_or_default()
}

fn document(all: &[Traffic], only_active: bool) -> Document {
    let mut table = Table::new(&ROWS);
    for Traffic { topic, input, groups } in all {
        for (group, lag, output) in groups {
            if !only_active || input.day > 0 || output.day > 0 {
                table.row([
                    topic.into(),
                    group.into(),
                    (*lag).into(),
                    Cell::rounded(input.tps, 2),
                    Cell::rounded(output.tps, 2),
                    input.day.into(),
                    output.day.into(),
                ]);
            }
        }
        if groups.is_empty() && (!only_active || input.day > 0) {
            table.row([
                topic.into(),
                Cell::shown("", Value::Null),
                0.into(),
                Cell::rounded(input.tps, 2),
                Cell::shown("", Value::Null),
                input.day.into(),
                Cell::shown("NO_CONSUMER", Value::Null),
            ]);
        }
    }
    Document::of(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let row = |group: &str, lag, tps, day| (group.to_owned(), lag, Flow { tps, day });
        let traffic = Traffic {
            topic: "GoldNormal".to_owned(),
            input: Flow { tps: 1.02, day: 234 },
            groups: vec![
                row("gold_retry", 345, 0.0, 10),
                row("gold_lite", 345, 0.0, 20),
                row("gold_pop", 345, 0.0, 10),
                row("gold_live", 3, 0.52, 120),
                row("gold_sql", 345, 0.0, 1),
                row("gold_conc", 345, 0.0, 16),
            ],
        };
        assert_eq!(printed(|out| document(&[traffic], true).write(Format::Text, out)), golden("statsAll"));
    }

    #[test]
    fn idle_topics_are_left_out_when_only_active_ones_are_wanted() {
        let idle = || Traffic { topic: "T".to_owned(), input: Flow::default(), groups: Vec::new() };
        let text = printed(|out| document(&[idle()], false).write(Format::Text, out));
        assert!(text.ends_with("   NO_CONSUMER\n"), "{text}");
        assert_eq!(printed(|out| document(&[idle()], true).write(Format::Text, out)).lines().count(), 1);
    }
}
