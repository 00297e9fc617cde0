//! The JSON dialect of bodies and metadata files.
//!
//! Upstream writes and reads JSON with fastjson, which allows more than JSON does: bare keys (`{0:"a"}`), objects as
//! keys (`{{"queueId":0,"topic":"T"}:12}`), single quotes, spare commas, back references (`{"$ref":"$.a"}`), and a
//! null that means "not there" for every type (RocketMQ 5.5.0).
//!
//! Reading turns the dialect into strict JSON text ([`to_strict`]): a key becomes a string, an object key the string
//! that holds its compact text, a member that is null is dropped. Writing ([`to_vec`]) is strict, compact JSON save for one
//! thing: a map whose keys are objects ([`ObjectKeyMap`]) is written with bare object keys, because the tools of
//! RocketMQ 5.5.0 read no other form.
//!
//! Memory stays in proportion to the text: nothing is built between the text and the typed value, except for texts
//! that hold back references.

mod object_key;
mod reference;
mod strict;
#[cfg(test)]
mod tests;
mod write;

pub use object_key::ObjectKeyMap;
pub use strict::to_strict;
pub use write::{to_pretty_vec, to_vec, try_to_vec};

use serde::de::DeserializeOwned;

/// Deepest nesting that is read: upstream's bodies stay below 8.
pub const MAX_DEPTH: u32 = 64;
/// Longest text that is read, in bytes; frames stay below 16 MiB, metadata files may be longer.
pub const MAX_LENGTH: usize = 1 << 30;

/// Why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSON text cannot be read at byte {at}: {what}")]
pub struct FastjsonError {
    /// Where: a position in the text, or in its strict form when the text is fine but means something else.
    pub at: usize,
    /// What stands there, or what should.
    pub what: String,
}

impl FastjsonError {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

/// Reads a typed value: as strict JSON first, which almost every text is, then as the dialect.
///
/// # Errors
/// [`FastjsonError`] when the text is neither, or does not describe a `T`.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, FastjsonError> {
    // A back reference is legal JSON, so the strict reader would take it for an object without known members.
    let references = reference::occur_in(text);
    if !references && let Ok(value) = serde_json::from_slice(text) {
        return Ok(value);
    }
    let mut strict = to_strict(text)?;
    if references {
        strict = reference::resolve(&strict)?;
    }
    serde_json::from_str(&strict).map_err(|error| FastjsonError::new(error.column(), error.to_string()))
}

/// Reads any value.
///
/// # Errors
/// [`FastjsonError`] when the text is neither JSON nor the dialect.
pub fn parse(text: &[u8]) -> Result<serde_json::Value, FastjsonError> {
    from_slice(text)
}
