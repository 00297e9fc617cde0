//! Mending a unit of a consume queue that does not lead to its message: the log has it, a little further on.

use boostermq_remoting::offsets::QueueOffset;

use crate::commit_log::{CommitLog, Found, look, step_over};
use crate::consume_queue::{ConsumeQueue, QueueError, READ_UNITS_MAX, Unit};
use crate::dispatch::unit_of;
use crate::options::StoreOptions;

/// Most bytes of the log that are looked through for one message.
const WALK_MAX: i64 = 16 << 20;

/// Finds the message `wanted` of `queue` in the log, from the nearest message before it on, and puts its unit right. `None` when it is
/// not there: then the message is damaged, and not its unit.
///
/// # Errors
/// [`QueueError::File`] when a file of the queue cannot be read or written.
pub(super) fn mend(
    queue: &ConsumeQueue,
    log: &CommitLog,
    options: &StoreOptions,
    wanted: QueueOffset,
) -> Result<Option<Unit>, QueueError> {
    let Some(start) = end_of_nearest(queue, log, wanted)? else { return Ok(None) };
    let (mut at, content) = (start, log.content_check());
    while at < log.end().min(start + WALK_MAX) {
        let Some(file) = log.file_at(at) else { return Ok(None) };
        at = match look(&file, at, content) {
            Found::Record(record) => {
                if let Some(queue_offset) = record.offset_in(queue.topic().as_str(), queue.queue_id()) {
                    if queue_offset > wanted {
                        return Ok(None);
                    }
                    if queue_offset == wanted {
                        let unit = unit_of(&record, options);
                        tracing::warn!(?queue, queue_offset = %wanted, at, "a damaged unit of this consume queue is put right");
                        queue.mend(wanted, unit)?;
                        return Ok(Some(unit));
                    }
                }
                at + i64::from(record.total_size())
            }
            Found::EndOfFile => file.limit(),
            Found::Damage { length, .. } => step_over(&file, at, length, content).max(at + 1),
        };
    }
    Ok(None)
}

/// Where the nearest message before `wanted` ends whose unit is right; the begin of the log when `wanted` is among the first.
fn end_of_nearest(queue: &ConsumeQueue, log: &CommitLog, wanted: QueueOffset) -> Result<Option<i64>, QueueError> {
    let from = queue.min_offset().max(wanted.plus(-(READ_UNITS_MAX as i64)));
    let mut units = Vec::new();
    let count = usize::try_from(wanted.since(from)).unwrap_or(0);
    if count > 0 {
        queue.read_units(from, count, &mut units)?;
    }
    let leads_to_its_message = |index: usize, unit: &Unit| {
        let Some(file) = log.file_at(unit.physical_offset.0).filter(|_| !unit.is_blank()) else { return false };
        let Found::Record(record) = look(&file, unit.physical_offset.0, log.content_check()) else { return false };
        record.has_place(queue.topic().as_str(), queue.queue_id(), from.plus(index as i64))
    };
    let nearest = units.iter().enumerate().rev().find(|(index, unit)| leads_to_its_message(*index, unit));
    let is_among_first = from == queue.min_offset();
    Ok(nearest.map(|(_, unit)| unit.physical_end().0).or_else(|| is_among_first.then(|| log.min_offset())))
}
