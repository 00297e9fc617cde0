//! Finds messages by key, unique id or place. Upstream: `MQAdminImpl.queryMessage`, `viewMessage`.

use std::time::Duration;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::Message;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::names::{LMQ_PREFIX, Topic};
use boostermq_remoting::request::query::{
    QueryMessage, QueryMessageRequestHeader, ViewMessageById, ViewMessageRequestHeader,
};
use bytes::Bytes;

use crate::admin::{self, Admin, AdminError};
use crate::consumer;

/// How long a broker may search.
const QUERY_TIMEOUT: Duration = Duration::from_secs(18);
/// Topic whose messages are found by the route of a cluster.
const WHEEL_TIMER_TOPIC: &str = "rmq_sys_wheel_timer";

/// What to look for.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Topic of the messages.
    pub topic: &'a str,
    /// Cluster to look in, or the topic by whose route a light queue is found.
    pub cluster: Option<&'a str>,
    /// What kind of key.
    pub key: Key<'a>,
    /// Most messages wanted of each broker.
    pub limit: i32,
    /// Stored at this time or later, milliseconds since 1970.
    pub begin_ms: i64,
    /// Stored at this time or earlier.
    pub end_ms: i64,
}

/// A key of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The unique key.
    Unique(&'a str),
    /// The unique key or one of the message's keys: index files hold both in one place.
    Any(&'a str),
    /// One of the message's keys, with where the last page ended, if this is not the first.
    Of {
        /// The key.
        key: &'a str,
        /// Letter of the index: `K` for keys, `T` for tags.
        index: &'a str,
        /// Where the last page ended.
        last: Option<&'a str>,
    },
}

/// What a query found.
#[derive(Debug)]
pub struct Found {
    /// The messages: at least one.
    pub messages: Vec<Message>,
    /// Brokers that could not be asked, and why: they may hold more.
    pub unasked: Vec<(String, AdminError)>,
}

/// Messages with this key, from all brokers of the topic that can be asked.
///
/// # Errors
/// [`ResponseCode::NO_MESSAGE`] when there is none, [`ResponseCode::TOPIC_NOT_EXIST`] without a route; when there is
/// none and some broker could not be asked, why.
pub async fn by_key(admin: &Admin, query: &Query<'_>) -> anyhow::Result<Found> {
    let header = header(query)?;
    let (mut messages, mut unasked) = (Vec::new(), Vec::new());
    for address in addresses(admin, query).await? {
        match admin.ask::<QueryMessage>(&address, &header, Bytes::new(), QUERY_TIMEOUT).await {
            Ok(answer) if answer.response_code() == ResponseCode::SUCCESS => {
                let answered = consumer::messages(&answer.body)?;
                messages.extend(answered.into_iter().filter(|message| matches(message, query)));
            }
            Ok(answer) if answer.response_code() == ResponseCode::QUERY_NOT_FOUND => {}
            Ok(answer) => unasked.push((address, admin::refusal(&answer))),
            Err(error) => unasked.push((address, error)),
        }
    }
    if !messages.is_empty() {
        return Ok(Found { messages, unasked });
    }
    match unasked.into_iter().next() {
        Some((_, error)) => Err(error.into()),
        None => Err(no_message("query message by key finished, but no message.").into()),
    }
}

fn no_message(remark: &str) -> AdminError {
    AdminError::refused(ResponseCode::NO_MESSAGE, remark)
}

fn is_light(query: &Query<'_>) -> bool {
    query.topic.starts_with(LMQ_PREFIX)
}

async fn addresses(admin: &Admin, query: &Query<'_>) -> anyhow::Result<Vec<String>> {
    let (topic, cluster) = (query.topic, query.cluster.filter(|cluster| !cluster.is_empty()));
    let route_topic = match cluster {
        Some(parent) if is_light(query) || topic == WHEEL_TIMER_TOPIC => parent,
        _ => topic,
    };
    let no_route =
        || AdminError::refused(ResponseCode::TOPIC_NOT_EXIST, format!("The topic[{topic}] not matched route info"));
    let route = admin.route(route_topic).await;
    let route = route.map_err(|error| if error.is(ResponseCode::TOPIC_NOT_EXIST) { no_route() } else { error })?;
    let wanted =
        route.broker_datas.iter().filter(|broker| is_light(query) || cluster.is_none_or(|name| name == broker.cluster));
    let addresses: Vec<String> = wanted.filter_map(admin::any_address).map(str::to_owned).collect();
    if addresses.is_empty() { Err(no_route().into()) } else { Ok(addresses) }
}

fn header(query: &Query<'_>) -> anyhow::Result<QueryMessageRequestHeader> {
    let topic = if is_light(query) { query.cluster.unwrap_or(query.topic) } else { query.topic };
    let (key, index, last) = match query.key {
        Key::Unique(key) => (key, "U", None),
        Key::Any(key) => (key, "K", None),
        Key::Of { key, index, last } => (key, index, last),
    };
    Ok(QueryMessageRequestHeader {
        topic: Topic::parse(topic)?,
        key: key.to_owned(),
        max_num: query.limit,
        begin_timestamp: query.begin_ms,
        end_timestamp: query.end_ms,
        index_type: Some(index.to_owned()),
        last_key: last.map(str::to_owned),
        unique_key_query: Some(matches!(query.key, Key::Unique(_))),
    })
}

/// An index holds hashes: other messages may have the same one.
fn matches(message: &Message, query: &Query<'_>) -> bool {
    let is_of_topic = is_light(query) || message.topic == query.topic;
    let has_key = |key| message.keys().is_some_and(|keys| keys.split(' ').any(|one| one == key));
    match query.key {
        Key::Unique(key) => message.id() == key,
        Key::Any(key) => is_of_topic && (message.id() == key || has_key(key)),
        Key::Of { key, index: "T", .. } => is_of_topic && message.tags() == Some(key),
        Key::Of { key, .. } => is_of_topic && has_key(key),
    }
}

/// The message at the place that an offset id names, from the broker that the id names.
///
/// # Errors
/// [`AdminError`] when the broker cannot be asked or has no message there.
pub async fn by_place(admin: &Admin, topic: &str, id: OffsetMessageId) -> anyhow::Result<Message> {
    let header = ViewMessageRequestHeader { topic: Some(topic.to_owned()), offset: id.physical_offset };
    let answer = admin.call::<ViewMessageById>(&id.store_host.to_string(), &header, Bytes::new()).await?;
    let message = consumer::messages(&answer.body)?.into_iter().next();
    message.ok_or_else(|| no_message("query message by id finished, but no message.").into())
}

/// The message of an id of either kind: at the place it names, else the oldest with this unique key, since others are
/// copies of it that were sent again.
///
/// # Errors
/// As [`by_key`].
pub async fn by_id(admin: &Admin, topic: &str, cluster: Option<&str>, id: &str) -> anyhow::Result<Message> {
    // A unique key may look like an offset id: then its broker is none, or knows no such message.
    if let Ok(place) = id.parse::<OffsetMessageId>()
        && let Ok(message) = by_place(admin, topic, place).await
    {
        return Ok(message);
    }
    let query = Query { topic, cluster, key: Key::Unique(id), limit: 32, begin_ms: 0, end_ms: i64::MAX };
    let found = by_key(admin, &query).await?.messages;
    let oldest = found.into_iter().min_by_key(|message| message.store_timestamp);
    oldest.ok_or_else(|| no_message("query message by key finished, but no message.").into())
}
