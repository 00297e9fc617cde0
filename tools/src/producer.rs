//! Sends messages as the Java client does, one at a time.
//!
//! A topic that no name server knows is sent to by the route of `TBW102`, whose brokers then create it. A send that a
//! broker refuses for a reason that may not hold elsewhere is tried on others, three times in all.
//! Upstream: `DefaultMQProducerImpl`.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use boostermq_remoting::body::{TopicConfig, TopicRouteData};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::config::Machine;
use boostermq_remoting::message::compress::{DEFAULT_LEVEL, compress};
use boostermq_remoting::message::flags::{Compression, SysFlag};
use boostermq_remoting::message::id::UniqueIdSource;
use boostermq_remoting::message::properties::PropertyMap;
use boostermq_remoting::message::property_name;
use boostermq_remoting::names::Topic;
use boostermq_remoting::request::send::{SendMessage, SendMessageRequestHeader, SendMessageResponseHeader};
use bytes::Bytes;

use crate::admin::{self, Admin, AdminError};

/// Template for topics that are created by the first send.
const DEFAULT_TOPIC: &str = "TBW102";
/// Queues of a topic that is created by the first send.
const DEFAULT_TOPIC_QUEUES: i32 = 4;
/// Bodies above this many bytes are compressed.
const COMPRESS_ABOVE: usize = 4096;
/// Attempts of one send.
const ATTEMPTS: usize = 3;
/// How long one attempt may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// Where a message shall go.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Any queue of the topic.
    Any,
    /// Any queue on the broker of this name.
    Broker(&'a str),
    /// This queue on the broker of this name.
    Queue(&'a str, i32),
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where it goes.
    pub topic: String,
    /// Its body in plain.
    pub body: Vec<u8>,
    /// The application's own flag.
    pub flag: i32,
    /// Its properties; a unique key and `WAIT` are added when missing.
    pub properties: PropertyMap,
}

/// What became of a message that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `SEND_OK`, or what was late after storing.
    pub status: &'static str,
    /// The broker's name.
    pub broker_name: String,
    /// The queue.
    pub queue_id: i32,
    /// Number in the queue.
    pub queue_offset: i64,
    /// The unique key.
    pub message_id: String,
    /// Where the broker keeps it.
    pub offset_message_id: String,
}

/// Sends in the name of one producer group.
#[derive(Debug)]
pub struct Producer<'a> {
    admin: &'a Admin,
    group: String,
    ids: UniqueIdSource,
}

/// A queue that may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the broker.
    pub broker_name: String,
    /// Number of the queue.
    pub queue_id: i32,
    address: String,
}

impl<'a> Producer<'a> {
    /// A producer of that group.
    #[must_use]
    pub fn new(admin: &'a Admin, group: String) -> Self {
        let ids = UniqueIdSource::new(IpAddr::V4(Machine::this().address), std::process::id());
        Self { admin, group, ids }
    }

    /// Sends a message and waits until it is stored.
    ///
    /// # Errors
    /// When the message breaks a rule, no queue can be found, or no broker stores it.
    pub async fn send(&self, mut message: Outgoing, target: Target<'_>) -> anyhow::Result<Sent> {
        self.complete(&mut message)?;
        let queues = self.places(&message.topic, target).await?;
        let sys_flag = shrink(&mut message)?;
        let body = Bytes::from(std::mem::take(&mut message.body));
        // Which queue a single message begins with is left to chance, so that many commands fill all queues.
        let first = RandomState::new().hash_one(now_ms()) as usize % queues.len().max(1);
        let mut last = None;
        let mut tried: Vec<&str> = Vec::new();
        for attempt in 0..ATTEMPTS {
            let in_turn = || queues.iter().cycle().skip(first + attempt).take(queues.len());
            let elsewhere = in_turn().find(|queue| !tried.contains(&queue.broker_name.as_str()));
            let Some(queue) = elsewhere.or_else(|| in_turn().next()) else { break };
            match self.attempt(&message, sys_flag, body.clone(), queue).await {
                Ok(sent) => return Ok(sent),
                Err(error) if may_differ_elsewhere(&error) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
            tried.push(&queue.broker_name);
        }
        match last {
            Some(error) => Err(error).with_context(|| format!("the message was sent {ATTEMPTS} times in vain")),
            None => bail!("No route info of this topic: {}; no broker of it takes messages", message.topic),
        }
    }

    /// Sends a message to one queue, once.
    ///
    /// # Errors
    /// When the message breaks a rule, or the broker does not store it.
    pub async fn send_to(&self, mut message: Outgoing, place: &Place) -> anyhow::Result<Sent> {
        self.complete(&mut message)?;
        let sys_flag = shrink(&mut message)?;
        let body = Bytes::from(std::mem::take(&mut message.body));
        Ok(self.attempt(&message, sys_flag, body, place).await?)
    }

    /// Checks a message, and adds what every message carries.
    fn complete(&self, message: &mut Outgoing) -> anyhow::Result<()> {
        Topic::check(&message.topic)?;
        if message.body.is_empty() {
            bail!("the body of the message is empty: give some text with -p");
        }
        if message.properties.get(property_name::UNIQ_KEY).is_none() {
            message.properties.insert(property_name::UNIQ_KEY, self.ids.next(now_ms()).to_string());
        }
        if message.properties.get(property_name::WAIT).is_none() {
            message.properties.insert(property_name::WAIT, "true");
        }
        Ok(())
    }

    async fn attempt(
        &self,
        message: &Outgoing,
        sys_flag: SysFlag,
        body: Bytes,
        queue: &Place,
    ) -> Result<Sent, AdminError> {
        let header = SendMessageRequestHeader {
            producer_group: Cow::Owned(self.group.clone()),
            topic: Cow::Owned(message.topic.clone()),
            default_topic: Some(Cow::Borrowed(DEFAULT_TOPIC)),
            default_topic_queue_nums: Some(DEFAULT_TOPIC_QUEUES),
            queue_id: queue.queue_id,
            sys_flag: sys_flag.0,
            born_timestamp: now_ms(),
            flag: message.flag,
            properties: Some(Cow::Owned(message.properties.encode())),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: Some(false),
            broker_name: Some(Cow::Owned(queue.broker_name.clone())),
        };
        let answer = self.admin.ask::<SendMessage>(&queue.address, &header, body, SEND_TIMEOUT).await?;
        let status = match answer.response_code() {
            ResponseCode::SUCCESS => "SEND_OK",
            ResponseCode::FLUSH_DISK_TIMEOUT => "FLUSH_DISK_TIMEOUT",
            ResponseCode::FLUSH_SLAVE_TIMEOUT => "FLUSH_SLAVE_TIMEOUT",
            ResponseCode::SLAVE_NOT_AVAILABLE => "SLAVE_NOT_AVAILABLE",
            _ => return Err(admin::refusal(&answer)),
        };
        let stored: SendMessageResponseHeader = admin::read_header(&queue.address, &answer)?;
        Ok(Sent {
            status,
            broker_name: queue.broker_name.clone(),
            queue_id: stored.queue_id,
            queue_offset: stored.queue_offset,
            message_id: message.properties.get(property_name::UNIQ_KEY).unwrap_or_default().to_owned(),
            offset_message_id: stored.msg_id,
        })
    }

    /// The queues that may be sent to, those of one broker after each other.
    ///
    /// # Errors
    /// When nobody knows the topic or the broker.
    pub async fn places(&self, topic: &str, target: Target<'_>) -> anyhow::Result<Vec<Place>> {
        let (route, limit) = match self.admin.route(topic).await {
            Ok(route) => (route, i32::MAX),
            Err(error) if error.is(ResponseCode::TOPIC_NOT_EXIST) => match self.admin.route(DEFAULT_TOPIC).await {
                Ok(route) => (route, DEFAULT_TOPIC_QUEUES),
                // The topic is what is missing; brokers that create none have no TBW102.
                Err(second) if second.is(ResponseCode::TOPIC_NOT_EXIST) => return Err(error.into()),
                Err(second) => return Err(second.into()),
            },
            Err(error) => return Err(error.into()),
        };
        let all = writable(&route, limit);
        match target {
            Target::Any => Ok(all),
            Target::Broker(name) => {
                let on_broker: Vec<Place> = all.into_iter().filter(|queue| queue.broker_name == name).collect();
                if on_broker.is_empty() {
                    bail!("The broker[{name}] not exist, or the topic has no queue on it: see topicRoute");
                }
                Ok(on_broker)
            }
            Target::Queue(name, queue_id) => {
                let broker = route.broker_datas.iter().find(|broker| broker.broker_name == name);
                let Some(address) = broker.and_then(admin::master) else {
                    bail!("The broker[{name}] not exist: see clusterList");
                };
                Ok(vec![Place { broker_name: name.to_owned(), address: address.to_owned(), queue_id }])
            }
        }
    }
}

fn writable(route: &TopicRouteData, limit: i32) -> Vec<Place> {
    let mut queues = Vec::new();
    for data in route.queue_datas.iter().filter(|data| data.perm & TopicConfig::PERM_WRITE != 0) {
        let broker = route.broker_datas.iter().find(|broker| broker.broker_name == data.broker_name);
        let Some(address) = broker.and_then(admin::master) else { continue };
        queues.extend((0..data.write_queue_nums.min(limit)).map(|queue_id| Place {
            broker_name: data.broker_name.clone(),
            address: address.to_owned(),
            queue_id,
        }));
    }
    queues
}

/// Compresses a long body.
fn shrink(message: &mut Outgoing) -> anyhow::Result<SysFlag> {
    if message.body.len() < COMPRESS_ABOVE {
        return Ok(SysFlag::NONE);
    }
    message.body = compress(Compression::Zlib, &message.body, DEFAULT_LEVEL)?;
    Ok(SysFlag::NONE.with_compression(Some(Compression::Zlib)))
}

/// True when another broker may store what this one did not.
fn may_differ_elsewhere(error: &AdminError) -> bool {
    match error {
        AdminError::Call(_) => true,
        AdminError::Refused { code, .. } => matches!(
            *code,
            ResponseCode::SYSTEM_ERROR
                | ResponseCode::SYSTEM_BUSY
                | ResponseCode::SERVICE_NOT_AVAILABLE
                | ResponseCode::NO_PERMISSION
                | ResponseCode::TOPIC_NOT_EXIST
                | ResponseCode::GO_AWAY
        ),
        _ => false,
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
