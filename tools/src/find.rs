//! `find KEY`: the whole life of a message, looked up by key or by either id over all topics.
//!
//! ```text
//! offset id ──► the place it names, if that is a broker of this cluster ─► its unique key ─┐
//! key, unique id ──────────────────────────────────────────────────────────────────────────┴► every topic's index
//!   topics: of applications, retries, dead letters, half messages, timed messages
//!   copies ─► lives (life.rs) ─► groups of the topic asked (delivery.rs) ─► one page (page.rs)
//! ```
//!
//! Reads only. Asks many servers at a time, and none beyond the deadline: what did not answer is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{anyhow, bail};
use boostermq_remoting::body::{self, ClusterInfo, GroupList};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::Message;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, Group, QueueId, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::offset::{QueryConsumerOffset, QueryConsumerOffsetRequestHeader};
use boostermq_remoting::request::topic::{
    GetAllTopicListFromNameserver, QueryTopicConsumeByWho, QueryTopicConsumeByWhoRequestHeader,
};
use tokio::time::{Instant, timeout_at};

use crate::admin::{self, Admin, AdminError, side_by_side};
use crate::command::Session;
use crate::consumer::{self, TOOLS_GROUP};
use crate::options::{Arguments, CommandOption};
use crate::producer::now_ms;
use crate::query::{self, Found, Key, Query};

mod delivery;
mod life;
mod page;
#[cfg(test)]
mod tests;

use delivery::GroupLine;
use life::{Life, Role};
use page::Entry;

/// Most messages that a broker gives for one topic.
const LIMIT: i32 = 64;
/// Messages that are shown when `-m` says nothing.
const SHOWN: usize = 8;
/// Seconds that everything may take when `-d` says nothing.
const DEADLINE_SECONDS: u64 = 30;
/// Topics that are searched at a time: brokers have producers to serve.
const SEARCHES: usize = 16;
/// Most messages that are read to learn what became of a half message.
const OP_LIMIT: usize = 4_096;
/// Messages of one pull.
const PULL_COUNT: i64 = 32;
/// Group by which a broker keeps its place among half messages.
const TRANSACTION_GROUP: &str = "CID_RMQ_SYS_TRANS";
/// Topics without messages of applications: their keys are those of other messages, or none.
const NOT_SEARCHED: [&str; 4] = ["RMQ_SYS_TRACE_TOPIC", life::OP_TOPIC, "OFFSET_MOVED_EVENT", "SELF_TEST_TOPIC"];

/// Options of the command.
pub(crate) const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("t", "topic", "Look in this topic only, and where its messages wait and are retried"),
    CommandOption::optional("m", "maxNum", "The maximum number of messages shown, default:8"),
    CommandOption::optional("b", "beginTimestamp", "Stored at this time or later(ms). default:0"),
    CommandOption::optional("e", "endTimestamp", "Stored at this time or earlier(ms). default:Long.MAX_VALUE"),
    CommandOption::optional("d", "deadline", "Seconds that the search may take, default:30"),
];

/// Finds, and prints the page.
pub(crate) async fn find(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let [key] = arguments.words() else {
        return session.refuse();
    };
    let seconds = arguments.number("d")?.unwrap_or(DEADLINE_SECONDS);
    let deadline = Instant::now() + Duration::from_secs(seconds.clamp(1, 3_600));
    let info = session.admin.cluster_info().await?;
    let span = (arguments.number("b")?.unwrap_or_default(), arguments.number("e")?.unwrap_or(i64::MAX));
    let mut search = Search { session, deadline, info, span };
    let lives = search.lives(key, arguments.text("t")).await?;
    if lives.is_empty() {
        bail!(AdminError::refused(
            ResponseCode::NO_MESSAGE,
            format!("no topic has a message with the key or id {key}")
        ));
    }
    let shown = arguments.number("m")?.unwrap_or(SHOWN).max(1);
    let omitted = lives.len().saturating_sub(shown);
    let mut entries = Vec::with_capacity(lives.len().min(shown));
    for life in lives.into_iter().take(shown) {
        entries.push(search.entry(life).await);
    }
    let names = names(&search.info);
    let broker = |message: &Message| {
        let name = names.get(&message.store_host.to_string());
        name.map_or_else(|| "unknown".to_owned(), |name| (*name).to_owned())
    };
    let document = page::page(&entries, broker, omitted);
    Ok(session.print(&document)?)
}

/// Names of brokers by address.
fn names(info: &ClusterInfo) -> BTreeMap<String, &str> {
    let brokers = info.broker_addr_table.values();
    brokers
        .flat_map(|broker| broker.broker_addrs.values().map(|address| (address.clone(), broker.broker_name.as_str())))
        .collect()
}

struct Search<'s, 'o> {
    session: &'s mut Session<'o>,
    deadline: Instant,
    info: ClusterInfo,
    /// Store times that are looked at, both ends included.
    span: (i64, i64),
}

impl Search<'_, '_> {
    /// Everything with that key, sorted into lives.
    async fn lives(&mut self, key: &str, topic: Option<&str>) -> anyhow::Result<Vec<Life>> {
        let topics = self.topics(topic).await?;
        let at_place = self.at_place(key).await;
        let key = at_place.as_ref().map_or_else(|| key.to_owned(), Message::id);
        let mut found = self.everywhere(&topics, Key::Any(&key)).await;
        if found.is_empty() {
            // An index on RocksDB keeps unique keys apart.
            found = self.everywhere(&topics, Key::Unique(&key)).await;
        }
        found.extend(at_place);
        Ok(life::gather(found))
    }

    /// Topics to look in.
    async fn topics(&mut self, only: Option<&str>) -> anyhow::Result<Vec<String>> {
        let list: body::TopicList =
            self.session.admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
        let Some(only) = only else {
            let is_searched = |topic: &String| !NOT_SEARCHED.contains(&topic.as_str());
            return Ok(list.topic_list.into_iter().filter(is_searched).collect());
        };
        let groups = self.groups(only).await?;
        let copies =
            groups.iter().flat_map(|group| [RETRY_TOPIC_PREFIX, DLQ_TOPIC_PREFIX].map(|kind| format!("{kind}{group}")));
        let wanted: BTreeSet<String> = copies.chain(life::HELD_BACK.map(str::to_owned)).collect();
        let others = list.topic_list.into_iter().filter(|topic| wanted.contains(topic) && topic != only);
        Ok(std::iter::once(only.to_owned()).chain(others).collect())
    }

    /// Groups that consume a topic.
    async fn groups(&mut self, topic: &str) -> anyhow::Result<BTreeSet<String>> {
        let route = self.session.admin.route(topic).await?;
        let header = QueryTopicConsumeByWhoRequestHeader { topic: Topic::parse(topic)? };
        let addresses: Vec<String> =
            route.broker_datas.iter().filter_map(admin::any_address).map(str::to_owned).collect();
        let answers = self
            .session
            .ask_all(&addresses, async |admin, address| {
                admin.call_body::<QueryTopicConsumeByWho, GroupList>(address, &header).await
            })
            .await;
        Ok(answers.into_iter().flat_map(|(_, list)| list.group_list).collect())
    }

    /// The message at the place that an offset id names. A unique id may look like one: then its host is no broker.
    async fn at_place(&mut self, id: &str) -> Option<Message> {
        let place: OffsetMessageId = id.parse().ok()?;
        let address = place.store_host.to_string();
        self.info.broker_addr_table.values().find(|broker| broker.broker_addrs.values().any(|of| *of == address))?;
        let read = timeout_at(self.deadline, query::by_place(&self.session.admin, "", place)).await;
        read.ok()?.ok()
    }

    /// What every topic has of a key. Complains of topics that could not be looked into.
    async fn everywhere(&mut self, topics: &[String], key: Key<'_>) -> Vec<Message> {
        let (begin_ms, end_ms) = self.span;
        let deadline = self.deadline;
        let mut asked = Vec::with_capacity(topics.len());
        for part in topics.chunks(SEARCHES) {
            self.session.searching(asked.len(), topics.len(), "topics searched");
            let admin = &self.session.admin;
            let search = side_by_side(part, async |topic: &String| {
                let query = Query { topic, cluster: None, key, limit: LIMIT, begin_ms, end_ms };
                timeout_at(deadline, query::by_key(admin, &query)).await
            });
            asked.extend(search.await);
        }
        self.session.searching(topics.len(), topics.len(), "topics searched");
        let mut messages = Vec::new();
        let mut late = 0_usize;
        for (topic, answer) in topics.iter().zip(asked) {
            match answer {
                Ok(Ok(Found { messages: found, unasked })) => {
                    messages.extend(found);
                    for (address, error) in unasked {
                        self.session.complain(&format_args!("find: {topic} on {address} was not searched: {error}"));
                    }
                }
                Ok(Err(error)) if is_nothing(&error) => {}
                Ok(Err(error)) => self.session.complain(&format_args!("find: {topic} was not searched: {error:#}")),
                Err(_) => late += 1,
            }
        }
        if late > 0 {
            self.session.complain(&format_args!(
                "find: {late} topics were not searched in time: give more seconds with -d, or a topic with -t"
            ));
        }
        messages
    }

    /// What became of one message.
    async fn entry(&mut self, life: Life) -> Entry {
        let groups = self.group_lines(&life).await;
        let settled = match life.of_role(&Role::Half).last() {
            Some(half) => self.is_settled(half).await,
            None => None,
        };
        let outcome = life::outcome(&life, settled);
        let timing = life::timing(&life, now_ms());
        Entry { life, groups, outcome, timing }
    }

    async fn group_lines(&mut self, life: &Life) -> Vec<GroupLine> {
        let Some(message) = life.of_role(&Role::Stored).next() else { return Vec::new() };
        let mut groups = match self.groups(&message.topic).await {
            Ok(groups) => groups,
            Err(error) => {
                self.session.complain(&format_args!("find: the groups of {} are not known: {error:#}", message.topic));
                BTreeSet::new()
            }
        };
        groups.extend(life.retrying_groups().into_iter().map(str::to_owned));
        let (admin, deadline) = (&self.session.admin, self.deadline);
        let address = message.store_host.to_string();
        let lines = side_by_side(&groups, async |group: &String| {
            timeout_at(deadline, delivery::ask(admin, &address, life, message, group)).await
        })
        .await;
        let in_time = lines.iter().flatten().count();
        if in_time < groups.len() {
            let late = groups.len() - in_time;
            self.session
                .complain(&format_args!("find: {late} groups were not asked in time: give more seconds with -d"));
        }
        lines.into_iter().flatten().collect()
    }

    /// True when the broker has finished with a half message; `None` when it does not tell in time.
    async fn is_settled(&mut self, half: &Message) -> Option<bool> {
        let asked = timeout_at(self.deadline, is_settled(&self.session.admin, half)).await;
        match asked {
            Ok(Ok(is_settled)) => Some(is_settled),
            Ok(Err(error)) => {
                self.session.complain(&format_args!("find: what became of the transaction is not known: {error:#}"));
                None
            }
            Err(_) => None,
        }
    }
}

fn is_nothing(error: &anyhow::Error) -> bool {
    error
        .downcast_ref()
        .is_some_and(|error: &AdminError| error.is(ResponseCode::NO_MESSAGE) || error.is(ResponseCode::TOPIC_NOT_EXIST))
}

/// A half message is settled when its broker has come past it, or when its offset stands in a message about
/// operations, whose bodies are lists such as `17,18,`.
async fn is_settled(admin: &Admin, half: &Message) -> anyhow::Result<bool> {
    let address = half.store_host.to_string();
    let committed = async |topic: &str, queue_id: QueueId| {
        let header = QueryConsumerOffsetRequestHeader {
            consumer_group: Group::parse(TRANSACTION_GROUP)?,
            topic: Topic::parse(topic)?,
            queue_id,
            set_zero_if_not_found: Some(false),
        };
        match admin.call_header::<QueryConsumerOffset>(&address, &header).await {
            Ok(answer) => anyhow::Ok(answer.offset.0),
            Err(error) if error.is(ResponseCode::QUERY_NOT_FOUND) => Ok(0),
            Err(error) => Err(error.into()),
        }
    };
    if committed(life::HALF_TOPIC, half.queue_id).await? > half.queue_offset.0 {
        return Ok(true);
    }
    let queue = consumer::Queue {
        topic: Topic::parse(life::OP_TOPIC)?,
        broker_name: String::new(),
        queue_id: half.queue_id,
        address: address.clone(),
    };
    let mut offset = committed(life::OP_TOPIC, half.queue_id).await?;
    let mut read = 0;
    loop {
        let pulled = consumer::pull(admin, TOOLS_GROUP, &queue, QueueOffset(offset), PULL_COUNT).await?;
        if pulled.messages.iter().any(|message| names_offset(&message.body, half.queue_offset.0)) {
            return Ok(true);
        }
        read += pulled.messages.len();
        if pulled.messages.is_empty() || pulled.next_offset <= offset {
            return Ok(false);
        }
        if read >= OP_LIMIT {
            return Err(anyhow!("more than {OP_LIMIT} operations are not worked off: see that the broker keeps up"));
        }
        offset = pulled.next_offset;
    }
}

fn names_offset(body: &[u8], offset: i64) -> bool {
    let text = String::from_utf8_lossy(body);
    text.split(',').any(|one| one.trim().parse() == Ok(offset))
}
