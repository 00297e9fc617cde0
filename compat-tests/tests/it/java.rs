//! The official Java clients.

use std::time::Duration;

use anyhow::Result;
use boostermq_compat_tests::harness::{
    Cluster, JavaClient, official_clients_skipped, selected_cases, slow_cases_wanted,
};

/// The suite ends within three minutes on two cores; the slow cases need more.
const LIMIT: Duration = Duration::from_secs(2400);

/// Cases that need a broker of their own kind.
const OWN: [&str; 4] = ["A11", "A16", "M13R", "P19"];

#[test]
fn java_5_5_0() -> Result<()> {
    run("java-5.5.0", JavaClient::V5_5_0, &[], &[], &crate::QUESTIONS_SOON)
}

/// What hand-made frames say does not depend on the client, so only the cases with the official client run again.
#[test]
fn java_4_9_8() -> Result<()> {
    run("java-4.9.8", JavaClient::V4_9_8, &[], &["-skip", "raw,alone"], &crate::QUESTIONS_SOON)
}

/// All headers in the compact binary codec.
#[test]
fn java_binary_headers() -> Result<()> {
    let binary = ["-Drocketmq.serialize.type=ROCKETMQ"];
    run("java-binary-headers", JavaClient::V5_5_0, &binary, &["-skip", "alone"], &crate::QUESTIONS_SOON)
}

#[test]
fn java_light_queues() -> Result<()> {
    let keys = [("enableLmq", "true"), ("enableMultiDispatch", "true")];
    run("java-light-queues", JavaClient::V5_5_0, &[], &["-own", "A16"], &keys)
}

#[test]
fn java_machine_room() -> Result<()> {
    run("java-machine-room", JavaClient::V5_5_0, &[], &["-own", "M13R"], &[("brokerName", "room1@broker-a")])
}

/// Each mode of TLS, set as operators of Java servers set it.
#[test]
fn java_tls() -> Result<()> {
    if official_clients_skipped() || selected_cases().is_some_and(|cases| !cases.split(',').any(|case| case == "A11")) {
        return Ok(());
    }
    for mode in ["permissive", "enforcing", "disabled"] {
        let module = format!("java-tls-{mode}");
        let mut cluster = Cluster::builder(&module).system_property("tls.server.mode", mode).start()?;
        let mut program = JavaClient::V5_5_0.cases(&cluster, &[&format!("-Dcompat.tls.mode={mode}")])?;
        program.args(["-own", "A11"]);
        let report = cluster.run(program, LIMIT)?;
        report.verify(cluster.target(), &module)?;
        cluster.passed()?;
    }
    Ok(())
}

/// Files of 1 MiB that expire at once. The reference looks for the first time a minute after its start.
#[test]
fn java_small_files() -> Result<()> {
    if !slow_cases_wanted() {
        eprintln!("not run: BOOSTERMQ_SLOW is not set");
        return Ok(());
    }
    let every_hour = (0..24).map(|hour| format!("{hour:02}")).collect::<Vec<_>>().join(";");
    let keys = [
        ("mappedFileSizeCommitLog", "1048576"),
        ("fileReservedTime", "0"),
        ("deleteWhen", &every_hour),
        ("deleteCommitLogFilesInterval", "1"),
    ];
    run("java-small-files", JavaClient::V5_5_0, &[], &["-own", "P19"], &keys)
}

fn run(module: &str, client: JavaClient, properties: &[&str], arguments: &[&str], keys: &[(&str, &str)]) -> Result<()> {
    let own = arguments.iter().skip_while(|word| **word != "-own").nth(1);
    let is_meant = |case: &str| own.map_or(!OWN.contains(&case), |own| *own == case);
    if official_clients_skipped() || selected_cases().is_some_and(|cases| !cases.split(',').any(is_meant)) {
        return Ok(());
    }
    let cluster = Cluster::builder(module).name_servers(2);
    let mut cluster = keys.iter().fold(cluster, |cluster, (key, value)| cluster.broker_key(key, value)).start()?;
    let mut program = client.cases(&cluster, properties)?;
    program.args(arguments);
    let report = cluster.run(program, LIMIT)?;
    report.verify(cluster.target(), module)?;
    cluster.passed()
}
