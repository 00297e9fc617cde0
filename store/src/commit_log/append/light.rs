//! Records that stand in light queues, too: their numbers there are known only under the append lock, and go into their properties.

use std::borrow::Cow;
use std::sync::Arc;

use boostermq_remoting::message::light::{LightNames, SEPARATOR, is_dispatched};
use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name::{INNER_MULTI_DISPATCH, INNER_MULTI_QUEUE_OFFSET};
use boostermq_remoting::message::record::{CHECKSUM_LENGTH, RecordFields, set_properties_length};
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, Topic};

use super::AppendBatch;
use crate::consume_queue::{ConsumeQueue, QueueTable};

/// Half messages, and those given up as such: they are not to be seen before they are committed. Upstream shows them in their light
/// queues all the same.
const TRANSACTION_PREFIXES: [&str; 2] = ["RMQ_SYS_", "TRANS_CHECK_MAX_TIME_TOPIC"];
/// What both lists begin with.
const NAMES_BEGIN: &[u8] = b"INNER_MULTI_";
/// Digits of the largest number, and what separates it from the next.
const OFFSET_ROOM: usize = 20;

/// The light queues of one record.
#[derive(Debug)]
pub(super) struct Light {
    names: Vec<Topic>,
    /// Found by their names before the append.
    queues: Vec<Arc<ConsumeQueue>>,
    /// Bytes of the record's properties without their numbers.
    properties_length: usize,
    /// Bytes of the numbers, while they stand in the record.
    numbers_length: usize,
}

impl Light {
    /// Most bytes that the record will grow by.
    pub(super) fn room(&self) -> usize {
        INNER_MULTI_QUEUE_OFFSET.len() + 2 + self.names.len() * OFFSET_ROOM
    }

    /// Gives a number of each queue to the record, as one property.
    fn number(&self) -> Vec<u8> {
        let mut offsets = String::new();
        for queue in &self.queues {
            let next = queue.next_offset();
            queue.set_next_offset(next.plus(1));
            if !offsets.is_empty() {
                offsets.push(SEPARATOR);
            }
            offsets.push_str(&next.0.to_string());
        }
        let mut property = Vec::with_capacity(self.room());
        append(&mut property, INNER_MULTI_QUEUE_OFFSET, &offsets);
        property
    }
}

/// What a record's properties become where light queues are kept: numbers that came with it go, for only the store gives numbers;
/// and the names in the list are those of light queues, each once.
pub(super) fn properties_of<'a>(fields: &RecordFields<'a>) -> (Cow<'a, [u8]>, Option<Light>) {
    let bytes = fields.properties;
    if memchr::memmem::find(bytes, NAMES_BEGIN).is_none() {
        return (Cow::Borrowed(bytes), None);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return (Cow::Borrowed(bytes), None) };
    let plain = Properties(text).without(INNER_MULTI_QUEUE_OFFSET).into_owned();
    let list = Properties(text).get(INNER_MULTI_DISPATCH).filter(|_| goes_into_light_queues(fields.topic));
    let names = list.map(LightNames::parse).unwrap_or_default().names;
    if names.is_empty() {
        return (Cow::Owned(plain.into_bytes()), None);
    }
    let mut properties = Properties(&plain).without(INNER_MULTI_DISPATCH).into_owned().into_bytes();
    let mut separator = [0; 4];
    append(&mut properties, INNER_MULTI_DISPATCH, &names.join(SEPARATOR.encode_utf8(&mut separator)));
    let light = Light {
        names: names.into_iter().filter_map(Topic::parse_stored).collect(),
        queues: Vec::new(),
        properties_length: properties.len(),
        numbers_length: 0,
    };
    (Cow::Owned(properties), Some(light))
}

/// Of which topics messages are put into light queues. Narrower than what is dispatched from a log that upstream wrote.
fn goes_into_light_queues(topic: &str) -> bool {
    is_dispatched(topic)
        && !topic.starts_with(DLQ_TOPIC_PREFIX)
        && !TRANSACTION_PREFIXES.iter().any(|prefix| topic.starts_with(prefix))
}

impl AppendBatch {
    /// Finds the light queues of all records, and makes those that are not there.
    pub(crate) fn find_light_queues(&mut self, queues: &QueueTable) {
        for light in self.entries.iter_mut().filter_map(|entry| entry.light.as_mut()) {
            light.queues = light.names.iter().map(|name| queues.light_queue(name)).collect();
        }
    }

    /// Gives numbers of light queues to the records that stand there, and writes them into these. The caller holds the append lock.
    pub(super) fn number_in_light_queues(&mut self) {
        if self.entries.iter().all(|entry| entry.light.is_none()) {
            return;
        }
        let bare = std::mem::take(&mut self.bytes);
        self.bytes.reserve(bare.len() + self.entries.iter().map(super::Entry::room).sum::<usize>());
        let mut rest = bare.as_slice();
        for entry in &mut self.entries {
            let Some((record, after)) = rest.split_at_checked(entry.length as usize) else { break };
            rest = after;
            let Some(light) = &mut entry.light else {
                self.bytes.extend_from_slice(record);
                continue;
            };
            let tail = if entry.has_checksum { CHECKSUM_LENGTH } else { 0 };
            let (body, checksum) = record.split_at(record.len() - tail);
            let numbers = light.number();
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&body[..body.len() - light.numbers_length]);
            self.bytes.extend_from_slice(&numbers);
            self.bytes.extend_from_slice(checksum);
            light.numbers_length = numbers.len();
            let record = &mut self.bytes[start..];
            entry.length = record.len() as u32;
            // Room for them was looked for when the record was encoded.
            set_properties_length(record, (light.properties_length + numbers.len() + tail) as u16);
        }
    }

    /// Gives the numbers of light queues back: nothing was written. The caller holds the append lock.
    pub(super) fn give_light_numbers_back(&self) {
        let queues = self.entries.iter().filter_map(|entry| entry.light.as_ref()).flat_map(|light| &light.queues);
        queues.for_each(|queue| queue.set_next_offset(queue.next_offset().plus(-1)));
    }
}
