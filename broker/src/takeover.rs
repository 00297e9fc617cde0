//! What a start must be able to read before it touches the store: the metadata, and nothing in it that this broker cannot serve.
//!
//! The files that a start reads are looked at here as it will read them, with their backups, and nothing is changed. Kept
//! apart: what lies in the store itself ([`boostermq_store::refusals`]).
//!
//! Upstream: `ConfigManager`, `TopicConfigManager`, `TopicQueueMappingManager`.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use boostermq_remoting::body::{ConsumerOffsetSerializeWrapper, SubscriptionGroupWrapper, TopicConfigSerializeWrapper};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Settings;
use crate::metadata::{
    CLEANUP_POLICY, Chosen, DELETING, GROUPS_FILE, MetadataError, MetadataFile, QUEUE_TYPE, SIMPLE_QUEUES, TOPICS_FILE,
    offsets_file,
};
use crate::schedule::{self, DelayOffsets};

/// Where upstream keeps static topics.
const STATIC_TOPICS_FILE: &str = "topicQueueMapping.json";
/// Files without which a broker starts all the same: clients bring their content again, or it is only counted.
const DISPENSABLE: [&str; 3] = ["consumerFilter.json", "timermetrics", "transactionMetrics"];

/// A file of metadata as a start would find it.
#[derive(Debug)]
pub(crate) struct FileSeen {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// Which version of a file a start would read.
#[derive(Debug)]
pub(crate) enum Version {
    /// None: the file is not there.
    Missing,
    /// The file.
    File,
    /// Its backup, and what is wrong with the file; `None` when that is missing or empty.
    Backup(Option<String>),
    /// Nothing of it can be read, and the start goes on without it.
    Dispensable(String),
    /// The start is refused.
    Refused(Refusal),
}

/// Why a start is refused for its metadata.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Neither a file nor its backup can be read.
    #[error(transparent)]
    Unreadable(#[from] MetadataError),
    /// A topic is of a kind that is not served.
    #[error(
        "{}: topic {topic} has {attribute}={value}, which this broker does not serve. Let its consumers finish on the Java broker \
         and delete the topic there, with `mqadmin deleteTopic`; then start again", path.display()
    )]
    Topic {
        /// The file that says so.
        path: PathBuf,
        /// The topic.
        topic: String,
        /// The attribute.
        attribute: &'static str,
        /// Its value.
        value: String,
    },
    /// A topic is spread over brokers by a mapping of its queues.
    #[error(
        "{}: topic {topic} is a static topic, whose queues this broker does not map. Let its consumers finish on the Java broker and \
         delete the topic there, with `mqadmin deleteTopic`; then start again", path.display()
    )]
    StaticTopic {
        /// The file that says so.
        path: PathBuf,
        /// The topic.
        topic: String,
    },
}

/// Looks at all files of metadata that `settings` lead to; changes nothing.
pub(crate) fn files(settings: &Settings) -> Vec<FileSeen> {
    let dir = settings.store.store_path_root_dir.join("config");
    let mut seen = vec![
        look::<TopicConfigSerializeWrapper>(&dir, TOPICS_FILE, unserved_topic),
        look::<SubscriptionGroupWrapper>(&dir, GROUPS_FILE, |_, _| None),
        look::<ConsumerOffsetSerializeWrapper>(&dir, offsets_file(settings), |_, _| None),
        look::<DelayOffsets>(&dir, schedule::FILE, |_, _| None),
        look::<Value>(&dir, STATIC_TOPICS_FILE, static_topic),
    ];
    for name in DISPENSABLE {
        let mut file = look::<Value>(&dir, name, |_, _| None);
        if let Version::Refused(why) = &file.version {
            file.version = Version::Dispensable(why.to_string());
        }
        seen.push(file);
    }
    seen
}

/// The first thing that a start with `settings` would be refused for, if there is any.
///
/// # Errors
/// [`Refusal`]; nothing was changed.
pub(crate) fn check(settings: &Settings) -> Result<(), Refusal> {
    for file in files(settings) {
        if let Version::Refused(why) = file.version {
            return Err(why);
        }
    }
    Ok(())
}

fn look<T: DeserializeOwned>(dir: &Path, name: &str, refuse: impl Fn(&Path, &T) -> Option<Refusal>) -> FileSeen {
    let file = MetadataFile::new(dir, name);
    let path = file.path().to_owned();
    let judged = |value: &T, version| refuse(&path, value).map_or(version, Version::Refused);
    let version = match file.choose::<T>() {
        Ok(Chosen::Nothing) => Version::Missing,
        Ok(Chosen::File(value)) => judged(&value, Version::File),
        Ok(Chosen::Backup(value, why)) => judged(&value, Version::Backup(why)),
        Err(error) => Version::Refused(error.into()),
    };
    FileSeen { path, version }
}

fn unserved_topic(path: &Path, topics: &TopicConfigSerializeWrapper) -> Option<Refusal> {
    let served = [(QUEUE_TYPE, SIMPLE_QUEUES), (CLEANUP_POLICY, DELETING)];
    topics.topic_config_table.iter().find_map(|(topic, config)| {
        let (attribute, value) = served.iter().find_map(|(attribute, served)| {
            let value = config.attributes.get(*attribute).filter(|value| value != served)?;
            Some((*attribute, value.clone()))
        })?;
        Some(Refusal::Topic { path: path.to_owned(), topic: topic.to_string(), attribute, value })
    })
}

fn static_topic(path: &Path, mapping: &Value) -> Option<Refusal> {
    let topics = mapping.get("topicQueueMappingInfoMap")?.as_object()?;
    let topic = topics.keys().next()?.clone();
    Some(Refusal::StaticTopic { path: path.to_owned(), topic })
}
