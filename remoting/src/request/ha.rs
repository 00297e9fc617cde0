//! Replication, seen from outside.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::BrokerId;

crate::header! {
    /// Header of question and answer: upstream `ExchangeHAInfoRequestHeader`, `ExchangeHAInfoResponseHeader`.
    ExchangeHaInfoHeader {
        /// Where slaves copy from.
        master_ha_address: Option<String> = "masterHaAddress",
        /// Position the master has flushed.
        master_flush_offset: Option<i64> = "masterFlushOffset",
        /// The master.
        master_address: Option<String> = "masterAddress",
    }

    /// Header: upstream `ResetMasterFlushOffsetHeader`.
    ResetMasterFlushOffsetHeader {
        /// The position.
        master_flush_offset: i64 = "masterFlushOffset",
    }

    /// Header: upstream `NotifyBrokerRoleChangedRequestHeader`.
    NotifyBrokerRoleChangedRequestHeader {
        /// The new master.
        master_address: Option<String> = "masterAddress",
        /// Its term.
        master_epoch: Option<i32> = "masterEpoch",
        /// Term of the set of replicas in sync.
        sync_state_set_epoch: Option<i32> = "syncStateSetEpoch",
        /// Number of the new master.
        master_broker_id: Option<BrokerId> = "masterBrokerId",
    }
}

requests! {
    /// Brokers of one name tell each other where the master is.
    ExchangeBrokerHaInfo = 906 "EXCHANGE_BROKER_HA_INFO", Inline, Permission::Cluster(Action::Update),
        ExchangeHaInfoHeader => ExchangeHaInfoHeader;
    /// Shows how replication does; body `HaRuntimeInfo`.
    GetBrokerHaStatus = 907 "GET_BROKER_HA_STATUS", Inline, Permission::Cluster(Action::Get);
    /// Tells a slave how far its master has flushed.
    ResetMasterFlushOffset = 908 "RESET_MASTER_FLUSH_OFFSET", Inline, Permission::Cluster(Action::Update),
        ResetMasterFlushOffsetHeader => NoHeader;
    /// Shows where in the log each term of a master begins.
    GetBrokerEpochCache = 1007 "GET_BROKER_EPOCH_CACHE", Inline, Permission::Cluster(Action::Get);
    /// From a controller: the master changed.
    NotifyBrokerRoleChanged = 1008 "NOTIFY_BROKER_ROLE_CHANGED", Blocking, Permission::Cluster(Action::Update),
        NotifyBrokerRoleChangedRequestHeader => NoHeader;
}
