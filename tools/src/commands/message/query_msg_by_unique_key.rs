//! `queryMsgByUniqueKey`: shows the messages with a unique key, or has a consumer consume one.

use crate::command::{Running, Session, SubCommand};
use crate::direct;
use crate::options::{Arguments, CommandOption};
use crate::query::{self, Key, Query};
use crate::{show, track};

/// Most messages that are shown.
const LIMIT: i32 = 32;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("i", "msgId", "Message Id"),
    CommandOption::optional("g", "consumerGroup", "consumer group name"),
    CommandOption::optional("d", "clientId", "The consumer's client id"),
    CommandOption::required("t", "topic", "The topic of msg"),
    CommandOption::flag("a", "showAll", "Print all message, the limit is 32"),
    CommandOption::optional("c", "cluster", "Cluster name or lmq parent topic, lmq is used to find the route."),
    CommandOption::optional("s", "startTime", "startTime"),
    CommandOption::optional("e", "endTime", "endTime"),
];

/// Shows messages by unique key.
pub struct QueryMsgByUniqueKey;

impl SubCommand for QueryMsgByUniqueKey {
    fn name(&self) -> &'static str {
        "queryMsgByUniqueKey"
    }

    fn description(&self) -> &'static str {
        "Query Message by Unique key."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(query(arguments, session))
    }
}

async fn query(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (topic, id) = (arguments.required("t")?, arguments.required("i")?);
    if let (Some(group), Some(client_id)) = (arguments.text("g"), arguments.text("d")) {
        return push(session, arguments.text("c"), group, client_id, topic, id).await;
    }
    let query = Query {
        topic,
        cluster: arguments.text("c"),
        key: Key::Unique(id),
        limit: LIMIT,
        // Upstream looks at the last day and a half only; here the index is searched whole.
        begin_ms: arguments.number("s")?.unwrap_or_default(),
        end_ms: arguments.number("e")?.unwrap_or(i64::MAX),
    };
    let mut found = query::by_key(&session.admin, &query).await?;
    found.messages.sort_by_key(|message| message.store_timestamp);
    let shown = if arguments.has("a") { found.messages.len() } else { 1 };
    for (index, message) in found.messages.iter().take(shown).enumerate() {
        let path = show::save_body(message, index)?;
        show::print_labelled(session.out, message, false, &path)?;
        // Upstream ends none of these with a line feed.
        match track::tracks(&session.admin, message).await {
            Ok(tracks) if tracks.is_empty() => write!(session.out, "\n\nWARN: No Consumer")?,
            Ok(tracks) => {
                let texts: Vec<String> = tracks.iter().map(ToString::to_string).collect();
                write!(session.out, "\n\n{}", texts.concat())?;
            }
            Err(error) => {
                session.complain(&format_args!("queryMsgByUniqueKey: who consumed it is not known: {error:#}"))
            }
        }
    }
    for (address, error) in &found.unasked {
        session.complain(&format_args!("queryMsgByUniqueKey: {address} may hold more: {error}"));
    }
    Ok(())
}

async fn push(
    session: &mut Session<'_>,
    cluster: Option<&str>,
    group: &str,
    client_id: &str,
    topic: &str,
    id: &str,
) -> anyhow::Result<()> {
    match direct::is_push_consumer(&session.admin, group, client_id).await {
        Ok(true) => {
            let result = direct::consume(&session.admin, cluster, group, client_id, topic, id).await?;
            return Ok(write!(session.out, "{result}")?);
        }
        Ok(false) => session.fail(),
        Err(error) => {
            writeln!(session.out, "get consumer runtime info for {client_id} client failed ")?;
            session.complain(&format_args!("queryMsgByUniqueKey: {error:#}"));
        }
    }
    writeln!(
        session.out,
        "get consumer info failed or this {client_id} client is not push consumer, not support direct push "
    )?;
    Ok(())
}
