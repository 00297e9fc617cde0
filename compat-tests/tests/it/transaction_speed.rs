//! Transactions committed in a second, and what they cost: ours beside the reference, one after the other on one machine.
//!
//! `BOOSTERMQ_SLOW=1 cargo test --release -p boostermq-compat-tests transactions_are_fast -- --nocapture`
//!
//! Four connections keep a window of transactions each: the half messages of the next window and the commits of the last leave in one
//! write. The CPU is that of the broker's process (`/proc/PID/stat`), all threads.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::{Answer, Connection, Frame};
use boostermq_compat_tests::harness::{Cluster, Target, official_clients_skipped, slow_cases_wanted};

const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const GET_MAX_OFFSET: i32 = 30;
const END_TRANSACTION: i32 = 37;
const SEND_MESSAGE_V2: i32 = 310;

const CONNECTIONS: usize = 4;
const WINDOW: usize = 64;
/// Windows of each connection that count, and those before them, in which Java's compiler warms up.
const WINDOWS: usize = 400;
const WARM_UP: usize = 200;
const BODY: usize = 1024;
/// `sysconf(_SC_CLK_TCK)` of every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a broker did.
struct Speed {
    per_second: f64,
    /// CPU of the broker for one transaction, microseconds.
    cpu: f64,
}

#[test]
fn transactions_are_fast() -> Result<()> {
    if official_clients_skipped() || !slow_cases_wanted() {
        eprintln!("not run: BOOSTERMQ_SLOW is not set");
        return Ok(());
    }
    let reference = measure(Target::Reference)?;
    let ours = measure(Target::Ours)?;
    for (name, speed) in [("reference", &reference), ("ours", &ours)] {
        eprintln!("{name}: {:.0} transactions a second, {:.1} us of CPU each", speed.per_second, speed.cpu);
    }
    let (faster, cheaper) = (ours.per_second / reference.per_second, reference.cpu / ours.cpu);
    eprintln!("{faster:.1} times as many, at {cheaper:.1} times less CPU each");
    ensure!(cheaper >= 5.0, "a transaction costs more than a fifth of the reference's CPU");
    Ok(())
}

fn measure(target: Target) -> Result<Speed> {
    let cluster = Cluster::builder("transaction-speed").target(target).start()?;
    let pid = cluster.broker_pid().context("the broker runs")?;
    let mut control = Connection::open(&cluster.broker(), Duration::from_secs(10))?;
    let topic = [
        ("topic", "Speed"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "4"),
        ("writeQueueNums", "4"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    ensure!(control.call(UPDATE_AND_CREATE_TOPIC, &topic, b"")?.code == 0, "the topic is made");
    run(&cluster, WARM_UP)?;
    let (begun, cpu) = (Instant::now(), cpu_of(pid)?);
    run(&cluster, WINDOWS)?;
    let (took, cpu) = (begun.elapsed(), cpu_of(pid)? - cpu);
    let sent = CONNECTIONS * (WARM_UP + WINDOWS) * WINDOW;
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut readable = 0;
        for queue in ["0", "1", "2", "3"] {
            let answer = control.call(GET_MAX_OFFSET, &[("topic", "Speed"), ("queueId", queue)], b"")?;
            readable += answer.fields.get("offset").context("no offset")?.parse::<usize>()?;
        }
        if readable == sent {
            break;
        }
        ensure!(readable < sent && Instant::now() < deadline, "{readable} of {sent} committed messages");
    }
    cluster.passed()?;
    let counted = (CONNECTIONS * WINDOWS * WINDOW) as f64;
    Ok(Speed { per_second: counted / took.as_secs_f64(), cpu: cpu * 1e6 / counted })
}

/// CPU seconds of a process so far.
fn cpu_of(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold blanks; it ends with the last bracket.
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).context("stat").and_then(|text| Ok(text.parse::<f64>()?));
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn run(cluster: &Cluster, windows: usize) -> Result<()> {
    let address = cluster.broker();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..CONNECTIONS)
            .map(|queue| {
                scope.spawn({
                    let address = &address;
                    move || produce(address, queue, windows)
                })
            })
            .collect();
        runs.into_iter().try_for_each(|run| run.join().unwrap_or_else(|_| anyhow::bail!("a producer panicked")))
    })
}

/// One connection's transactions, a window after the other.
fn produce(address: &str, queue: usize, windows: usize) -> Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut out = stream.try_clone()?;
    let mut answers = BufReader::with_capacity(1 << 20, stream);
    let (body, queue) = (vec![b'x'; BODY], queue.to_string());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis().to_string();
    let mut commits: Vec<u8> = Vec::new();
    for window in 0..=windows {
        let ends = if window > 0 { WINDOW } else { 0 };
        let halves = if window < windows { WINDOW } else { 0 };
        let mut bytes = std::mem::take(&mut commits);
        for number in 0..halves {
            let key = format!("{queue}{window:0>12}{number:0>18}");
            let properties =
                format!("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}speed\u{2}UNIQ_KEY\u{1}{key}\u{2}WAIT\u{1}true\u{2}");
            let fields = [
                ("a", "speed"),
                ("b", "Speed"),
                ("c", "TBW102"),
                ("d", "4"),
                ("e", &queue),
                ("f", "4"),
                ("g", &now),
                ("h", "0"),
                ("i", &properties),
                ("j", "0"),
                ("k", "false"),
                ("m", "false"),
            ];
            bytes.extend(Frame::request(SEND_MESSAGE_V2, number as i64, &fields, &body)?.to_bytes()?);
        }
        out.write_all(&bytes)?;
        for _ in 0..ends + halves {
            let (opaque, answer) = Answer::of(Frame::read(&mut answers)?)?.context("the broker asks")?;
            ensure!(answer.code == 0, "{answer:?}");
            if opaque >= WINDOW as i64 {
                continue;
            }
            let field = |name: &str| answer.fields.get(name).with_context(|| format!("no {name}: {answer:?}"));
            let physical = i64::from_str_radix(field("msgId")?.get(16..).context("a short id")?, 16)?.to_string();
            let fields = [
                ("producerGroup", "speed"),
                ("topic", "Speed"),
                ("tranStateTableOffset", field("queueOffset")?.as_str()),
                ("commitLogOffset", &physical),
                ("commitOrRollback", "8"),
                ("fromTransactionCheck", "false"),
                ("msgId", field("transactionId")?),
                ("transactionId", field("transactionId")?),
            ];
            commits.extend(Frame::request(END_TRANSACTION, WINDOW as i64 + opaque, &fields, b"")?.to_bytes()?);
        }
    }
    Ok(())
}
