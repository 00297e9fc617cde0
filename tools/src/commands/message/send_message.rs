//! `sendMessage`: sends one message.

use anyhow::bail;
use boostermq_remoting::message::properties::PropertyMap;
use boostermq_remoting::message::property_name;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style, Table};
use crate::producer::{Outgoing, Producer, Sent, Target, now_ms};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "Topic name"),
    CommandOption::required("p", "body", "UTF-8 string format of the message body"),
    CommandOption::optional("k", "key", "Message keys"),
    CommandOption::optional("c", "tags", "Message tags"),
    CommandOption::optional("b", "broker", "Send message to target broker"),
    CommandOption::optional("i", "qid", "Send message to target queue"),
    CommandOption::optional("m", "msgTraceEnable", "Message Trace Enable, Default: false"),
];

commands! {
    /// Sends one message and prints where it went.
    SendMessage = "sendMessage", "Send a message.", OPTIONS, send, has_tables, changes;
}

static SENT: Style = Style {
    name: "sent",
    head: "%-32s  %-4s  %-20s    %s%n",
    row: "%-32s  %-4s  %-20s    %s%n",
    columns: &[
        Column::new("brokerName", "#Broker Name"),
        Column::new("queueId", "#QID"),
        Column::new("sendResult", "#Send Result"),
        Column::new("msgId", "#MsgId"),
        Column::wide("queueOffset", "#Offset"),
        Column::wide("offsetMsgId", "#OffsetId"),
    ],
};

async fn send(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let target = match (arguments.text("b"), arguments.number("i")?) {
        (None, None) => Target::Any,
        (Some(broker), None) => Target::Broker(broker),
        (Some(broker), Some(queue_id)) => Target::Queue(broker, queue_id),
        (None, Some(_)) => {
            session.fail();
            return Ok(writeln!(session.out, "Broker name must be set if the queue is chosen!")?);
        }
    };
    if arguments.truth("m") {
        bail!("a message trace is not sent by this tool: leave -m out");
    }
    let message = Outgoing {
        topic: arguments.required("t")?.to_owned(),
        body: arguments.required("p")?.as_bytes().to_vec(),
        flag: 0,
        properties: properties(arguments.text("k"), arguments.text("c")),
    };
    // The group is one that nobody else has, as upstream's tool takes one.
    let sent = Producer::new(&session.admin, now_ms().to_string()).send(message, target).await?;
    Ok(session.print(&Document::of(table(&sent)))?)
}

fn properties(keys: Option<&str>, tags: Option<&str>) -> PropertyMap {
    let mut properties = PropertyMap::new();
    for (name, value) in [(property_name::KEYS, keys), (property_name::TAGS, tags)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            properties.insert(name, value);
        }
    }
    properties
}

fn table(sent: &Sent) -> Table {
    let mut table = Table::new(&SENT);
    table.row([
        sent.broker_name.as_str().into(),
        sent.queue_id.into(),
        sent.status.into(),
        sent.message_id.as_str().into(),
        sent.queue_offset.into(),
        sent.offset_message_id.as_str().into(),
    ]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let sent = Sent {
            status: "SEND_OK",
            broker_name: "broker-a".to_owned(),
            queue_id: 2,
            queue_offset: 0,
            message_id: "FD0000000000000000000000000000024E7B5FFD2B276FF2B93F0000".to_owned(),
            offset_message_id: String::new(),
        };
        assert_eq!(printed(|out| Document::of(table(&sent)).write(Format::Text, out)), golden("sendMessage"));
    }
}
