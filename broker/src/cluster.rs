//! From flags to a running process: a broker alone, or with a name server in the same process when none is
//! configured.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use boostermq_namesrv::config::NamesrvConfig;
use boostermq_namesrv::process::{self, StopSignals};
use boostermq_remoting::config::{Effect, Machine};
use boostermq_remoting::properties_file::Properties;

use crate::broker::{Broker, Identity, Running};
use crate::config::Settings;

/// Port of an embedded name server, upstream's own.
const NAME_SERVER_PORT: u16 = 9876;

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// `-c`.
    pub config_file: Option<PathBuf>,
    /// `-n`; wins over the file.
    pub namesrv_addr: Option<String>,
    /// `-p`, `-m`: print settings instead of starting.
    pub print: Option<Print>,
}

/// Which settings to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// All.
    All,
    /// Those that operators change most.
    Important,
}

/// Keys that `-m` prints: upstream's `@ImportantField`s.
const IMPORTANT: [&str; 28] = [
    "namesrvAddr",
    "brokerIP1",
    "brokerIP2",
    "listenPort",
    "brokerName",
    "brokerClusterName",
    "brokerId",
    "autoCreateTopicEnable",
    "autoCreateSubscriptionGroup",
    "msgTraceTopicName",
    "traceTopicEnable",
    "rejectTransactionMessage",
    "fetchNamesrvAddrByAddressServer",
    "transactionTimeOut",
    "transactionCheckMax",
    "transactionCheckInterval",
    "aclEnable",
    "brokerPermission",
    "storePathRootDir",
    "storePathCommitLog",
    "flushIntervalCommitLog",
    "flushDiskType",
    "deleteWhen",
    "fileReservedTime",
    "maxTransferBytesOnMessageInMemory",
    "maxTransferCountOnMessageInMemory",
    "maxTransferBytesOnMessageInDisk",
    "maxTransferCountOnMessageInDisk",
];

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// One clear sentence about what keeps the process from starting, or from stopping cleanly.
pub fn run(start: Start) -> anyhow::Result<()> {
    let began = Instant::now();
    let machine = Machine::this();
    let given = process::read_settings(start.config_file.as_deref())?;
    let is_embedded_default = start.config_file.is_none();
    let mut given = given;
    if let Some(addresses) = &start.namesrv_addr {
        given.insert("namesrvAddr", addresses.as_str());
    }
    let embeds = given.get("namesrvAddr").is_none_or(|text| text.trim().is_empty()) && machine.namesrv_addr.is_none();
    if embeds && is_embedded_default {
        // A cluster of one for whoever tries it out: nobody else can reach it.
        given.insert("brokerIP1", Ipv4Addr::LOCALHOST.to_string());
    }
    let (settings, warnings) = Settings::read(given, &machine)?;
    if let Some(print) = start.print {
        print_settings(&settings, print);
        return Ok(());
    }
    process::start_log();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    for row in Settings::rows() {
        if let (Effect::Inert(why), true) = (row.effect, settings.given.get(row.key).is_some()) {
            tracing::info!("{} is set and does nothing here: {why}", row.key);
        }
    }
    // Everything but the connections themselves, which have threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("background")
        .enable_all()
        .build()
        .context("no background threads can be started")?;
    runtime.block_on(serve(settings, machine, embeds, began))
}

async fn serve(mut settings: Settings, machine: Machine, embeds: bool, began: Instant) -> anyhow::Result<()> {
    let mut signals = StopSignals::catch()?;
    let name_server = if embeds {
        // One process, one TLS: keys of the broker's file hold for both, as system properties of a JVM do.
        let tls = settings.broker.tls.clone();
        let address = SocketAddr::from(([127, 0, 0, 1], NAME_SERVER_PORT));
        settings.broker.namesrv_addr = Some(address.to_string());
        let config = NamesrvConfig { tls, ..embedded_name_server(&machine)? };
        Some(boostermq_namesrv::start(config).await.context("the embedded name server does not start")?)
    } else {
        None
    };
    let store = settings.store.store_path_root_dir.clone();
    let names = settings.broker.namesrv_addr.clone().unwrap_or_default();
    let broker = match Broker::start(settings).await {
        Ok(broker) => broker,
        Err(error) => {
            stop_name_server(name_server).await;
            return Err(error);
        }
    };
    greet(broker.identity(), &names, &store, embeds, began);
    signals.wait().await;
    let stopped = stop(broker).await;
    stop_name_server(name_server).await;
    stopped
}

async fn stop(broker: Running) -> anyhow::Result<()> {
    broker.stop().await.context("the broker did not stop cleanly; the next start recovers")?;
    tracing::info!("stopped cleanly");
    Ok(())
}

async fn stop_name_server(name_server: Option<boostermq_namesrv::Running>) {
    if let Some(name_server) = name_server {
        name_server.stop().await;
    }
}

fn embedded_name_server(machine: &Machine) -> anyhow::Result<NamesrvConfig> {
    let mut given = Properties::new();
    given.insert("listenPort", NAME_SERVER_PORT.to_string());
    let (config, _) = NamesrvConfig::read(&given, machine)?;
    Ok(config)
}

/// Operators and scripts wait for upstream's line on standard output.
fn greet(identity: &Identity, names: &str, store: &Path, embeds: bool, began: Instant) {
    let mut text = format!(
        "The broker[{}, {}] boot success. serializeType=JSON and name server is {names}\n\
         ready in {} ms; messages lie in {}\n",
        identity.name,
        identity.address,
        began.elapsed().as_millis(),
        store.display()
    );
    if embeds {
        let _ = write!(
            text,
            "name server {names} runs in this process; stop both with Ctrl-C\n\
             try it from another terminal:\n  \
             mqadmin sendMessage -n {names} -t FirstTopic -p \"hello\"\n  \
             mqadmin consumeMessage -n {names} -t FirstTopic\n  \
             (from a source tree: cargo run --release -p boostermq-tools -- sendMessage ...)\n"
        );
    }
    process::say(&text);
}

fn print_settings(settings: &Settings, print: Print) {
    let mut text = String::new();
    for (key, value) in settings.to_properties().iter() {
        if print == Print::All || IMPORTANT.contains(&key) {
            let _ = writeln!(text, "{key}={value}");
        }
    }
    process::say(&text);
}
