//! `checkMsgSendRT`: sends messages to the queues of a topic in turn and prints how long each took.

use std::time::Instant;

use boostermq_remoting::message::properties::PropertyMap;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Format, Style, Table};
use crate::producer::{Outgoing, Producer, Target, now_ms};

/// Messages that are sent when `-a` says nothing.
const DEFAULT_COUNT: usize = 100;
/// Bytes of each when `-s` says nothing.
const DEFAULT_SIZE: usize = 128;
/// Longest body that is sent: upstream's limit of a message.
const SIZE_LIMIT: usize = 4 << 20;
/// Messages whose lines are printed together, so that text needs no more memory for many.
const LINES: usize = 1000;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("a", "amount", "message amount | default 100"),
    CommandOption::optional("s", "size", "message size | default 128 Byte"),
];

commands! {
    /// Measures sends.
    CheckMsgSendRt = "checkMsgSendRT", "Check message send response time.", OPTIONS, check, has_tables, changes;
}

static SENDS: Style = Style {
    name: "sends",
    head: "%-32s  %-4s  %-20s    %s%n",
    row: "%-32s  %-4s  %-20s    %s%n",
    columns: &[
        Column::new("brokerName", "#Broker Name"),
        Column::new("queueId", "#QID"),
        Column::new("isStored", "#Send Result"),
        Column::new("timeMs", "#RT"),
        Column::wide("error", "#Error"),
    ],
};

async fn check(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = arguments.required("t")?;
    let count: usize = arguments.number("a")?.unwrap_or(DEFAULT_COUNT);
    let size: usize = arguments.number("s")?.unwrap_or(DEFAULT_SIZE);
    anyhow::ensure!((1..=SIZE_LIMIT).contains(&size), "-s must be between 1 and {SIZE_LIMIT} bytes, not {size}");
    let producer = Producer::new(&session.admin, now_ms().to_string());
    let places = producer.places(topic, Target::Any).await?;
    anyhow::ensure!(!places.is_empty(), "no queue of {topic} takes messages: see topicRoute");
    let mut times_ms = Vec::with_capacity(count.min(1 << 16));
    let (mut table, mut last) = (Table::new(&SENDS), None);
    for (index, place) in places.iter().cycle().take(count).enumerate() {
        if index % LINES == LINES - 1 && session.format() == Format::Text {
            let printed = std::mem::replace(&mut table, Table::new(&SENDS).without_head());
            Document::of(printed).write(Format::Text, session.out)?;
        }
        let message =
            Outgoing { topic: topic.to_owned(), body: vec![b'a'; size], flag: 0, properties: PropertyMap::new() };
        let begin = Instant::now();
        let sent = producer.send_to(message, place).await;
        let time_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        times_ms.push(time_ms);
        let error = sent.err();
        table.row([
            Cell::from(&place.broker_name),
            place.queue_id.into(),
            error.is_none().into(),
            time_ms.into(),
            error.as_ref().map(|error| format!("{error:#}")).into(),
        ]);
        last = error.or(last);
    }
    let average = average(&times_ms);
    let mut document = Document::of(table);
    document.field("averageMs", average, format!("Avg RT: {average:.2}"));
    session.print(&document)?;
    if let Some(error) = last {
        session.complain(&format_args!("checkMsgSendRT: some messages were not stored, the last because {error:#}"));
    }
    Ok(())
}

/// The average without the first, which opens the connection.
fn average(times_ms: &[u64]) -> f64 {
    match times_ms {
        [_, rest @ ..] if !rest.is_empty() => rest.iter().sum::<u64>() as f64 / rest.len() as f64,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::average;

    #[test]
    fn the_first_is_not_counted() {
        for (times_ms, text) in [(&[1076, 9, 9][..], "9.00"), (&[1076], "NaN"), (&[], "NaN")] {
            assert_eq!(format!("{:.2}", average(times_ms)), text, "{times_ms:?}");
        }
    }
}
