//! What a broker knows besides messages, and keeps in JSON files: topics, groups, consumer offsets.
//!
//! Readers take a table without a lock or with one held for a moment; changes of topics and groups are few, and go to
//! disk before they are answered; offsets go to disk from time to time. Never talks to a client or a name server. The
//! files and their shapes: RocketMQ 5.5.0.

mod attributes;
mod groups;
mod modes;
mod offsets;
mod periodic;
mod persist;
#[cfg(test)]
mod tests;
mod topics;

pub(crate) use attributes::{CLEANUP_POLICY, DELETING, MESSAGE_TYPE, QUEUE_TYPE, SIMPLE_QUEUES, parse_attributes};
pub(crate) use groups::{FILE as GROUPS_FILE, GroupChangeError, Groups, is_system_group};
pub(crate) use modes::RequestModes;
pub(crate) use offsets::{ConsumerOffsets, file_name as offsets_file};
pub(crate) use periodic::{SaveFailures, persist_periodically};
pub(crate) use persist::{Chosen, MetadataError, MetadataFile};
pub(crate) use topics::{
    FILE as TOPICS_FILE, TopicChange, TopicChangeError, TopicTable, Topics, fixed_system_topics, is_system_name,
};
