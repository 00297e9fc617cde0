//! Appending: records are encoded before the lock, and inside it only numbered and copied.

mod light;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use boostermq_remoting::message::flags::{SysFlag, Transaction};
use boostermq_remoting::message::properties::{PROPERTIES_MAX_LENGTH, Properties};
use boostermq_remoting::message::property_name::CRC32;
use boostermq_remoting::message::record::{
    BLANK_MAGIC, CHECKSUM_LENGTH, EncodeError, RecordFields, set_checksum, set_physical_offset, set_queue_offset,
    set_store_timestamp,
};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use parking_lot::MutexGuard;

use super::{BLANK_LENGTH, CommitLog, LogEnd};
use crate::consume_queue::{ConsumeQueue, RecordMarks};
use crate::error::{AppendError, FileError};
use crate::mapped_file::MappedFile;
use light::Light;

/// A batch that grew beyond this gives its memory back when it is cleared.
const KEPT_CAPACITY: usize = 4 << 20;

/// Records that are appended together, under one lock. Made once by each connection and used again and again.
#[derive(Debug, Default)]
pub struct AppendBatch {
    /// The records, encoded, one after the other.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    receipts: Vec<AppendReceipt>,
}

#[derive(Debug)]
struct Entry {
    queue: Arc<ConsumeQueue>,
    length: u32,
    /// Whether the record gets a number in its queue: not so for transactions prepared or rolled back.
    is_counted: bool,
    /// The record ends in a checksum over all of it.
    has_checksum: bool,
    /// The light queues it stands in, too.
    light: Option<Box<Light>>,
}

impl Entry {
    /// Most bytes that the record will grow by.
    fn room(&self) -> usize {
        self.light.as_ref().map_or(0, |light| light.room())
    }
}

/// Where a record was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendReceipt {
    /// First byte in the commit log.
    pub physical_offset: PhysicalOffset,
    /// Number in its queue; 0 for transactions prepared or rolled back, which have none.
    pub queue_offset: QueueOffset,
    /// When it was appended, milliseconds since 1970; never less than that of the record before.
    pub store_timestamp: i64,
    /// Bytes of the record.
    pub length: u32,
}

impl AppendReceipt {
    /// First byte after the record.
    #[must_use]
    pub const fn end(&self) -> PhysicalOffset {
        self.physical_offset.plus(self.length as i64)
    }
}

impl AppendBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// True without records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all records.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the records, and keeps the memory unless it is much.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.receipts.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }

    /// Encodes a record for `queue` behind those that are there. Returns its index.
    ///
    /// # Errors
    /// [`EncodeError`] when a part is too long; the batch is as it was.
    pub fn push(&mut self, queue: &Arc<ConsumeQueue>, fields: &RecordFields<'_>) -> Result<usize, EncodeError> {
        let start = self.bytes.len();
        let marks = queue.marks();
        let light = match marks.has_light_queues {
            true => self.encode_for_light_queues(fields, marks)?,
            false => {
                encode(fields, marks, &mut self.bytes)?;
                None
            }
        };
        self.entries.push(Entry {
            queue: Arc::clone(queue),
            // A record's length fits an i32.
            length: (self.bytes.len() - start) as u32,
            is_counted: has_queue_offset(fields.sys_flag),
            has_checksum: marks.has_checksum,
            light: light.map(Box::new),
        });
        Ok(self.entries.len() - 1)
    }

    fn encode_for_light_queues(
        &mut self,
        fields: &RecordFields<'_>,
        marks: RecordMarks,
    ) -> Result<Option<Light>, EncodeError> {
        let (properties, light) = light::properties_of(fields);
        let tail = light.as_ref().map_or(0, Light::room) + if marks.has_checksum { CHECKSUM_LENGTH } else { 0 };
        if light.is_some() && properties.len() + tail > PROPERTIES_MAX_LENGTH {
            return Err(EncodeError::PropertiesTooLong { length: properties.len() + tail });
        }
        encode(&RecordFields { properties: &properties, ..*fields }, marks, &mut self.bytes)?;
        Ok(light)
    }

    /// Forgets the records from `count` on: what they belonged to was refused.
    pub fn truncate(&mut self, count: usize) {
        let dropped: usize =
            self.entries.drain(count.min(self.entries.len())..).map(|entry| entry.length as usize).sum();
        self.bytes.truncate(self.bytes.len() - dropped);
    }

    /// Gives back the numbers of records that could not be written, and notes in `tail` where their bytes may stand.
    fn undo(&mut self, tail: &mut Tail) {
        for (entry, _) in self.entries.iter().zip(&self.receipts).filter(|(entry, _)| entry.is_counted) {
            entry.queue.set_next_offset(entry.queue.next_offset().plus(-1));
        }
        for file in tail.file.iter().chain(&tail.spare) {
            let ends = self
                .receipts
                .iter()
                .map(|receipt| receipt.end().0)
                .filter(|end| (file.base()..=file.limit()).contains(end));
            // A file may have got a blank only.
            let end = usize::try_from(ends.max().unwrap_or(0) - file.base()).unwrap_or(0).max(file.published());
            tail.unseen.push((Arc::clone(file), (end + BLANK_LENGTH).min(file.size())));
        }
        self.receipts.clear();
    }

    /// The queue of the record at `index`.
    #[must_use]
    pub fn queue(&self, index: usize) -> Option<&Arc<ConsumeQueue>> {
        self.entries.get(index).map(|entry| &entry.queue)
    }

    /// Where the records were put, in their order; empty until they are appended.
    #[must_use]
    pub fn receipts(&self) -> &[AppendReceipt] {
        &self.receipts
    }
}

fn encode(fields: &RecordFields<'_>, marks: RecordMarks, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if marks.has_checksum {
        return fields.encode_with_checksum(out);
    }
    if marks.is_verified
        && let Ok(properties) = std::str::from_utf8(fields.properties)
    {
        let properties = Properties(properties).without(CRC32);
        return RecordFields { properties: properties.as_bytes(), ..*fields }.encode(out);
    }
    fields.encode(out)
}

/// Whether a record with these flags gets a number and a unit in its queue.
pub(crate) fn has_queue_offset(sys_flag: SysFlag) -> bool {
    matches!(sys_flag.transaction(), Transaction::None | Transaction::Commit)
}

/// What the append lock guards, besides the queues' next offsets.
pub(super) struct Tail {
    /// The file appended to; `None` until the first append to an empty log.
    file: Option<Arc<MappedFile>>,
    /// First free byte of that file.
    position: usize,
    /// Base of the first file, for when there is none.
    start: i64,
    last_store_timestamp: i64,
    /// Files taken for an append that then failed, in order.
    spare: VecDeque<Arc<MappedFile>>,
    /// Files of which bytes up to a position may have been written by an append that then failed.
    unseen: Vec<(Arc<MappedFile>, usize)>,
    /// Base of the file that the allocator was last asked to prepare.
    prepared: i64,
}

impl Tail {
    pub(super) fn new(file: Option<Arc<MappedFile>>, end: LogEnd) -> Self {
        Self {
            position: file.as_ref().map_or(0, |file| file.published()),
            file,
            start: end.offset,
            last_store_timestamp: end.store_timestamp,
            spare: VecDeque::new(),
            unseen: Vec::new(),
            prepared: -1,
        }
    }

    /// The file that is appended to after so many rolls. Files for the batch have been reserved.
    fn file_after(&self, rolls: usize) -> &Arc<MappedFile> {
        let file = if rolls == 0 { self.file.as_ref() } else { self.spare.get(rolls - 1) };
        file.unwrap_or_else(|| panic!("no file was reserved for roll {rolls} of {}", self.spare.len()))
    }

    /// Lets readers see what stands in the present file up to `position`, and goes on there.
    fn publish(&mut self, position: usize) {
        if let Some(file) = &self.file {
            let published = file.publish(self.position, position);
            assert!(published.is_ok(), "{published:?}");
        }
        self.position = position;
    }

    /// Zeros what a write that failed may have left behind what readers see: a whole record there would be found by a
    /// recovery, behind a shorter one that takes its place.
    fn clear_unseen(&mut self) -> Result<(), FileError> {
        while let Some((file, to)) = self.unseen.last() {
            let from = file.published();
            file.write(from, &vec![0; to.saturating_sub(from)])?;
            self.unseen.pop();
        }
        Ok(())
    }

    pub(super) fn take_spare(&mut self) -> VecDeque<Arc<MappedFile>> {
        std::mem::take(&mut self.spare)
    }

    /// Number of files that records of these lengths need beyond the present one.
    fn files_needed(&self, lengths: impl Iterator<Item = usize>, file_size: usize) -> usize {
        let mut position = if self.file.is_some() { self.position } else { file_size };
        let mut needed = 0;
        for length in lengths {
            if length + BLANK_LENGTH > file_size - position {
                needed += 1;
                position = 0;
            }
            position += length;
        }
        needed
    }

    /// Base of the file after all that are at hand.
    fn next_base(&self) -> i64 {
        let last = self.spare.back().or(self.file.as_ref());
        last.map_or(self.start, |file| file.limit())
    }
}

/// Ends the process when the append section panics: offsets may be given out and bytes half written, and going on would
/// acknowledge what is not there.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("panic while appending to the commit log: the process ends");
            std::process::abort();
        }
    }
}

/// Says that the append lock is free again, just before it is.
struct Held<'a>(&'a AtomicU64);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl CommitLog {
    /// Appends all records of `batch`, or none. Returns the end of the last.
    pub(crate) fn append(&self, batch: &mut AppendBatch) -> Result<PhysicalOffset, AppendError> {
        batch.receipts.clear();
        let limit = self.file_size - BLANK_LENGTH;
        let lengths = batch.entries.iter().map(|entry| entry.length + entry.room() as u32);
        if let Some((index, length)) = lengths.enumerate().find(|(_, length)| *length as usize > limit) {
            return Err(AppendError::TooLarge { index, length, limit: limit as u64 });
        }
        batch.receipts.reserve(batch.entries.len());
        let mut tail = self.lock_tail()?;
        let _held = Held(&self.held_since);
        // Looked at under the lock: after a failure was noticed, nothing is appended.
        self.health.check()?;
        if batch.is_empty() {
            return Ok(PhysicalOffset(self.end()));
        }
        let _abort = AbortOnPanic;
        let end = self.write(&mut tail, batch).inspect_err(|error| {
            if self.refusals.is_due() {
                tracing::error!(%error, "messages are refused");
            }
        })?;
        self.last_store_timestamp.store(tail.last_store_timestamp, Ordering::Release);
        self.end.store(end, Ordering::Release);
        self.prepare_next(&mut tail);
        Ok(PhysicalOffset(end))
    }

    /// Takes the append lock, unless it is held for too long: then the disk stalls, and whoever waits for it would stall
    /// everything else on its thread.
    fn lock_tail(&self) -> Result<MutexGuard<'_, Tail>, AppendError> {
        if let Some(tail) = self.tail.try_lock() {
            self.held_since.store(self.elapsed_ms(), Ordering::Relaxed);
            return Ok(tail);
        }
        let left_ms = (self.busy_after.as_millis() as u64).saturating_sub(self.append_held_ms());
        let tail = self
            .tail
            .try_lock_for(Duration::from_millis(left_ms))
            .ok_or(AppendError::Busy { busy_ms: self.busy_after.as_millis() as u64 })?;
        self.held_since.store(self.elapsed_ms(), Ordering::Relaxed);
        Ok(tail)
    }

    /// Milliseconds for which the append lock has been held; 0 when nobody holds it.
    pub(crate) fn append_held_ms(&self) -> u64 {
        match self.held_since.load(Ordering::Relaxed) {
            0 => 0,
            since_ms => self.elapsed_ms().saturating_sub(since_ms),
        }
    }

    /// Milliseconds since the log was opened, and one more: 0 stands for never.
    fn elapsed_ms(&self) -> u64 {
        self.clock.instant().saturating_duration_since(self.opened).as_millis() as u64 + 1
    }

    /// The next file is made when a quarter of this one is used: early enough, and a fresh store takes one file only.
    fn prepare_next(&self, tail: &mut Tail) {
        let next_base = tail.next_base();
        if tail.position >= self.file_size / 4 && tail.prepared != next_base {
            tail.prepared = next_base;
            self.allocator.prepare(next_base);
        }
    }

    fn reserve_files(&self, tail: &mut Tail, batch: &AppendBatch) -> Result<(), AppendError> {
        let lengths = batch.entries.iter().map(|entry| entry.length as usize);
        let needed = tail.files_needed(lengths, self.file_size);
        while tail.spare.len() < needed {
            let file = self.allocator.take(tail.next_base())?;
            tail.spare.push_back(Arc::new(file));
        }
        Ok(())
    }

    /// Writes all records of the batch, then lets readers see them. Returns the end of the log.
    fn write(&self, tail: &mut Tail, batch: &mut AppendBatch) -> Result<i64, AppendError> {
        batch.number_in_light_queues();
        self.write_numbered(tail, batch).inspect_err(|_| batch.give_light_numbers_back())
    }

    fn write_numbered(&self, tail: &mut Tail, batch: &mut AppendBatch) -> Result<i64, AppendError> {
        self.reserve_files(tail, batch)?;
        tail.clear_unseen().map_err(AppendError::not_written)?;
        match self.write_unseen(tail, batch) {
            Ok(end) => Ok(self.publish(tail, end)),
            Err(error) => {
                batch.undo(tail);
                Err(AppendError::not_written(error))
            }
        }
    }

    /// Numbers the records and writes them, in as few pieces as there are files, behind what readers see.
    fn write_unseen(&self, tail: &mut Tail, batch: &mut AppendBatch) -> Result<End, FileError> {
        let store_timestamp = self.clock.now_ms().max(tail.last_store_timestamp);
        tail.last_store_timestamp = store_timestamp;
        let AppendBatch { bytes, entries, receipts } = batch;
        let mut end = End { rolls: usize::from(tail.file.is_none()), position: tail.position };
        if tail.file.is_none() {
            end.position = 0;
        }
        // Bytes before `done` are written; those from there to `start` are numbered for the present file.
        let (mut done, mut start) = (0, 0);
        for entry in entries.iter() {
            let length = entry.length as usize;
            if length + BLANK_LENGTH > self.file_size - end.position - (start - done) {
                let file = tail.file_after(end.rolls);
                file.write(end.position, &bytes[done..start])?;
                end.position += start - done;
                done = start;
                file.write(end.position, &blank(self.file_size - end.position))?;
                end = End { rolls: end.rolls + 1, position: 0 };
            }
            let base = tail.file_after(end.rolls).base();
            let physical_offset = PhysicalOffset(base + (end.position + start - done) as i64);
            let record = &mut bytes[start..start + length];
            let queue_offset = if entry.is_counted {
                let next = entry.queue.next_offset();
                entry.queue.set_next_offset(next.plus(1));
                next
            } else {
                QueueOffset::ZERO
            };
            set_queue_offset(record, queue_offset);
            set_physical_offset(record, physical_offset);
            set_store_timestamp(record, store_timestamp);
            if entry.has_checksum {
                set_checksum(record);
            }
            receipts.push(AppendReceipt { physical_offset, queue_offset, store_timestamp, length: entry.length });
            start += length;
        }
        tail.file_after(end.rolls).write(end.position, &bytes[done..start])?;
        end.position += start - done;
        Ok(end)
    }

    /// Lets readers see everything up to `end`. Returns it as a place in the log.
    fn publish(&self, tail: &mut Tail, end: End) -> i64 {
        for _ in 0..end.rolls {
            tail.publish(self.file_size);
            let next = tail.spare.pop_front();
            assert!(next.is_some(), "no file was reserved for the end of the log");
            tail.file = next;
            tail.position = 0;
            if let Some(file) = &tail.file {
                self.files.push(Arc::clone(file));
            }
        }
        tail.publish(end.position);
        tail.file.as_ref().map_or(tail.start, |file| file.base() + tail.position as i64)
    }
}

/// Where a batch ends: so many files after the present one, at this position.
#[derive(Clone, Copy)]
struct End {
    rolls: usize,
    position: usize,
}

/// What ends a file with `left` bytes left.
fn blank(left: usize) -> [u8; BLANK_LENGTH] {
    let mut blank = [0; BLANK_LENGTH];
    // At most the file's size, which recovery and Java both hold in 32 bits.
    blank[..4].copy_from_slice(&(left as u32).to_be_bytes());
    blank[4..].copy_from_slice(&BLANK_MAGIC.to_be_bytes());
    blank
}
