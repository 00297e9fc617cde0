//! `queryMsgByKey`: lists the messages with a key or a tag.

use std::io::{self, Write};

use boostermq_remoting::message::Message;

use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
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

/// Lists messages by key.
pub struct QueryMsgByKey;

impl SubCommand for QueryMsgByKey {
    fn name(&self) -> &'static str {
        "queryMsgByKey"
    }

    fn description(&self) -> &'static str {
        "Query Message by Key."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(list(arguments, session))
    }
}

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
    print(session.out, key, index, &found.messages)?;
    for (address, error) in &found.unasked {
        session.complain(&format_args!("queryMsgByKey: {address} may hold more: {error}"));
    }
    Ok(())
}

fn print(out: &mut dyn Write, key: &str, index: &str, found: &[Message]) -> io::Result<()> {
    writeln!(out, "{:<50} {:>4} {:>40} {:<200}", "#Message ID", "#QID", "#Offset", "#IndexKey")?;
    for message in found {
        let index_key = index_key(key, index, message);
        let (id, queue_id, offset) = (message.id(), message.queue_id.to_string(), message.queue_offset.to_string());
        writeln!(out, "{id:<50} {queue_id:>4} {offset:>40} {index_key:<200}")?;
    }
    Ok(())
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
    use crate::tests::{golden, message, printed};

    #[test]
    fn prints_as_upstream() {
        let id = "FD00000000000000000000000000000234511DBD16A66FF145DF00CF";
        let message = message(id, 1, 52, 2_286_834_634, 1_795_369_073_972);
        assert_eq!(printed(|out| print(out, "livekey", "K", &[message])), golden("queryMsgByKey"));
    }
}
