//! Bodies about where brokers and topics are, and key-value tables.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::names::BrokerId;

bodies! {
    /// A topic on one broker: upstream `QueueData`.
    QueueData {
        /// The broker's name.
        broker_name: String,
        /// Bits: read 4, write 2, inherit 1.
        perm: i32,
        /// Queues that may be read.
        read_queue_nums: i32,
        /// Bits: unit 1, unit subscription 2.
        topic_sys_flag: i32,
        /// Queues that may be written.
        write_queue_nums: i32,
    }

    /// The addresses behind one broker name: upstream `BrokerData`.
    BrokerData {
        /// By number; 0 is the master. Always written: the Go client cannot bear its absence.
        broker_addrs: BTreeMap<BrokerId, String>,
        /// The name.
        broker_name: String,
        /// The cluster.
        cluster: String,
        /// A slave may stand in for a lost master.
        enable_acting_master: bool,
        /// Zone of the broker.
        #[serde(skip_serializing_if = "Option::is_none")]
        zone_name: Option<String>,
    }

    /// Where a topic is (105): upstream `TopicRouteData`.
    TopicRouteData {
        /// The brokers.
        broker_datas: Vec<BrokerData>,
        /// Filter servers by broker address; long gone.
        filter_server_table: BTreeMap<String, Vec<String>>,
        /// Queues of an ordered topic, `broker:number;broker:number`.
        #[serde(skip_serializing_if = "Option::is_none")]
        order_topic_conf: Option<String>,
        /// The topic on each broker.
        queue_datas: Vec<QueueData>,
        /// Mappings of a static topic by broker name, unparsed.
        #[serde(skip_serializing_if = "Option::is_none")]
        topic_queue_mapping_by_broker: Option<Value>,
    }

    /// All brokers and clusters (106): upstream `ClusterInfo`.
    ClusterInfo {
        /// By broker name.
        broker_addr_table: BTreeMap<String, BrokerData>,
        /// Broker names by cluster.
        cluster_addr_table: BTreeMap<String, Vec<String>>,
    }

    /// The brokers of one name: upstream `BrokerMemberGroup`.
    BrokerMemberGroup {
        /// By number.
        broker_addrs: BTreeMap<BrokerId, String>,
        /// The name.
        broker_name: String,
        /// The cluster.
        cluster: String,
    }

    /// Answer to 901: upstream `GetBrokerMemberGroupResponseBody`.
    GetBrokerMemberGroupResponseBody {
        /// The brokers.
        broker_member_group: BrokerMemberGroup,
    }

    /// Texts by name: upstream `KVTable`; answers to 28, 103, 219.
    KvTable {
        /// The table.
        table: BTreeMap<String, String>,
    }
}
