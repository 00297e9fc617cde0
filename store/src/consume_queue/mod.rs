//! Consume queues: for each queue of a topic, the row of its messages' places in the commit log.
//!
//! Owns `consumequeue/TOPIC/QUEUE/%020d`: files of one configured length, named by the byte position they begin at, holding
//! [`Unit`]s of 20 bytes. The unit of queue offset `n` stands at byte `20 n`:
//!
//! ```text
//!  missing or expired │ blank units │ units …                      │ newest units │ zeros to the end of the file
//!                     ^ first file  ^ min offset                   ^ buffered     ^ max offset
//!                                     in the files                   in memory, in the files at the next flush
//! ```
//!
//! A queue is derived from the commit log: what it holds after a record was pushed depends on the log up to that record and on
//! nothing else, so a queue that is behind or damaged is mended by pushing the records again, in the order of the log. A unit
//! is never shifted to another offset.
//!
//! A unit may point on to an extension unit (`extension`), with what is too much for it.
//!
//! Files are read and written with plain positioned I/O through [`QueueFiles`], never mapped: an unused queue costs a few
//! words. Never here: parsing records, deciding what to read.
//!
//! Upstream: `ConsumeQueue`, `ConsumeQueueStore`, `MappedFileQueue`.

mod ends;
mod error;
mod extension;
mod recover;
mod storage;
mod table;
mod unit;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use parking_lot::Mutex;

pub(crate) use ends::QueueEnds;
pub use error::QueueError;
pub(crate) use extension::{Extension, Extensions};
pub use table::QueueTable;
use unit::UNIT_SIZE_I64;
pub use unit::{UNIT_SIZE, Unit};

use crate::queue_files::QueueFiles;
use storage::Tail;

/// Bytes of newest units that a busy queue keeps in memory: 204 units.
const TAIL_BYTES: usize = 204 * UNIT_SIZE;

/// Most units that one call of [`ConsumeQueue::read_units`] copies: one read of 16,000 bytes.
pub(crate) const READ_UNITS_MAX: usize = 800;

/// Bytes that wait for a sync before an ordinary flush forces them: two pages (upstream `flushConsumeQueueLeastPages`).
const SYNC_LEAST_BYTES: i64 = 2 * 4096;

/// Furthest that a record may lie past the end of a queue that has messages, in units. More is a damaged record.
const HOLE_MAX: i64 = i32::MAX as i64;

/// What records of all queues of a store carry besides what their writers gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordMarks {
    /// A checksum over the whole record (`enabledAppendPropCRC`).
    pub(crate) has_checksum: bool,
    /// That checksum is looked at (`forceVerifyPropCRC`): one that came with a message may not stand at a record's end.
    pub(crate) is_verified: bool,
    /// Their numbers in the light queues they name (`enableLmq` and `enableMultiDispatch`).
    pub(crate) has_light_queues: bool,
}

/// One queue of one topic.
///
/// All methods take `&self`. One dispatcher pushes; anyone reads.
pub struct ConsumeQueue {
    topic: Topic,
    queue_id: QueueId,
    /// Names this queue among the open files.
    number: u64,
    files: Arc<QueueFiles>,
    extensions: Arc<Extensions>,
    marks: RecordMarks,
    /// The offset that the next appended message gets. Written under the append lock only.
    next_offset: AtomicI64,
    min_offset: AtomicI64,
    max_offset: AtomicI64,
    /// True while there may be something to flush or a buffer to free.
    is_busy: AtomicBool,
    tail: Mutex<Tail>,
}

impl ConsumeQueue {
    /// A queue without files.
    pub(crate) fn new(topic: Topic, queue_id: QueueId, files: Arc<QueueFiles>, extensions: Arc<Extensions>) -> Self {
        Self {
            topic,
            queue_id,
            number: files.next_queue_number(),
            files,
            extensions,
            marks: RecordMarks::default(),
            next_offset: AtomicI64::new(0),
            min_offset: AtomicI64::new(0),
            max_offset: AtomicI64::new(0),
            is_busy: AtomicBool::new(false),
            tail: Mutex::default(),
        }
    }

    /// As [`ConsumeQueue::new`], in a store whose records carry `marks`.
    pub(crate) fn with_marks(self, marks: RecordMarks) -> Self {
        Self { marks, ..self }
    }

    /// What the records of this queue carry besides what their writers gave them.
    pub(crate) fn marks(&self) -> RecordMarks {
        self.marks
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The number of this queue in its topic.
    #[must_use]
    pub fn queue_id(&self) -> QueueId {
        self.queue_id
    }

    /// A number that no other queue of this process has.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The offset that the next appended message gets: at or past [`ConsumeQueue::max_offset`].
    #[must_use]
    pub fn next_offset(&self) -> QueueOffset {
        QueueOffset(self.next_offset.load(Ordering::Acquire))
    }

    /// Sets [`ConsumeQueue::next_offset`]. The caller holds the append lock.
    pub(crate) fn set_next_offset(&self, queue_offset: QueueOffset) {
        self.next_offset.store(queue_offset.0, Ordering::Release);
    }

    /// The first offset that can be read, if any can: otherwise equal to [`ConsumeQueue::max_offset`].
    #[must_use]
    pub fn min_offset(&self) -> QueueOffset {
        QueueOffset(self.min_offset.load(Ordering::Acquire))
    }

    /// One past the last offset that can be read.
    #[must_use]
    pub fn max_offset(&self) -> QueueOffset {
        QueueOffset(self.max_offset.load(Ordering::Acquire))
    }

    /// Where the last message of this queue ends in the commit log; `None` without one.
    pub(crate) fn max_physical_offset(&self) -> Option<PhysicalOffset> {
        let end = self.tail.lock().physical_end;
        (end > 0).then_some(PhysicalOffset(end))
    }

    /// Puts `unit`, whose record has this store time in ms, at `queue_offset`. Called in the order of the log by the one dispatcher; a unit that stands there already is
    /// left alone.
    ///
    /// - Past the end: the places between become blank, never filled by what comes later. In a queue without messages the
    ///   queue begins here.
    /// - Before the end, where another unit stands: that one and all after it came from records that this record
    ///   replaces (the queue was made anew, or its file is damaged); they go.
    /// - In a deleted queue: nothing happens.
    ///
    /// # Errors
    /// [`QueueError::OffsetOutOfRange`] when the record cannot be right; [`QueueError::File`] when the disk refused, and nothing
    /// has changed: the caller may try again.
    pub(crate) fn push(
        &self,
        queue_offset: QueueOffset,
        unit: Unit,
        extension: Extension<'_>,
    ) -> Result<(), QueueError> {
        let mut tail = self.tail.lock();
        if tail.is_deleted {
            return Ok(());
        }
        let position = self.checked_position(&tail, queue_offset)?;
        if position < tail.end() {
            if self.unit_at(&tail, position)?.is_some_and(|found| found.is_of_same(&unit)) {
                return Ok(());
            }
            tracing::warn!(
                topic = %self.topic, queue_id = %self.queue_id, %queue_offset, max_offset = tail.end() / UNIT_SIZE_I64,
                physical_offset = %unit.physical_offset,
                "consume queue disagrees with the commit log and is rewritten from this offset on"
            );
            self.cut(&mut tail, position)?;
        }
        if tail.is_bare() {
            self.begin_at(&mut tail, position)?;
        } else if position > tail.end() {
            self.fill_hole(&mut tail, position)?;
        }
        self.make_room(&mut tail)?;
        let unit = self.extended(&mut tail, unit, extension)?;
        tail.buffer.extend_from_slice(&unit.to_bytes());
        tail.physical_end = unit.physical_end().0;
        tail.is_touched = true;
        self.publish(&tail);
        Ok(())
    }

    /// Makes `queue_offset` blank, which is the end of the queue: its message is damaged, and its number stays taken.
    ///
    /// # Errors
    /// [`QueueError`], as [`ConsumeQueue::push_unit`].
    pub(crate) fn skip(&self, queue_offset: QueueOffset) -> Result<(), QueueError> {
        let mut tail = self.tail.lock();
        let next = self.checked_position(&tail, queue_offset.plus(1))?;
        if tail.is_deleted || next <= tail.end() {
            return Ok(());
        }
        if tail.is_bare() {
            self.begin_at(&mut tail, next)?;
        } else {
            self.fill_hole(&mut tail, next)?;
        }
        self.publish(&tail);
        Ok(())
    }

    /// As [`ConsumeQueue::push`], where the extension does not matter.
    #[cfg(test)]
    pub(crate) fn push_unit(&self, queue_offset: QueueOffset, unit: Unit) -> Result<(), QueueError> {
        self.push(queue_offset, unit, Extension::default())
    }

    /// Puts the right unit in the place of a damaged one.
    ///
    /// # Errors
    /// [`QueueError::File`]: the damaged one may stand there still.
    pub(crate) fn mend(&self, queue_offset: QueueOffset, unit: Unit) -> Result<(), QueueError> {
        let mut tail = self.tail.lock();
        let position = queue_offset.0 * UNIT_SIZE_I64;
        if tail.is_deleted || position < tail.files.start || position >= tail.buffer_start {
            return Ok(());
        }
        self.write_over(&mut tail, position, &unit.to_bytes())
    }

    fn checked_position(&self, tail: &Tail, queue_offset: QueueOffset) -> Result<i64, QueueError> {
        let end = tail.end() / UNIT_SIZE_I64;
        let is_too_far = !tail.is_bare() && queue_offset.0 - end.min(queue_offset.0) > HOLE_MAX;
        // Room is left above for one whole file, so that positions near the end cannot overflow either.
        let limit = (i64::MAX - self.files.file_size()) / UNIT_SIZE_I64;
        if queue_offset.0 < 0 || queue_offset.0 >= limit || is_too_far {
            return Err(QueueError::OffsetOutOfRange {
                topic: self.topic.clone(),
                queue_id: self.queue_id,
                queue_offset,
                max_offset: QueueOffset(end),
            });
        }
        Ok(queue_offset.0 * UNIT_SIZE_I64)
    }

    /// Copies units into `out` (cleared first), beginning at `from`: at most `count`, at most 800, fewer where the
    /// end, a file's end or the part kept in memory begins. Returns how many; none outside the queue or where a file is missing.
    /// Blank units are copied too.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn read_units(&self, from: QueueOffset, count: usize, out: &mut Vec<Unit>) -> Result<usize, QueueError> {
        out.clear();
        let left = self.max_offset().since(from);
        if from.0 < 0 || left <= 0 {
            return Ok(0);
        }
        let wanted = count.min(READ_UNITS_MAX).min(usize::try_from(left).unwrap_or(READ_UNITS_MAX)) * UNIT_SIZE;
        let position = from.0 * UNIT_SIZE_I64;
        let in_files = {
            let tail = self.tail.lock();
            if let Some(bytes) = tail.buffered(position, wanted) {
                out.extend(Unit::all_in(bytes));
                return Ok(out.len());
            }
            tail.buffer_start - position
        };
        // The lock is not held while the disk is asked: what stands in the files before the buffer does not change.
        let wanted = wanted.min(usize::try_from(in_files).unwrap_or(0));
        // A pull without a filter needs few units; zeroing the large buffer would cost more than its read.
        if wanted <= 64 * UNIT_SIZE {
            self.read_into(position, &mut [0; 64 * UNIT_SIZE][..wanted], out)
        } else {
            self.read_into(position, &mut [0; READ_UNITS_MAX * UNIT_SIZE][..wanted], out)
        }
    }

    fn read_into(&self, position: i64, bytes: &mut [u8], out: &mut Vec<Unit>) -> Result<usize, QueueError> {
        let read = self.read_file(position, bytes)?;
        out.extend(Unit::all_in(bytes.get(..read).unwrap_or_default()));
        Ok(out.len())
    }

    /// The first offset of the file after the one that holds `queue_offset`: where to go on when that file is missing.
    pub(crate) fn next_file_offset(&self, queue_offset: QueueOffset) -> QueueOffset {
        let units = self.files.file_size() / UNIT_SIZE_I64;
        queue_offset.plus(units - queue_offset.0.rem_euclid(units))
    }

    /// Writes buffered units into the files; frees the buffer of a queue that got no unit since the last flush. With `sync`
    /// the files are on disk when it returns; without, they are only if two pages or more were waiting.
    ///
    /// # Errors
    /// [`QueueError::File`]; after a failed sync nobody knows what is on disk, so nothing may be acknowledged on its strength.
    pub(crate) fn flush(&self, sync: bool) -> Result<(), QueueError> {
        // Cleared first: a unit pushed meanwhile sets it again.
        if !self.is_busy.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let result = self.flush_busy(sync);
        if !matches!(result, Ok(true)) {
            self.is_busy.store(true, Ordering::Release);
        }
        result.map(|_| ())
    }

    /// The work of [`ConsumeQueue::flush`]. Returns whether nothing is left to do.
    fn flush_busy(&self, sync: bool) -> Result<bool, QueueError> {
        let unsynced = self.write_buffered()?;
        if sync && std::mem::take(&mut self.tail.lock().has_new_names) {
            // A file without its name is lost, and what it held may have left the log when that is found out.
            self.sync_names().inspect_err(|_| self.tail.lock().has_new_names = true)?;
        }
        let cut = if sync { self.tail.lock().unsynced_cut.take() } else { None };
        if let Some(cut) = cut {
            // Or units that no record has would come back with a loss of power, and nobody would look for them any more.
            self.sync_files(cut, cut + 1).inspect_err(|_| self.tail.lock().unsynced_cut = Some(cut))?;
        }
        let Range { start, end } = unsynced;
        if end > start && (sync || end - start >= SYNC_LEAST_BYTES) {
            self.sync_extension()?;
            self.sync_files(start, end)?;
            return Ok(self.note_synced(unsynced));
        }
        Ok(self.note_synced(start..start))
    }

    /// Whether a unit came or a sync is due since the last flush that left nothing to do.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    /// The first half of a flush whose sync serves many queues: writes buffered units into the files. Returns what stands in
    /// the files and is not known to be on disk; `None` when there is nothing to flush.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn begin_flush(&self) -> Result<Option<Range<i64>>, QueueError> {
        if !self.is_busy.swap(false, Ordering::AcqRel) {
            return Ok(None);
        }
        let unsynced = self.write_buffered();
        if unsynced.is_err() {
            self.is_busy.store(true, Ordering::Release);
        }
        if unsynced.is_ok() {
            let mut tail = self.tail.lock();
            (tail.has_new_names, tail.unsynced_cut) = (false, None);
        }
        unsynced.map(Some)
    }

    /// The second half of a flush whose sync serves many queues. With `is_synced`, all of `unsynced` is on disk.
    pub(crate) fn end_flush(&self, unsynced: Range<i64>, is_synced: bool) {
        if !is_synced {
            let mut tail = self.tail.lock();
            (tail.has_new_names, tail.unsynced_cut) = (true, Some(tail.written));
        }
        if !is_synced || !self.note_synced(unsynced) {
            self.is_busy.store(true, Ordering::Release);
        }
    }

    /// Writes buffered units into the files; frees the buffer of a queue that got no unit since the last flush. Returns what
    /// stands in the files and is not known to be on disk.
    fn write_buffered(&self) -> Result<Range<i64>, QueueError> {
        let mut tail = self.tail.lock();
        self.spill(&mut tail)?;
        if !std::mem::take(&mut tail.is_touched) {
            tail.free_buffer();
        }
        Ok(tail.synced..tail.written)
    }

    /// Notes that `range` is on disk. Returns whether nothing is left to flush.
    fn note_synced(&self, range: Range<i64>) -> bool {
        let mut tail = self.tail.lock();
        // Units cut and written again meanwhile are not synced: `cut` has lowered both.
        if tail.synced == range.start {
            tail.synced = range.end.min(tail.written);
        }
        tail.buffer.capacity() == 0 && tail.synced == tail.written && !tail.has_new_names && tail.unsynced_cut.is_none()
    }

    /// Deletes the queue's folder. What is pushed afterwards is dropped.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn destroy(&self) -> Result<(), QueueError> {
        let mut tail = self.tail.lock();
        tail.is_deleted = true;
        tail.buffer = Vec::new();
        self.files.forget_queue(self.number);
        self.min_offset.store(self.max_offset().0, Ordering::Release);
        let folder = self.folder();
        match crate::io::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(QueueError::io("deleting the folder", folder)(error))
            }
            _ => self.extensions.destroy(self),
        }
    }

    /// Makes the end of `tail` known to readers.
    fn publish(&self, tail: &Tail) {
        self.max_offset.store(tail.end() / UNIT_SIZE_I64, Ordering::Release);
        self.is_busy.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for ConsumeQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{} [{}, {})", self.topic, self.queue_id, self.min_offset(), self.max_offset())
    }
}
