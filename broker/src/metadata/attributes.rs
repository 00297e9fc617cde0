//! Attributes of topics and groups: which there are, which values they take, and how a request changes them.
//!
//! In a request each key carries a sign: `+key=value` sets, `-key` removes. Stored keys carry none. What the
//! attributes mean is not decided here.
//!
//! Upstream: `TopicAttributes`, `SubscriptionGroupAttributes`, `AttributeUtil`, `AttributeParser` (RocketMQ 5.5.0).

use std::collections::{BTreeMap, BTreeSet};

/// Attributes by key.
pub(crate) type AttributeMap = BTreeMap<String, String>;

/// Why attributes were not changed; upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AttributeError {
    #[error("add/alter attribute format is wrong: {0}")]
    AddFormat(String),
    #[error("delete attribute format is wrong: {0}")]
    DeleteFormat(String),
    #[error("key duplication: {0}")]
    DuplicateText(String),
    #[error("alter duplication key. key: {0}")]
    Duplicate(String),
    #[error("kv string format wrong.")]
    Name,
    #[error("wrong format key: {0}")]
    Sign(String),
    #[error("only add attribute is supported while creating topic. key: {0}")]
    RemoveFromNew(String),
    #[error("attempt to delete a nonexistent key: {0}")]
    Nonexistent(String),
    #[error("unsupported key: {0}")]
    Unsupported(String),
    #[error("attempt to update an unchangeable attribute. key: {0}")]
    Unchangeable(String),
    #[error("value is not in set: {0}")]
    NotInSet(String),
    #[error("value is not in range({0}, {1})")]
    NotInRange(i64, i64),
    #[error("boolean attribute format is wrong.")]
    NotBoolean,
    #[error("value is blank")]
    Blank,
}

/// Values that an attribute takes.
#[derive(Clone, Copy, Debug)]
enum Values {
    OneOf(&'static [&'static str]),
    Between(i64, i64),
    Boolean,
    Text,
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    key: &'static str,
    /// Whether it may be changed after its topic or group was made.
    changeable: bool,
    values: Values,
}

const fn attribute(key: &'static str, changeable: bool, values: Values) -> Attribute {
    Attribute { key, changeable, values }
}

/// Key of the attribute that says what kind of messages a topic takes.
pub(crate) const MESSAGE_TYPE: &str = "message.type";

/// Key of the attribute that says what kind of queues a topic has, and the only kind that is served.
pub(crate) const QUEUE_TYPE: &str = "queue.type";
pub(crate) const SIMPLE_QUEUES: &str = "SimpleCQ";
/// Key of the attribute that says how old messages go, and the only way that is served.
pub(crate) const CLEANUP_POLICY: &str = "cleanup.policy";
pub(crate) const DELETING: &str = "DELETE";

/// Attributes of topics.
pub(crate) const OF_TOPICS: &[Attribute] = &[
    // BatchCQ and COMPACTION are refused: a topic made with them could be served neither here nor, later, by a Java broker.
    attribute(QUEUE_TYPE, false, Values::OneOf(&[SIMPLE_QUEUES])),
    attribute(CLEANUP_POLICY, false, Values::OneOf(&[DELETING])),
    attribute(
        MESSAGE_TYPE,
        true,
        Values::OneOf(&["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "PRIORITY", "LITE", "MIXED"]),
    ),
    attribute("reserve.time", true, Values::Between(-1, i64::MAX)),
    attribute("lite.topic.expiration", true, Values::Between(-1, 30 * 24 * 60)),
];

/// Attributes of groups.
pub(crate) const OF_GROUPS: &[Attribute] = &[
    attribute("priority.factor", true, Values::Between(0, 100)),
    attribute("lite.bind.topic", true, Values::Text),
    attribute("lite.sub.model", true, Values::OneOf(&["Shared", "Exclusive"])),
    attribute("lite.sub.reset.offset.exclusive", true, Values::Boolean),
    attribute("lite.sub.reset.offset.unsubscribe", true, Values::Boolean),
    attribute("lite.sub.client.quota", true, Values::Between(-1, i64::MAX)),
    attribute("lite.sub.client.max.event.cnt", true, Values::Between(10, i64::MAX)),
    attribute("lite.sub.wildcard", true, Values::Text),
];

/// Reads `+a=1,-b` as it stands in the header of a request.
///
/// # Errors
/// [`AttributeError`] for a piece that is neither `+key=value` nor `-key`, or a key that stands twice.
pub(crate) fn parse_attributes(text: &str) -> Result<AttributeMap, AttributeError> {
    let mut parsed = AttributeMap::new();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let (key, value) = match piece.split_once('=') {
            Some((key, value)) if key.starts_with('+') => (key, value),
            Some(_) => return Err(AttributeError::AddFormat(piece.to_owned())),
            None if piece.starts_with('-') => (piece, ""),
            None => return Err(AttributeError::DeleteFormat(piece.to_owned())),
        };
        if parsed.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(AttributeError::DuplicateText(piece.to_owned()));
        }
    }
    Ok(parsed)
}

/// The attributes after `requested`, whose keys carry signs, was applied to `current`, whose keys do not. Nothing may be
/// removed from what is only being made.
///
/// # Errors
/// [`AttributeError`]; then nothing changes.
pub(crate) fn alter(
    known: &[Attribute],
    current: Option<&AttributeMap>,
    requested: &AttributeMap,
) -> Result<AttributeMap, AttributeError> {
    let mut result = current.cloned().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (signed, value) in requested {
        let mut letters = signed.chars();
        let sign = letters.next();
        let key = letters.as_str();
        if key.is_empty() || key.contains(['+', '-']) {
            return Err(AttributeError::Name);
        }
        if !seen.insert(key) {
            return Err(AttributeError::Duplicate(key.to_owned()));
        }
        let attribute = known.iter().find(|attribute| attribute.key == key);
        let attribute = || attribute.ok_or_else(|| AttributeError::Unsupported(key.to_owned()));
        match sign {
            Some('+') => {
                if result.contains_key(key) && !attribute()?.changeable {
                    return Err(AttributeError::Unchangeable(key.to_owned()));
                }
                attribute()?.values.check(value)?;
                result.insert(key.to_owned(), value.clone());
            }
            _ if current.is_none() => return Err(AttributeError::RemoveFromNew(key.to_owned())),
            Some('-') => {
                if !result.contains_key(key) {
                    return Err(AttributeError::Nonexistent(key.to_owned()));
                }
                if !attribute()?.changeable {
                    return Err(AttributeError::Unchangeable(key.to_owned()));
                }
                result.remove(key);
            }
            _ => return Err(AttributeError::Sign(signed.clone())),
        }
    }
    Ok(result)
}

impl Values {
    fn check(self, value: &str) -> Result<(), AttributeError> {
        match self {
            Self::OneOf(values) if values.contains(&value) => Ok(()),
            Self::OneOf(values) => Err(AttributeError::NotInSet(format!("[{}]", values.join(", ")))),
            Self::Between(least, most) => match value.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(AttributeError::NotInRange(least, most)),
            },
            Self::Boolean if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") => Ok(()),
            Self::Boolean => Err(AttributeError::NotBoolean),
            Self::Text if value.is_empty() => Err(AttributeError::Blank),
            Self::Text => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> AttributeMap {
        text.split(',')
            .filter_map(|piece| piece.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn texts_are_read_as_signed_keys() {
        assert_eq!(parse_attributes("").unwrap(), map(""));
        assert_eq!(parse_attributes("+a=1,-b,").unwrap(), map("+a=1,-b="));
        for bad in ["a=1", "a", "-a=1", "+a", "+a=1,+a=2"] {
            assert!(parse_attributes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn changes_follow_upstreams_rules() {
        use AttributeError as E;
        let key = |text: &str| text.to_owned();
        for (current, requested, expected) in [
            (None, "+message.type=FIFO", Ok("message.type=FIFO")),
            (
                None,
                "+message.type=fifo",
                Err(E::NotInSet(key("[UNSPECIFIED, NORMAL, FIFO, DELAY, TRANSACTION, PRIORITY, LITE, MIXED]"))),
            ),
            (None, "+color=red", Err(E::Unsupported(key("color")))),
            (None, "-message.type=", Err(E::RemoveFromNew(key("message.type")))),
            (None, "+reserve.time=-1", Ok("reserve.time=-1")),
            (None, "+reserve.time=-2", Err(E::NotInRange(-1, i64::MAX))),
            (Some("message.type=FIFO"), "+message.type=NORMAL", Ok("message.type=NORMAL")),
            (Some("message.type=FIFO"), "-message.type=", Ok("")),
            (Some("message.type=FIFO"), "-reserve.time=", Err(E::Nonexistent(key("reserve.time")))),
            (Some("message.type=FIFO"), "", Ok("message.type=FIFO")),
            (Some("queue.type=SimpleCQ"), "+queue.type=BatchCQ", Err(E::Unchangeable(key("queue.type")))),
            (Some("queue.type=SimpleCQ"), "-queue.type=", Err(E::Unchangeable(key("queue.type")))),
            (Some(""), "+queue.type=SimpleCQ", Ok("queue.type=SimpleCQ")),
            (Some(""), "+queue.type=BatchCQ", Err(E::NotInSet(key("[SimpleCQ]")))),
            (Some(""), "+cleanup.policy=COMPACTION", Err(E::NotInSet(key("[DELETE]")))),
            (Some("color=red"), "+message.type=FIFO", Ok("color=red,message.type=FIFO")),
            (Some(""), "message.type=FIFO", Err(E::Sign(key("message.type")))),
            (Some(""), "+a-b=1", Err(E::Name)),
            (Some(""), "+=1", Err(E::Name)),
        ] {
            let current = current.map(map);
            let altered = alter(OF_TOPICS, current.as_ref(), &map(requested));
            assert_eq!(altered, expected.map(map), "{current:?} {requested}");
        }
    }
}
