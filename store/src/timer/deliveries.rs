//! What was delivered already, as the commit log says it: so that a crash between a delivery and the checkpoint does not
//! deliver twice.
//!
//! A delivered message is known by where it goes, its unique key, the time it waited for and how often it was put off; each
//! delivery found in the log takes the place of one message that waits. Two waiting messages may be alike in all of this (a
//! producer that got no answer sends once more): then each was delivered as often as the log says.
//!
//! Upstream has none of this: it delivers again what was delivered since its last checkpoint.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::Record;
use boostermq_remoting::offsets::PhysicalOffset;

use super::WHEEL_TOPIC;
use crate::message_store::MessageStore;

/// Properties that tell timed messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Identity<'a> {
    /// Back to the timer, rather than delivered.
    is_put_off: bool,
    topic: &'a str,
    unique_key: &'a str,
    due: &'a str,
    times_put_off: u32,
}

/// Deliveries that the wheel may not know of.
#[derive(Debug, Default)]
pub struct Deliveries {
    scanned_from: Option<PhysicalOffset>,
    counts: HashMap<[u64; 2], u32>,
}

impl Deliveries {
    /// Reads the commit log from `from`, where a record begins, to its end.
    pub(super) fn scan(store: &MessageStore, from: PhysicalOffset) -> Self {
        let mut deliveries = Self { scanned_from: Some(from), ..Self::default() };
        let file_size = i64::try_from(store.options().commit_log_file_size).unwrap_or(i64::MAX);
        let end = store.max_physical_offset();
        let mut at = from.max(store.min_physical_offset());
        while at < end {
            let record = store.record_at(at);
            at = match record.as_deref().and_then(|bytes| Record::parse(bytes).ok()) {
                Some(record) => {
                    deliveries.note(&record);
                    at.plus(i64::from(record.total_size()))
                }
                // The rest of the file is blank, or cannot be read: recovery has judged that already.
                None => PhysicalOffset(at.0 - at.0.rem_euclid(file_size) + file_size),
            };
        }
        deliveries
    }

    /// Where in the commit log they were looked for; `None` when nothing had to be.
    #[must_use]
    pub const fn scanned_from(&self) -> Option<PhysicalOffset> {
        self.scanned_from
    }

    /// Whether nothing more is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many deliveries are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.values().map(|count| *count as usize).sum()
    }

    /// Whether a waiting message was given out already; the delivery that says so is used up.
    pub fn take(&mut self, waiting: &Record<'_>, is_put_off: bool) -> bool {
        if self.counts.is_empty() {
            return false;
        }
        let mut identity = identity(waiting);
        let properties = waiting.properties();
        identity.topic = properties.get(property::REAL_TOPIC).unwrap_or_default();
        identity.is_put_off = is_put_off;
        identity.times_put_off += u32::from(is_put_off);
        let key = digest(&identity);
        let Some(count) = self.counts.get_mut(&key) else { return false };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&key);
        }
        true
    }

    fn note(&mut self, record: &Record<'_>) {
        let properties = record.properties();
        if memchr::memmem::find(properties.as_str().as_bytes(), property::TIMER_DEQUEUE_MS.as_bytes()).is_none() {
            return;
        }
        let mut identity = identity(record);
        identity.is_put_off = record.topic() == WHEEL_TOPIC;
        identity.topic =
            if identity.is_put_off { properties.get(property::REAL_TOPIC).unwrap_or_default() } else { record.topic() };
        if !identity.due.is_empty() {
            *self.counts.entry(digest(&identity)).or_default() += 1;
        }
    }
}

fn identity<'a>(record: &Record<'a>) -> Identity<'a> {
    let mut identity = Identity::default();
    for (name, value) in record.properties().iter() {
        match name {
            property::UNIQ_KEY => identity.unique_key = value,
            property::TIMER_OUT_MS => identity.due = value,
            property::TIMER_ROLL_TIMES => identity.times_put_off = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    identity
}

/// 128 bits: two different messages never have the same.
fn digest(identity: &Identity<'_>) -> [u64; 2] {
    [0_u8, 1].map(|half| {
        let mut hasher = DefaultHasher::new();
        half.hash(&mut hasher);
        identity.hash(&mut hasher);
        hasher.finish()
    })
}
