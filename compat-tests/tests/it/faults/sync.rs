//! A22 and A24 of the failure matrix: a sync that fails, and one that takes long. `strace` makes the system say so to the
//! real process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use boostermq_compat_tests::harness::wire::Connection;
use boostermq_compat_tests::harness::{Cluster, Target, slow_cases_wanted, tool};
use rustix::process::{Pid, Signal, kill_process};

use super::left_out;
use super::load::{Sender, make_topic, pull, verify};

const FLUSH_DISK_TIMEOUT: i64 = 10;

/// `strace` on every thread of the broker.
struct Injection(Child);

impl Injection {
    /// Attaches; `None` says why that is not possible here.
    fn start(cluster: &Cluster, what: &str) -> Result<Result<Injection, String>> {
        let strace = match tool("strace") {
            Ok(path) => path,
            Err(_) => return Ok(Err("strace is not installed".to_owned())),
        };
        let pid = cluster.broker_pid().context("no broker")?;
        let log = cluster.folder().join("strace.log");
        let said = cluster.folder().join("strace.err");
        let mut command = Command::new(strace);
        command.arg("-f").arg("-p").arg(pid.to_string()).arg("-o").arg(&log);
        command.args(["-e", "trace=fdatasync,fsync,msync", "-e", what]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&said)?);
        let mut injection = Injection(command.spawn()?);
        let deadline = Instant::now() + Duration::from_secs(80);
        let threads = std::fs::read_dir(format!("/proc/{pid}/task"))?.count();
        // It says a line for each thread that it holds.
        loop {
            let text = std::fs::read_to_string(&said).unwrap_or_default();
            if injection.0.try_wait()?.is_some() {
                return Ok(Err(text.trim().to_owned()));
            }
            if text.contains("attached") && traced(pid)? >= threads {
                return Ok(Ok(injection));
            }
            ensure!(Instant::now() < deadline, "strace does not attach: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets go of the broker.
    fn end(mut self) -> Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("no pid")?;
        kill_process(pid, Signal::INT)?;
        let deadline = Instant::now() + Duration::from_secs(80);
        while self.0.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "strace does not let go");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Threads of the process that somebody traces.
fn traced(pid: u32) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(entry?.path().join("status")).unwrap_or_default();
        count += usize::from(status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")));
    }
    Ok(count)
}

fn start(case: &str, sync_flush_timeout_ms: u64) -> Result<Cluster> {
    let cluster = Cluster::builder(case)
        .target(Target::Ours)
        .broker_key("flushDiskType", "SYNC_FLUSH")
        .broker_key("mappedFileSizeCommitLog", "4194304")
        .broker_key("syncFlushTimeout", &sync_flush_timeout_ms.to_string())
        .start()?;
    make_topic(&cluster)?;
    Ok(cluster)
}

fn log_of(folder: &Path) -> String {
    std::fs::read(folder.join("broker.log"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[test]
fn a22_nothing_is_acknowledged_after_a_failed_sync() -> Result<()> {
    let mut cluster = start("a22", 5000)?;
    let mut sender = Sender::open(&cluster, 0, Duration::from_secs(60))?;
    for _ in 0..20 {
        ensure!(sender.send(1000)? == 0, "{:?}", sender.tally.refused);
    }
    // The first sync of each thread fails. All later ones succeed: that is how the system lies about lost pages.
    let injection = match Injection::start(&cluster, "inject=fdatasync,fsync:error=EIO:when=1")? {
        Ok(injection) => injection,
        Err(why) => return left_out("A22", &why).and_then(|()| cluster.passed()),
    };
    let before = sender.tally.acknowledged.len();
    for _ in 0..30 {
        let code = sender.send(1000)?;
        ensure!(code != 0, "acknowledged after a failed sync");
    }
    injection.end()?;
    // Nor after the disk is well again.
    let mut second = Sender::open(&cluster, 1, Duration::from_secs(60))?;
    ensure!(second.send(1000)? != 0, "acknowledged by a store that lost pages");
    ensure!(sender.tally.acknowledged.len() == before);
    eprintln!("A22: refused {:?}", sender.tally.refused);
    ensure!(sender.tally.refused.values().all(|(_, remark)| !remark.is_empty()), "a refusal says why");
    let mut reader = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    ensure!(pull(&mut reader, 0, 0)?.code == 0, "reads go on");
    verify(&cluster, &sender.tally.acknowledged)?;
    cluster.check_broker_alive()?;
    let log = log_of(cluster.folder());
    ensure!(log.contains("ERROR"), "the log says nothing:\n{log}");
    cluster.kill_broker()?;
    cluster.start_broker()?;
    verify(&cluster, &sender.tally.acknowledged)?;
    let mut sender = Sender::open(&cluster, 2, Duration::from_secs(60))?;
    ensure!(sender.send(1000)? == 0, "a restart takes messages again: {:?}", sender.tally.refused);
    cluster.passed()
}

#[test]
fn a24_a_slow_sync_is_told_and_passes() -> Result<()> {
    // As in the field: 5 s of patience, and syncs that take longer. Shorter by default. A machine may stand still for the difference.
    let (patience_ms, sync_ms) = if slow_cases_wanted() { (5000, 8000) } else { (700, 4000) };
    let cluster = start("a24", patience_ms)?;
    let mut sender = Sender::open(&cluster, 0, Duration::from_secs(60))?;
    ensure!(sender.send(1000)? == 0, "{:?}", sender.tally.refused);
    let what = format!("inject=fdatasync,fsync:delay_enter={}", sync_ms * 1000);
    let injection = match Injection::start(&cluster, &what)? {
        Ok(injection) => injection,
        Err(why) => return left_out("A24", &why).and_then(|()| cluster.passed()),
    };
    let mut reader = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    let (mut fastest_answer, mut fastest_read) = (Duration::MAX, Duration::MAX);
    // More than once: what else syncs may be under way or not when the deadline comes, and the machine may stand still.
    for _ in 0..3 {
        let began = Instant::now();
        let code = sender.send(1000)?;
        let waited = began.elapsed();
        eprintln!("A24: answered {code} after {waited:?}");
        ensure!(code == FLUSH_DISK_TIMEOUT, "answered {code}: {:?}", sender.tally.refused);
        ensure!(waited >= Duration::from_millis(patience_ms));
        fastest_answer = fastest_answer.min(waited);
        // The sync that the send waited for is still under way.
        let began = Instant::now();
        ensure!(pull(&mut reader, 0, 0)?.code == 0, "reads go on");
        fastest_read = fastest_read.min(began.elapsed());
    }
    ensure!(fastest_answer < Duration::from_millis(sync_ms), "answered after {fastest_answer:?} at best");
    ensure!(fastest_read < Duration::from_millis(patience_ms), "a read waited for the disk: {fastest_read:?} at best");
    injection.end()?;
    let deadline = Instant::now() + Duration::from_secs(80);
    while sender.send(1000)? != 0 {
        if Instant::now() > deadline {
            bail!("does not recover: {:?}", sender.tally.refused);
        }
    }
    verify(&cluster, &sender.tally.acknowledged)?;
    cluster.passed()
}
