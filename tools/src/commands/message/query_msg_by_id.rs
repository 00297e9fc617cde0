//! `queryMsgById`: shows messages by offset id or unique key, sends them once more, or has a consumer consume them.

use anyhow::bail;
use boostermq_remoting::message::Message;

use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
use crate::producer::{Outgoing, Producer, Target};
use crate::{direct, query, show, track};

/// Group in whose name messages are sent once more.
const RESEND_GROUP: &str = "ReSendMsgById";

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("i", "msgId", "Message Id"),
    CommandOption::optional("g", "consumerGroup", "consumer group name"),
    CommandOption::optional("d", "clientId", "The consumer's client id"),
    CommandOption::optional("s", "sendMessage", "resend message"),
    CommandOption::optional("u", "unitName", "unit name"),
    CommandOption::optional("f", "bodyFormat", "print message body by the specified format"),
    CommandOption::optional("c", "cluster", "Cluster name or lmq parent topic, lmq is used to find the route."),
];

/// Shows messages by id.
pub struct QueryMsgById;

impl SubCommand for QueryMsgById {
    fn name(&self) -> &'static str {
        "queryMsgById"
    }

    fn description(&self) -> &'static str {
        "Query Message by Id."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(query(arguments, session))
    }
}

async fn query(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (topic, cluster) = (arguments.required("t")?, arguments.text("c"));
    let format = arguments.text("f");
    check_format(format)?;
    for id in arguments.required("i")?.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        if let (Some(group), Some(client_id)) = (arguments.text("g"), arguments.text("d")) {
            push(session, cluster, group, client_id, topic, id).await?;
        } else if arguments.has("s") {
            if arguments.truth("s") {
                resend(session, cluster, topic, id).await?;
            }
        } else {
            show(session, cluster, topic, id, format.is_some()).await?;
        }
    }
    Ok(())
}

/// Refuses charsets in which bodies cannot be shown.
pub(super) fn check_format(charset: Option<&str>) -> anyhow::Result<()> {
    match charset.filter(|name| !show::is_utf8(name)) {
        Some(other) => bail!("bodies are shown as UTF-8, not as {other}: read the file in which the body is saved"),
        None => Ok(()),
    }
}

async fn show(
    session: &mut Session<'_>,
    cluster: Option<&str>,
    topic: &str,
    id: &str,
    shows_body: bool,
) -> anyhow::Result<()> {
    let message = query::by_id(&session.admin, topic, cluster, id).await?;
    print(session, &message, shows_body).await
}

/// Prints a message, where its body is saved, and what became of it in every group.
pub(super) async fn print(session: &mut Session<'_>, message: &Message, shows_body: bool) -> anyhow::Result<()> {
    let path = show::save_body(message, 0)?;
    show::print_labelled(session.out, message, true, &path)?;
    if shows_body {
        writeln!(session.out, "{:<20} {}", "Message Body:", String::from_utf8_lossy(&message.body))?;
    }
    match track::tracks(&session.admin, message).await {
        // Upstream ends this without a line feed.
        Ok(tracks) if tracks.is_empty() => write!(session.out, "\n\nWARN: No Consumer")?,
        Ok(tracks) => {
            write!(session.out, "\n\n")?;
            for track in tracks {
                writeln!(session.out, "{track}")?;
            }
        }
        Err(error) => session.complain(&format_args!("who consumed it is not known: {error:#}")),
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
    if direct::is_push_consumer(&session.admin, group, client_id).await? {
        let result = direct::consume(&session.admin, cluster, group, client_id, topic, id).await?;
        write!(session.out, "{result}")?;
    } else {
        session.fail();
        writeln!(session.out, "this {client_id} client is not push consumer ,not support direct push ")?;
    }
    Ok(())
}

async fn resend(session: &mut Session<'_>, cluster: Option<&str>, topic: &str, id: &str) -> anyhow::Result<()> {
    let message = query::by_id(&session.admin, topic, cluster, id).await?;
    write!(session.out, "prepare resend msg. originalMsgId={id}")?;
    let outgoing = Outgoing {
        topic: message.topic.clone(),
        body: message.body,
        flag: message.flag,
        properties: message.properties,
    };
    let producer = Producer::new(&session.admin, RESEND_GROUP.to_owned());
    let sent = producer.send(outgoing, Target::Any).await?;
    write!(session.out, "{}", show::sent_text(&message.topic, &sent))?;
    Ok(())
}
