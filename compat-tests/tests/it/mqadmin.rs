//! Upstream's mqadmin 5.5.0 against the target, and ours beside it: both print the same, values aside, and upstream's prints of the
//! target what it printed of the reference (`golden/mqadmin.txt`).
//!
//! With `BOOSTERMQ_COMPAT_TARGET=reference` the recording is held against the reference; `BOOSTERMQ_WRITE_GOLDEN=1` makes it anew.

use std::time::Duration;

use anyhow::Result;
use boostermq_compat_tests::harness::{Cluster, JavaClient, mqadmin, official_clients_skipped, workspace_dir};

/// Ninety commands of upstream's tool, a second or so each on a busy machine.
const LIMIT: Duration = Duration::from_secs(1200);

#[test]
fn both_tools_print_the_same() -> Result<()> {
    if official_clients_skipped() {
        return Ok(());
    }
    let mut cluster = Cluster::builder("mqadmin").broker_key("brokerName", "broker-a").start()?;
    let mut program = JavaClient::V5_5_0.program("compat.Mqadmin", &cluster, &[])?;
    program.arg("-mqadmin").arg(mqadmin()?);
    program.arg("-golden").arg(workspace_dir().join("compat-tests/golden/mqadmin.txt"));
    if std::env::var_os("BOOSTERMQ_WRITE_GOLDEN").is_some() {
        program.arg("-write");
    }
    let report = cluster.run(program, LIMIT)?;
    report.verify(cluster.target(), "mqadmin")?;
    cluster.passed()
}
