//! The harness itself: what it starts answers, survives both kinds of end, and comes back on the same address.

use anyhow::{Result, ensure};
use boostermq_compat_tests::harness::Cluster;

#[test]
fn cluster_comes_back_after_a_clean_stop_and_after_a_kill() -> Result<()> {
    let mut cluster = Cluster::builder("restart").name_servers(2).start()?;
    let address = cluster.broker();
    let first = cluster.broker_pid();
    cluster.restart_broker()?;
    cluster.kill_broker()?;
    ensure!(cluster.broker_pid().is_none() && cluster.store().join("abort").exists(), "a killed broker leaves `abort`");
    cluster.start_broker()?;
    ensure!(cluster.broker() == address && cluster.broker_pid() != first, "another process on the same address");
    cluster.stop_broker()?;
    ensure!(!cluster.store().join("abort").exists(), "a clean stop removes `abort`");
    cluster.passed()
}
