//! The timer log: a unit for each message that waits, chained by tick from the last to the first.
//!
//! ```text
//! ROOT/timerlog/00000000000000000000 …: files of mappedFileSizeTimerLog bytes; all numbers big-endian
//!  0        4            12       16           24        28           36      40          44
//!  | 52 i32 | prev i64   | magic  | write i64  | delay   | phys i64   | size  | topic hash | 0 i64 |
//! ```
//! `prev` is the position of the unit before it of the same tick, -1 for the first. Magic bits: 1 always, 2 put off (comes back
//! to the timer), 4 recalls another message. `write` is when it was taken in and `delay` how long after that its tick is, both in
//! milliseconds. `phys` and `size` say where the message lies in the commit log.
//!
//! A unit that does not leave 16 bytes free in a file goes into the next one, and the file ends with a blank: bytes left
//! (i32), 0 (i64), 0xCBD43194. Units are gathered in memory and written together; they are read only once they are written.
//!
//! Upstream: `TimerLog`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boostermq_remoting::offsets::PhysicalOffset;

use super::TimerError;
use crate::error::FileError;
use crate::io::{self, StoreFile};
use crate::layout;

/// Bytes of a unit.
pub(super) const UNIT_SIZE: usize = 52;
const UNIT: i64 = UNIT_SIZE as i64;
/// Bytes of a blank.
const BLANK: i64 = 16;
/// What a blank has where a unit has its magic (RocketMQ 5.5.0).
const BLANK_MAGIC: u32 = 0xCBD4_3194;
/// Bits that a magic may have.
const MAGIC_BITS: u32 = 0xF;
/// Bytes that are read at once when a chain is followed: neighbours in a chain often lie close together.
const WINDOW: i64 = 4096;

/// Least bytes of a file: a unit and a blank.
pub(super) const FILE_SIZE_MIN: i64 = UNIT + BLANK;

/// A message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// It comes back to the timer when its tick is over, because it is due later.
    pub is_put_off: bool,
    /// It recalls another message.
    pub is_recall: bool,
    /// When it was taken in, milliseconds since 1970.
    pub taken_in_ms: i64,
    /// The tick it waits for, milliseconds since 1970.
    pub slot_ms: i64,
    /// Where its record lies in the commit log.
    pub physical_offset: PhysicalOffset,
    /// Bytes of the record.
    pub size: u32,
    /// Java's hash of the topic it goes to.
    pub topic_hash: i32,
}

impl Waiting {
    fn encode(&self, prev: i64) -> [u8; UNIT_SIZE] {
        let magic = 1_u32 | u32::from(self.is_put_off) << 1 | u32::from(self.is_recall) << 2;
        // Checked by `TimerFiles::add`.
        let delay_ms = (self.slot_ms - self.taken_in_ms) as i32;
        let mut unit = [0; UNIT_SIZE];
        unit[..4].copy_from_slice(&(UNIT_SIZE as u32).to_be_bytes());
        unit[4..12].copy_from_slice(&prev.to_be_bytes());
        unit[12..16].copy_from_slice(&magic.to_be_bytes());
        unit[16..24].copy_from_slice(&self.taken_in_ms.to_be_bytes());
        unit[24..28].copy_from_slice(&delay_ms.to_be_bytes());
        unit[28..36].copy_from_slice(&self.physical_offset.0.to_be_bytes());
        unit[36..40].copy_from_slice(&self.size.to_be_bytes());
        unit[40..44].copy_from_slice(&self.topic_hash.to_be_bytes());
        unit
    }
}

/// What stands at a place of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A unit, and the position of the one before it in its chain.
    Unit(Waiting, i64),
    /// The rest of the file is blank.
    Blank,
    /// Nothing that this log writes.
    Other,
}

fn decode(unit: &[u8]) -> Found {
    let word = |at: usize| unit.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b));
    let number = |at: usize| unit.get(at..at + 8).and_then(|b| b.first_chunk()).map_or(0, |b| i64::from_be_bytes(*b));
    let magic = word(12);
    if magic == BLANK_MAGIC {
        return Found::Blank;
    }
    let (taken_in_ms, physical_offset, size) = (number(16), number(28), word(36));
    if unit.len() < UNIT_SIZE
        || word(0) != UNIT_SIZE as u32
        || magic & !MAGIC_BITS != 0
        || physical_offset < 0
        || i32::try_from(size).map_or(true, |size| size <= 0)
    {
        return Found::Other;
    }
    let waiting = Waiting {
        is_put_off: magic & 2 != 0,
        is_recall: magic & 4 != 0,
        taken_in_ms,
        slot_ms: taken_in_ms.saturating_add(i64::from(word(24).cast_signed())),
        physical_offset: PhysicalOffset(physical_offset),
        size,
        topic_hash: word(40).cast_signed(),
    };
    Found::Unit(waiting, number(4))
}

/// One file of the log.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    /// Position of its first byte.
    pub(super) base: i64,
    path: PathBuf,
    file: Arc<StoreFile>,
}

impl LogFile {
    /// Waits until what was written is on disk.
    pub(super) fn sync(&self) -> Result<(), FileError> {
        self.file.sync_data().map_err(FileError::at("writing the file", &self.path))
    }
}

/// The files, and what was not written to them yet.
#[derive(Debug)]
pub(super) struct TimerLog {
    dir: PathBuf,
    file_size: i64,
    files: Vec<LogFile>,
    /// Position of the next unit.
    end: i64,
    /// Bytes from `end - gathered.len()` on, all of one file.
    gathered: Vec<u8>,
    /// A piece of the log that was read last, and its position.
    window: (i64, Vec<u8>),
}

impl TimerLog {
    /// Opens the files that are there. The end is where they end, until [`TimerLog::cut`].
    pub(super) fn open(dir: &Path, file_size: i64) -> Result<Self, TimerError> {
        layout::create_dir(dir)?;
        let mut found = Vec::new();
        let reading = |error| FileError::at("reading the folder", dir)(error);
        for entry in std::fs::read_dir(dir).map_err(reading)? {
            let path = entry.map_err(reading)?.path();
            let base = path.file_name().and_then(|name| layout::file_position(name.to_str()?));
            let Some(base) = base else { return Err(TimerError::FileName { path }) };
            found.push((base, path));
        }
        found.sort_unstable();
        let mut files: Vec<LogFile> = Vec::with_capacity(found.len());
        for (base, path) in found {
            let file = StoreFile::open(&path).map_err(FileError::at("opening the file", &path))?;
            let length = file.length().map_err(FileError::at("opening the file", &path))?;
            if length == 0 && files.last().is_some_and(|last| last.base + file_size == base) {
                // Made and not filled when the broker died.
                io::remove_file(&path).map_err(FileError::at("deleting the file", &path))?;
                continue;
            }
            if length != file_size.cast_unsigned() {
                let expected = file_size.cast_unsigned();
                return Err(TimerError::FileSize { path, found: length, expected, key: "mappedFileSizeTimerLog" });
            }
            if let Some(last) = files.last()
                && last.base + file_size != base
            {
                let after = last.path.clone();
                return Err(TimerError::Gap { path: after, expected: last.base + file_size });
            }
            files.push(LogFile { base, path, file: Arc::new(file) });
        }
        let end = files.last().map_or(0, |last| last.base + file_size);
        let dir = dir.to_owned();
        Ok(Self { dir, file_size, files, end, gathered: Vec::new(), window: (0, Vec::new()) })
    }

    /// Position of the first byte that is there.
    pub(super) fn begin(&self) -> i64 {
        self.files.first().map_or(self.end, |file| file.base)
    }

    /// Position of the next unit.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Position of the first byte of the file that holds `position`.
    pub(super) fn file_base(&self, position: i64) -> i64 {
        position - position.rem_euclid(self.file_size)
    }

    /// Bytes of a file.
    pub(super) fn file_size(&self) -> i64 {
        self.file_size
    }

    /// Gathers a unit behind the others; `prev` is the last one of its tick. Returns its position.
    pub(super) fn append(&mut self, waiting: &Waiting, prev: i64) -> Result<i64, FileError> {
        let room = self.files.last().map_or(0, |last| last.base + self.file_size - self.end);
        if room < UNIT + BLANK {
            self.next_file(room)?;
        }
        self.gathered.extend_from_slice(&waiting.encode(prev));
        let position = self.end;
        self.end += UNIT;
        Ok(position)
    }

    /// Ends the last file with a blank and makes the next one.
    fn next_file(&mut self, room: i64) -> Result<(), FileError> {
        let base = self.files.last().map_or(self.end, |last| last.base + self.file_size);
        // The new file comes first: without it everything stays as it was.
        let path = self.dir.join(layout::file_name(base));
        let making = |error| FileError::at("making the file", &path)(error);
        let file = StoreFile::open_or_create(&path).map_err(making)?;
        let length = self.file_size.cast_unsigned();
        if !file.allocate(0, length).map_err(making)? {
            file.set_length(length).map_err(making)?;
        }
        layout::sync_dir(&self.dir)?;
        if room >= BLANK {
            let (before, length) = (self.gathered.len(), room as u32);
            self.gathered.extend_from_slice(&length.to_be_bytes());
            self.gathered.extend_from_slice(&0_i64.to_be_bytes());
            self.gathered.extend_from_slice(&BLANK_MAGIC.to_be_bytes());
            self.end += BLANK;
            if let Err(error) = self.write() {
                self.gathered.truncate(before);
                self.end -= BLANK;
                return Err(error);
            }
        } else {
            self.write()?;
        }
        self.files.push(LogFile { base, path, file: Arc::new(file) });
        self.end = base;
        Ok(())
    }

    /// Writes what was gathered. Until it succeeds, the gathered units cannot be read.
    pub(super) fn write(&mut self) -> Result<(), FileError> {
        let Some(last) = self.files.last().filter(|_| !self.gathered.is_empty()) else { return Ok(()) };
        let start = self.end - self.gathered.len() as i64;
        let at = (start - last.base).cast_unsigned();
        last.file.write_all_at(&self.gathered, at).map_err(FileError::at("writing the file", &last.path))?;
        self.gathered.clear();
        self.gathered.shrink_to(1 << 20);
        if self.window.0 + self.window.1.len() as i64 > start {
            self.window.1.clear();
        }
        Ok(())
    }

    /// What stands at `position`, which lies before the end.
    pub(super) fn read(&mut self, position: i64) -> Result<Found, FileError> {
        let (from, bytes) = &self.window;
        let at = usize::try_from(position - from).ok().filter(|at| at + UNIT_SIZE <= bytes.len());
        if let Some(unit) = at.and_then(|at| bytes.get(at..at + UNIT_SIZE)) {
            return Ok(decode(unit));
        }
        let Some(file) = self.file(position) else { return Ok(Found::Other) };
        // Chains lead back, so the window ends with the unit asked for.
        let (base, path, file) = (file.base, file.path.clone(), Arc::clone(&file.file));
        let to = (position + UNIT).min(base + self.file_size);
        let from = (to - WINDOW).max(base);
        let window = &mut self.window;
        window.0 = from;
        window.1.resize((to - from).max(0) as usize, 0);
        if let Err(error) = file.read_exact_at(&mut window.1, (from - base).cast_unsigned()) {
            window.1.clear();
            return Err(FileError::at("reading the file", &path)(error));
        }
        let at = (position - from).max(0) as usize;
        Ok(window.1.get(at..at + UNIT_SIZE).map_or(Found::Other, decode))
    }

    /// Calls `see` for the units from `from`, where one begins, in order, with their positions, until one is refused or nothing
    /// more stands there. Returns the position of what came after the last accepted one.
    pub(super) fn scan(&self, from: i64, mut see: impl FnMut(i64, &Waiting) -> bool) -> Result<i64, FileError> {
        /// Units read at once.
        const AT_ONCE: i64 = 4096;
        let mut position = from;
        let mut bytes = Vec::new();
        while let Some(file) = self.file(position).filter(|_| position < self.end) {
            let limit = file.base + self.file_size;
            if position + UNIT > limit {
                // Only a blank fits here; without it the file was not ended.
                let mut rest = [0; UNIT_SIZE];
                let rest = rest.get_mut(..(limit - position) as usize).unwrap_or_default();
                let at = (position - file.base).cast_unsigned();
                file.file.read_exact_at(rest, at).map_err(FileError::at("reading the file", &file.path))?;
                if decode(rest) != Found::Blank {
                    return Ok(position);
                }
                position = limit;
                continue;
            }
            let count = ((limit - position) / UNIT).min(AT_ONCE);
            bytes.resize((count * UNIT) as usize, 0);
            let at = (position - file.base).cast_unsigned();
            file.file.read_exact_at(&mut bytes, at).map_err(FileError::at("reading the file", &file.path))?;
            for unit in bytes.chunks_exact(UNIT_SIZE) {
                match decode(unit) {
                    Found::Unit(waiting, _) if see(position, &waiting) => position += UNIT,
                    Found::Blank => {
                        position = limit;
                        break;
                    }
                    _ => return Ok(position),
                }
            }
        }
        Ok(position)
    }

    /// Ends the log at `end`: what stands behind it is made zero.
    pub(super) fn cut(&mut self, end: i64) -> Result<(), FileError> {
        while let Some(last) = self.files.pop_if(|last| last.base > end || last.base == end && end > 0) {
            io::remove_file(&last.path).map_err(FileError::at("deleting the file", &last.path))?;
        }
        if let Some(last) = self.files.last() {
            let (at, length) = ((end - last.base).cast_unsigned(), self.file_size.cast_unsigned());
            // A unit that was cut must not come back when the log has grown up to it.
            let clear = || -> std::io::Result<()> {
                if !is_zero(&last.file, at, length)? {
                    last.file.clear(at, length)?;
                    last.file.allocate(at, length)?;
                }
                Ok(())
            };
            clear().map_err(FileError::at("clearing the end of the file", &last.path))?;
        }
        self.end = end;
        self.window.1.clear();
        Ok(())
    }

    /// The files that hold `[from, end)`.
    pub(super) fn files_from(&self, from: i64) -> Vec<LogFile> {
        self.files.iter().filter(|file| file.base + self.file_size > from).cloned().collect()
    }

    /// Deletes files at the begin of the log whose last message lies before `min` in the commit log, but never the last file.
    pub(super) fn expire(&mut self, min: PhysicalOffset) -> Result<usize, FileError> {
        let mut count = 0;
        while self.files.len() > 1 {
            let Some(first) = self.files.first() else { break };
            let units = (self.file_size - BLANK) / UNIT;
            let last_unit = first.base + (units - 1) * UNIT;
            match self.read(last_unit)? {
                Found::Unit(waiting, _) if waiting.physical_offset >= min => break,
                // Nothing is known of a file without a last unit but that it is not the one that is filled.
                _ => {}
            }
            let first = self.files.remove(0);
            io::remove_file(&first.path).map_err(FileError::at("deleting the file", &first.path))?;
            self.window.1.clear();
            count += 1;
        }
        Ok(count)
    }

    fn file(&self, position: i64) -> Option<&LogFile> {
        let first = self.files.first()?;
        let index = usize::try_from((position - first.base).checked_div(self.file_size)?).ok();
        self.files.get(index.filter(|_| position >= first.base)?)
    }
}

/// Whether only zeros stand in `[from, to)`.
fn is_zero(file: &StoreFile, from: u64, to: u64) -> std::io::Result<bool> {
    let mut bytes = vec![0; 1 << 20];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to - at).unwrap_or(bytes.len()).min(bytes.len());
        let Some(piece) = bytes.get_mut(..length) else { break };
        file.read_exact_at(piece, at)?;
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}
