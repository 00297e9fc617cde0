#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::code::RequestCode;
use boostermq_remoting::config::Live;
use boostermq_remoting::net::allowance;
use boostermq_remoting::net::client::Client;
use boostermq_remoting::net::connection::{Connection, Port};
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::net::server::{Incoming, Server, ServerLimits, Service, bind, serve};
use boostermq_remoting::net::threads::NetworkThreads;
use boostermq_remoting::net::tls::{ClientTls, ServerTls, TlsError};
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::cluster::RegisterBroker;
use boostermq_remoting::router::Router;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::NamesrvConfig;
use crate::kv_config::KvConfig;
pub use crate::kv_config::KvConfigError;
use crate::route_table::{LowestChanged, RouteTable};

pub mod config;
mod expiry;
mod kv_config;
mod notify;
pub mod process;
mod processor;
mod route_table;
mod routes;

/// Connections served at once, if there are descriptors for so many. Clients hold one each.
const CONNECTIONS_MAX: usize = 65_536;
/// Threads that serve connections: one answers far more routes than a cluster asks for.
const NETWORK_THREADS: usize = 1;
/// Unwritten answers of one connection, in bytes: four of the largest.
const UNWRITTEN_MAX: usize = 64 * 1024 * 1024;
/// What all connections hold in buffers, in bytes, if there is memory for so much.
const CONNECTION_MEMORY_MAX: usize = 512 * 1024 * 1024;

/// Why a name server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be had; the text says which and why.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// The key-value settings cannot be used.
    #[error(transparent)]
    KvConfig(#[from] KvConfigError),
    /// The settings of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The state all requests share.
pub struct NameServer {
    config: Live<NamesrvConfig>,
    /// Held while a request changes the configuration and its file.
    configuring: Mutex<()>,
    routes: RwLock<RouteTable>,
    kv: KvConfig,
    router: Router<NameServer>,
    started: Instant,
    notices: mpsc::Sender<LowestChanged>,
}

impl std::fmt::Debug for NameServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameServer").field("started", &self.started).finish_non_exhaustive()
    }
}

/// A name server that serves.
#[derive(Debug)]
pub struct Running {
    server: Server,
    config: Live<NamesrvConfig>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// The address it listens on, with the port the system chose if it was asked for port 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Stops: no new connections, answers that are ready are written, then all is closed. Takes a few seconds at most,
    /// and `shutdownWaitTimeSeconds` more where clients are sent away first.
    pub async fn stop(self) {
        let leaves = {
            let server = &self.config.read().server;
            server.enable_shutdown_gracefully.then(|| server.shutdown_wait_time_seconds.duration())
        };
        if let Some(time) = leaves {
            self.server.leave();
            tokio::time::sleep(time).await;
        }
        let _ = self.stop.send(true);
        self.server.stop().await;
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// Starts a name server in the current runtime. It listens on `bindAddress` and `listenPort` of `config`; port 0 lets
/// the system choose. Nothing is written to disk before the first change of a key-value setting.
///
/// # Errors
/// [`StartError`] in one sentence for an operator.
pub async fn start(config: NamesrvConfig) -> Result<Running, StartError> {
    let tls = ServerTls::new(&config.tls)?;
    let caller = config.tls.calls_by_tls().then(|| ClientTls::new(&config.tls)).transpose()?;
    let kv = KvConfig::open(&config.kv_config_path)?;
    let address = SocketAddr::new(config.server.bind_address, config.server.listen_port);
    let listener = bind(address, config.server.server_socket_backlog)?;
    let limits = ServerLimits {
        connections: Arc::new(allowance::connections(CONNECTIONS_MAX)),
        idle: config.server.server_channel_max_idle_time_seconds.duration(),
        unwritten: UNWRITTEN_MAX,
        memory: Arc::new(allowance::buffers(CONNECTION_MEMORY_MAX)),
        threads: NetworkThreads::start(NETWORK_THREADS)?,
        tls,
    };
    let scan = config.scan_not_active_broker_interval.duration();
    let (notices, told) = mpsc::channel(notify::WAITING_MAX);
    let state = Arc::new(NameServer {
        config: Live::new(config),
        configuring: Mutex::new(()),
        routes: RwLock::default(),
        kv,
        router: routes::router(),
        started: now(),
        notices,
    });
    let (stop, stopped) = watch::channel(false);
    let config = state.config.clone();
    let server = serve(listener, Port::Main, state.clone(), limits)?;
    let tasks = vec![
        tokio::spawn(expiry::run(state, scan, stopped.clone())),
        tokio::spawn(notify::run(Client::with_tls(caller), told, stopped)),
    ];
    Ok(Running { server, config, stop, tasks })
}

/// The one clock of the name server; tests move it by pausing the runtime's.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl NameServer {
    /// Time since the start.
    fn uptime(&self) -> Duration {
        now().saturating_duration_since(self.started)
    }

    /// Passes on that broker names have new lowest numbers, if that is wanted.
    fn tell(&self, changes: impl IntoIterator<Item = LowestChanged>) {
        let wanted = self.config.read().notify_min_broker_id_changed;
        for change in changes.into_iter().filter(|_| wanted) {
            let name = change.name.clone();
            if self.notices.try_send(change).is_err() {
                tracing::warn!(broker = %name, "too many notices wait; brokers are not told of a new lowest number");
            }
        }
    }

    /// Takes out the brokers that registered by a connection that is closed.
    fn forget_connection(&self, connection: &Connection) {
        let changes = self.routes.write().connection_closed(connection.id());
        self.tell(changes);
    }
}

/// What is kept for a connection.
#[derive(Debug, Default)]
pub struct Session {
    /// A broker may have registered by it. Clients never do, so that their end costs no look at the table.
    registers: bool,
}

impl Service for NameServer {
    type Session = Session;

    fn open(self: &Arc<Self>, _: &Arc<Connection>) -> Session {
        Session::default()
    }

    fn request(self: &Arc<Self>, session: &mut Session, incoming: &Incoming<'_>, out: &mut Outbox) {
        session.registers |= RequestCode(incoming.header.code) == RegisterBroker::ROW.code;
        self.router.handle(self, incoming, out);
    }

    fn end_of_read(self: &Arc<Self>, _: &mut Session, _: &Arc<Connection>, _: &mut Outbox) {}

    fn written(self: &Arc<Self>, _: &mut Session) {}

    fn close(self: &Arc<Self>, session: Session, connection: &Arc<Connection>) {
        if session.registers {
            self.forget_connection(connection);
        }
    }
}
