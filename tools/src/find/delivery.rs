//! To whom a message was delivered: one line for each group that consumes its topic.

use boostermq_remoting::body::{ConsumerConnection, MessageModel, SubscriptionData};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::{Message, property_name};
use boostermq_remoting::names::{Group, Topic};
use boostermq_remoting::request::client::{GetConsumerConnectionList, GetConsumerConnectionListRequestHeader};
use boostermq_remoting::request::offset::{QueryConsumerOffset, QueryConsumerOffsetRequestHeader};

use super::life::{Life, Role};
use crate::admin::{Admin, AdminError};

/// What a group has done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Consumed: the group has come past it.
    Consumed,
    /// Passed over: the group's filter does not want it.
    Filtered,
    /// Still to come.
    Waiting {
        /// Messages of the queue that come before it.
        before: i64,
    },
    /// Each consumer keeps to itself what it has consumed.
    Broadcast,
    /// The group has committed nothing for the queue.
    NoOffset,
    /// It failed, and waits for the time of its next try.
    RetryLater {
        /// Tries that failed.
        tries: i32,
    },
    /// It failed, and its next try is in the retry queue.
    RetryNext {
        /// Tries that failed.
        tries: i32,
    },
    /// It failed first, and a later try came past it.
    ConsumedAtRetry {
        /// Tries that failed before.
        tries: i32,
    },
    /// It failed, and was given up.
    Dead,
}

impl Delivery {
    pub(super) fn text(self) -> String {
        match self {
            Self::Consumed => "consumed".to_owned(),
            Self::Filtered => "filtered out".to_owned(),
            Self::Waiting { .. } => "not yet".to_owned(),
            Self::Broadcast => "broadcast: each consumer keeps its own offset".to_owned(),
            Self::NoOffset => "not yet: the group has no offset in this queue".to_owned(),
            Self::RetryLater { tries } => format!("failed {}, waits for its next try", times(tries)),
            Self::RetryNext { tries } => format!("failed {}, its next try is in the retry queue", times(tries)),
            Self::ConsumedAtRetry { tries } => format!("consumed, after it failed {}", times(tries)),
            Self::Dead => "given up: dead letter".to_owned(),
        }
    }
}

fn times(count: i32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

/// A group and what it has done.
#[derive(Debug)]
pub(super) struct GroupLine {
    pub(super) group: String,
    /// `Err` when it could not be found out.
    pub(super) delivery: Result<Delivery, String>,
    /// Offset that the group has committed in the message's queue.
    pub(super) committed: Option<i64>,
    /// Consumers connected; `None` when the broker did not say.
    pub(super) online: Option<usize>,
    /// Times that it was put back for the group.
    pub(super) retries: usize,
    /// The group gave it up.
    pub(super) is_dead: bool,
}

/// What is known of a group, for [`delivery`].
pub(super) struct Facts<'a> {
    /// The message.
    pub(super) message: &'a Message,
    /// What the group has committed in the message's queue.
    pub(super) committed: Option<i64>,
    /// Who is connected.
    pub(super) connection: Option<&'a ConsumerConnection>,
}

/// Decides from the copies of a message that a group has tried again; `None` when there is none. `committed` is the
/// group's offset in the queue of the last of them.
pub(super) fn retried(life: &Life, group: &str, committed: Option<i64>) -> Option<Delivery> {
    let (role, last) = last_try(life, group)?;
    Some(match role {
        Role::Dead(_) => Delivery::Dead,
        Role::RetryWaiting(_) => Delivery::RetryLater { tries: last.reconsume_times },
        _ if committed.is_some_and(|committed| committed > last.queue_offset.0) => {
            Delivery::ConsumedAtRetry { tries: last.reconsume_times }
        }
        _ => Delivery::RetryNext { tries: last.reconsume_times },
    })
}

/// The newest copy of a message that is a group's own.
fn last_try<'a>(life: &'a Life, group: &str) -> Option<&'a (Role, Message)> {
    let is_own = |role: &Role| matches!(role, Role::Retry(of) | Role::RetryWaiting(of) | Role::Dead(of) if of == group);
    life.copies.iter().rev().find(|(role, _)| is_own(role))
}

/// Decides from what is known.
pub(super) fn delivery(facts: &Facts<'_>) -> Delivery {
    let Facts { message, committed, connection } = facts;
    if connection.is_some_and(|connection| connection.message_model == Some(MessageModel::Broadcasting)) {
        return Delivery::Broadcast;
    }
    let Some(committed) = *committed else { return Delivery::NoOffset };
    let before = message.queue_offset.0 - committed;
    if before >= 0 {
        return Delivery::Waiting { before };
    }
    let subscription = connection.and_then(|connection| connection.subscription_table.get(&message.topic));
    if subscription.is_some_and(|subscription| !wants(subscription, message)) {
        Delivery::Filtered
    } else {
        Delivery::Consumed
    }
}

/// False when the filter surely refuses the message; an SQL filter may always want it.
fn wants(subscription: &SubscriptionData, message: &Message) -> bool {
    let tags = &subscription.tags_set;
    tags.is_empty()
        || tags.contains("*")
        || message.properties.get(property_name::TAGS).is_some_and(|tag| tags.contains(tag))
}

/// Asks the broker at `address`, which keeps the message, what a group has done.
pub(super) async fn ask(admin: &Admin, address: &str, life: &Life, message: &Message, group: &str) -> GroupLine {
    let is_retry = |role: &Role| matches!(role, Role::Retry(of) if of == group);
    let mut line = GroupLine {
        group: group.to_owned(),
        delivery: Ok(Delivery::NoOffset),
        committed: None,
        online: None,
        retries: life.copies.iter().filter(|(role, _)| is_retry(role)).count(),
        is_dead: life.copies.iter().any(|(role, _)| matches!(role, Role::Dead(of) if of == group)),
    };
    let connection = match connection(admin, address, group).await {
        Ok(connection) => connection,
        Err(error) => {
            line.delivery = Err(error.to_string());
            return line;
        }
    };
    line.online = Some(connection.as_ref().map_or(0, |connection| connection.connection_set.len()));
    match committed(admin, address, message, group).await {
        Ok(committed) => line.committed = committed,
        Err(error) => {
            line.delivery = Err(error.to_string());
            return line;
        }
    }
    let at_retry = match last_try(life, group) {
        Some((Role::Retry(_), retry)) => committed(admin, address, retry, group).await.ok().flatten(),
        _ => None,
    };
    let facts = Facts { message, committed: line.committed, connection: connection.as_ref() };
    line.delivery = Ok(retried(life, group, at_retry).unwrap_or_else(|| delivery(&facts)));
    line
}

/// Who is connected of a group; `None` when nobody is.
async fn connection(admin: &Admin, address: &str, group: &str) -> anyhow::Result<Option<ConsumerConnection>> {
    let header = GetConsumerConnectionListRequestHeader { consumer_group: Group::parse(group)? };
    match admin.call_body::<GetConsumerConnectionList, _>(address, &header).await {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if error.is(ResponseCode::CONSUMER_NOT_ONLINE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a group has committed in the message's queue; `None` when nothing.
async fn committed(admin: &Admin, address: &str, message: &Message, group: &str) -> anyhow::Result<Option<i64>> {
    let header = QueryConsumerOffsetRequestHeader {
        consumer_group: Group::parse(group)?,
        topic: Topic::parse(&message.topic)?,
        queue_id: message.queue_id,
        set_zero_if_not_found: Some(false),
    };
    match admin.call_header::<QueryConsumerOffset>(address, &header).await {
        Ok(answer) => Ok(Some(answer.offset.0)),
        Err(error) if is_nothing(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_nothing(error: &AdminError) -> bool {
    error.is(ResponseCode::QUERY_NOT_FOUND)
}
