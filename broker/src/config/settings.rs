//! Everything that `broker.conf` says, with the values that depend on other keys or on the machine filled in.

use boostermq_remoting::config::{Config, ConfigError, ConfigRow, Machine, Outcome, Warning};
use boostermq_remoting::names::BrokerId;
use boostermq_remoting::properties_file::Properties;
use boostermq_store::config::StoreConfig;

use super::{AccessConfig, BrokerConfig};

/// Port of a broker that sets none.
const DEFAULT_PORT: u16 = 10911;

/// Name of a broker that sets none, on a machine without a name.
const DEFAULT_NAME: &str = "DEFAULT_BROKER";

/// The configuration of one broker and its store.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Keys of the broker, the network and access control.
    pub broker: BrokerConfig,
    /// Keys of the store.
    pub store: StoreConfig,
    /// What the file and the flags set, unknown keys included: what a change at run time is written back to.
    pub given: Properties,
}

impl Settings {
    /// Reads a file with the flags already put over it, and fills in what it leaves open.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line, key and value, and what would be right.
    pub fn read(given: Properties, machine: &Machine) -> Result<(Self, Vec<Warning>), ConfigError> {
        let ((mut broker, mut store), mut warnings) = <(BrokerConfig, StoreConfig)>::from_properties(&given)?;
        broker.resolve(&given, machine)?;
        warnings.extend(broker.tls.resolve(&given, &machine.system_properties)?);
        if given.get("useTLS").is_none() {
            broker.client.use_tls.0 = broker.tls.calls_by_tls();
        }
        store.resolve(&given, machine)?;
        if given.get("haListenPort").is_none() {
            store.ha_listen_port = broker.server.listen_port.saturating_add(1);
        }
        Ok((Self { broker, store, given }, warnings))
    }

    /// All keys, in the order of their declaration.
    #[must_use]
    pub fn rows() -> Vec<ConfigRow> {
        <(BrokerConfig, StoreConfig)>::rows()
    }

    /// Keys that were set and that nobody knows, with their values.
    #[must_use]
    pub fn unknown(&self) -> Vec<(String, String)> {
        let rows = Self::rows();
        let is_unknown = |(key, _): &(&str, &str)| !rows.iter().any(|row| row.key == *key);
        self.given.iter().filter(is_unknown).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// The keys that GET_BROKER_CONFIG answers with: all that have a value, of access control those that were set.
    #[must_use]
    pub fn to_properties(&self) -> Properties {
        let mut properties = self.broker.to_properties();
        for row in AccessConfig::rows() {
            if self.given.get(row.key).is_none() {
                properties.remove(row.key);
            }
        }
        for (key, value) in self.store.to_properties().iter() {
            properties.insert(key, value);
        }
        properties
    }

    /// Changes one key at run time, if it is one that may change. What [`Outcome::Applied`] and
    /// [`Outcome::AfterRestart`] accepted is also noted in [`Settings::given`].
    ///
    /// # Errors
    /// [`ConfigError`] for a wrong value, or a key that may only have its default.
    pub fn update(&mut self, key: &str, value: &str) -> Result<Outcome, ConfigError> {
        let outcome = match self.broker.update(key, value)? {
            Outcome::UnknownKey => self.store.update(key, value)?,
            known => known,
        };
        if matches!(outcome, Outcome::Applied | Outcome::AfterRestart) {
            self.given.insert(key, value.trim());
        }
        Ok(outcome)
    }
}

impl BrokerConfig {
    /// Fills in what the file leaves open.
    ///
    /// # Errors
    /// [`ConfigError`] for a port that leaves no room for the second one.
    fn resolve(&mut self, given: &Properties, machine: &Machine) -> Result<(), ConfigError> {
        if self.server.listen_port == 0 {
            self.server.listen_port = DEFAULT_PORT;
        }
        if self.server.listen_port < 3 {
            let port = self.server.listen_port.to_string();
            return Err(ConfigError::unfit(
                given,
                "listenPort",
                port,
                "a port from 3 to 65535, for the port two below",
            ));
        }
        if self.broker_name.as_str().is_empty() {
            self.broker_name = machine.host_name.as_deref().unwrap_or(DEFAULT_NAME).into();
        }
        for address in [&mut self.broker_ip1, &mut self.broker_ip2] {
            if address.is_empty() {
                *address = machine.address.to_string();
            }
        }
        self.broker_id = BrokerId::MASTER;
        self.namesrv_addr = self.namesrv_addr.take().or_else(|| machine.namesrv_addr.clone());
        self.rocketmq_home = self.rocketmq_home.take().or_else(|| machine.rocketmq_home.clone());
        self.show_thread_counts(machine.cpus);
        Ok(())
    }

    /// Thread counts do nothing here, but mqadmin's exports show them.
    fn show_thread_counts(&mut self, cpus: u32) {
        let sending = cpus.min(4);
        let counts = [
            (&mut self.send_message_thread_pool_nums, sending),
            (&mut self.put_message_future_thread_pool_nums, sending),
            (&mut self.pull_message_thread_pool_nums, 16 + 2 * cpus),
            (&mut self.lite_pull_message_thread_pool_nums, 16 + 2 * cpus),
            (&mut self.process_reply_message_thread_pool_nums, 16 + 2 * cpus),
            (&mut self.query_message_thread_pool_nums, 8 + cpus),
            (&mut self.heartbeat_thread_pool_nums, cpus.min(32)),
            (&mut self.end_transaction_thread_pool_nums, (8 + 2 * cpus).max(4 * sending)),
            (&mut self.client.client_callback_executor_threads, cpus),
        ];
        for (shown, count) in counts {
            if *shown == 0 {
                *shown = count;
            }
        }
    }
}
