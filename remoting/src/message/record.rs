//! The record: a message as it stands in the commit log and in the body of a pull's answer.
//!
//! ```text
//!  0 totalSize 4   │ 12 queueId 4         │ 36 sysFlag 4        │ then: storeTimestamp 8, storeHost 8|20,
//!  4 magic 4       │ 16 flag 4            │ 40 bornTimestamp 8  │ reconsumeTimes 4, preparedTransactionOffset 8,
//!  8 bodyCRC 4     │ 20 queueOffset 8     │ 48 bornHost 8|20    │ bodyLength 4, body, topicLength 1 (V1) | 2 (V2),
//!                  │ 28 physicalOffset 8  │                     │ topic, propertiesLength 2, properties
//! ```
//!
//! Big-endian (RocketMQ 5.5.0). A host is 4 or 16 bytes of address and a 32-bit port; the flags say which.
//! V2 is for topics of more than 127 bytes. Records follow each other without a gap; what is left at the end
//! of a log file is a *blank*: its length, [`BLANK_MAGIC`], and whatever was there.
//!
//! This module writes records and reads them in place; it never copies a body except into the record, never
//! looks into a body, and knows no file. Upstream: `MessageExtEncoder`, `MessageDecoder`, `CommitLog`.

mod checksum;
mod encode;
mod parse;

pub use checksum::LENGTH as CHECKSUM_LENGTH;
pub use encode::{
    EncodeError, RecordFields, set_checksum, set_physical_offset, set_properties_length, set_queue_offset,
    set_store_timestamp,
};
pub use parse::{Parsed, Record, RecordError, Records, parse_next};

/// Second word of a record whose topic length takes one byte.
pub const MAGIC_V1: i32 = 0xDAA3_20A7_u32 as i32;
/// Second word of a record whose topic length takes two bytes.
pub const MAGIC_V2: i32 = 0xDAA3_20AB_u32 as i32;
/// Second word of the blank at the end of a log file.
pub const BLANK_MAGIC: i32 = 0xCBD4_3194_u32 as i32;

/// Least bytes of a record: V1, both hosts IPv4, no body, no topic, no properties.
pub const RECORD_MIN_LENGTH: usize = 91;
/// Longest topic of a V1 record in bytes.
pub const TOPIC_MAX_LENGTH_V1: usize = 127;
/// Longest topic that is written into a V2 record in bytes.
pub const TOPIC_MAX_LENGTH_V2: usize = 255;

/// Where fields stand whose place does not depend on the hosts.
mod position {
    pub(super) const MAGIC: usize = 4;
    pub(super) const QUEUE_OFFSET: usize = 20;
    pub(super) const PHYSICAL_OFFSET: usize = 28;
    pub(super) const SYS_FLAG: usize = 36;
    pub(super) const BORN_HOST: usize = 48;
}

/// Bytes of a host: address and port.
const fn host_length(is_v6: bool) -> usize {
    if is_v6 { 20 } else { 8 }
}

/// Which layout of the topic length a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordVersion {
    /// One byte.
    V1,
    /// Two bytes.
    V2,
}

/// The CRC-32 (IEEE) of a body as a record keeps it: without the sign bit.
#[must_use]
pub fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests;
