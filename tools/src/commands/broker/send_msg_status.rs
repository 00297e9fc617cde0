//! `sendMsgStatus`: sends messages to the topic named after a broker and prints how long each took.

use std::time::Instant;

use boostermq_remoting::message::properties::PropertyMap;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::producer::{Outgoing, Producer, Target};
use crate::show;

/// Group in whose name messages are sent.
const GROUP: &str = "PID_SMSC";
/// Messages that are sent when `-c` says nothing.
const DEFAULT_COUNT: usize = 50;
/// Bytes of each when `-s` says nothing.
const DEFAULT_SIZE: usize = 128;
/// Bytes of the first message, which is not counted.
const FIRST_SIZE: usize = 16;
/// Longest body that is sent: upstream's limit of a message.
const SIZE_LIMIT: usize = 4 << 20;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("b", "brokerName", "Broker Name e.g. clusterName_brokerName as DefaultCluster_broker-a"),
    CommandOption::optional("s", "messageSize", "Message Size, Default: 128"),
    CommandOption::optional("c", "count", "send message count, Default: 50"),
];

commands! {
    /// Sends messages to a broker.
    SendMsgStatus = "sendMsgStatus", "Send msg to broker.", OPTIONS, send;
}

async fn send(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let broker = arguments.required("b")?;
    let size: usize = arguments.number("s")?.unwrap_or(DEFAULT_SIZE);
    let count = arguments.number("c")?.unwrap_or(DEFAULT_COUNT);
    anyhow::ensure!(size <= SIZE_LIMIT, "-s must be at most {SIZE_LIMIT} bytes, not {size}");
    let producer = Producer::new(&session.admin, GROUP.to_owned());
    producer.send(message(broker, FIRST_SIZE), Target::Any).await?;
    for _ in 0..count {
        let begin = Instant::now();
        let sent = producer.send(message(broker, size), Target::Any).await?;
        let text = show::sent_text(broker, &sent);
        writeln!(session.out, "rt={}ms, SendResult={text}", begin.elapsed().as_millis())?;
    }
    Ok(())
}

fn message(topic: &str, size: usize) -> Outgoing {
    const PATTERN: &[u8] = b"hello jodie";
    // Upstream repeats its text until the size is reached.
    let mut body = Vec::with_capacity(size + PATTERN.len());
    while body.len() < size {
        body.extend_from_slice(PATTERN);
    }
    Outgoing { topic: topic.to_owned(), body, flag: 0, properties: PropertyMap::new() }
}
