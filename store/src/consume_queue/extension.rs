//! What does not fit into a unit of a consume queue: extension units, each of which one unit points to.
//!
//! ```text
//! consumequeue_ext/TOPIC/QUEUE/00000000000000000000 …
//!
//!  0          2               10               18               20
//!  | size i16 | tags code i64 | store time i64 | bytes n i16    | n bytes of filter bits |
//! ```
//! A file ends with the size −1 where the next unit does not fit; four bytes at least stay free. The unit of the queue keeps an
//! *address* in place of the tags code: the byte position in these files, counted from the lowest `i64` on, so that it is less
//! than any hash of tags. Where nothing stands at an address, the tags are unknown and the message passes for wanted: its
//! reader looks once more.
//!
//! Files of a Java broker are read always, and written where `enableConsumeQueueExt` says so. Bits stand there for messages that
//! were dispatched while somebody computed them. Never here: whether a message is wanted, what a bit means.
//!
//! Upstream: `ConsumeQueueExt`.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::storage::Tail;
use super::unit::UNIT_SIZE_I64;
use super::{ConsumeQueue, QueueError, Unit};
use crate::layout;
use crate::queue_files::{FileKey, QueueFiles};

/// Bytes of an extension unit without filter bits, and of the fields of any other.
const HEAD: usize = 20;
/// Bytes that are read at once for a unit with its filter bits; those of the default sizes fit.
const FIRST_READ: usize = 128;
/// Bytes at the end of a file that no unit takes.
const END_ROOM: i64 = 4;
/// The size that ends a file.
const END_MARK: [u8; 2] = (-1_i16).to_be_bytes();
/// Bytes of a file unless configured (RocketMQ 5.5.0).
pub(super) const EXTENSION_FILE_SIZE: u64 = 48 << 20;
/// Addresses are this and less: below all hashes (RocketMQ 5.5.0).
const ADDRESS_MAX: i64 = i32::MIN as i64 - 1;

/// The extension files of all queues of a store.
pub(crate) struct Extensions {
    files: QueueFiles,
    is_written: bool,
}

/// What an extension unit keeps besides the tags code.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extension<'a> {
    /// When the message was appended, in milliseconds since 1970.
    pub(crate) store_timestamp: i64,
    /// Its filter bits; empty when nobody computed them.
    pub(crate) bits: &'a [u8],
}

/// How far the extension files of a queue reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtensionEnd {
    /// Where the next unit is written.
    end: i64,
    /// Everything before is on disk.
    synced: i64,
}

impl Extensions {
    /// Files of `file_size` bytes under `folder` (`mappedFileSizeConsumeQueueExt`), at most `open_files` of them open; with
    /// `is_written`, every message gets a unit there (`enableConsumeQueueExt`).
    pub(crate) fn new(folder: PathBuf, file_size: u64, open_files: usize, is_written: bool) -> Self {
        let file_size = i64::try_from(file_size).unwrap_or(i64::MAX / 2).max(HEAD as i64 + END_ROOM);
        Self { files: QueueFiles::new(folder, file_size, open_files), is_written }
    }

    fn folder(&self, queue: &ConsumeQueue) -> PathBuf {
        self.files.root().join(queue.topic().as_str()).join(queue.queue_id().to_string())
    }

    fn path(&self, queue: &ConsumeQueue, base: i64) -> PathBuf {
        self.folder(queue).join(layout::file_name(base))
    }

    fn base_of(&self, position: i64) -> i64 {
        position - position.rem_euclid(self.files.file_size())
    }

    /// The bytes at `position`, up to the end of its file; nothing where there is no file.
    fn read(&self, queue: &ConsumeQueue, position: i64, bytes: &mut [u8]) -> Result<usize, QueueError> {
        let base = self.base_of(position);
        let path = || self.path(queue, base);
        let file = match self.files.open(FileKey { queue: queue.number, base }, path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            other => other.map_err(QueueError::io("opening", path()))?,
        };
        let room = usize::try_from(self.files.file_size() - (position - base)).unwrap_or(0);
        let wanted = bytes.len().min(room);
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..wanted).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, (position - base).cast_unsigned() + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(QueueError::io("reading", path())(error)),
            }
        }
        Ok(done)
    }

    /// Size and tags code of the unit at `position`; `None` where there is none.
    fn unit_at(&self, queue: &ConsumeQueue, position: i64) -> Result<Option<(i64, i64)>, QueueError> {
        let mut head = [0; HEAD];
        if self.read(queue, position, &mut head)? < HEAD {
            return Ok(None);
        }
        let [s0, s1, t0, t1, t2, t3, t4, t5, t6, t7, ..] = head;
        let size = i64::from(i16::from_be_bytes([s0, s1]));
        let tags_code = i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        Ok((size >= HEAD as i64).then_some((size, tags_code)))
    }

    /// Store time of the unit at `position`, and its filter bits into `bits`; `None` where there is no unit or it has none.
    fn bits_at(&self, queue: &ConsumeQueue, position: i64, bits: &mut Vec<u8>) -> Result<Option<i64>, QueueError> {
        bits.resize(FIRST_READ, 0);
        let read = self.read(queue, position, bits)?;
        bits.truncate(read);
        let Some(head) = bits.first_chunk::<HEAD>() else { return Ok(None) };
        let [s0, s1, .., t0, t1, t2, t3, t4, t5, t6, t7, n0, n1] = *head;
        let size = i16::from_be_bytes([s0, s1]);
        let store_timestamp = i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        let length = usize::try_from(i16::from_be_bytes([n0, n1])).unwrap_or(0);
        let end = HEAD + length;
        if length == 0 || usize::try_from(size) != Ok(end) {
            return Ok(None);
        }
        if bits.len() < end {
            let begin = bits.len();
            bits.resize(end, 0);
            let rest = bits.get_mut(begin..).unwrap_or_default();
            if self.read(queue, position + begin as i64, rest)? < end - begin {
                return Ok(None);
            }
        }
        bits.truncate(end);
        bits.drain(..HEAD);
        Ok(Some(store_timestamp))
    }

    fn write(&self, queue: &ConsumeQueue, position: i64, bytes: &[u8]) -> Result<(), QueueError> {
        let base = self.base_of(position);
        let path = || self.path(queue, base);
        self.files
            .open_or_create(FileKey { queue: queue.number, base }, path)
            .and_then(|file| file.write_all_at(bytes, (position - base).cast_unsigned()))
            .map_err(QueueError::io("writing", path()))
    }

    /// Where the files of a queue begin, in order, with their lengths.
    fn bases(&self, queue: &ConsumeQueue) -> Result<Vec<(i64, u64)>, QueueError> {
        let folder = self.folder(queue);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(QueueError::io("listing", &folder))?,
        };
        let mut bases = Vec::new();
        for entry in entries {
            let entry = entry.map_err(QueueError::io("listing", &folder))?;
            let data = entry.metadata().map_err(QueueError::io("looking at", entry.path()))?;
            if let Some(base) = entry.file_name().to_str().and_then(layout::file_position).filter(|_| data.is_file()) {
                bases.push((base, data.len()));
            }
        }
        bases.sort_unstable();
        Ok(bases)
    }

    /// Refuses files of another length, if this store is to add to them. One of none was new when power failed.
    pub(super) fn check(&self, queue: &ConsumeQueue) -> Result<(), QueueError> {
        if !self.is_written {
            return Ok(());
        }
        let expected = self.files.file_size();
        for (base, found) in self.bases(queue)? {
            if found != 0 && i64::try_from(found) != Ok(expected) || base % expected != 0 {
                return Err(QueueError::ExtensionFileSize { path: self.path(queue, base), found, expected });
            }
        }
        Ok(())
    }

    fn remove(&self, queue: &ConsumeQueue, base: i64) -> Result<(), QueueError> {
        self.files.forget(FileKey { queue: queue.number, base });
        let path = self.path(queue, base);
        match crate::io::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(QueueError::io("deleting", path)(error)),
            _ => Ok(()),
        }
    }

    /// Deletes all files of a queue.
    pub(super) fn destroy(&self, queue: &ConsumeQueue) -> Result<(), QueueError> {
        self.files.forget_queue(queue.number);
        let folder = self.folder(queue);
        match crate::io::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(QueueError::io("deleting the folder", folder)(error));
            }
            _ => {}
        }
        // The topic's folder goes with its last queue; else it is not empty.
        let _ = folder.parent().map(crate::io::remove_dir);
        Ok(())
    }
}

impl ConsumeQueue {
    /// Hash of the tags of a unit's message, or what else stands in its place; `None` when that is unknown.
    pub(crate) fn tags_code(&self, unit: &Unit) -> Option<i64> {
        let Some(position) = position_of(unit) else { return Some(unit.tags_code) };
        match self.extensions.unit_at(self, position) {
            Ok(found) => found.map(|(_, tags_code)| tags_code),
            Err(error) => {
                tracing::warn!(%error, "the tags of a message are unknown; it passes for one that is wanted");
                None
            }
        }
    }

    /// Store time of the message of a unit, and its filter bits into `bits`; `None` when it has no bits.
    pub(crate) fn filter_bits(&self, unit: &Unit, bits: &mut Vec<u8>) -> Option<i64> {
        let position = position_of(unit)?;
        match self.extensions.bits_at(self, position, bits) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the filter bits of a message are unknown; it passes for one that is wanted");
                None
            }
        }
    }

    /// `unit` as it is to be written: with an extension unit, if the store writes them.
    pub(super) fn extended(&self, tail: &mut Tail, unit: Unit, extension: Extension<'_>) -> Result<Unit, QueueError> {
        if !self.extensions.is_written {
            return Ok(unit);
        }
        let ExtensionEnd { mut end, synced } = match tail.extension {
            Some(known) => known,
            None => self.find_extension_end(tail)?,
        };
        let file_size = self.extensions.files.file_size();
        let file_end = self.extensions.base_of(end) + file_size;
        // Bits that fit nowhere are left out: they save work, and nothing depends on them.
        let fits =
            |bits: &[u8]| i16::try_from(HEAD + bits.len()).is_ok_and(|size| i64::from(size) <= file_size - END_ROOM);
        let bits = if fits(extension.bits) { extension.bits } else { &[] };
        let size = HEAD + bits.len();
        if end + size as i64 > file_end - END_ROOM {
            self.extensions.write(self, end, &END_MARK)?;
            end = file_end;
        }
        let mut bytes = Vec::with_capacity(size);
        // Both fit: see above.
        bytes.extend_from_slice(&(size as i16).to_be_bytes());
        bytes.extend_from_slice(&unit.tags_code.to_be_bytes());
        bytes.extend_from_slice(&extension.store_timestamp.to_be_bytes());
        bytes.extend_from_slice(&(bits.len() as i16).to_be_bytes());
        bytes.extend_from_slice(bits);
        self.extensions.write(self, end, &bytes)?;
        tail.extension = Some(ExtensionEnd { end: end + size as i64, synced });
        Ok(Unit { tags_code: end ^ i64::MIN, ..unit })
    }

    /// Finds where the extension units of this queue end, and clears what lies after: units that were cut.
    fn find_extension_end(&self, tail: &Tail) -> Result<ExtensionEnd, QueueError> {
        let extensions = &*self.extensions;
        let bases = extensions.bases(self)?;
        let Some((last, _)) = bases.last().copied() else { return Ok(ExtensionEnd { end: 0, synced: 0 }) };
        let last_unit = if tail.is_bare() { None } else { self.unit_at(tail, tail.end() - UNIT_SIZE_I64)? };
        let pointed_to = last_unit.as_ref().and_then(position_of);
        let after =
            |position: i64| Ok::<_, QueueError>(extensions.unit_at(self, position)?.map(|(size, _)| position + size));
        let mut end = match pointed_to {
            Some(position) => after(position)?,
            None => None,
        };
        if end.is_none() {
            // Units of the queue without one came last: only the files tell.
            let mut position = last;
            while let Some(next) = after(position)? {
                position = next;
            }
            end = Some(position);
        }
        let end = end.unwrap_or(last);
        let base = extensions.base_of(end);
        for (later, _) in bases.iter().filter(|(other, _)| *other > base) {
            extensions.remove(self, *later)?;
        }
        if bases.iter().any(|(other, _)| *other == base) {
            let path = || extensions.path(self, base);
            extensions
                .files
                .open(FileKey { queue: self.number, base }, path)
                .and_then(|file| {
                    // The length stays: a start refuses another one.
                    file.clear((end - base).cast_unsigned(), extensions.files.file_size().cast_unsigned())
                })
                .map_err(QueueError::io("zeroing the end of", path()))?;
        }
        Ok(ExtensionEnd { end, synced: base })
    }

    /// Forces the extension units that the queue's units point to onto the disk. Called without the lock.
    pub(super) fn sync_extension(&self) -> Result<(), QueueError> {
        let Some(ExtensionEnd { end, synced }) = self.tail.lock().extension else { return Ok(()) };
        if end <= synced {
            return Ok(());
        }
        let mut base = self.extensions.base_of(synced);
        while base < end {
            let path = || self.extensions.path(self, base);
            let result = match self.extensions.files.open(FileKey { queue: self.number, base }, path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other.and_then(|file| file.sync_data()),
            };
            result.map_err(QueueError::io("syncing", path()))?;
            base += self.extensions.files.file_size();
        }
        if let Some(known) = self.tail.lock().extension.as_mut().filter(|known| known.end >= end) {
            known.synced = end;
        }
        Ok(())
    }

    /// Deletes extension files that no unit from the queue's first file on points to.
    pub(super) fn trim_extension(&self, tail: &Tail) -> Result<(), QueueError> {
        let first = if tail.files.is_empty() { None } else { self.unit_at(tail, tail.files.start)? };
        let Some(position) = first.as_ref().and_then(position_of) else { return Ok(()) };
        let base = self.extensions.base_of(position);
        for (earlier, _) in self.extensions.bases(self)?.into_iter().filter(|(other, _)| *other < base) {
            self.extensions.remove(self, earlier)?;
        }
        Ok(())
    }
}

/// Where the extension unit of `unit` begins, if it has one.
fn position_of(unit: &Unit) -> Option<i64> {
    (unit.tags_code <= ADDRESS_MAX).then_some(unit.tags_code ^ i64::MIN)
}

impl Unit {
    /// True when the tags code is the address of an extension unit.
    pub(crate) fn is_extended(&self) -> bool {
        position_of(self).is_some()
    }

    /// Whether both are about the same message; what they keep for filters may stand in different places.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        let is_one_extended = position_of(self).is_some() || position_of(other).is_some();
        self.physical_offset == other.physical_offset
            && self.size == other.size
            && (is_one_extended || self.tags_code == other.tags_code)
    }
}

/// Folder of the extension files: it stands beside that of the queues.
pub(super) fn folder(queues: &Path) -> PathBuf {
    queues.with_file_name("consumequeue_ext")
}
