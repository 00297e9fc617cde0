//! The bytes of one queue: its files and the buffer in front of them.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use super::extension::ExtensionEnd;
use super::unit::UNIT_SIZE_I64;
use super::{ConsumeQueue, QueueError, TAIL_BYTES, UNIT_SIZE, Unit};
use crate::io as store_io;
use crate::queue_files::FileKey;

/// What the lock of a queue guards. Positions are bytes in the queue.
#[derive(Default)]
pub(super) struct Tail {
    /// The newest units: those from `buffer_start` to the end.
    pub(super) buffer: Vec<u8>,
    pub(super) buffer_start: i64,
    /// Everything before stands in the files; never before `buffer_start`.
    pub(super) written: i64,
    /// Everything before is on disk.
    pub(super) synced: i64,
    /// From the first byte of the first file to one past the last byte of the last file; empty without files.
    pub(super) files: Range<i64>,
    /// A file is missing between these.
    pub(super) has_gap: bool,
    /// Names of files or folders may not be on disk, or gone from it.
    pub(super) has_new_names: bool,
    /// Units from here on were taken away, and may still be on disk.
    pub(super) unsynced_cut: Option<i64>,
    /// Where the last message ends in the commit log; 0 without one.
    pub(super) physical_end: i64,
    /// The first message, where it was looked up last: its offset, and where it begins in the commit log.
    pub(super) head: Option<(QueueOffset, PhysicalOffset)>,
    /// A unit was pushed since the last flush.
    pub(super) is_touched: bool,
    pub(super) is_deleted: bool,
    /// Where extension units end; unknown until one is written.
    pub(super) extension: Option<ExtensionEnd>,
}

impl Tail {
    /// One past the last byte of the queue.
    pub(super) fn end(&self) -> i64 {
        self.buffer_start.saturating_add(i64::try_from(self.buffer.len()).unwrap_or(i64::MAX))
    }

    /// True when there is neither a file nor a unit: the next unit may begin the queue anywhere.
    pub(super) fn is_bare(&self) -> bool {
        self.files.is_empty() && self.buffer.is_empty()
    }

    /// Up to `wanted` bytes at `position`, if the buffer holds them.
    pub(super) fn buffered(&self, position: i64, wanted: usize) -> Option<&[u8]> {
        let start = usize::try_from(position.checked_sub(self.buffer_start)?).ok()?;
        let bytes = self.buffer.get(start..)?;
        Some(bytes.get(..wanted).unwrap_or(bytes))
    }

    /// Gives the memory back. All of the buffer has been written.
    pub(super) fn free_buffer(&mut self) {
        self.buffer = Vec::new();
        self.buffer_start = self.written;
    }

    /// Makes the queue end at `end`, with all before it in the files.
    pub(super) fn restart_at(&mut self, end: i64) {
        self.buffer.clear();
        self.buffer_start = end;
        self.written = end;
    }
}

impl ConsumeQueue {
    /// The folder of the queue's files.
    pub(super) fn folder(&self) -> PathBuf {
        self.files.root().join(self.topic.as_str()).join(self.queue_id.to_string())
    }

    pub(super) fn file_path(&self, base: i64) -> PathBuf {
        self.folder().join(format!("{base:020}"))
    }

    pub(super) fn base_of(&self, position: i64) -> i64 {
        position - position.rem_euclid(self.files.file_size())
    }

    fn key(&self, base: i64) -> FileKey {
        FileKey { queue: self.number, base }
    }

    /// Reads whole units at `position` from the file that holds it, up to that file's end. Returns how many bytes; 0 when the
    /// file is missing.
    pub(super) fn read_file(&self, position: i64, bytes: &mut [u8]) -> Result<usize, QueueError> {
        let base = self.base_of(position);
        let file = match self.files.open(self.key(base), || self.file_path(base)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            other => other.map_err(QueueError::io("opening", self.file_path(base)))?,
        };
        let start = position - base;
        let wanted = bytes.len().min(usize::try_from(self.files.file_size() - start).unwrap_or(0));
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..wanted).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, start.cast_unsigned() + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(QueueError::io("reading", self.file_path(base))(error)),
            }
        }
        Ok(done - done % UNIT_SIZE)
    }

    /// Whole units at `position`, from memory or from one file; for callers that hold the lock.
    pub(super) fn read_locked<'b>(
        &self,
        tail: &'b Tail,
        position: i64,
        bytes: &'b mut [u8],
    ) -> Result<&'b [u8], QueueError> {
        if let Some(buffered) = tail.buffered(position, bytes.len()) {
            return Ok(buffered);
        }
        let wanted = bytes.len().min(usize::try_from(tail.buffer_start - position).unwrap_or(0));
        let Some(bytes) = bytes.get_mut(..wanted) else { return Ok(&[]) };
        let read = self.read_file(position, bytes)?;
        Ok(bytes.get(..read).unwrap_or_default())
    }

    /// The unit at `position`; `None` past the end or where a file is missing.
    pub(super) fn unit_at(&self, tail: &Tail, position: i64) -> Result<Option<Unit>, QueueError> {
        let mut bytes = [0; UNIT_SIZE];
        Ok(Unit::all_in(self.read_locked(tail, position, &mut bytes)?).next())
    }

    /// Writes `bytes` at `position`, making files as needed.
    fn write(
        &self,
        files: &mut Range<i64>,
        has_new_names: &mut bool,
        mut position: i64,
        mut bytes: &[u8],
    ) -> Result<(), QueueError> {
        let size = self.files.file_size();
        while !bytes.is_empty() {
            let base = self.base_of(position);
            let room = usize::try_from(base + size - position).unwrap_or(bytes.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.files
                .open_or_create(self.key(base), || self.file_path(base))
                .and_then(|file| file.write_all_at(now, (position - base).cast_unsigned()))
                .map_err(QueueError::io("writing", self.file_path(base)))?;
            let with_it =
                if files.is_empty() { base..base + size } else { files.start.min(base)..files.end.max(base + size) };
            *has_new_names |= *files != with_it;
            *files = with_it;
            position += i64::try_from(now.len()).unwrap_or_default();
            bytes = later;
        }
        Ok(())
    }

    /// Writes over units that stand in the files, and has them synced with the next ones.
    pub(super) fn write_over(&self, tail: &mut Tail, position: i64, bytes: &[u8]) -> Result<(), QueueError> {
        self.write(&mut tail.files, &mut tail.has_new_names, position, bytes)?;
        tail.synced = tail.synced.min(position);
        self.is_busy.store(true, Ordering::Release);
        Ok(())
    }

    /// Writes what the buffer holds and the files do not.
    pub(super) fn spill(&self, tail: &mut Tail) -> Result<(), QueueError> {
        let Tail { buffer, buffer_start, written, files, has_new_names, .. } = tail;
        let unwritten = usize::try_from(*written - *buffer_start).ok().and_then(|start| buffer.get(start..));
        self.write(files, has_new_names, *written, unwritten.unwrap_or_default())?;
        tail.written = tail.end();
        Ok(())
    }

    /// Makes room for one more unit in the buffer. The newer half stays, for the consumers that follow closely.
    pub(super) fn make_room(&self, tail: &mut Tail) -> Result<(), QueueError> {
        if tail.buffer.len() >= TAIL_BYTES {
            self.spill(tail)?;
            tail.buffer.drain(..TAIL_BYTES / 2);
            tail.buffer_start += (TAIL_BYTES / 2) as i64;
        }
        Ok(())
    }

    /// Begins a bare queue at `position`: the places before it in its file become blank, as upstream makes them.
    pub(super) fn begin_at(&self, tail: &mut Tail, position: i64) -> Result<(), QueueError> {
        self.write_blanks(tail, self.base_of(position), position)?;
        tail.restart_at(position);
        tail.synced = self.base_of(position);
        tail.physical_end = 0;
        self.min_offset.store(position / UNIT_SIZE_I64, Ordering::Release);
        Ok(())
    }

    /// Makes the places from the end to `position` blank. Files that would hold nothing else are left out.
    pub(super) fn fill_hole(&self, tail: &mut Tail, position: i64) -> Result<(), QueueError> {
        let end = tail.end();
        tracing::error!(
            topic = %self.topic, queue_id = %self.queue_id,
            from = end / UNIT_SIZE_I64, to = position / UNIT_SIZE_I64,
            "consume queue lacks messages between these offsets; consumers pass over them"
        );
        self.spill(tail)?;
        let (end_file, base) = (self.base_of(end), self.base_of(position));
        if base - end_file > self.files.file_size() {
            // A file's end reached exactly needs no blanks; the file that follows would hold nothing else.
            let file_end = if end == end_file { end } else { end_file + self.files.file_size() };
            self.write_blanks(tail, end, file_end)?;
            self.write_blanks(tail, base, position)?;
        } else {
            self.write_blanks(tail, end, position)?;
        }
        let was_empty = self.min_offset() == self.max_offset();
        tail.restart_at(position);
        if was_empty {
            self.min_offset.store(position / UNIT_SIZE_I64, Ordering::Release);
        }
        Ok(())
    }

    fn write_blanks(&self, tail: &mut Tail, mut from: i64, to: i64) -> Result<(), QueueError> {
        let blanks = Unit::BLANK.to_bytes().repeat(usize::try_from((to - from) / UNIT_SIZE_I64).unwrap_or(0).min(3276));
        while from < to {
            let wanted = usize::try_from(to - from).unwrap_or(blanks.len()).min(blanks.len());
            let now = blanks.get(..wanted).unwrap_or(&blanks);
            self.write(&mut tail.files, &mut tail.has_new_names, from, now)?;
            from += i64::try_from(now.len()).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes away the units from `position` on, in memory and in the files, where zeros take their place.
    pub(super) fn cut(&self, tail: &mut Tail, position: i64) -> Result<(), QueueError> {
        if position < tail.written {
            self.cut_files(tail, position)?;
            tail.written = position;
            tail.synced = tail.synced.min(position);
        }
        match usize::try_from(position - tail.buffer_start) {
            Ok(kept) => tail.buffer.truncate(kept),
            Err(_) => tail.restart_at(position),
        }
        tail.physical_end = self.physical_end_before(tail, position)?;
        tail.extension = None;
        self.publish(tail);
        self.min_offset.fetch_min(position / UNIT_SIZE_I64, Ordering::AcqRel);
        Ok(())
    }

    /// Removes files past `position` and zeroes the rest of the one that holds it. The first file stays, if the
    /// end lies in it: its name keeps the end known.
    pub(super) fn cut_files(&self, tail: &mut Tail, position: i64) -> Result<(), QueueError> {
        let size = self.files.file_size();
        let base = self.base_of(position);
        while !tail.files.is_empty() {
            let last = tail.files.end - size;
            if last < base || (last == base && (position > base || last == tail.files.start)) {
                break;
            }
            self.remove_file(last)?;
            tail.has_new_names = true;
            tail.files.end = last;
        }
        if tail.files.is_empty() {
            tail.files = 0..0;
        } else if tail.files.end - size == base {
            self.zero_from(base, position)?;
            tail.unsynced_cut = Some(position);
        }
        Ok(())
    }

    /// Zeroes the file at `base` from `position` on. It keeps its length at every moment: a start refuses another one.
    pub(super) fn zero_from(&self, base: i64, position: i64) -> Result<(), QueueError> {
        let file = match self.files.open(self.key(base), || self.file_path(base)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.map_err(QueueError::io("opening", self.file_path(base)))?,
        };
        file.clear((position - base).cast_unsigned(), self.files.file_size().cast_unsigned())
            .map_err(QueueError::io("zeroing the end of", self.file_path(base)))
    }

    pub(super) fn remove_file(&self, base: i64) -> Result<(), QueueError> {
        self.files.forget(self.key(base));
        match store_io::remove_file(&self.file_path(base)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(QueueError::io("deleting", self.file_path(base))(error))
            }
            _ => Ok(()),
        }
    }

    /// Forces the names of files and folders onto the disk. Called without the lock.
    pub(super) fn sync_names(&self) -> Result<(), QueueError> {
        let folder = self.folder();
        // The queue's own, its topic's, and the one of all.
        for folder in folder.ancestors().take(3) {
            match store_io::sync_dir(folder) {
                // Deleted meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                other => other.map_err(QueueError::io("syncing the folder", folder))?,
            }
        }
        Ok(())
    }

    /// Forces the files that hold the bytes from `from` to `to` onto the disk. Called without the lock.
    pub(super) fn sync_files(&self, from: i64, to: i64) -> Result<(), QueueError> {
        let mut base = self.base_of(from);
        while base < to {
            let synced: io::Result<()> = match self.files.open(self.key(base), || self.file_path(base)) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other.and_then(|file| file.sync_data()),
            };
            synced.map_err(QueueError::io("syncing", self.file_path(base)))?;
            base += self.files.file_size();
        }
        Ok(())
    }
}
