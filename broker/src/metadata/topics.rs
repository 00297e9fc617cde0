//! The topics of a broker: `topics.json`, and the rules by which a topic comes to be.
//!
//! Readers take the whole table as it is ([`Topics::table`]) or one topic ([`Topics::find`]) without a lock and
//! without allocating. A change copies the table, puts the copy in its place, writes the file and tells the listener;
//! changes happen one at a time. Never touches queues, messages or name servers.
//!
//! Upstream: `TopicConfigManager`, `TopicValidator` (RocketMQ 5.5.0).

mod boot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use boostermq_remoting::body::{DataVersion, TopicConfig, TopicConfigSerializeWrapper};
use boostermq_remoting::config::Live;
use boostermq_remoting::fastjson;
use boostermq_remoting::message::light;
use boostermq_remoting::names::{RETRY_TOPIC_PREFIX, SYSTEM_TOPIC_PREFIX, Topic};
use boostermq_store::clock::Clock;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use super::attributes::{self, AttributeError};
use super::{MetadataError, MetadataFile};
use crate::config::{BrokerConfig, Settings};

/// The topic after whose pattern unknown topics are made.
pub(crate) const AUTO_CREATE_TOPIC: &str = "TBW102";

/// Most queues of a topic that a client's send may ask for; more is an operator's decision.
const AUTO_CREATED_QUEUES_MAX: i32 = 1024;

/// The file of the topics.
pub(crate) const FILE: &str = "topics.json";

/// Why a topic was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicChangeError {
    /// The attributes asked for break a rule.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// The change holds in memory, but not on disk.
    #[error("the topic is changed, but the change is not on disk: {0}")]
    NotWritten(#[from] MetadataError),
}

/// What has changed.
#[derive(Clone, Debug)]
pub(crate) enum TopicChange {
    /// A topic was made or got another configuration.
    Put(Topic),
    /// A topic is gone.
    Deleted,
    /// Only the version is new: name servers have to take all topics anew.
    Version,
}

/// All topics at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicTable {
    /// By name.
    pub(crate) topics: HashMap<Topic, Arc<TopicConfig>>,
    /// Changes with every change of the topics.
    pub(crate) data_version: DataVersion,
    /// Members of the file that this version does not know.
    others: BTreeMap<String, Value>,
}

impl TopicTable {
    /// The topics in the order of their names.
    pub(crate) fn sorted(&self) -> BTreeMap<&str, &Arc<TopicConfig>> {
        self.topics.iter().map(|(topic, config)| (topic.as_str(), config)).collect()
    }

    fn to_file(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct TopicsJson<'a> {
            data_version: DataVersion,
            topic_config_table: BTreeMap<&'a str, &'a Arc<TopicConfig>>,
            #[serde(flatten)]
            others: &'a BTreeMap<String, Value>,
        }
        fastjson::to_pretty_vec(&TopicsJson {
            data_version: self.data_version,
            topic_config_table: self.sorted(),
            others: &self.others,
        })
    }
}

type Listener = Box<dyn Fn(&TopicChange) + Send + Sync>;

/// The topics.
pub(crate) struct Topics {
    table: ArcSwap<TopicTable>,
    generation: AtomicU64,
    /// Held while the table is changed.
    changing: Mutex<()>,
    file: MetadataFile,
    settings: Live<Settings>,
    clock: Arc<dyn Clock>,
    /// Names that belong to the broker, beside those that begin with [`SYSTEM_TOPIC_PREFIX`].
    system: BTreeSet<String>,
    has_light_queues: bool,
    listener: OnceLock<Listener>,
}

impl Topics {
    /// Reads `topics.json` in `dir` and adds the topics that every broker has.
    ///
    /// # Errors
    /// [`MetadataError`] when neither the file nor its backup can be read.
    pub(crate) fn load(dir: &Path, settings: Live<Settings>, clock: Arc<dyn Clock>) -> Result<Self, MetadataError> {
        let file = MetadataFile::new(dir, FILE);
        let stored: Option<TopicConfigSerializeWrapper> = file.load()?;
        let mut table = match stored {
            Some(stored) => TopicTable {
                topics: stored.topic_config_table.into_iter().filter_map(named).collect(),
                data_version: stored.data_version,
                others: stored.others,
            },
            None => TopicTable { data_version: DataVersion::new(clock.now_ms()), ..TopicTable::default() },
        };
        let current = settings.snapshot();
        if boot::add_topics(&mut table.topics, &current) {
            file.note_change();
        }
        Ok(Self {
            table: ArcSwap::from_pointee(table),
            generation: AtomicU64::new(1),
            changing: Mutex::new(()),
            file,
            system: fixed_system_topics(&current.broker),
            has_light_queues: current.store.enable_lmq,
            settings,
            clock,
            listener: OnceLock::new(),
        })
    }

    /// Calls `listener` after every change from now on, on the thread that made it. Only the first listener counts.
    pub(crate) fn on_change(&self, listener: impl Fn(&TopicChange) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// All topics as they are now; for use within one function, not to be kept.
    pub(crate) fn table(&self) -> Guard<Arc<TopicTable>> {
        self.table.load()
    }

    /// One topic. Light queues are topics of one queue without anybody having made them (`enableLmq`).
    pub(crate) fn find(&self, topic: &str) -> Option<Arc<TopicConfig>> {
        let found = self.table.load().topics.get(topic).cloned();
        found.or_else(|| (self.has_light_queues && light::is_name(topic)).then(|| Arc::new(light_topic(topic))))
    }

    /// Grows with every change. A configuration that was found after this number was read is the latest one for as long
    /// as the number stays.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// True for a topic that belongs to the broker.
    pub(crate) fn is_system(&self, topic: &str) -> bool {
        is_system_name(topic) || self.system.contains(topic)
    }

    /// The names that belong to the broker: those that always do, and of its topics those with the prefix.
    pub(crate) fn system_topics(&self) -> BTreeSet<String> {
        let table = self.table.load();
        let prefixed = table.topics.keys().map(Topic::as_str).filter(|topic| is_system_name(topic));
        prefixed.map(str::to_owned).chain(self.system.iter().cloned()).collect()
    }

    /// Finds the topic of a send, or makes it: a retry topic with one queue, any other after the pattern of
    /// `default_topic`, when that topic's configuration may be inherited. `None` when it may not.
    pub(crate) fn create_for_send(
        &self,
        topic: &Topic,
        default_topic: &str,
        client_queue_nums: i32,
        remote: SocketAddr,
        topic_sys_flag: i32,
    ) -> Option<Arc<TopicConfig>> {
        if topic.as_str().starts_with(RETRY_TOPIC_PREFIX) {
            let perm = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE;
            return Some(self.create_retry_or_dlq(topic, 1, perm, false, topic_sys_flag));
        }
        let template = self.template(default_topic);
        let make = |known: Option<&TopicConfig>| match known {
            Some(_) => None,
            None => template.as_ref().map(|template| {
                let most = template.write_queue_nums.clamp(1, AUTO_CREATED_QUEUES_MAX);
                let queues = client_queue_nums.clamp(1, most);
                TopicConfig {
                    topic_sys_flag,
                    topic_filter_type: template.topic_filter_type,
                    ..TopicConfig::new(topic.as_str(), queues, template.perm & !TopicConfig::PERM_INHERIT)
                }
            }),
        };
        let config = self.ensure(topic, make);
        if config.is_none() {
            tracing::warn!(%topic, default_topic, %remote, "a send names an unknown topic that may not be created");
        }
        config
    }

    /// The topic whose configuration a new one inherits.
    fn template(&self, name: &str) -> Option<TopicConfig> {
        let mut template = TopicConfig::clone(&*self.find(name)?);
        if name == AUTO_CREATE_TOPIC {
            let settings = self.settings.read();
            if !settings.broker.auto_create_topic_enable {
                return None;
            }
            template.write_queue_nums = i32::try_from(settings.broker.default_topic_queue_nums).unwrap_or(i32::MAX);
        }
        (template.perm & TopicConfig::PERM_INHERIT != 0).then_some(template)
    }

    /// Finds a topic of the broker's own making, or makes it. One that is there becomes ordered when that is asked; it
    /// never stops being so, because not everyone who asks knows.
    pub(crate) fn create_retry_or_dlq(
        &self,
        topic: &Topic,
        queues: i32,
        perm: i32,
        order: bool,
        topic_sys_flag: i32,
    ) -> Arc<TopicConfig> {
        let wanted = || TopicConfig { order, topic_sys_flag, ..TopicConfig::new(topic.as_str(), queues, perm) };
        let make = |known: Option<&TopicConfig>| match known {
            Some(known) if known.order || !order => None,
            Some(known) => Some(TopicConfig { order, ..known.clone() }),
            None => Some(wanted()),
        };
        self.ensure(topic, make).unwrap_or_else(|| Arc::new(wanted()))
    }

    /// Finds a topic and changes it as `make` says. A failure to write the file is logged: the message that needs the
    /// topic is not refused for it, and the next write brings it to disk.
    fn ensure(
        &self,
        topic: &Topic,
        make: impl Fn(Option<&TopicConfig>) -> Option<TopicConfig>,
    ) -> Option<Arc<TopicConfig>> {
        if let Some(known) = self.find(topic.as_str()).filter(|known| make(Some(known)).is_none()) {
            return Some(known);
        }
        let changed = {
            let _changing = self.changing.lock();
            let known = self.find(topic.as_str());
            let Some(made) = make(known.as_deref()) else { return known };
            self.put_locked(topic, made)
        };
        tracing::info!(%topic, config = ?changed, "topic made or changed by use");
        if let Err(error) = self.finish(&[TopicChange::Put(topic.clone())]) {
            tracing::error!(%topic, %error, "the topic is not on disk yet");
        }
        Some(changed)
    }

    /// Makes topics or gives them another configuration, as an operator asks; keys of the attributes carry their signs.
    /// Nothing happens to a topic that is already so. All of them are changed or, when the attributes of one break a
    /// rule, none.
    ///
    /// # Errors
    /// [`TopicChangeError::Attribute`], then nothing changed; [`TopicChangeError::NotWritten`].
    pub(crate) fn put(&self, configs: Vec<(Topic, TopicConfig)>) -> Result<(), TopicChangeError> {
        let mut changes = Vec::with_capacity(configs.len());
        {
            let _changing = self.changing.lock();
            for (topic, config) in configs {
                let known = self.find(topic.as_str());
                let config = altered(&topic, known.as_deref(), config)?;
                if known.is_none_or(|known| *known != config) {
                    changes.push((topic, Arc::new(config)));
                }
            }
            if changes.is_empty() {
                return Ok(());
            }
            self.change(|table| table.topics.extend(changes.iter().cloned()));
        }
        for (topic, config) in &changes {
            tracing::info!(%topic, ?config, "topic made or changed on request");
        }
        let changes: Vec<_> = changes.into_iter().map(|(topic, _)| TopicChange::Put(topic)).collect();
        self.finish(&changes)
    }

    /// Removes a topic; false when there was none.
    ///
    /// # Errors
    /// [`TopicChangeError::NotWritten`].
    pub(crate) fn delete(&self, topic: &str) -> Result<bool, TopicChangeError> {
        {
            let _changing = self.changing.lock();
            if self.find(topic).is_none() {
                return Ok(false);
            }
            self.change(|table| table.topics.remove(topic));
        }
        tracing::info!(topic, "topic deleted");
        self.finish(&[TopicChange::Deleted])?;
        Ok(true)
    }

    /// Marks topics as ordered, because a name server says they are; unknown ones are passed over.
    pub(crate) fn mark_ordered<'a>(&self, topics: impl Iterator<Item = &'a str>) {
        for name in topics {
            let topic = self.table.load().topics.get_key_value(name).map(|(topic, _)| topic.clone());
            let Some(topic) = topic else { continue };
            self.ensure(&topic, |known| {
                known.filter(|known| !known.order).map(|known| TopicConfig { order: true, ..known.clone() })
            });
        }
    }

    /// Gives the table a new version, so that name servers take all topics anew: after a change of what the broker
    /// permits.
    ///
    /// # Errors
    /// [`TopicChangeError::NotWritten`].
    pub(crate) fn renew_version(&self) -> Result<(), TopicChangeError> {
        {
            let _changing = self.changing.lock();
            self.change(|_| ());
        }
        self.finish(&[TopicChange::Version])
    }

    /// Writes the file if it lacks a change.
    ///
    /// # Errors
    /// [`MetadataError`] when it cannot be written; the next call tries again.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        self.file.save(|| self.table.load().to_file())
    }

    fn put_locked(&self, topic: &Topic, config: TopicConfig) -> Arc<TopicConfig> {
        let config = Arc::new(config);
        self.change(|table| table.topics.insert(topic.clone(), config.clone()));
        config
    }

    /// Puts a changed copy in the table's place; the caller holds [`Self::changing`].
    fn change<R>(&self, change: impl FnOnce(&mut TopicTable) -> R) {
        let mut table = TopicTable::clone(&self.table.load());
        change(&mut table);
        table.data_version = table.data_version.next(0, self.clock.now_ms());
        self.table.store(Arc::new(table));
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.file.note_change();
    }

    fn finish(&self, changes: &[TopicChange]) -> Result<(), TopicChangeError> {
        let saved = self.save();
        // Clients may use the topic even when the disk fails: it is there.
        if let Some(listener) = self.listener.get() {
            changes.iter().for_each(listener);
        }
        Ok(saved?)
    }
}

/// Names that belong to a broker with this configuration, beside those of which [`is_system_name`] is true.
pub(crate) fn fixed_system_topics(config: &BrokerConfig) -> BTreeSet<String> {
    boot::system_topics(config)
}

/// True for a name that belongs to the broker whatever the broker is called.
pub(crate) fn is_system_name(topic: &str) -> bool {
    topic.starts_with(SYSTEM_TOPIC_PREFIX)
}

/// What a light queue is as a topic (RocketMQ 5.5.0).
fn light_topic(name: &str) -> TopicConfig {
    TopicConfig::new(name, 1, TopicConfig::PERM_READ | TopicConfig::PERM_WRITE)
}

/// The configuration that a request makes of a topic: attributes are altered, and what this version does not know stays.
fn altered(topic: &Topic, known: Option<&TopicConfig>, mut config: TopicConfig) -> Result<TopicConfig, AttributeError> {
    let attributes = known.map(|known| &known.attributes);
    config.attributes = attributes::alter(attributes::OF_TOPICS, attributes, &config.attributes)?;
    config.topic_name = topic.to_string();
    for (member, value) in known.into_iter().flat_map(|known| &known.others) {
        config.others.entry(member.clone()).or_insert_with(|| value.clone());
    }
    Ok(config)
}

fn named((name, mut config): (String, TopicConfig)) -> Option<(Topic, Arc<TopicConfig>)> {
    let Some(topic) = Topic::parse_stored(&name) else {
        tracing::warn!(topic = %name, "topics.json holds a name that no topic can have; it is left out");
        return None;
    };
    config.topic_name = name;
    Some((topic, Arc::new(config)))
}
