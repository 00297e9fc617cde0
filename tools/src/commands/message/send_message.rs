//! `sendMessage`: sends one message.

use std::io::{self, Write};

use anyhow::bail;
use boostermq_remoting::message::properties::PropertyMap;
use boostermq_remoting::message::property_name;

use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
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

/// Sends one message and prints where it went.
pub struct SendMessage;

impl SubCommand for SendMessage {
    fn name(&self) -> &'static str {
        "sendMessage"
    }

    fn description(&self) -> &'static str {
        "Send a message."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(send(arguments, session))
    }
}

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
    Ok(print(session.out, &sent)?)
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

fn print(out: &mut dyn Write, sent: &Sent) -> io::Result<()> {
    writeln!(out, "{:<32}  {:<4}  {:<20}    #MsgId", "#Broker Name", "#QID", "#Send Result")?;
    writeln!(out, "{:<32}  {:<4}  {:<20}    {}", sent.broker_name, sent.queue_id, sent.status, sent.message_id)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(printed(|out| print(out, &sent)), golden("sendMessage"));
    }
}
