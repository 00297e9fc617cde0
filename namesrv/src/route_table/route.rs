//! The route of a topic: its queues, and the brokers that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::names::{BrokerId, BrokerName};
use serde_json::Value;

use super::{Broker, Place, Queues, RouteTable};

/// Topics by which the members of a broker name find each other: they see members as they are.
const MEMBER_TOPIC_PREFIX: &str = "rmq_sys_SYNC_BROKER_MEMBER_";

/// What of a route the asker wants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RouteOptions<'a> {
    /// Shows the lowest slave as master where the master is lost and the slave stands in for it.
    pub(crate) acting_master: bool,
    /// Leaves out brokers with a master in another zone.
    pub(crate) zone: Option<&'a str>,
}

/// The route of a topic.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) queues: Vec<(BrokerName, Queues)>,
    pub(crate) brokers: Vec<(BrokerName, Broker)>,
    /// By address.
    pub(crate) filter_servers: BTreeMap<Arc<str>, Vec<String>>,
    /// Static topics only.
    pub(crate) mappings: BTreeMap<BrokerName, Value>,
}

impl RouteTable {
    /// The route of `topic`; `None` when no broker that is known holds it.
    pub(crate) fn route(&self, topic: &str, options: RouteOptions<'_>) -> Option<Route> {
        let row = self.topics.get(topic)?;
        let mut brokers: Vec<(BrokerName, Broker)> = row
            .queues
            .keys()
            .filter_map(|name| self.brokers.get(name).map(|broker| (name.clone(), broker.clone())))
            .collect();
        if brokers.is_empty() {
            return None;
        }
        if options.acting_master && !topic.starts_with(MEMBER_TOPIC_PREFIX) {
            for (name, broker) in &mut brokers {
                let writable = row.queues.get(name).is_some_and(|queues| queues.perm & TopicConfig::PERM_WRITE != 0);
                if broker.acting_master && !broker.has_master() && !writable {
                    stand_in(broker);
                }
            }
        }
        let mut queues: Vec<_> = row.queues.iter().map(|(name, queues)| (name.clone(), *queues)).collect();
        if let Some(zone) = options.zone {
            let near = |broker: &Broker| {
                !broker.has_master() || broker.zone.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(zone))
            };
            queues.retain(|(name, _)| brokers.iter().all(|(other, broker)| other != name || near(broker)));
            brokers.retain(|(_, broker)| near(broker));
        }
        let filter_servers = self.filter_servers_of(&brokers);
        Some(Route { queues, brokers, filter_servers, mappings: row.mappings.clone() })
    }

    fn filter_servers_of(&self, brokers: &[(BrokerName, Broker)]) -> BTreeMap<Arc<str>, Vec<String>> {
        if self.filter_servers.is_empty() {
            return BTreeMap::new();
        }
        brokers
            .iter()
            .flat_map(|(_, broker)| broker.addresses.values().map(|address| (&broker.cluster, address)))
            .filter_map(|(cluster, address)| {
                let place = Place { cluster: cluster.clone(), address: address.clone() };
                self.filter_servers.get(&place).map(|servers| (address.clone(), servers.clone()))
            })
            .collect()
    }
}

/// Shows the lowest slave under the master's number.
fn stand_in(broker: &mut Broker) {
    if let Some((_, address)) = broker.addresses.pop_first() {
        broker.addresses.insert(BrokerId::MASTER, address);
    }
}
