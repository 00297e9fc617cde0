//! Reading: bytes of the log, lent out with the map that holds them.

use std::sync::Arc;

use boostermq_remoting::message::record::{Parsed, Record, parse_next};
use boostermq_remoting::offsets::PhysicalOffset;
use bytes::Bytes;

use super::{Check, CommitLog};
use crate::mapped_file::MappedFile;

impl CommitLog {
    /// The file that holds physical offset `at`, if `at` lies within the log.
    pub(crate) fn file_at(&self, at: i64) -> Option<Arc<MappedFile>> {
        if at >= self.end() { None } else { self.files.find(at) }
    }

    /// The `size` bytes at `from`, which must lie in one file; `None` where the log does not have all of them.
    /// Nothing is checked about their content.
    pub(crate) fn read(&self, from: PhysicalOffset, size: usize) -> Option<Bytes> {
        if from.0.checked_add(i64::try_from(size).ok()?)? > self.end() {
            return None;
        }
        self.files.find(from.0)?.bytes(from.0, size)
    }

    /// The record at `at`: `None` when no sound record begins there.
    pub(crate) fn record_at(&self, at: PhysicalOffset) -> Option<Bytes> {
        let file = self.file_at(at.0)?;
        let record = record_in(&file, at.0)?;
        match self.content_check() {
            Check::Record => record.check_checksum().ok()?,
            Check::Lengths | Check::Body => record.check_body_crc().ok()?,
        }
        self.read(at, record.total_size() as usize)
    }

    /// Store time of the record at `at`, in milliseconds since 1970; `None` when no sound record begins there.
    pub(crate) fn store_timestamp_at(&self, at: PhysicalOffset) -> Option<i64> {
        let file = self.file_at(at.0)?;
        record_in(&file, at.0).map(|record| record.store_timestamp())
    }

    /// Store time of the first record that is there; `None` without a sound one at the very begin.
    pub(crate) fn earliest_store_timestamp(&self) -> Option<i64> {
        self.store_timestamp_at(PhysicalOffset(self.min_offset()))
    }
}

/// The record at physical offset `at` of `file`, if it says itself that it stands there.
fn record_in(file: &MappedFile, at: i64) -> Option<Record<'_>> {
    match parse_next(file.rest(at)?) {
        Ok(Parsed::Record(record)) if record.physical_offset().0 == at => Some(record),
        _ => None,
    }
}
