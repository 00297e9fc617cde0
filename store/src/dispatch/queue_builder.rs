//! From a record to a unit of its consume queue.

use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::message::light::LIGHT_QUEUE;
use boostermq_remoting::message::property_name::{DELAY, TAGS};
use boostermq_remoting::message::record::Record;
use boostermq_remoting::message::tags::tags_code;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;

use crate::commit_log::has_queue_offset;
use crate::consume_queue::{ConsumeQueue, Extension, QueueError, QueueTable, Unit};
use crate::options::StoreOptions;

/// Messages of a delay level wait here; their units hold the time of delivery (RocketMQ 5.5.0).
const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Delay of a level that has none.
const UNKNOWN_LEVEL_DELAY: Duration = Duration::from_secs(1);
/// Queues remembered, so that most records need no search in the table.
const REMEMBERED: usize = 64;

/// Writes units. One for the dispatcher, one for a recovery.
pub(crate) struct QueueBuilder {
    table: Arc<QueueTable>,
    options: Arc<StoreOptions>,
    remembered: [Option<Arc<ConsumeQueue>>; REMEMBERED],
}

/// A unit that was written, or was there.
pub(crate) struct Pushed {
    pub(crate) queue: Arc<ConsumeQueue>,
    /// One past its offset.
    pub(crate) queue_offset: QueueOffset,
    pub(crate) tags_code: i64,
}

/// Where a message stands: in a queue, under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) topic: &'a str,
    pub(crate) queue_id: QueueId,
    pub(crate) queue_offset: QueueOffset,
    /// Not the queue that the message was sent to.
    pub(crate) is_light: bool,
}

impl QueueBuilder {
    pub(crate) fn new(table: Arc<QueueTable>, options: Arc<StoreOptions>) -> Self {
        Self { table, options, remembered: [const { None }; REMEMBERED] }
    }

    /// Forgets the queues it remembers: some have been removed.
    pub(crate) fn forget(&mut self) {
        self.remembered = [const { None }; REMEMBERED];
    }

    /// The places of a record: its own, unless it has none, as a transaction prepared or rolled back; then those in light queues, where
    /// these are kept.
    pub(crate) fn places_of<'a>(&self, record: &Record<'a>) -> impl Iterator<Item = Place<'a>> + use<'a> {
        let own = has_queue_offset(record.sys_flag()).then_some(Place {
            topic: record.topic(),
            queue_id: record.queue_id(),
            queue_offset: record.queue_offset(),
            is_light: false,
        });
        let light = own.filter(|_| self.options.light_queues).map(|_| record.light_places());
        let light = light.into_iter().flatten().map(|(topic, queue_offset)| Place {
            topic,
            queue_id: LIGHT_QUEUE,
            queue_offset,
            is_light: true,
        });
        own.into_iter().chain(light)
    }

    /// The queue of a place; `None` when its topic cannot name a folder, which only damage can bring about.
    pub(crate) fn queue_at(&mut self, place: &Place<'_>) -> Option<Arc<ConsumeQueue>> {
        let (topic, queue_id) = (place.topic, place.queue_id);
        let remembered = self.remembered.get_mut(place_of(topic, queue_id))?;
        let is_it = |queue: &&Arc<ConsumeQueue>| queue.queue_id() == queue_id && queue.topic().as_str() == topic;
        if let Some(queue) = remembered.as_ref().filter(is_it) {
            return Some(Arc::clone(queue));
        }
        let found = match self.table.get(topic, queue_id) {
            Some(queue) => queue,
            None => {
                let Some(topic) = Topic::parse_stored(topic) else {
                    tracing::error!(
                        topic, queue_offset = %place.queue_offset,
                        "this topic cannot name a folder; consumers will not see the message"
                    );
                    return None;
                };
                self.table.get_or_create(&topic, queue_id)
            }
        };
        Some(Arc::clone(remembered.insert(found)))
    }

    /// Whether filter bits would be kept.
    pub(crate) fn keeps_bits(&self) -> bool {
        self.options.extension_enabled
    }

    /// Writes the unit of `record` at one of its places, with filter bits for its extension. `None` when it is damaged in what
    /// the queue needs, which is logged.
    ///
    /// # Errors
    /// [`QueueError`] when the queue cannot be written.
    pub(crate) fn push_at(
        &mut self,
        place: &Place<'_>,
        record: &Record<'_>,
        bits: &[u8],
    ) -> Result<Option<Pushed>, QueueError> {
        let Some(queue) = self.queue_at(place) else { return Ok(None) };
        let unit = self.unit_of(record);
        let tags_code = unit.tags_code;
        let extension = Extension { store_timestamp: record.store_timestamp(), bits };
        match queue.push(place.queue_offset, unit, extension) {
            Ok(()) => Ok(Some(Pushed { queue, queue_offset: place.queue_offset.plus(1), tags_code })),
            Err(error @ QueueError::OffsetOutOfRange { .. }) => {
                tracing::error!(%error, physical_offset = %record.physical_offset());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The unit that belongs to `record`.
    pub(crate) fn unit_of(&self, record: &Record<'_>) -> Unit {
        unit_of(record, &self.options)
    }
}

/// The unit that belongs to `record`.
pub(crate) fn unit_of(record: &Record<'_>, options: &StoreOptions) -> Unit {
    let (physical_offset, size) = (record.physical_offset(), record.total_size());
    Unit { physical_offset, size, tags_code: tags_code_of(record, options) }
}

/// What the unit keeps for filters: the hash of the tags, or the time of delivery for a message of a delay level.
fn tags_code_of(record: &Record<'_>, options: &StoreOptions) -> i64 {
    let properties = record.properties();
    if record.topic() == SCHEDULE_TOPIC {
        let level = properties.get(DELAY).and_then(|level| level.parse::<i32>().ok());
        if let Some(level) = level.filter(|level| *level > 0) {
            let delay = options.delay_of(level).unwrap_or(UNKNOWN_LEVEL_DELAY);
            return record.store_timestamp().saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        }
    }
    properties.get(TAGS).map_or(0, tags_code)
}

/// Where a queue is remembered. Topics mostly differ in length or at their ends, queues of a topic in their number.
fn place_of(topic: &str, queue_id: QueueId) -> usize {
    let bytes = topic.as_bytes();
    let end = bytes.last().copied().map_or(0, usize::from) + bytes.first().copied().map_or(0, usize::from);
    (bytes.len() * 7 + end * 5 + queue_id.0 as usize) % REMEMBERED
}
