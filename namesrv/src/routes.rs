//! What is served: one line per request.

use boostermq_remoting::request::{broker_config, cluster, kv, route, topic};
use boostermq_remoting::router::{BlockingLimits, Router};

use crate::NameServer;
use crate::processor::{self, config, register};

/// Whole-table answers made at once; each holds one body in memory.
const BLOCKING_AT_ONCE: usize = 4;
/// Such requests that may wait.
const BLOCKING_QUEUED: usize = 10_000;

/// The routes of a name server. Every other code is another server's, and answered as unsupported.
pub(crate) fn router() -> Router<NameServer> {
    Router::builder(BlockingLimits { at_once: BLOCKING_AT_ONCE, queued: BLOCKING_QUEUED })
        .on(route::GetRouteinfoByTopic, processor::route::route_of_topic)
        .on(cluster::RegisterBroker, register::register)
        .on(cluster::UnregisterBroker, register::unregister)
        .on(cluster::BrokerHeartbeat, register::heartbeat)
        .on(cluster::QueryDataVersion, register::query_data_version)
        .on(cluster::GetBrokerMemberGroup, processor::route::member_group)
        .on(cluster::GetBrokerClusterInfo, processor::route::cluster_info)
        .on(topic::GetAllTopicListFromNameserver, processor::topic::all)
        .on(topic::GetTopicsByCluster, processor::topic::of_cluster)
        .on(topic::GetSystemTopicListFromNs, processor::topic::system)
        .on(topic::GetUnitTopicList, processor::topic::unit)
        .on(topic::GetHasUnitSubTopicList, processor::topic::unit_subscribed)
        .on(topic::GetHasUnitSubUnunitTopicList, processor::topic::unit_subscribed_only)
        .on(topic::RegisterTopicInNamesrv, processor::topic::register)
        .on(topic::DeleteTopicInNamesrv, processor::topic::delete)
        .on(cluster::WipeWritePermOfBroker, processor::topic::wipe_write_perm)
        .on(cluster::AddWritePermOfBroker, processor::topic::add_write_perm)
        .on(kv::PutKvConfig, processor::kv::put)
        .on(kv::GetKvConfig, processor::kv::value)
        .on(kv::DeleteKvConfig, processor::kv::delete)
        .on(kv::GetKvlistByNamespace, processor::kv::namespace)
        .on(broker_config::UpdateNamesrvConfig, config::update)
        .on(broker_config::GetNamesrvConfig, config::text)
}
