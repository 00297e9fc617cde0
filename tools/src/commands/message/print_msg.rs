//! `printMsg`, `printMsgByQueue`: prints all messages of a topic or of one queue, or those of a stretch of time.

use std::collections::BTreeMap;

use anyhow::bail;
use boostermq_remoting::message::Message;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;

use crate::command::{Session, commands};
use crate::consumer::{self, EVERYTHING, PullStatus, Queue, TOOLS_GROUP};
use crate::options::{Arguments, CommandOption};
use crate::{print, show};

/// Messages wanted of one pull.
const BATCH: i64 = 32;

const TOPIC: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("c", "charsetName ", "CharsetName(eg: UTF-8,GBK)"),
    CommandOption::optional("s", "subExpression ", "Subscribe Expression(eg: TagA || TagB)"),
    CommandOption::optional("b", "beginTimestamp ", "Begin timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("e", "endTimestamp ", "End timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("d", "printBody ", "print body"),
    CommandOption::optional("l", "lmqParentTopic", "Lmq parent topic, lmq is used to find the route."),
];

const QUEUE: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("a", "brokerName ", "broker name"),
    CommandOption::required("i", "queueId ", "queue id"),
    CommandOption::optional("c", "charsetName ", "CharsetName(eg: UTF-8,GBK)"),
    CommandOption::optional("s", "subExpression ", "Subscribe Expression(eg: TagA || TagB)"),
    CommandOption::optional("b", "beginTimestamp ", "Begin timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("e", "endTimestamp ", "End timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"),
    CommandOption::optional("p", "print msg", "print msg. eg: true | false(default)"),
    CommandOption::optional("d", "printBody ", "print body. eg: true | false(default)"),
    CommandOption::optional("f", "calculate", "calculate by tag. eg: true | false(default)"),
];

commands! {
    /// Prints the messages of a topic.
    PrintMsg = "printMsg", "Print Message Detail.", TOPIC, print_topic;
    /// Prints the messages of a queue.
    PrintMsgByQueue = "printMsgByQueue", "Print Message Detail by queueId.", QUEUE, print_queue;
}

/// What is to be printed of each queue.
struct Wanted<'a> {
    expression: &'a str,
    begin_ms: Option<i64>,
    end_ms: Option<i64>,
    shows_messages: bool,
    shows_body: bool,
}

impl<'a> Wanted<'a> {
    fn of(arguments: &'a Arguments) -> anyhow::Result<Self> {
        if let Some(other) = arguments.text("c").filter(|name| !show::is_utf8(name)) {
            bail!("bodies are shown as UTF-8, not as {other}");
        }
        Ok(Self {
            expression: arguments.text("s").unwrap_or(EVERYTHING),
            begin_ms: arguments.time_ms("b")?,
            end_ms: arguments.time_ms("e")?,
            shows_messages: true,
            shows_body: true,
        })
    }

    /// First offset, and the one after the last.
    async fn range(&self, session: &Session<'_>, queue: &Queue) -> anyhow::Result<(i64, i64)> {
        let admin = &session.admin;
        let begin = match self.begin_ms {
            Some(time_ms) => consumer::offset_at(admin, queue, time_ms).await?,
            None => consumer::min_offset(admin, queue).await?,
        };
        let end = match self.end_ms {
            Some(time_ms) => consumer::offset_at(admin, queue, time_ms).await?,
            None => consumer::max_offset(admin, queue).await?,
        };
        Ok((begin, end))
    }

    fn print(&self, session: &mut Session<'_>, queue: &Queue, messages: &[Message]) -> anyhow::Result<()> {
        for message in messages {
            let (id, text) = (message.id(), show::message_text(message, Some(&queue.broker_name)));
            let body = String::from_utf8_lossy(&message.body);
            let body = if self.shows_body { &body } else { "NOT PRINT BODY" };
            writeln!(session.out, "MSGID: {id} {text} BODY: {body}")?;
        }
        Ok(())
    }
}

async fn print_topic(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = arguments.required("t")?;
    let mut wanted = Wanted::of(arguments)?;
    wanted.shows_body = !arguments.has("d") || arguments.truth("d");
    let mut queues = consumer::queues(&session.admin, arguments.text("l").unwrap_or(topic)).await?;
    if arguments.has("l") {
        let light = Topic::parse(topic)?;
        queues.iter_mut().for_each(|queue| queue.topic = light.clone());
    }
    let mut ranges = Vec::with_capacity(queues.len());
    for queue in &queues {
        ranges.push(wanted.range(session, queue).await?);
    }
    let total: i64 = ranges.iter().map(|(begin, end)| (end - begin).max(0)).sum();
    let mut done = 0;
    for (queue, (begin, end)) in queues.iter().zip(ranges) {
        writeln!(session.out, "minOffset={begin}, maxOffset={end}, {queue}")?;
        let mut offset = begin;
        while offset < end {
            let at = QueueOffset(offset);
            let pulled =
                consumer::pull_matching(&session.admin, TOOLS_GROUP, queue, at, BATCH, wanted.expression).await?;
            // A broker that does not lead on would be asked forever.
            let next = pulled.next_offset.max(offset + 1);
            let (status, next_offset) = (pulled.status, pulled.next_offset);
            match status {
                PullStatus::Found => wanted.print(session, queue, &pulled.messages)?,
                PullStatus::NoMatchedMessage => {
                    writeln!(session.out, "{queue} no matched msg. status={status}, offset={next_offset}")?;
                }
                PullStatus::NoNewMessage | PullStatus::OffsetIllegal => {
                    writeln!(session.out, "{queue} print msg finished. status={status}, offset={next_offset}")?;
                    break;
                }
            }
            done += next.min(end) - offset;
            offset = next;
            session.progress(done, total, "messages");
        }
        writeln!(session.out, "--------------------------------------------------------")?;
    }
    Ok(())
}

async fn print_queue(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let mut wanted = Wanted::of(arguments)?;
    wanted.shows_messages = arguments.truth("p");
    wanted.shows_body = arguments.truth("d");
    let queue_id = QueueId(arguments.number("i")?.unwrap_or_default());
    let (topic, broker) = (arguments.required("t")?, arguments.required("a")?);
    let queue = consumer::queue(&session.admin, topic, broker, queue_id).await?;
    let (begin, end) = wanted.range(session, &queue).await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut offset = begin;
    while offset < end {
        let at = QueueOffset(offset);
        let pulled = consumer::pull_matching(&session.admin, TOOLS_GROUP, &queue, at, BATCH, wanted.expression).await?;
        match pulled.status {
            PullStatus::Found if wanted.shows_messages => wanted.print(session, &queue, &pulled.messages)?,
            // Upstream ends at the first stretch without a match, and misses what comes after it.
            PullStatus::Found | PullStatus::NoMatchedMessage => {}
            PullStatus::NoNewMessage | PullStatus::OffsetIllegal => break,
        }
        for tag in pulled.messages.iter().filter_map(Message::tags).filter(|tag| !tag.trim().is_empty()) {
            *counts.entry(tag.to_owned()).or_default() += 1;
        }
        offset = pulled.next_offset.max(offset + 1);
        session.progress(offset.min(end) - begin, end - begin, "messages");
    }
    if arguments.truth("f") {
        for (tag, count) in by_count(counts) {
            writeln!(session.out, "Tag: {tag:<30} Count: {count}")?;
        }
    }
    Ok(())
}

/// The most frequent first; those of one count in the order of a Java map.
fn by_count(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut names: Vec<&String> = counts.keys().collect();
    print::string_order(&mut names);
    let mut all: Vec<(String, u64)> =
        names.into_iter().filter_map(|name| counts.get(name).map(|count| (name.clone(), *count))).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_tags_come_first() {
        let counts =
            BTreeMap::from([("TagA", 1), ("TagB", 3), ("TagC", 2)].map(|(tag, count)| (tag.to_owned(), count)));
        let tags: Vec<String> = by_count(counts).into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, ["TagB", "TagC", "TagA"]);
    }
}
