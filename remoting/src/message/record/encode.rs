//! Writing a record: everything that can be known before the append lock, and the three patches inside it.

use std::net::{IpAddr, SocketAddr};

use super::super::flags::SysFlag;
use super::super::properties::{PROPERTIES_MAX_LENGTH, PROPERTY_SEPARATOR, Properties};
use super::super::property_name::CRC32;
use super::{
    MAGIC_V1, MAGIC_V2, RECORD_MIN_LENGTH, TOPIC_MAX_LENGTH_V1, TOPIC_MAX_LENGTH_V2, body_crc, checksum, host_length,
    position,
};
use crate::names::QueueId;
use crate::offsets::{PhysicalOffset, QueueOffset};

/// What a record is made of, but for the three fields that an append decides.
#[derive(Clone, Copy, Debug)]
pub struct RecordFields<'a> {
    /// Topic, at most 255 bytes; more than 127 make a V2 record.
    pub topic: &'a str,
    /// Queue of the topic.
    pub queue_id: QueueId,
    /// The application's own flag.
    pub flag: i32,
    /// System flag; its two host bits are set from the hosts, whatever stands here.
    pub sys_flag: SysFlag,
    /// When the message was made, milliseconds since 1970, by the client's clock.
    pub born_timestamp: i64,
    /// Where it came from. An IPv4 address in IPv6 clothes is written as IPv4, as Java does.
    pub born_host: SocketAddr,
    /// The broker's address; ids point there.
    pub store_host: SocketAddr,
    /// How often consumers gave the message back.
    pub reconsume_times: i32,
    /// Where the half message of a committed one stands in the commit log; 0 for others.
    pub prepared_transaction_offset: i64,
    /// The body as it is stored: compressed if the client compressed it.
    pub body: &'a [u8],
    /// The properties string, UTF-8, at most 32,767 bytes.
    pub properties: &'a [u8],
}

/// Why a record cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The properties do not fit their length field.
    #[error(
        "message properties of {length} bytes are over the limit of {PROPERTIES_MAX_LENGTH}: send fewer or shorter properties"
    )]
    PropertiesTooLong {
        /// Bytes of the properties string.
        length: usize,
    },
    /// The topic does not fit.
    #[error("topic of {length} bytes is over the limit of {TOPIC_MAX_LENGTH_V2}: use a shorter topic or group name")]
    TopicTooLong {
        /// Bytes of the topic.
        length: usize,
    },
    /// The whole does not fit its length field.
    #[error("message of {length} bytes as a record is over the limit of {}: send a smaller body", i32::MAX)]
    RecordTooLong {
        /// Bytes of the record.
        length: usize,
    },
}

impl<'a> RecordFields<'a> {
    /// A message that `host` itself made and stores: a body and nothing else, born at 0, never given back. What a message has
    /// beyond that is named by who makes it.
    #[must_use]
    pub const fn plain(topic: &'a str, queue_id: QueueId, host: SocketAddr, body: &'a [u8]) -> Self {
        Self {
            topic,
            queue_id,
            flag: 0,
            sys_flag: SysFlag::NONE,
            born_timestamp: 0,
            born_host: host,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties: b"",
        }
    }
}

impl RecordFields<'_> {
    /// Bytes that [`RecordFields::encode`] will append.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let hosts = [self.born_host, self.store_host];
        let v6_hosts = hosts.iter().filter(|host| host.ip().to_canonical().is_ipv6()).count();
        RECORD_MIN_LENGTH
            + v6_hosts * (host_length(true) - host_length(false))
            + usize::from(self.topic.len() > TOPIC_MAX_LENGTH_V1)
            + self.body.len()
            + self.topic.len()
            + self.properties.len()
    }

    /// Appends the record to `out`, with queue offset, physical offset and store time zero: an append patches
    /// them by [`set_queue_offset`], [`set_physical_offset`] and [`set_store_timestamp`].
    ///
    /// # Errors
    /// [`EncodeError`] when a part does not fit its length field; `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encode_with_tail(&[], out)
    }

    /// As [`RecordFields::encode`], with room for the checksum over the record as its last property, which [`set_checksum`]
    /// fills when all the rest is known (`enabledAppendPropCRC`). A property of its name goes, and the one before it is
    /// closed where it is not.
    ///
    /// # Errors
    /// As [`RecordFields::encode`].
    pub fn encode_with_checksum(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let given = match std::str::from_utf8(self.properties) {
            Ok(properties) => Properties(properties).without(CRC32),
            // Not ours to mend: whoever reads the record says so.
            Err(_) => return self.encode_with_tail(&checksum::ROOM, out),
        };
        let fields = RecordFields { properties: given.as_bytes(), ..*self };
        match given.chars().next_back() {
            None | Some(PROPERTY_SEPARATOR) => fields.encode_with_tail(&checksum::ROOM, out),
            Some(_) => fields.encode_with_tail(&checksum::ROOM_AFTER_OPEN, out),
        }
    }

    /// Appends the record to `out`, its properties followed by `tail`.
    fn encode_with_tail(&self, tail: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (topic, properties) = (self.topic.as_bytes(), self.properties);
        // At most 255, hence the casts to u8 and u16 below keep the value.
        if topic.len() > TOPIC_MAX_LENGTH_V2 {
            return Err(EncodeError::TopicTooLong { length: topic.len() });
        }
        let properties_length = properties.len() + tail.len();
        let too_long = EncodeError::PropertiesTooLong { length: properties_length };
        let properties_length = i16::try_from(properties_length).map_err(|_| too_long)?;
        let length = self.encoded_len() + tail.len();
        let too_long = EncodeError::RecordTooLong { length };
        let total_size = i32::try_from(length).map_err(|_| too_long)?;
        let is_v2 = topic.len() > TOPIC_MAX_LENGTH_V1;
        let (born_ip, store_ip) = (self.born_host.ip().to_canonical(), self.store_host.ip().to_canonical());
        let mut sys_flag = self.sys_flag.without(SysFlag::BORN_HOST_V6).without(SysFlag::STORE_HOST_V6);
        if born_ip.is_ipv6() {
            sys_flag = sys_flag.with(SysFlag::BORN_HOST_V6);
        }
        if store_ip.is_ipv6() {
            sys_flag = sys_flag.with(SysFlag::STORE_HOST_V6);
        }

        out.reserve(length);
        put_i32(out, total_size);
        put_i32(out, if is_v2 { MAGIC_V2 } else { MAGIC_V1 });
        out.extend_from_slice(&body_crc(self.body).to_be_bytes());
        put_i32(out, self.queue_id.to_wire());
        put_i32(out, self.flag);
        put_i64(out, 0); // queue offset
        put_i64(out, 0); // physical offset
        put_i32(out, sys_flag.0);
        put_i64(out, self.born_timestamp);
        put_host(out, born_ip, self.born_host.port());
        put_i64(out, 0); // store time
        put_host(out, store_ip, self.store_host.port());
        put_i32(out, self.reconsume_times);
        put_i64(out, self.prepared_transaction_offset);
        // Below total_size, which fits.
        put_i32(out, self.body.len() as i32);
        out.extend_from_slice(self.body);
        if is_v2 {
            out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        } else {
            out.push(topic.len() as u8);
        }
        out.extend_from_slice(topic);
        out.extend_from_slice(&properties_length.to_be_bytes());
        out.extend_from_slice(properties);
        out.extend_from_slice(tail);
        Ok(())
    }
}

fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_host(out: &mut Vec<u8>, ip: IpAddr, port: u16) {
    match ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    put_i32(out, i32::from(port));
}

/// Writes the queue offset into a record that [`RecordFields::encode`] made.
///
/// # Panics
/// When `record` is shorter than any record is.
pub fn set_queue_offset(record: &mut [u8], queue_offset: QueueOffset) {
    patch(record, position::QUEUE_OFFSET, queue_offset.0);
}

/// Writes the physical offset into a record that [`RecordFields::encode`] made.
///
/// # Panics
/// When `record` is shorter than any record is.
pub fn set_physical_offset(record: &mut [u8], physical_offset: PhysicalOffset) {
    patch(record, position::PHYSICAL_OFFSET, physical_offset.0);
}

/// Writes the store time, milliseconds since 1970, into a record that [`RecordFields::encode`] made.
///
/// # Panics
/// When `record` is shorter than any record is.
pub fn set_store_timestamp(record: &mut [u8], store_timestamp_ms: i64) {
    // Only the lowest byte of the big-endian flag holds the bit that decides how wide the born host is.
    let is_v6 = i32::from(record[position::SYS_FLAG + 3]) & SysFlag::BORN_HOST_V6.0 != 0;
    patch(record, position::BORN_HOST + host_length(is_v6), store_timestamp_ms);
}

/// Writes both lengths of a record whose properties have become longer or shorter: these are the last `properties_length` bytes of it.
///
/// # Panics
/// When `record` is shorter than its properties and their length.
pub fn set_properties_length(record: &mut [u8], properties_length: u16) {
    let length = record.len();
    // A record's length fits an i32, as whoever changed it has seen to.
    record[..4].copy_from_slice(&(length as u32).to_be_bytes());
    let at = length - usize::from(properties_length) - 2;
    record[at..at + 2].copy_from_slice(&properties_length.to_be_bytes());
}

/// Writes the checksum into a record that [`RecordFields::encode_with_checksum`] made and of which nothing changes any more.
///
/// # Panics
/// When `record` is shorter than the checksum.
pub fn set_checksum(record: &mut [u8]) {
    let (covered, tail) = record.split_at_mut(record.len() - checksum::LENGTH);
    checksum::write(checksum::of(covered), tail);
}

fn patch(record: &mut [u8], at: usize, value: i64) {
    record[at..at + 8].copy_from_slice(&value.to_be_bytes());
}
