//! Starts what is tested, runs a client against it, judges the outcome.
//!
//! ```text
//! Cluster::builder("java_5_5_0").start()?        name server + broker on free ports, temporary stores, both answering
//!     .run(Command::new("java")…)?               Report: one outcome per case line; CONTROL lines are obeyed
//!     report.verify(cluster.target())?           failures must be exactly those of differences.toml
//! cluster.passed()                               without it the folder with logs and stores is kept and printed
//! ```
//!
//! Environment:
//! * `BOOSTERMQ_COMPAT_TARGET=reference`: test Apache RocketMQ 5.5.0 from its Maven artifacts instead of ours. A case that the
//!   reference fails is wrong. `mixed`: our name server under the reference's broker.
//! * `BOOSTERMQ_BIN_DIR`: folder with `mqbroker` and `mqnamesrv`; without it the workspace is built in release mode once.
//! * `BOOSTERMQ_SKIP_OFFICIAL_CLIENTS=1`: tests that need java, mvn or go pass without running.
//! * `BOOSTERMQ_SLOW=1`: cases of more than a minute run too.
//! * `BOOSTERMQ_CASES=S01,P02`: only these cases.

mod binaries;
mod client;
mod cluster;
pub mod dialect;
mod differences;
mod java;
mod ports;
mod process;
mod toolchain;
pub mod wire;

pub use binaries::{build_dir, mqadmin, workspace_dir};
pub use client::{Outcome, Report};
pub use cluster::{Cluster, ClusterBuilder, Target};
pub use differences::Differences;
pub use java::JavaClient;
pub use toolchain::{official_clients_skipped, selected_cases, slow_cases_wanted, tool};
