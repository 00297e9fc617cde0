//! How far the timer has come, as far as that is on disk.
//!
//! ```text
//! ROOT/config/timercheck: 4096 bytes, numbers of 8 bytes, big-endian
//!   0 lastReadTimeMs           every earlier tick was given out
//!   8 lastTimerLogFlushPos     end of the timer log that wheel and queue offset belong to
//!  16 lastTimerQueueOffset     messages of rmq_sys_wheel_timer before it are in the timer log
//!  24 masterTimerQueueOffset   the same for a master
//!  32 stateVersion  40 timestamp  48 counter        version of the above
//!  56 mark of ours  64 deliveries end  72 CRC-32 of all before
//! ```
//! The last line is this broker's own: up to where in the commit log the wheel knows what was delivered. RocketMQ leaves those
//! bytes alone, so after it has run the CRC does not fit, and the position is not believed.
//!
//! Upstream: `TimerCheckpoint`.

use std::path::{Path, PathBuf};

use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use crate::error::FileError;
use crate::io::StoreFile;
use crate::layout;

/// Bytes of the file: one page.
const FILE_SIZE: u64 = 4096;
/// Bytes that mean something.
const USED: usize = 80;
/// `BMQTIMER`.
const MARK: i64 = i64::from_be_bytes(*b"BMQTIMER");

/// How often the numbers have changed: upstream's `DataVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointVersion {
    /// Term of the broker's role; 0 without automatic failover.
    pub state_version: i64,
    /// When they last changed, milliseconds since 1970.
    pub timestamp: i64,
    /// Changes so far.
    pub counter: i64,
}

impl CheckpointVersion {
    /// The version after one more change.
    #[must_use]
    pub const fn next(self, now_ms: i64) -> Self {
        Self { timestamp: now_ms, counter: self.counter.saturating_add(1), ..self }
    }
}

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerCheckpoint {
    /// Every tick before was given out; milliseconds since 1970.
    pub read_ms: i64,
    /// End of the timer log.
    pub log_position: i64,
    /// Next message of the timer's topic.
    pub queue_offset: QueueOffset,
    /// The same, as a master says it.
    pub master_queue_offset: QueueOffset,
    /// Version of the numbers.
    pub version: CheckpointVersion,
    /// What was delivered before this place of the commit log, the wheel knows. `None` when another broker wrote the file.
    pub deliveries_end: Option<PhysicalOffset>,
}

impl TimerCheckpoint {
    /// The seven numbers as RocketMQ 5.5.0 answers GET_TIMER_CHECK_POINT with them.
    #[must_use]
    pub fn to_wire(&self) -> [u8; 56] {
        let numbers = [
            self.read_ms,
            self.log_position,
            self.queue_offset.0,
            self.master_queue_offset.0,
            self.version.state_version,
            self.version.timestamp,
            self.version.counter,
        ];
        let mut bytes = [0; 56];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    fn to_bytes(self) -> [u8; USED] {
        let mut bytes = [0; USED];
        bytes[..56].copy_from_slice(&self.to_wire());
        if let Some(end) = self.deliveries_end {
            bytes[56..64].copy_from_slice(&MARK.to_be_bytes());
            bytes[64..72].copy_from_slice(&end.0.to_be_bytes());
            let crc = crc32fast::hash(&bytes[..72]);
            bytes[72..76].copy_from_slice(&crc.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; USED]) -> Self {
        let number =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| i64::from_be_bytes(*b));
        let crc = crc32fast::hash(&bytes[..72]).to_be_bytes();
        let is_ours = number(56) == MARK && bytes[72..76] == crc;
        Self {
            read_ms: number(0),
            log_position: number(8),
            queue_offset: QueueOffset(number(16)),
            master_queue_offset: QueueOffset(number(24)),
            version: CheckpointVersion { state_version: number(32), timestamp: number(40), counter: number(48) },
            deliveries_end: is_ours.then(|| PhysicalOffset(number(64))),
        }
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct CheckpointFile {
    path: PathBuf,
    file: StoreFile,
}

impl CheckpointFile {
    /// Opens the file or makes it. `None` for what it says when there was none.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<TimerCheckpoint>), FileError> {
        if let Some(dir) = path.parent() {
            layout::create_dir(dir)?;
        }
        let open = |file: StoreFile| -> std::io::Result<(StoreFile, bool)> {
            let is_new = file.length()? < USED as u64;
            if file.length()? < FILE_SIZE {
                file.set_length(FILE_SIZE)?;
            }
            Ok((file, is_new))
        };
        let (file, is_new) =
            StoreFile::open_or_create(path).and_then(open).map_err(FileError::at("opening the file", path))?;
        let mut bytes = [0; USED];
        file.read_exact_at(&mut bytes, 0).map_err(FileError::at("reading the file", path))?;
        let found = (!is_new && bytes.iter().any(|byte| *byte != 0)).then(|| TimerCheckpoint::from_bytes(&bytes));
        Ok((Self { path: path.to_owned(), file }, found))
    }

    /// Writes it and waits for the disk. The bytes lie in one sector, so they change as a whole.
    pub(super) fn write(&self, checkpoint: &TimerCheckpoint) -> Result<(), FileError> {
        let written = self.file.write_all_at(&checkpoint.to_bytes(), 0).and_then(|()| self.file.sync_data());
        written.map_err(FileError::at("writing the file", &self.path))
    }
}
