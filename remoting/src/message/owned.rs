//! A message taken out of its record, for those who show or send it on: tools and tests.
//!
//! Upstream: `MessageExt`.

use std::net::SocketAddr;

use super::compress::{self, DecompressError};
use super::flags::SysFlag;
use super::id::OffsetMessageId;
use super::properties::PropertyMap;
use super::property_name;
use super::record::Record;
use crate::names::QueueId;
use crate::offsets::{PhysicalOffset, QueueOffset};

/// A message with everything that its record says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Queue of the topic.
    pub queue_id: QueueId,
    /// Number in the queue.
    pub queue_offset: QueueOffset,
    /// Place in the commit log.
    pub physical_offset: PhysicalOffset,
    /// The application's own flag.
    pub flag: i32,
    /// System flag as stored: it says whether the body was compressed, though here it is plain.
    pub sys_flag: SysFlag,
    /// When the message was made, milliseconds since 1970, by the client's clock.
    pub born_timestamp: i64,
    /// Where it came from.
    pub born_host: SocketAddr,
    /// When it was appended, milliseconds since 1970, by the broker's clock.
    pub store_timestamp: i64,
    /// The broker that appended it.
    pub store_host: SocketAddr,
    /// How often consumers gave it back.
    pub reconsume_times: i32,
    /// Where the half message of a committed one stands in the commit log; 0 for others.
    pub prepared_transaction_offset: i64,
    /// CRC-32 of the stored body without the sign bit.
    pub body_crc: i32,
    /// Bytes of the record.
    pub store_size: u32,
    /// Properties.
    pub properties: PropertyMap,
    /// The body in plain.
    pub body: Vec<u8>,
}

impl Message {
    /// Takes a message out of its record and decompresses its body, to at most `body_limit` bytes.
    ///
    /// # Errors
    /// [`DecompressError`] when the body cannot be decompressed.
    pub fn from_record(record: &Record<'_>, body_limit: usize) -> Result<Self, DecompressError> {
        let body = compress::plain_body(record.sys_flag(), record.body(), body_limit)?;
        Ok(Self {
            topic: record.topic().to_owned(),
            queue_id: record.queue_id(),
            queue_offset: record.queue_offset(),
            physical_offset: record.physical_offset(),
            flag: record.flag(),
            sys_flag: record.sys_flag(),
            born_timestamp: record.born_timestamp(),
            born_host: record.born_host(),
            store_timestamp: record.store_timestamp(),
            store_host: record.store_host(),
            reconsume_times: record.reconsume_times(),
            prepared_transaction_offset: record.prepared_transaction_offset(),
            body_crc: record.body_crc(),
            store_size: record.total_size(),
            properties: PropertyMap::parse(record.properties().as_str()),
            body: body.into_owned(),
        })
    }

    /// Where its broker keeps it.
    #[must_use]
    pub const fn offset_id(&self) -> OffsetMessageId {
        OffsetMessageId { store_host: self.store_host, physical_offset: self.physical_offset }
    }

    /// What clients call its id: the unique key, or the offset id of a message without one.
    #[must_use]
    pub fn id(&self) -> String {
        match self.properties.get(property_name::UNIQ_KEY) {
            Some(key) => key.to_owned(),
            None => self.offset_id().to_string(),
        }
    }

    /// Its tag.
    #[must_use]
    pub fn tags(&self) -> Option<&str> {
        self.properties.get(property_name::TAGS)
    }

    /// Its keys, separated by blanks.
    #[must_use]
    pub fn keys(&self) -> Option<&str> {
        self.properties.get(property_name::KEYS)
    }
}
