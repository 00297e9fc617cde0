//! What a broker says to its name servers: requests built from its tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boostermq_remoting::body::{DataVersion, RegisterBrokerBody, TopicConfig, TopicConfigAndMappingSerializeWrapper};
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::fastjson;
use boostermq_remoting::message::record::body_crc;
use boostermq_remoting::names::Topic;
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::cluster::{
    QueryDataVersion, QueryDataVersionRequestHeader, RegisterBroker, RegisterBrokerRequestHeader,
    UnRegisterBrokerRequestHeader, UnregisterBroker,
};

use boostermq_remoting::request::route::{GetRouteInfoRequestHeader, GetRouteinfoByTopic};
use bytes::Bytes;

use crate::broker::Identity;
use crate::config::BrokerConfig;
use crate::metadata::TopicTable;

/// A longer body is compressed whatever the setting says: name servers take frames of 16 MiB.
const PLAIN_BODY_MAX: usize = 12 << 20;

/// Asks where a topic is.
pub(super) fn route(topic: &str) -> RemotingCommand {
    let header = GetRouteInfoRequestHeader { topic: topic.to_owned(), accept_standard_json_only: Some(true) };
    RemotingCommand::request(GetRouteinfoByTopic::ROW.code, &header, Bytes::new())
}

/// Registers `topics`, or all.
pub(super) fn register(
    identity: &Identity,
    config: &BrokerConfig,
    table: &TopicTable,
    topics: Option<&BTreeSet<Topic>>,
) -> RemotingCommand {
    let body = RegisterBrokerBody {
        filter_server_list: Vec::new(),
        topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper {
            data_version: table.data_version,
            mapping_data_version: table.data_version,
            topic_config_table: permitted(config, table, topics),
            ..TopicConfigAndMappingSerializeWrapper::default()
        },
    };
    let mut compressed = config.compressed_register;
    let mut bytes = body.encode(compressed);
    if !compressed && bytes.len() > PLAIN_BODY_MAX {
        compressed = true;
        bytes = body.encode(true);
    }
    let header = RegisterBrokerRequestHeader {
        broker_name: identity.name.clone(),
        broker_addr: identity.address.to_string(),
        cluster_name: identity.cluster.clone(),
        ha_server_addr: Some(identity.ha_address.to_string()),
        broker_id: identity.id,
        heartbeat_timeout_millis: None,
        enable_acting_master: Some(false),
        compressed: Some(compressed),
        body_crc32: Some(body_crc(&bytes).cast_signed()),
    };
    RemotingCommand::request(RegisterBroker::ROW.code, &header, bytes.into())
}

/// The topics with what the broker as a whole does not permit taken away: a broker that may not be written has no topic
/// that may.
fn permitted(
    config: &BrokerConfig,
    table: &TopicTable,
    topics: Option<&BTreeSet<Topic>>,
) -> BTreeMap<String, TopicConfig> {
    const READ_WRITE: i32 = TopicConfig::PERM_READ | TopicConfig::PERM_WRITE;
    let broker = config.broker_permission.cast_signed();
    let mask = if broker & READ_WRITE == READ_WRITE { -1 } else { broker };
    let row = |(topic, config): (&Topic, &Arc<TopicConfig>)| {
        let config = TopicConfig { perm: config.perm & mask, ..TopicConfig::clone(config) };
        (topic.to_string(), config)
    };
    match topics {
        None => table.topics.iter().map(row).collect(),
        Some(topics) => topics.iter().filter_map(|topic| table.topics.get_key_value(topic)).map(row).collect(),
    }
}

/// Asks whether a name server has these topics.
pub(super) fn query_data_version(identity: &Identity, version: DataVersion) -> RemotingCommand {
    let header = QueryDataVersionRequestHeader {
        broker_name: identity.name.clone(),
        broker_addr: identity.address.to_string(),
        cluster_name: identity.cluster.clone(),
        broker_id: identity.id,
    };
    RemotingCommand::request(QueryDataVersion::ROW.code, &header, fastjson::to_vec(&version).into())
}

/// Takes the broker out.
pub(super) fn unregister(identity: &Identity) -> RemotingCommand {
    let header = UnRegisterBrokerRequestHeader {
        broker_name: identity.name.clone(),
        broker_addr: identity.address.to_string(),
        cluster_name: identity.cluster.clone(),
        broker_id: identity.id,
    };
    RemotingCommand::request(UnregisterBroker::ROW.code, &header, bytes::Bytes::new())
}
