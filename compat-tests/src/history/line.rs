//! One line of a history.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Something that a process did, was told, or saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Nanoseconds on one monotonic clock since the history began.
    pub ns: u64,
    /// Who: a client's connection (`p1/3` is the third connection of producer 1), or whoever ends and starts the broker.
    pub process: Arc<str>,
    /// What.
    #[serde(flatten)]
    pub op: Op,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to be asked.
    Invoke,
    /// Done, says the broker.
    Ok,
    /// Nobody knows: no answer, or one that leaves it open (`FLUSH_DISK_TIMEOUT` and the like).
    Info,
    /// Not done, says the broker.
    Fail,
}

/// What happened to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// It answers.
    Ready,
    /// It was killed without warning.
    Killed,
    /// It was asked to end, and ended.
    Stopped,
    /// It was stopped in its tracks and let go on later.
    Paused,
}

/// A message as its producer numbers it: the same in every attempt to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageKey {
    /// Number of the producer; 0 stands for a message that no producer of ours can have made.
    pub producer: u32,
    /// Number of the message, counted by its producer.
    pub sequence: u64,
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}-{}", self.producer, self.sequence)
    }
}

/// An operation, or a look at what is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// One attempt to store a message. A message of a batch has a line of its own.
    Send {
        /// How far.
        phase: Phase,
        /// Its topic.
        topic: Arc<str>,
        /// Its queue.
        queue: u32,
        /// The message.
        #[serde(flatten)]
        message: MessageKey,
        /// CRC-32 over its properties and body.
        hash: u32,
        /// Queue offset, when the answer says one that holds for this topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<i64>,
        /// Shown to nobody before so many milliseconds have passed; 0 for most.
        #[serde(default, skip_serializing_if = "is_zero")]
        delay_ms: u64,
        /// What the broker said, when it was not yes.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// A consumer begins, or begins anew, at this offset.
    Position {
        /// Its group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// Offset of the first message it asks for.
        offset: i64,
    },
    /// A consumer got a message.
    Read {
        /// Its group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// Queue offset of the message.
        offset: i64,
        /// The message, as its body says.
        #[serde(flatten)]
        message: MessageKey,
        /// CRC-32 over the properties and the body that came.
        hash: u32,
    },
    /// The broker said where a queue begins and ends.
    Bounds {
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// First offset.
        min: i64,
        /// Offset after the last message.
        max: i64,
    },
    /// A message found when all load had ended and the broker had recovered.
    Drain {
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// Queue offset of the message.
        offset: i64,
        /// The message, as its body says.
        #[serde(flatten)]
        message: MessageKey,
        /// CRC-32 over the properties and the body that came.
        hash: u32,
    },
    /// The queue was drained from `min` up to, not including, `max`.
    Drained {
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// First offset.
        min: i64,
        /// Offset after the last message.
        max: i64,
    },
    /// A group stores how far it has come.
    Commit {
        /// How far.
        phase: Phase,
        /// The group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// Offset of the next message to be consumed.
        offset: i64,
    },
    /// The broker said how far a group has come; -1 for nothing stored.
    Committed {
        /// The group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: u32,
        /// Offset of the next message to be consumed.
        offset: i64,
    },
    /// Something happened to the broker.
    Broker {
        /// What.
        event: Server,
        /// Longest time that the disk took to write a small file in the meantime, ms: so much longer than promised may
        /// lie what a crash takes back.
        #[serde(default, skip_serializing_if = "is_zero")]
        stalled_ms: u64,
        /// So long before this line it began: a process that is killed may be held up by the disk.
        #[serde(default, skip_serializing_if = "is_zero")]
        took_ms: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
