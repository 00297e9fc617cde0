//! Who holds which topic: clusters, brokers with their addresses, topics with their queues, and when each broker
//! was last heard.
//!
//! Owns the rules of registration, departure and route. It never sees a socket, a frame or a clock: the time is
//! passed in, and connections are kept only as identities. Everything is gone at a restart; brokers register anew
//! within seconds.
//!
//! ```text
//! clusters   ClusterName → { BrokerName }
//! brokers    BrokerName  → Broker { addresses: BrokerId → address }
//! live       (ClusterName, address) → Live { heard, timeout, version, connection }
//! topics     topic → { queues: BrokerName → Queues, mappings: BrokerName → JSON of a static topic }
//! ```
//!
//! Upstream: `RouteInfoManager` (RocketMQ 5.5.0).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::body::{DataVersion, TopicConfig};
use boostermq_remoting::names::{BrokerId, BrokerName, ClusterName};
use boostermq_remoting::net::connection::{Connection, ConnectionId};
use serde_json::Value;

mod lists;
mod route;
#[cfg(test)]
mod tests;

pub(crate) use lists::UnitKind;
pub(crate) use route::{Route, RouteOptions};

/// Silence after which a broker that announced no time of its own is taken for dead.
pub(crate) const BROKER_TIMEOUT: Duration = Duration::from_secs(120);
/// Topics the table holds at most. The largest clusters known hold a tenth.
const TOPICS_MAX: usize = 1_000_000;
/// Broker addresses the table holds at most.
const ADDRESSES_MAX: usize = 10_000;

/// The queues of a topic on one broker name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queues {
    pub(crate) read: i32,
    pub(crate) write: i32,
    /// 4 read, 2 write, 1 inherit.
    pub(crate) perm: i32,
    /// 1 unit, 2 unit subscription.
    pub(crate) topic_sys_flag: i32,
}

/// A broker name: a master and its slaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) cluster: ClusterName,
    pub(crate) addresses: BTreeMap<BrokerId, Arc<str>>,
    /// A slave may stand in for a lost master.
    pub(crate) acting_master: bool,
    pub(crate) zone: Option<String>,
}

impl Broker {
    fn has_master(&self) -> bool {
        self.addresses.contains_key(&BrokerId::MASTER)
    }

    fn lowest(&self) -> Option<BrokerId> {
        self.addresses.keys().next().copied()
    }
}

/// A broker as one address of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) cluster: ClusterName,
    pub(crate) address: Arc<str>,
}

#[derive(Debug)]
struct Live {
    heard: Instant,
    timeout: Duration,
    version: DataVersion,
    /// The connection it registered by: its end is the broker's end.
    connection: Arc<Connection>,
    ha_address: String,
}

#[derive(Debug, Default)]
struct TopicRow {
    queues: BTreeMap<BrokerName, Queues>,
    /// Static topics only: `TopicQueueMappingInfo` as it came.
    mappings: BTreeMap<BrokerName, Value>,
}

/// A registration, checked and decoded.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) place: Place,
    pub(crate) name: BrokerName,
    pub(crate) id: BrokerId,
    pub(crate) ha_address: String,
    /// `None` from brokers older than 5.0.
    pub(crate) acting_master: Option<bool>,
    pub(crate) zone: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) version: DataVersion,
    pub(crate) topics: Vec<(String, Queues)>,
    /// Topic, broker name inside the mapping, the mapping.
    pub(crate) mappings: Vec<(String, BrokerName, Value)>,
    /// `None` leaves them as they are.
    pub(crate) filter_servers: Option<Vec<String>>,
    pub(crate) connection: Arc<Connection>,
}

/// The lowest number under a broker name changed: brokers that care are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LowestChanged {
    pub(crate) name: BrokerName,
    pub(crate) addresses: BTreeMap<BrokerId, Arc<str>>,
    /// The address that left, when one left.
    pub(crate) offline: Option<Arc<str>>,
    /// Where the newcomer's log can be copied from, when one came.
    pub(crate) ha_address: Option<String>,
}

/// What became of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// It stands.
    Accepted {
        /// A slave learns of its live master: address, and where its log can be copied from.
        master: Option<(Arc<str>, String)>,
        /// The broker name has a new lowest number.
        lowest: Option<LowestChanged>,
    },
    /// Another address holds the number with newer state: the newcomer is ignored, and told nothing.
    Outdated,
    /// One topic from a broker that never sent its whole table.
    Premature,
    /// The table is full; what of.
    Full(&'static str),
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    clusters: BTreeMap<ClusterName, BTreeSet<BrokerName>>,
    brokers: BTreeMap<BrokerName, Broker>,
    live: BTreeMap<Place, Live>,
    topics: BTreeMap<String, TopicRow>,
    filter_servers: BTreeMap<Place, Vec<String>>,
}

impl RouteTable {
    /// Enters a broker and its topics, or refreshes them. With `delete_missing` topics that the broker no longer
    /// names are taken out, unless it holds static ones.
    pub(crate) fn register(&mut self, new: Registration, delete_missing: bool, now: Instant) -> Registered {
        if !self.live.contains_key(&new.place) && self.live.len() >= ADDRESSES_MAX {
            return Registered::Full("broker addresses");
        }
        if self.topics.len().saturating_add(new.topics.len()) > TOPICS_MAX && self.would_overflow(&new) {
            return Registered::Full("topics");
        }
        self.clusters.entry(new.place.cluster.clone()).or_default().insert(new.name.clone());
        let (broker, new_name) = match self.brokers.entry(new.name.clone()) {
            Entry::Occupied(broker) => (broker.into_mut(), false),
            Entry::Vacant(vacant) => {
                let cluster = new.place.cluster.clone();
                let (addresses, acting_master, zone) = (BTreeMap::new(), false, None);
                (vacant.insert(Broker { cluster, addresses, acting_master, zone }), true)
            }
        };
        broker.acting_master = new.acting_master.unwrap_or(false);
        broker.zone = new.zone;
        let lowest_before = broker.lowest();
        // A slave that became master leaves its old number.
        broker.addresses.retain(|id, address| *id == new.id || *address != new.place.address);
        let holder = broker.addresses.get(&new.id).cloned();
        if let Some(holder) = holder.as_ref().filter(|holder| **holder != new.place.address) {
            let place = Place { cluster: new.place.cluster.clone(), address: holder.clone() };
            let newer = |live: &Live| live.version.state_version > new.version.state_version;
            if self.live.get(&place).is_some_and(newer) {
                tracing::warn!(broker = %new.name, id = %new.id, address = %new.place.address, %holder,
                    "ignored a registration: another address holds this number with newer state");
                self.live.remove(&new.place);
                self.forget_empty(&new.name);
                return Registered::Outdated;
            }
        }
        if holder.is_none() && new.topics.len() == 1 {
            self.forget_empty(&new.name);
            return Registered::Premature;
        }
        broker.addresses.insert(new.id, new.place.address.clone());
        let first = new_name || holder.is_none();
        let prime_slave = new.acting_master.is_some() && new.id != BrokerId::MASTER && broker.lowest() == Some(new.id);
        let read_only = prime_slave && broker.acting_master;
        let addresses = broker.addresses.clone();
        let lowest = lowest_before.filter(|before| new.id < *before).map(|_| LowestChanged {
            name: new.name.clone(),
            addresses: addresses.clone(),
            offline: None,
            ha_address: Some(new.ha_address.clone()),
        });
        if new.id == BrokerId::MASTER || prime_slave {
            let changed = first || self.live.get(&new.place).is_none_or(|live| live.version != new.version);
            if delete_missing && new.mappings.is_empty() {
                let kept = new.topics.iter().map(|(topic, _)| topic.as_str()).collect();
                self.delete_topics_but(&new.name, &kept);
            }
            self.enter_topics(&new.name, new.topics, read_only, changed);
            if changed {
                self.enter_mappings(new.mappings);
            }
        }
        match new.filter_servers {
            Some(servers) if servers.is_empty() => _ = self.filter_servers.remove(&new.place),
            Some(servers) => _ = self.filter_servers.insert(new.place.clone(), servers),
            None => {}
        }
        let master = addresses.get(&BrokerId::MASTER).filter(|_| new.id != BrokerId::MASTER);
        let master = master.and_then(|address| self.master_at(&new.place.cluster, address));
        let live = Live {
            heard: now,
            timeout: new.timeout.unwrap_or(BROKER_TIMEOUT),
            version: new.version,
            connection: new.connection,
            ha_address: new.ha_address,
        };
        let address = new.place.address.clone();
        if self.live.insert(new.place, live).is_none() {
            tracing::info!(broker = %new.name, id = %new.id, %address, "a broker registered");
        }
        Registered::Accepted { master, lowest }
    }

    fn would_overflow(&self, new: &Registration) -> bool {
        let unknown = new.topics.iter().filter(|(topic, _)| !self.topics.contains_key(topic)).count();
        self.topics.len().saturating_add(unknown) > TOPICS_MAX
    }

    /// The address of a live master, and the one that its replicas connect to.
    fn master_at(&self, cluster: &ClusterName, address: &Arc<str>) -> Option<(Arc<str>, String)> {
        let place = Place { cluster: cluster.clone(), address: address.clone() };
        self.live.get(&place).map(|live| (address.clone(), live.ha_address.clone()))
    }

    /// Enters a broker's topics; those of a slave that stands in for its master can only be read.
    fn enter_topics(&mut self, name: &BrokerName, topics: Vec<(String, Queues)>, read_only: bool, changed: bool) {
        for (topic, mut queues) in topics {
            if read_only {
                queues.perm &= !TopicConfig::PERM_WRITE;
            }
            self.enter_queues(topic, name, queues, changed);
        }
    }

    fn enter_mappings(&mut self, mappings: Vec<(String, BrokerName, Value)>) {
        for (topic, name, mapping) in mappings {
            // A mapping without queues would never be asked for.
            if let Some(row) = self.topics.get_mut(&topic) {
                row.mappings.insert(name, mapping);
            }
        }
    }

    /// Writes the queues of a topic on a broker, if something about the broker changed or they are not there yet.
    fn enter_queues(&mut self, topic: String, name: &BrokerName, queues: Queues, changed: bool) {
        match self.topics.entry(topic) {
            Entry::Vacant(vacant) => {
                tracing::info!(topic = %vacant.key(), broker = %name, "a topic registered");
                vacant.insert(TopicRow::default()).queues.insert(name.clone(), queues);
            }
            Entry::Occupied(mut row) if changed || !row.get().queues.contains_key(name) => {
                row.get_mut().queues.insert(name.clone(), queues);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Takes a broker name out that has no address: it was entered by a registration that was then refused.
    fn forget_empty(&mut self, name: &BrokerName) {
        if self.brokers.get(name).is_some_and(|broker| broker.addresses.is_empty()) {
            self.brokers.remove(name);
            self.forget_name(name);
        }
    }

    fn forget_name(&mut self, name: &BrokerName) {
        self.clusters.retain(|_, names| {
            names.remove(name);
            !names.is_empty()
        });
    }

    /// Takes a broker's address out; with its last address goes the name, with its last broker the topic. Answers
    /// whether the name has a new lowest number. Nothing happens when the name does not have the address.
    pub(crate) fn unregister(&mut self, place: &Place, name: &BrokerName) -> Option<LowestChanged> {
        let broker = self.brokers.get_mut(name).filter(|broker| broker.cluster == place.cluster)?;
        let before = broker.lowest();
        let count = broker.addresses.len();
        broker.addresses.retain(|_, address| *address != place.address);
        if broker.addresses.len() == count {
            return None;
        }
        let after = broker.lowest();
        let lowest = (after.is_some() && after != before).then(|| LowestChanged {
            name: name.clone(),
            addresses: broker.addresses.clone(),
            offline: Some(place.address.clone()),
            ha_address: None,
        });
        let wipe = broker.acting_master && !broker.has_master();
        let gone = broker.addresses.is_empty();
        self.live.remove(place);
        self.filter_servers.remove(place);
        tracing::info!(broker = %name, address = %place.address, last = gone, "a broker left");
        if gone {
            self.brokers.remove(name);
            self.forget_name(name);
            self.topics.retain(|_, row| {
                row.queues.remove(name);
                !row.queues.is_empty()
            });
        } else if wipe {
            self.queues_of(name).for_each(|queues| queues.perm &= !TopicConfig::PERM_WRITE);
        }
        lowest
    }

    /// Takes out every broker that registered by this connection and not by a later one.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) -> Vec<LowestChanged> {
        let places = self.live.iter().filter(|(_, live)| live.connection.id() == connection);
        let places: Vec<Place> = places.map(|(place, _)| place.clone()).collect();
        places.iter().filter_map(|place| self.leave(place)).collect()
    }

    /// Takes out every broker not heard of for its time, and answers their connections, to be closed.
    pub(crate) fn expire(&mut self, now: Instant) -> (Vec<LowestChanged>, Vec<Arc<Connection>>) {
        let silent = |live: &Live| now.saturating_duration_since(live.heard) > live.timeout;
        let places = self.live.iter().filter(|(_, live)| silent(live));
        let places: Vec<(Place, Arc<Connection>)> =
            places.map(|(place, live)| (place.clone(), live.connection.clone())).collect();
        let lowest = places
            .iter()
            .filter_map(|(place, _)| {
                tracing::warn!(cluster = %place.cluster, address = %place.address, "a broker fell silent");
                self.leave(place)
            })
            .collect();
        (lowest, places.into_iter().map(|(_, connection)| connection).collect())
    }

    /// Takes out a broker known by its place alone.
    fn leave(&mut self, place: &Place) -> Option<LowestChanged> {
        self.live.remove(place);
        self.filter_servers.remove(place);
        let holds = |broker: &Broker| {
            broker.cluster == place.cluster && broker.addresses.values().any(|address| *address == place.address)
        };
        let name = self.brokers.iter().find(|(_, broker)| holds(broker)).map(|(name, _)| name.clone())?;
        self.unregister(place, &name)
    }

    /// Notes that a broker was heard; false when it is not known.
    pub(crate) fn heard(&mut self, place: &Place, now: Instant) -> bool {
        let live = self.live.get_mut(place);
        live.map(|live| live.heard = now).is_some()
    }

    /// The data version a broker registered last.
    pub(crate) fn version(&self, place: &Place) -> Option<&DataVersion> {
        self.live.get(place).map(|live| &live.version)
    }

    /// Enters the queues of one topic, each for the broker named; nothing at all when one of them is not known.
    pub(crate) fn register_topic(&mut self, topic: &str, queues: Vec<(BrokerName, Queues)>) {
        if queues.is_empty() || (!self.topics.contains_key(topic) && self.topics.len() >= TOPICS_MAX) {
            return;
        }
        if let Some((name, _)) = queues.iter().find(|(name, _)| !self.brokers.contains_key(name)) {
            tracing::warn!(topic, broker = %name, "ignored a topic for a broker that is not registered");
            return;
        }
        self.topics.entry(topic.to_owned()).or_default().queues.extend(queues);
    }

    /// Takes a topic out, from the brokers of one cluster or from all.
    pub(crate) fn delete_topic(&mut self, topic: &str, cluster: Option<&ClusterName>) {
        let Some(cluster) = cluster else {
            self.topics.remove(topic);
            return;
        };
        let (Some(names), Some(row)) = (self.clusters.get(cluster), self.topics.get_mut(topic)) else { return };
        row.queues.retain(|name, _| !names.contains(name));
        if row.queues.is_empty() {
            self.topics.remove(topic);
        }
    }

    fn delete_topics_but(&mut self, name: &BrokerName, kept: &BTreeSet<&str>) {
        self.topics.retain(|topic, row| {
            if !kept.contains(topic.as_str()) && row.queues.remove(name).is_some() {
                tracing::info!(topic, broker = %name, "a topic left with its broker's registration");
            }
            !row.queues.is_empty()
        });
    }

    fn queues_of<'a>(&'a mut self, name: &'a BrokerName) -> impl Iterator<Item = &'a mut Queues> {
        self.topics.values_mut().filter_map(move |row| row.queues.get_mut(name))
    }

    /// Takes the right to write from every topic of a broker name, until it registers a change; how many topics.
    pub(crate) fn wipe_write_perm(&mut self, name: &BrokerName) -> usize {
        self.queues_of(name).map(|queues| queues.perm &= !TopicConfig::PERM_WRITE).count()
    }

    /// Sets every topic of a broker name to read and write, until it registers a change; how many topics.
    pub(crate) fn add_write_perm(&mut self, name: &BrokerName) -> usize {
        self.queues_of(name).map(|queues| queues.perm = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE).count()
    }
}
