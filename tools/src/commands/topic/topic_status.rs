//! `topicStatus`: where each queue of a topic begins and ends.

use boostermq_remoting::body::{MessageQueue, TopicOffset, TopicStatsTable};
use boostermq_remoting::names::Topic;
use boostermq_remoting::request::topic::{GetTopicStatsInfo, GetTopicStatsInfoRequestHeader};

use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("c", "cluster", "cluster name or lmq parent topic, lmq is used to find the route."),
];

commands! {
    /// Shows the queues of a topic.
    TopicStatus = "topicStatus", "Examine topic Status info.", OPTIONS, show, has_tables;
}

static QUEUES: Style = Style {
    name: "queues",
    head: "%-32s  %-4s  %-20s  %-20s    %s%n",
    row: "%-32.32s  %-4s  %-20s  %-20s    %s%n",
    columns: &[
        Column::new("brokerName", "#Broker Name"),
        Column::new("queueId", "#QID"),
        Column::new("minOffset", "#Min Offset"),
        Column::new("maxOffset", "#Max Offset"),
        Column::new("lastUpdateTime", "#Last Updated"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = arguments.required("t")?;
    let route = session.admin.route(arguments.text("c").unwrap_or(topic)).await?;
    let addresses: Vec<String> = route.broker_datas.iter().filter_map(admin::any_address).map(str::to_owned).collect();
    let header = GetTopicStatsInfoRequestHeader { topic: Topic::parse(topic)? };
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            admin.call_body::<GetTopicStatsInfo, TopicStatsTable>(address, &header).await
        })
        .await;
    let tps = answers.iter().map(|(_, stats)| stats.topic_put_tps).sum();
    let queues = answers.into_iter().flat_map(|(_, stats)| stats.offset_table.0);
    let mut queues: Vec<(MessageQueue, TopicOffset)> = queues.collect();
    queues.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(session.print(&document(&queues, tps))?)
}

fn document(queues: &[(MessageQueue, TopicOffset)], tps: f64) -> Document {
    let mut table = Table::new(&QUEUES);
    for (queue, offsets) in queues {
        let time = offsets.last_update_timestamp;
        table.row([
            Cell::from(&queue.broker_name),
            queue.queue_id.into(),
            offsets.min_offset.into(),
            offsets.max_offset.into(),
            if time > 0 { Cell::time(time) } else { Cell::shown("", time) },
        ]);
    }
    let mut document = Document::of(table);
    // Upstream's tool always says 0.0: it forgets to add up what brokers tell.
    document.line("").field("putTps", tps, format!("Topic Put TPS: {tps:?}"));
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let text = golden("topicStatus");
        let queues: Vec<(MessageQueue, TopicOffset)> = text
            .lines()
            .filter(|line| line.starts_with("broker-a"))
            .map(|line| {
                let cells: Vec<&str> = line.split_whitespace().collect();
                let queue = MessageQueue {
                    broker_name: cells[0].into(),
                    queue_id: cells[1].parse().unwrap(),
                    topic: "T".into(),
                };
                let time: jiff::civil::DateTime =
                    format!("{}T{}", cells[4], cells[5].replace(',', ".")).parse().unwrap();
                let offsets = TopicOffset {
                    min_offset: cells[2].parse().unwrap(),
                    max_offset: cells[3].parse().unwrap(),
                    last_update_timestamp: time
                        .to_zoned(jiff::tz::TimeZone::system())
                        .unwrap()
                        .timestamp()
                        .as_millisecond(),
                };
                (queue, offsets)
            })
            .collect();
        assert_eq!(queues.len(), 4);
        assert_eq!(printed(|out| document(&queues, 0.0).write(Format::Text, out)), text);
    }
}
