//! Every request of the broker, a line each; what is not served stands at the end with the reason.

use boostermq_remoting::request::broker_config::{GetBrokerConfig, GetBrokerRuntimeInfo, UpdateBrokerConfig};
use boostermq_remoting::request::client::{
    CheckClientConfig, ConsumeMessageDirectly, GetAllProducerInfo, GetConsumerConnectionList, GetConsumerListByGroup,
    GetConsumerRunningInfo, GetProducerConnectionList, HeartBeat, LockBatchMq, UnlockBatchMq, UnregisterClient,
};
use boostermq_remoting::request::group::QuerySubscriptionByConsumer;
use boostermq_remoting::request::query::{QueryMessage, ViewMessageById};
use boostermq_remoting::request::send::ConsumerSendMsgBack;
use boostermq_remoting::request::topic::QueryTopicConsumeByWho;
use boostermq_remoting::router::{BlockingLimits, Router};

use crate::broker::Broker;
use crate::processor::admin::{client as clients, config, runtime};
use crate::processor::{client, query, relay, send_back};

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
        // Topics.
        // Groups.
        // The broker itself.
        .on(GetBrokerConfig, config::get_broker_config)
        .on(UpdateBrokerConfig, config::update_broker_config)
        .on(GetBrokerRuntimeInfo, runtime::get_broker_runtime_info)
}
