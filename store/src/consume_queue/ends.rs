//! How far every queue was on disk when the checkpoint was last written: what tells a start that a queue has lost units since.
//!
//! `consumequeue.ends`, beside the folder of the queues, written whole by each thorough flush:
//!
//! ```text
//!  0 "BMQENDS1"  │  8 CRC-32 of all that follows, 4 │ 12 queues 4 │ 16 position 8: the queues held all records before
//! 24 for each queue: topic length 2 │ topic │ queue 4 │ min 8 │ physical offset of its unit 8 │ max 8
//! ```
//!
//! Big-endian; min and max are queue offsets. Java knows nothing of the file and leaves it alone; one that is older than the
//! checkpoint comes from before a Java broker ran here, and is not believed. Without it a start reads more of the log.
//! Never here: what to do about a queue that lacks something.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use super::unit::UNIT_SIZE_I64;
use super::{ConsumeQueue, QueueError, QueueTable};
use crate::io::{self as store_io, StoreFile};
use crate::layout;

const MAGIC: [u8; 8] = *b"BMQENDS1";
const HEADER: usize = 24;
/// Bytes of a queue without its topic.
const FIXED: usize = 2 + 4 + 3 * 8;
/// More than the ends of a million queues: a longer file is none.
const LENGTH_MAX: u64 = 256 << 20;

/// Stands for no position.
pub(super) const UNKNOWN: i64 = -1;

/// One queue, as it was on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueEnd {
    pub(crate) topic: Topic,
    pub(crate) queue_id: QueueId,
    /// Its first message, and where that begins in the log.
    pub(crate) min: QueueOffset,
    pub(crate) min_physical: PhysicalOffset,
    /// One past its last message on disk.
    pub(crate) max: QueueOffset,
}

/// All queues, as they were on disk at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueEnds {
    /// They held all records before.
    pub(crate) position: i64,
    pub(crate) queues: Vec<QueueEnd>,
}

impl QueueEnds {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.queues.len() * (FIXED + 32));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.queues.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&self.position.to_be_bytes());
        for queue in &self.queues {
            // A topic has 255 bytes at most.
            bytes.extend_from_slice(&(queue.topic.as_str().len() as u16).to_be_bytes());
            bytes.extend_from_slice(queue.topic.as_str().as_bytes());
            bytes.extend_from_slice(&queue.queue_id.0.to_be_bytes());
            for value in [queue.min.0, queue.min_physical.0, queue.max.0] {
                bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
        let crc = crc32fast::hash(bytes.get(12..).unwrap_or_default());
        if let Some(place) = bytes.get_mut(8..12) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`QueueEnds::to_bytes`] made; `None` for anything else.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC || u32::from_be_bytes(*crc) != crc32fast::hash(rest) {
            return None;
        }
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (position, mut rest) = rest.split_first_chunk::<8>()?;
        let mut queues = Vec::new();
        for _ in 0..u32::from_be_bytes(*count) {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (topic, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let (queue_id, after) = after.split_first_chunk::<4>()?;
            let (min, after) = after.split_first_chunk::<8>()?;
            let (min_physical, after) = after.split_first_chunk::<8>()?;
            let (max, after) = after.split_first_chunk::<8>()?;
            queues.push(QueueEnd {
                topic: Topic::parse_stored(std::str::from_utf8(topic).ok()?)?,
                queue_id: QueueId(u32::from_be_bytes(*queue_id)),
                min: QueueOffset(i64::from_be_bytes(*min)),
                min_physical: PhysicalOffset(i64::from_be_bytes(*min_physical)),
                max: QueueOffset(i64::from_be_bytes(*max)),
            });
            rest = after;
        }
        rest.is_empty().then_some(Self { position: i64::from_be_bytes(*position), queues })
    }
}

impl QueueTable {
    fn ends_path(&self) -> PathBuf {
        self.files.ends_path()
    }

    /// Writes how far the queues are on disk, after a thorough flush; they hold all records before `position`.
    ///
    /// # Errors
    /// [`QueueError::File`]: the file is as it was, or is none.
    pub(crate) fn write_ends(&self, position: PhysicalOffset) -> Result<(), QueueError> {
        if self.ends_at.load(Ordering::Acquire) == position.0 {
            return Ok(());
        }
        let mut queues = Vec::new();
        for queue in self.queues() {
            queues.extend(queue.end_on_disk()?);
        }
        let path = self.ends_path();
        let new = path.with_extension("ends.new");
        let bytes = QueueEnds { position: position.0, queues }.to_bytes();
        let written = store_io::write(&new, &bytes)
            .and_then(|()| StoreFile::open(&new)?.sync_data())
            .and_then(|()| store_io::rename(&new, &path));
        written.map_err(QueueError::io("writing", &path))?;
        if let Some(dir) = path.parent() {
            layout::sync_dir(dir)?;
        }
        self.ends_at.store(position.0, Ordering::Release);
        Ok(())
    }

    /// Reads how far the queues were on disk; `None` when nobody knows. Changes nothing.
    pub(crate) fn read_ends(&self) -> Option<QueueEnds> {
        let path = self.ends_path();
        let length = std::fs::metadata(&path).ok()?.len();
        let bytes = if length <= LENGTH_MAX { std::fs::read(&path).ok()? } else { Vec::new() };
        let ends = QueueEnds::from_bytes(&bytes);
        if ends.is_none() {
            tracing::warn!(path = %path.display(), "this file is damaged and not used: the start reads more of the log");
        }
        ends
    }

    /// Forgets how far the queues were on disk: one of them is about to go.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn forget_ends(&self) -> Result<(), QueueError> {
        self.ends_at.store(UNKNOWN, Ordering::Release);
        let path = self.ends_path();
        match store_io::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(QueueError::io("deleting", path)(error)),
            Ok(()) => path.parent().map_or(Ok(()), |dir| Ok(layout::sync_dir(dir)?)),
        }
    }
}

impl ConsumeQueue {
    /// What of this queue is on disk; `None` without a message there.
    fn end_on_disk(&self) -> Result<Option<QueueEnd>, QueueError> {
        let mut tail = self.tail.lock();
        let min = self.min_offset();
        let max = QueueOffset(tail.synced / UNIT_SIZE_I64);
        if tail.is_deleted || tail.files.is_empty() || max <= min {
            return Ok(None);
        }
        let known = tail.head.filter(|(offset, _)| *offset == min);
        let min_physical = match known {
            Some((_, physical)) => physical,
            None => match self.unit_at(&tail, min.0 * UNIT_SIZE_I64)? {
                Some(unit) if !unit.is_blank() => unit.physical_offset,
                _ => return Ok(None),
            },
        };
        tail.head = Some((min, min_physical));
        Ok(Some(QueueEnd { topic: self.topic.clone(), queue_id: self.queue_id, min, min_physical, max }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> QueueEnds {
        let end = |topic: &str, queue_id| QueueEnd {
            topic: Topic::parse_stored(topic).unwrap(),
            queue_id: QueueId(queue_id),
            min: QueueOffset(3),
            min_physical: PhysicalOffset(4711),
            max: QueueOffset(1 << 40),
        };
        QueueEnds { position: 1 << 50, queues: vec![end("A", 0), end("%RETRY%group", 7)] }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = ends().to_bytes();
        assert_eq!(bytes.get(..8).unwrap(), b"BMQENDS1");
        assert_eq!(QueueEnds::from_bytes(&bytes), Some(ends()));
        let none = QueueEnds { position: 0, queues: Vec::new() };
        assert_eq!(QueueEnds::from_bytes(&none.to_bytes()), Some(none));
    }

    #[test]
    fn any_damage_is_noticed() {
        let bytes = ends().to_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(QueueEnds::from_bytes(&damaged), None, "bit {bit} of byte {at}");
            }
            assert_eq!(QueueEnds::from_bytes(&bytes[..at]), None, "cut at {at}");
        }
        assert_eq!(QueueEnds::from_bytes(&[bytes, vec![0]].concat()), None);
    }
}
