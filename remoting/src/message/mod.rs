//! Messages: how one is laid out on the wire and on disk, and nothing about who sends or keeps it.
//!
//! Owns the record ([`record`]), its flags, properties, ids, tags code, the body of a batch and the codecs of
//! bodies. Never opens a file, asks a clock or knows a request. Imports nothing of this crate but
//! [`crate::names`] and [`crate::offsets`], so that it can become a crate of its own.

pub mod batch;
pub mod compress;
pub mod flags;
pub mod id;
pub mod light;
mod owned;
pub mod properties;
pub mod property_name;
pub mod record;
pub mod tags;

pub use owned::Message;

#[cfg(test)]
mod tests;
