//! The body of a registration (103): JSON, or compressed.
//!
//! ```text
//! zlib of: length i32 · DataVersion JSON
//!          topics i32 · { length i32 · "name readQueues writeQueues perm filterType attributesJSON" }
//!          length i32 · JSON array of filter servers
//!          mappings i32 · { length i32 · TopicQueueMappingInfo JSON }        from V5_0_0 on
//! ```
//! A compressed registration loses `order` and `topicSysFlag` of its topics, as upstream's does. Upstream:
//! `RegisterBrokerBody` (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{DataVersion, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicFilterType};
use crate::code::version::V5_0_0;
use crate::fastjson::{self, FastjsonError};

/// Most bytes that a compressed registration may unfold to: room for about a million topics.
pub const MAX_INFLATED: u64 = 128 * 1024 * 1024;

bodies! {
    /// What a broker tells a name server: upstream `RegisterBrokerBody`.
    RegisterBrokerBody {
        /// Filter servers; long gone.
        filter_server_list: Vec<String>,
        /// The broker's topics.
        topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper,
    }
}

/// Why a registration was not read. The broker that sent it is shown the text.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The JSON cannot be read.
    #[error("the registration's {part} cannot be read: {source}")]
    Json {
        /// Which piece.
        part: &'static str,
        /// Why.
        source: FastjsonError,
    },
    /// The body is no zlib stream.
    #[error("the registration's body cannot be decompressed, was it cut off? {0}")]
    Inflate(#[from] std::io::Error),
    /// The body unfolds to more than anyone registers.
    #[error("the registration's body unfolds to more than {MAX_INFLATED} bytes")]
    TooLong,
    /// The body ends inside a piece.
    #[error("the registration's body ends inside {part}")]
    Truncated {
        /// Which piece.
        part: &'static str,
    },
    /// A length below zero.
    #[error("the registration's body gives {part} a length of {length}")]
    Length {
        /// Which piece.
        part: &'static str,
        /// The length as read.
        length: i32,
    },
    /// A topic's line is not what it should be.
    #[error("the registration describes a topic as {line:?}: that is no `name readQueues writeQueues perm filterType`")]
    Topic {
        /// The line, cut to 128 characters.
        line: String,
    },
}

impl RegisterBrokerBody {
    /// Writes the body. The compressed form holds mappings of static topics, as a sender of V5_0_0 or later writes it.
    #[must_use]
    pub fn encode(&self, compress: bool) -> Vec<u8> {
        if !compress {
            return fastjson::to_vec(self);
        }
        let wrapper = &self.topic_config_serialize_wrapper;
        let mut plain = Vec::new();
        put(&mut plain, &fastjson::to_vec(&wrapper.data_version));
        put_count(&mut plain, wrapper.topic_config_table.len());
        for topic in wrapper.topic_config_table.values() {
            put(&mut plain, topic_line(topic).as_bytes());
        }
        put(&mut plain, &fastjson::to_vec(&self.filter_server_list));
        put_count(&mut plain, wrapper.topic_queue_mapping_info_map.len());
        for mapping in wrapper.topic_queue_mapping_info_map.values() {
            put(&mut plain, &fastjson::to_vec(mapping));
        }
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        // Writing into memory does not fail.
        let written = encoder.write_all(&plain).and_then(|()| encoder.finish());
        written.unwrap_or_default()
    }

    /// Reads a body that a sender of `version` wrote.
    ///
    /// # Errors
    /// [`RegistrationError`] says which piece cannot be read.
    pub fn decode(body: &[u8], compressed: bool, version: i32) -> Result<Self, RegistrationError> {
        if !compressed {
            return json("body", body);
        }
        let plain = inflate(body, MAX_INFLATED)?;
        let mut reader = Reader { rest: &plain };
        let data_version: DataVersion = json("data version", reader.piece("data version")?)?;
        let mut topic_config_table = BTreeMap::new();
        for _ in 0..reader.count("topics")? {
            let topic = parse_topic_line(reader.piece("a topic")?)?;
            topic_config_table.insert(topic.topic_name.clone(), topic);
        }
        let filter_server_list = json("filter servers", reader.piece("filter servers")?)?;
        let mut topic_queue_mapping_info_map = BTreeMap::new();
        if version >= V5_0_0 && !reader.rest.is_empty() {
            for _ in 0..reader.count("mappings")? {
                let mapping: Value = json("a mapping", reader.piece("a mapping")?)?;
                let topic = mapping.get("topic").and_then(Value::as_str).unwrap_or_default().to_owned();
                topic_queue_mapping_info_map.insert(topic, mapping);
            }
        }
        let topic_config_serialize_wrapper = TopicConfigAndMappingSerializeWrapper {
            data_version,
            topic_config_table,
            topic_queue_mapping_info_map,
            ..TopicConfigAndMappingSerializeWrapper::default()
        };
        Ok(Self { filter_server_list, topic_config_serialize_wrapper })
    }
}

fn inflate(body: &[u8], limit: u64) -> Result<Vec<u8>, RegistrationError> {
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(body).take(limit + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > limit { Err(RegistrationError::TooLong) } else { Ok(plain) }
}

fn json<T: DeserializeOwned>(part: &'static str, text: &[u8]) -> Result<T, RegistrationError> {
    fastjson::from_slice(text).map_err(|source| RegistrationError::Json { part, source })
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // Neither a frame nor a table comes near 2 GiB.
    out.extend_from_slice(&i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

fn put(out: &mut Vec<u8>, piece: &[u8]) {
    put_count(out, piece.len());
    out.extend_from_slice(piece);
}

fn topic_line(topic: &TopicConfig) -> String {
    let attributes = String::from_utf8(fastjson::to_vec(&topic.attributes)).unwrap_or_default();
    format!(
        "{} {} {} {} {} {attributes}",
        topic.topic_name, topic.read_queue_nums, topic.write_queue_nums, topic.perm, topic.topic_filter_type
    )
}

fn parse_topic_line(line: &[u8]) -> Result<TopicConfig, RegistrationError> {
    let text = String::from_utf8_lossy(line);
    let bad = || RegistrationError::Topic { line: text.chars().take(128).collect() };
    let mut words = text.splitn(6, ' ');
    let mut word = || words.next().ok_or_else(bad);
    let number = |word: &str| word.parse::<i32>().map_err(|_| bad());
    let topic_name = word()?.to_owned();
    let read_queue_nums = number(word()?)?;
    let write_queue_nums = number(word()?)?;
    let perm = number(word()?)?;
    let topic_filter_type = TopicFilterType::from_name(word()?).unwrap_or_default();
    // Attributes came later than the rest; upstream goes on without those it cannot read, and so do we.
    let attributes = words.next().and_then(|text| fastjson::from_slice(text.as_bytes()).ok()).unwrap_or_default();
    Ok(TopicConfig {
        topic_name,
        read_queue_nums,
        write_queue_nums,
        perm,
        topic_filter_type,
        attributes,
        ..TopicConfig::default()
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn count(&mut self, part: &'static str) -> Result<usize, RegistrationError> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(RegistrationError::Truncated { part })?;
        self.rest = rest;
        let length = i32::from_be_bytes(*bytes);
        usize::try_from(length).map_err(|_| RegistrationError::Length { part, length })
    }

    fn piece(&mut self, part: &'static str) -> Result<&'a [u8], RegistrationError> {
        let length = self.count(part)?;
        let (piece, rest) = self.rest.split_at_checked(length).ok_or(RegistrationError::Truncated { part })?;
        self.rest = rest;
        Ok(piece)
    }
}

#[cfg(test)]
mod tests;
