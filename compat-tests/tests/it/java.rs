//! The official Java clients.

use std::time::Duration;

use anyhow::Result;
use boostermq_compat_tests::harness::{Cluster, JavaClient, official_clients_skipped};

/// The suite ends within three minutes on two cores; the slow cases need more.
const LIMIT: Duration = Duration::from_secs(1200);

#[test]
fn java_5_5_0() -> Result<()> {
    run("java-5.5.0", JavaClient::V5_5_0, &[], &[])
}

/// What hand-made frames say does not depend on the client, so only the cases with the official client run again.
#[test]
fn java_4_9_8() -> Result<()> {
    run("java-4.9.8", JavaClient::V4_9_8, &[], &["-skip", "raw,alone"])
}

/// All headers in the compact binary codec.
#[test]
fn java_binary_headers() -> Result<()> {
    run("java-binary-headers", JavaClient::V5_5_0, &["-Drocketmq.serialize.type=ROCKETMQ"], &["-skip", "alone"])
}

fn run(module: &str, client: JavaClient, properties: &[&str], arguments: &[&str]) -> Result<()> {
    if official_clients_skipped() {
        return Ok(());
    }
    let cluster = Cluster::builder(module).name_servers(2);
    let keys = crate::QUESTIONS_SOON.iter();
    let mut cluster = keys.fold(cluster, |cluster, (key, value)| cluster.broker_key(key, value)).start()?;
    let mut program = client.cases(&cluster, properties)?;
    program.args(arguments);
    let report = cluster.run(program, LIMIT)?;
    report.verify(cluster.target(), module)?;
    cluster.passed()
}
