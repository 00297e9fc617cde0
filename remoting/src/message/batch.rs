//! The body of a batch: several messages of one topic in one send.
//!
//! ```text
//! totalSize 4, magic 4, bodyCRC 4, flag 4, bodyLength 4, body, propertiesLength 2, properties   (repeated)
//! ```
//!
//! Big-endian (RocketMQ 5.5.0). As upstream does, a reader goes by the inner lengths and does not look at the
//! first three words, which clients fill differently. The same layout is the body of an inner batch.
//! Upstream: `MessageDecoder.encodeMessages`, `MessageExtEncoder`.

use std::iter::FusedIterator;

use super::properties::{PROPERTIES_MAX_LENGTH, Properties};
use super::record::EncodeError;

/// Bytes of an entry besides its body and properties.
const ENTRY_FIXED_LENGTH: usize = 22;
/// Bytes of an entry before its body.
const ENTRY_HEAD_LENGTH: usize = 20;

/// One message of a batch, read where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// The application's own flag.
    pub flag: i32,
    /// The body, never compressed.
    pub body: &'a [u8],
    /// Properties.
    pub properties: Properties<'a>,
}

/// Why a body is not that of a batch. Entries count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The body ends inside an entry.
    #[error(
        "batch entry {entry} ends inside its {field}: {needed} bytes are needed, {available} are left; the producer's encoding of batches is broken"
    )]
    Truncated {
        /// Which entry.
        entry: usize,
        /// What is cut off.
        field: &'static str,
        /// Bytes of the field.
        needed: usize,
        /// Bytes left for it.
        available: usize,
    },
    /// A length is negative.
    #[error("batch entry {entry} has {field} {length}; the producer's encoding of batches is broken")]
    NegativeLength {
        /// Which entry.
        entry: usize,
        /// Which length.
        field: &'static str,
        /// The length.
        length: i32,
    },
    /// The properties are no UTF-8.
    #[error(
        "batch entry {entry} has properties that are not UTF-8 from their byte {valid_up_to} on; the producer's encoding of properties is broken"
    )]
    NotUtf8 {
        /// Which entry.
        entry: usize,
        /// Bytes of the properties that are UTF-8.
        valid_up_to: usize,
    },
}

/// The entries of a batch, one after the other. An error ends the iteration.
#[derive(Clone, Debug)]
pub struct BatchEntries<'a> {
    rest: &'a [u8],
    entry: usize,
}

impl<'a> BatchEntries<'a> {
    /// Reads the body of a batch.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body, entry: 0 }
    }

    /// Reads all of the body and gives the number of entries.
    ///
    /// # Errors
    /// [`BatchError`] of the first entry that cannot be read.
    pub fn check(body: &'a [u8]) -> Result<usize, BatchError> {
        Self::new(body).try_fold(0, |count, entry| entry.map(|_| count + 1))
    }

    fn take(&mut self, field: &'static str, needed: usize) -> Result<&'a [u8], BatchError> {
        let Some((taken, rest)) = self.rest.split_at_checked(needed) else {
            return Err(BatchError::Truncated { entry: self.entry, field, needed, available: self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn length(&self, field: &'static str, length: i32) -> Result<usize, BatchError> {
        usize::try_from(length).map_err(|_| BatchError::NegativeLength { entry: self.entry, field, length })
    }

    fn read(&mut self) -> Result<BatchEntry<'a>, BatchError> {
        let head = self.take("head", ENTRY_HEAD_LENGTH)?;
        let word = |at| head.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, i32::from_be_bytes);
        let (flag, body_length) = (word(12), word(16));
        let body_length = self.length("bodyLength", body_length)?;
        let body = self.take("body", body_length)?;
        let length = self.take("propertiesLength", 2)?.first_chunk().copied().map_or(0, i16::from_be_bytes);
        let length = self.length("propertiesLength", i32::from(length))?;
        let properties = std::str::from_utf8(self.take("properties", length)?)
            .map_err(|error| BatchError::NotUtf8 { entry: self.entry, valid_up_to: error.valid_up_to() })?;
        Ok(BatchEntry { flag, body, properties: Properties(properties) })
    }
}

impl<'a> Iterator for BatchEntries<'a> {
    type Item = Result<BatchEntry<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.read();
        self.entry += 1;
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

impl FusedIterator for BatchEntries<'_> {}

impl BatchEntry<'_> {
    /// Appends the entry to the body of a batch, as clients write it.
    ///
    /// # Errors
    /// [`EncodeError`] when a part does not fit its length field; `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let properties = self.properties.as_str().as_bytes();
        let length = ENTRY_FIXED_LENGTH + self.body.len() + properties.len();
        if properties.len() > PROPERTIES_MAX_LENGTH {
            return Err(EncodeError::PropertiesTooLong { length: properties.len() });
        }
        let total_size = i32::try_from(length).map_err(|_| EncodeError::RecordTooLong { length })?;
        out.reserve(length);
        // Magic and body CRC are zero. The casts keep the value: both lengths were compared above.
        for word in [total_size, 0, 0, self.flag, self.body.len() as i32] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(self.body);
        out.extend_from_slice(&(properties.len() as i16).to_be_bytes());
        out.extend_from_slice(properties);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
