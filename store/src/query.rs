//! Messages by key.
//!
//! The index gives places of records whose key has the right hash; here the records are read and compared with the key
//! itself, so an answer holds no strangers.
//!
//! Upstream: `DefaultMessageStore.queryMessage`.

#[cfg(test)]
mod tests;

use boostermq_remoting::message::property_name::{KEYS, TAGS, UNIQ_KEY};
use boostermq_remoting::message::record::Record;
use boostermq_remoting::offsets::PhysicalOffset;
use bytes::Bytes;

use crate::commit_log::CommitLog;
use crate::index::{Index, IndexQuery, KEY_SEPARATOR, KeyKind};

/// Most bytes of records in one answer: clients refuse frames of more than 16 MiB, and the header needs room too.
pub const QUERY_MAX_BYTES: usize = 15 << 20;

/// The answer to a query.
#[derive(Clone, Debug, Default)]
pub struct QueryOutcome {
    /// Whole records, newest first.
    pub records: Vec<Bytes>,
    /// Store time of the newest record in the index, in ms (`indexLastUpdateTimestamp`).
    pub last_update_timestamp: i64,
    /// Where the newest record in the index begins (`indexLastUpdatePhyoffset`).
    pub last_update_offset: PhysicalOffset,
}

/// Finds messages by key, unique key or tags, at most `query.max_messages` and [`QUERY_MAX_BYTES`] of them.
pub(crate) fn query(index: &Index, log: &CommitLog, query: &IndexQuery<'_>) -> QueryOutcome {
    let mut records: Vec<Bytes> = Vec::new();
    let mut bytes_left = QUERY_MAX_BYTES;
    let mut last_seen = None;
    let (last_update_timestamp, last_update_offset) = index.search(query, |physical_offset| {
        if records.len() >= query.max_messages {
            return false;
        }
        // A record whose putting was interrupted may have been put again, right after itself.
        if last_seen.replace(physical_offset) == Some(physical_offset) {
            return true;
        }
        let Some(bytes) = log.record_at(physical_offset) else { return true };
        if !Record::parse(&bytes).is_ok_and(|record| has_key(&record, query)) {
            return true;
        }
        let Some(left) = bytes_left.checked_sub(bytes.len()) else { return false };
        bytes_left = left;
        records.push(bytes);
        true
    });
    QueryOutcome { records, last_update_timestamp, last_update_offset }
}

/// True when the record was stored in the time asked for and has the key itself, not only its hash.
fn has_key(record: &Record<'_>, query: &IndexQuery<'_>) -> bool {
    let is_in_time = (query.begin_timestamp..=query.end_timestamp).contains(&record.store_timestamp());
    let properties = record.properties();
    is_in_time
        && record.topic() == query.topic
        && match query.kind {
            KeyKind::Tags => properties.get(TAGS) == Some(query.key),
            KeyKind::Key => {
                properties.get(UNIQ_KEY) == Some(query.key)
                    || properties.get(KEYS).is_some_and(|keys| keys.split(KEY_SEPARATOR).any(|key| key == query.key))
            }
        }
}
