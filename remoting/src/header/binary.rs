//! RocketMQ's compact binary header codec.
//!
//! ```text
//! code i16 · language u8 · version i16 · opaque i32 · flag i32 · remark (len i32, UTF-8) ·
//! ext length i32 · pairs of key (len i16, UTF-8) and value (len i32, UTF-8)
//! ```
//! A text of no bytes is absent. Texts go into the scratch, so that one set of slices serves both codecs.

use super::field::FieldSink;
use super::{HeaderError, HeaderHead, HeaderScratch, Meta, Span};
use crate::code::Language;

/// Request codes over 16 bits arrive cut; none of the cut ones is a code of its own
/// (RocketMQ 5.5.0).
fn widen(code: i16) -> i32 {
    match i32::from(code) {
        code @ (3442..=3448 | 3543) => code + 196_608,
        code => code,
    }
}

pub(super) fn decode(bytes: &[u8], scratch: &mut HeaderScratch) -> Result<Meta, HeaderError> {
    let mut reader = Reader { rest: bytes };
    let mut meta = Meta {
        code: widen(i16::from_be_bytes(reader.take("code")?)),
        language: Some(Language(reader.take::<1>("language")?[0])),
        version: i32::from(i16::from_be_bytes(reader.take("version")?)),
        opaque: i32::from_be_bytes(reader.take("opaque")?),
        flag: i32::from_be_bytes(reader.take("flag")?),
        remark: None,
    };
    let length = i32::from_be_bytes(reader.take("remark length")?);
    meta.remark = reader.text("remark", i64::from(length), scratch)?;
    let length = i32::from_be_bytes(reader.take("ext length")?);
    let mut pairs = Reader { rest: reader.bytes("ext fields", i64::from(length))? };
    while !pairs.rest.is_empty() {
        let length = i16::from_be_bytes(pairs.take("key length")?);
        let key = pairs.text("key", i64::from(length), scratch)?;
        let length = i32::from_be_bytes(pairs.take("value length")?);
        let value = pairs.text("value", i64::from(length), scratch)?;
        if let (Some(key), Some(value)) = (key, value) {
            scratch.fields.push((key, value));
        }
    }
    Ok(meta)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], HeaderError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(HeaderError::Truncated { field })?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, field: &'static str, length: i64) -> Result<&'a [u8], HeaderError> {
        let size = usize::try_from(length).map_err(|_| HeaderError::Length { field, length })?;
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(HeaderError::Length { field, length })?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(
        &mut self,
        field: &'static str,
        length: i64,
        scratch: &mut HeaderScratch,
    ) -> Result<Option<Span>, HeaderError> {
        let bytes = self.bytes(field, length)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let start = scratch.text.len() as u32;
        // Java decodes leniently: bytes that are not UTF-8 become replacement characters.
        scratch.text.push_str(&String::from_utf8_lossy(bytes));
        Ok(Some(Span { start, length: scratch.text.len() as u32 - start, in_scratch: true }))
    }
}

pub(super) fn encode(out: &mut Vec<u8>, head: &HeaderHead<'_>, fields: impl FnOnce(&mut FieldSink<'_>)) {
    out.extend_from_slice(&(head.code as i16).to_be_bytes());
    out.push(head.language.0);
    out.extend_from_slice(&(head.version as i16).to_be_bytes());
    out.extend_from_slice(&head.opaque.to_be_bytes());
    out.extend_from_slice(&head.flag.to_be_bytes());
    let remark = head.remark.unwrap_or_default();
    out.extend_from_slice(&(remark.len() as i32).to_be_bytes());
    out.extend_from_slice(remark.as_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    fields(&mut FieldSink::binary(out));
    let length = (out.len() - length_at - 4) as i32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}
