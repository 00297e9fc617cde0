//! Settings of brokers and name servers, and work an operator orders.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};

crate::header! {
    /// Answer: upstream `GetBrokerConfigResponseHeader`.
    GetBrokerConfigResponseHeader {
        /// `DataVersion` of the settings, JSON.
        version: String = "version",
    }

    /// Header: upstream `CheckRocksdbCqWriteProgressRequestHeader`.
    CheckRocksdbCqWriteProgressRequestHeader {
        /// One topic only.
        topic: Option<String> = "topic",
        /// Messages stored at this time or later, ms.
        check_store_time: Option<i64> = "checkStoreTime",
    }

    /// Header: upstream `ExportRocksDBConfigToJsonRequestHeader`.
    ExportRocksDbConfigToJsonRequestHeader {
        /// Tables wanted: `topics`, `subscriptionGroups`, `consumerOffsets`, separated by `;`.
        config_type: String = "configType",
    }
}

requests! {
    /// Changes settings of a broker; body of `key=value` lines.
    UpdateBrokerConfig = 25 "UPDATE_BROKER_CONFIG", Blocking, Permission::Cluster(Action::Update);
    /// Shows the settings of a broker; body of `key=value` lines.
    GetBrokerConfig = 26 "GET_BROKER_CONFIG", Inline, Permission::Cluster(Action::Get),
        NoHeader => GetBrokerConfigResponseHeader;
    /// Declared upstream, served by nobody.
    TriggerDeleteFiles = 27 "TRIGGER_DELETE_FILES", Inline, Permission::Cluster(Action::Update);
    /// Shows how a broker does; body `KvTable`.
    GetBrokerRuntimeInfo = 28 "GET_BROKER_RUNTIME_INFO", Blocking, Permission::Cluster(Action::Get);
    /// Declared upstream, served by nobody.
    RegisterFilterServer = 301 "REGISTER_FILTER_SERVER", Inline, Permission::Cluster(Action::Update);
    /// Declared upstream, served by nobody.
    RegisterMessageFilterClass = 302 "REGISTER_MESSAGE_FILTER_CLASS", Inline, Permission::Cluster(Action::Update);
    /// Removes files of consume queues whose messages are gone.
    CleanExpiredConsumequeue = 306 "CLEAN_EXPIRED_CONSUMEQUEUE", Blocking, Permission::Cluster(Action::Update);
    /// Changes settings of a name server; body of `key=value` lines.
    UpdateNamesrvConfig = 318 "UPDATE_NAMESRV_CONFIG", Blocking, Permission::Cluster(Action::Update);
    /// Shows the settings of a name server; body of `key=value` lines.
    GetNamesrvConfig = 319 "GET_NAMESRV_CONFIG", Inline, Permission::Cluster(Action::Get);
    /// Removes expired files of the commit log at once.
    DeleteExpiredCommitlog = 329 "DELETE_EXPIRED_COMMITLOG", Blocking, Permission::Cluster(Action::Update);
    /// Compares consume queues in files and in RocksDB.
    CheckRocksdbCqWriteProgress = 354 "CHECK_ROCKSDB_CQ_WRITE_PROGRESS", Blocking, Permission::Cluster(Action::Get),
        CheckRocksdbCqWriteProgressRequestHeader => NoHeader;
    /// Writes metadata kept in RocksDB as JSON files.
    ExportRocksdbConfigToJson = 355 "EXPORT_ROCKSDB_CONFIG_TO_JSON", Blocking, Permission::Cluster(Action::Get),
        ExportRocksDbConfigToJsonRequestHeader => NoHeader;
}
