//! The checksum over a whole record, which stands at its end as the last property (`enabledAppendPropCRC`).
//!
//! ```text
//! … properties │ __CRC32# 0x01 d0 d1 … d9 0x02 │ end of the record
//!              ^ what the checksum covers ends here: 20 bytes before the end
//! ```
//!
//! CRC-32 (IEEE) without the sign bit, in ten decimal digits, the least first, filled with `0` (RocketMQ 5.5.0).
//! Upstream: `MessageDecoder.createCrc32`, `CommitLog.CRC32_RESERVED_LEN`.

use super::super::properties::{NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR};
use super::super::property_name::CRC32;

const DIGITS: usize = 10;
const NAME_LENGTH: usize = CRC32.len();
/// Bytes that the checksum takes at the end of a record: name, separator, ten digits, separator.
pub const LENGTH: usize = NAME_LENGTH + 1 + DIGITS + 1;

/// What stands there until the checksum is known.
pub(super) const ROOM: [u8; LENGTH] = [b'0'; LENGTH];
/// The same, after an entry that is not closed.
pub(super) const ROOM_AFTER_OPEN: [u8; LENGTH + 1] = {
    let mut room = [b'0'; LENGTH + 1];
    room[0] = PROPERTY_SEPARATOR as u8;
    room
};

/// The checksum of these bytes.
pub(super) fn of(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes) & 0x7FFF_FFFF
}

/// Writes `checksum` into the last bytes of a record.
pub(super) fn write(checksum: u32, out: &mut [u8]) {
    let mut left = checksum;
    let digits = std::iter::repeat_with(|| {
        let digit = b'0' + (left % 10) as u8;
        left /= 10;
        digit
    });
    let name = CRC32.bytes().chain([NAME_VALUE_SEPARATOR as u8]);
    let text = name.chain(digits.take(DIGITS)).chain([PROPERTY_SEPARATOR as u8]);
    out.iter_mut().zip(text).for_each(|(place, byte)| *place = byte);
}

/// The checksum at the end of `properties`; `None` when they do not end in one.
pub(super) fn read(properties: &[u8]) -> Option<u64> {
    let tail = properties.get(properties.len().checked_sub(LENGTH)?..)?;
    let rest = tail.strip_prefix(CRC32.as_bytes())?.strip_prefix(&[NAME_VALUE_SEPARATOR as u8])?;
    let digits = rest.strip_suffix(&[PROPERTY_SEPARATOR as u8])?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().rev().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}
