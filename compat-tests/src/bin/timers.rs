//! How fast timed messages are taken, what that costs, and what a wheel full of them needs: ours and the reference in one run.
//!
//! ```sh
//! BOOSTERMQ_BIN_DIR=target/release cargo run --release -p boostermq-compat-tests --bin timers -- --messages 1000000
//! ```
//! Counts from the first send until the last message is in the wheel. CPU is that of the broker's process, all threads.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::{Connection, Frame};
use boostermq_compat_tests::harness::{Cluster, Target};
use clap::Parser;
use serde_json::Value;

const SEND_MESSAGE_V2: i32 = 310;
const GET_BROKER_RUNTIME_INFO: i32 = 28;
const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const TOPIC: &str = "Timed";
/// Ticks of the system's clock for CPU time in a second.
const TICKS: f64 = 100.0;

/// Timed messages, ours beside the reference.
#[derive(Parser, Debug)]
#[command(name = "timers")]
struct Flags {
    /// Messages for each broker.
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Connections that send.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests in flight on each.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Bytes of a body.
    #[arg(long, default_value_t = 100)]
    body: usize,
    /// Seconds of rest afterwards, whose CPU time is told.
    #[arg(long, default_value_t = 10)]
    rest: u64,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    for target in [Target::Ours, Target::Reference] {
        if let Err(error) = measure(&flags, target) {
            eprintln!("timers: {target:?}: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn measure(flags: &Flags, target: Target) -> Result<()> {
    let cluster = Cluster::builder("timers")
        .target(target)
        .broker_key("sendMessageThreadPoolNums", "2")
        .broker_key("mappedFileSizeCommitLog", "1073741824")
        .start()?;
    let pid = cluster.broker_pid().context("no broker")?;
    let mut admin = Connection::open(&cluster.broker(), Duration::from_secs(30))?;
    let topic = [
        ("topic", TOPIC),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "4"),
        ("writeQueueNums", "4"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    ensure!(admin.call(UPDATE_AND_CREATE_TOPIC, &topic, b"")?.code == 0, "no topic");
    let (memory_before, cpu_before, begun) = (memory(pid)?, cpu(pid)?, Instant::now());
    let each = flags.messages / flags.connections;
    let broker = cluster.broker();
    std::thread::scope(|scope| {
        let senders: Vec<_> =
            (0..flags.connections).map(|_| scope.spawn(|| send(&broker, each, flags.in_flight, flags.body))).collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("a sender panicked"))
    })?;
    let sent = begun.elapsed();
    while behind(&mut admin)? > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (taken, cpu_after) = (begun.elapsed(), cpu(pid)?);
    let count = (each * flags.connections) as f64;
    println!(
        "{target:?}: {:.0} sent/s, {:.0} in the wheel/s, {:.2} us CPU each, {} MiB more memory",
        count / sent.as_secs_f64(),
        count / taken.as_secs_f64(),
        (cpu_after - cpu_before) / count * 1e6,
        memory(pid)?.saturating_sub(memory_before) / 1024,
    );
    std::thread::sleep(Duration::from_secs(3));
    let cpu_before = cpu(pid)?;
    std::thread::sleep(Duration::from_secs(flags.rest));
    println!(
        "{target:?}: at rest with all of them, {:.1} ms CPU a second",
        (cpu(pid)? - cpu_before) / flags.rest as f64 * 1e3
    );
    cluster.passed()
}

fn send(broker: &str, count: usize, in_flight: usize, body: usize) -> Result<()> {
    let mut stream = TcpStream::connect(broker)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let body = vec![b'x'; body];
    let mut left = count;
    while left > 0 {
        let now = left.min(in_flight);
        let mut bytes = Vec::new();
        for opaque in 0..now {
            let delay_ms = fastrand::u32(600_000..3_600_000);
            let properties = format!("UNIQ_KEY\u{1}{:032X}\u{2}TIMER_DELAY_MS\u{1}{delay_ms}\u{2}", fastrand::u128(..));
            let queue = (opaque % 4).to_string();
            let fields = [
                ("a", "p"),
                ("b", TOPIC),
                ("c", "TBW102"),
                ("d", "4"),
                ("e", &queue),
                ("f", "0"),
                ("g", "1700000000000"),
                ("h", "0"),
                ("i", &properties),
                ("j", "0"),
                ("k", "false"),
                ("m", "false"),
            ];
            bytes.extend(Frame::request(SEND_MESSAGE_V2, i64::try_from(opaque)?, &fields, &body)?.to_bytes()?);
        }
        stream.write_all(&bytes)?;
        for _ in 0..now {
            let answer = Frame::read(&mut answers)?;
            ensure!(answer.json()?.get("code").and_then(Value::as_i64) == Some(0), "refused: {:?}", answer.json()?);
        }
        left -= now;
    }
    Ok(())
}

/// Messages that are not in the wheel yet.
fn behind(admin: &mut Connection) -> Result<i64> {
    let info: Value = serde_json::from_slice(&admin.call(GET_BROKER_RUNTIME_INFO, &[], b"")?.body)?;
    let text = info["table"]["timerOffsetBehind"].as_str().context("no timerOffsetBehind")?;
    Ok(text.parse()?)
}

/// Seconds of CPU that the process has used.
fn cpu(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("stat")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// Resident memory in KiB, without pages of files.
fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("RssAnon")?;
    Ok(line.split_whitespace().next().context("RssAnon")?.parse()?)
}
