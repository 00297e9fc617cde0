//! `queryMsgByKey`: lists the messages with a key or a tag.

use boostermq_remoting::message::Message;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::query::{self, Key, Query};

/// Messages that are listed when `-m` says nothing.
const DEFAULT_LIMIT: i32 = 64;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "Topic name"),
    CommandOption::required("k", "msgKey", "Message Key"),
    CommandOption::optional("b", "beginTimestamp", "Begin timestamp(ms). default:0, eg:1676730526212"),
    CommandOption::optional("e", "endTimestamp", "End timestamp(ms). default:Long.MAX_VALUE, eg:1676730526212"),
    CommandOption::optional("m", "maxNum", "The maximum number of messages returned by the query, default:64"),
    CommandOption::optional("c", "cluster", "Cluster name or lmq parent topic, lmq is used to find the route."),
    CommandOption::optional(
        "p",
        "keyType",
        "Index key type, default index key type is K, you can use K for keys OR T for tags",
    ),
    CommandOption::optional("l", "lastKey", "Last Key"),
];

commands! {
    /// Lists messages by key.
    QueryMsgByKey = "queryMsgByKey", "Query Message by Key.", OPTIONS, list, has_tables;
}

static MESSAGES: Style = Style {
    name: "messages",
    head: "%-50s %4s %40s %-200s%n",
    row: "%-50s %4s %40s %-200s%n",
    columns: &[
        Column::new("msgId", "#Message ID"),
        Column::new("queueId", "#QID"),
        Column::new("queueOffset", "#Offset"),
        Column::new("indexKey", "#IndexKey"),
        Column::wide("storeTimestamp", "#Stored"),
        Column::wide("storeHost", "#StoreHost"),
        Column::wide("tags", "#Tags"),
        Column::wide("keys", "#Keys"),
        Column::wide("storeSize", "#Size"),
    ],
};

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let key = arguments.required("k")?;
    let index = arguments.text("p").unwrap_or("K");
    let query = Query {
        topic: arguments.required("t")?,
        cluster: arguments.text("c"),
        key: Key::Of { key, index, last: arguments.text("l") },
        limit: arguments.number("m")?.unwrap_or(DEFAULT_LIMIT),
        begin_ms: arguments.number("b")?.unwrap_or_default(),
        end_ms: arguments.number("e")?.unwrap_or(i64::MAX),
    };
    let found = query::by_key(&session.admin, &query).await?;
    session.print(&Document::of(table(key, index, &found.messages)))?;
    for (address, error) in &found.unasked {
        session.complain(&format_args!("queryMsgByKey: {address} may hold more: {error}"));
    }
    Ok(())
}

fn table(key: &str, index: &str, found: &[Message]) -> Table {
    let mut table = Table::new(&MESSAGES);
    for message in found {
        table.row([
            message.id().into(),
            message.queue_id.to_wire().into(),
            message.queue_offset.0.into(),
            index_key(key, index, message).into(),
            Cell::time(message.store_timestamp),
            message.store_host.to_string().into(),
            message.tags().into(),
            message.keys().into(),
            message.store_size.into(),
        ]);
    }
    table
}

/// The key of an index on RocksDB, which `-l` takes to go on after it: hour, topic, kind, key, id, place.
fn index_key(key: &str, index: &str, message: &Message) -> String {
    const HOUR_MS: i64 = 3_600_000;
    let hour = message.store_timestamp - message.store_timestamp.rem_euclid(HOUR_MS);
    format!("{hour}@{}@{index}@{key}@{}@{}", message.topic, message.id(), message.physical_offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, message, printed};

    #[test]
    fn prints_as_upstream() {
        let id = "FD00000000000000000000000000000234511DBD16A66FF145DF00CF";
        let message = message(id, 1, 52, 2_286_834_634, 1_795_369_073_972);
        assert_eq!(
            printed(|out| Document::of(table("livekey", "K", &[message])).write(Format::Text, out)),
            golden("queryMsgByKey")
        );
    }
}
