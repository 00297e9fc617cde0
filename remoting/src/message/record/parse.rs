//! Reading a record in place, every length checked before it is believed.

use std::iter::FusedIterator;
use std::net::{IpAddr, SocketAddr};

use super::super::flags::SysFlag;
use super::super::properties::Properties;
use super::{
    BLANK_MAGIC, MAGIC_V1, MAGIC_V2, RECORD_MIN_LENGTH, RecordFields, RecordVersion, body_crc, checksum, position,
};
use crate::names::QueueId;
use crate::offsets::{PhysicalOffset, QueueOffset};

/// A whole record, checked, with its fields at hand and its body, topic and properties where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    bytes: &'a [u8],
    version: RecordVersion,
    body_crc: i32,
    queue_id: QueueId,
    flag: i32,
    queue_offset: QueueOffset,
    physical_offset: PhysicalOffset,
    sys_flag: SysFlag,
    born_timestamp: i64,
    born_host: SocketAddr,
    store_timestamp: i64,
    store_host: SocketAddr,
    reconsume_times: i32,
    prepared_transaction_offset: i64,
    body: &'a [u8],
    topic: &'a str,
    properties: &'a str,
}

/// What stands next in a commit log.
#[derive(Clone, Copy, Debug)]
pub enum Parsed<'a> {
    /// A record.
    Record(Record<'a>),
    /// The end of this file: the log goes on in the next.
    Blank {
        /// Bytes to the end of the file, as the blank says; at least 8, not compared with the bytes at hand.
        length: u32,
    },
}

/// Why bytes are not a record. Positions count from the first byte of the record; whoever knows the file adds
/// it and the offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("record of {needed} bytes is cut off after {available}: it was not written to its end")]
    Truncated {
        /// Bytes of the record as far as known: 8 when not even its size is there.
        needed: usize,
        /// Bytes at hand.
        available: usize,
    },
    /// Size and magic are zero: nothing was ever written here.
    #[error("no record: size and magic are zero, nothing has been written here")]
    Unwritten,
    /// Neither a record nor a blank.
    #[error("no record: magic {magic:#010x} is unknown, so the bytes are damaged or not the start of a record")]
    Magic {
        /// The second word.
        magic: i32,
    },
    /// The total size cannot be that of a record or blank.
    #[error("record says it has {total_size} bytes, which none can have: it is damaged")]
    TotalSize {
        /// The first word.
        total_size: i32,
    },
    /// A length inside the record is negative.
    #[error("record of {total_size} bytes has {field} {length} at byte {position}: it is damaged")]
    NegativeLength {
        /// Bytes of the record.
        total_size: u32,
        /// Upstream's name of the length.
        field: &'static str,
        /// Where the length stands.
        position: usize,
        /// The length.
        length: i32,
    },
    /// A field reaches over the end of the record.
    #[error("record of {total_size} bytes ends inside its {field}, {length} bytes at byte {position}: it is damaged")]
    Overrun {
        /// Bytes of the record.
        total_size: u32,
        /// Upstream's name of the field.
        field: &'static str,
        /// Where the field starts.
        position: usize,
        /// Bytes of the field.
        length: usize,
    },
    /// The fields end before the record does.
    #[error("record of {total_size} bytes holds only {used} bytes of fields: it is damaged")]
    Leftover {
        /// Bytes of the record.
        total_size: u32,
        /// Bytes of all fields.
        used: usize,
    },
    /// The queue id is negative.
    #[error("record of {total_size} bytes has queue id {queue_id}, which none can have: it is damaged")]
    QueueId {
        /// Bytes of the record.
        total_size: u32,
        /// The queue id.
        queue_id: i32,
    },
    /// A host has a port that none can have.
    #[error("record of {total_size} bytes has port {port} in its {field}: it is damaged")]
    Port {
        /// Bytes of the record.
        total_size: u32,
        /// Upstream's name of the host.
        field: &'static str,
        /// The port.
        port: i32,
    },
    /// Topic or properties are no UTF-8.
    #[error(
        "record of {total_size} bytes has a {field} that is not UTF-8 from its byte {valid_up_to} on: it is damaged, or a client sent it so"
    )]
    NotUtf8 {
        /// Bytes of the record.
        total_size: u32,
        /// Upstream's name of the text.
        field: &'static str,
        /// Bytes of the text that are UTF-8.
        valid_up_to: usize,
    },
    /// The body is not the one that was written.
    #[error(
        "record of {total_size} bytes has body CRC {stored:#010x} but its body gives {computed:#010x}: the body is damaged"
    )]
    BodyCrc {
        /// Bytes of the record.
        total_size: u32,
        /// CRC-32 in the record.
        stored: i32,
        /// CRC-32 of the body as it is.
        computed: u32,
    },
    /// The record is not the one that was written.
    #[error(
        "record of {total_size} bytes has checksum {stored} as its last property but gives {computed}: the record is damaged"
    )]
    Checksum {
        /// Bytes of the record.
        total_size: u32,
        /// Checksum in the record.
        stored: u64,
        /// Checksum of the record as it is.
        computed: u32,
    },
}

impl RecordError {
    /// Length of the record when its outer lengths are sound and only the content of a field is not: a reader
    /// may step over it to the next record. `None` when nothing that follows can be trusted.
    #[must_use]
    pub const fn skippable_length(&self) -> Option<u32> {
        match *self {
            Self::QueueId { total_size, .. }
            | Self::Port { total_size, .. }
            | Self::NotUtf8 { total_size, .. }
            | Self::BodyCrc { total_size, .. }
            | Self::Checksum { total_size, .. } => Some(total_size),
            _ => None,
        }
    }
}

/// Reads what stands at the start of `bytes` in a commit log.
///
/// # Errors
/// [`RecordError`] when it is neither a whole record nor a blank.
pub fn parse_next(bytes: &[u8]) -> Result<Parsed<'_>, RecordError> {
    let (total_size, magic) = size_and_magic(bytes)?;
    if magic != BLANK_MAGIC {
        return Record::parse(bytes).map(Parsed::Record);
    }
    match u32::try_from(total_size) {
        Ok(length) if length >= 8 => Ok(Parsed::Blank { length }),
        _ => Err(RecordError::TotalSize { total_size }),
    }
}

fn size_and_magic(bytes: &[u8]) -> Result<(i32, i32), RecordError> {
    let Some(&[s0, s1, s2, s3, m0, m1, m2, m3]) = bytes.first_chunk::<8>() else {
        return Err(RecordError::Truncated { needed: 8, available: bytes.len() });
    };
    Ok((i32::from_be_bytes([s0, s1, s2, s3]), i32::from_be_bytes([m0, m1, m2, m3])))
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes`, which may go on after it. Allocates nothing and does not look
    /// at the body: see [`Record::check_body_crc`].
    ///
    /// # Errors
    /// [`RecordError`] naming the first thing that is wrong; a blank is [`RecordError::Magic`] here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (total_size, magic) = size_and_magic(bytes)?;
        let version = match magic {
            MAGIC_V1 => RecordVersion::V1,
            MAGIC_V2 => RecordVersion::V2,
            0 if total_size == 0 => return Err(RecordError::Unwritten),
            _ => return Err(RecordError::Magic { magic }),
        };
        let length = usize::try_from(total_size).unwrap_or(0);
        if length < RECORD_MIN_LENGTH {
            return Err(RecordError::TotalSize { total_size });
        }
        let truncated = RecordError::Truncated { needed: length, available: bytes.len() };
        let bytes = bytes.get(..length).ok_or(truncated)?;
        Self::fields(bytes, version)
    }

    /// Reads the fields of a record that is exactly `bytes`.
    fn fields(bytes: &'a [u8], version: RecordVersion) -> Result<Self, RecordError> {
        let mut reader = Reader { bytes, position: position::MAGIC + 4 };
        let body_crc = reader.i32("bodyCRC")?;
        let queue_id = reader.i32("queueId")?;
        let flag = reader.i32("flag")?;
        let queue_offset = QueueOffset(reader.i64("queueOffset")?);
        let physical_offset = PhysicalOffset(reader.i64("physicalOffset")?);
        let sys_flag = SysFlag(reader.i32("sysFlag")?);
        let born_timestamp = reader.i64("bornTimestamp")?;
        let born_host = reader.host("bornHost", sys_flag.contains(SysFlag::BORN_HOST_V6))?;
        let store_timestamp = reader.i64("storeTimestamp")?;
        let store_host = reader.host("storeHost", sys_flag.contains(SysFlag::STORE_HOST_V6))?;
        let reconsume_times = reader.i32("reconsumeTimes")?;
        let prepared_transaction_offset = reader.i64("preparedTransactionOffset")?;
        let length = reader.i32("bodyLength")?;
        let body = reader.sized("bodyLength", 4, length, "body")?;
        let length = match version {
            // Java reads the byte as signed and so refuses 128 to 255; nothing is lost by reading them.
            RecordVersion::V1 => i32::from(reader.array::<1>("topicLength")?[0]),
            RecordVersion::V2 => i32::from(reader.i16("topicLength")?),
        };
        let topic = reader.sized("topicLength", 2, length, "topic")?;
        let length = i32::from(reader.i16("propertiesLength")?);
        let properties = reader.sized("propertiesLength", 2, length, "properties")?;
        if reader.position != bytes.len() {
            return Err(RecordError::Leftover { total_size: reader.total_size(), used: reader.position });
        }
        // The outer lengths are sound: from here on an error leaves the record to be stepped over.
        let total_size = reader.total_size();
        Ok(Self {
            bytes,
            version,
            body_crc,
            queue_id: QueueId::from_wire(queue_id).ok_or(RecordError::QueueId { total_size, queue_id })?,
            flag,
            queue_offset,
            physical_offset,
            sys_flag,
            born_timestamp,
            born_host: born_host.checked("bornHost", total_size)?,
            store_timestamp,
            store_host: store_host.checked("storeHost", total_size)?,
            reconsume_times,
            prepared_transaction_offset,
            body,
            topic: text(topic, "topic", total_size)?,
            properties: text(properties, "properties", total_size)?,
        })
    }

    /// The record's own bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of the record.
    #[must_use]
    pub const fn total_size(&self) -> u32 {
        // Came from an i32.
        self.bytes.len() as u32
    }

    /// Layout of the topic length.
    #[must_use]
    pub const fn version(&self) -> RecordVersion {
        self.version
    }

    /// CRC-32 of the body without the sign bit, as it was stored.
    #[must_use]
    pub const fn body_crc(&self) -> i32 {
        self.body_crc
    }

    /// Queue of the topic.
    #[must_use]
    pub const fn queue_id(&self) -> QueueId {
        self.queue_id
    }

    /// The application's own flag.
    #[must_use]
    pub const fn flag(&self) -> i32 {
        self.flag
    }

    /// Number of the message in its queue; 0 for prepared and rolled-back ones.
    #[must_use]
    pub const fn queue_offset(&self) -> QueueOffset {
        self.queue_offset
    }

    /// Where the record says it stands in the commit log.
    #[must_use]
    pub const fn physical_offset(&self) -> PhysicalOffset {
        self.physical_offset
    }

    /// System flag.
    #[must_use]
    pub const fn sys_flag(&self) -> SysFlag {
        self.sys_flag
    }

    /// When the message was made, milliseconds since 1970, by the client's clock.
    #[must_use]
    pub const fn born_timestamp(&self) -> i64 {
        self.born_timestamp
    }

    /// Where the message came from.
    #[must_use]
    pub const fn born_host(&self) -> SocketAddr {
        self.born_host
    }

    /// When the message was appended, milliseconds since 1970, by the broker's clock.
    #[must_use]
    pub const fn store_timestamp(&self) -> i64 {
        self.store_timestamp
    }

    /// The broker that appended the message.
    #[must_use]
    pub const fn store_host(&self) -> SocketAddr {
        self.store_host
    }

    /// How often consumers gave the message back.
    #[must_use]
    pub const fn reconsume_times(&self) -> i32 {
        self.reconsume_times
    }

    /// Where the half message of a committed one stands in the commit log; 0 for others.
    #[must_use]
    pub const fn prepared_transaction_offset(&self) -> i64 {
        self.prepared_transaction_offset
    }

    /// The body as stored: compressed if the flags say so.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Topic.
    #[must_use]
    pub const fn topic(&self) -> &'a str {
        self.topic
    }

    /// Properties.
    #[must_use]
    pub const fn properties(&self) -> Properties<'a> {
        Properties(self.properties)
    }

    /// Compares the body with its CRC-32. An empty body is always right, as in RocketMQ 5.5.0.
    ///
    /// # Errors
    /// [`RecordError::BodyCrc`] when they differ.
    pub fn check_body_crc(&self) -> Result<(), RecordError> {
        if self.body.is_empty() {
            return Ok(());
        }
        let computed = body_crc(self.body);
        if u32::try_from(self.body_crc) == Ok(computed) {
            return Ok(());
        }
        Err(RecordError::BodyCrc { total_size: self.total_size(), stored: self.body_crc, computed })
    }

    /// Compares the whole record with the checksum that is its last property, or, where it has none, the body with its CRC-32.
    ///
    /// # Errors
    /// [`RecordError::Checksum`] or [`RecordError::BodyCrc`] when they differ.
    pub fn check_checksum(&self) -> Result<(), RecordError> {
        let Some(stored) = checksum::read(self.properties.as_bytes()) else { return self.check_body_crc() };
        let covered = self.bytes.len().saturating_sub(checksum::LENGTH);
        let computed = checksum::of(self.bytes.get(..covered).unwrap_or_default());
        if u64::from(computed) == stored {
            return Ok(());
        }
        Err(RecordError::Checksum { total_size: self.total_size(), stored, computed })
    }

    /// What a new record with the same content is made of.
    #[must_use]
    pub const fn to_fields(&self) -> RecordFields<'a> {
        RecordFields {
            topic: self.topic,
            queue_id: self.queue_id,
            flag: self.flag,
            sys_flag: self.sys_flag,
            born_timestamp: self.born_timestamp,
            born_host: self.born_host,
            store_host: self.store_host,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: self.prepared_transaction_offset,
            body: self.body,
            properties: self.properties.as_bytes(),
        }
    }
}

fn text<'a>(bytes: &'a [u8], field: &'static str, total_size: u32) -> Result<&'a str, RecordError> {
    std::str::from_utf8(bytes).map_err(|error| RecordError::NotUtf8 {
        total_size,
        field,
        valid_up_to: error.valid_up_to(),
    })
}

/// Reads field after field of one record.
struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

/// A host whose port has not been looked at.
struct RawHost {
    ip: IpAddr,
    port: i32,
}

impl RawHost {
    fn checked(self, field: &'static str, total_size: u32) -> Result<SocketAddr, RecordError> {
        match u16::try_from(self.port) {
            Ok(port) => Ok(SocketAddr::new(self.ip, port)),
            Err(_) => Err(RecordError::Port { total_size, field, port: self.port }),
        }
    }
}

impl<'a> Reader<'a> {
    const fn total_size(&self) -> u32 {
        // Came from an i32.
        self.bytes.len() as u32
    }

    fn overrun(&self, field: &'static str, length: usize) -> RecordError {
        RecordError::Overrun { total_size: self.total_size(), field, position: self.position, length }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], RecordError> {
        let left = self.bytes.get(self.position..).unwrap_or_default();
        let array = *left.first_chunk::<N>().ok_or_else(|| self.overrun(field, N))?;
        self.position += N;
        Ok(array)
    }

    fn i16(&mut self, field: &'static str) -> Result<i16, RecordError> {
        self.array(field).map(i16::from_be_bytes)
    }

    fn i32(&mut self, field: &'static str) -> Result<i32, RecordError> {
        self.array(field).map(i32::from_be_bytes)
    }

    fn i64(&mut self, field: &'static str) -> Result<i64, RecordError> {
        self.array(field).map(i64::from_be_bytes)
    }

    fn host(&mut self, field: &'static str, is_v6: bool) -> Result<RawHost, RecordError> {
        let ip = if is_v6 { self.array::<16>(field)?.into() } else { self.array::<4>(field)?.into() };
        Ok(RawHost { ip, port: self.i32(field)? })
    }

    /// The `length` bytes that follow a length field of `width` bytes just read.
    fn sized(
        &mut self,
        length_field: &'static str,
        width: usize,
        length: i32,
        field: &'static str,
    ) -> Result<&'a [u8], RecordError> {
        let Ok(size) = usize::try_from(length) else {
            return Err(RecordError::NegativeLength {
                total_size: self.total_size(),
                field: length_field,
                position: self.position.saturating_sub(width),
                length,
            });
        };
        let end = self.position.checked_add(size);
        let found = end.and_then(|end| self.bytes.get(self.position..end));
        let found = found.ok_or_else(|| self.overrun(field, size))?;
        self.position += size;
        Ok(found)
    }
}

/// The records of a pull's answer, one after the other. An error ends the iteration.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Reads `bytes`, which hold records and nothing else.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = Record::parse(self.rest);
        self.rest = match &record {
            Ok(record) => self.rest.get(record.bytes().len()..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(record)
    }
}

impl FusedIterator for Records<'_> {}
