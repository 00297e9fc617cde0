//! Reads queues from outside of any group's progress: offsets, and pulls that commit nothing.
//! Upstream: `DefaultMQPullConsumerImpl`, `PullAPIWrapper`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, anyhow};
use boostermq_remoting::body::{MessageQueue, TopicConfig, TopicRouteData};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::Message;
use boostermq_remoting::message::property_name;
use boostermq_remoting::message::record::Records;
use boostermq_remoting::message::tags::java_string_hash;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::offset::{
    GetMaxOffset, GetMaxOffsetRequestHeader, GetMinOffset, GetMinOffsetRequestHeader, SearchOffsetByTimestamp,
    SearchOffsetRequestHeader,
};
use boostermq_remoting::request::pull::{PullMessage, PullMessageRequestHeader, PullMessageResponseHeader, pull_flag};
use bytes::Bytes;

use crate::admin::{self, Admin};
use crate::print::{self, DEFAULT_BUCKETS};

/// The expression that takes every message.
pub const EVERYTHING: &str = "*";
/// Group of tools that name none.
pub const TOOLS_GROUP: &str = "TOOLS_CONSUMER";
/// Longest body that is shown, in bytes, after decompression.
const BODY_LIMIT: usize = 256 << 20;
/// How long a pull may take.
const PULL_TIMEOUT: Duration = Duration::from_secs(10);

/// One queue, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The topic.
    pub topic: Topic,
    /// Name of the broker.
    pub broker_name: String,
    /// Number of the queue.
    pub queue_id: QueueId,
    /// `ip:port` of the broker.
    pub address: String,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, broker_name, queue_id, .. } = self;
        write!(f, "MessageQueue [topic={topic}, brokerName={broker_name}, queueId={queue_id}]")
    }
}

impl Queue {
    /// Java's hash of it.
    fn java_hash(&self) -> i32 {
        queue_hash(self.topic.as_str(), &self.broker_name, self.queue_id.to_wire())
    }
}

/// Java's hash of a queue.
fn queue_hash(topic: &str, broker_name: &str, queue_id: i32) -> i32 {
    let step = |hash: i32, next: i32| hash.wrapping_mul(31).wrapping_add(next);
    step(step(step(1, java_string_hash(broker_name)), queue_id), java_string_hash(topic))
}

/// Puts queues into the order in which a Java map gives them out.
pub fn queue_order<T>(queues: &mut [(MessageQueue, T)]) {
    print::hash_order(queues, DEFAULT_BUCKETS, |(queue, _)| {
        queue_hash(&queue.topic, &queue.broker_name, queue.queue_id)
    });
}

/// What a pull brought.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What the broker says.
    pub status: PullStatus,
    /// Where to go on.
    pub next_offset: i64,
    /// The messages, when some were found.
    pub messages: Vec<Message>,
}

/// What a broker says to a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStatus {
    /// Here they are.
    Found,
    /// Nothing there yet.
    NoNewMessage,
    /// Nothing that the filter lets through.
    NoMatchedMessage,
    /// No such offset.
    OffsetIllegal,
}

impl fmt::Display for PullStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found => "FOUND",
            Self::NoNewMessage => "NO_NEW_MSG",
            Self::NoMatchedMessage => "NO_MATCHED_MSG",
            Self::OffsetIllegal => "OFFSET_ILLEGAL",
        })
    }
}

/// The readable queues of a topic, in the order in which upstream's tool goes through them.
///
/// # Errors
/// When the topic is unknown or has none.
pub async fn queues(admin: &Admin, topic: &str) -> anyhow::Result<Vec<Queue>> {
    let unknown = || format!("Can not find Message Queue for this topic, {topic}");
    let route = admin.route(topic).await.with_context(unknown)?;
    let mut queues = readable(&Topic::parse(topic)?, &route);
    if queues.is_empty() {
        return Err(anyhow!("{}: none of its brokers lets it be read", unknown()));
    }
    print::hash_order(&mut queues, DEFAULT_BUCKETS, Queue::java_hash);
    Ok(queues)
}

fn readable(topic: &Topic, route: &TopicRouteData) -> Vec<Queue> {
    let mut queues = Vec::new();
    for data in route.queue_datas.iter().filter(|data| data.perm & TopicConfig::PERM_READ != 0) {
        let broker = route.broker_datas.iter().find(|broker| broker.broker_name == data.broker_name);
        let Some(address) = broker.and_then(admin::any_address) else { continue };
        let count = u32::try_from(data.read_queue_nums).unwrap_or_default();
        queues.extend((0..count).map(|queue_id| Queue {
            topic: topic.clone(),
            broker_name: data.broker_name.clone(),
            queue_id: QueueId(queue_id),
            address: address.to_owned(),
        }));
    }
    queues
}

/// One queue on the broker of that name.
///
/// # Errors
/// When the topic or the broker is unknown.
pub async fn queue(admin: &Admin, topic: &str, broker_name: &str, queue_id: QueueId) -> anyhow::Result<Queue> {
    queue_by_route(admin, topic, topic, broker_name, queue_id).await
}

/// The same by the route of another topic: light topics have none of their own.
///
/// # Errors
/// As [`queue`].
pub async fn queue_by_route(
    admin: &Admin,
    topic: &str,
    route_topic: &str,
    broker_name: &str,
    queue_id: QueueId,
) -> anyhow::Result<Queue> {
    let route = admin.route(route_topic).await?;
    let broker = route.broker_datas.iter().find(|broker| broker.broker_name == broker_name);
    let address = broker.and_then(admin::any_address);
    let address =
        address.ok_or_else(|| anyhow!("The broker[{broker_name}] not exist: see topicRoute -t {route_topic}"))?;
    Ok(Queue {
        topic: Topic::parse(topic)?,
        broker_name: broker_name.to_owned(),
        queue_id,
        address: address.to_owned(),
    })
}

/// First offset of a queue.
///
/// # Errors
/// [`AdminError`](admin::AdminError) as [`Admin::call`].
pub async fn min_offset(admin: &Admin, queue: &Queue) -> Result<i64, admin::AdminError> {
    let header = GetMinOffsetRequestHeader { topic: queue.topic.clone(), queue_id: queue.queue_id };
    Ok(admin.call_header::<GetMinOffset>(&queue.address, &header).await?.offset.0)
}

/// Offset after the last message of a queue.
///
/// # Errors
/// [`AdminError`](admin::AdminError) as [`Admin::call`].
pub async fn max_offset(admin: &Admin, queue: &Queue) -> Result<i64, admin::AdminError> {
    let header =
        GetMaxOffsetRequestHeader { topic: queue.topic.clone(), queue_id: queue.queue_id, committed: Some(true) };
    Ok(admin.call_header::<GetMaxOffset>(&queue.address, &header).await?.offset.0)
}

/// Offset of the first message stored at a time, milliseconds since 1970, or later.
///
/// # Errors
/// [`AdminError`](admin::AdminError) as [`Admin::call`].
pub async fn offset_at(admin: &Admin, queue: &Queue, time_ms: i64) -> Result<i64, admin::AdminError> {
    let header = SearchOffsetRequestHeader {
        topic: queue.topic.clone(),
        queue_id: queue.queue_id,
        timestamp: time_ms,
        boundary_type: None,
        lite_topic: None,
    };
    Ok(admin.call_header::<SearchOffsetByTimestamp>(&queue.address, &header).await?.offset.0)
}

/// Reads at most `count` messages from `offset` on, without holding the request and without committing anything.
///
/// # Errors
/// When the broker refuses, or its answer cannot be read.
pub async fn pull(
    admin: &Admin,
    group: &str,
    queue: &Queue,
    offset: QueueOffset,
    count: i64,
) -> anyhow::Result<Pulled> {
    pull_matching(admin, group, queue, offset, count, EVERYTHING).await
}

/// As [`pull`], only what has one of the tags of an expression such as `TagA || TagB`.
///
/// # Errors
/// As [`pull`].
pub async fn pull_matching(
    admin: &Admin,
    group: &str,
    queue: &Queue,
    offset: QueueOffset,
    count: i64,
    expression: &str,
) -> anyhow::Result<Pulled> {
    let header = PullMessageRequestHeader {
        consumer_group: Cow::Owned(group.to_owned()),
        topic: Cow::Owned(queue.topic.as_str().to_owned()),
        queue_id: queue.queue_id.to_wire(),
        queue_offset: offset.0,
        max_msg_nums: i32::try_from(count).unwrap_or(i32::MAX),
        sys_flag: pull_flag::SUBSCRIPTION,
        commit_offset: Some(0),
        suspend_timeout_millis: Some(20_000),
        subscription: Some(Cow::Owned(expression.to_owned())),
        sub_version: Some(0),
        expression_type: Some(Cow::Borrowed("TAG")),
        max_msg_bytes: Some(i32::MAX),
        request_source: None,
        proxy_forward_client_id: None,
    };
    let answer = admin.ask::<PullMessage>(&queue.address, &header, Bytes::new(), PULL_TIMEOUT).await?;
    let status = match answer.response_code() {
        ResponseCode::SUCCESS => PullStatus::Found,
        ResponseCode::PULL_NOT_FOUND => PullStatus::NoNewMessage,
        ResponseCode::PULL_RETRY_IMMEDIATELY => PullStatus::NoMatchedMessage,
        ResponseCode::PULL_OFFSET_MOVED => PullStatus::OffsetIllegal,
        _ => return Err(admin::refusal(&answer).into()),
    };
    let place: PullMessageResponseHeader = admin::read_header(&queue.address, &answer)?;
    let mut messages = if status == PullStatus::Found { messages(&answer.body)? } else { Vec::new() };
    // Brokers compare hashes only.
    let tags: Vec<&str> = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty()).collect();
    if !tags.is_empty() && !tags.contains(&EVERYTHING) {
        messages.retain(|message| message.tags().is_some_and(|tag| tags.contains(&tag)));
    }
    for message in &mut messages {
        message.properties.insert(property_name::MIN_OFFSET, place.min_offset.to_string());
        message.properties.insert(property_name::MAX_OFFSET, place.max_offset.to_string());
    }
    Ok(Pulled { status, next_offset: place.next_begin_offset, messages })
}

/// The messages in a body of records.
///
/// # Errors
/// When a record is damaged or its body cannot be decompressed.
pub fn messages(records: &[u8]) -> anyhow::Result<Vec<Message>> {
    let read = |record| anyhow::Ok(Message::from_record(&record?, BODY_LIMIT)?);
    let messages: anyhow::Result<Vec<Message>> = Records::new(records).map(read).collect();
    messages.with_context(|| format!("the answer of {} bytes holds a message that cannot be read", records.len()))
}
