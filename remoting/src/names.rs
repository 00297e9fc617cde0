//! Checked names: a handler cannot see a topic or group that has not passed these rules.
//!
//! Upstream: `TopicValidator`, `Validators` (RocketMQ 5.5.0). A name made by
//! [`Topic::parse`] or [`Group::parse`] holds only `%`, `|`, `-`, `_`, ASCII letters and digits, so it can
//! stand in a path, in a properties string and in a log line without escaping.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Longest topic name in bytes (RocketMQ 5.5.0).
pub const TOPIC_MAX_LENGTH: usize = 127;
/// Longest name of a retry or dead-letter topic in bytes.
pub const RETRY_OR_DLQ_TOPIC_MAX_LENGTH: usize = 255;
/// Longest group name in bytes.
pub const GROUP_MAX_LENGTH: usize = 120;
/// A group's messages to be tried again stand under this prefix and the group's name.
pub const RETRY_TOPIC_PREFIX: &str = "%RETRY%";
/// A group's messages given up stand under this prefix and the group's name.
pub const DLQ_TOPIC_PREFIX: &str = "%DLQ%";
/// Topics with this prefix belong to the broker.
pub const SYSTEM_TOPIC_PREFIX: &str = "rmq_sys_";
/// Light queues stand under this prefix.
pub const LMQ_PREFIX: &str = "%LMQ%";

/// Why a name was refused. The text is the remark a client is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but white space.
    #[error("The specified {kind} is blank.")]
    Blank {
        /// "topic" or "group".
        kind: &'static str,
    },
    /// Longer than the limit.
    #[error("The specified {kind} is longer than {kind} max length {limit}.")]
    TooLong {
        /// "topic" or "group".
        kind: &'static str,
        /// The limit that was passed, in bytes.
        limit: usize,
    },
    /// A character outside the set.
    #[error("The specified {kind} contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$")]
    IllegalCharacter {
        /// "topic" or "group".
        kind: &'static str,
    },
}

const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'%' | b'|' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
}

fn check(kind: &'static str, name: &str, limit: usize) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Blank { kind });
    }
    if !name.bytes().all(is_name_byte) {
        return Err(NameError::IllegalCharacter { kind });
    }
    if name.len() > limit {
        return Err(NameError::TooLong { kind, limit });
    }
    Ok(())
}

/// True when `name` may stand as one component of a path: not empty, not `.` or `..`, no separator, no NUL.
fn is_path_component(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && name.len() <= 255 && !name.bytes().any(|b| b == b'/' || b == 0)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name_type! {
    /// Name of a topic.
    Topic
}
name_type! {
    /// Name of a producer or consumer group.
    Group
}
name_type! {
    /// Name of a broker: the same for a master and its slaves.
    BrokerName
}
name_type! {
    /// Name of a cluster.
    ClusterName
}
name_type! {
    /// What a client calls itself, mostly `ip@instance`; opaque here.
    ClientId
}

impl Topic {
    /// Checks a name that came from a client.
    ///
    /// # Errors
    /// [`NameError`] for a blank name, a character outside the set, or a name over 127 bytes (255 for retry and
    /// dead-letter topics).
    pub fn parse(name: &str) -> Result<Self, NameError> {
        Self::check(name)?;
        Ok(Self(name.into()))
    }

    /// The check of [`Topic::parse`] without making a [`Topic`].
    ///
    /// # Errors
    /// As [`Topic::parse`].
    pub fn check(name: &str) -> Result<(), NameError> {
        let long = name.starts_with(RETRY_TOPIC_PREFIX) || name.starts_with(DLQ_TOPIC_PREFIX);
        check("topic", name, if long { RETRY_OR_DLQ_TOPIC_MAX_LENGTH } else { TOPIC_MAX_LENGTH })
    }

    /// Accepts a name found in a store: anything that may stand as one component of a path. A store may hold
    /// names that today's rules refuse.
    #[must_use]
    pub fn parse_stored(name: &str) -> Option<Self> {
        is_path_component(name).then(|| Self(name.into()))
    }

    /// The topic for a group's messages to be tried again.
    #[must_use]
    pub fn retry_of(group: &Group) -> Self {
        Self(format!("{RETRY_TOPIC_PREFIX}{group}").into())
    }

    /// The topic for a group's messages given up.
    #[must_use]
    pub fn dlq_of(group: &Group) -> Self {
        Self(format!("{DLQ_TOPIC_PREFIX}{group}").into())
    }

    /// True for the retry topic of some group.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.0.starts_with(RETRY_TOPIC_PREFIX)
    }

    /// True for the dead-letter topic of some group.
    #[must_use]
    pub fn is_dlq(&self) -> bool {
        self.0.starts_with(DLQ_TOPIC_PREFIX)
    }
}

impl Group {
    /// Checks a name that came from a client.
    ///
    /// # Errors
    /// [`NameError`] for a blank name, a character outside the set, or a name over 120 bytes.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        check("group", name, GROUP_MAX_LENGTH)?;
        Ok(Self(name.into()))
    }

    /// Accepts a name found in metadata of a store: anything that may stand as one component of a path.
    #[must_use]
    pub fn parse_stored(name: &str) -> Option<Self> {
        is_path_component(name).then(|| Self(name.into()))
    }
}

macro_rules! free_name {
    ($name:ident) => {
        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }
        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }
    };
}
free_name!(BrokerName);
free_name!(ClusterName);
free_name!(ClientId);

impl<'de> serde::Deserialize<'de> for Topic {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse_stored(&name).ok_or_else(|| serde::de::Error::custom(format!("{name:?} cannot name a topic")))
    }
}

impl<'de> serde::Deserialize<'de> for Group {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse_stored(&name).ok_or_else(|| serde::de::Error::custom(format!("{name:?} cannot name a group")))
    }
}

/// Number of a queue of a topic, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct QueueId(pub u32);

impl QueueId {
    /// Checks a number from the wire; `None` when it is negative.
    #[must_use]
    pub fn from_wire(value: i32) -> Option<Self> {
        u32::try_from(value).ok().map(Self)
    }

    /// The number as it goes on the wire and into records.
    #[must_use]
    pub const fn to_wire(self) -> i32 {
        self.0 as i32
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a broker under its name: 0 is the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BrokerId(pub i64);

impl BrokerId {
    /// The master of a broker name.
    pub const MASTER: Self = Self(0);
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_rules_are_upstreams() {
        for good in ["T", "a-b_c|d%e", &"x".repeat(127), &format!("%RETRY%{}", "g".repeat(248))] {
            assert!(Topic::parse(good).is_ok(), "{good}");
        }
        assert_eq!(Topic::parse(" "), Err(NameError::Blank { kind: "topic" }));
        assert_eq!(Topic::parse("a b"), Err(NameError::IllegalCharacter { kind: "topic" }));
        assert_eq!(Topic::parse("a/b"), Err(NameError::IllegalCharacter { kind: "topic" }));
        assert_eq!(Topic::parse(&"x".repeat(128)), Err(NameError::TooLong { kind: "topic", limit: 127 }));
        assert!(Group::parse(&"g".repeat(121)).is_err());
    }

    #[test]
    fn stored_names_stay_in_their_folder() {
        for bad in ["", ".", "..", "a/b", "a\0b"] {
            assert!(Topic::parse_stored(bad).is_none(), "{bad:?}");
        }
        assert!(Topic::parse_stored("%LMQ%$parent$child").is_some());
    }
}
