//! `checkMsgSendRT`: sends messages to the queues of a topic in turn and prints how long each took.

use std::time::Instant;

use boostermq_remoting::message::properties::PropertyMap;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::producer::{Outgoing, Producer, Target, now_ms};

/// Messages that are sent when `-a` says nothing.
const DEFAULT_COUNT: usize = 100;
/// Bytes of each when `-s` says nothing.
const DEFAULT_SIZE: usize = 128;
/// Longest body that is sent: upstream's limit of a message.
const SIZE_LIMIT: usize = 4 << 20;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("a", "amount", "message amount | default 100"),
    CommandOption::optional("s", "size", "message size | default 128 Byte"),
];

commands! {
    /// Measures sends.
    CheckMsgSendRt = "checkMsgSendRT", "Check message send response time.", OPTIONS, check;
}

async fn check(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = arguments.required("t")?;
    let count: usize = arguments.number("a")?.unwrap_or(DEFAULT_COUNT);
    let size: usize = arguments.number("s")?.unwrap_or(DEFAULT_SIZE);
    anyhow::ensure!((1..=SIZE_LIMIT).contains(&size), "-s must be between 1 and {SIZE_LIMIT} bytes, not {size}");
    let producer = Producer::new(&session.admin, now_ms().to_string());
    let places = producer.places(topic, Target::Any).await?;
    anyhow::ensure!(!places.is_empty(), "no queue of {topic} takes messages: see topicRoute");
    writeln!(session.out, "{:<32}  {:<4}  {:<20}    #RT", "#Broker Name", "#QID", "#Send Result")?;
    let mut times_ms = Vec::with_capacity(count.min(1 << 16));
    let mut last = None;
    for place in places.iter().cycle().take(count) {
        let message =
            Outgoing { topic: topic.to_owned(), body: vec![b'a'; size], flag: 0, properties: PropertyMap::new() };
        let begin = Instant::now();
        let sent = producer.send_to(message, place).await;
        let time_ms = begin.elapsed().as_millis();
        times_ms.push(time_ms);
        let is_sent = sent.is_ok();
        writeln!(session.out, "{:<32}  {:<4}  {is_sent:<20}    {time_ms}", place.broker_name, place.queue_id)?;
        last = sent.err().or(last);
    }
    writeln!(session.out, "Avg RT: {}", average(&times_ms))?;
    if let Some(error) = last {
        session.complain(&format_args!("checkMsgSendRT: some messages were not stored, the last because {error:#}"));
    }
    Ok(())
}

/// The average without the first, which opens the connection.
fn average(times_ms: &[u128]) -> String {
    match times_ms {
        [_, rest @ ..] if !rest.is_empty() => {
            format!("{:.2}", rest.iter().sum::<u128>() as f64 / rest.len() as f64)
        }
        _ => "NaN".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::average;

    #[test]
    fn the_first_is_not_counted() {
        assert_eq!(average(&[1076, 9, 9]), "9.00");
        assert_eq!(average(&[1076]), "NaN");
        assert_eq!(average(&[]), "NaN");
    }
}
