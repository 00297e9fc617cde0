//! Generations and cycles: who runs, how the broker ends, how it comes back.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::broken::{Broken, Proxy};
use super::consumer::Consumer;
use super::drain::{bounds, drain};
use super::probe::Probe;
use super::producer::Producer;
use super::recorder::Recorder;
use super::summary::Summary;
use crate::harness::wire::Connection;
use crate::harness::{Cluster, Target};
use crate::history::{Line, MessageKey, Op, Phase, Rules, Server, check};

const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: i32 = 200;
/// `flushConsumerOffsetInterval` of the broker.
const PERSIST_MS: u64 = 200;
/// What a busy processor may add to it; what a busy disk adds is measured.
const PERSIST_SLACK_MS: u64 = 800;
/// Longest pause: clients must not give up on requests that the broker still carries out afterwards.
const PAUSE_MS: u64 = 600;
/// How long a start may take until the broker answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// When sends are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// `SYNC_FLUSH`.
    Sync,
    /// `ASYNC_FLUSH`.
    Async,
}

impl std::str::FromStr for Flush {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sync" => Ok(Self::Sync),
            "async" => Ok(Self::Async),
            _ => Err("sync and async are known".to_owned()),
        }
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often the broker ends and comes back.
    pub cycles: u32,
    /// Decides all choices.
    pub seed: u64,
    /// The flush mode.
    pub flush: Flush,
    /// Producers.
    pub producers: u32,
    /// Topics.
    pub topics: u32,
    /// Queues of each topic.
    pub queues: u32,
    /// How long the load runs before the broker ends, ms.
    pub load_ms: RangeInclusive<u64>,
    /// Longest pause of a producer between two bursts, ms.
    pub idle_ms: u64,
    /// Bytes of commit log after which a fresh store is used.
    pub store_limit: u64,
    /// Single messages only, without delays: what the proxy can tell apart.
    pub only_single: bool,
    /// Ends by `kill -9` only.
    pub only_kills: bool,
    /// Where histories and summary are kept; without it the history of a clean generation goes away.
    pub keep: Option<PathBuf>,
    /// A promise to break.
    pub broken: Option<Broken>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cycles: 200,
            seed: 1,
            flush: Flush::Sync,
            producers: 8,
            topics: 3,
            queues: 4,
            load_ms: 200..=2000,
            idle_ms: 40,
            store_limit: 1 << 30,
            only_single: false,
            only_kills: false,
            keep: None,
            broken: None,
        }
    }
}

/// What all threads of the load share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) recorder: Recorder,
    pub(super) topics: Vec<Arc<str>>,
    pub(super) broker_address: String,
    /// The broker's, or that of the proxy before it.
    pub(super) producers_address: String,
    probe: Probe,
    is_over: AtomicBool,
}

impl Shared {
    /// True when the load is to end.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(super) fn wall_clock_ms(&self) -> u128 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
    }

    /// Notes what happened to the broker, and began at that time.
    fn broker(&self, event: Server, began: Instant) {
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let stalled_ms = self.probe.worst_ms();
        self.recorder.note(&"broker".into(), [Op::Broker { event, stalled_ms, took_ms }]);
    }
}

/// How the broker ends.
#[derive(Clone, Copy)]
enum End {
    Kill,
    KillTwice,
    Stop,
    Pause,
}

/// Runs all cycles. `progress` is called after each.
///
/// # Errors
/// When the broker does not start, answers what it may not, or does not end: the message says where its store and log are.
pub fn run(options: &Options, progress: &mut dyn FnMut(&Summary)) -> Result<Summary> {
    if let Some(keep) = &options.keep {
        std::fs::create_dir_all(keep).with_context(|| keep.display().to_string())?;
    }
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut summary = Summary::new(options.seed);
    while summary.cycles < options.cycles {
        summary.generations += 1;
        generation(options, &mut random, &mut summary, progress)?;
    }
    Ok(summary)
}

fn generation(
    options: &Options,
    random: &mut fastrand::Rng,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Summary),
) -> Result<()> {
    let mut cluster = start(options)?;
    let name = format!("history-{}.jsonl", summary.generations);
    let history = options.keep.as_deref().unwrap_or(cluster.folder()).join(name);
    let proxy = options.broken.map(|broken| Proxy::start(broken, cluster.broker())).transpose()?;
    let shared = Shared {
        recorder: Recorder::create(&history)?,
        topics: (0..options.topics).map(|number| format!("Soak{number}").into()).collect(),
        broker_address: cluster.broker(),
        producers_address: proxy.as_ref().map_or_else(|| cluster.broker(), Proxy::address),
        probe: Probe::start(cluster.folder())?,
        is_over: AtomicBool::new(false),
        options: options.clone(),
    };
    make_topics(&shared)?;
    shared.broker(Server::Ready, Instant::now());
    let seeds: Vec<u64> = (0..options.producers + 2).map(|_| random.u64(..)).collect();
    let result = std::thread::scope(|scope| {
        let shared = &shared;
        for (number, seed) in (1..=options.producers).zip(&seeds) {
            scope.spawn(move || Producer::new(number, *seed).run(shared));
        }
        for (group, seed) in ["SoakA", "SoakB"].into_iter().zip(seeds.iter().rev()) {
            scope.spawn(move || Consumer::new(group.into(), *seed).run(shared));
        }
        let result = cycles(shared, &mut cluster, random, summary, progress);
        shared.is_over.store(true, Ordering::Release);
        result
    });
    result?;
    // The last word: what a kill at the very end leaves.
    end(&shared, &mut cluster, End::Kill, random, summary)?;
    restart(&shared, &mut cluster, summary)?;
    let lines = shared.recorder.finish()?;
    drain(&shared, delayed(&lines))?;
    let lines = [lines, shared.recorder.finish()?].concat();
    let persist_interval = Duration::from_millis(PERSIST_MS + PERSIST_SLACK_MS);
    let verdict = check(&lines, &Rules { persist_interval, delay_tolerance: Duration::from_millis(2) });
    summary.fired += proxy.as_ref().map_or(0, Proxy::fired);
    let is_sound = verdict.violations.is_empty();
    summary.judge(verdict);
    if options.keep.is_some() || !is_sound && options.broken.is_none() {
        summary.histories.push(history);
    }
    // Dropped without this the cluster keeps its folder, and says where.
    if is_sound || options.broken.is_some() { cluster.passed() } else { Ok(()) }
}

fn cycles(
    shared: &Shared,
    cluster: &mut Cluster,
    random: &mut fastrand::Rng,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Summary),
) -> Result<()> {
    let options = &shared.options;
    let log = cluster.store().join("commitlog");
    while summary.cycles < options.cycles && folder_size(&log)? < options.store_limit {
        std::thread::sleep(Duration::from_millis(random.u64(options.load_ms.clone())));
        cluster.check_broker_alive()?;
        let way = match random.u32(..10) {
            _ if options.only_kills => End::Kill,
            0..6 => End::Kill,
            6 => End::KillTwice,
            7 | 8 => End::Stop,
            _ => End::Pause,
        };
        end(shared, cluster, way, random, summary)?;
        if cluster.broker_pid().is_none() {
            restart(shared, cluster, summary)?;
        }
        summary.cycles += 1;
        progress(summary);
    }
    Ok(())
}

fn end(
    shared: &Shared,
    cluster: &mut Cluster,
    way: End,
    random: &mut fastrand::Rng,
    summary: &mut Summary,
) -> Result<()> {
    let began = Instant::now();
    match way {
        End::Kill => {
            cluster.kill_broker()?;
            shared.broker(Server::Killed, began);
            summary.kills += 1;
        }
        End::KillTwice => {
            cluster.kill_broker()?;
            shared.broker(Server::Killed, began);
            for _ in 0..random.u32(1..=3) {
                let began = Instant::now();
                cluster.start_broker_and_kill(Duration::from_millis(random.u64(1..120)))?;
                shared.broker(Server::Killed, began);
                summary.kills_in_start += 1;
            }
            summary.kills += 1;
        }
        End::Stop => {
            cluster.stop_broker()?;
            summary.stop_times.push(began.elapsed());
            shared.broker(Server::Stopped, began);
            ensure!(!cluster.store().join("abort").exists(), "a clean stop left the file `abort`");
            summary.stops += 1;
        }
        End::Pause => {
            cluster.pause_broker();
            std::thread::sleep(Duration::from_millis(random.u64(50..PAUSE_MS)));
            cluster.resume_broker();
            shared.broker(Server::Paused, began);
            summary.pauses += 1;
        }
    }
    Ok(())
}

fn restart(shared: &Shared, cluster: &mut Cluster, summary: &mut Summary) -> Result<()> {
    let began = Instant::now();
    cluster.start_broker()?;
    loop {
        match bounds(shared) {
            Ok(()) => break,
            Err(error) if began.elapsed() > ANSWER_LIMIT => return Err(error).context("the broker does not answer"),
            Err(_) => cluster.check_broker_alive()?,
        }
    }
    summary.restarts.push(began.elapsed());
    shared.broker(Server::Ready, began);
    Ok(())
}

fn start(options: &Options) -> Result<Cluster> {
    let flush = if options.flush == Flush::Sync { "SYNC_FLUSH" } else { "ASYNC_FLUSH" };
    let persist = PERSIST_MS.to_string();
    // Small files, so that every cycle rolls over some.
    let keys = [
        ("flushDiskType", flush),
        ("mappedFileSizeCommitLog", "4194304"),
        ("mappedFileSizeConsumeQueue", "20000"),
        ("maxHashSlotNum", "5000"),
        ("maxIndexNum", "20000"),
        ("flushConsumerOffsetInterval", &persist),
        ("flushDelayOffsetInterval", "1000"),
    ];
    let builder = Cluster::builder("soak").target(Target::Ours);
    keys.into_iter().fold(builder, |builder, (key, value)| builder.broker_key(key, value)).start()
}

fn make_topics(shared: &Shared) -> Result<()> {
    let mut connection = Connection::open(&shared.broker_address, Duration::from_secs(60))?;
    let queues = shared.options.queues.to_string();
    for topic in &shared.topics {
        let fields = [
            ("topic", &**topic),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", &queues),
            ("writeQueueNums", &queues),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
        ];
        let answer = connection.call(UPDATE_AND_CREATE_TOPIC, &fields, b"")?;
        ensure!(answer.code == 0, "{topic}: {answer:?}");
    }
    for group in ["SoakA", "SoakB", "SoakDrain"] {
        let config = format!(r#"{{"groupName":"{group}","consumeEnable":true,"retryQueueNums":1}}"#);
        let answer = connection.call(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], config.as_bytes())?;
        ensure!(answer.code == 0, "{group}: {answer:?}");
    }
    Ok(())
}

/// The delayed messages that were acknowledged.
fn delayed(lines: &[Line]) -> HashSet<MessageKey> {
    let keys = lines.iter().filter_map(|line| match &line.op {
        Op::Send { phase: Phase::Ok, delay_ms: 1.., message, .. } => Some(*message),
        _ => None,
    });
    keys.collect()
}

fn folder_size(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        // A file may go away meanwhile.
        size += entry?.metadata().map_or(0, |found| found.len());
    }
    Ok(size)
}
