//! Commands about brokers.

mod broker_consume_stats;
mod broker_status;
mod cleaning;
mod cold_data;
mod configuration;
mod container;
mod get_broker_epoch;
mod ha_status;
mod reset_master_flush_offset;
mod send_msg_status;
mod switch_timer_engine;

pub use broker_consume_stats::BrokerConsumeStats;
pub use broker_status::BrokerStatus;
pub use cleaning::{CleanExpiredCq, CleanUnusedTopic, DeleteExpiredCommitLog};
pub use cold_data::{
    GetColdDataFlowCtrInfo, RemoveColdDataFlowCtrGroupConfig, SetCommitLogReadAheadMode,
    UpdateColdDataFlowCtrGroupConfig,
};
pub use configuration::{GetBrokerConfig, UpdateBrokerConfig};
pub use container::{AddBroker, RemoveBroker};
pub use get_broker_epoch::GetBrokerEpoch;
pub use ha_status::HaStatus;
pub use reset_master_flush_offset::ResetMasterFlushOffset;
pub use send_msg_status::SendMsgStatus;
pub use switch_timer_engine::SwitchTimerEngine;
