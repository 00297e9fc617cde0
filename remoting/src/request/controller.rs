//! The controller, which elects masters.
//!
//! Codes: RocketMQ 5.5.0. The last five travel inside the controller's own Raft log
//! only; they are here so that the list of codes is whole.

use super::{Action, Permission};

requests! {
    /// Changes the set of replicas in sync.
    ControllerAlterSyncStateSet = 1001 "CONTROLLER_ALTER_SYNC_STATE_SET", Waiting, Permission::Cluster(Action::Update);
    /// Elects a master.
    ControllerElectMaster = 1002 "CONTROLLER_ELECT_MASTER", Waiting, Permission::Cluster(Action::Update);
    /// Enters a broker.
    ControllerRegisterBroker = 1003 "CONTROLLER_REGISTER_BROKER", Waiting, Permission::Cluster(Action::Update);
    /// Tells the master of a broker name.
    ControllerGetReplicaInfo = 1004 "CONTROLLER_GET_REPLICA_INFO", Inline, Permission::Cluster(Action::Get);
    /// Tells which controller leads.
    ControllerGetMetadataInfo = 1005 "CONTROLLER_GET_METADATA_INFO", Inline, Permission::Cluster(Action::Get);
    /// Shows the replicas of broker names.
    ControllerGetSyncStateData = 1006 "CONTROLLER_GET_SYNC_STATE_DATA", Inline, Permission::Cluster(Action::Get);
    /// Changes settings of a controller.
    UpdateControllerConfig = 1009 "UPDATE_CONTROLLER_CONFIG", Blocking, Permission::Cluster(Action::Update);
    /// Shows the settings of a controller.
    GetControllerConfig = 1010 "GET_CONTROLLER_CONFIG", Inline, Permission::Cluster(Action::Get);
    /// Forgets brokers.
    CleanBrokerData = 1011 "CLEAN_BROKER_DATA", Waiting, Permission::Cluster(Action::Update);
    /// Tells the next free number of a broker name.
    ControllerGetNextBrokerId = 1012 "CONTROLLER_GET_NEXT_BROKER_ID", Inline, Permission::Cluster(Action::Get);
    /// Takes a number for a broker.
    ControllerApplyBrokerId = 1013 "CONTROLLER_APPLY_BROKER_ID", Waiting, Permission::Cluster(Action::Update);
    /// Inside the controller: a broker's connection is gone.
    BrokerCloseChannelRequest = 1014 "BROKER_CLOSE_CHANNEL_REQUEST", Inline, Permission::Cluster(Action::Update);
    /// Inside the controller: looks for silent brokers.
    CheckNotActiveBrokerRequest = 1015 "CHECK_NOT_ACTIVE_BROKER_REQUEST", Inline, Permission::Cluster(Action::Get);
    /// Inside the controller: tells when a broker was heard.
    GetBrokerLiveInfoRequest = 1016 "GET_BROKER_LIVE_INFO_REQUEST", Inline, Permission::Cluster(Action::Get);
    /// Inside the controller: shows the replicas of broker names.
    GetSyncStateDataRequest = 1017 "GET_SYNC_STATE_DATA_REQUEST", Inline, Permission::Cluster(Action::Get);
    /// Inside the controller: a broker was heard.
    RaftBrokerHeartBeatEventRequest = 1018 "RAFT_BROKER_HEART_BEAT_EVENT_REQUEST", Inline, Permission::Cluster(Action::Update);
}
