//! How far things are on disk: hints for the next start, never believed against the log.
//!
//! ```text
//!  0 physicMsgTimestamp  8    store time of the last record of the log on disk
//!  8 logicsMsgTimestamp  8    store time of the last record whose consume queue unit is on disk
//! 16 indexMsgTimestamp   8    store time of the last record in an index file that is full and on disk
//! 24 masterFlushedOffset 8    used by replication
//! 32 confirmPhyOffset    8    used by replication
//! 40 logicsPhysicalOffset 8   consume queues hold, on disk, all records before (new in RocketMQ 5.5.0)
//! 48 zeros to 4096
//! ```
//!
//! Times are milliseconds since 1970; everything big-endian. 0 stands for "not known".
//!
//! Upstream: `StoreCheckpoint`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::error::FileError;
use crate::io::StoreFile;

const LENGTH: u64 = 4096;
const FIELDS: usize = 6;

/// The fields of the file, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Store time of the last record of the log on disk.
    PhysicalTimestamp,
    /// Store time of the last record whose consume queue unit is on disk.
    QueueTimestamp,
    /// Store time of the last record in an index file that is full and on disk.
    IndexTimestamp,
    /// How far the master had flushed, as a slave knows.
    #[expect(dead_code, reason = "kept as found: replication writes it")]
    MasterFlushedOffset,
    /// Up to where replicas have confirmed.
    #[expect(dead_code, reason = "kept as found: replication writes it")]
    ConfirmOffset,
    /// Up to where consume queues hold everything, on disk.
    QueuePhysicalOffset,
}

/// The checkpoint of an open store.
pub(crate) struct Checkpoint {
    path: PathBuf,
    /// The file, and what of it is on disk.
    file: Mutex<(StoreFile, [u8; FIELDS * 8])>,
    fields: [AtomicI64; FIELDS],
}

impl Checkpoint {
    /// Opens the file at `path`, making it if it is missing and lengthening it if it is short.
    ///
    /// # Errors
    /// [`FileError`] when the system refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let file = StoreFile::open_or_create(path);
        let file = file.map_err(FileError::at("opening the file", path))?;
        let length = file.length().map_err(FileError::at("reading the length of", path))?;
        if length < LENGTH {
            file.set_length(LENGTH).map_err(FileError::at("lengthening the file", path))?;
        }
        let mut bytes = [0; FIELDS * 8];
        file.read_exact_at(&mut bytes, 0).map_err(FileError::at("reading the file", path))?;
        let (cells, _) = bytes.as_chunks::<8>();
        let fields: [AtomicI64; FIELDS] = Default::default();
        for (field, cell) in fields.iter().zip(cells) {
            // Negative values are damage; 0 is "not known", which is always safe.
            field.store(i64::from_be_bytes(*cell).max(0), Ordering::Relaxed);
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new((file, bytes)), fields })
    }

    /// Value of a field.
    pub(crate) fn value(&self, field: Field) -> i64 {
        self.fields[field as usize].load(Ordering::Acquire)
    }

    /// Sets a field, for the next [`Checkpoint::flush`] to write.
    pub(crate) fn set(&self, field: Field, value: i64) {
        self.fields[field as usize].store(value, Ordering::Release);
    }

    /// Raises a field to `value`; leaves it when it is higher.
    pub(crate) fn raise(&self, field: Field, value: i64) {
        self.fields[field as usize].fetch_max(value, Ordering::AcqRel);
    }

    /// Writes all fields to disk, if any has changed.
    ///
    /// # Errors
    /// [`FileError`] when the system refuses; the file holds the old values or the new ones, some of each at worst.
    pub(crate) fn flush(&self) -> Result<(), FileError> {
        let mut guard = self.file.lock();
        let (file, on_disk) = &mut *guard;
        let mut bytes = [0; FIELDS * 8];
        let (cells, _) = bytes.as_chunks_mut::<8>();
        for (field, cell) in self.fields.iter().zip(cells) {
            *cell = field.load(Ordering::Acquire).to_be_bytes();
        }
        if bytes == *on_disk {
            return Ok(());
        }
        file.write_all_at(&bytes, 0).map_err(FileError::at("writing the file", &self.path))?;
        file.sync_data().map_err(FileError::at("syncing the file", &self.path))?;
        *on_disk = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_where_java_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        let checkpoint = Checkpoint::open(&path).unwrap();
        checkpoint.set(Field::PhysicalTimestamp, 1);
        checkpoint.raise(Field::QueueTimestamp, 2);
        checkpoint.raise(Field::QueueTimestamp, 1);
        checkpoint.set(Field::QueuePhysicalOffset, 0x0102_0304_0506_0708);
        checkpoint.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 4096);
        assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(bytes[40..48], [1, 2, 3, 4, 5, 6, 7, 8]);
        let again = Checkpoint::open(&path).unwrap();
        assert_eq!(again.value(Field::QueueTimestamp), 2);
        assert_eq!(again.value(Field::IndexTimestamp), 0);
    }

    #[test]
    fn short_and_damaged_files_say_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        std::fs::write(&path, [0xFF; 11]).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        assert_eq!(checkpoint.value(Field::PhysicalTimestamp), 0);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 4096);
    }
}
