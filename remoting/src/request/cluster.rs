//! Brokers come, live and go: registration with name servers, membership.
//!
//! Codes and fields: RocketMQ 5.5.0.
//! Registrations run where they arrive, since those of one broker must be carried out in the order it sent them.

use super::{Action, NoHeader, Permission};
use crate::names::{BrokerId, BrokerName, ClusterName};

crate::header! {
    /// Header: upstream `RegisterBrokerRequestHeader`.
    RegisterBrokerRequestHeader {
        /// Name of the broker.
        broker_name: BrokerName = "brokerName",
        /// `ip:port` that clients shall use.
        broker_addr: String = "brokerAddr",
        /// Its cluster.
        cluster_name: ClusterName = "clusterName",
        /// `ip:port` that slaves shall use.
        ha_server_addr: Option<String> = "haServerAddr",
        /// Its number.
        broker_id: BrokerId = "brokerId",
        /// How long it may be silent, ms.
        heartbeat_timeout_millis: Option<i64> = "heartbeatTimeoutMillis",
        /// A slave may stand in for a lost master; absent from old brokers.
        enable_acting_master: Option<bool> = "enableActingMaster",
        /// The body is compressed.
        compressed: Option<bool> = "compressed",
        /// CRC-32 of the body without its sign bit; 0 is not checked.
        body_crc32: Option<i32> = "bodyCrc32",
    }

    /// Answer: upstream `RegisterBrokerResponseHeader`.
    RegisterBrokerResponseHeader {
        /// Where a slave copies from.
        ha_server_addr: Option<String> = "haServerAddr",
        /// The slave's master.
        master_addr: Option<String> = "masterAddr",
    }

    /// Header: upstream `UnRegisterBrokerRequestHeader`.
    UnRegisterBrokerRequestHeader {
        /// Name of the broker.
        broker_name: BrokerName = "brokerName",
        /// Its address.
        broker_addr: String = "brokerAddr",
        /// Its cluster.
        cluster_name: ClusterName = "clusterName",
        /// Its number.
        broker_id: BrokerId = "brokerId",
    }

    /// Header: upstream `BrokerHeartbeatRequestHeader`.
    BrokerHeartbeatRequestHeader {
        /// Its cluster.
        cluster_name: ClusterName = "clusterName",
        /// Its address.
        broker_addr: String = "brokerAddr",
        /// Name of the broker.
        broker_name: BrokerName = "brokerName",
        /// Its number.
        broker_id: Option<BrokerId> = "brokerId",
        /// Term of its role.
        epoch: Option<i32> = "epoch",
        /// End of its log.
        max_offset: Option<i64> = "maxOffset",
        /// End of what replicas have.
        confirm_offset: Option<i64> = "confirmOffset",
        /// How long it may be silent, ms.
        heartbeat_timeout_mills: Option<i64> = "heartbeatTimeoutMills",
        /// Lower wins an election.
        election_priority: Option<i32> = "electionPriority",
    }

    /// Header: upstream `QueryDataVersionRequestHeader`.
    QueryDataVersionRequestHeader {
        /// Name of the broker.
        broker_name: BrokerName = "brokerName",
        /// Its address.
        broker_addr: String = "brokerAddr",
        /// Its cluster.
        cluster_name: ClusterName = "clusterName",
        /// Its number.
        broker_id: BrokerId = "brokerId",
    }

    /// Answer: upstream `QueryDataVersionResponseHeader`.
    QueryDataVersionResponseHeader {
        /// The name server knows another version.
        changed: bool = "changed",
    }

    /// Header: upstream `GetBrokerMemberGroupRequestHeader`.
    GetBrokerMemberGroupRequestHeader {
        /// The cluster.
        cluster_name: ClusterName = "clusterName",
        /// The name.
        broker_name: BrokerName = "brokerName",
    }

    /// Header: upstream `WipeWritePermOfBrokerRequestHeader`.
    WipeWritePermOfBrokerRequestHeader {
        /// The name.
        broker_name: BrokerName = "brokerName",
    }

    /// Answer: upstream `WipeWritePermOfBrokerResponseHeader`.
    WipeWritePermOfBrokerResponseHeader {
        /// Topics that were changed.
        wipe_topic_count: i32 = "wipeTopicCount",
    }

    /// Header: upstream `AddWritePermOfBrokerRequestHeader`.
    AddWritePermOfBrokerRequestHeader {
        /// The name.
        broker_name: BrokerName = "brokerName",
    }

    /// Answer: upstream `AddWritePermOfBrokerResponseHeader`.
    AddWritePermOfBrokerResponseHeader {
        /// Topics that were changed.
        add_topic_count: i32 = "addTopicCount",
    }

    /// Header: upstream `NotifyMinBrokerIdChangeRequestHeader`.
    NotifyMinBrokerIdChangeRequestHeader {
        /// Lowest number that lives.
        min_broker_id: Option<BrokerId> = "minBrokerId",
        /// Name of the brokers.
        broker_name: Option<String> = "brokerName",
        /// Address of the one with that number.
        min_broker_addr: Option<String> = "minBrokerAddr",
        /// Address of the one that left.
        offline_broker_addr: Option<String> = "offlineBrokerAddr",
        /// Where slaves copy from.
        ha_broker_addr: Option<String> = "haBrokerAddr",
    }

    /// Header: upstream `AddBrokerRequestHeader`.
    AddBrokerRequestHeader {
        /// Configuration file of the broker.
        config_path: Option<String> = "configPath",
    }

    /// Header: upstream `RemoveBrokerRequestHeader`.
    RemoveBrokerRequestHeader {
        /// Name of the broker.
        broker_name: BrokerName = "brokerName",
        /// Its cluster.
        broker_cluster_name: ClusterName = "brokerClusterName",
        /// Its number.
        broker_id: BrokerId = "brokerId",
    }
}

requests! {
    /// Enters a broker and its topics with a name server; bodies `RegisterBrokerBody`, `KvTable`.
    RegisterBroker = 103 "REGISTER_BROKER", Inline, Permission::Cluster(Action::Update),
        RegisterBrokerRequestHeader => RegisterBrokerResponseHeader;
    /// Takes a broker out.
    UnregisterBroker = 104 "UNREGISTER_BROKER", Inline, Permission::Cluster(Action::Update),
        UnRegisterBrokerRequestHeader => NoHeader;
    /// Shows all brokers and clusters; body `ClusterInfo`.
    GetBrokerClusterInfo = 106 "GET_BROKER_CLUSTER_INFO", Blocking, Permission::Cluster(Action::Get);
    /// Takes the right to write from all topics of a broker.
    WipeWritePermOfBroker = 205 "WIPE_WRITE_PERM_OF_BROKER", Inline, Permission::Cluster(Action::Update),
        WipeWritePermOfBrokerRequestHeader => WipeWritePermOfBrokerResponseHeader;
    /// Asks whether a name server knows a broker's newest topics; body `DataVersion` both ways.
    QueryDataVersion = 322 "QUERY_DATA_VERSION", Inline, Permission::Cluster(Action::Get),
        QueryDataVersionRequestHeader => QueryDataVersionResponseHeader;
    /// Gives all topics of a broker the right to read and write.
    AddWritePermOfBroker = 327 "ADD_WRITE_PERM_OF_BROKER", Inline, Permission::Cluster(Action::Update),
        AddWritePermOfBrokerRequestHeader => AddWritePermOfBrokerResponseHeader;
    /// Shows the brokers of one name; body `GetBrokerMemberGroupResponseBody`.
    GetBrokerMemberGroup = 901 "GET_BROKER_MEMBER_GROUP", Inline, Permission::Cluster(Action::Get),
        GetBrokerMemberGroupRequestHeader => NoHeader;
    /// Starts a broker in a container.
    AddBroker = 902 "ADD_BROKER", Blocking, Permission::Cluster(Action::Update),
        AddBrokerRequestHeader => NoHeader;
    /// Stops a broker in a container.
    RemoveBroker = 903 "REMOVE_BROKER", Blocking, Permission::Cluster(Action::Update),
        RemoveBrokerRequestHeader => NoHeader;
    /// Tells that a broker lives.
    BrokerHeartbeat = 904 "BROKER_HEARTBEAT", Inline, Permission::Cluster(Action::Update),
        BrokerHeartbeatRequestHeader => NoHeader;
    /// To brokers, one way: the lowest number of a broker name changed.
    NotifyMinBrokerIdChange = 905 "NOTIFY_MIN_BROKER_ID_CHANGE", Inline, Permission::Cluster(Action::Update),
        NotifyMinBrokerIdChangeRequestHeader => NoHeader;
}
