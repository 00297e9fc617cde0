//! The consumer groups of a broker: `subscriptionGroup.json`, and the rules by which a group comes to be.
//!
//! Readers find a group without a lock and without allocating; a change copies the table, puts the copy in its place
//! and writes the file. Knows nothing of who consumes.
//!
//! Upstream: `SubscriptionGroupManager` (RocketMQ 5.5.0).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use boostermq_remoting::body::{DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper};
use boostermq_remoting::config::Live;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{Group, LMQ_PREFIX};
use boostermq_store::clock::Clock;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use super::attributes::{self, AttributeError};
use super::{MetadataError, MetadataFile};
use crate::config::Settings;

/// The file of the groups.
pub(crate) const FILE: &str = "subscriptionGroup.json";

/// Groups that a broker has from its first start (RocketMQ 5.5.0).
const BOOT_GROUPS: [&str; 8] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
];

/// Groups with this prefix belong to the system.
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";

/// True for a group that every broker has, or that is the broker's own.
pub(crate) fn is_system_group(group: &str) -> bool {
    BOOT_GROUPS.contains(&group) || group.starts_with(SYSTEM_GROUP_PREFIX)
}

/// Number of the bit that forbids a group to read a topic.
const FORBIDS_READING: u32 = 2;

/// Why a group was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupChangeError {
    /// The attributes asked for break a rule.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// The change holds in memory, but not on disk.
    #[error("the group is changed, but the change is not on disk: {0}")]
    NotWritten(#[from] MetadataError),
}

/// Bits of what a group is forbidden, by topic.
type Forbidden = BTreeMap<String, i32>;

/// All groups at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupTable {
    /// By name.
    pub(crate) groups: HashMap<Group, Arc<SubscriptionGroupConfig>>,
    /// What groups are forbidden; most are forbidden nothing.
    pub(crate) forbidden: HashMap<String, Forbidden>,
    /// Changes with every change of the groups.
    pub(crate) data_version: DataVersion,
    /// Members of the file that this version does not know.
    others: BTreeMap<String, Value>,
}

impl GroupTable {
    /// The groups in the order of their names.
    pub(crate) fn sorted(&self) -> BTreeMap<&str, &Arc<SubscriptionGroupConfig>> {
        self.groups.iter().map(|(group, config)| (group.as_str(), config)).collect()
    }

    fn to_file(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct SubscriptionGroupJson<'a> {
            data_version: DataVersion,
            forbidden_table: BTreeMap<&'a str, &'a Forbidden>,
            subscription_group_table: BTreeMap<&'a str, &'a Arc<SubscriptionGroupConfig>>,
            #[serde(flatten)]
            others: &'a BTreeMap<String, Value>,
        }
        fastjson::to_pretty_vec(&SubscriptionGroupJson {
            data_version: self.data_version,
            forbidden_table: self.forbidden.iter().map(|(group, topics)| (group.as_str(), topics)).collect(),
            subscription_group_table: self.sorted(),
            others: &self.others,
        })
    }
}

/// The groups.
pub(crate) struct Groups {
    table: ArcSwap<GroupTable>,
    generation: AtomicU64,
    /// Held while the table is changed.
    changing: Mutex<()>,
    file: MetadataFile,
    has_light_groups: bool,
    settings: Live<Settings>,
    clock: Arc<dyn Clock>,
}

impl Groups {
    /// Reads `subscriptionGroup.json` in `dir` and adds the groups that every broker has.
    ///
    /// # Errors
    /// [`MetadataError`] when neither the file nor its backup can be read.
    pub(crate) fn load(dir: &Path, settings: Live<Settings>, clock: Arc<dyn Clock>) -> Result<Self, MetadataError> {
        let file = MetadataFile::new(dir, FILE);
        let stored: Option<SubscriptionGroupWrapper> = file.load()?;
        let mut table = match stored {
            Some(stored) => GroupTable {
                groups: stored.subscription_group_table.into_iter().filter_map(named).collect(),
                forbidden: stored.forbidden_table.into_iter().collect(),
                data_version: stored.data_version,
                others: stored.others,
            },
            None => GroupTable { data_version: DataVersion::new(clock.now_ms()), ..GroupTable::default() },
        };
        for (name, group) in BOOT_GROUPS.iter().filter_map(|name| Some((name, Group::parse_stored(name)?))) {
            table.groups.entry(group).or_insert_with(|| {
                file.note_change();
                Arc::new(SubscriptionGroupConfig::new(name))
            });
        }
        Ok(Self {
            table: ArcSwap::from_pointee(table),
            generation: AtomicU64::new(1),
            changing: Mutex::new(()),
            file,
            has_light_groups: settings.read().store.enable_lmq,
            settings,
            clock,
        })
    }

    /// All groups as they are now; for use within one function, not to be kept.
    pub(crate) fn table(&self) -> Guard<Arc<GroupTable>> {
        self.table.load()
    }

    /// One group. Groups of light queues need not be made (`enableLmq`).
    pub(crate) fn find(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        let found = self.table.load().groups.get(group).cloned();
        let is_light = || self.has_light_groups && group.starts_with(LMQ_PREFIX);
        found.or_else(|| is_light().then(|| Arc::new(SubscriptionGroupConfig::new(group))))
    }

    /// Grows with every change. What was found after this number was read is the latest as long as the number stays.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Finds a group, or makes it with the defaults where the settings allow that (`autoCreateSubscriptionGroup`; for
    /// system groups `enableCreateSysGroup`) and the name is one that a group may have.
    pub(crate) fn find_or_create(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        if let Some(known) = self.find(group) {
            return Some(known);
        }
        let allowed = {
            let broker = &self.settings.read().broker;
            broker.auto_create_subscription_group
                || (broker.enable_create_sys_group && group.starts_with(SYSTEM_GROUP_PREFIX))
        };
        let name = Group::parse(group).ok().filter(|_| allowed)?;
        let made = {
            let _changing = self.changing.lock();
            if let Some(known) = self.find(group) {
                return Some(known);
            }
            self.put_locked(&name, SubscriptionGroupConfig::new(group))
        };
        tracing::info!(group, "group made by its first use");
        if let Err(error) = self.save() {
            tracing::error!(group, %error, "the group is not on disk yet");
        }
        Some(made)
    }

    /// Makes groups or gives them another configuration, as an operator asks; keys of the attributes carry their signs.
    /// Nothing happens to a group that is already so. All of them are changed or, when the attributes of one break a
    /// rule, none.
    ///
    /// # Errors
    /// [`GroupChangeError::Attribute`], then nothing changed; [`GroupChangeError::NotWritten`].
    pub(crate) fn put(&self, configs: Vec<(Group, SubscriptionGroupConfig)>) -> Result<(), GroupChangeError> {
        {
            let _changing = self.changing.lock();
            let mut changes = Vec::with_capacity(configs.len());
            for (group, mut config) in configs {
                let known = self.find(group.as_str());
                let attributes = known.as_ref().map(|known| &known.attributes);
                config.attributes = attributes::alter(attributes::OF_GROUPS, attributes, &config.attributes)?;
                config.group_name = group.to_string();
                if known.is_none_or(|known| *known != config) {
                    tracing::info!(%group, ?config, "group made or changed on request");
                    changes.push((group, Arc::new(config)));
                }
            }
            if !changes.is_empty() {
                self.change(|table| table.groups.extend(changes));
            }
        }
        Ok(self.save()?)
    }

    /// Removes a group and what it was forbidden; false when there was none.
    ///
    /// # Errors
    /// [`GroupChangeError::NotWritten`].
    pub(crate) fn delete(&self, group: &str) -> Result<bool, GroupChangeError> {
        {
            let _changing = self.changing.lock();
            let table = self.table.load();
            if !table.groups.contains_key(group) && !table.forbidden.contains_key(group) {
                return Ok(false);
            }
            self.change(|table| {
                table.groups.remove(group);
                table.forbidden.remove(group);
            });
        }
        tracing::info!(group, "group deleted");
        self.save()?;
        Ok(true)
    }

    /// True when the group may read the topic.
    pub(crate) fn may_read(&self, group: &str, topic: &str) -> bool {
        let table = self.table.load();
        let bits = table.forbidden.get(group).and_then(|topics| topics.get(topic));
        bits.is_none_or(|bits| bits & (1 << FORBIDS_READING) == 0)
    }

    /// Allows or forbids a group to read a topic.
    ///
    /// # Errors
    /// [`GroupChangeError::NotWritten`].
    pub(crate) fn set_may_read(&self, group: &str, topic: &str, readable: bool) -> Result<(), GroupChangeError> {
        {
            let _changing = self.changing.lock();
            if self.may_read(group, topic) == readable {
                return Ok(());
            }
            self.change(|table| {
                let topics = table.forbidden.entry(group.to_owned()).or_default();
                let bits = topics.entry(topic.to_owned()).or_default();
                *bits ^= 1 << FORBIDS_READING;
                topics.retain(|_, bits| *bits != 0);
                table.forbidden.retain(|_, topics| !topics.is_empty());
            });
        }
        tracing::info!(group, topic, readable, "permission of a group to read a topic changed");
        Ok(self.save()?)
    }

    /// Writes the file if it lacks a change.
    ///
    /// # Errors
    /// [`MetadataError`] when it cannot be written; the next call tries again.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        self.file.save(|| self.table.load().to_file())
    }

    fn put_locked(&self, group: &Group, config: SubscriptionGroupConfig) -> Arc<SubscriptionGroupConfig> {
        let config = Arc::new(config);
        self.change(|table| table.groups.insert(group.clone(), config.clone()));
        config
    }

    /// Puts a changed copy in the table's place; the caller holds [`Self::changing`].
    fn change<R>(&self, change: impl FnOnce(&mut GroupTable) -> R) {
        let mut table = GroupTable::clone(&self.table.load());
        change(&mut table);
        table.data_version = table.data_version.next(0, self.clock.now_ms());
        self.table.store(Arc::new(table));
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.file.note_change();
    }
}

fn named((name, mut config): (String, SubscriptionGroupConfig)) -> Option<(Group, Arc<SubscriptionGroupConfig>)> {
    let Some(group) = Group::parse_stored(&name) else {
        tracing::warn!(group = %name, "subscriptionGroup.json holds a name that no group can have; it is left out");
        return None;
    };
    config.group_name = name;
    Some((group, Arc::new(config)))
}
