//! The commands, by the noun they are about: one file each.

use crate::command::SubCommand;

pub mod auth;
pub mod broker;
pub mod cluster;
pub mod consumer;
pub mod controller;
pub mod export;
pub mod group;
pub mod lite;
pub mod message;
pub mod name_server;
pub mod offset;
pub mod own;
pub mod topic;

/// Every command, in the order in which upstream lists them.
pub const ALL: &[&dyn SubCommand] = &[
    &topic::UpdateTopic,
    &topic::UpdateTopicList,
    &topic::DeleteTopic,
    &group::UpdateSubGroup,
    &group::UpdateSubGroupList,
    &group::SetConsumeMode,
    &group::DeleteSubGroup,
    &broker::UpdateBrokerConfig,
    &topic::UpdateTopicPerm,
    &topic::TopicRoute,
    &topic::TopicStatus,
    &topic::TopicClusterList,
    &broker::AddBroker,
    &broker::RemoveBroker,
    &broker::ResetMasterFlushOffset,
    &broker::BrokerStatus,
    &message::QueryMsgById,
    &message::QueryMsgByKey,
    &message::QueryMsgByUniqueKey,
    &message::QueryMsgByOffset,
    &message::QueryMsgTraceById,
    &message::PrintMsg,
    &message::PrintMsgByQueue,
    &broker::SendMsgStatus,
    &broker::BrokerConsumeStats,
    &consumer::ProducerConnection,
    &consumer::ConsumerConnection,
    &consumer::ConsumerProgress,
    &consumer::ConsumerStatus,
    &offset::CloneGroupOffset,
    &consumer::Producer,
    &cluster::ClusterList,
    &topic::TopicList,
    &name_server::UpdateKvConfig,
    &name_server::DeleteKvConfig,
    &name_server::WipeWritePerm,
    &name_server::AddWritePerm,
    &offset::ResetOffsetByTime,
    &offset::SkipAccumulatedMessage,
    &topic::UpdateOrderConf,
    &broker::CleanExpiredCq,
    &broker::DeleteExpiredCommitLog,
    &broker::CleanUnusedTopic,
    &consumer::StartMonitoring,
    &consumer::StatsAll,
    &topic::AllocateMq,
    &message::CheckMsgSendRt,
    &cluster::ClusterRt,
    &name_server::GetNamesrvConfig,
    &name_server::UpdateNamesrvConfig,
    &broker::GetBrokerConfig,
    &group::GetConsumerConfig,
    &message::QueryCq,
    &message::SendMessage,
    &message::ConsumeMessage,
    &topic::UpdateStaticTopic,
    &topic::RemappingStaticTopic,
    &export::ExportMetadata,
    &export::ExportConfigs,
    &export::ExportMetrics,
    &export::ExportMetadataInRocksDb,
    &export::ExportPopRecord,
    &broker::HaStatus,
    &controller::GetSyncStateSet,
    &broker::GetBrokerEpoch,
    &controller::GetControllerMetaData,
    &controller::GetControllerConfig,
    &controller::UpdateControllerConfig,
    &controller::ElectMaster,
    &controller::CleanBrokerMetadata,
    &message::DumpCompactionLog,
    &broker::GetColdDataFlowCtrInfo,
    &broker::UpdateColdDataFlowCtrGroupConfig,
    &broker::RemoveColdDataFlowCtrGroupConfig,
    &broker::SetCommitLogReadAheadMode,
    &auth::CreateUser,
    &auth::UpdateUser,
    &auth::DeleteUser,
    &auth::GetUser,
    &auth::ListUser,
    &auth::CopyUser,
    &auth::CreateAcl,
    &auth::UpdateAcl,
    &auth::DeleteAcl,
    &auth::GetAcl,
    &auth::ListAcl,
    &auth::CopyAcl,
    &export::RocksDbConfigToJson,
    &export::CheckRocksdbCqWriteProgress,
    &broker::SwitchTimerEngine,
    &lite::GetBrokerLiteInfo,
    &lite::GetParentTopicInfo,
    &lite::GetLiteTopicInfo,
    &lite::GetLiteClientInfo,
    &lite::GetLiteGroupInfo,
    &lite::TriggerLiteDispatch,
];

/// Commands that upstream does not have.
pub const OWN: &[&dyn SubCommand] = &[&own::Doctor, &own::Find, &own::Top];

/// Upstream's commands, then our own.
pub fn all() -> impl Iterator<Item = &'static dyn SubCommand> {
    ALL.iter().chain(OWN).copied()
}
