//! From times to offsets of a queue and back.
//!
//! Store times never decrease along the log and so along a queue: a search halves the queue and reads one record a step.
//!
//! Upstream: `ConsumeQueue.getOffsetInQueueByTime`, `DefaultMessageStore.getEarliestMessageTime`.

#[cfg(test)]
mod tests;

use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use crate::commit_log::CommitLog;
use crate::consume_queue::{ConsumeQueue, QueueError};
use crate::options::StoreOptions;

/// Which of the messages around a time is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeBoundary {
    /// The first message stored at the time or later; the end of the queue if all are earlier.
    #[default]
    Lower,
    /// The last message stored at the time or earlier; the first of the queue if all are later.
    Upper,
}

impl TimeBoundary {
    /// Reads upstream's name in any case; everything else, and nothing, is [`TimeBoundary::Lower`] (RocketMQ 5.5.0).
    #[must_use]
    pub fn from_name(name: Option<&str>) -> Self {
        if name.is_some_and(|name| name.eq_ignore_ascii_case("upper")) { Self::Upper } else { Self::Lower }
    }
}

/// Units fetched at once while passing over messages that are gone.
const PASSED_AT_ONCE: usize = 64;

/// The offset that belongs to `timestamp` (ms), within the queue's begin and end.
///
/// # Errors
/// [`QueueError::File`].
pub(crate) fn offset_by_time(
    queue: &ConsumeQueue,
    log: &CommitLog,
    timestamp: i64,
    boundary: TimeBoundary,
) -> Result<QueueOffset, QueueError> {
    let (min, max) = (queue.min_offset().0, queue.max_offset().0);
    let (mut low, mut high) = (min, max.max(min));
    // `low` becomes the first offset whose message is too late (or, for Lower, not too early).
    while low < high {
        let middle = low + (high - low) / 2;
        let is_before = timestamp_from(queue, log, middle, high)?.is_some_and(|stored| match boundary {
            TimeBoundary::Lower => stored < timestamp,
            TimeBoundary::Upper => stored <= timestamp,
        });
        if is_before {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(QueueOffset(match boundary {
        TimeBoundary::Lower => low,
        TimeBoundary::Upper => (low - 1).max(min),
    }))
}

/// Store time of the message at `from` or, where the log no longer has it, of the next one before `to` that it has.
fn timestamp_from(queue: &ConsumeQueue, log: &CommitLog, mut from: i64, to: i64) -> Result<Option<i64>, QueueError> {
    let mut units = Vec::new();
    let mut wanted = 1;
    while from < to {
        if queue.read_units(QueueOffset(from), wanted, &mut units)? == 0 {
            from = queue.next_file_offset(QueueOffset(from)).0;
            continue;
        }
        for unit in &units {
            if from >= to {
                break;
            }
            if !unit.is_blank()
                && let Some(timestamp) = log.store_timestamp_at(unit.physical_offset)
            {
                return Ok(Some(timestamp));
            }
            from += 1;
        }
        wanted = PASSED_AT_ONCE;
    }
    Ok(None)
}

/// Store time in ms of the message at `queue_offset`; `None` when there is none or the log no longer has it.
///
/// # Errors
/// [`QueueError::File`].
pub(crate) fn store_timestamp(
    queue: &ConsumeQueue,
    log: &CommitLog,
    queue_offset: QueueOffset,
) -> Result<Option<i64>, QueueError> {
    let physical_offset = physical_offset(queue, queue_offset)?;
    Ok(physical_offset.and_then(|at| log.store_timestamp_at(at)))
}

/// Where the record of the message at `queue_offset` begins; `None` when there is none.
///
/// # Errors
/// [`QueueError::File`].
pub(crate) fn physical_offset(
    queue: &ConsumeQueue,
    queue_offset: QueueOffset,
) -> Result<Option<PhysicalOffset>, QueueError> {
    if queue_offset < queue.min_offset() {
        return Ok(None);
    }
    let mut units = Vec::new();
    queue.read_units(queue_offset, 1, &mut units)?;
    Ok(units.first().filter(|unit| !unit.is_blank()).map(|unit| unit.physical_offset))
}

/// Store time in ms of the first message of the queue; `None` when it has none.
///
/// # Errors
/// [`QueueError::File`].
pub(crate) fn earliest_store_timestamp(queue: &ConsumeQueue, log: &CommitLog) -> Result<Option<i64>, QueueError> {
    store_timestamp(queue, log, queue.min_offset())
}

/// True when the record at `physical_offset` is new enough to be in memory still.
pub(crate) fn is_in_memory(log: &CommitLog, options: &StoreOptions, physical_offset: PhysicalOffset) -> bool {
    log.end().saturating_sub(physical_offset.0) <= options.cached_bytes()
}
