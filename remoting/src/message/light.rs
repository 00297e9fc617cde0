//! Light queues: many small queues that share the messages of ordinary topics.
//!
//! ```text
//! INNER_MULTI_DISPATCH      %LMQ%a,%LMQ%b     written by the sender: where the message is to be found, too
//! INNER_MULTI_QUEUE_OFFSET  7,0               written by the broker: its number in each of them
//! ```
//!
//! The message stands in the log once. A light queue is queue 0 of a topic of its own name, and has numbers without holes like any
//! other queue (`enableLmq`, `enableMultiDispatch`; RocketMQ 5.5.0). This module owns the two lists and which topics' messages go
//! into light queues; it knows no queue.
//!
//! A name becomes a folder's name, and stands in a list: what may not be either is refused to its sender, and passed over in a
//! record. Upstream writes lists that its own dispatcher cannot read, when a name is not one of a light queue or stands twice.
//!
//! Upstream: `LmqDispatch`, `MultiDispatchUtils`, `MixAll.topicAllowsLMQ`.

use super::property_name::{INNER_MULTI_DISPATCH, INNER_MULTI_QUEUE_OFFSET};
use super::record::Record;
use crate::names::{LMQ_PREFIX, QueueId, RETRY_TOPIC_PREFIX, SYSTEM_TOPIC_PREFIX, Topic};
use crate::offsets::QueueOffset;

/// Stands between the names, and between the offsets.
pub const SEPARATOR: char = ',';
/// The one queue of a light topic.
pub const LIGHT_QUEUE: QueueId = QueueId(0);
/// Messages of a delay level wait here; they go into light queues when their time has come.
const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

/// Whether messages of `topic` that have numbers in light queues stand in these (RocketMQ 5.5.0).
#[must_use]
pub fn is_dispatched(topic: &str) -> bool {
    !topic.starts_with(RETRY_TOPIC_PREFIX) && !topic.starts_with(SYSTEM_TOPIC_PREFIX) && topic != SCHEDULE_TOPIC
}

/// Whether a light queue can have this name: it may name a folder, and holds neither a comma nor a control character.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_plain = !name.contains(|c: char| c == SEPARATOR || c == '\\' || c.is_control());
    name.len() > LMQ_PREFIX.len() && name.starts_with(LMQ_PREFIX) && is_plain && Topic::parse_stored(name).is_some()
}

/// What a sender's list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LightNames<'a> {
    /// The names that light queues can have, in their order, each once.
    pub names: Vec<&'a str>,
    /// The first that none can have.
    pub refused: Option<&'a str>,
}

impl<'a> LightNames<'a> {
    /// Reads the value of `INNER_MULTI_DISPATCH`. Empty names do not count.
    #[must_use]
    pub fn parse(list: &'a str) -> Self {
        let mut found = Self::default();
        // Beside the list, because thousands of names fit into a property.
        let mut known = std::collections::HashSet::new();
        for name in list.split(SEPARATOR).filter(|name| !name.is_empty()) {
            if !is_name(name) {
                found.refused = found.refused.or(Some(name));
            } else if known.insert(name) {
                found.names.push(name);
            }
        }
        found
    }
}

impl<'a> Record<'a> {
    /// The light queues in which the message stands, with its number in each. None where the two lists do not agree.
    pub fn light_places(&self) -> impl Iterator<Item = (&'a str, QueueOffset)> + use<'a> {
        let (names, offsets) = if is_dispatched(self.topic()) { self.light_lists() } else { ("", "") };
        let places = names.split(SEPARATOR).zip(offsets.split(SEPARATOR));
        places.filter_map(|(name, offset)| {
            let offset = offset.parse::<i64>().ok().filter(|offset| *offset >= 0)?;
            is_name(name).then_some((name, QueueOffset(offset)))
        })
    }

    /// The lists, if they are of one length.
    fn light_lists(&self) -> (&'a str, &'a str) {
        let properties = self.properties();
        // Almost no record has any.
        let Some(offsets) = properties.get(INNER_MULTI_QUEUE_OFFSET) else { return ("", "") };
        let Some(names) = properties.get(INNER_MULTI_DISPATCH) else { return ("", "") };
        let count = |list: &str| list.split(SEPARATOR).count();
        // As Java splits lists: what is empty at the end does not count.
        let (names, offsets) = (names.trim_end_matches(SEPARATOR), offsets.trim_end_matches(SEPARATOR));
        if count(names) == count(offsets) { (names, offsets) } else { ("", "") }
    }

    /// Whether the message stands in this queue at this offset: its own, or a light one.
    #[must_use]
    pub fn has_place(&self, topic: &str, queue_id: QueueId, queue_offset: QueueOffset) -> bool {
        (self.topic(), self.queue_id(), self.queue_offset()) == (topic, queue_id, queue_offset)
            || (is_light(topic, queue_id) && self.light_places().any(|place| place == (topic, queue_offset)))
    }

    /// The number of the message in this queue, if it stands there.
    #[must_use]
    pub fn offset_in(&self, topic: &str, queue_id: QueueId) -> Option<QueueOffset> {
        if (self.topic(), self.queue_id()) == (topic, queue_id) {
            return Some(self.queue_offset());
        }
        let mut places = self.light_places();
        is_light(topic, queue_id).then(|| places.find(|(name, _)| *name == topic)).flatten().map(|(_, offset)| offset)
    }
}

fn is_light(topic: &str, queue_id: QueueId) -> bool {
    queue_id == LIGHT_QUEUE && topic.starts_with(LMQ_PREFIX)
}

#[cfg(test)]
mod tests;
