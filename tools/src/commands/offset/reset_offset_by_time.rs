//! `resetOffsetByTime`: moves a group to a time, or in one queue to an offset.

use anyhow::anyhow;
use boostermq_remoting::names::QueueId;

use super::reset::{self, Moved, Wanted};
use crate::command::{Session, commands};
use crate::consumer::{self, Queue};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style};
use crate::producer::now_ms;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("g", "group", "set the consumer group"),
    CommandOption::required("t", "topic", "set the topic"),
    CommandOption::required("s", "timestamp", "set the timestamp[now|currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("f", "force", "set the force rollback by timestamp switch[true|false]. Deprecated."),
    CommandOption::optional("b", "broker", "broker addr"),
    CommandOption::optional("q", "queue", "queue id"),
    CommandOption::optional("o", "offset", "Expect queue offset, not support old version broker"),
    CommandOption::optional("c", "cluster", "Cluster name or lmq parent topic, lmq is used to find the route."),
];

commands! {
    /// Moves a group.
    ResetOffsetByTime =
        "resetOffsetByTime",
        "Reset consumer offset by timestamp(without client restart).",
        OPTIONS,
        move_group,
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
        Column::new("resetOffset", "#resetOffset"),
    ],
};

async fn move_group(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let text = arguments.required("s")?;
    let time_ms = match text {
        "now" => now_ms(),
        _ => arguments.time_ms("s")?.unwrap_or_default(),
    };
    let wanted = Wanted::read(arguments, time_ms)?;
    let queue: Option<i32> = arguments.number("q")?;
    if let (Some(address), Some(queue_id)) = (arguments.text("b"), queue.and_then(QueueId::from_wire)) {
        return move_in_queue(&wanted, address, queue_id, arguments.number("o")?, text, session).await;
    }
    let moved = reset::reset(&wanted, session).await?;
    let Wanted { group, topic, is_forced, .. } = &wanted;
    let mut document = Document::new();
    match moved {
        Moved::ByBrokers(queues) => {
            document.line(format!(
                "start reset consumer offset by specified, group[{group}], topic[{topic}], force[{is_forced}], \
                 timestamp(string)[{text}], timestamp(long)[{time_ms}]"
            ));
            document.table(reset::table(&queues));
        }
        Moved::FromHere(steps) => {
            document.line(format!(
                "reset consumer offset by specified consumerGroup[{group}], topic[{topic}], force[{is_forced}], \
                 timestamp(string)[{text}], timestamp(long)[{time_ms}]"
            ));
            document.table(reset::steps_table(&STEPS, &steps));
        }
    }
    Ok(session.print(&document)?)
}

async fn move_in_queue(
    wanted: &Wanted<'_>,
    address: &str,
    queue_id: QueueId,
    offset: Option<i64>,
    text: &str,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let Wanted { group, topic, time_ms, .. } = wanted;
    let queue = Queue { topic: topic.clone(), broker_name: String::new(), queue_id, address: address.to_owned() };
    let offset = match offset {
        Some(offset) => offset,
        None => consumer::offset_at(&session.admin, &queue, *time_ms).await?,
    };
    if offset < 0 {
        return Err(anyhow!("-o must be an offset from 0 on, not {offset}"));
    }
    // Upstream says that it moves the group to 0, but does not.
    reset::reset_queue(&session.admin, address, group, topic, queue_id, offset).await?;
    let mut document = Document::new();
    document.line(format!(
        "start reset consumer offset by specified, group[{group}], topic[{topic}], queueId[{queue_id}], \
         broker[{address}], timestamp(string)[{text}], timestamp(long)[{time_ms}]"
    ));
    document.field("offset", offset, format!("reset consumer offset to {offset}"));
    Ok(session.print(&document)?)
}
