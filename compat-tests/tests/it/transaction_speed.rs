//! Transactions committed in a second, and what they cost: ours beside the reference, one after the other on one machine.
//!
//! `BOOSTERMQ_SLOW=1 cargo test --release -p boostermq-compat-tests transactions_are_fast -- --nocapture`
//!
//! Four connections keep a window of transactions each: the half messages of the next window and the commits of the last leave in one
//! write. The CPU is that of the broker's process (`/proc/PID/stat`), all threads.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::Connection;
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
    let mut control = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
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
    let deadline = Instant::now() + Duration::from_secs(80);
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
///
/// Headers are written and read as text: the client shares the machine with the broker and must not be what is measured.
fn produce(address: &str, queue: usize, windows: usize) -> Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut out = stream.try_clone()?;
    let mut answers = BufReader::with_capacity(1 << 20, stream);
    let body = vec![b'x'; BODY];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let (mut bytes, mut commits, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    for window in 0..=windows {
        bytes.clear();
        bytes.append(&mut commits);
        let ends = if window > 0 { WINDOW } else { 0 };
        let halves = if window < windows { WINDOW } else { 0 };
        for number in 0..halves {
            let properties = format!(
                "TRAN_MSG\\u0001true\\u0002PGROUP\\u0001speed\\u0002UNIQ_KEY\\u0001{queue}{window:0>12}{number:0>18}\\u0002"
            );
            let fields = format!(
                r#""a":"speed","b":"Speed","c":"TBW102","d":"4","e":"{queue}","f":"4","g":"{now}","h":"0","i":"{properties}","j":"0","k":"false","m":"false""#
            );
            frame(SEND_MESSAGE_V2, number, &fields, &body, &mut bytes);
        }
        out.write_all(&bytes)?;
        for _ in 0..ends + halves {
            let mut length = [0; 4];
            answers.read_exact(&mut length)?;
            answer.resize(u32::from_be_bytes(length) as usize, 0);
            answers.read_exact(&mut answer)?;
            let header = std::str::from_utf8(answer.get(4..).context("a short frame")?)?;
            ensure!(number(header, "\"code\":")? == 0, "{header}");
            let opaque = number(header, "\"opaque\":")?;
            if opaque >= WINDOW as i64 {
                continue;
            }
            let physical = i64::from_str_radix(text(header, "\"msgId\":\"")?.get(16..).context("a short id")?, 16)?;
            let (offset, key) = (number(header, "\"queueOffset\":\"")?, text(header, "\"transactionId\":\"")?);
            let fields = format!(
                r#""producerGroup":"speed","topic":"Speed","tranStateTableOffset":"{offset}","commitLogOffset":"{physical}","commitOrRollback":"8","fromTransactionCheck":"false","msgId":"{key}","transactionId":"{key}""#
            );
            frame(END_TRANSACTION, WINDOW + opaque as usize, &fields, b"", &mut commits);
        }
    }
    Ok(())
}

fn frame(code: i32, opaque: usize, fields: &str, body: &[u8], out: &mut Vec<u8>) {
    let header = format!(
        r#"{{"code":{code},"extFields":{{{fields}}},"flag":0,"language":"JAVA","opaque":{opaque},"serializeTypeCurrentRPC":"JSON","version":513}}"#
    );
    out.extend(((4 + header.len() + body.len()) as u32).to_be_bytes());
    out.extend((header.len() as u32).to_be_bytes());
    out.extend(header.as_bytes());
    out.extend(body);
}

/// What stands behind `name`, up to the end of the value.
fn text<'a>(header: &'a str, name: &str) -> Result<&'a str> {
    let (_, rest) = header.split_once(name).with_context(|| format!("no {name} in {header}"))?;
    Ok(rest.split(['"', ',', '}']).next().unwrap_or_default())
}

fn number(header: &str, name: &str) -> Result<i64> {
    Ok(text(header, name)?.parse()?)
}
