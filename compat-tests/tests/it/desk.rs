//! Our mqadmin's own commands, `find`, `doctor` and `top`, against the target: a group in one trouble after another.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::Connection;
use boostermq_compat_tests::harness::{Cluster, mqadmin};
use serde_json::Value;

const TOPIC: &str = "DeskTopic";
const GROUP: &str = "desk_group";
const UPDATE_CONSUMER_OFFSET: i32 = 15;
/// Messages that are sent.
const MESSAGES: i64 = 40;

/// Runs a command and gives its status and output.
fn run(cluster: &Cluster, line: &[&str]) -> Result<(i32, Output)> {
    let output = Command::new(mqadmin()?).args(line).args(["-n", &cluster.namesrv()]).output()?;
    let status = output.status.code().context("mqadmin was killed")?;
    Ok((status, output))
}

/// Runs a command that must end with this status, and reads what it prints as JSON.
fn json(cluster: &Cluster, wanted: i32, line: &[&str]) -> Result<Value> {
    let (status, output) = run(cluster, &[line, &["-o", "json"]].concat())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(status == wanted, "{line:?} ended with {status}, not {wanted}:\n{text}{complaints}");
    serde_json::from_str(&text).with_context(|| format!("{line:?} printed {text}"))
}

/// Causes that doctor finds.
fn causes(cluster: &Cluster, wanted: i32) -> Result<Vec<String>> {
    let page = json(cluster, wanted, &["doctor", "-g", GROUP, "-i", "1"])?;
    let findings = page["findings"].as_array().context("no findings")?;
    Ok(findings.iter().filter_map(|finding| finding["cause"].as_str().map(str::to_owned)).collect())
}

fn commit(broker: &mut Connection, offset: i64) -> Result<()> {
    let offset = offset.to_string();
    let fields = [("consumerGroup", GROUP), ("topic", TOPIC), ("queueId", "0"), ("commitOffset", &offset)];
    let answer = broker.call(UPDATE_CONSUMER_OFFSET, &fields, b"")?;
    ensure!(answer.code == 0, "the offset was not taken: {answer:?}");
    Ok(())
}

#[test]
fn a_message_and_a_group_are_looked_into() -> Result<()> {
    let cluster = Cluster::builder("desk").broker_key("brokerName", "broker-a").start()?;
    let broker_address = cluster.broker();
    let made = run(&cluster, &["updateTopic", "-b", &broker_address, "-t", TOPIC, "-r", "1", "-w", "1"])?;
    ensure!(made.0 == 0, "{made:?}");
    let mut sent = Value::Null;
    for number in 0..MESSAGES {
        let key = format!("order-{number}");
        sent = json(&cluster, 0, &["sendMessage", "-t", TOPIC, "-p", "body", "-k", &key, "-c", "A"])?;
    }
    let id = sent["sent"][0]["msgId"].as_str().context("no id")?.to_owned();

    // Nobody knows the group, and asking does not make it.
    for _ in 0..2 {
        let (status, output) = run(&cluster, &["doctor", "-g", GROUP, "-i", "1"])?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(status == 1 && complaint.contains("no broker knows the group"), "{status} {complaint}");
    }
    let made = run(&cluster, &["updateSubGroup", "-b", &broker_address, "-g", GROUP])?;
    ensure!(made.0 == 0, "{made:?}");
    let mut broker = Connection::open(&broker_address, Duration::from_secs(60))?;
    commit(&mut broker, MESSAGES / 2)?;
    assert_eq!(causes(&cluster, 2)?, ["no-member"]);

    let page = json(&cluster, 0, &["find", &id])?;
    let message = &page["messages"][0];
    assert_eq!((message["topic"].as_str(), message["queueOffset"].as_i64()), (Some(TOPIC), Some(MESSAGES - 1)));
    assert_eq!(message["groups"][0]["before"], MESSAGES - 1 - MESSAGES / 2);
    commit(&mut broker, MESSAGES)?;
    let place = message["offsetId"].as_str().context("no place")?;
    for key in [id.as_str(), place, "order-39"] {
        let page = json(&cluster, 0, &["find", key])?;
        assert_eq!(page["messages"][0]["id"], id.as_str(), "{key}");
        assert_eq!(page["messages"][0]["groups"][0]["state"], "consumed", "{key}");
    }
    assert_eq!(run(&cluster, &["find", "order-40"])?.0, 1);

    let changed = run(&cluster, &["updateSubGroup", "-b", &broker_address, "-g", GROUP, "-s", "false"])?;
    ensure!(changed.0 == 0, "{changed:?}");
    assert_eq!(causes(&cluster, 2)?, ["consume-disabled", "no-member"]);

    commit(&mut broker, 10)?;
    let screen = json(&cluster, 0, &["top", "-i", "1"])?;
    let group = screen["groups"].as_array().and_then(|groups| groups.iter().find(|group| group["group"] == GROUP));
    let group = group.context("top does not show the group")?;
    assert_eq!(group["lag"], MESSAGES - 10);
    ensure!(group["behindMs"].as_i64().is_some_and(|behind_ms| behind_ms > 0), "{group}");
    assert_eq!(screen["brokers"][0]["state"], "up");
    cluster.passed()
}
