//! `consumeMessage`: prints messages of a topic, of one queue, or of a stretch of time, and commits nothing.

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;

use crate::command::{Running, Session, SubCommand};
use crate::consumer::{self, PullStatus, Queue, TOOLS_GROUP};
use crate::options::{Arguments, CommandOption};
use crate::producer::now_ms;
use crate::show;

/// Messages that are printed when `-c` says nothing.
const DEFAULT_COUNT: i64 = 128;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "Topic name"),
    CommandOption::optional("b", "brokerName", "Broker name"),
    CommandOption::optional("i", "queueId", "Queue Id"),
    CommandOption::optional("o", "offset", "Queue offset"),
    CommandOption::optional("g", "consumerGroup", "Consumer group name"),
    CommandOption::optional("s", "beginTimestamp ", "Begin timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("e", "endTimestamp ", "End timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("c", "MessageNumber", "Number of message to be consumed"),
];

/// Prints messages.
pub struct ConsumeMessage;

impl SubCommand for ConsumeMessage {
    fn name(&self) -> &'static str {
        "consumeMessage"
    }

    fn description(&self) -> &'static str {
        "Consume message."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(consume(arguments, session))
    }
}

/// What is to be printed.
struct Wanted<'a> {
    topic: &'a str,
    group: &'a str,
    /// One queue on a broker.
    queue: Option<(&'a str, u32)>,
    offset: i64,
    begin_ms: Option<i64>,
    end_ms: Option<i64>,
    count: i64,
}

async fn consume(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let wanted = Wanted {
        topic: arguments.required("t")?,
        group: arguments.text("g").unwrap_or(TOOLS_GROUP),
        queue: arguments.text("b").zip(arguments.number("i")?),
        offset: arguments.number("o")?.unwrap_or_default(),
        begin_ms: arguments.time_ms("s")?,
        end_ms: arguments.time_ms("e")?,
        count: arguments.number("c")?.unwrap_or(DEFAULT_COUNT),
    };
    if let Some(objection) = objection(arguments, &wanted, now_ms()) {
        session.fail();
        return Ok(writeln!(session.out, "{objection}")?);
    }
    match wanted.queue {
        None => consume_topic(&wanted, session).await,
        Some((broker_name, queue_id)) => {
            let queue_id = QueueId(queue_id);
            let queue = consumer::queue(&session.admin, wanted.topic, broker_name, queue_id).await?;
            consume_queue(&wanted, &queue, session).await
        }
    }
}

/// What is wrong with the options, in upstream's words.
fn objection(arguments: &Arguments, wanted: &Wanted<'_>, now_ms: i64) -> Option<&'static str> {
    let begin_ms = wanted.begin_ms.unwrap_or_default();
    let rules = [
        (wanted.count <= 0, "Please input a positive messageNumber!"),
        (arguments.has("i") && !arguments.has("b"), "Please set the brokerName before queueId!"),
        (arguments.has("o") && !arguments.has("i"), "Please set queueId before offset!"),
        (begin_ms > now_ms, "Please set the beginTimestamp before now!"),
        (wanted.end_ms.is_some_and(|end| end > now_ms), "Please set the endTimestamp before now!"),
        (
            wanted.end_ms.is_some_and(|end| begin_ms > end),
            "Please make sure that the beginTimestamp is less than or equal to the endTimestamp",
        ),
    ];
    rules.into_iter().find(|(is_broken, _)| *is_broken).map(|(_, text)| text)
}

async fn consume_topic(wanted: &Wanted<'_>, session: &mut Session<'_>) -> anyhow::Result<()> {
    let mut left = wanted.count;
    for queue in consumer::queues(&session.admin, wanted.topic).await? {
        if left <= 0 {
            break;
        }
        let (begin, mut end) = range(wanted, &queue, session).await?;
        // Upstream also counts each queue as one message, and goes on with less than none.
        if end - begin > left {
            writeln!(session.out, "The older {left} message of the {} queue will be provided", queue.queue_id)?;
            end = begin + left - 1;
            left = 0;
        } else {
            left -= (end - begin).max(0);
        }
        pull(wanted, &queue, begin, end, session).await?;
    }
    Ok(())
}

async fn consume_queue(wanted: &Wanted<'_>, queue: &Queue, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (begin, mut end) = range(wanted, queue, session).await?;
    if wanted.offset > end {
        return Ok(writeln!(session.out, "{queue} no matched msg, offset={}", wanted.offset)?);
    }
    let begin = begin.max(wanted.offset);
    if end - begin > wanted.count {
        writeln!(session.out, "The oldler {} message will be provided", wanted.count)?;
        end = begin + wanted.count - 1;
    }
    pull(wanted, queue, begin, end, session).await
}

/// First and last offset to be asked for; the last is that after the last message unless a time says otherwise.
async fn range(wanted: &Wanted<'_>, queue: &Queue, session: &Session<'_>) -> anyhow::Result<(i64, i64)> {
    let admin = &session.admin;
    let begin = match wanted.begin_ms.filter(|begin| *begin > 0) {
        Some(time_ms) => consumer::offset_at(admin, queue, time_ms).await?,
        None => consumer::min_offset(admin, queue).await?,
    };
    let end = match wanted.end_ms.filter(|end| *end > 0) {
        Some(time_ms) => consumer::offset_at(admin, queue, time_ms).await?,
        None => consumer::max_offset(admin, queue).await?,
    };
    Ok((begin, end))
}

async fn pull(
    wanted: &Wanted<'_>,
    queue: &Queue,
    begin: i64,
    end: i64,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let mut offset = begin;
    while offset <= end {
        let count = end - offset + 1;
        let pulled = consumer::pull(&session.admin, wanted.group, queue, QueueOffset(offset), count).await?;
        match pulled.status {
            PullStatus::Found => {
                writeln!(session.out, "Consume ok")?;
                show::print_pulled(session.out, &pulled.messages, &queue.broker_name)?;
            }
            PullStatus::NoMatchedMessage => {
                let (status, next) = (pulled.status, pulled.next_offset);
                writeln!(session.out, "{queue} no matched msg. status={status}, offset={next}")?;
            }
            PullStatus::NoNewMessage | PullStatus::OffsetIllegal => {
                let (status, next) = (pulled.status, pulled.next_offset);
                writeln!(session.out, "{queue} print msg finished. status={status}, offset={next}")?;
                break;
            }
        }
        // A broker that does not lead on would be asked forever.
        offset = pulled.next_offset.max(offset + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
