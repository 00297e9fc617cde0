//! A25 and A26 of the failure matrix: few descriptors, little memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::{Connection, Frame};
use boostermq_compat_tests::harness::{Cluster, Target, slow_cases_wanted, tool};

use super::left_out;
use super::load::{Load, PULL_MESSAGE, QUEUES, Sender, make_topic, pull, pull_fields, verify};

fn builder(case: &str) -> boostermq_compat_tests::harness::ClusterBuilder {
    Cluster::builder(case)
        .target(Target::Ours)
        .broker_key("flushDiskType", "SYNC_FLUSH")
        .broker_key("mappedFileSizeCommitLog", "4194304")
}

/// Descriptors of the broker.
const DESCRIPTORS: usize = 256;

#[test]
fn a25_a_broker_out_of_descriptors_keeps_storing() -> Result<()> {
    if let Err(error) = tool("prlimit") {
        return left_out("A25", &format!("{error:#}"));
    }
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    let mut cluster = builder("a25").broker_wrapper(&["prlimit", &limit]).start()?;
    make_topic(&cluster)?;
    let pid = cluster.broker_pid().context("no broker")?;
    let mut sender = Sender::open(&cluster, 0, Duration::from_secs(60))?;
    ensure!(sender.send(1000)? == 0);
    // The kernel accepts on the broker's behalf; what counts is whether the broker answers.
    let mut crowd: Vec<Connection> =
        (0..400).filter_map(|_| Connection::open(&cluster.broker(), Duration::from_millis(300)).ok()).collect();
    let answered = crowd.iter_mut().filter_map(|connection| pull(connection, 0, 0).ok()).count();
    // Four files of the log, and queues: all need descriptors.
    for number in 0..220 {
        let code = sender.send(64 * 1024)?;
        ensure!(code == 0, "send {number} of a connection that was there before: {:?}", sender.tally.refused);
    }
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    eprintln!("A25: {answered} of {} more connections answered, {descriptors} descriptors open", crowd.len());
    ensure!(answered > 20 && answered < DESCRIPTORS && descriptors <= DESCRIPTORS);
    cluster.check_broker_alive()?;
    crowd.clear();
    let deadline = Instant::now() + Duration::from_secs(80);
    let mut late = loop {
        // The broker learns of the closed ones a moment later.
        let late = Sender::open(&cluster, 1, Duration::from_secs(10)).and_then(|mut late| Ok((late.send(1000)?, late)));
        match late {
            Ok((0, late)) => break late,
            _ => ensure!(Instant::now() < deadline, "no connection is taken any more"),
        }
    };
    sender.tally.acknowledged.append(&mut late.tally.acknowledged);
    verify(&cluster, &sender.tally.acknowledged)?;
    cluster.passed()
}

/// A group of processes with a limit of memory; removed when dropped.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// Both versions of control groups are known.
    fn create(bytes: u64) -> Result<Self> {
        let name = format!("boostermq-a26-{}", std::process::id());
        let (path, limit) = match PathBuf::from("/sys/fs/cgroup/memory") {
            first if first.is_dir() => (first.join(name), "memory.limit_in_bytes"),
            _ => (PathBuf::from("/sys/fs/cgroup").join(name), "memory.max"),
        };
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        let group = Self(path);
        std::fs::write(group.0.join(limit), bytes.to_string()).with_context(|| group.0.display().to_string())?;
        Ok(group)
    }

    fn read(&self, names: [&str; 2]) -> String {
        let found = names.iter().find_map(|name| std::fs::read_to_string(self.0.join(name)).ok());
        found.unwrap_or_default().trim().to_owned()
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Its process has ended or is about to.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a26_a_broker_with_little_memory_stays_up() -> Result<()> {
    let group = match MemoryGroup::create(256 << 20) {
        Ok(group) => group,
        Err(error) => return left_out("A26", &format!("{error:#}")),
    };
    let joins = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
    let mut cluster = builder("a26").broker_wrapper(&["sh", "-c", &joins]).start()?;
    make_topic(&cluster)?;
    let load = Load::start(&cluster, 64 * 1024, Duration::from_secs(60));
    load.goes_on(20)?;
    // Clients that ask for much and do not read, and clients that send the front half of large frames.
    let mut deaf = Vec::new();
    for number in 0..40 {
        std::thread::sleep(Duration::from_millis(if slow_cases_wanted() { 500 } else { 50 }));
        let mut connection = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
        let queue = (number % QUEUES).to_string();
        for opaque in 0..20 {
            // A connection that is closed for asking too much has made its point.
            let _ = connection.send(&Frame::request(PULL_MESSAGE, opaque, &pull_fields(&queue, "0", "4"), b"")?);
        }
        let _ = connection.send_part(12 << 20);
        deaf.push(connection);
    }
    let tally = load.finish()?;
    cluster.check_broker_alive().context("it did not survive")?;
    let peak = group.read(["memory.max_usage_in_bytes", "memory.peak"]);
    let hits = group.read(["memory.failcnt", "memory.events"]);
    let (sent, broken) = (tally.acknowledged.len(), tally.broken);
    eprintln!(
        "A26: {sent} x 64 KiB acknowledged, refused {:?}, broken {broken}; peak {peak}, limit hit {hits}",
        tally.refused
    );
    drop(deaf);
    verify(&cluster, &tally.acknowledged)?;
    cluster.passed()
}
