//! Settings of a name server.
//!
//! Upstream: `NamesrvConfig`.

use std::path::PathBuf;

use boostermq_remoting::config::reasons::{CLUSTER_TEST, CONTROLLER, INSTALLATION, POOL, QUEUE};
use boostermq_remoting::config::{Config, ConfigError, Machine, Millis, Seconds, ServerConfig, TlsConfig, Warning};
use boostermq_remoting::properties_file::Properties;

#[cfg(test)]
mod tests;

/// Port of a name server that sets none.
const DEFAULT_PORT: u16 = 9876;

boostermq_remoting::config! {
    /// Keys of a name server.
    pub struct NamesrvConfig {
        // Files.
        /// File of the key-value settings. Filled at start with `namesrv/kvConfig.json` in the home folder. Cannot be
        /// changed by a request.
        kv_config_path: PathBuf = PathBuf::new(), "kvConfigPath", Restart;
        /// File to which a change at run time is written: that of the flag `-c`, else `namesrv/namesrv.properties` in
        /// the home folder. Cannot be changed by a request.
        config_store_path: PathBuf = PathBuf::new(), "configStorePath", Restart;
        /// Folder of an installation. Cannot be changed by a request.
        rocketmq_home: Option<String> = None, "rocketmqHome", Inert(INSTALLATION);
        /// Keys that a request may not change, separated by `;`, beyond those that never may.
        config_black_list: String = "configBlackList;configStorePath;kvConfigPath".into(), "configBlackList", Restart;

        // Brokers.
        /// Time between two looks for brokers that fell silent.
        scan_not_active_broker_interval: Millis = Millis(5000), "scanNotActiveBrokerInterval", Restart, 1..=i64::MAX;
        /// Names in routes a replica that stands in for a dead master.
        support_acting_master: bool = false, "supportActingMaster", Live;
        /// Tells brokers when the lowest number under their name changes.
        notify_min_broker_id_changed: bool = false, "notifyMinBrokerIdChanged", Live;
        /// Departures of brokers that may wait.
        un_register_broker_queue_capacity: u32 = 3000, "unRegisterBrokerQueueCapacity", Inert(QUEUE);
        /// A registration also removes the topics that the broker no longer has.
        delete_topic_with_broker_registration: bool = false, "deleteTopicWithBrokerRegistration", Live;

        // Topics.
        /// Adds the order of queues kept under `ORDER_TOPIC_CONFIG` to routes.
        order_message_enable: bool = false, "orderMessageEnable", Live;
        /// Answers a registration with the orders of queues.
        return_order_topic_config_to_broker: bool = true, "returnOrderTopicConfigToBroker", Live;
        /// Answers requests for all topics.
        enable_all_topic_list: bool = true, "enableAllTopicList", Live;
        /// Answers requests for the topics of a cluster, of a kind or of the system.
        enable_topic_list: bool = true, "enableTopicList", Live;
        /// Asks a product environment for routes it does not know.
        cluster_test: bool = false, "clusterTest", Inert(CLUSTER_TEST);
        /// The environment to ask.
        product_env_name: String = "center".into(), "productEnvName", Inert(CLUSTER_TEST);

        // Start.
        /// Refuses routes after a start until brokers had time to register.
        need_wait_for_service: bool = false, "needWaitForService", Live;
        /// The time they have.
        wait_seconds_for_service: Seconds = Seconds(45), "waitSecondsForService", Live;

        // Threads and queues.
        /// Threads for routes.
        client_request_thread_pool_nums: u32 = 8, "clientRequestThreadPoolNums", Inert(POOL);
        /// Threads for all other requests.
        default_thread_pool_nums: u32 = 16, "defaultThreadPoolNums", Inert(POOL);
        /// Routes that may wait.
        client_request_thread_pool_queue_capacity: u32 = 50_000, "clientRequestThreadPoolQueueCapacity", Inert(QUEUE);
        /// Other requests that may wait.
        default_thread_pool_queue_capacity: u32 = 10_000, "defaultThreadPoolQueueCapacity", Inert(QUEUE);

        // Controller.
        /// Runs a controller in the process.
        enable_controller_in_namesrv: bool = false, "enableControllerInNamesrv", Refused(CONTROLLER);

        sections {
            /// The listening side of the network.
            server: ServerConfig;
            /// Connections by TLS, in both directions.
            tls: TlsConfig;
        }
    }
}

impl NamesrvConfig {
    /// Reads a file with the flags already put over it, and fills in what it leaves open.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line, key and value, and what would be right.
    pub fn read(given: &Properties, machine: &Machine) -> Result<(Self, Vec<Warning>), ConfigError> {
        let (mut config, mut warnings) = Self::from_properties(given)?;
        config.resolve(given, machine);
        warnings.extend(config.tls.resolve(given, &machine.system_properties)?);
        Ok((config, warnings))
    }

    fn resolve(&mut self, given: &Properties, machine: &Machine) {
        if self.server.listen_port == 0 {
            self.server.listen_port = DEFAULT_PORT;
        }
        let folder = machine.home.join("namesrv");
        if self.kv_config_path.as_os_str().is_empty() {
            self.kv_config_path = folder.join("kvConfig.json");
        }
        if self.config_store_path.as_os_str().is_empty() {
            let file = given.source();
            self.config_store_path =
                if file.is_empty() { folder.join("namesrv.properties") } else { PathBuf::from(file) };
        }
        self.rocketmq_home = self.rocketmq_home.take().or_else(|| machine.rocketmq_home.clone());
    }
}
