//! The hash under which an index keeps a key.

use boostermq_remoting::message::tags::java_string_hash_after;

/// Hash of `TOPIC#`, to go on from.
#[derive(Clone, Copy)]
pub(super) struct TopicHash(i32);

/// What an index file keeps of a key: Java's hash of the whole key string without its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyHash(pub(super) i32);

impl KeyHash {
    /// The beginning that all keys of a topic share.
    pub(super) fn of_topic(topic: &str) -> TopicHash {
        TopicHash(java_string_hash_after(java_string_hash_after(0, topic), "#"))
    }
}

impl TopicHash {
    /// `TOPIC#KEY`, for a unique key too.
    pub(super) fn with_key(self, key: &str) -> KeyHash {
        Self::sign_removed(java_string_hash_after(self.0, key))
    }

    /// `TOPIC#T#TAGS`.
    pub(super) fn with_tags(self, tags: &str) -> KeyHash {
        Self::sign_removed(java_string_hash_after(java_string_hash_after(self.0, "T#"), tags))
    }

    fn sign_removed(hash: i32) -> KeyHash {
        // The least number has no positive counterpart; upstream takes 0.
        KeyHash(hash.checked_abs().unwrap_or(0))
    }
}
