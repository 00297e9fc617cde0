//! The life of a message, put together from its copies: which is the message itself, which are half messages, retries,
//! dead letters, or copies that wait for a time.

use std::collections::{BTreeMap, BTreeSet};

use boostermq_remoting::message::{Message, property_name};
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, RETRY_TOPIC_PREFIX};

/// Half messages of transactions.
pub(super) const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// What became of half messages.
pub(super) const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Half messages that nobody answered for.
const GIVEN_UP_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// Messages with a time of their own.
pub(super) const WHEEL_TOPIC: &str = "rmq_sys_wheel_timer";
/// Messages with a delay level.
pub(super) const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Topics that hold copies of messages of other topics.
pub(super) const HELD_BACK: [&str; 4] = [HALF_TOPIC, GIVEN_UP_TOPIC, WHEEL_TOPIC, SCHEDULE_TOPIC];

/// What a copy is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The message in its own topic.
    Stored,
    /// Prepared in a transaction.
    Half,
    /// Prepared, and given up after many questions.
    GivenUp,
    /// Waiting for its time.
    Timed,
    /// Waiting for the time of its next retry in this group.
    RetryWaiting(String),
    /// To be consumed by this group once more.
    Retry(String),
    /// Given up by this group.
    Dead(String),
}

impl Role {
    pub(super) fn of(message: &Message) -> Self {
        let topic = message.topic.as_str();
        if let Some(group) = topic.strip_prefix(RETRY_TOPIC_PREFIX) {
            return Self::Retry(group.to_owned());
        }
        if let Some(group) = topic.strip_prefix(DLQ_TOPIC_PREFIX) {
            return Self::Dead(group.to_owned());
        }
        match topic {
            HALF_TOPIC => Self::Half,
            GIVEN_UP_TOPIC => Self::GivenUp,
            WHEEL_TOPIC | SCHEDULE_TOPIC => {
                let real = message.properties.get(property_name::REAL_TOPIC).unwrap_or_default();
                match real.strip_prefix(RETRY_TOPIC_PREFIX) {
                    Some(group) => Self::RetryWaiting(group.to_owned()),
                    None => Self::Timed,
                }
            }
            _ => Self::Stored,
        }
    }

    /// One word for it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Half => "half",
            Self::GivenUp => "given up",
            Self::Timed => "timed",
            Self::RetryWaiting(_) => "retry, waiting",
            Self::Retry(_) => "retry",
            Self::Dead(_) => "dead letter",
        }
    }
}

/// A message with all its copies, the oldest first.
#[derive(Debug)]
pub(super) struct Life {
    /// Its unique key, or the offset id of one without.
    pub(super) id: String,
    /// Everything that was found of it.
    pub(super) copies: Vec<(Role, Message)>,
}

impl Life {
    /// The message itself: in its own topic if it got there, else the oldest copy.
    pub(super) fn message(&self) -> Option<&Message> {
        let stored = self.copies.iter().find(|(role, _)| *role == Role::Stored);
        stored.or_else(|| self.copies.first()).map(|(_, message)| message)
    }

    /// The topic it was sent to.
    pub(super) fn topic(&self) -> Option<&str> {
        let message = self.message()?;
        let property = |name| message.properties.get(name);
        Some(match Role::of(message) {
            Role::Stored => &message.topic,
            Role::Retry(_) | Role::RetryWaiting(_) => property(property_name::RETRY_TOPIC).unwrap_or(&message.topic),
            Role::Dead(_) => property(property_name::DLQ_ORIGIN_TOPIC).unwrap_or(&message.topic),
            Role::Half | Role::GivenUp | Role::Timed => property(property_name::REAL_TOPIC).unwrap_or(&message.topic),
        })
    }

    pub(super) fn of_role(&self, wanted: &Role) -> impl Iterator<Item = &Message> {
        self.copies.iter().filter(move |(role, _)| role == wanted).map(|(_, message)| message)
    }

    /// Groups that have tried it more than once.
    pub(super) fn retrying_groups<'a>(&'a self) -> BTreeSet<&'a str> {
        let group = |role: &'a Role| match role {
            Role::Retry(group) | Role::RetryWaiting(group) | Role::Dead(group) => Some(group.as_str()),
            _ => None,
        };
        self.copies.iter().filter_map(|(role, _)| group(role)).collect()
    }
}

/// Sorts what was found into lives, the oldest first. A copy that was found twice counts once.
pub(super) fn gather(found: Vec<Message>) -> Vec<Life> {
    let mut seen = BTreeSet::new();
    let mut lives: BTreeMap<String, Vec<(Role, Message)>> = BTreeMap::new();
    for message in found {
        if seen.insert((message.store_host, message.physical_offset)) {
            lives.entry(life_id(&message)).or_default().push((Role::of(&message), message));
        }
    }
    let mut lives: Vec<Life> = lives.into_iter().map(|(id, copies)| Life { id, copies }).collect();
    for life in &mut lives {
        life.copies.sort_by_key(|(_, message)| (message.store_timestamp, message.physical_offset));
    }
    lives.sort_by_key(|life| life.copies.first().map(|(_, message)| message.store_timestamp));
    lives
}

/// Copies keep the unique key; those of a message without one name the place of the first.
fn life_id(message: &Message) -> String {
    let property = |name| message.properties.get(name).map(str::to_owned);
    property(property_name::UNIQ_KEY)
        .or_else(|| property(property_name::ORIGIN_MESSAGE_ID))
        .or_else(|| property(property_name::DLQ_ORIGIN_MESSAGE_ID))
        .unwrap_or_else(|| message.offset_id().to_string())
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its message is in its topic.
    Committed,
    /// Settled without a message.
    RolledBack,
    /// Nobody has answered yet.
    Open {
        /// How often producers were asked.
        checks: i64,
    },
    /// Nobody answered, however often they were asked.
    GivenUp,
    /// The broker does not tell.
    Unknown,
}

/// What became of the transaction, when there is one. `is_settled` says whether the broker has finished with the half
/// message, when that is known.
pub(super) fn outcome(life: &Life, is_settled: Option<bool>) -> Option<Outcome> {
    // Each question puts the half message back at the end: the last copy counts.
    let half = life.of_role(&Role::Half).last();
    let is_given_up = life.of_role(&Role::GivenUp).next().is_some();
    if half.is_none() && !is_given_up {
        return None;
    }
    let checks = half.and_then(|half| half.properties.get(property_name::TRANSACTION_CHECK_TIMES));
    let checks = checks.and_then(|text| text.parse().ok()).unwrap_or_default();
    let is_stored = [Role::Stored, Role::Timed].iter().any(|role| life.of_role(role).next().is_some());
    Some(match (is_stored, is_given_up, is_settled) {
        (true, ..) => Outcome::Committed,
        (_, true, _) => Outcome::GivenUp,
        (_, _, Some(true)) => Outcome::RolledBack,
        (_, _, Some(false)) => Outcome::Open { checks },
        (_, _, None) => Outcome::Unknown,
    })
}

/// How it stands with the time that a message was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// It is in its topic.
    Delivered {
        /// How much later than wanted, ms; `None` when a level said when.
        late_ms: Option<i64>,
    },
    /// Its time has not come.
    Waiting {
        /// When it comes, milliseconds since 1970; `None` when a level says so.
        at_ms: Option<i64>,
        /// The delay level, 0 for none.
        level: i64,
    },
    /// Its time is over, and it is not in its topic: called back, or the timer is behind.
    Overdue {
        /// When it should have come.
        at_ms: i64,
    },
}

/// How it stands with the message's time, when it has one.
pub(super) fn timing(life: &Life, now_ms: i64) -> Option<Timing> {
    let timed = life.of_role(&Role::Timed).last()?;
    let number = |name| timed.properties.get(name).and_then(|text| text.parse::<i64>().ok());
    let at_ms = number(property_name::TIMER_OUT_MS).or_else(|| number(property_name::TIMER_DELIVER_MS));
    let stored = life.of_role(&Role::Stored).next();
    Some(match (stored, at_ms) {
        (Some(stored), at_ms) => Timing::Delivered { late_ms: at_ms.map(|at_ms| stored.store_timestamp - at_ms) },
        (None, Some(at_ms)) if at_ms < now_ms => Timing::Overdue { at_ms },
        (None, at_ms) => Timing::Waiting { at_ms, level: number(property_name::DELAY).unwrap_or_default() },
    })
}
