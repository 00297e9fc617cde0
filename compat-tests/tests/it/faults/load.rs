//! Senders that count what they are told, and a reader that holds the broker to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::Cluster;
use boostermq_compat_tests::harness::wire::{Answer, Connection};

pub(super) const SEND_MESSAGE_V2: i32 = 310;
pub(super) const PULL_MESSAGE: i32 = 11;
const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const GET_MAX_OFFSET: i32 = 30;
pub(super) const TOPIC: &str = "Faults";
/// Queues of the topic: one for each sender.
pub(super) const QUEUES: u32 = 8;

/// A message that was acknowledged: where it is, and the CRC-32 of its body.
type Acknowledged = (u32, i64, u32);

/// What senders were told.
#[derive(Default, Debug)]
pub(super) struct Tally {
    pub(super) acknowledged: Vec<Acknowledged>,
    /// By response code: how often, and the last remark.
    pub(super) refused: BTreeMap<i64, (usize, String)>,
    /// Connections that broke, or were silent for too long.
    pub(super) broken: usize,
}

impl Tally {
    fn note(&mut self, queue: u32, hash: u32, answer: &Answer) -> Result<()> {
        if answer.code == 0 {
            let offset = answer.fields.get("queueOffset").context("no queueOffset")?.parse()?;
            self.acknowledged.push((queue, offset, hash));
        } else {
            let entry = self.refused.entry(answer.code).or_default();
            *entry = (entry.0 + 1, answer.remark.clone());
        }
        Ok(())
    }
}

/// One connection that sends.
pub(super) struct Sender {
    connection: Connection,
    queue: u32,
    sent: u32,
    pub(super) tally: Tally,
}

impl Sender {
    pub(super) fn open(cluster: &Cluster, queue: u32, patience: Duration) -> Result<Self> {
        Self::open_at(&cluster.broker(), queue, patience)
    }

    fn open_at(address: &str, queue: u32, patience: Duration) -> Result<Self> {
        let connection = Connection::open(address, patience)?;
        Ok(Self { connection, queue, sent: 0, tally: Tally::default() })
    }

    /// Sends `length` bytes and waits for the answer's code.
    pub(super) fn send(&mut self, length: usize) -> Result<i64> {
        self.sent += 1;
        let mut body = vec![b'.'; length];
        let mark = format!("{}/{} ", self.queue, self.sent);
        body.splice(..mark.len().min(length), mark.bytes().take(length));
        let answer = self.connection.call(SEND_MESSAGE_V2, &send_fields(&self.queue.to_string()), &body)?;
        self.tally.note(self.queue, crc32fast::hash(&body), &answer)?;
        Ok(answer.code)
    }
}

/// Fields of a send to a queue of the topic.
pub(super) fn send_fields(queue: &str) -> [(&str, &str); 12] {
    [
        ("a", "faults"),
        ("b", TOPIC),
        ("c", "TBW102"),
        ("d", "8"),
        ("e", queue),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", "WAIT\u{1}true\u{2}"),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
    ]
}

/// Makes the topic.
pub(super) fn make_topic(cluster: &Cluster) -> Result<()> {
    let queues = QUEUES.to_string();
    let fields = [
        ("topic", TOPIC),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", &queues),
        ("writeQueueNums", &queues),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    let mut connection = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    let answer = connection.call(UPDATE_AND_CREATE_TOPIC, &fields, b"")?;
    ensure!(answer.code == 0, "{answer:?}");
    Ok(())
}

/// Senders in the background, one for each queue.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    /// Messages that were acknowledged so far.
    acknowledged: Arc<AtomicUsize>,
    senders: Vec<JoinHandle<Result<Tally>>>,
}

impl Load {
    /// Each sends `length` bytes over and over, and connects again when it must.
    pub(super) fn start(cluster: &Cluster, length: usize, patience: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let sender = |queue| {
            let (is_over, acknowledged, address) = (is_over.clone(), acknowledged.clone(), cluster.broker());
            spawn(move || {
                let mut tally = Tally::default();
                while !is_over.load(Ordering::Acquire) {
                    let Ok(mut sender) = Sender::open_at(&address, queue, patience) else {
                        std::thread::sleep(Duration::from_millis(10));
                        continue;
                    };
                    sender.tally = std::mem::take(&mut tally);
                    let is_broken = loop {
                        if is_over.load(Ordering::Acquire) {
                            break false;
                        }
                        match sender.send(length) {
                            Ok(0) => drop(acknowledged.fetch_add(1, Ordering::AcqRel)),
                            Ok(_) => std::thread::sleep(Duration::from_millis(5)),
                            Err(_) => break true,
                        }
                    };
                    tally = sender.tally;
                    tally.broken += usize::from(is_broken);
                }
                Ok(tally)
            })
        };
        let senders = (0..QUEUES).map(sender).collect();
        Self { is_over, acknowledged, senders }
    }

    /// Waits until so many more messages are acknowledged, however slow the machine is.
    pub(super) fn goes_on(&self, more: usize) -> Result<()> {
        let wanted = self.acknowledged.load(Ordering::Acquire) + more;
        let deadline = Instant::now() + Duration::from_secs(80);
        while self.acknowledged.load(Ordering::Acquire) < wanted {
            ensure!(Instant::now() < deadline, "hardly anything is acknowledged");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends it and adds up.
    pub(super) fn finish(self) -> Result<Tally> {
        self.is_over.store(true, Ordering::Release);
        let mut sum = Tally::default();
        for sender in self.senders {
            let tally = sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
            sum.acknowledged.extend(tally.acknowledged);
            sum.broken += tally.broken;
            for (code, (count, remark)) in tally.refused {
                let entry = sum.refused.entry(code).or_default();
                *entry = (entry.0 + count, remark);
            }
        }
        Ok(sum)
    }
}

/// Fails unless every acknowledged message is where it was said to be.
pub(super) fn verify(cluster: &Cluster, acknowledged: &[Acknowledged]) -> Result<()> {
    let mut connection = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    let mut found: BTreeMap<(u32, i64), u32> = BTreeMap::new();
    for queue in 0..QUEUES {
        let text = queue.to_string();
        let answer = connection.call(GET_MAX_OFFSET, &[("topic", TOPIC), ("queueId", &text)], b"")?;
        let end: i64 = answer.fields.get("offset").with_context(|| format!("{answer:?}"))?.parse()?;
        let mut next = 0;
        while next < end {
            let answer = pull(&mut connection, queue, next)?;
            ensure!(answer.code == 0, "queue {queue} at {next}: {answer:?}");
            let mut records = answer.body.as_slice();
            while let Some(size) = word(records, 0) {
                let record = records.get(..size).context("half a record")?;
                let length = word(record, 84).context("no body length")?;
                let body = record.get(88..88 + length).context("half a body")?;
                found.insert((queue, next), crc32fast::hash(body));
                next += 1;
                records = records.get(size..).unwrap_or_default();
            }
        }
    }
    let is_missing = |(queue, offset, hash): &&Acknowledged| found.get(&(*queue, *offset)) != Some(hash);
    let missing: Vec<_> = acknowledged.iter().filter(is_missing).collect();
    ensure!(missing.is_empty(), "{} of {} are not there: {:?}", missing.len(), acknowledged.len(), missing.first());
    Ok(())
}

/// Pulls from a queue of the topic, without being held.
pub(super) fn pull(connection: &mut Connection, queue: u32, offset: i64) -> Result<Answer> {
    let (queue, offset) = (queue.to_string(), offset.to_string());
    connection.call(PULL_MESSAGE, &pull_fields(&queue, &offset, "4"), b"")
}

/// Fields of a pull; `flag` 6 lets it be held.
pub(super) fn pull_fields<'a>(queue: &'a str, offset: &'a str, flag: &'a str) -> [(&'a str, &'a str); 11] {
    [
        ("consumerGroup", "TOOLS_CONSUMER"),
        ("topic", TOPIC),
        ("queueId", queue),
        ("queueOffset", offset),
        ("maxMsgNums", "32"),
        ("sysFlag", flag),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "15000"),
        ("subscription", "*"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ]
}

fn word(record: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = record.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}
