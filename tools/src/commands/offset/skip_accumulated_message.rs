//! `skipAccumulatedMessage`: moves a group to the end of a topic.

use super::reset::{self, END, Moved, Wanted};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("g", "group", "set the consumer group"),
    CommandOption::required("t", "topic", "set the topic"),
    CommandOption::optional("f", "force", "set the force rollback by timestamp switch[true|false]"),
    CommandOption::optional("c", "cluster", "Cluster name or lmq parent topic, lmq is used to find the route."),
];

commands! {
    /// Moves a group to the end.
    SkipAccumulatedMessage =
        "skipAccumulatedMessage",
        "Skip all messages that are accumulated (not consumed) currently.",
        OPTIONS,
        skip,
        has_tables, changes;
}

static STEPS: Style = Style {
    name: "queues",
    head: "%-20s  %-20s  %-20s  %-20s  %-20s  %-20s%n",
    row: "%-20.32s  %-20s  %-20s  %-20s  %-20s  %-20s%n",
    columns: &[
        Column::new("brokerName", "#brokerName"),
        Column::new("queueId", "#queueId"),
        Column::new("brokerOffset", "#brokerOffset"),
        Column::new("consumerOffset", "#consumerOffset"),
        Column::new("timestampOffset", "#timestampOffset"),
        Column::new("rollbackOffset", "#rollbackOffset"),
    ],
};

async fn skip(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let table = match reset::reset(&Wanted::read(arguments, END)?, session).await? {
        Moved::ByBrokers(queues) => reset::table(&queues),
        Moved::FromHere(steps) => reset::steps_table(&STEPS, &steps),
    };
    Ok(session.print(&Document::of(table))?)
}
