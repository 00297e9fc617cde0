//! Searching the index.

use boostermq_remoting::offsets::PhysicalOffset;

use super::Index;
use super::key::KeyHash;

/// What kind of text a key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// A unique key, or one of the keys of KEYS: they share one name space.
    #[default]
    Key,
    /// The tags of a message.
    Tags,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct IndexQuery<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The key.
    pub key: &'a str,
    /// What the key is.
    pub kind: KeyKind,
    /// Most answers.
    pub max_messages: usize,
    /// Store time of the oldest message wanted, in ms.
    pub begin_timestamp: i64,
    /// Store time of the newest message wanted, in ms.
    pub end_timestamp: i64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexAnswer {
    /// Where the records begin, newest first, each once. A few may be of other keys with the same hash.
    pub physical_offsets: Vec<PhysicalOffset>,
    /// Store time of the newest record in the index, in ms (`indexLastUpdateTimestamp`).
    pub last_update_timestamp: i64,
    /// Where the newest record in the index begins (`indexLastUpdatePhyoffset`).
    pub last_update_offset: PhysicalOffset,
}

/// An entry's time is rounded down to whole seconds: less than this below what it was.
const ROUNDED_MS: i64 = 1000;

impl Index {
    /// Looks for messages, newest first.
    pub(crate) fn query(&self, query: &IndexQuery<'_>) -> IndexAnswer {
        let files = self.files.load_full();
        let Some(newest) = files.last() else { return IndexAnswer::default() };
        let topic = KeyHash::of_topic(query.topic);
        let key = match query.kind {
            KeyKind::Key => topic.with_key(query.key),
            KeyKind::Tags => topic.with_tags(query.key),
        };
        let mut found = Vec::new();
        for file in files.iter().rev() {
            let begin = file.begin_timestamp();
            if begin <= query.end_timestamp && file.end_timestamp() >= query.begin_timestamp {
                let is_early = |timestamp: i64| timestamp.saturating_add(ROUNDED_MS) <= query.begin_timestamp;
                let chain = file.chain(key).take_while(|entry| !is_early(entry.timestamp));
                let wanted = chain.filter(|entry| entry.key == key && entry.timestamp <= query.end_timestamp);
                for entry in wanted {
                    if found.len() >= query.max_messages {
                        break;
                    }
                    // A record whose putting was interrupted may have been put again, right after itself.
                    if found.last() != Some(&entry.physical_offset) {
                        found.push(entry.physical_offset);
                    }
                }
            }
            if found.len() >= query.max_messages || begin < query.begin_timestamp {
                break;
            }
        }
        IndexAnswer {
            physical_offsets: found,
            last_update_timestamp: newest.end_timestamp(),
            last_update_offset: newest.end_offset(),
        }
    }
}
