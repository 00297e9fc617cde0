//! The broker: its parts, how they start and, in the exact reverse, how they stop.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use boostermq_remoting::body::{DataVersion, SubscriptionGroupConfig};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::config::Live;
use boostermq_remoting::message::id::UniqueIdSource;
use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::{BrokerId, BrokerName, ClusterName};
use boostermq_remoting::net::allowance;
use boostermq_remoting::net::client::Client;
use boostermq_remoting::net::connection::Port;
use boostermq_remoting::net::server::{Server, ServerLimits, bind, serve};
use boostermq_remoting::net::threads::NetworkThreads;
use boostermq_remoting::net::tls::{ClientTls, ServerTls};
use boostermq_remoting::router::{ResponseError, Router};
use boostermq_store::clock::{Clock, SystemClock};
use boostermq_store::{Arrival, ArrivalListener, MessageStore, StoreOptions};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::clients::{Consumers, Producers, QueueLocks};
use crate::cold_reads::ColdReads;
use crate::config::Settings;
use crate::filter::ConsumerFilters;
use crate::long_polling::PullHolds;
use crate::metadata::{ConsumerOffsets, Groups, RequestModes, Topics};
use crate::metrics::{Exporter, Metrics};
use crate::processor::assignment::KnownQueues;
use crate::registration::Registration;
use crate::schedule::DelaySchedule;
use crate::stats::BrokerStats;
use crate::takeover;
use crate::timer::{Timer, TimerThreads};
use crate::transaction::Transactions;

/// What all connections of a broker may hold in buffers: beyond it, the connection that asks for more is closed.
const CONNECTION_MEMORY: usize = 1 << 30;
/// Connections a broker takes at once, if there are descriptors for so many.
const CONNECTIONS_MAX: usize = 65_000;
/// Unwritten answers of one connection; slices of the log count, though they cost no memory.
const UNWRITTEN_MAX: usize = 256 << 20;
/// How often held pulls are looked at for their deadline.
const HOLD_SWEEP: Duration = Duration::from_millis(500);

/// Who this broker is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The cluster.
    pub(crate) cluster: ClusterName,
    /// The broker name.
    pub(crate) name: BrokerName,
    /// The number under that name.
    pub(crate) id: BrokerId,
    /// The address that clients are told and that stands in every record and message id.
    pub(crate) address: SocketAddr,
    /// The address that replicas are told.
    pub(crate) ha_address: SocketAddr,
}

/// Values of the configuration that do not change while the broker runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest body in bytes.
    pub(crate) body: usize,
    /// How long a send waits for the disk.
    pub(crate) sync_flush: Duration,
    /// Whether sends wait for the disk at all.
    pub(crate) waits_for_flush: bool,
}

/// A broker. Handlers get it whole; each uses the parts that its requests are about.
pub(crate) struct Broker {
    /// The configuration now.
    pub(crate) settings: Live<Settings>,
    /// What GET_BROKER_CONFIG says about its age.
    pub(crate) settings_version: Mutex<DataVersion>,
    /// Held while a request changes settings.
    pub(crate) changing_settings: Mutex<()>,
    pub(crate) identity: Identity,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: MessageStore,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) offsets: ConsumerOffsets,
    pub(crate) producers: Producers,
    pub(crate) consumers: Consumers,
    pub(crate) filters: Arc<ConsumerFilters>,
    pub(crate) locks: QueueLocks,
    pub(crate) modes: RequestModes,
    pub(crate) known_queues: KnownQueues,
    pub(crate) holds: PullHolds,
    pub(crate) schedule: DelaySchedule,
    /// Messages with a time of their own; `None` when timerWheelEnable is false.
    pub(crate) timer: Option<Timer>,
    pub(crate) transactions: Transactions,
    pub(crate) registration: Registration,
    pub(crate) cold_reads: Arc<ColdReads>,
    pub(crate) stats: BrokerStats,
    /// What is counted for Prometheus; `None` while nobody wants it.
    pub(crate) metrics: Option<Arc<Metrics>>,
    pub(crate) unique_ids: UniqueIdSource,
    pub(crate) router: Router<Broker>,
}

/// A running broker.
pub(crate) struct Running {
    broker: Arc<Broker>,
    servers: Vec<Server>,
    tasks: Vec<JoinHandle<()>>,
    timer: Option<TimerThreads>,
}

/// Tells the broker of messages that became readable. The store knows only the trait.
#[derive(Default)]
struct Arrivals {
    broker: OnceLock<Weak<Broker>>,
}

impl ArrivalListener for Arrivals {
    fn arrived(&self, arrival: &Arrival<'_>) {
        let Some(broker) = self.broker.get().and_then(Weak::upgrade) else { return };
        broker.holds.arrived(&broker, arrival);
        broker.schedule.arrived(arrival.topic);
        if let Some(timer) = &broker.timer {
            timer.arrived(arrival.topic);
        }
    }

    fn filter_bits(&self, record: &Record<'_>, bits: &mut Vec<u8>) {
        if let Some(broker) = self.broker.get().and_then(Weak::upgrade) {
            broker.filters.compute_bits(record, bits);
        }
    }
}

impl Broker {
    /// The group, made with the defaults when that is allowed.
    pub(crate) fn find_or_create_group(&self, group: &str) -> Result<Arc<SubscriptionGroupConfig>, ResponseError> {
        self.groups.find_or_create(group).ok_or_else(|| {
            ResponseError::new(
                ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
                format!("subscription group [{group}] does not exist, apply first please! See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."),
            )
        })
    }

    /// True when a send is answered only after its records are on disk.
    pub(crate) const fn waits_for_flush(&self) -> bool {
        self.limits.waits_for_flush
    }

    /// Opens the store, loads the metadata, listens, registers: ready when it returns.
    ///
    /// # Errors
    /// One clear sentence about the first thing that stands in the way; nothing is left running or locked.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Running> {
        Self::start_by(settings, Arc::new(SystemClock)).await
    }

    /// As [`Broker::start`], by another clock.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub(crate) async fn start_by(settings: Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
        let identity = identity(&settings)?;
        let listen_ip = settings.broker.server.bind_address;
        // The ports come first: a second broker on this machine must not touch the first one's store.
        let port = settings.broker.server.listen_port;
        let backlog = settings.broker.server.server_socket_backlog;
        let main = bind(SocketAddr::new(listen_ip, port), backlog)?;
        let fast = bind(SocketAddr::new(listen_ip, port - 2), backlog)?;
        let tls = ServerTls::new(&settings.broker.tls)?;
        let caller = settings.broker.client.use_tls.0.then(|| ClientTls::new(&settings.broker.tls)).transpose()?;
        let exporter = Exporter::prepare(&settings.broker)?;
        let metrics = Metrics::new(&settings.broker);
        takeover::check(&settings)?;
        let arrivals = Arc::new(Arrivals::default());
        let mut options = StoreOptions::from(&settings.store);
        options.consume_queue_open_files = options.consume_queue_open_files.min(queue_files());
        let waits_for_flush = options.flush_mode == boostermq_store::FlushMode::Sync;
        let store = {
            let clock = clock.clone();
            tokio::task::spawn_blocking(move || MessageStore::open(options, clock)).await??
        };
        store.set_arrival_listener(arrivals.clone());
        if !settings.store.data_read_ahead_enable {
            store.set_read_ahead(false);
        }
        let config = settings.store.store_path_root_dir.join("config");
        let limits = Limits {
            body: settings.store.max_message_size.0 as usize,
            sync_flush: settings.store.sync_flush_timeout.into(),
            waits_for_flush,
        };
        let registration = Registration::new(&settings.broker, Client::with_tls(caller));
        let (store, timer) = {
            let (config, dir, now_ms) = (settings.store.clone(), config.clone(), clock.now_ms());
            tokio::task::spawn_blocking(move || {
                let timer = config.timer_wheel_enable.then(|| Timer::open(&store, &config, &dir, now_ms)).transpose();
                timer.map(|timer| (store, timer))
            })
            .await??
        };
        let settings = Live::new(settings);
        let offsets = ConsumerOffsets::load(&config, settings.clone(), clock.clone())?;
        let broker = Arc::new(Self {
            limits,
            transactions: Transactions::load(&store, &offsets, &config)?,
            topics: Topics::load(&config, settings.clone(), clock.clone())?,
            groups: Groups::load(&config, settings.clone(), clock.clone())?,
            offsets,
            producers: Producers::default(),
            consumers: Consumers::default(),
            filters: Arc::new(ConsumerFilters::load(&config, settings.clone(), clock.clone())?),
            locks: QueueLocks::new(clock.clone()),
            modes: RequestModes::load(&config)?,
            known_queues: KnownQueues::default(),
            holds: PullHolds::default(),
            timer,
            schedule: DelaySchedule::load(&config, &store.options().delay_levels)?,
            registration,
            cold_reads: Arc::default(),
            stats: BrokerStats::new(clock.now_ms(), &settings.read().broker),
            unique_ids: UniqueIdSource::new(identity.address.ip(), std::process::id()),
            router: crate::routes::routes().observed_by(metrics.as_ref().and_then(|metrics| metrics.observer())),
            metrics,
            settings_version: Mutex::new(DataVersion::new(clock.now_ms())),
            changing_settings: Mutex::new(()),
            settings,
            identity,
            clock,
            store,
        });
        // Nobody else can have set it.
        let _ = arrivals.broker.set(Arc::downgrade(&broker));
        let limits = ServerLimits {
            connections: Arc::new(allowance::connections(CONNECTIONS_MAX)),
            idle: broker.settings.read().broker.server.server_channel_max_idle_time_seconds.into(),
            unwritten: UNWRITTEN_MAX,
            memory: Arc::new(allowance::buffers(CONNECTION_MEMORY)),
            threads: NetworkThreads::start(std::thread::available_parallelism().map_or(1, usize::from))?,
            tls,
        };
        let servers = vec![
            serve(main, Port::Main, broker.clone(), limits.clone())?,
            serve(fast, Port::Fast, broker.clone(), limits)?,
        ];
        let tasks = vec![
            tokio::spawn(sweep_holds(broker.clone())),
            tokio::spawn(crate::clients::keep_house(broker.clone())),
            tokio::spawn(crate::schedule::deliver(broker.clone())),
            tokio::spawn(crate::transaction::check(broker.clone())),
            tokio::spawn(crate::transaction::write_ops(broker.clone())),
            tokio::spawn(crate::metadata::persist_periodically(broker.clone())),
            tokio::spawn(crate::stats::sample(broker.clone())),
            tokio::spawn(exporter.run(broker.clone())),
        ];
        let timer = TimerThreads::start(&broker)?;
        crate::registration::start(&broker).await;
        Ok(Running { broker, servers, tasks, timer })
    }
}

impl Running {
    /// The broker itself, for tests that look at its parts.
    #[cfg(test)]
    pub(crate) const fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// The broker.
    #[must_use]
    pub(crate) fn identity(&self) -> &Identity {
        &self.broker.identity
    }

    /// Stops: unregistered, clients sent away where that is wanted, held pulls answered, no new connections, everything on
    /// disk, abort removed.
    ///
    /// # Errors
    /// When something could not be written; the next start then recovers.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        crate::registration::stop(&self.broker).await;
        let leaves = {
            let server = &self.broker.settings.read().broker.server;
            server.enable_shutdown_gracefully.then(|| Duration::from(server.shutdown_wait_time_seconds))
        };
        if let Some(time) = leaves {
            self.servers.iter().for_each(Server::leave);
            self.broker.holds.answer_all(&self.broker);
            tokio::time::sleep(time).await;
        }
        self.broker.holds.answer_all(&self.broker);
        for server in &self.servers {
            server.stop().await;
        }
        for task in self.tasks {
            task.abort();
            // A task ends where it waits: until then it may still deliver and note that it did, which is saved below.
            let _ = task.await;
        }
        let (broker, timer) = (self.broker, self.timer);
        tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
            if let Some(timer) = timer {
                timer.stop();
            }
            if let Err(error) = broker.transactions.flush_ops(&broker) {
                tracing::error!(%error, "the last rollbacks are not noted on disk; producers may be asked about them again");
            }
            let saved = [
                broker.offsets.save(),
                broker.schedule.persist(),
                broker.topics.save(),
                broker.groups.save(),
                broker.filters.save(),
                broker.transactions.counts.save(broker.clock.now_ms()),
            ];
            broker.store.close()?;
            for result in saved {
                result?;
            }
            Ok(())
        })
        .await?
    }
}

/// Consume-queue files that may be open at once: an eighth of the descriptors.
fn queue_files() -> usize {
    usize::try_from(allowance::descriptors() / 8).unwrap_or(usize::MAX)
}

async fn sweep_holds(broker: Arc<Broker>) {
    let mut tick = tokio::time::interval(HOLD_SWEEP);
    loop {
        tick.tick().await;
        broker.holds.answer_expired(&broker);
    }
}

fn identity(settings: &Settings) -> anyhow::Result<Identity> {
    let broker = &settings.broker;
    let address = |key: &str, text: &str, port: u16| -> anyhow::Result<SocketAddr> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, port));
        }
        // A host name: message ids hold an address, so it is looked up once.
        use std::net::ToSocketAddrs;
        (text, port)
            .to_socket_addrs()
            .and_then(|mut found| found.next().ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(|error| anyhow::anyhow!("{key}={text} is neither an IP address nor a known host name: {error}"))
    };
    Ok(Identity {
        cluster: broker.broker_cluster_name.clone(),
        name: broker.broker_name.clone(),
        id: broker.broker_id,
        address: address("brokerIP1", &broker.broker_ip1, broker.server.listen_port)?,
        ha_address: address("brokerIP2", &broker.broker_ip2, settings.store.ha_listen_port)?,
    })
}
