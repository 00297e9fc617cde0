//! `brokerConsumeStats`: how far every group is with every queue of a broker.

use std::time::Duration;

use boostermq_remoting::body::ConsumeStatsList;
use boostermq_remoting::request::stats::{GetBrokerConsumeStats, GetConsumeStatsInBrokerHeader};
use bytes::Bytes;

use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;

/// How long the broker may take when `-t` says nothing, ms.
const DEFAULT_TIMEOUT_MS: u64 = 50_000;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("b", "brokerAddr", "Broker address"),
    CommandOption::optional("t", "timeoutMillis", "request timeout Millis"),
    CommandOption::optional("l", "level", "threshold of print diff"),
    CommandOption::optional("o", "order", "order topic"),
];

commands! {
    /// Shows how far groups are.
    BrokerConsumeStats = "brokerConsumeStats", "Fetch broker consume stats data.", OPTIONS, show, has_tables;
}

static QUEUES: Style = Style {
    name: "queues",
    head: "%-64s  %-64s  %-32s  %-4s  %-20s  %-20s  %-20s  %s%n",
    row: "%-64.64s  %-64s  %-32.32s  %-4s  %-20s  %-20s  %-20s  %s%n",
    columns: &[
        Column::new("topic", "#Topic"),
        Column::new("group", "#Group"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("queueId", "#QID"),
        Column::new("brokerOffset", "#Broker Offset"),
        Column::new("consumerOffset", "#Consumer Offset"),
        Column::new("diff", "#Diff"),
        Column::new("lastTime", "#LastTime"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let address = arguments.required("b")?;
    let timeout = Duration::from_millis(arguments.number("t")?.unwrap_or(DEFAULT_TIMEOUT_MS));
    let level = arguments.number("l")?.unwrap_or_default();
    let header = GetConsumeStatsInBrokerHeader { is_order: Some(arguments.truth("o")) };
    let answer = session.admin.ask::<GetBrokerConsumeStats>(address, &header, Bytes::new(), timeout).await?;
    let stats: ConsumeStatsList = admin::read_body(address, &admin::succeeded(answer)?)?;
    Ok(session.print(&document(&stats, level))?)
}

fn document(stats: &ConsumeStatsList, level: i64) -> Document {
    let mut table = Table::new(&QUEUES);
    for (group, tables) in stats.consume_stats_list.iter().flatten() {
        for (queue, offsets) in tables.iter().flat_map(|stats| sorted(&stats.offset_table.0)) {
            let diff = offsets.broker_offset - offsets.consumer_offset;
            // Upstream leaves out queues of which nothing was consumed.
            if diff < level || offsets.last_timestamp <= 0 {
                continue;
            }
            table.row([
                Cell::from(&queue.topic),
                group.into(),
                Cell::from(&queue.broker_name),
                queue.queue_id.into(),
                offsets.broker_offset.into(),
                offsets.consumer_offset.into(),
                diff.into(),
                Cell::shown(print::local_seconds(offsets.last_timestamp), offsets.last_timestamp),
            ]);
        }
    }
    let mut document = Document::of(table);
    document.line("").field("totalDiff", stats.total_diff, format!("Diff Total: {}", stats.total_diff));
    document
}

fn sorted<K: Ord, V>(table: &std::collections::BTreeMap<K, V>) -> impl Iterator<Item = (&K, &V)> {
    table.iter()
}
