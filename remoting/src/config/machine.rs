//! What defaults take from the machine; read once, passed in, so that a `resolve` depends on nothing else.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::properties_file::Properties;

/// Facts about the machine and the environment of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The host name, when it has one that is not `localhost`.
    pub host_name: Option<String>,
    /// The first IPv4 address that is not loopback, else 127.0.0.1.
    pub address: Ipv4Addr,
    /// The home folder of the user; the working folder when there is none.
    pub home: PathBuf,
    /// Processors the process may use.
    pub cpus: u32,
    /// Name servers from the environment variable `NAMESRV_ADDR`.
    pub namesrv_addr: Option<String>,
    /// The environment variable `ROCKETMQ_HOME`.
    pub rocketmq_home: Option<String>,
    /// What operators of Java servers set as `-Dname=value` in the variables [`JAVA_OPTIONS`]. Of these only the names of TLS
    /// mean something here.
    pub system_properties: Properties,
}

/// Environment variables that upstream's scripts hand to the JVM, the stronger one last.
const JAVA_OPTIONS: [&str; 2] = ["JAVA_OPT", "JAVA_OPT_EXT"];

impl Machine {
    /// The machine on which the process runs.
    #[must_use]
    pub fn this() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            host_name: Some(host_name).filter(|name| !matches!(name.as_str(), "" | "(none)" | "localhost")),
            address: first_address().unwrap_or(Ipv4Addr::LOCALHOST),
            home: std::env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())
                .unwrap_or_else(|| PathBuf::from(".")),
            cpus: std::thread::available_parallelism()
                .map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
            namesrv_addr: variable("NAMESRV_ADDR"),
            rocketmq_home: variable("ROCKETMQ_HOME"),
            system_properties: system_properties(),
        }
    }
}

/// What the environment of the process sets as `-Dname=value` for a JVM: see [`Machine::system_properties`].
#[must_use]
pub fn system_properties() -> Properties {
    definitions(JAVA_OPTIONS.into_iter().filter_map(|name| std::env::var(name).ok()))
}

/// The words `-Dname=value` of options for a JVM; the last of a name stands.
pub(crate) fn definitions(options: impl IntoIterator<Item = String>) -> Properties {
    let mut properties = Properties::named(&JAVA_OPTIONS.join(" or "));
    for words in options {
        let definitions = words.split_whitespace().filter_map(|word| word.strip_prefix("-D")?.split_once('='));
        for (name, value) in definitions {
            properties.insert(name, value.trim_matches(['"', '\'']));
        }
    }
    properties
}

/// Interfaces come in the kernel's order: the one that is set up first stands before bridges and tunnels.
fn first_address() -> Option<Ipv4Addr> {
    if_addrs::get_if_addrs().ok()?.into_iter().find_map(|interface| match interface.ip() {
        IpAddr::V4(address) if !address.is_loopback() && !address.is_link_local() => Some(address),
        _ => None,
    })
}
