//! What both server processes do alike: read a file of settings, write a log, stop at a signal.
//!
//! It never decides what a setting means or what is served.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use boostermq_remoting::properties_file::Properties;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The keys in the file that `-c` names; none without one.
///
/// # Errors
/// A sentence that names the file, and the line that is not understood.
pub fn read_settings(file: Option<&Path>) -> Result<Properties> {
    let Some(path) = file else { return Ok(Properties::new()) };
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("the configuration file {name} cannot be read"))?;
    Ok(Properties::parse(&name.to_string(), &bytes)?)
}

/// Starts the log on standard error: as much as `BOOSTERMQ_LOG` says, without it what is worth a line to operators. A second
/// call in one process changes nothing.
pub fn start_log() {
    let filter = EnvFilter::try_from_env("BOOSTERMQ_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let _ = log.try_init();
}

/// Writes to standard output. Nobody needs to read it: a closed output ends neither a server nor a look at a store.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// SIGTERM and Ctrl-C, caught.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Catches them from here on. To be called before a port is open or a file is locked: whoever sees that may already ask the
    /// process to stop.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn catch() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?,
        })
    }

    /// Returns when one came, or had come before.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
    }
}
