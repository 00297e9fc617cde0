//! `mqnamesrv`: a name server as a process of its own.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use boostermq_namesrv::config::NamesrvConfig;
use boostermq_remoting::config::{Config, Machine};
use boostermq_remoting::properties_file::Properties;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Threads that serve; a name server waits most of its time.
const WORKERS: usize = 2;

/// Name server of BoosterMQ: tells clients which broker holds which topic.
#[derive(Debug, Parser)]
#[command(name = "mqnamesrv", version)]
struct Flags {
    /// Configuration file: lines of key=value, see CONFIG.md.
    #[arg(short = 'c', long = "configFile", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints every setting and ends.
    #[arg(short = 'p', long = "printConfigItem")]
    print: bool,
    /// Accepted for scripts that give it to every program; a name server asks no other.
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDRESSES", hide = true)]
    namesrv: Option<String>,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "mqnamesrv: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> Result<()> {
    let given = match &flags.config {
        Some(path) => {
            let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let source = path.display().to_string();
            Properties::parse(&source, &text).with_context(|| source.clone())?
        }
        None => Properties::new(),
    };
    let (config, warnings) = NamesrvConfig::read(&given, &Machine::this())?;
    if flags.print {
        std::io::stdout().write_all(config.to_properties().to_wire_text().as_bytes())?;
        return Ok(());
    }
    let level = EnvFilter::try_from_env("BOOSTERMQ_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(level).with_ansi(colours).with_writer(std::io::stderr).init();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(8)
        .thread_name("namesrv")
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: NamesrvConfig) -> Result<()> {
    // Before the port is open: whoever sees it open may already ask the process to stop.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = boostermq_namesrv::start(config).await?;
    let mut out = std::io::stdout();
    // Scripts wait for upstream's words. A closed output is no reason not to serve.
    let _ = writeln!(out, "The Name Server boot success. serializeType=JSON, address {}", running.address());
    let _ = out.flush();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}
