//! Every request of the broker, a line each; what is not served stands at the end with the reason.

use boostermq_remoting::request::broker_config::{GetBrokerConfig, GetBrokerRuntimeInfo, UpdateBrokerConfig};
use boostermq_remoting::request::client::{
    CheckClientConfig, ConsumeMessageDirectly, GetAllProducerInfo, GetConsumerConnectionList, GetConsumerListByGroup,
    GetConsumerRunningInfo, GetProducerConnectionList, HeartBeat, LockBatchMq, UnlockBatchMq, UnregisterClient,
};
use boostermq_remoting::request::group::{
    DeleteSubscriptiongroup, GetAllSubscriptiongroupConfig, GetSubscriptiongroupConfig, QuerySubscriptionByConsumer,
    QueryTopicsByConsumer, UpdateAndCreateSubscriptiongroup, UpdateAndCreateSubscriptiongroupList,
    UpdateAndGetGroupForbidden,
};
use boostermq_remoting::request::offset::{
    CloneGroupOffset, GetAllConsumerOffset, GetEarliestMsgStoretime, GetMaxOffset, GetMinOffset, QueryConsumerOffset,
    SearchOffsetByTimestamp, UpdateConsumerOffset,
};
use boostermq_remoting::request::query::{QueryMessage, ViewMessageById};
use boostermq_remoting::request::send::ConsumerSendMsgBack;
use boostermq_remoting::request::topic::{
    CleanUnusedTopic, DeleteTopicInBroker, GetAllTopicConfig, GetSystemTopicListFromBroker, GetTopicConfig,
    GetTopicStatsInfo, QueryTopicConsumeByWho, UpdateAndCreateTopic, UpdateAndCreateTopicList,
};
use boostermq_remoting::router::{BlockingLimits, Router};

use crate::broker::Broker;
use crate::processor::admin::{client as clients, config, group, runtime, topic};
use crate::processor::{client, offset, query, relay, send_back};

/// Slow requests at once and waiting: upstream's admin pool (facts/semantics.md 2.0).
const BLOCKING: BlockingLimits = BlockingLimits { at_once: 16, queued: 10_000 };

/// Codes that the fast port does not serve (facts/protocol-client.md 3).
const MAIN_PORT_ONLY: [i32; 6] = [11, 361, 200_050, 200_052, 200_054, 200_055];

/// The codes that [`crate::service`] serves before the router is asked.
pub(crate) const HOT: [i32; 5] = [10, 11, 310, 320, 361];

pub(crate) fn routes() -> Router<Broker> {
    Router::builder(BLOCKING)
        .main_port_only(&MAIN_PORT_ONLY)
        // Messages.
        .on_waiting(ConsumerSendMsgBack, send_back::consumer_send_msg_back)
        .on(QueryMessage, query::query_message)
        .on(ViewMessageById, query::view_message_by_id)
        // Clients.
        .on(HeartBeat, client::heartbeat)
        .on(UnregisterClient, client::unregister)
        .on(CheckClientConfig, client::check_config)
        .on(GetConsumerListByGroup, client::consumer_list)
        .on(LockBatchMq, client::lock_queues)
        .on(UnlockBatchMq, client::unlock_queues)
        .on(GetConsumerConnectionList, clients::consumer_connections)
        .on(GetProducerConnectionList, clients::producer_connections)
        .on(GetAllProducerInfo, clients::all_producers)
        .on(QueryTopicConsumeByWho, clients::groups_of_topic)
        .on(QuerySubscriptionByConsumer, clients::subscription)
        .on_waiting(GetConsumerRunningInfo, relay::running_info)
        .on_waiting(ConsumeMessageDirectly, relay::consume_directly)
        // Offsets.
        .on(QueryConsumerOffset, offset::query_consumer_offset)
        .on(UpdateConsumerOffset, offset::update_consumer_offset)
        .on(SearchOffsetByTimestamp, offset::search_offset)
        .on(GetMaxOffset, offset::get_max_offset)
        .on(GetMinOffset, offset::get_min_offset)
        .on(GetEarliestMsgStoretime, offset::get_earliest_store_time)
        .on(GetAllConsumerOffset, offset::get_all_consumer_offsets)
        .on(CloneGroupOffset, group::clone_offsets)
        // Topics.
        .on(UpdateAndCreateTopic, topic::update_and_create)
        .on(UpdateAndCreateTopicList, topic::update_and_create_list)
        .on(DeleteTopicInBroker, topic::delete)
        .on(CleanUnusedTopic, topic::clean_unused)
        .on(GetAllTopicConfig, topic::all_configs)
        .on(GetTopicConfig, topic::config)
        .on(GetTopicStatsInfo, topic::stats)
        .on(GetSystemTopicListFromBroker, topic::system_topics)
        // Groups.
        .on(UpdateAndCreateSubscriptiongroup, group::update_and_create)
        .on(UpdateAndCreateSubscriptiongroupList, group::update_and_create_list)
        .on(DeleteSubscriptiongroup, group::delete)
        .on(GetAllSubscriptiongroupConfig, group::all_configs)
        .on(GetSubscriptiongroupConfig, group::config)
        .on(UpdateAndGetGroupForbidden, group::update_and_get_forbidden)
        .on(QueryTopicsByConsumer, group::topics_of_group)
        // The broker itself.
        .on(GetBrokerConfig, config::get_broker_config)
        .on(UpdateBrokerConfig, config::update_broker_config)
        .on(GetBrokerRuntimeInfo, runtime::get_broker_runtime_info)
}
