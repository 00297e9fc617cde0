//! Bodies about how a broker does, and what stands in its queues.

use super::SubscriptionData;

bodies! {
    /// One span of a statistic: upstream `BrokerStatsItem`.
    BrokerStatsItem {
        /// Average of one event.
        avgpt: f64,
        /// Sum over the span.
        sum: i64,
        /// Sum for each second.
        tps: f64,
    }

    /// A statistic (315): upstream `BrokerStatsData`.
    BrokerStatsData {
        /// Over a day.
        stats_day: BrokerStatsItem,
        /// Over an hour.
        stats_hour: BrokerStatsItem,
        /// Over a minute.
        stats_minute: BrokerStatsItem,
    }

    /// One entry of a consume queue: upstream `ConsumeQueueData`.
    ConsumeQueueData {
        /// Bits of filters that may match, when there are any.
        #[serde(skip_serializing_if = "Option::is_none")]
        bit_map: Option<String>,
        /// The group's filter matches.
        eval: bool,
        /// What the entry's extension holds, as JSON.
        #[serde(skip_serializing_if = "Option::is_none")]
        extend_data_json: Option<String>,
        /// Why the filter could not be asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        msg: Option<String>,
        /// Position in the commit log.
        physic_offset: i64,
        /// Bytes in the commit log.
        physic_size: i32,
        /// Hash of the tags, or an address in the extension.
        tags_code: i64,
    }

    /// Entries of a consume queue (321): upstream `QueryConsumeQueueResponseBody`.
    QueryConsumeQueueResponseBody {
        /// The group's compiled filter, as text.
        #[serde(skip_serializing_if = "Option::is_none")]
        filter_data: Option<String>,
        /// Offset after the last entry.
        max_queue_index: i64,
        /// First offset.
        min_queue_index: i64,
        /// The entries.
        queue_data: Vec<ConsumeQueueData>,
        /// The group's subscription.
        #[serde(skip_serializing_if = "Option::is_none")]
        subscription_data: Option<SubscriptionData>,
    }

    /// A slave as its master sees it: upstream `HAConnectionRuntimeInfo`.
    HaConnectionRuntimeInfo {
        /// Address of the slave.
        #[serde(skip_serializing_if = "Option::is_none")]
        addr: Option<String>,
        /// Bytes it lacks.
        diff: i64,
        /// It counts as in sync.
        in_sync: bool,
        /// Position it has acknowledged.
        slave_ack_offset: i64,
        /// Position it was sent from.
        transfer_from_where: i64,
        /// Bytes sent a second.
        transferred_byte_in_second: i64,
    }

    /// A slave as it sees itself: upstream `HAClientRuntimeInfo`.
    HaClientRuntimeInfo {
        /// When it last received, ms.
        last_read_timestamp: i64,
        /// When it last sent, ms.
        last_write_timestamp: i64,
        /// Address of the master.
        #[serde(skip_serializing_if = "Option::is_none")]
        master_addr: Option<String>,
        /// Position the master has flushed.
        master_flush_offset: i64,
        /// Its own end of the log.
        max_offset: i64,
        /// Bytes received a second.
        transferred_byte_in_second: i64,
    }

    /// How replication does (907): upstream `HARuntimeInfo`.
    HaRuntimeInfo {
        /// Of a slave.
        ha_client_runtime_info: HaClientRuntimeInfo,
        /// Of a master, by slave.
        ha_connection_info: Vec<HaConnectionRuntimeInfo>,
        /// Slaves in sync.
        in_sync_slave_nums: i32,
        /// The broker is a master.
        master: bool,
        /// The master's end of the log.
        master_commit_log_max_offset: i64,
    }
}
