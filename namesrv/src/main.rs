//! `mqnamesrv`: a name server as a process of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use boostermq_namesrv::config::NamesrvConfig;
use boostermq_namesrv::process::{self, StopSignals};
use boostermq_remoting::config::{Config, Machine};
use clap::Parser;

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
    let given = process::read_settings(flags.config.as_deref())?;
    let (config, warnings) = NamesrvConfig::read(&given, &Machine::this())?;
    if flags.print {
        process::say(&config.to_properties().to_wire_text());
        return Ok(());
    }
    process::start_log();
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
    let mut signals = StopSignals::catch()?;
    let running = boostermq_namesrv::start(config).await?;
    // Scripts wait for upstream's words.
    process::say(&format!("The Name Server boot success. serializeType=JSON, address {}\n", running.address()));
    signals.wait().await;
    running.stop().await;
    Ok(())
}
