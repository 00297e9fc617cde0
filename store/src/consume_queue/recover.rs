//! Finding and moving the ends of a queue: after a start, a truncation of the log, an expiry of log files.

use std::ops::Range;
use std::sync::atomic::Ordering;

use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use super::storage::Tail;
use super::unit::UNIT_SIZE_I64;
use super::{ConsumeQueue, QueueError, READ_UNITS_MAX, UNIT_SIZE, Unit};

/// Files at the end of a queue that are read through after a crash, as upstream does; older ones were synced long ago.
const FILES_SCANNED: i64 = 3;

/// Bytes read at once.
const CHUNK: usize = READ_UNITS_MAX * UNIT_SIZE;

/// What a disk loses at once.
const PAGE: usize = 4096;

impl ConsumeQueue {
    /// Finds the ends of the queue in its files. After a clean stop (`is_thorough` false) with a few small reads; otherwise by
    /// reading units and zeroing what follows the first damage: from the first one of a record past `on_disk` on, where
    /// known, before which everything is on disk; of the last three files at most.
    ///
    /// Returns whether units were there that cannot be right, or a file is missing: what came after is taken away, to be built
    /// again.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn recover(&self, is_thorough: bool, on_disk: Option<PhysicalOffset>) -> Result<bool, QueueError> {
        let mut tail = self.tail.lock();
        if tail.files.is_empty() {
            return Ok(false);
        }
        let size = self.files.file_size();
        // The readers below ask the files for everything before the buffer.
        let files_end = tail.files.end;
        tail.restart_at(files_end);
        let lost = self.lost_file(&tail)?;
        let found = if is_thorough || lost.is_some() { None } else { self.search_end(&tail)? };
        let Some(end) = found else {
            let scan_start = self.scan_start(&tail, on_disk)?;
            let (end, is_damaged) = match lost {
                Some(gap) => (gap, true),
                None => self.scan_end(&tail, scan_start)?,
            };
            self.cut_files(&mut tail, end)?;
            tail.has_gap &= lost.is_none();
            // After a crash of the process alone the bytes are there, but nobody has forced them onto the disk.
            self.end_at(&mut tail, end, scan_start.min(end))?;
            return Ok(is_damaged);
        };
        if self.base_of(end) + size < files_end {
            self.cut_files(&mut tail, end)?;
        }
        self.end_at(&mut tail, end, end)?;
        Ok(false)
    }

    /// Makes the queue end at `end`, where its files were found to end; they are on disk up to `synced`.
    fn end_at(&self, tail: &mut Tail, end: i64, synced: i64) -> Result<(), QueueError> {
        tail.restart_at(end);
        tail.synced = synced;
        tail.has_new_names |= synced < end;
        tail.physical_end = self.physical_end_before(tail, end)?;
        let first = self.first_real(tail, tail.files.start)?.map_or(end, |(position, _)| position);
        self.min_offset.store(first / UNIT_SIZE_I64, Ordering::Release);
        self.publish(tail);
        Ok(())
    }

    /// The first file that is missing in the row and was not left out: where units are made blank for more than a file, the ones
    /// before or after are blank.
    fn lost_file(&self, tail: &Tail) -> Result<Option<i64>, QueueError> {
        if !tail.has_gap {
            return Ok(None);
        }
        let is_blank =
            |position| Ok::<_, QueueError>(self.unit_at(tail, position)?.is_some_and(|unit| unit.is_blank()));
        let size = usize::try_from(self.files.file_size()).unwrap_or(usize::MAX);
        let mut gap = None;
        for base in tail.files.clone().step_by(size) {
            match (self.file_path(base).exists(), gap) {
                (false, None) => gap = Some(base),
                (true, Some(begin)) if !is_blank(begin - UNIT_SIZE_I64)? && !is_blank(base)? => return Ok(gap),
                (true, _) => gap = None,
                (false, _) => {}
            }
        }
        Ok(None)
    }

    /// Where a thorough look begins.
    fn scan_start(&self, tail: &Tail, on_disk: Option<PhysicalOffset>) -> Result<i64, QueueError> {
        let mut low = tail.files.start.max(tail.files.end - FILES_SCANNED * self.files.file_size());
        let Some(on_disk) = on_disk else { return Ok(low) };
        let mut high = tail.files.end;
        // Zeros after the end and damage count as past it: then more is read than need be.
        while low < high {
            let middle = low + (high - low) / UNIT_SIZE_I64 / 2 * UNIT_SIZE_I64;
            match self.unit_at(tail, middle)? {
                Some(unit) if unit.is_plausible() && unit.physical_offset < on_disk => low = middle + UNIT_SIZE_I64,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The end of a queue that was closed in order: units without a gap, then zeros. `None` when it does not look like that.
    fn search_end(&self, tail: &Tail) -> Result<Option<i64>, QueueError> {
        let size = self.files.file_size();
        let mut chunk = [0; CHUNK];
        let mut base = tail.files.end - size;
        loop {
            let begin = self.read_locked(tail, base, &mut chunk)?;
            let units = plausible_length(begin);
            if let Some(next) = begin.get(units..units + UNIT_SIZE) {
                if next != [0; UNIT_SIZE] {
                    return Ok(None);
                }
                if units > 0 || base <= tail.files.start {
                    return Ok(Some(base + units as i64));
                }
            } else if units > 0 {
                break;
            }
            if base <= tail.files.start {
                return Ok(None);
            }
            base -= size;
        }
        let (mut low, mut high) = (base, base + size);
        while high - low > UNIT_SIZE_I64 {
            let middle = low + (high - low) / UNIT_SIZE_I64 / 2 * UNIT_SIZE_I64;
            match self.unit_at(tail, middle)? {
                Some(unit) if unit.is_plausible() => low = middle,
                _ => high = middle,
            }
        }
        let window = base.max(high - CHUNK as i64);
        let last = self.read_locked(tail, window, &mut chunk)?;
        let length = usize::try_from(high - window).unwrap_or(0);
        Ok(last.get(..length).is_some_and(|last| plausible_length(last) == length).then_some(high))
    }

    /// The end of the units that follow each other from `position` on, and whether more came after it. A missing file is passed
    /// over.
    fn scan_end(&self, tail: &Tail, mut position: i64) -> Result<(i64, bool), QueueError> {
        let mut chunk = [0; CHUNK];
        let mut physical_end = self.physical_end_before(tail, position)?;
        while position < tail.files.end {
            let bytes = self.read_locked(tail, position, &mut chunk)?;
            if bytes.is_empty() {
                position = self.base_of(position) + self.files.file_size();
                continue;
            }
            let sound = Unit::all_in(bytes).take_while(|unit| follows(unit, &mut physical_end)).count() * UNIT_SIZE;
            position += sound as i64;
            let Some(rest) = bytes.get(sound..).filter(|rest| !rest.is_empty()) else { continue };
            let mut is_damaged = rest.iter().any(|byte| *byte != 0);
            if !is_damaged && rest.len() < PAGE {
                // A page of zeros may be all that is wrong.
                let bytes = self.read_locked(tail, position + rest.len() as i64, &mut chunk)?;
                is_damaged = bytes.iter().any(|byte| *byte != 0);
            }
            return Ok((position, is_damaged));
        }
        Ok((position, false))
    }

    /// Where the record of the last unit in the files ends, of a queue that is not recovered yet; 0 without one.
    pub(super) fn physical_end_in_files(&self) -> Result<i64, QueueError> {
        let mut tail = self.tail.lock();
        let Range { start, end } = tail.files.clone();
        tail.restart_at(end);
        let found = self.physical_end_before(&tail, end);
        tail.restart_at(start);
        found
    }

    /// Takes away the units of records that end past `physical_offset`, where the log ends now.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn truncate(&self, physical_offset: PhysicalOffset) -> Result<(), QueueError> {
        let mut tail = self.tail.lock();
        if tail.physical_end <= physical_offset.0 {
            return Ok(());
        }
        let low = self.min_offset().0 * UNIT_SIZE_I64;
        let end = tail.end();
        let last_kept = self.last_real(&tail, end, low, |unit| unit.physical_end() <= physical_offset)?;
        self.cut(&mut tail, last_kept.map_or(low, |(position, _)| position + UNIT_SIZE_I64))
    }

    /// Moves [`ConsumeQueue::min_offset`] to the first message that begins at or past `min_physical`, where the log begins now.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn correct_min(&self, min_physical: PhysicalOffset) -> Result<(), QueueError> {
        let tail = self.tail.lock();
        // A damaged unit says nothing about where its message is.
        let is_kept = |found: Option<(i64, Unit)>| {
            found.is_none_or(|(_, unit)| !unit.is_plausible() || unit.physical_offset >= min_physical)
        };
        let mut low = self.min_offset().0 * UNIT_SIZE_I64;
        let mut high = tail.end();
        if low >= high || self.unit_at(&tail, low)?.is_some_and(|unit| !unit.is_blank() && is_kept(Some((low, unit)))) {
            return Ok(());
        }
        if tail.physical_end <= min_physical.0 {
            low = high;
        }
        while low < high {
            let middle = low + (high - low) / UNIT_SIZE_I64 / 2 * UNIT_SIZE_I64;
            if is_kept(self.first_real(&tail, middle)?) {
                high = middle;
            } else {
                low = middle + UNIT_SIZE_I64;
            }
        }
        let first = self.first_real(&tail, low)?.map_or(tail.end(), |(position, _)| position);
        self.min_offset.store(first / UNIT_SIZE_I64, Ordering::Release);
        Ok(())
    }

    /// Deletes the oldest file if all in it lies before [`ConsumeQueue::min_offset`]; never the last file. Returns whether it did.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn delete_oldest_expired(&self) -> Result<bool, QueueError> {
        let mut tail = self.tail.lock();
        let (base, end) = (tail.files.start, tail.files.start + self.files.file_size());
        let is_expired = end <= self.min_offset().0 * UNIT_SIZE_I64 && end <= tail.written && end < tail.files.end;
        if is_expired {
            self.remove_file(base)?;
            tail.files.start = end;
            // Or a loss of power might keep this file and not the next: a gap.
            let folder = self.folder();
            crate::io::sync_dir(&folder).map_err(QueueError::io("syncing", folder))?;
            self.trim_extension(&tail)?;
        }
        Ok(is_expired)
    }

    /// The last unit, and its offset.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn last_unit(&self) -> Result<Option<(QueueOffset, Unit)>, QueueError> {
        let tail = self.tail.lock();
        let last = tail.end() - UNIT_SIZE_I64;
        if last < self.min_offset().0 * UNIT_SIZE_I64 {
            return Ok(None);
        }
        Ok(self.unit_at(&tail, last)?.map(|unit| (QueueOffset(last / UNIT_SIZE_I64), unit)))
    }

    /// Takes the last unit away.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn drop_last(&self) -> Result<(), QueueError> {
        let mut tail = self.tail.lock();
        let last = tail.end() - UNIT_SIZE_I64;
        if last >= self.min_offset().0 * UNIT_SIZE_I64 { self.cut(&mut tail, last) } else { Ok(()) }
    }

    /// Where the first message of the queue begins in the log; `None` without one.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn first_physical_offset(&self) -> Result<Option<PhysicalOffset>, QueueError> {
        let tail = self.tail.lock();
        let first = self.first_real(&tail, self.min_offset().0 * UNIT_SIZE_I64)?;
        Ok(first.map(|(_, unit)| unit.physical_offset))
    }

    /// Where the last message before `position` ends in the log; 0 without one.
    pub(super) fn physical_end_before(&self, tail: &Tail, position: i64) -> Result<i64, QueueError> {
        let low = if tail.files.is_empty() { tail.buffer_start } else { tail.files.start };
        Ok(self.last_real(tail, position, low, |_| true)?.map_or(0, |(_, unit)| unit.physical_end().0))
    }

    /// The first unit at or past `position` that is not blank, with its position.
    fn first_real(&self, tail: &Tail, mut position: i64) -> Result<Option<(i64, Unit)>, QueueError> {
        let mut chunk = [0; CHUNK];
        // Mostly the first one is it; blanks come in thousands.
        let mut wanted = UNIT_SIZE;
        while position < tail.end() {
            let bytes = self.read_locked(tail, position, chunk.get_mut(..wanted).unwrap_or_default())?;
            wanted = CHUNK;
            if bytes.is_empty() {
                position = self.base_of(position) + self.files.file_size();
                continue;
            }
            for unit in Unit::all_in(bytes) {
                if position >= tail.end() {
                    return Ok(None);
                }
                if !unit.is_blank() {
                    return Ok(Some((position, unit)));
                }
                position += UNIT_SIZE_I64;
            }
        }
        Ok(None)
    }

    /// The last unit before `position`, not before `low`, that is not blank and that `accept` takes, with its position.
    fn last_real(
        &self,
        tail: &Tail,
        mut position: i64,
        low: i64,
        accept: impl Fn(&Unit) -> bool,
    ) -> Result<Option<(i64, Unit)>, QueueError> {
        let mut chunk = [0; CHUNK];
        let mut wanted = UNIT_SIZE as i64;
        while position > low {
            // One read lies within one file or within the buffer.
            let region =
                if position > tail.buffer_start { tail.buffer_start } else { self.base_of(position - UNIT_SIZE_I64) };
            let start = low.max(region).max(position - wanted);
            wanted = CHUNK as i64;
            let length = usize::try_from(position - start).unwrap_or(0);
            let bytes = self.read_locked(tail, start, chunk.get_mut(..length).unwrap_or_default())?;
            for (index, unit) in Unit::all_in(bytes).enumerate().rev() {
                if !unit.is_blank() && unit.is_plausible() && accept(&unit) {
                    return Ok(Some((start + index as i64 * UNIT_SIZE_I64, unit)));
                }
            }
            position = start;
        }
        Ok(None)
    }
}

/// True when `unit` may stand behind a message that ends at `physical_end`; moves that on.
fn follows(unit: &Unit, physical_end: &mut i64) -> bool {
    if !unit.is_plausible() || !unit.is_blank() && unit.physical_offset.0 < *physical_end {
        return false;
    }
    if !unit.is_blank() {
        *physical_end = unit.physical_end().0;
    }
    true
}

/// How many bytes at the beginning are units that may follow each other.
fn plausible_length(bytes: &[u8]) -> usize {
    let mut physical_end = 0;
    Unit::all_in(bytes).take_while(|unit| follows(unit, &mut physical_end)).count() * UNIT_SIZE
}
