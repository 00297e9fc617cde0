//! Registration with name servers: all topics at start and every `registerNameServerPeriod`, changed topics at once,
//! a farewell at stop.
//!
//! Each name server has a task of its own, so that one that hangs delays no other. A task sends one registration at a
//! time: they arrive in the order in which they were made. A name server that missed one gets all topics next. Topics
//! do not wait for name servers: a change only leaves a note here ([`Registration::trigger`] and the listener of
//! [`Topics`]), and who wants to know when it has arrived asks [`Registration::settled`].
//!
//! Upstream: `BrokerController.registerBrokerAll`, `BrokerOuterAPI` (RocketMQ 5.5.0).

mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::body::{KvTable, TopicRouteData};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::config::Live;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::Topic;
use boostermq_remoting::net::client::{CallError, Client};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::broker::{Broker, Identity};
use crate::config::{BrokerConfig, Settings};
use crate::metadata::{TopicChange, Topics};

/// Upstream's limits for the time between two registrations.
const SHORTEST_PERIOD: Duration = Duration::from_secs(10);
const LONGEST_PERIOD: Duration = Duration::from_secs(60);
/// First pause after a failure; it doubles up to the shortest period. Clusters start in any order.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// How long a question for a route waits: the client that wants it waits three seconds.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a stop waits for name servers to take the farewell; they notice the closed connection anyway.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(3);

/// What a registration tells about.
pub(crate) trait Registrant: Send + Sync + 'static {
    /// The configuration now.
    fn settings(&self) -> &Live<Settings>;
    /// Who registers.
    fn identity(&self) -> &Identity;
    /// Its topics.
    fn topics(&self) -> &Topics;
}

impl Registrant for Broker {
    fn settings(&self) -> &Live<Settings> {
        &self.settings
    }
    fn identity(&self) -> &Identity {
        &self.identity
    }
    fn topics(&self) -> &Topics {
        &self.topics
    }
}

/// What a name server has to be told.
#[derive(Debug, Default)]
struct Pending {
    /// Grows with every note.
    notes: u64,
    /// All topics.
    all: bool,
    /// These topics have changed.
    topics: BTreeSet<Topic>,
}

/// One name server.
#[derive(Debug)]
struct NameServer {
    address: String,
    pending: Mutex<Pending>,
    wake: Notify,
    /// Up to which note it was told, or a telling has failed.
    told: watch::Sender<u64>,
}

/// Why a name server does not know the broker's topics. Says what to do, for the log.
#[derive(Debug, thiserror::Error)]
enum RegistrationFailure {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the name server refused with code {code}: {remark}")]
    Refused { code: ResponseCode, remark: String },
}

#[derive(Debug, Default)]
struct Shared {
    servers: Vec<NameServer>,
    client: Client,
    stopping: watch::Sender<bool>,
}

/// The broker's entry with its name servers.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Registration {
    /// Registers with nobody yet. The name servers are those of `namesrvAddr`, separated by `;`; `client` calls them.
    pub(crate) fn new(config: &BrokerConfig, client: Client) -> Self {
        let addresses = config.namesrv_addr.as_deref().unwrap_or_default().split(';').map(str::trim);
        let addresses: BTreeSet<&str> = addresses.filter(|address| !address.is_empty()).collect();
        let server = |address: &str| NameServer {
            address: address.to_owned(),
            pending: Mutex::default(),
            wake: Notify::new(),
            told: watch::Sender::new(0),
        };
        let servers = addresses.into_iter().map(server).collect();
        Self { shared: Arc::new(Shared { servers, client, ..Shared::default() }), tasks: Mutex::default() }
    }

    /// Sends all topics to all name servers soon; does not wait.
    pub(crate) fn trigger(&self) {
        self.shared.note(|pending| pending.all = true);
    }

    /// Where a topic is, as the first name server says that answers; an empty route when it knows no such topic, `None` without
    /// name servers.
    pub(crate) async fn route(&self, topic: &str) -> Option<Result<TopicRouteData, CallError>> {
        let mut last = None;
        for server in &self.shared.servers {
            match self.shared.client.call(&server.address, message::route(topic), ROUTE_TIMEOUT).await {
                Ok(answer) if answer.response_code() == ResponseCode::SUCCESS => {
                    return Some(Ok(fastjson::from_slice(&answer.body).unwrap_or_default()));
                }
                Ok(_) => last = Some(Ok(TopicRouteData::default())),
                Err(error) => last = last.or(Some(Err(error))),
            }
        }
        last
    }

    /// Waits until every name server was told what had changed before the call, or could not be; at most `most`. True
    /// when that was in time.
    pub(crate) async fn settled(&self, most: Duration) -> bool {
        self.shared.settled(most).await
    }
}

impl Shared {
    fn note(&self, note: impl Fn(&mut Pending)) {
        for server in &self.servers {
            {
                let mut pending = server.pending.lock();
                pending.notes += 1;
                note(&mut pending);
            }
            server.wake.notify_one();
        }
    }

    fn note_change(&self, change: &TopicChange) {
        self.note(|pending| match change {
            TopicChange::Put(topic) => {
                pending.topics.insert(topic.clone());
            }
            TopicChange::Deleted | TopicChange::Version => pending.all = true,
        });
    }

    async fn settled(&self, most: Duration) -> bool {
        let wait = async {
            for server in &self.servers {
                let wanted = server.pending.lock().notes;
                // The sender lives as long as we do.
                let _ = server.told.subscribe().wait_for(|told| *told >= wanted).await;
            }
        };
        tokio::time::timeout(most, wait).await.is_ok()
    }
}

/// Registers with all name servers, and goes on doing so. Returns when each was tried once.
pub(crate) async fn start(broker: &Arc<Broker>) {
    run(&broker.registration, broker).await;
}

/// Takes the broker out of all name servers; nothing is registered after this.
pub(crate) async fn stop(broker: &Arc<Broker>) {
    end(&broker.registration, broker.as_ref()).await;
}

async fn run<R: Registrant>(registration: &Registration, registrant: &Arc<R>) {
    let shared = &registration.shared;
    if shared.servers.is_empty() {
        tracing::warn!("no namesrvAddr is set: clients find this broker only by its address");
        return;
    }
    registration.trigger();
    let listening = Arc::downgrade(shared);
    registrant.topics().on_change(move |change| {
        if let Some(shared) = listening.upgrade() {
            shared.note_change(change);
        }
    });
    for index in 0..shared.servers.len() {
        let task = tokio::spawn(keep_registered(shared.clone(), index, registrant.clone()));
        registration.tasks.lock().push(task);
    }
    let timeout = Duration::from(registrant.settings().read().broker.register_broker_timeout_mills);
    shared.settled(timeout).await;
}

async fn end(registration: &Registration, registrant: &impl Registrant) {
    let shared = &registration.shared;
    shared.stopping.send_replace(true);
    let tasks = std::mem::take(&mut *registration.tasks.lock());
    for mut task in tasks {
        // A registration under way ends first: its farewell must not overtake it.
        if tokio::time::timeout(FAREWELL_TIMEOUT, &mut task).await.is_err() {
            task.abort();
        }
    }
    for index in 0..shared.servers.len() {
        let Some(server) = shared.servers.get(index) else { continue };
        let farewell = message::unregister(registrant.identity());
        match shared.client.call(&server.address, farewell, FAREWELL_TIMEOUT).await {
            Ok(_) => tracing::info!(name_server = %server.address, "unregistered"),
            Err(error) => tracing::info!(name_server = %server.address, %error, "not unregistered"),
        }
        shared.client.disconnect(&server.address);
    }
}

/// Keeps one name server up to date until the broker stops.
async fn keep_registered<R: Registrant>(shared: Arc<Shared>, index: usize, registrant: Arc<R>) {
    let Some(server) = shared.servers.get(index) else { return };
    let mut stopping = shared.stopping.subscribe();
    let mut link = Link { server, client: &shared.client, knows_all: false, last_failure: None, retry: FIRST_RETRY };
    loop {
        let pause = if link.knows_all { period(&registrant.settings().read().broker) } else { link.retry };
        let due = tokio::select! {
            // A stop counts before all else.
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = server.wake.notified() => false,
            () = tokio::time::sleep(pause) => true,
        };
        link.bring_up_to_date(registrant.as_ref(), due).await;
    }
}

fn period(config: &BrokerConfig) -> Duration {
    Duration::from(config.register_name_server_period).clamp(SHORTEST_PERIOD, LONGEST_PERIOD)
}

/// What the task of a name server remembers.
struct Link<'a> {
    server: &'a NameServer,
    client: &'a Client,
    /// The last registration arrived, and none was missed before it.
    knows_all: bool,
    /// The failure that was logged last.
    last_failure: Option<String>,
    /// Pause before the next attempt after a failure.
    retry: Duration,
}

impl Link<'_> {
    /// Sends what is pending, or all when a period is over.
    async fn bring_up_to_date(&mut self, registrant: &impl Registrant, due: bool) {
        let pending = {
            let mut pending = self.server.pending.lock();
            let notes = pending.notes;
            std::mem::replace(&mut *pending, Pending { notes, ..Pending::default() })
        };
        let result = self.send(registrant, &pending, due).await;
        self.conclude(result);
        self.server.told.send_replace(pending.notes);
    }

    async fn send(
        &self,
        registrant: &impl Registrant,
        pending: &Pending,
        due: bool,
    ) -> Result<(), RegistrationFailure> {
        if self.knows_all && !pending.all {
            // A note may wake the task although what it said went with the one before.
            let nothing = if due { self.is_known(registrant).await? } else { pending.topics.is_empty() };
            if nothing {
                return Ok(());
            }
        }
        if self.knows_all && !pending.all && !due {
            match self.register(registrant, Some(&pending.topics)).await {
                // It has forgotten the broker, and takes no few topics of one it does not know.
                Err(RegistrationFailure::Refused { .. }) => {}
                other => return other,
            }
        }
        self.register(registrant, None).await
    }

    /// True when nothing has to be sent, because `forceRegister` is off and the name server has the current version.
    async fn is_known(&self, registrant: &impl Registrant) -> Result<bool, RegistrationFailure> {
        let (forced, timeout) = {
            let broker = &registrant.settings().read().broker;
            (broker.force_register, broker.register_broker_timeout_mills.into())
        };
        if forced {
            return Ok(false);
        }
        let version = registrant.topics().table().data_version;
        let question = message::query_data_version(registrant.identity(), version);
        let answer = self.client.call(&self.server.address, question, timeout).await?;
        Ok(answer.response_code() == ResponseCode::SUCCESS && answer.field("changed") == Some("false"))
    }

    /// Registers these topics, or all.
    async fn register(
        &self,
        registrant: &impl Registrant,
        topics: Option<&BTreeSet<Topic>>,
    ) -> Result<(), RegistrationFailure> {
        let (request, timeout) = {
            let broker = &registrant.settings().read().broker;
            let table = registrant.topics().table();
            let request = message::register(registrant.identity(), broker, &table, topics);
            (request, broker.register_broker_timeout_mills.into())
        };
        let answer = self.client.call(&self.server.address, request, timeout).await?;
        if answer.response_code() != ResponseCode::SUCCESS {
            let remark = answer.remark.unwrap_or_default();
            return Err(RegistrationFailure::Refused { code: ResponseCode(answer.code), remark });
        }
        if !answer.body.is_empty() {
            match fastjson::from_slice::<KvTable>(&answer.body) {
                Ok(ordered) => registrant.topics().mark_ordered(ordered.table.keys().map(String::as_str)),
                Err(error) => {
                    let name_server = &self.server.address;
                    tracing::warn!(name_server, %error, "the name server's list of ordered topics is passed over");
                }
            }
        }
        Ok(())
    }

    /// Notes how it went, and logs what is new about it.
    fn conclude(&mut self, result: Result<(), RegistrationFailure>) {
        let name_server = &self.server.address;
        match result {
            Ok(()) => {
                if !self.knows_all {
                    tracing::info!(%name_server, "registered");
                }
                self.knows_all = true;
                self.last_failure = None;
                self.retry = FIRST_RETRY;
            }
            Err(failure) => {
                let failure = failure.to_string();
                if self.last_failure.as_ref() != Some(&failure) {
                    tracing::warn!(%name_server, %failure, "not registered; trying again until it works");
                    self.last_failure = Some(failure);
                }
                self.retry = if self.knows_all { FIRST_RETRY } else { (self.retry * 2).min(SHORTEST_PERIOD) };
                self.knows_all = false;
            }
        }
    }
}
