//! The two ids of a message.
//!
//! ```text
//! offset id   store host 4|16, port 4, physical offset 8            → 32 | 56 hex digits, upper case
//! unique key  host 4|16, pid 2, salt 4, ms since month began 4, counter 2 → 32 | 56 hex digits
//! ```
//!
//! The offset id says where a broker keeps the message. The unique key is made by the producer; to a broker it
//! is an opaque, case-sensitive text (Go writes half of it in lower case), so it is decoded here only to learn
//! when and where it was made. No clock: whoever makes or dates a key says what time it is.
//! Upstream: `MessageDecoder.createMessageId`, `MessageClientIDSetter`.

use std::fmt;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::offsets::PhysicalOffset;

/// Most bytes of an id before it becomes hex digits: both kinds, with an IPv6 host.
const ID_MAX_LENGTH: usize = 28;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither 32 nor 56 digits.
    #[error("a message id has 32 or 56 hex digits, not {length} characters: copy the whole id")]
    Length {
        /// Bytes of the text.
        length: usize,
    },
    /// Something else than a hex digit.
    #[error("a message id has hex digits only, but there is another character at byte {position}: check the id")]
    NotHex {
        /// Where it stands.
        position: usize,
    },
    /// No offset id: its port is none. Most unique keys end here.
    #[error("the id names port {port}, so it is no offset id: it may be a unique key")]
    Port {
        /// The number at the port's place.
        port: i32,
    },
    /// No offset id: its offset is negative.
    #[error("the id names offset {physical_offset}, so it is no offset id: check the id")]
    Offset {
        /// The number at the offset's place.
        physical_offset: i64,
    },
}

/// An id under construction, or taken apart: at most 28 bytes.
struct IdBytes {
    bytes: [u8; ID_MAX_LENGTH],
    length: usize,
}

impl IdBytes {
    /// Starts an id with the host's address; an IPv4 address in IPv6 clothes counts as IPv4.
    fn new(ip: IpAddr) -> Self {
        let mut id = Self { bytes: [0; ID_MAX_LENGTH], length: 0 };
        match ip.to_canonical() {
            IpAddr::V4(ip) => id.put(&ip.octets()),
            IpAddr::V6(ip) => id.put(&ip.octets()),
        }
        id
    }

    /// Appends a field. The fields of both kinds of ids fill 28 bytes at most.
    fn put(&mut self, field: &[u8]) {
        let end = self.length + field.len();
        self.bytes[self.length..end].copy_from_slice(field);
        self.length = end;
    }

    /// The hex digits in upper case; each pair is one byte.
    fn hex(&self) -> ([u8; 2 * ID_MAX_LENGTH], usize) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut hex = [0; 2 * ID_MAX_LENGTH];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.bytes) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        (hex, 2 * self.length)
    }

    fn write_hex(&self, out: &mut Vec<u8>) {
        let (hex, length) = self.hex();
        out.extend_from_slice(&hex[..length]);
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hex, length) = self.hex();
        f.pad(std::str::from_utf8(&hex[..length]).map_err(|_| fmt::Error)?)
    }

    /// Splits a text into the host and the 12 bytes after it.
    fn parse(text: &str) -> Result<(IpAddr, [u8; 12]), IdError> {
        let digits = text.as_bytes();
        if digits.len() != 32 && digits.len() != 56 {
            return Err(IdError::Length { length: digits.len() });
        }
        let mut bytes = [0; ID_MAX_LENGTH];
        for (index, (byte, pair)) in bytes.iter_mut().zip(digits.chunks_exact(2)).enumerate() {
            for (place, digit) in pair.iter().enumerate() {
                let value = char::from(*digit).to_digit(16).ok_or(IdError::NotHex { position: 2 * index + place })?;
                *byte = *byte << 4 | value as u8;
            }
        }
        let mut tail = [0; 12];
        if digits.len() == 32 {
            let [a, b, c, d, ..] = bytes;
            tail.copy_from_slice(&bytes[4..16]);
            return Ok((IpAddr::from([a, b, c, d]), tail));
        }
        let mut ip = [0; 16];
        ip.copy_from_slice(&bytes[..16]);
        tail.copy_from_slice(&bytes[16..]);
        Ok((IpAddr::from(ip), tail))
    }
}

/// Where a broker keeps a message; what it answers as `msgId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetMessageId {
    /// The broker.
    pub store_host: SocketAddr,
    /// Where the message stands in its commit log.
    pub physical_offset: PhysicalOffset,
}

impl OffsetMessageId {
    fn to_bytes(self) -> IdBytes {
        let mut id = IdBytes::new(self.store_host.ip());
        id.put(&i32::from(self.store_host.port()).to_be_bytes());
        id.put(&self.physical_offset.0.to_be_bytes());
        id
    }

    /// Appends the hex digits to `out`.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        self.to_bytes().write_hex(out);
    }
}

impl fmt::Display for OffsetMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().fmt(f)
    }
}

impl FromStr for OffsetMessageId {
    type Err = IdError;

    /// Reads 32 or 56 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (ip, [p0, p1, p2, p3, offset @ ..]) = IdBytes::parse(text)?;
        let port = i32::from_be_bytes([p0, p1, p2, p3]);
        let store_host = SocketAddr::new(ip, u16::try_from(port).map_err(|_| IdError::Port { port })?);
        let physical_offset = i64::from_be_bytes(offset);
        if physical_offset < 0 {
            return Err(IdError::Offset { physical_offset });
        }
        Ok(Self { store_host, physical_offset: PhysicalOffset(physical_offset) })
    }
}

/// A unique key taken apart, or about to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UniqueId {
    /// Host that made it.
    pub ip: IpAddr,
    /// Low 16 bits of the process id.
    pub pid: u16,
    /// Keeps processes with the same address and pid apart.
    pub salt: u32,
    /// Milliseconds since the first of the month, 00:00 in the maker's time zone.
    pub month_ms: u32,
    /// Keeps the ids of one millisecond apart.
    pub counter: u16,
}

impl UniqueId {
    fn to_bytes(self) -> IdBytes {
        let mut id = IdBytes::new(self.ip);
        id.put(&self.pid.to_be_bytes());
        id.put(&self.salt.to_be_bytes());
        id.put(&self.month_ms.to_be_bytes());
        id.put(&self.counter.to_be_bytes());
        id
    }

    /// Appends the hex digits in upper case to `out`.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        self.to_bytes().write_hex(out);
    }

    /// A time at or before the making of this id, milliseconds since 1970, if it was made in the month before
    /// `now_ms`: where a search for the message may begin. The maker's time zone is not in the id, so this lies
    /// some hours, at the worst a month, before the making.
    #[must_use]
    pub fn begin_time_ms(&self, now_ms: i64) -> i64 {
        /// The clocks furthest ahead of UTC are 14 hours ahead: their month begins so much earlier.
        const FURTHEST_AHEAD_MS: i64 = 14 * 3_600_000;
        let this_month = month_start_ms(now_ms);
        let after_start = i64::from(self.month_ms);
        let is_this_month = this_month.saturating_add(after_start) <= now_ms;
        let month = if is_this_month { this_month } else { month_start_ms(this_month.saturating_sub(1)) };
        month.saturating_add(after_start).saturating_sub(FURTHEST_AHEAD_MS)
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().fmt(f)
    }
}

impl FromStr for UniqueId {
    type Err = IdError;

    /// Reads 32 or 56 hex digits of either case. Any such text passes: nothing in it can be checked.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (ip, [p0, p1, s0, s1, s2, s3, t0, t1, t2, t3, c0, c1]) = IdBytes::parse(text)?;
        Ok(Self {
            ip,
            pid: u16::from_be_bytes([p0, p1]),
            salt: u32::from_be_bytes([s0, s1, s2, s3]),
            month_ms: u32::from_be_bytes([t0, t1, t2, t3]),
            counter: u16::from_be_bytes([c0, c1]),
        })
    }
}

/// Makes unique keys for messages whose producer made none. One per process.
#[derive(Debug)]
pub struct UniqueIdSource {
    ip: IpAddr,
    pid: u16,
    salt: u32,
    counter: AtomicU16,
}

impl UniqueIdSource {
    /// For this host and process. The salt is random: in containers, address and pid are often the same.
    #[must_use]
    pub fn new(local_ip: IpAddr, pid: u32) -> Self {
        let salt = std::hash::RandomState::new().hash_one(pid) as u32;
        Self { ip: local_ip, pid: pid as u16, salt, counter: AtomicU16::new(0) }
    }

    /// The next key, made at `now_ms` milliseconds since 1970. Differs from all others while fewer than
    /// 65,536 are made in one millisecond.
    pub fn next(&self, now_ms: i64) -> UniqueId {
        // At most 31 days, which fit.
        let month_ms = now_ms.saturating_sub(month_start_ms(now_ms)) as u32;
        let counter = self.counter.fetch_add(1, Ordering::Relaxed);
        UniqueId { ip: self.ip, pid: self.pid, salt: self.salt, month_ms, counter }
    }
}

/// Start of the month of `time_ms` in UTC; both in milliseconds since 1970.
fn month_start_ms(time_ms: i64) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    let days = time_ms.div_euclid(DAY_MS);
    (days - (day_of_month(days) - 1)).saturating_mul(DAY_MS)
}

/// Day of the month, from 1, of a day counted from 1970-01-01 in the Gregorian calendar.
fn day_of_month(days: i64) -> i64 {
    // Counted from 0000-03-01, a year ends with its leap day, and months come in groups of five with 153 days.
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month + 2) / 5 + 1
}

#[cfg(test)]
mod tests;
