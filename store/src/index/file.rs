//! One file of the index: a header, hash slots, and entries chained from newest to oldest.
//!
//! ```text
//!  0 beginTimestamp 8 │ 8 endTimestamp 8 │ 16 beginPhyOffset 8 │ 24 endPhyOffset 8 │ 32 hashSlotCount 4 │ 36 indexCount 4
//! 40 slots: i32 each, the newest entry of the slot's chain, 0 = none
//! 40 + 4 slots: entries of 20: keyHash i32 │ physical i64 │ seconds since beginTimestamp i32 │ next older entry i32, 0 = none
//! ```
//!
//! Big-endian; times in ms. Entry 0 is never used, and indexCount, the number of the next entry, begins at 1.
//! A reader follows a chain only to entries before the one it comes from, so no damage can keep it in a circle.
//!
//! Upstream: `IndexFile`, `IndexHeader`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};

use boostermq_remoting::offsets::PhysicalOffset;

use super::key::KeyHash;
use crate::error::FileError;
use crate::io::{self as store_io, StoreFile};
use crate::layout;
use crate::mmap::SlotRegion;

const HEADER_LENGTH: usize = 40;
const SLOT_LENGTH: usize = 4;
const ENTRY_LENGTH: usize = 20;

mod header {
    pub(super) const BEGIN_TIMESTAMP: usize = 0;
    pub(super) const END_TIMESTAMP: usize = 8;
    pub(super) const BEGIN_OFFSET: usize = 16;
    pub(super) const END_OFFSET: usize = 24;
    pub(super) const SLOTS_USED: usize = 32;
    pub(super) const NEXT_ENTRY: usize = 36;
}

/// How large an index file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Hash slots (`maxHashSlotNum`).
    pub(crate) slots: u32,
    /// Entries, the unused first included (`maxIndexNum`).
    pub(crate) entries: u32,
}

impl Shape {
    /// Bytes of a file.
    fn length(self) -> usize {
        self.entry(self.entries as usize)
    }

    fn slot(self, key: KeyHash) -> usize {
        let slot = key.0.unsigned_abs().checked_rem(self.slots).unwrap_or(0);
        HEADER_LENGTH + slot as usize * SLOT_LENGTH
    }

    fn entry(self, number: usize) -> usize {
        HEADER_LENGTH + self.slots as usize * SLOT_LENGTH + number * ENTRY_LENGTH
    }
}

/// What is put into the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: KeyHash,
    pub(super) physical_offset: PhysicalOffset,
}

/// One step of a search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) key: KeyHash,
    pub(super) physical_offset: PhysicalOffset,
    /// Store time of the record rounded down to a whole second after the file's begin, in ms.
    pub(super) timestamp: i64,
}

/// One file of the index. One thread puts; anyone searches.
pub(super) struct IndexFile {
    path: PathBuf,
    shape: Shape,
    region: SlotRegion,
    // The header's fields, which a reader of the region might see half written.
    begin_timestamp: AtomicI64,
    end_timestamp: AtomicI64,
    end_offset: AtomicI64,
    slots_used: AtomicI32,
    next_entry: AtomicI32,
    /// `next_entry` once all of the entry before it stands in the file, its slot and the header's end too.
    settled: AtomicI32,
    /// `settled` as it was when the file was last written to disk; 0 when nobody knows.
    flushed: AtomicI32,
}

impl IndexFile {
    /// Makes the file after `full`, with its blocks reserved.
    pub(super) fn create(path: &Path, shape: Shape, full: Option<&Self>) -> Result<Self, FileError> {
        if let Some(dir) = path.parent() {
            layout::create_dir(dir)?;
        }
        let file = StoreFile::create_new(path);
        let file = file.map_err(FileError::at("making the file", path))?;
        let made = file
            .set_length(shape.length() as u64)
            .map_err(FileError::at("lengthening the file", path))
            .and_then(|()| Self::map(&file, path, shape));
        let made = made.inspect_err(|_| {
            // The error that is returned says more than one about the removal would.
            let _ = store_io::remove_file(path);
        })?;
        // Until its first entry, a file says that it begins where the one before ends.
        if let Some(full) = full {
            made.set_begin(full.end_timestamp(), full.end_offset());
            made.set_end(full.end_timestamp(), full.end_offset());
        }
        made.set_i32(header::NEXT_ENTRY, 1);
        Ok(made)
    }

    /// Opens an existing file; `None` when it has another length than `shape` says.
    pub(super) fn open(path: &Path, shape: Shape) -> Result<Option<Self>, FileError> {
        let file = StoreFile::open(path);
        let file = file.map_err(FileError::at("opening the file", path))?;
        let length = file.length().map_err(FileError::at("reading the length of", path))?;
        if length != shape.length() as u64 {
            return Ok(None);
        }
        Self::map(&file, path, shape).map(Some)
    }

    fn map(file: &StoreFile, path: &Path, shape: Shape) -> Result<Self, FileError> {
        // A file that upstream made is sparse: without its blocks, a write into the map would end the process on a full disk.
        allocate(file, shape.length() as u64).map_err(FileError::at("reserving space for the file", path))?;
        let region = file.map_slots(shape.length()).map_err(FileError::at("mapping the file", path))?;
        let i64_at = |position| region.i64_at(position).unwrap_or(0);
        let last = i32::try_from(shape.entries).unwrap_or(i32::MAX).max(1);
        let next_entry = region.i32_at(header::NEXT_ENTRY).unwrap_or(0).clamp(1, last);
        Ok(Self {
            path: path.to_owned(),
            shape,
            begin_timestamp: AtomicI64::new(i64_at(header::BEGIN_TIMESTAMP)),
            end_timestamp: AtomicI64::new(i64_at(header::END_TIMESTAMP)),
            end_offset: AtomicI64::new(i64_at(header::END_OFFSET)),
            slots_used: AtomicI32::new(region.i32_at(header::SLOTS_USED).unwrap_or(0)),
            next_entry: AtomicI32::new(next_entry),
            settled: AtomicI32::new(next_entry),
            // What stands in the file may be in the page cache only: left there by a process that was killed.
            flushed: AtomicI32::new(0),
            region,
        })
    }

    /// What cannot be true in this file, which follows one whose last record begins at `begins_after`, of a log that ends at
    /// `log_end`; `None` when nothing is found. Looks at the header and at the first and last entry only: damage between them ends
    /// a search, and is no reason to distrust the rest.
    pub(super) fn contradiction(&self, begins_after: PhysicalOffset, log_end: PhysicalOffset) -> Option<&'static str> {
        let count = self.region.i32_at(header::NEXT_ENTRY).unwrap_or(0);
        let used = self.slots_used.load(Ordering::Acquire);
        let begin = self.region.i64_at(header::BEGIN_OFFSET).unwrap_or(0);
        let end = self.end_offset().0;
        if count < 0 || i64::from(count) > i64::from(self.shape.entries) {
            return Some("it says that it has more entries than there is room for");
        }
        if used < 0 || used > count.max(1) {
            return Some("it says that it uses more slots than it has entries");
        }
        // One that was only just made may not say that its first entry is number 1.
        if count <= 1 {
            return (end > log_end.0).then_some("it says that it follows one that ends where the log does not");
        }
        if begin < begins_after.0 || begin > end || end >= log_end.0 {
            return Some("it says that it begins or ends where the log does not");
        }
        let physical_of = |number: i32| self.region.i64_at(self.shape.entry(number.unsigned_abs() as usize) + 4);
        // The last entry is put before the header says so.
        if physical_of(1) != Some(begin) || physical_of(count - 1).is_none_or(|last| last < end || last >= log_end.0) {
            return Some("its entries are not those that it says it has");
        }
        None
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Store time of the first record, in ms; 0 without one.
    pub(super) fn begin_timestamp(&self) -> i64 {
        self.begin_timestamp.load(Ordering::Acquire)
    }

    /// Store time of the last record, in ms; 0 without one.
    pub(super) fn end_timestamp(&self) -> i64 {
        self.end_timestamp.load(Ordering::Acquire)
    }

    /// Where the last record begins.
    pub(super) fn end_offset(&self) -> PhysicalOffset {
        PhysicalOffset(self.end_offset.load(Ordering::Acquire))
    }

    /// True when there is no room for one more entry.
    pub(super) fn is_full(&self) -> bool {
        self.next_entry.load(Ordering::Acquire).unsigned_abs() >= self.shape.entries
    }

    /// True when there is no room, and whoever put the last entry is done: nothing in the file changes any more.
    pub(super) fn is_complete(&self) -> bool {
        self.settled.load(Ordering::Acquire).unsigned_abs() >= self.shape.entries
    }

    /// Puts one entry in front of its slot's chain. The caller is the only one who puts, and has seen that there is room.
    pub(super) fn put(&self, entry: Entry, store_timestamp: i64) {
        let number = self.next_entry.load(Ordering::Acquire);
        if number == 1 {
            self.set_begin(store_timestamp, entry.physical_offset);
        }
        let slot = self.shape.slot(entry.key);
        let older = self.region.i32_at(slot).filter(|&older| older > 0 && older < number).unwrap_or(0);
        let seconds = match self.begin_timestamp() {
            begin if begin > 0 => {
                i32::try_from(store_timestamp.saturating_sub(begin).max(0) / 1000).unwrap_or(i32::MAX)
            }
            _ => 0,
        };
        let at = self.shape.entry(number.unsigned_abs() as usize);
        self.set_i32(at, entry.key.0);
        self.set_i64(at + 4, entry.physical_offset.0);
        self.set_i32(at + 12, seconds);
        self.set_i32(at + 16, older);
        if older == 0 {
            let used = self.slots_used.fetch_add(1, Ordering::AcqRel) + 1;
            self.set_i32(header::SLOTS_USED, used);
        }
        // The slot comes last: whoever finds the entry through it finds it whole and counted.
        self.set_i32(header::NEXT_ENTRY, number + 1);
        self.next_entry.store(number + 1, Ordering::Release);
        self.set_i32(slot, number);
        self.set_end(store_timestamp, entry.physical_offset);
        self.settled.store(number + 1, Ordering::Release);
    }

    /// The entries in the chain of `key`, newest first; those of other keys in the same slot too.
    pub(super) fn chain(&self, key: KeyHash) -> impl Iterator<Item = Found> + '_ {
        let begin = self.begin_timestamp();
        let mut limit = self.next_entry.load(Ordering::Acquire);
        let mut next = self.region.i32_at(self.shape.slot(key)).unwrap_or(0);
        // An entry put since `limit` was read is as good as any other.
        limit = limit.max(self.next_entry.load(Ordering::Acquire));
        std::iter::from_fn(move || {
            if next <= 0 || next >= limit {
                return None;
            }
            limit = next;
            let at = self.shape.entry(next.unsigned_abs() as usize);
            let found = Found {
                key: KeyHash(self.region.i32_at(at)?),
                physical_offset: PhysicalOffset(self.region.i64_at(at + 4)?),
                timestamp: begin.saturating_add(i64::from(self.region.i32_at(at + 12)?) * 1000),
            };
            next = self.region.i32_at(at + 16)?;
            Some(found)
        })
    }

    /// Writes the file to disk if it has changed, and returns the store time of its last record then.
    pub(super) fn flush(&self) -> Result<Option<i64>, FileError> {
        // Read before, so that what is put meanwhile is left for the next flush.
        let (settled, end_timestamp) = (self.settled.load(Ordering::Acquire), self.end_timestamp());
        if self.flushed.load(Ordering::Acquire) == settled {
            return Ok(None);
        }
        store_io::sync_map(&self.region, &self.path).map_err(FileError::at("syncing the file", &self.path))?;
        self.flushed.store(settled, Ordering::Release);
        Ok(Some(end_timestamp))
    }

    /// Deletes the file. Searches that are under way keep reading what it held.
    pub(super) fn remove(&self) -> Result<(), FileError> {
        match store_io::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::at("deleting the file", &self.path)(error))
            }
            _ => Ok(()),
        }
    }

    fn set_begin(&self, timestamp: i64, physical_offset: PhysicalOffset) {
        self.set_i64(header::BEGIN_TIMESTAMP, timestamp);
        self.set_i64(header::BEGIN_OFFSET, physical_offset.0);
        self.begin_timestamp.store(timestamp, Ordering::Release);
    }

    fn set_end(&self, timestamp: i64, physical_offset: PhysicalOffset) {
        self.set_i64(header::END_TIMESTAMP, timestamp);
        self.set_i64(header::END_OFFSET, physical_offset.0);
        self.end_timestamp.store(timestamp, Ordering::Release);
        self.end_offset.store(physical_offset.0, Ordering::Release);
    }

    fn set_i32(&self, position: usize, value: i32) {
        let is_inside = self.region.set_i32(position, value);
        debug_assert!(is_inside, "{position} is outside of an index file of {}", self.region.len());
    }

    fn set_i64(&self, position: usize, value: i64) {
        let is_inside = self.region.set_i64(position, value);
        debug_assert!(is_inside, "{position} is outside of an index file of {}", self.region.len());
    }
}

/// Reserves the blocks of the whole file, so that no write into its map can fail. Where the file system has no call for that, what
/// is there is written over itself, which has the same effect.
fn allocate(file: &StoreFile, length: u64) -> io::Result<()> {
    if file.allocate(0, length)? {
        return Ok(());
    }
    let mut chunk = vec![0; 1 << 20];
    let mut position = 0;
    while position < length {
        let wanted = usize::try_from(length - position).unwrap_or(chunk.len()).min(chunk.len());
        let chunk = chunk.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(chunk, position)?;
        file.write_all_at(chunk, position)?;
        position += wanted as u64;
    }
    Ok(())
}
