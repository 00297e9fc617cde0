//! Messages that tell who sent them, and the records they come back in.
//!
//! ```text
//! body    | "SOAK" | producer: u32 | sequence: u64 | filler …      big-endian
//! batch   | size: u32 | magic: u32 | body CRC: u32 | flag: u32 | body length: u32 | body | properties length: u16 | properties |, repeated
//! record  | size 4 | magic 4 | body CRC 4 | queue 4 | flag 4 | queue offset 8 | physical offset 8 | sys flag 4 | born 8
//!         | born host 8 or 20 | stored 8 | store host 8 or 20 | reconsumed 4 | prepared 8 | body length 4 | body
//!         | topic length 1 (2 in version 2) | topic | properties length 2 | properties |      RocketMQ 5.5.0
//! ```

use anyhow::{Context, Result, ensure};

use crate::history::MessageKey;

const MARK: &[u8; 4] = b"SOAK";
/// Bytes of a body before its filler.
pub(super) const HEAD: usize = 16;
/// Largest body.
pub(super) const BODY_MAX: usize = 64 * 1024;
const MAGIC_V2: u32 = 0xDAA3_20AB;
const BORN_HOST_V6: u32 = 1 << 4;
const STORE_HOST_V6: u32 = 1 << 5;
/// Properties that must come back as they were sent.
const KEPT: [&str; 4] = ["KEYS", "TAGS", "UNIQ_KEY", "origin"];

/// A message to be sent.
pub(super) struct Message {
    pub(super) key: MessageKey,
    /// As the wire has them: `name 0x01 value 0x02`, repeated.
    pub(super) properties: String,
    pub(super) body: Vec<u8>,
    pub(super) hash: u32,
}

impl Message {
    /// A message of `length` bytes, with properties of its own and `more`.
    pub(super) fn new(key: MessageKey, length: usize, more: &[(&str, &str)], random: &mut fastrand::Rng) -> Self {
        let MessageKey { producer, sequence } = key;
        let mut body = Vec::with_capacity(length.max(HEAD));
        body.extend(MARK);
        body.extend(producer.to_be_bytes());
        body.extend(sequence.to_be_bytes());
        let filler = body.len();
        body.resize(length.max(HEAD), 0);
        random.fill(body.get_mut(filler..).unwrap_or_default());
        let own = [
            ("KEYS", format!("key-{producer}-{sequence}")),
            ("TAGS", format!("tag{}", sequence % 3)),
            ("UNIQ_KEY", format!("{producer:08X}{sequence:024X}")),
            ("origin", format!("producer {producer}")),
        ];
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
        let properties = all.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect();
        let hash = hash(|name| all.iter().find(|(found, _)| *found == name).map(|(_, value)| *value), &body);
        Self { key, properties, body, hash }
    }
}

/// CRC-32 over the properties that must come back and the body.
fn hash<'a>(property: impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for name in KEPT {
        hasher.update(property(name).unwrap_or("-").as_bytes());
        hasher.update(b"\n");
    }
    hasher.update(body);
    hasher.finalize()
}

/// The body of a batch.
pub(super) fn batch(messages: &[Message]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for message in messages {
        let (body, properties) = (&message.body, message.properties.as_bytes());
        let size = 22 + body.len() + properties.len();
        bytes.extend(u32::try_from(size)?.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(crc32fast::hash(body).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(u32::try_from(body.len())?.to_be_bytes());
        bytes.extend(body);
        bytes.extend(u16::try_from(properties.len())?.to_be_bytes());
        bytes.extend(properties);
    }
    Ok(bytes)
}

/// A record that a pull brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) queue: u32,
    pub(super) offset: i64,
    pub(super) topic: String,
    pub(super) key: MessageKey,
    pub(super) hash: u32,
}

/// The records of a pull's answer.
pub(super) fn records(mut bytes: &[u8]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let size = usize::try_from(u32::from_be_bytes(*bytes.first_chunk().context("a record of no length")?))?;
        let (record, rest) = bytes.split_at_checked(size).context("a record longer than the answer")?;
        let mut fields = Fields(record);
        found.push(fields.record().with_context(|| format!("record of {size} bytes"))?);
        ensure!(size > 0, "a record of no length");
        bytes = rest;
    }
    Ok(found)
}

/// What is left of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).context("it ends in the middle")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn record(&mut self) -> Result<Stored> {
        self.take(4)?;
        let magic = u32::from_be_bytes(self.array()?);
        self.take(4)?;
        let queue = u32::from_be_bytes(self.array()?);
        self.take(4)?;
        let offset = i64::from_be_bytes(self.array()?);
        self.take(8)?;
        let sys_flag = u32::from_be_bytes(self.array()?);
        let host = |bit: u32| if sys_flag & bit == 0 { 8 } else { 20 };
        self.take(8 + host(BORN_HOST_V6) + 8 + host(STORE_HOST_V6) + 4 + 8)?;
        let length = u32::from_be_bytes(self.array()?);
        let body = self.take(usize::try_from(length)?)?;
        let topic_length = match magic {
            MAGIC_V2 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => usize::from(u8::from_be_bytes(self.array()?)),
        };
        let topic = String::from_utf8_lossy(self.take(topic_length)?).into_owned();
        let length = u16::from_be_bytes(self.array()?);
        let properties = String::from_utf8_lossy(self.take(usize::from(length))?);
        ensure!(self.0.is_empty(), "{} bytes follow its properties", self.0.len());
        let property = |name: &str| {
            let mut pairs = properties.split('\u{2}').filter_map(|pair| pair.split_once('\u{1}'));
            pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
        };
        Ok(Stored { queue, offset, topic, key: key(body), hash: hash(property, body) })
    }
}

/// Whose body this is; producer 0 when it is nobody's.
fn key(body: &[u8]) -> MessageKey {
    let parts = body.strip_prefix(MARK).and_then(|rest| {
        let (producer, rest) = rest.split_first_chunk()?;
        let (sequence, _) = rest.split_first_chunk()?;
        Some((u32::from_be_bytes(*producer), u64::from_be_bytes(*sequence)))
    });
    let (producer, sequence) = parts.unwrap_or_default();
    MessageKey { producer, sequence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_whose_it_is() {
        let wanted = MessageKey { producer: 3, sequence: 1 << 40 };
        let message = Message::new(wanted, 100, &[("WAIT", "false")], &mut fastrand::Rng::with_seed(1));
        assert_eq!((key(&message.body), message.body.len()), (wanted, 100));
        assert_eq!(key(b"SOAK").producer, 0);
        assert_eq!(key(b"something else of another length").producer, 0);
    }

    #[test]
    fn records_are_read_and_half_ones_are_not() {
        let wanted = MessageKey { producer: 3, sequence: 9 };
        let message = Message::new(wanted, 40, &[], &mut fastrand::Rng::with_seed(1));
        let mut record = vec![0; 4];
        record.extend(0xDAA3_20A7_u32.to_be_bytes());
        record.extend([0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        // Physical offset, flag and times, IPv4 hosts, counts.
        record.extend([0; 8 + 4 + 8 + 8 + 8 + 8 + 4 + 8]);
        record.extend(40_u32.to_be_bytes());
        record.extend(&message.body);
        record.extend([1, b'T']);
        record.extend(u16::try_from(message.properties.len()).unwrap().to_be_bytes());
        record.extend(message.properties.as_bytes());
        let size = u32::try_from(record.len()).unwrap();
        record[..4].copy_from_slice(&size.to_be_bytes());
        let expected = Stored { queue: 2, offset: 7, topic: "T".to_owned(), key: wanted, hash: message.hash };
        assert_eq!(records(&record).unwrap(), [expected]);
        for length in 1..record.len() {
            assert!(records(&record[..length]).is_err(), "{length} bytes taken for a record");
        }
        record[100] ^= 1;
        assert_ne!(records(&record).unwrap()[0].hash, message.hash);
    }
}
