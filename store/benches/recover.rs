//! How long a start takes after a process was killed: records of 1 KiB, eight queues, with an index.
//!
//! A child process fills the store and is killed; what follows are starts, each in a process of its own, with the pages of the
//! store dropped from memory (cold) or not. `BOOSTERMQ_GIB` says how much log (default 1), `TMPDIR` where, and with `BOOSTERMQ_SYNC`
//! the store is one of SYNC_FLUSH. Beside the time stands the processor's, which says more on a busy machine.
//!
//! ```text
//! BOOSTERMQ_GIB=4 cargo bench -p boostermq-store --bench recover
//! ```
#![expect(clippy::print_stdout, reason = "what it finds is what it prints")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_store::clock::SystemClock;
use boostermq_store::{AppendBatch, FlushMode, MessageStore, StoreOptions};
use rustix::fs::{Advice, fadvise};

const QUEUES: u32 = 8;
const BODY: [u8; 1024] = [0x5A; 1024];
const TOPIC: &str = "BenchmarkTopic";
/// What a child process is to do, and on which store.
const ROLE: &str = "BOOSTERMQ_BENCH_ROLE";
const ROOT: &str = "BOOSTERMQ_BENCH_ROOT";

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn options(root: &Path) -> StoreOptions {
    let flush_mode = if std::env::var_os("BOOSTERMQ_SYNC").is_some() { FlushMode::Sync } else { FlushMode::Async };
    StoreOptions { flush_mode, disk_warning_ratio: 101, ..StoreOptions::new(root) }
}

fn bytes_wanted() -> i64 {
    let gib: f64 = std::env::var("BOOSTERMQ_GIB").ok().and_then(|gib| gib.parse().ok()).unwrap_or(1.0);
    (gib * f64::from(1 << 30)) as i64
}

/// Appends until the log is as long as wanted, says so, and waits to be killed.
fn fill(root: &Path) -> Outcome {
    let store = MessageStore::open(options(root), Arc::new(SystemClock))?;
    let topic = Topic::parse(TOPIC)?;
    let queues: Vec<_> = (0..QUEUES).map(|id| store.queue(&topic, QueueId(id))).collect();
    let host = "127.0.0.1:10911".parse()?;
    let mut batch = AppendBatch::new();
    let mut number = 0_u64;
    while store.max_physical_offset().0 < bytes_wanted() {
        batch.clear();
        for queue in queues.iter().cycle().take(64) {
            let properties = format!("UNIQ_KEY\x01{number:032X}\x02WAIT\x01true\x02TAGS\x01TagA\x02");
            number += 1;
            let fields = RecordFields {
                born_timestamp: 1_700_000_000_000,
                properties: properties.as_bytes(),
                ..RecordFields::plain(TOPIC, queue.queue_id(), host, &BODY)
            };
            batch.push(queue, &fields)?;
        }
        store.append(&mut batch)?;
        store.dispatch_now();
    }
    store.flush()?;
    std::io::stdout().write_all(b"filled\n")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Processor time of this process so far.
fn processor_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").ok_or("no name")?.1;
    // User and system time stand in the 14th and 15th field, in hundredths of a second; the name is the second.
    let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(ticks.sum::<Result<u64, _>>()? * 10))
}

/// Opens the store, says how long that took, and ends without closing it.
fn start(root: &Path, ends_clean: bool) -> Outcome {
    let begin = Instant::now();
    let store = MessageStore::open(options(root), Arc::new(SystemClock))?;
    let took = begin.elapsed();
    let messages: i64 = (0..QUEUES).map(|id| store.max_queue_offset(TOPIC, QueueId(id)).0).sum();
    println!("{} {} {messages}", took.as_micros(), processor_time()?.as_micros());
    if ends_clean {
        store.close()?;
    }
    std::process::exit(0)
}

fn child(role: &str, root: &Path) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--bench").env(ROLE, role).env(ROOT, root);
    Ok(command)
}

/// Has the system forget the pages of all files under `dir`.
fn drop_pages(dir: &Path) -> Outcome {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            drop_pages(&entry.path())?;
        } else {
            let file = File::open(entry.path())?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Has a start read the whole log.
fn forget_progress(root: &Path) -> Outcome {
    File::options().write(true).open(root.join("checkpoint"))?.write_all_at(&[0; 4096], 0)?;
    match std::fs::remove_file(root.join("consumequeue.ends")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// One start in a process of its own.
fn measure(root: &Path, what: &str, is_cold: bool, role: &str) -> Outcome {
    if is_cold {
        drop_pages(root)?;
    }
    let output = child(role, root)?.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let [took, busy, messages] = text.split_whitespace().collect::<Vec<_>>()[..] else { return Err(text.into()) };
    let (took, busy) = (Duration::from_micros(took.parse()?), Duration::from_micros(busy.parse()?));
    let gib = bytes_wanted() as f64 / f64::from(1 << 30);
    let per_gib = took.as_secs_f64() / gib;
    let (took, busy) = (took.as_secs_f64(), busy.as_secs_f64());
    println!("{what:<44} {took:>8.3} s {per_gib:>8.3} s/GiB {busy:>8.2} s busy {messages:>10} messages");
    Ok(())
}

fn run() -> Outcome {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("store");
    let mut victim = child("fill", &root)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = [0; 7];
    victim.stdout.take().ok_or("no output")?.read_exact(&mut line)?;
    victim.kill()?;
    victim.wait()?;
    measure(&root, "killed, checkpoint recent, warm", false, "start")?;
    measure(&root, "killed, checkpoint recent, cold", true, "start")?;
    for is_cold in [false, true] {
        forget_progress(&root)?;
        let what = if is_cold { "killed, no checkpoint, cold" } else { "killed, no checkpoint, warm" };
        measure(&root, what, is_cold, "start")?;
    }
    for is_cold in [false, true] {
        std::fs::remove_dir_all(root.join("consumequeue"))?;
        let what = if is_cold { "consume queues gone, cold" } else { "consume queues gone, warm" };
        measure(&root, what, is_cold, "start")?;
    }
    measure(&root, "killed, checkpoint left by a recovery, cold", true, "start-and-close")?;
    measure(&root, "after a clean stop, cold", true, "start-and-close")
}

fn main() -> Outcome {
    // Run by `cargo bench` only: as a test it would take minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    match (std::env::var(ROLE).as_deref(), std::env::var_os(ROOT)) {
        (Ok("fill"), Some(root)) => fill(Path::new(&root)),
        (Ok("start"), Some(root)) => start(Path::new(&root), false),
        (Ok("start-and-close"), Some(root)) => start(Path::new(&root), true),
        _ => run(),
    }
}
