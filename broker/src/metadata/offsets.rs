//! How far each group has consumed each queue: `consumerOffset.json`.
//!
//! ```text
//! offsetTable      TOPIC@GROUP -> queue -> offset of the next message to consume
//! pullOffsetTable  TOPIC@GROUP -> queue -> offset after the last message handed out
//! groupTopicMap    GROUP -> topics, derived from the first
//! ```
//! A commit or a look-up locks one of many shards for a moment and allocates only for a queue seen for the first time.
//! The file is written from time to time by whoever owns this table: a crash loses the commits since, and their
//! messages are delivered again. Never knows topics, groups or queues by themselves: who commits has checked them.
//!
//! With `enableLmq`, all of it stands in `lmqConsumerOffset.json` instead. There the offsets of groups whose names begin with `%LMQ%`
//! have a table of their own, without the number of the queue, which is 0.
//!
//! An operator's reset waits here until the consumer fetched it: as long as it does, commits are ignored.
//!
//! Upstream: `ConsumerOffsetManager` (RocketMQ 5.5.0).

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use boostermq_remoting::body::{ConsumerOffsetSerializeWrapper, DataVersion};
use boostermq_remoting::config::Live;
use boostermq_remoting::names::QueueId;
use boostermq_store::clock::Clock;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;

use super::{MetadataError, MetadataFile};
use crate::config::Settings;

/// The file of the offsets; another one where there are light queues.
pub(crate) fn file_name(settings: &Settings) -> &'static str {
    if settings.store.enable_lmq { "lmqConsumerOffset.json" } else { "consumerOffset.json" }
}

/// Offsets of a topic by queue.
pub(crate) type QueueOffsets = BTreeMap<u32, i64>;

/// Offsets by group, topic and queue.
#[derive(Debug, Default)]
struct OffsetTable {
    groups: DashMap<Box<str>, HashMap<Box<str>, QueueOffsets>>,
    /// Groups by topic, so that who asks for those of each topic does not walk all groups every time.
    ///
    /// Never lacks a group that is above: an entry is added after the one above, and removed before it. One that outlives
    /// the other, because both happened at once, is passed over by [`OffsetTable::groups_of`]. Nobody holds both maps.
    by_topic: DashMap<Box<str>, BTreeSet<Box<str>>>,
}

impl OffsetTable {
    /// Sets an offset; returns the one before.
    fn set(&self, group: &str, topic: &str, queue_id: QueueId, offset: i64) -> Option<i64> {
        if let Some(mut topics) = self.groups.get_mut(group)
            && let Some(queues) = topics.get_mut(topic)
        {
            return queues.insert(queue_id.0, offset);
        }
        // Seen for the first time: only here names are allocated.
        let before =
            self.groups.entry(group.into()).or_default().entry(topic.into()).or_default().insert(queue_id.0, offset);
        self.by_topic.entry(topic.into()).or_default().insert(group.into());
        before
    }

    fn get(&self, group: &str, topic: &str, queue_id: QueueId) -> Option<i64> {
        self.groups.get(group)?.get(topic)?.get(&queue_id.0).copied()
    }

    fn queues(&self, group: &str, topic: &str) -> QueueOffsets {
        self.groups.get(group).and_then(|topics| topics.get(topic).cloned()).unwrap_or_default()
    }

    /// Takes one offset out.
    fn take(&self, group: &str, topic: &str, queue_id: QueueId) -> Option<i64> {
        self.groups.get_mut(group)?.get_mut(topic)?.remove(&queue_id.0)
    }

    fn topics_of(&self, group: &str) -> Vec<String> {
        let topics = self.groups.get(group);
        topics.iter().flat_map(|topics| topics.keys()).map(|topic| topic.to_string()).collect()
    }

    /// In order.
    fn groups_of(&self, topic: &str) -> Vec<String> {
        let known: Vec<Box<str>> =
            self.by_topic.get(topic).map(|groups| groups.iter().cloned().collect()).unwrap_or_default();
        let has_topic = |group: &str| self.groups.get(group).is_some_and(|topics| topics.contains_key(topic));
        known.into_iter().filter(|group| has_topic(group)).map(String::from).collect()
    }

    fn remove_topic(&self, topic: &str) {
        self.by_topic.remove(topic);
        self.groups.retain(|_, topics| {
            topics.remove(topic);
            !topics.is_empty()
        });
    }

    fn remove_group(&self, group: &str) {
        for topic in self.topics_of(group) {
            if let Entry::Occupied(mut groups) = self.by_topic.entry(topic.into()) {
                groups.get_mut().remove(group);
                if groups.get().is_empty() {
                    groups.remove();
                }
            }
        }
        self.groups.remove(group);
    }
}

/// Offsets of all groups.
pub(crate) struct ConsumerOffsets {
    committed: OffsetTable,
    pulled: OffsetTable,
    /// Resets that no consumer has fetched.
    resets: OffsetTable,
    /// How many topics of groups have resets, so that nobody looks when there are none.
    waiting_resets: AtomicUsize,
    /// Commits since the version last changed.
    commits: AtomicU64,
    version: Mutex<DataVersion>,
    /// Members of the file that are unknown here, entries with odd keys included.
    kept: file::Kept,
    /// Groups of light queues have a table of their own in the file.
    has_light_groups: bool,
    file: MetadataFile,
    settings: Live<Settings>,
    clock: Arc<dyn Clock>,
}

impl ConsumerOffsets {
    /// Reads the file in `dir`.
    ///
    /// # Errors
    /// [`MetadataError`] when neither the file nor its backup can be read.
    pub(crate) fn load(dir: &Path, settings: Live<Settings>, clock: Arc<dyn Clock>) -> Result<Self, MetadataError> {
        let file = MetadataFile::new(dir, file_name(&settings.read()));
        let stored: Option<ConsumerOffsetSerializeWrapper> = file.load()?;
        let version = stored.as_ref().map_or_else(|| DataVersion::new(clock.now_ms()), |stored| stored.data_version);
        let has_light_groups = settings.read().store.enable_lmq;
        let (committed, pulled, kept) = file::into_tables(stored.unwrap_or_default(), has_light_groups);
        Ok(Self {
            committed,
            pulled,
            resets: OffsetTable::default(),
            waiting_resets: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            version: Mutex::new(version),
            kept,
            has_light_groups,
            file,
            settings,
            clock,
        })
    }

    /// Stores how far a group has consumed a queue; going back is allowed. A negative offset says that the client knows
    /// none, and is ignored, as is any commit while a reset waits. True when it was stored.
    pub(crate) fn commit(&self, group: &str, topic: &str, queue_id: QueueId, offset: i64) -> bool {
        if offset < 0 || self.has_reset(group, topic, queue_id) {
            return false;
        }
        let before = self.committed.set(group, topic, queue_id, offset);
        if before != Some(offset) {
            self.note_change();
        }
        if before.is_some_and(|before| offset < before) {
            tracing::warn!(group, topic, %queue_id, offset, ?before, "a consumer committed an offset below the last one");
        }
        true
    }

    /// How far a group has consumed a queue: a waiting reset, else what was committed.
    pub(crate) fn query(&self, group: &str, topic: &str, queue_id: QueueId) -> Option<i64> {
        self.find_reset(group, topic, queue_id)
            .or_else(|| self.committed.get(group, topic, queue_id).filter(|offset| *offset >= 0))
    }

    /// Messages before this offset were handed out to the group.
    pub(crate) fn note_pulled(&self, group: &str, topic: &str, queue_id: QueueId, offset: i64) {
        self.pulled.set(group, topic, queue_id, offset);
    }

    /// Up to which offset a group has pulled a queue.
    pub(crate) fn pulled(&self, group: &str, topic: &str, queue_id: QueueId) -> Option<i64> {
        self.pulled.get(group, topic, queue_id)
    }

    /// What a group has committed for a topic, by queue.
    pub(crate) fn queues(&self, group: &str, topic: &str) -> QueueOffsets {
        self.committed.queues(group, topic)
    }

    /// Sets an offset on an operator's behalf: the consumer's next pull is told to move there, and commits are ignored
    /// until it was.
    pub(crate) fn reset(&self, group: &str, topic: &str, queue_id: QueueId, offset: i64) {
        if self.resets.set(group, topic, queue_id, offset).is_none() {
            self.waiting_resets.fetch_add(1, Ordering::AcqRel);
        }
        self.committed.set(group, topic, queue_id, offset);
        self.note_change();
    }

    /// True when a reset waits for the queue.
    pub(crate) fn has_reset(&self, group: &str, topic: &str, queue_id: QueueId) -> bool {
        self.find_reset(group, topic, queue_id).is_some()
    }

    /// The reset that waits for the queue.
    pub(crate) fn find_reset(&self, group: &str, topic: &str, queue_id: QueueId) -> Option<i64> {
        if self.waiting_resets.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.resets.get(group, topic, queue_id)
    }

    /// Fetches the reset that waits for the queue: after this it waits no longer.
    pub(crate) fn take_reset(&self, group: &str, topic: &str, queue_id: QueueId) -> Option<i64> {
        self.find_reset(group, topic, queue_id)?;
        let taken = self.resets.take(group, topic, queue_id);
        if taken.is_some() {
            self.waiting_resets.fetch_sub(1, Ordering::AcqRel);
        }
        taken
    }

    /// Topics of which the group has committed offsets, in order.
    pub(crate) fn topics_of(&self, group: &str) -> Vec<String> {
        let mut topics = self.committed.topics_of(group);
        topics.sort_unstable();
        topics
    }

    /// Groups that have committed offsets of the topic, in order.
    pub(crate) fn groups_of(&self, topic: &str) -> Vec<String> {
        self.committed.groups_of(topic)
    }

    /// Copies what one group has committed for a topic to another group.
    pub(crate) fn copy(&self, topic: &str, from: &str, to: &str) {
        for (queue_id, offset) in self.queues(from, topic) {
            self.committed.set(to, topic, QueueId(queue_id), offset);
        }
        self.note_change();
    }

    /// Forgets all about a topic.
    pub(crate) fn remove_topic(&self, topic: &str) {
        self.committed.remove_topic(topic);
        self.pulled.remove_topic(topic);
        self.resets.remove_topic(topic);
        self.removed();
    }

    /// Forgets all about a group.
    pub(crate) fn remove_group(&self, group: &str) {
        self.committed.remove_group(group);
        self.pulled.remove_group(group);
        self.resets.remove_group(group);
        self.removed();
    }

    fn removed(&self) {
        let resets =
            self.resets.groups.iter().flat_map(|entry| entry.value().values().map(BTreeMap::len).collect::<Vec<_>>());
        self.waiting_resets.store(resets.sum(), Ordering::Release);
        self.note_change();
    }

    fn note_change(&self) {
        let step = self.settings.read().broker.consumer_offset_update_version_step.max(1);
        if (self.commits.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(step) {
            let mut version = self.version.lock();
            *version = version.next(0, self.clock.now_ms());
        }
        self.file.note_change();
    }

    /// Version of the table.
    pub(crate) fn data_version(&self) -> DataVersion {
        *self.version.lock()
    }

    /// Writes the file if it lacks a change.
    ///
    /// # Errors
    /// [`MetadataError`] when it cannot be written; the next call tries again.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        self.file.save(|| self.text())
    }

    /// The table as it stands in the file: also the answer to GET_ALL_CONSUMER_OFFSET.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        self.text()
    }

    fn text(&self) -> Vec<u8> {
        file::text(self.data_version(), &self.committed, &self.pulled, &self.kept, self.has_light_groups)
    }
}
