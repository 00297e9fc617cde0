//! The properties of a message as one string.
//!
//! ```text
//! name 0x01 value 0x02  name 0x01 value 0x02 …
//! ```
//!
//! UTF-8, at most 32,767 bytes. The last 0x02 may be missing. A reader skips what has no 0x01, an empty name
//! or an empty value; a value may hold 0x01; of two entries with one name the later counts. This module owns
//! that tolerance; what the names mean stands in [`super::property_name`].
//! Upstream: `MessageDecoder.string2messageProperties`, `messageProperties2String`.

use std::borrow::Cow;
use std::collections::HashMap;

/// Stands between name and value.
pub const NAME_VALUE_SEPARATOR: char = '\u{1}';
/// Stands after each value.
pub const PROPERTY_SEPARATOR: char = '\u{2}';
/// Most bytes of a properties string in a record: its length is a signed 16-bit number.
pub const PROPERTIES_MAX_LENGTH: usize = i16::MAX as usize;

/// A properties string, read where it lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(pub &'a str);

impl<'a> Properties<'a> {
    /// The string itself.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The entries that count, as (name, value) in the order they stand; a name may come twice.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = Some(self.0);
        let pieces = std::iter::from_fn(move || {
            let text = rest?;
            let Some(end) = memchr::memchr(PROPERTY_SEPARATOR as u8, text.as_bytes()) else { return rest.take() };
            // A separator is one byte and never part of another character.
            rest = text.get(end + 1..);
            text.get(..end)
        });
        pieces.filter_map(entry)
    }

    /// The value of `name`: the last one, if it stands more than once.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter().filter(|(found, _)| *found == name).last().map(|(_, value)| value)
    }

    /// This string without the entries called `name`, and borrowed unless there was one. Entries that do not
    /// count stay as they are.
    #[must_use]
    pub fn without(self, name: &str) -> Cow<'a, str> {
        let is_named = |piece: &str| entry(piece).is_some_and(|(found, _)| found == name);
        if !self.0.split(PROPERTY_SEPARATOR).any(is_named) {
            return Cow::Borrowed(self.0);
        }
        let kept = self.0.split_inclusive(PROPERTY_SEPARATOR);
        Cow::Owned(kept.filter(|piece| !is_named(piece.trim_end_matches(PROPERTY_SEPARATOR))).collect())
    }
}

/// Splits one entry at its first separator; `None` when it does not count.
fn entry(piece: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr(NAME_VALUE_SEPARATOR as u8, piece.as_bytes())?;
    let (name, value) = (piece.get(..end)?, piece.get(end + 1..)?);
    (!name.is_empty() && !value.is_empty()).then_some((name, value))
}

/// Appends one entry to a properties string in `out`, after closing an entry that lacks its separator.
///
/// `name` and `value` go in as they are: a caller that takes them from outside sees to it that neither holds
/// 0x02, and the name not 0x01.
pub fn append(out: &mut Vec<u8>, name: &str, value: &str) {
    if out.last().is_some_and(|&last| last != PROPERTY_SEPARATOR as u8) {
        out.push(PROPERTY_SEPARATOR as u8);
    }
    out.extend_from_slice(name.as_bytes());
    out.push(NAME_VALUE_SEPARATOR as u8);
    out.extend_from_slice(value.as_bytes());
    out.push(PROPERTY_SEPARATOR as u8);
}

/// Properties to be changed: each name once, in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyMap {
    entries: Vec<(String, String)>,
}

impl PropertyMap {
    /// No properties.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Reads a properties string. A name that stands twice keeps its first place and its last value.
    #[must_use]
    pub fn parse(properties: &str) -> Self {
        let mut entries: Vec<(String, String)> = Vec::new();
        // A map beside the list, because thousands of names fit into a string that came from outside.
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (name, value) in Properties(properties).iter() {
            let place = *places.entry(name).or_insert(entries.len());
            match entries.get_mut(place) {
                Some((_, old)) => value.clone_into(old),
                None => entries.push((name.to_owned(), value.to_owned())),
            }
        }
        Self { entries }
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Sets `name`, in its old place if it was there; gives the old value back. As in [`append`], neither may
    /// hold 0x02, nor the name 0x01.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) -> Option<String> {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(found, _)| *found == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.entries.push((name, value));
                None
            }
        }
    }

    /// Takes `name` out and gives its value back.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let place = self.entries.iter().position(|(found, _)| found == name)?;
        Some(self.entries.remove(place).1)
    }

    /// All properties in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without any property.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The string, with a separator after the last value too.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(self.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
        for (name, value) in self.iter() {
            text.push_str(name);
            text.push(NAME_VALUE_SEPARATOR);
            text.push_str(value);
            text.push(PROPERTY_SEPARATOR);
        }
        text
    }
}

#[cfg(test)]
mod tests;
