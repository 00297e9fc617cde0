//! Every request of the broker, a line each; what is not served stands at the end with the reason.

use boostermq_remoting::request::broker_config::{
    CleanExpiredConsumequeue, DeleteExpiredCommitlog, GetBrokerConfig, GetBrokerRuntimeInfo, UpdateBrokerConfig,
};
use boostermq_remoting::request::client::{
    CheckClientConfig, ConsumeMessageDirectly, GetAllProducerInfo, GetConsumerConnectionList, GetConsumerListByGroup,
    GetConsumerRunningInfo, GetProducerConnectionList, HeartBeat, LockBatchMq, UnlockBatchMq, UnregisterClient,
};
use boostermq_remoting::request::cold_data::{
    GetColdDataFlowCtrInfo, RemoveColdDataFlowCtrConfig, SetCommitlogReadMode, UpdateColdDataFlowCtrConfig,
};
use boostermq_remoting::request::group::{
    DeleteSubscriptiongroup, GetAllSubscriptiongroupConfig, GetSubscriptiongroupConfig, QuerySubscriptionByConsumer,
    QueryTopicsByConsumer, UpdateAndCreateSubscriptiongroup, UpdateAndCreateSubscriptiongroupList,
    UpdateAndGetGroupForbidden,
};
use boostermq_remoting::request::ha::{GetBrokerEpochCache, GetBrokerHaStatus, ResetMasterFlushOffset};
use boostermq_remoting::request::offset::{
    CloneGroupOffset, GetAllConsumerOffset, GetAllDelayOffset, GetEarliestMsgStoretime, GetMaxOffset, GetMinOffset,
    InvokeBrokerToGetConsumerStatus, InvokeBrokerToResetOffset, QueryConsumerOffset, QueryCorrectionOffset,
    SearchOffsetByTimestamp, UpdateConsumerOffset,
};
use boostermq_remoting::request::pop::{GetAllMessageRequestMode, QueryAssignment, SetMessageRequestMode};
use boostermq_remoting::request::query::{QueryConsumeQueue, QueryMessage, ViewMessageById};
use boostermq_remoting::request::send::{ConsumerSendMsgBack, SendReplyMessage, SendReplyMessageV2};
use boostermq_remoting::request::stats::{
    GetBrokerConsumeStats, GetConsumeStats, QueryConsumeTimeSpan, ViewBrokerStatsData,
};
use boostermq_remoting::request::timer::{GetTimerCheckPoint, GetTimerMetrics, RecallMessage};
use boostermq_remoting::request::topic::{
    CleanUnusedTopic, DeleteTopicInBroker, GetAllTopicConfig, GetSystemTopicListFromBroker, GetTopicConfig,
    GetTopicStatsInfo, QueryTopicConsumeByWho, UpdateAndCreateTopic, UpdateAndCreateTopicList,
};
use boostermq_remoting::request::transaction::ResumeCheckHalfMessage;
use boostermq_remoting::router::{BlockingLimits, Router};

use crate::broker::Broker;
use crate::processor::admin::{
    cleaning, client as clients, cold_data, config, consume_stats, correction, group, offset as moves, queue,
    replication, runtime, stats, timer, topic,
};
use crate::processor::{assignment, client, offset, query, recall, relay, reply, send_back};
use crate::transaction;

/// Slow requests at once, enough for disks that read several places at a time, and waiting, as in upstream's admin pool
/// (RocketMQ 5.5.0).
const BLOCKING: BlockingLimits = BlockingLimits { at_once: 8, queued: 10_000 };

/// Codes that the fast port does not serve (RocketMQ 5.5.0).
const MAIN_PORT_ONLY: [i32; 6] = [11, 361, 200_050, 200_052, 200_054, 200_055];

/// The codes that [`crate::service`] serves before the router is asked; their routes stand there.
#[cfg(test)]
const HOT: [i32; 6] = [10, 11, 37, 310, 320, 361];

pub(crate) fn routes() -> Router<Broker> {
    Router::builder(BLOCKING)
        .main_port_only(&MAIN_PORT_ONLY)
        // Messages.
        .on_waiting(ConsumerSendMsgBack, send_back::consumer_send_msg_back)
        .on_waiting(SendReplyMessage, reply::send_reply)
        .on_waiting(SendReplyMessageV2, reply::send_reply_v2)
        .on(QueryMessage, query::query_message)
        .on(ViewMessageById, query::view_message_by_id)
        .on(ResumeCheckHalfMessage, transaction::resume_check)
        .on_waiting(RecallMessage, recall::recall_message)
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
        .on_waiting(QueryAssignment, assignment::query)
        .on(SetMessageRequestMode, assignment::set_mode)
        .on(GetAllMessageRequestMode, assignment::all_modes)
        // Offsets.
        .on(QueryConsumerOffset, offset::query_consumer_offset)
        .on(UpdateConsumerOffset, offset::update_consumer_offset)
        .on(SearchOffsetByTimestamp, offset::search_offset)
        .on(GetMaxOffset, offset::get_max_offset)
        .on(GetMinOffset, offset::get_min_offset)
        .on(GetEarliestMsgStoretime, offset::get_earliest_store_time)
        .on(GetAllConsumerOffset, offset::get_all_consumer_offsets)
        .on(CloneGroupOffset, group::clone_offsets)
        .on(InvokeBrokerToResetOffset, moves::reset)
        .on(QueryConsumeTimeSpan, moves::time_span)
        .on_waiting(InvokeBrokerToGetConsumerStatus, relay::consumer_status)
        .on(GetConsumeStats, consume_stats::of_group)
        .on(GetBrokerConsumeStats, consume_stats::of_all_groups)
        .on(QueryCorrectionOffset, correction::offsets)
        .on(QueryConsumeQueue, queue::entries)
        // Topics.
        .on_waiting(UpdateAndCreateTopic, topic::update_and_create)
        .on_waiting(UpdateAndCreateTopicList, topic::update_and_create_list)
        .on(DeleteTopicInBroker, topic::delete)
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
        .on(ViewBrokerStatsData, stats::view)
        .on(GetTimerCheckPoint, timer::check_point)
        .on(GetTimerMetrics, timer::metrics)
        .on(UpdateColdDataFlowCtrConfig, cold_data::set_limits)
        .on(RemoveColdDataFlowCtrConfig, cold_data::remove_limit)
        .on(GetColdDataFlowCtrInfo, cold_data::show)
        .on(SetCommitlogReadMode, cold_data::set_read_mode)
        .on(GetAllDelayOffset, replication::delay_offsets)
        .on(GetBrokerHaStatus, replication::status)
        .on(ResetMasterFlushOffset, replication::reset_master_flush_offset)
        .on(GetBrokerEpochCache, replication::epochs)
        .on(CleanExpiredConsumequeue, cleaning::clean_expired_queues)
        .on(DeleteExpiredCommitlog, cleaning::delete_expired_commit_log)
        .on(CleanUnusedTopic, cleaning::clean_unused_topics)
        // Not served: answered as upstream answers what it does not know, with code 3.
        .refuse("a name server serves it", &NAME_SERVER)
        .refuse("clients serve it: brokers ask it of them", &[39, 40, 220, 221, 326])
        .refuse(
            "upstream declares it and serves it nowhere",
            &[13, 22, 23, 27, 47, 209, 210, 211, 212, 213, 214, 301, 302],
        )
        .refuse("the timer keeps its files; a timer in RocksDB is not built", &[5001])
        .refuse("pop is not built yet", &POP)
        .refuse("lite topics are not built yet", &LITE)
        .refuse("static topics are not built yet", &[513])
        .refuse("replicas, broker containers and controllers are not built yet", &REPLICAS)
        .refuse("access control is not built yet", &[3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008, 3009, 3010])
        .refuse("queues and metadata in RocksDB are not read", &[354, 355])
}

const NAME_SERVER: [i32; 24] = [
    100, 101, 102, 103, 104, 105, 106, 205, 206, 216, 217, 219, 224, 304, 311, 312, 313, 318, 319, 322, 327, 901, 904,
    905,
];
const POP: [i32; 8] = [200_050, 200_051, 200_052, 200_053, 200_054, 200_055, 200_056, 200_151];
const LITE: [i32; 10] = [200_070, 200_071, 200_072, 200_073, 200_074, 200_075, 200_076, 200_077, 200_078, 200_079];
const REPLICAS: [i32; 20] = [
    902, 903, 906, 1001, 1002, 1003, 1004, 1005, 1006, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018,
];

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use boostermq_remoting::request::rows;

    use super::*;

    #[test]
    fn every_declared_code_is_served_or_refused_with_a_reason() {
        let router = routes();
        let refused: Vec<_> = router.refused().map(|(code, _)| code).collect();
        for row in rows() {
            let is_served = router.serves(row.code) || HOT.contains(&row.code.0);
            assert!(is_served != refused.contains(&row.code), "{}: served {is_served}", row.code);
        }
        for code in refused {
            assert!(rows().any(|row| row.code == code), "{code} is refused and declared nowhere");
        }
    }

    /// `REQUESTS.md` is written from the table: `BOOSTERMQ_WRITE_DOCS=1 cargo test -p boostermq-broker requests_md`.
    #[test]
    fn requests_md_is_fresh() {
        let router = routes();
        let mut text = String::from(
            "# Requests of a broker\n\nWritten from the table of requests. What is not served answers code 3, as upstream answers what it \
             does not know.\n\n| code | name | what for | served |\n| --- | --- | --- | --- |\n",
        );
        let mut declared: Vec<_> = rows().collect();
        declared.sort_by_key(|row| row.code);
        for row in declared {
            let why = router.refused().find(|(code, _)| *code == row.code).map(|(_, why)| why);
            let served = why.map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
            writeln!(text, "| {} | {} | {} | {served} |", row.code.0, row.name, row.doc.trim()).unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/REQUESTS.md");
        if std::env::var_os("BOOSTERMQ_WRITE_DOCS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == text,
            "{path} is stale: run with BOOSTERMQ_WRITE_DOCS=1"
        );
    }
}
