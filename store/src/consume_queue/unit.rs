//! One unit of a consume queue: where a message lies in the commit log.
//!
//! ```text
//!  0               8       12              20
//!  | physical i64  | size  | tags code i64 |      all big-endian
//! ```
//!
//! The unit of queue offset `n` stands at byte `20 n` of the queue, counted over its files. Units after the end of
//! a queue are zero. A *blank* unit (0, 0x7FFFFFFF, 0) fills the places of messages that this store never had,
//! in front of the first message of a queue that was joined in the middle.
//!
//! Upstream: `ConsumeQueue`.

use boostermq_remoting::offsets::PhysicalOffset;

/// Bytes of one unit.
pub const UNIT_SIZE: usize = 20;

/// [`UNIT_SIZE`] for byte positions, which are `i64` as offsets are.
pub(super) const UNIT_SIZE_I64: i64 = UNIT_SIZE as i64;

/// The size field of a blank unit.
const BLANK_SIZE: u32 = 0x7FFF_FFFF;

/// One unit of a consume queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where the record begins in the commit log.
    pub physical_offset: PhysicalOffset,
    /// Bytes of the whole record.
    pub size: u32,
    /// Hash of the tags, or the time of delivery in ms for a message of a delay level.
    pub tags_code: i64,
}

impl Unit {
    /// Stands for a message that this store never had.
    pub const BLANK: Self = Self { physical_offset: PhysicalOffset(0), size: BLANK_SIZE, tags_code: 0 };

    /// True for [`Unit::BLANK`]: there is no record to read.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.size == BLANK_SIZE && self.physical_offset.0 == 0
    }

    /// Where the record ends in the commit log.
    #[must_use]
    pub const fn physical_end(&self) -> PhysicalOffset {
        self.physical_offset.plus(self.size as i64)
    }

    /// True for what may stand in front of a queue's end; zeros and damage may not.
    pub(crate) const fn is_plausible(&self) -> bool {
        self.physical_offset.0 >= 0 && self.size > 0 && self.size <= BLANK_SIZE
    }

    /// The bytes as they stand in the file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; UNIT_SIZE] {
        let mut bytes = [0; UNIT_SIZE];
        let (physical, rest) = bytes.split_at_mut(8);
        physical.copy_from_slice(&self.physical_offset.0.to_be_bytes());
        let (size, tags_code) = rest.split_at_mut(4);
        size.copy_from_slice(&self.size.to_be_bytes());
        tags_code.copy_from_slice(&self.tags_code.to_be_bytes());
        bytes
    }

    /// Reads what [`Unit::to_bytes`] wrote. Any bytes are some unit.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; UNIT_SIZE]) -> Self {
        let [p0, p1, p2, p3, p4, p5, p6, p7, s0, s1, s2, s3, t0, t1, t2, t3, t4, t5, t6, t7] = *bytes;
        Self {
            physical_offset: PhysicalOffset(i64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7])),
            size: u32::from_be_bytes([s0, s1, s2, s3]),
            tags_code: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
        }
    }

    /// The whole units in `bytes`; a remainder shorter than a unit is left out.
    pub(super) fn all_in(bytes: &[u8]) -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator + '_ {
        bytes.as_chunks::<UNIT_SIZE>().0.iter().map(Self::from_bytes)
    }
}
