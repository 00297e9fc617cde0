//! The page that `find` prints: one block for each message.

use boostermq_remoting::message::{Message, property_name};

use super::delivery::{Delivery, GroupLine};
use super::life::{Life, Outcome, Role, Timing};
use crate::output::{Cell, Column, Document, Style, Table, Value};
use crate::{print, show};

static GROUPS: Style = Style {
    name: "",
    head: "",
    row: "",
    columns: &[
        Column::new("group", "#Group"),
        Column::new("state", "#State"),
        Column::new("before", "#Before it"),
        Column::new("committedOffset", "#Committed"),
        Column::new("consumersOnline", "#Online"),
        Column::new("retries", "#Retries"),
        Column::new("isDeadLetter", "#Dead letter"),
    ],
};

static COPIES: Style = Style {
    name: "",
    head: "",
    row: "",
    columns: &[
        Column::new("kind", "#Copy"),
        Column::new("storeTimestamp", "#Stored"),
        Column::new("topic", "#Topic"),
        Column::new("broker", "#Broker"),
        Column::new("queueId", "#QID"),
        Column::new("queueOffset", "#Offset"),
        Column::new("reconsumeTimes", "#Tries"),
        Column::new("offsetId", "#Offset ID"),
    ],
};

/// Everything that is known of one message.
pub(super) struct Entry {
    pub(super) life: Life,
    /// Names of brokers by address.
    pub(super) groups: Vec<GroupLine>,
    pub(super) outcome: Option<Outcome>,
    pub(super) timing: Option<Timing>,
}

/// The page. `broker` gives the name of the broker at an address, `omitted` says how many messages are not shown.
pub(super) fn page(entries: &[Entry], broker: impl Fn(&Message) -> String, omitted: usize) -> Document {
    let mut document = Document::new();
    let mut values = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            document.line("");
        }
        values.push(block(&mut document, entry, &broker));
    }
    if omitted > 0 {
        document.line("").line(format!("{omitted} more messages have this key: use -t, -m, -b and -e to see them."));
    }
    document.hidden("messages", Value::List(values)).hidden("omitted", omitted);
    document
}

fn block(document: &mut Document, entry: &Entry, broker: &impl Fn(&Message) -> String) -> Value {
    let life = &entry.life;
    let Some(message) = life.message() else { return Value::Null };
    let mut members: Vec<(String, Value)> = Vec::new();
    document.line(format!("Message {}", life.id));
    let mut field = |name: &str, value: Value, label: &str, text: &str| {
        document.line(format!("  {label:<12} {text}"));
        members.push((name.to_owned(), value));
    };
    field("id", life.id.as_str().into(), "id", &life.id);
    field("topic", life.topic().into(), "topic", life.topic().unwrap_or_default());
    let place = format!(
        "{}, broker {} ({}), queue {}, offset {}, log position {}",
        print::local_time(message.store_timestamp),
        broker(message),
        message.store_host,
        message.queue_id,
        message.queue_offset,
        message.physical_offset,
    );
    let is_stored = Role::of(message) == Role::Stored;
    let label = if is_stored { "stored" } else { "held back" };
    field("isStored", is_stored.into(), label, &place);
    let offset_id = message.offset_id().to_string();
    field("offsetId", offset_id.as_str().into(), "offset id", &offset_id);
    let born = format!("{} at {}", print::local_time(message.born_timestamp), message.born_host);
    field("bornTimestamp", message.born_timestamp.into(), "born", &born);
    let size = format!("{} bytes stored, body {} bytes", message.store_size, message.body.len());
    field("storeSize", message.store_size.into(), "size", &size);
    field("tags", message.tags().into(), "tags", message.tags().unwrap_or("none"));
    field("keys", message.keys().into(), "keys", message.keys().unwrap_or("none"));
    let properties = message.properties.iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
    field("properties", Value::Object(properties.collect()), "properties", &show::properties_text(message));
    if let Some(outcome) = entry.outcome {
        field("transaction", outcome_name(outcome).into(), "transaction", &outcome_text(outcome, life));
    }
    if let Some(timing) = entry.timing {
        field("timer", timing_name(timing).into(), "timer", &timing_text(timing));
    }
    let groups = groups(&entry.groups);
    let copies = copies(life, broker);
    let more: [(&str, Value); 8] = [
        ("storeTimestamp", message.store_timestamp.into()),
        ("broker", broker(message).into()),
        ("storeHost", message.store_host.to_string().into()),
        ("queueId", message.queue_id.to_wire().into()),
        ("queueOffset", message.queue_offset.0.into()),
        ("physicalOffset", message.physical_offset.0.into()),
        ("bornHost", message.born_host.to_string().into()),
        ("bodySize", message.body.len().into()),
    ];
    members.extend(more.map(|(name, value)| (name.to_owned(), value)));
    members.push(("groups".to_owned(), Value::List(groups.values())));
    members.push(("copies".to_owned(), Value::List(copies.values())));
    document.line("");
    if !is_stored {
        document.line("It is not in its topic, so no group has it.");
    } else if entry.groups.is_empty() {
        document.line("No group consumes its topic.");
    } else {
        document.table(groups);
    }
    if life.copies.len() > 1 {
        document.line("").table(copies);
    }
    Value::Object(members)
}

fn groups(lines: &[GroupLine]) -> Table {
    let mut table = Table::new(&GROUPS);
    for line in lines {
        let state = match &line.delivery {
            Ok(delivery) => delivery.text(),
            Err(reason) => format!("not known: {reason}"),
        };
        let before = match line.delivery {
            Ok(Delivery::Waiting { before }) => Some(before),
            _ => None,
        };
        table.row([
            line.group.as_str().into(),
            state.into(),
            before.into(),
            line.committed.into(),
            line.online.into(),
            line.retries.into(),
            Cell::shown(if line.is_dead { "yes" } else { "" }, line.is_dead),
        ]);
    }
    table
}

fn copies(life: &Life, broker: &impl Fn(&Message) -> String) -> Table {
    let mut table = Table::new(&COPIES);
    for (role, message) in &life.copies {
        table.row([
            role.name().into(),
            Cell::time(message.store_timestamp),
            message.topic.as_str().into(),
            broker(message).into(),
            message.queue_id.to_wire().into(),
            message.queue_offset.0.into(),
            message.reconsume_times.into(),
            message.offset_id().to_string().into(),
        ]);
    }
    table
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Committed => "committed",
        Outcome::RolledBack => "rolledBack",
        Outcome::Open { .. } => "open",
        Outcome::GivenUp => "givenUp",
        Outcome::Unknown => "unknown",
    }
}

fn outcome_text(outcome: Outcome, life: &Life) -> String {
    let half = life.of_role(&Role::Half).next();
    let group = half.and_then(|half| half.properties.get(property_name::PGROUP)).unwrap_or("its producer group");
    let prepared = half.map(|half| print::local_time(half.store_timestamp)).unwrap_or_default();
    match outcome {
        Outcome::Committed => format!("committed; prepared {prepared}"),
        Outcome::RolledBack => format!("rolled back; prepared {prepared}"),
        Outcome::Open { checks } => {
            format!("open since {prepared}: {group} was asked {checks} times; see that its producers run and answer")
        }
        Outcome::GivenUp => format!("given up: {group} never answered; the message is in TRANS_CHECK_MAX_TIME_TOPIC"),
        Outcome::Unknown => format!("prepared {prepared}; the broker did not say what became of it"),
    }
}

const fn timing_name(timing: Timing) -> &'static str {
    match timing {
        Timing::Delivered { .. } => "delivered",
        Timing::Waiting { .. } => "waiting",
        Timing::Overdue { .. } => "overdue",
    }
}

fn timing_text(timing: Timing) -> String {
    match timing {
        Timing::Delivered { late_ms: Some(late_ms) } => format!("delivered {late_ms} ms after its time"),
        Timing::Delivered { late_ms: None } => "delivered".to_owned(),
        Timing::Waiting { at_ms: Some(at_ms), .. } => format!("waits until {}", print::local_time(at_ms)),
        Timing::Waiting { at_ms: None, level } => format!("waits for delay level {level}"),
        Timing::Overdue { at_ms } => format!(
            "its time was {}: it was called back, or the timer is behind (see clusterList, #Timer)",
            print::local_time(at_ms)
        ),
    }
}
