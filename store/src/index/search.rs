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

/// An entry's time is rounded down to whole seconds: less than this below what it was.
const ROUNDED_MS: i64 = 1000;

impl Index {
    /// Calls `visit` with the place of each record that may be wanted, newest first, until it says false. Hashes and whole
    /// seconds are all that is compared, so records of other keys come too; one record may come twice in a row.
    ///
    /// Returns store time (ms) and place of the newest record in the index.
    pub(crate) fn search(
        &self,
        query: &IndexQuery<'_>,
        mut visit: impl FnMut(PhysicalOffset) -> bool,
    ) -> (i64, PhysicalOffset) {
        let files = self.files.load_full();
        let Some(newest) = files.last() else { return (0, PhysicalOffset::ZERO) };
        let last_update = (newest.end_timestamp(), newest.end_offset());
        let topic = KeyHash::of_topic(query.topic);
        let key = match query.kind {
            KeyKind::Key => topic.with_key(query.key),
            KeyKind::Tags => topic.with_tags(query.key),
        };
        for file in files.iter().rev() {
            let begin = file.begin_timestamp();
            if begin <= query.end_timestamp && file.end_timestamp() >= query.begin_timestamp {
                for entry in file.chain(key) {
                    if entry.timestamp.saturating_add(ROUNDED_MS) <= query.begin_timestamp {
                        break;
                    }
                    let is_wanted = entry.key == key && entry.timestamp <= query.end_timestamp;
                    if is_wanted && !visit(entry.physical_offset) {
                        return last_update;
                    }
                }
            }
            if begin < query.begin_timestamp {
                break;
            }
        }
        last_update
    }
}
