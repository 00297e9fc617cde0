//! `mqbroker`: starts a broker, and with nothing configured a whole cluster in one process.

use std::path::PathBuf;
use std::process::ExitCode;

use boostermq_broker::{check_store, cluster};
use clap::Parser;

/// A broker that takes the place of RocketMQ's.
///
/// With no name server configured anywhere (flag, file, NAMESRV_ADDR) one is started in the same process.
#[derive(Parser, Debug)]
#[command(name = "mqbroker", version)]
struct Flags {
    /// Configuration file in Java's properties format.
    #[arg(short = 'c', long = "configFile", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Name servers, as `host:port`, several separated by `;`.
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDRESSES")]
    namesrv_addr: Option<String>,
    /// Prints every setting and ends.
    #[arg(short = 'p', long = "printConfigItem")]
    print_config_item: bool,
    /// Prints the settings that operators change most, and ends.
    #[arg(short = 'm', long = "printImportantConfig")]
    print_important_config: bool,
    /// Says what a start would recover, cut, build again or refuse, changes nothing, and ends; the status is 0 when a start would
    /// succeed.
    #[arg(long = "check-store")]
    check_store: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    if flags.check_store {
        return status(check_store::run(flags.config_file));
    }
    let start = cluster::Start {
        config_file: flags.config_file,
        namesrv_addr: flags.namesrv_addr,
        print: match (flags.print_config_item, flags.print_important_config) {
            (true, _) => Some(cluster::Print::All),
            (_, true) => Some(cluster::Print::Important),
            _ => None,
        },
    };
    status(cluster::run(start).map(|()| true))
}

fn status(result: anyhow::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mqbroker: {error:#}");
            ExitCode::FAILURE
        }
    }
}
