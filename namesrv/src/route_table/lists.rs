//! The table seen as lists: clusters, members, topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::names::{BrokerId, BrokerName, ClusterName};

use super::{Broker, RouteTable};

/// Which topics of units are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnitKind {
    /// Topics of a unit.
    Unit,
    /// Topics units subscribe to.
    Subscribed,
    /// Those of them that belong to no unit.
    SubscribedOnly,
}

impl RouteTable {
    /// Every broker name.
    pub(crate) const fn brokers(&self) -> &BTreeMap<BrokerName, Broker> {
        &self.brokers
    }

    /// Every cluster with its broker names.
    pub(crate) const fn clusters(&self) -> &BTreeMap<ClusterName, BTreeSet<BrokerName>> {
        &self.clusters
    }

    /// The addresses under a broker name, of any cluster.
    pub(crate) fn members(&self, name: &BrokerName) -> BTreeMap<BrokerId, Arc<str>> {
        self.brokers.get(name).map(|broker| broker.addresses.clone()).unwrap_or_default()
    }

    /// Every topic.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// The topics held by the brokers of a cluster, each once.
    pub(crate) fn topics_of_cluster(&self, cluster: &ClusterName) -> Vec<String> {
        let Some(names) = self.clusters.get(cluster) else { return Vec::new() };
        let here = self.topics.iter().filter(|(_, row)| row.queues.keys().any(|name| names.contains(name)));
        here.map(|(topic, _)| topic.clone()).collect()
    }

    /// The names that brokers use as topics, clusters' and brokers', and an address to ask for the rest.
    pub(crate) fn system_topics(&self) -> (Vec<String>, Option<Arc<str>>) {
        let mut topics = Vec::new();
        for (cluster, names) in &self.clusters {
            topics.push(cluster.as_str().to_owned());
            topics.extend(names.iter().map(|name| name.as_str().to_owned()));
        }
        let address = self.brokers.values().find_map(|broker| broker.addresses.values().next());
        (topics, address.cloned())
    }

    /// The topics of units. As upstream, one broker's flag speaks for the topic.
    pub(crate) fn unit_topics(&self, kind: UnitKind) -> Vec<String> {
        let wanted = |flag: i32| {
            let (unit, subscribed) =
                (flag & TopicConfig::SYS_FLAG_UNIT != 0, flag & TopicConfig::SYS_FLAG_UNIT_SUB != 0);
            match kind {
                UnitKind::Unit => unit,
                UnitKind::Subscribed => subscribed,
                UnitKind::SubscribedOnly => subscribed && !unit,
            }
        };
        let first = self.topics.iter().filter_map(|(topic, row)| Some((topic, row.queues.values().next()?)));
        first.filter(|(_, queues)| wanted(queues.topic_sys_flag)).map(|(topic, _)| topic.clone()).collect()
    }
}
