//! Entries of a consume queue as they stand, for those who look into it.
//!
//! Never says whether a message is wanted, and reads none. Upstream: `ConsumeQueueInterface.iterateFrom`, `CqUnit`.

#[cfg(test)]
mod tests;

use boostermq_remoting::offsets::QueueOffset;

use crate::consume_queue::{ConsumeQueue, QueueError, Unit};

/// One entry of a consume queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// What stands in the queue.
    pub unit: Unit,
    /// What stands in the extension files that the unit's tags code points to.
    pub extension: EntryExtension,
}

/// What an entry has besides its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryExtension {
    /// Nothing: the tags code is one.
    None,
    /// The tags code is an address at which nothing stands.
    Lost,
    /// What stands there.
    Found {
        /// Hash of the tags.
        tags_code: i64,
        /// When the message was appended, in milliseconds since 1970; 0 where no filter bits were computed.
        store_timestamp: i64,
        /// Its filter bits; empty where none were computed.
        bits: Vec<u8>,
    },
}

/// Entries from an offset on, at most `count`; none outside the queue. Blank ones and what a missing file held are left out.
pub(crate) fn entries(queue: &ConsumeQueue, from: QueueOffset, count: usize) -> Result<Vec<QueueEntry>, QueueError> {
    let (mut found, mut units) = (Vec::new(), Vec::new());
    let end = from.0.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)).min(queue.max_offset().0);
    let mut next = if from < queue.min_offset() { QueueOffset(end) } else { from };
    while next.0 < end {
        let wanted = usize::try_from(end - next.0).unwrap_or(0);
        let read = queue.read_units(next, wanted, &mut units)?;
        if read == 0 {
            next = queue.next_file_offset(next);
            continue;
        }
        next = next.plus(read as i64);
        found.extend(units.iter().filter(|unit| !unit.is_blank()).map(|unit| entry(queue, *unit)));
    }
    Ok(found)
}

fn entry(queue: &ConsumeQueue, unit: Unit) -> QueueEntry {
    let extension = if unit.is_extended() {
        let mut bits = Vec::new();
        match (queue.tags_code(&unit), queue.filter_bits(&unit, &mut bits)) {
            (None, _) => EntryExtension::Lost,
            (Some(tags_code), store_timestamp) => {
                EntryExtension::Found { tags_code, store_timestamp: store_timestamp.unwrap_or(0), bits }
            }
        }
    } else {
        EntryExtension::None
    };
    QueueEntry { unit, extension }
}
