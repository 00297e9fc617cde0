//! Settings of a broker: the table of its own keys. Those of the store are in [`boostermq_store::config`], those of
//! the network in [`boostermq_remoting::config`]; [`Settings`] reads all of them from one `broker.conf`.
//!
//! Upstream: `BrokerConfig`, `BrokerIdentity`.

use boostermq_remoting::config::reasons::{
    ACCESS, ACCOUNTS, ACTING_MASTER, ADDRESS_SERVER, COLD, CONTAINER, CONTROLLER, HA, INSTALLATION, LAGGARD, LEGACY,
    LITE, LOGS, NOTIFY, OLD_NAMESRV, OTLP, PLUGIN, POOL, POP, PROXY, QUEUE, REGISTRATION, ROCKSDB, STATIC_SUBSCRIPTION,
    STATIC_TOPIC, SUBSCRIPTIONS, TRANSFER, UNREAD_ANSWERS,
};
use boostermq_remoting::config::{
    ByteSize, ClientConfig, Millis, Percent, Seconds, SecretText, ServerConfig, Setting, TlsConfig,
};
use boostermq_remoting::names::{BrokerId, BrokerName, ClusterName};

mod access;
mod settings;
#[cfg(test)]
pub(crate) mod tests;

pub use access::AccessConfig;
pub use settings::Settings;

boostermq_remoting::constants! {
    /// How the members of a group get their messages.
    pub enum MessageRequestMode {
        /// Each member pulls from the queues that are its own.
        Pull = "PULL",
        /// The broker hands out messages from queues that all share.
        Pop = "POP",
    }
}

/// Where metrics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsExporterType {
    /// Nowhere.
    Disable,
    /// To Prometheus, which reads them.
    Prom,
    /// To the log.
    Log,
}

impl Setting for MetricsExporterType {
    fn kind() -> String {
        "one of DISABLE, PROM, LOG, or 0, 2, 3 (this version does not send metrics by OTLP_GRPC: set PROM and let the collector \
         scrape metricsPromExporterPort)"
            .to_owned()
    }
    // Names and numbers: RocketMQ 5.5.0, `MetricsExporterType`.
    fn parse(text: &str) -> Option<Self> {
        match text {
            "DISABLE" | "0" => Some(Self::Disable),
            "PROM" | "2" => Some(Self::Prom),
            "LOG" | "3" => Some(Self::Log),
            _ => None,
        }
    }
    fn text(&self) -> Option<String> {
        let text = match self {
            Self::Disable => "DISABLE",
            Self::Prom => "PROM",
            Self::Log => "LOG",
        };
        Some(text.to_owned())
    }
}

boostermq_remoting::config! {
    /// Keys of a broker, without those of its store.
    pub struct BrokerConfig {
        // Who this broker is.
        /// Cluster to which the broker belongs; a name server groups brokers by it.
        broker_cluster_name: ClusterName = "DefaultCluster".into(), "brokerClusterName", Restart;
        /// Name under which a master and its replicas are known. Filled at start with the host name, or
        /// `DEFAULT_BROKER` where the host has none.
        broker_name: BrokerName = "".into(), "brokerName", Restart;
        /// Number under the broker name: 0 is the master.
        broker_id: BrokerId = BrokerId(0), "brokerId", Restart, 0..=i64::MAX;
        /// Address that clients are told. Filled at start with the first IPv4 address of the machine that is not
        /// loopback, else 127.0.0.1.
        broker_ip1: String = String::new(), "brokerIP1", Restart;
        /// Address that replicas are told. Filled at start like brokerIP1.
        broker_ip2: String = String::new(), "brokerIP2", Restart;
        /// Name servers to register with, as `host:port`, several separated by `;`. The environment variable
        /// `NAMESRV_ADDR` stands in for an absent key.
        namesrv_addr: Option<String> = None, "namesrvAddr", Restart;
        /// Region put into answers to sends, where message traces pick it up.
        region_id: String = "DefaultRegion".into(), "regionId", Live;
        /// Folder of an installation. Cannot be changed by a request.
        rocketmq_home: Option<String> = None, "rocketmqHome", Inert(INSTALLATION);
        /// File from which the settings came. Cannot be changed by a request.
        broker_config_path: Option<String> = None, "brokerConfigPath", Inert(INSTALLATION);
        /// Keys that a request may not change, separated by `;`, beyond those that never may.
        config_black_list: String = "configBlackList;brokerConfigPath".into(), "configBlackList", Restart;
        /// The process is a container of brokers.
        is_broker_container: bool = false, "isBrokerContainer", Inert(CONTAINER);
        /// The broker runs inside a container.
        is_in_broker_container: bool = false, "isInBrokerContainer", Inert(CONTAINER);

        // Name servers.
        /// Asks an HTTP address server for the name servers.
        fetch_namesrv_addr_by_address_server: bool = false, "fetchNamesrvAddrByAddressServer", Inert(ADDRESS_SERVER);
        /// Finds name servers by looking their host name up again and again.
        fetch_name_srv_addr_by_dns_lookup: bool = false, "fetchNameSrvAddrByDnsLookup", Inert(ADDRESS_SERVER);
        /// Time between two questions to the address server.
        fetch_namesrv_addr_interval: Millis = Millis(10_000), "fetchNamesrvAddrInterval", Inert(ADDRESS_SERVER);
        /// Time between two look-ups of name servers by DNS.
        update_name_server_addr_period: Millis = Millis(120_000), "updateNameServerAddrPeriod", Inert(ADDRESS_SERVER);
        /// Time between two registrations; upstream's limits of 10 to 60 seconds hold.
        register_name_server_period: Millis = Millis(30_000), "registerNameServerPeriod", Live, 1..=i64::MAX;
        /// How long a registration waits for one name server.
        register_broker_timeout_mills: Millis = Millis(24_000), "registerBrokerTimeoutMills", Live, 1..=i64::MAX;
        /// Registers each period even when nothing changed; else the name server is asked first whether it is up to
        /// date.
        force_register: bool = true, "forceRegister", Live;
        /// Compresses the body of a registration.
        compressed_register: bool = false, "compressedRegister", Live;
        /// Speaks to name servers older than 5.0 with their request codes.
        compatible_with_old_name_srv: bool = true, "compatibleWithOldNameSrv", Inert(OLD_NAMESRV);
        /// Registers a changed topic alone.
        enable_single_topic_register: bool = false, "enableSingleTopicRegister", Inert(REGISTRATION);
        /// Splits a registration of many topics into several requests.
        enable_split_registration: bool = false, "enableSplitRegistration", Inert(REGISTRATION);
        /// Topics in one part of a split registration.
        split_registration_size: u32 = 800, "splitRegistrationSize", Inert(REGISTRATION);
        /// Time between two light heartbeats to name servers.
        broker_heartbeat_interval: Millis = Millis(1000), "brokerHeartbeatInterval", Inert(ACTING_MASTER);
        /// Silence after which a name server takes the broker for dead.
        broker_not_active_timeout_millis: Millis = Millis(10_000), "brokerNotActiveTimeoutMillis", Inert(ACTING_MASTER);
        /// How long a light heartbeat waits for its answer.
        send_heartbeat_timeout_millis: Millis = Millis(1000), "sendHeartbeatTimeoutMillis", Inert(ACTING_MASTER);

        // Topics and groups.
        /// What the broker lets clients do: 4 reads, 2 writes, 6 both, 0 neither.
        broker_permission: u32 = 6, "brokerPermission", Live, 0..=7;
        /// A send to an unknown topic creates it after the pattern of `TBW102`.
        auto_create_topic_enable: bool = true, "autoCreateTopicEnable", Live;
        /// Read and write queues of `TBW102`, and the most that an automatic topic gets.
        default_topic_queue_nums: u32 = 8, "defaultTopicQueueNums", Live, 1..=1024;
        /// The system topic named like the cluster may be written.
        cluster_topic_enable: bool = true, "clusterTopicEnable", Restart;
        /// The system topic named like the broker may be written.
        broker_topic_enable: bool = true, "brokerTopicEnable", Restart;
        /// A group that consumes without having been created is created with the defaults.
        auto_create_subscription_group: bool = true, "autoCreateSubscriptionGroup", Live;
        /// Groups that belong to the system are created at start.
        enable_create_sys_group: bool = true, "enableCreateSysGroup", Restart;
        /// Creates the topic of message traces on this broker.
        trace_topic_enable: bool = false, "traceTopicEnable", Restart;
        /// Topic of message traces.
        msg_trace_topic_name: String = "RMQ_SYS_TRACE_TOPIC".into(), "msgTraceTopicName", Restart;
        /// Tells clients in answers to sends that traces are wanted.
        trace_on: bool = true, "traceOn", Live;
        /// Refuses requests that create or change a topic of the system.
        validate_system_topic_when_update_topic: bool = true, "validateSystemTopicWhenUpdateTopic", Live;
        /// Deleting a topic also deletes the retry topics that pop groups have for it.
        clear_retry_topic_when_delete_topic: bool = true, "clearRetryTopicWhenDeleteTopic", Inert(POP);
        /// Topics may be declared to hold messages of several types.
        enable_mixed_message_type: bool = false, "enableMixedMessageType", Live;
        /// Answers a request for all topics or groups in pages when the asker can take pages.
        enable_split_metadata: bool = true, "enableSplitMetadata", Live;
        /// Topics or groups in one page.
        split_metadata_size: u32 = 2000, "splitMetadataSize", Live, 1..=i32::MAX as i64;
        /// Where topics, groups and offsets are kept: `v1` is JSON files or one RocksDB each, `v2` one RocksDB for all.
        config_manager_version: String = "v1".into(), "configManagerVersion", Refused(ROCKSDB);
        /// Keeps all metadata in one RocksDB.
        use_single_rocksdb_for_all_configs: bool = false, "useSingleRocksDBForAllConfigs", Inert(ROCKSDB);
        /// Checks each subscription against the one stored with its group.
        use_static_subscription: bool = false, "useStaticSubscription", Inert(STATIC_SUBSCRIPTION);
        /// Writes the logs of brokers in one process into folders of their own.
        isolate_log_enable: bool = false, "isolateLogEnable", Inert(LOGS);

        // Sending.
        /// Time in milliseconds since 1970 before which sends are refused, so that a broker can warm up.
        start_accept_send_request_time_stamp: i64 = 0, "startAcceptSendRequestTimeStamp", Live;
        /// Refuses half messages.
        reject_transaction_message: bool = false, "rejectTransactionMessage", Live;
        /// Answers a send from another thread than the one that stored it.
        async_send_enable: bool = true, "asyncSendEnable", Inert(POOL);
        /// Copies pulled messages to the heap before they are sent.
        transfer_msg_by_heap: bool = true, "transferMsgByHeap", Inert(TRANSFER);
        /// Stores the answers of request-reply calls besides pushing them to the asker.
        store_reply_message_enable: bool = true, "storeReplyMessageEnable", Live;
        /// Recalls a timed message even when the broker may not be written.
        allow_recall_when_broker_not_writeable: bool = true, "allowRecallWhenBrokerNotWriteable", Live;
        /// Producers may recall timed messages.
        recall_message_enable: bool = false, "recallMessageEnable", Live;
        /// Keeps the list of connected producers; false together with rejectTransactionMessage=true saves its memory.
        enable_register_producer: bool = true, "enableRegisterProducer", Live;
        /// How long a request passed on to another broker waits for its answer.
        forward_timeout: Millis = Millis(3000), "forwardTimeout", Inert(STATIC_TOPIC);

        // Pulling.
        /// Holds a pull that finds nothing for as long as the client allows; false: for shortPollingTimeMills.
        long_polling_enable: bool = true, "longPollingEnable", Live;
        /// How long a pull is held when longPollingEnable is false.
        short_polling_time_mills: Millis = Millis(1000), "shortPollingTimeMills", Live;
        /// Refuses consumers that pull on their own and are not members of a group that is pushed to.
        reject_pull_consumer_enable: bool = false, "rejectPullConsumerEnable", Live;
        /// Serves lite pull requests.
        lite_pull_message_enable: bool = true, "litePullMessageEnable", Live;
        /// Suggests a replica for reading to a consumer that lags far behind.
        slave_read_enable: bool = false, "slaveReadEnable", Live;
        /// Stops a group that lags too far behind.
        disable_consume_if_consumer_read_slowly: bool = false, "disableConsumeIfConsumerReadSlowly", Inert(LAGGARD);
        /// Lag at which a group is stopped.
        consumer_fallbehind_threshold: ByteSize = ByteSize::gib(16), "consumerFallbehindThreshold", Inert(LAGGARD);
        /// A mode without accounting of requests.
        high_speed_mode: bool = false, "highSpeedMode", Inert(LEGACY);
        /// Drops the answer to a pull whose connection cannot be written.
        enable_net_work_flow_control: bool = false, "enableNetWorkFlowControl", Inert(UNREAD_ANSWERS);
        /// Tells the members of a group when one joins or leaves, so that queues are shared out anew at once.
        notify_consumer_ids_changed_enable: bool = true, "notifyConsumerIdsChangedEnable", Live;
        /// Tells members about a change in one step instead of after a delay.
        real_time_notify_consumer_change: bool = true, "realTimeNotifyConsumerChange", Inert(NOTIFY);
        /// Silence after which a client's connection is dropped from its groups.
        channel_expired_timeout: Millis = Millis(120_000), "channelExpiredTimeout", Live, 1..=i64::MAX;
        /// Age at which a group's subscription that no member renews is forgotten.
        subscription_expired_timeout: Millis = Millis(600_000), "subscriptionExpiredTimeout", Inert(SUBSCRIPTIONS);
        /// Locks a queue on most of the replicas instead of on the master alone.
        lock_in_strict_mode: bool = false, "lockInStrictMode", Inert(HA);
        /// Looks up the groups of a closing connection by an index.
        enable_fast_channel_event_process: bool = false, "enableFastChannelEventProcess", Inert(NOTIFY);
        /// Logs the groups of each connection.
        print_channel_groups: bool = false, "printChannelGroups", Inert(LOGS);
        /// Groups from which a connection is logged.
        print_channel_groups_min_num: u32 = 5, "printChannelGroupsMinNum", Inert(LOGS);

        // Consumer offsets.
        /// Time between two writes of consumer offsets to disk.
        flush_consumer_offset_interval: Millis = Millis(5000), "flushConsumerOffsetInterval", Live, 1..=i64::MAX;
        /// Time between two writes of offset history.
        flush_consumer_offset_history_interval: Millis =
            Millis(60_000), "flushConsumerOffsetHistoryInterval", Inert(LEGACY);
        /// Commits after which the offset table gets a new data version.
        consumer_offset_update_version_step: u64 = 500, "consumerOffsetUpdateVersionStep", Live, 1..=i64::MAX;
        /// Deliveries after which the table of delay offsets gets a new data version.
        delay_offset_update_version_step: u64 = 200, "delayOffsetUpdateVersionStep", Live, 1..=i64::MAX;
        /// Resets of a group's offsets are kept here and given to the next pull, instead of being pushed to clients
        /// alone.
        use_server_side_reset_offset: bool = true, "useServerSideResetOffset", Live;
        /// Remembers the offsets of broadcasting consumers that come through a proxy.
        enable_broadcast_offset_store: bool = true, "enableBroadcastOffsetStore", Inert(PROXY);
        /// Time after which the offset of a silent broadcasting consumer is forgotten.
        broadcast_offset_expire_second: Seconds = Seconds(120), "broadcastOffsetExpireSecond", Inert(PROXY);
        /// Time after which such an offset is forgotten in any case.
        broadcast_offset_expire_max_second: Seconds = Seconds(300), "broadcastOffsetExpireMaxSecond", Inert(PROXY);
        /// Writes only offsets that changed.
        persist_consumer_offset_incrementally: bool = false, "persistConsumerOffsetIncrementally", Inert(ROCKSDB);

        // Filters.
        /// Consumers may filter by SQL92 expressions over properties.
        enable_property_filter: bool = false, "enablePropertyFilter", Live;
        /// Filters messages of a retry topic by what their group wanted of the topics they came from, where it subscribes to
        /// the retry topic by an expression.
        filter_support_retry: bool = false, "filterSupportRetry", Live;
        /// Computes at dispatch which groups want a message; with enableConsumeQueueExt, old messages that nobody wants are then
        /// not read.
        enable_calc_filter_bit_map: bool = false, "enableCalcFilterBitMap", Live;
        /// Groups for which the filter bits are sized.
        expect_consumer_num_use_filter: u32 = 32, "expectConsumerNumUseFilter", Restart, 1..=20_000;
        /// False hits allowed in the filter bits.
        max_error_rate_of_bloom_filter: Percent = Percent(20), "maxErrorRateOfBloomFilter", Restart, 1..=99;
        /// Time after which the filter of a vanished group is forgotten.
        filter_data_clean_time_span: Millis = Millis(86_400_000), "filterDataCleanTimeSpan", Live;

        // Overload.
        /// Answers busy to requests that waited too long in a queue.
        broker_fast_failure_enable: bool = true, "brokerFastFailureEnable", Inert(QUEUE);
        /// How long a send may wait in its queue.
        wait_time_mills_in_send_queue: Millis = Millis(200), "waitTimeMillsInSendQueue", Inert(QUEUE);
        /// How long a pull may wait in its queue.
        wait_time_mills_in_pull_queue: Millis = Millis(5000), "waitTimeMillsInPullQueue", Inert(QUEUE);
        /// How long a lite pull may wait in its queue.
        wait_time_mills_in_lite_pull_queue: Millis = Millis(5000), "waitTimeMillsInLitePullQueue", Inert(QUEUE);
        /// How long a heartbeat may wait in its queue.
        wait_time_mills_in_heartbeat_queue: Millis = Millis(31_000), "waitTimeMillsInHeartbeatQueue", Inert(QUEUE);
        /// How long the end of a transaction may wait in its queue.
        wait_time_mills_in_transaction_queue: Millis = Millis(3000), "waitTimeMillsInTransactionQueue", Inert(QUEUE);
        /// How long an acknowledgement may wait in its queue.
        wait_time_mills_in_ack_queue: Millis = Millis(3000), "waitTimeMillsInAckQueue", Inert(QUEUE);
        /// How long an admin request may wait in its queue.
        wait_time_mills_in_admin_broker_queue: Millis = Millis(5000), "waitTimeMillsInAdminBrokerQueue", Inert(QUEUE);
        /// Sends that may wait.
        send_thread_pool_queue_capacity: u32 = 10_000, "sendThreadPoolQueueCapacity", Inert(QUEUE);
        /// Completions of sends that may wait.
        put_thread_pool_queue_capacity: u32 = 10_000, "putThreadPoolQueueCapacity", Inert(QUEUE);
        /// Pulls that may wait.
        pull_thread_pool_queue_capacity: u32 = 100_000, "pullThreadPoolQueueCapacity", Inert(QUEUE);
        /// Lite pulls that may wait.
        lite_pull_thread_pool_queue_capacity: u32 = 100_000, "litePullThreadPoolQueueCapacity", Inert(QUEUE);
        /// Acknowledgements that may wait.
        ack_thread_pool_queue_capacity: u32 = 100_000, "ackThreadPoolQueueCapacity", Inert(QUEUE);
        /// Replies that may wait.
        reply_thread_pool_queue_capacity: u32 = 10_000, "replyThreadPoolQueueCapacity", Inert(QUEUE);
        /// Queries that may wait.
        query_thread_pool_queue_capacity: u32 = 20_000, "queryThreadPoolQueueCapacity", Inert(QUEUE);
        /// Client requests that may wait.
        client_manager_thread_pool_queue_capacity: u32 =
            1_000_000, "clientManagerThreadPoolQueueCapacity", Inert(QUEUE);
        /// Group requests that may wait.
        consumer_manager_thread_pool_queue_capacity: u32 =
            1_000_000, "consumerManagerThreadPoolQueueCapacity", Inert(QUEUE);
        /// Heartbeats that may wait.
        heartbeat_thread_pool_queue_capacity: u32 = 50_000, "heartbeatThreadPoolQueueCapacity", Inert(QUEUE);
        /// Ends of transactions that may wait.
        end_transaction_pool_queue_capacity: u32 = 100_000, "endTransactionPoolQueueCapacity", Inert(QUEUE);
        /// Admin requests that may wait.
        admin_broker_thread_pool_queue_capacity: u32 = 10_000, "adminBrokerThreadPoolQueueCapacity", Inert(QUEUE);
        /// Queue assignments that may wait.
        load_balance_thread_pool_queue_capacity: u32 = 100_000, "loadBalanceThreadPoolQueueCapacity", Inert(QUEUE);

        // Threads.
        /// Threads for sends; 0 shows as the smaller of 4 and the number of CPUs.
        send_message_thread_pool_nums: u32 = 0, "sendMessageThreadPoolNums", Inert(POOL);
        /// Threads that answer stored sends; 0 shows as the smaller of 4 and the number of CPUs.
        put_message_future_thread_pool_nums: u32 = 0, "putMessageFutureThreadPoolNums", Inert(POOL);
        /// Threads for pulls; 0 shows as 16 and twice the CPUs.
        pull_message_thread_pool_nums: u32 = 0, "pullMessageThreadPoolNums", Inert(POOL);
        /// Threads for lite pulls; 0 shows as 16 and twice the CPUs.
        lite_pull_message_thread_pool_nums: u32 = 0, "litePullMessageThreadPoolNums", Inert(POOL);
        /// Threads for acknowledgements.
        ack_message_thread_pool_nums: u32 = 16, "ackMessageThreadPoolNums", Inert(POOL);
        /// Threads for replies; 0 shows as 16 and twice the CPUs.
        process_reply_message_thread_pool_nums: u32 = 0, "processReplyMessageThreadPoolNums", Inert(POOL);
        /// Threads for queries; 0 shows as 8 and the CPUs.
        query_message_thread_pool_nums: u32 = 0, "queryMessageThreadPoolNums", Inert(POOL);
        /// Threads for admin requests.
        admin_broker_thread_pool_nums: u32 = 16, "adminBrokerThreadPoolNums", Inert(POOL);
        /// Threads for client requests.
        client_manage_thread_pool_nums: u32 = 32, "clientManageThreadPoolNums", Inert(POOL);
        /// Threads for group requests.
        consumer_manage_thread_pool_nums: u32 = 32, "consumerManageThreadPoolNums", Inert(POOL);
        /// Threads for queue assignments.
        load_balance_processor_thread_pool_nums: u32 = 32, "loadBalanceProcessorThreadPoolNums", Inert(POOL);
        /// Threads for heartbeats; 0 shows as the smaller of 32 and the number of CPUs.
        heartbeat_thread_pool_nums: u32 = 0, "heartbeatThreadPoolNums", Inert(POOL);
        /// Threads that recover consume queues at start.
        recover_thread_pool_nums: u32 = 32, "recoverThreadPoolNums", Inert(POOL);
        /// Threads for ends of transactions; 0 shows as 8 and twice the CPUs.
        end_transaction_thread_pool_nums: u32 = 0, "endTransactionThreadPoolNums", Inert(POOL);
        /// Recovers consume queues with several threads.
        recover_concurrently: bool = false, "recoverConcurrently", Inert(POOL);

        // Statistics and accounts.
        /// Counts sends and deliveries by queue, not by topic and group alone.
        enable_detail_stat: bool = true, "enableDetailStat", Live;
        /// Drops the counters of deleted topics and groups.
        auto_delete_unused_stats: bool = true, "autoDeleteUnusedStats", Live;
        /// Minutes after which a counter that does not move is dropped; -1 keeps it.
        max_stats_idle_time_in_minutes: i32 = -1, "maxStatsIdleTimeInMinutes", Live;
        /// Counts by account for billing.
        account_stats_enable: bool = true, "accountStatsEnable", Inert(ACCOUNTS);
        /// Logs accounts that moved nothing.
        account_stats_print_zero_values: bool = true, "accountStatsPrintZeroValues", Inert(ACCOUNTS);
        /// Unit in which billing counts messages.
        commercial_base_count: u32 = 1, "commercialBaseCount", Inert(ACCOUNTS);
        /// Size that billing takes for one message.
        commercial_size_per_msg: ByteSize = ByteSize::kib(4), "commercialSizePerMsg", Inert(ACCOUNTS);
        /// Counts pulls by light queue; otherwise those of all light queues together.
        enable_lmq_stats: bool = false, "enableLmqStats", Restart;

        // Queue assignment by the broker.
        /// Shares out queues among consumers that leave it to the broker; false: each of them gets all.
        server_load_balancer_enable: bool = true, "serverLoadBalancerEnable", Live;
        /// How groups without a choice of their own consume.
        default_message_request_mode: MessageRequestMode = MessageRequestMode::Pull, "defaultMessageRequestMode", Inert(POP);
        /// Queues that a pop consumer shares with others; -1 shares all.
        default_pop_share_queue_num: i32 = -1, "defaultPopShareQueueNum", Inert(POP);
        /// Time between two questions to the name server for routes of topics that are shared out.
        load_balance_poll_name_server_interval: Millis =
            Millis(30_000), "loadBalancePollNameServerInterval", Live, 1..=i64::MAX;

        // Pop.
        /// Pops that may be held for one queue.
        pop_polling_size: u32 = 1024, "popPollingSize", Inert(POP);
        /// Queues for which pops may be held.
        pop_polling_map_size: u32 = 100_000, "popPollingMapSize", Inert(POP);
        /// Time after which an unused entry of held pops is dropped.
        pop_polling_map_expire_time_seconds: Seconds = Seconds(600), "popPollingMapExpireTimeSeconds", Inert(POP);
        /// Pops that may be held in all.
        max_pop_polling_size: u64 = 100_000, "maxPopPollingSize", Inert(POP);
        /// Queues of the topic that brings back messages not acknowledged.
        revive_queue_num: u32 = 8, "reviveQueueNum", Inert(POP);
        /// Pause between two rounds of bringing messages back.
        revive_interval: Millis = Millis(1000), "reviveInterval", Inert(POP);
        /// Rounds after which a slow revival is reported.
        revive_max_slow: u64 = 3, "reviveMaxSlow", Inert(POP);
        /// How long one round reads.
        revive_scan_time: Millis = Millis(10_000), "reviveScanTime", Inert(POP);
        /// Brings a message back when its acknowledgement takes too long.
        enable_skip_long_awaiting_ack: bool = false, "enableSkipLongAwaitingAck", Inert(POP);
        /// How long a revival waits for acknowledgements.
        revive_ack_wait_ms: Millis = Millis(180_000), "reviveAckWaitMs", Inert(POP);
        /// Logs each pop.
        enable_pop_log: bool = false, "enablePopLog", Inert(POP);
        /// Matches pops and acknowledgements in memory first.
        enable_pop_buffer_merge: bool = false, "enablePopBufferMerge", Inert(POP);
        /// How long a pop waits in memory for its acknowledgement.
        pop_ck_stay_buffer_time: Millis = Millis(10_000), "popCkStayBufferTime", Inert(POP);
        /// How long before its invisible time ends a pop leaves memory.
        pop_ck_stay_buffer_time_out: Millis = Millis(3000), "popCkStayBufferTimeOut", Inert(POP);
        /// Pops that may wait in memory.
        pop_ck_max_buffer_size: u32 = 200_000, "popCkMaxBufferSize", Inert(POP);
        /// Pops of one queue that may wait in memory.
        pop_ck_offset_max_queue_size: u32 = 20_000, "popCkOffsetMaxQueueSize", Inert(POP);
        /// Stores acknowledgements together.
        enable_pop_batch_ack: bool = false, "enablePopBatchAck", Inert(POP);
        /// Time after which held pops are looked at again.
        pop_long_polling_force_notify_interval: Millis = Millis(800), "popLongPollingForceNotifyInterval", Inert(POP);
        /// Wakes held pops before the lag is computed.
        enable_notify_before_pop_calculate_lag: bool = true, "enableNotifyBeforePopCalculateLag", Inert(POP);
        /// Wakes held pops when an ordered queue is released.
        enable_notify_after_pop_order_lock_release: bool = true, "enableNotifyAfterPopOrderLockRelease", Inert(POP);
        /// Starts a new group at the end of a queue whose messages are still in memory.
        init_pop_offset_by_check_msg_in_mem: bool = true, "initPopOffsetByCheckMsgInMem", Inert(POP);
        /// Reads retry topics of the older naming as well.
        retrieve_message_from_pop_retry_topic_v1: bool = true, "retrieveMessageFromPopRetryTopicV1", Inert(POP);
        /// Names retry topics of pop groups in the newer way.
        enable_retry_topic_v2: bool = false, "enableRetryTopicV2", Inert(POP);
        /// Share of pops that look into the retry topic first.
        pop_from_retry_probability: Percent = Percent(20), "popFromRetryProbability", Inert(POP), 0..=100;
        /// The same for topics with priorities.
        pop_from_retry_probability_for_priority: Percent =
            Percent(0), "popFromRetryProbabilityForPriority", Inert(POP), 0..=100;
        /// Queues with lower numbers have lower priority.
        priority_order_asc: bool = true, "priorityOrderAsc", Inert(POP);
        /// Loads pops kept in files.
        pop_consumer_fs_service_init: bool = true, "popConsumerFSServiceInit", Inert(POP);
        /// Logs the pops kept in RocksDB.
        pop_consumer_kv_service_log: bool = false, "popConsumerKVServiceLog", Inert(POP);
        /// Loads pops kept in RocksDB.
        pop_consumer_kv_service_init: bool = false, "popConsumerKVServiceInit", Inert(POP);
        /// Keeps pops in RocksDB.
        pop_consumer_kv_service_enable: bool = false, "popConsumerKVServiceEnable", Inert(POP);
        /// Pops brought back in one read.
        pop_revive_max_return_size_per_read: u32 = 16_384, "popReviveMaxReturnSizePerRead", Inert(POP);
        /// Pops brought back side by side.
        pop_revive_concurrency: u32 = 32, "popReviveConcurrency", Inert(POP);
        /// Tries to bring one pop back.
        pop_revive_max_attempt_times: u32 = 16, "popReviveMaxAttemptTimes", Inert(POP);
        /// Drops pops of groups that no longer exist.
        pop_revive_skip_if_group_absent: bool = true, "popReviveSkipIfGroupAbsent", Inert(POP);
        /// Gives each queue a retry queue of its own.
        use_separate_retry_queue: bool = false, "useSeparateRetryQueue", Inert(POP);
        /// Looks at messages before a waiting consumer is told of them.
        use_message_filter_for_notification: bool = true, "useMessageFilterForNotification", Inert(POP);
        /// Messages looked at for one notification.
        max_message_filter_num_for_notification: u32 = 64, "maxMessageFilterNumForNotification", Inert(POP);
        /// Names the retry topic in answers to pops.
        pop_response_return_actual_retry_topic: bool = false, "popResponseReturnActualRetryTopic", Inert(POP);
        /// Messages in flight at which a group gets no more.
        pop_inflight_message_threshold: u64 = 10_000, "popInflightMessageThreshold", Inert(POP);
        /// Limits the messages in flight of a group.
        enable_pop_message_threshold: bool = false, "enablePopMessageThreshold", Inert(POP);
        /// Gives up on a pop that was put back too often.
        skip_when_ck_re_put_reach_max_times: bool = false, "skipWhenCKRePutReachMaxTimes", Inert(POP);
        /// Stores acknowledgements without waiting.
        append_ack_async: bool = false, "appendAckAsync", Inert(POP);
        /// Stores pops without waiting.
        append_ck_async: bool = false, "appendCkAsync", Inert(POP);
        /// Estimates the lag of groups with filters.
        estimate_accumulation: bool = true, "estimateAccumulation", Live;

        // Transactions.
        /// Age at which a half message is asked about for the first time.
        transaction_time_out: Millis = Millis(6000), "transactionTimeOut", Live;
        /// Questions about one half message.
        transaction_check_max: u32 = 15, "transactionCheckMax", Live;
        /// Time between two rounds of questions.
        transaction_check_interval: Millis = Millis(30_000), "transactionCheckInterval", Live;
        /// Time between two writes of the counts of half messages.
        transaction_metric_flush_interval: Millis = Millis(10_000), "transactionMetricFlushInterval", Restart;
        /// Threads that ask, least.
        transaction_check_rocksdb_core_threads: u32 = 2, "transactionCheckRocksdbCoreThreads", Inert(ROCKSDB);
        /// Threads that ask, most.
        transaction_check_rocksdb_max_threads: u32 = 5, "transactionCheckRocksdbMaxThreads", Inert(ROCKSDB);
        /// Questions that may wait.
        transaction_check_rocksdb_queue_capacity: u32 = 2000, "transactionCheckRocksdbQueueCapacity", Inert(ROCKSDB);
        /// Largest record of finished half messages.
        transaction_op_msg_max_size: ByteSize = ByteSize::kib(4), "transactionOpMsgMaxSize", Live;
        /// How long finished half messages are gathered into one record.
        transaction_op_batch_interval: Millis = Millis(3000), "transactionOpBatchInterval", Live;

        // Replicas and failover.
        /// A replica takes over duties of a dead master.
        enable_slave_acting_master: bool = false, "enableSlaveActingMaster", Refused(ACTING_MASTER);
        /// An acting master sends messages that it may not store to other brokers.
        enable_remote_escape: bool = false, "enableRemoteEscape", Inert(ACTING_MASTER);
        /// Goes online without first catching up.
        skip_pre_online: bool = false, "skipPreOnline", Inert(ACTING_MASTER);
        /// Time between two questions for the members of the broker name.
        sync_broker_member_group_period: Millis = Millis(1000), "syncBrokerMemberGroupPeriod", Inert(ACTING_MASTER);
        /// Time between two removals of members that went away.
        clean_offline_broker_interval: Millis = Millis(30_000), "cleanOfflineBrokerInterval", Inert(ACTING_MASTER);
        /// A controller chooses the master.
        enable_controller_mode: bool = false, "enableControllerMode", Refused(CONTROLLER);
        /// Addresses of controllers.
        controller_addr: String = String::new(), "controllerAddr", Inert(CONTROLLER);
        /// Finds controllers by DNS.
        fetch_controller_addr_by_dns_lookup: bool = false, "fetchControllerAddrByDnsLookup", Inert(CONTROLLER);
        /// Time between two reads of the replica set.
        sync_broker_metadata_period: Millis = Millis(5000), "syncBrokerMetadataPeriod", Inert(CONTROLLER);
        /// Time between two checks which replicas are in step.
        check_sync_state_set_period: Millis = Millis(5000), "checkSyncStateSetPeriod", Inert(CONTROLLER);
        /// Time between two questions which controller leads.
        sync_controller_metadata_period: Millis = Millis(10_000), "syncControllerMetadataPeriod", Inert(CONTROLLER);
        /// Silence after which a controller takes the broker for dead.
        controller_heart_beat_timeout_mills: Millis =
            Millis(10_000), "controllerHeartBeatTimeoutMills", Inert(CONTROLLER);
        /// Rank in an election; lower is preferred.
        broker_election_priority: i32 = i32::MAX, "brokerElectionPriority", Inert(CONTROLLER);

        // Access.
        /// Checks access keys by the first generation of access control.
        acl_enable: bool = false, "aclEnable", Refused(ACCESS);

        // Stores of other kinds.
        /// Java classes put around the message store.
        message_store_plug_in: String = String::new(), "messageStorePlugIn", Refused(PLUGIN);

        // Metrics.
        /// Where metrics go.
        metrics_exporter_type: MetricsExporterType =
            MetricsExporterType::Disable, "metricsExporterType", Restart;
        /// Series of one metric, at most; the rest is left out, and the log says so once.
        metrics_otel_cardinality_limit: u32 = 50_000, "metricsOtelCardinalityLimit", Restart;
        /// Collector to which metrics are sent.
        metrics_grpc_exporter_target: String = String::new(), "metricsGrpcExporterTarget", Inert(OTLP);
        /// Headers for the collector.
        metrics_grpc_exporter_header: SecretText = SecretText::default(), "metricsGrpcExporterHeader", Inert(OTLP);
        /// How long a send to the collector waits.
        metric_grpc_exporter_time_out_in_mills: Millis =
            Millis(3000), "metricGrpcExporterTimeOutInMills", Inert(OTLP);
        /// Time between two sends to the collector.
        metric_grpc_exporter_interval_in_mills: Millis =
            Millis(60_000), "metricGrpcExporterIntervalInMills", Inert(OTLP);
        /// Time between two writes of metrics to the log.
        metric_logging_exporter_interval_in_mills: Millis =
            Millis(10_000), "metricLoggingExporterIntervalInMills", Restart;
        /// Port on which Prometheus reads `/metrics`.
        metrics_prom_exporter_port: u16 = 5557, "metricsPromExporterPort", Restart;
        /// Address on which Prometheus reads; brokerIP1 where it is empty.
        metrics_prom_exporter_host: String = String::new(), "metricsPromExporterHost", Restart;
        /// Labels of every series, as `name:value`, several separated by `,`.
        metrics_label: String = String::new(), "metricsLabel", Restart;
        /// Points in one send to the collector.
        metrics_export_batch_max_data_points: u32 = 1000, "metricsExportBatchMaxDataPoints", Inert(OTLP);
        /// Says `aggregation="delta"` of every series. Pages and the log show sums all the same, as upstream's page does.
        metrics_in_delta: bool = false, "metricsInDelta", Restart;
        /// Measures requests.
        enable_remoting_metrics: bool = true, "enableRemotingMetrics", Restart;
        /// Measures the store.
        enable_message_store_metrics: bool = true, "enableMessageStoreMetrics", Restart;
        /// Measures pops.
        enable_pop_metrics: bool = true, "enablePopMetrics", Inert(POP);
        /// Measures connections.
        enable_connection_metrics: bool = true, "enableConnectionMetrics", Restart;
        /// Measures transactions.
        enable_transaction_metrics: bool = true, "enableTransactionMetrics", Restart;
        /// Measures traffic.
        enable_stats_metrics: bool = true, "enableStatsMetrics", Restart;
        /// Measures the time that requests take.
        enable_request_metrics: bool = true, "enableRequestMetrics", Restart;
        /// Measures lag and dead letters.
        enable_lag_and_dlq_metrics: bool = true, "enableLagAndDlqMetrics", Restart;

        // Cold data.
        /// Adapts the limits for reading old messages.
        cold_ctr_strategy_enable: bool = false, "coldCtrStrategyEnable", Inert(COLD);
        /// Adapts them by a PID controller.
        use_pid_cold_ctr_strategy: bool = true, "usePIDColdCtrStrategy", Inert(COLD);
        /// Old messages that one group may read in five seconds, with coldDataFlowControlEnable.
        cg_cold_read_threshold: ByteSize = ByteSize::mib(3), "cgColdReadThreshold", Live;
        /// Old messages that all groups may read in five seconds, with coldDataFlowControlEnable.
        global_cold_read_threshold: ByteSize = ByteSize::mib(100), "globalColdReadThreshold", Live;

        // Lite topics.
        /// Tells consumers about lite topics with new messages.
        enable_lite_event_mode: bool = true, "enableLiteEventMode", Inert(LITE);
        /// Time between two checks for such topics.
        lite_event_check_interval: Millis = Millis(10_000), "liteEventCheckInterval", Inert(LITE);
        /// Time between two checks for expired lite topics.
        lite_ttl_check_interval: Millis = Millis(120_000), "liteTtlCheckInterval", Inert(LITE);
        /// Least time that a lite topic lives.
        min_lite_ttl: Millis = Millis(900_000), "minLiteTTl", Inert(LITE);
        /// Time between two checks of lite subscriptions.
        lite_subscription_check_interval: Millis = Millis(120_000), "liteSubscriptionCheckInterval", Inert(LITE);
        /// Silence after which a lite subscription ends.
        lite_subscription_check_timeout_mills: Millis =
            Millis(180_000), "liteSubscriptionCheckTimeoutMills", Inert(LITE);
        /// Lite subscriptions in all.
        max_lite_subscription_count: u64 = 100_000, "maxLiteSubscriptionCount", Inert(LITE);
        /// Logs pops of lite topics.
        enable_lite_pop_log: bool = false, "enableLitePopLog", Inert(LITE);
        /// Events that may wait for one client.
        max_client_event_count: u32 = 100, "maxClientEventCount", Inert(LITE);
        /// Delay of a full dispatch of events.
        lite_event_full_dispatch_delay_time: Millis = Millis(10_000), "liteEventFullDispatchDelayTime", Inert(LITE);
        /// The same for groups that take all lite topics.
        lite_event_full_dispatch_delay_time_for_wildcard_group: Millis =
            Millis(10_000), "liteEventFullDispatchDelayTimeForWildcardGroup", Inert(LITE);
        /// Collects how late lite topics are.
        lite_lag_latency_collect_enable: bool = false, "liteLagLatencyCollectEnable", Inert(LITE);
        /// Measures how late lite topics are.
        lite_lag_latency_metrics_enable: bool = false, "liteLagLatencyMetricsEnable", Inert(LITE);
        /// Measures the lag of lite topics.
        lite_lag_count_metrics_enable: bool = false, "liteLagCountMetricsEnable", Inert(LITE);
        /// Lite topics in the list of the latest.
        lite_lag_latency_top_k: u32 = 50, "liteLagLatencyTopK", Inert(LITE);

        sections {
            /// The listening side of the network.
            server: ServerConfig;
            /// The calling side of the network.
            client: ClientConfig;
            /// Connections by TLS, in both directions.
            tls: TlsConfig;
            /// Who may do what.
            access: AccessConfig;
        }
    }
}
