//! Delay levels: messages that wait in `SCHEDULE_TOPIC_XXXX`, a queue for each level, until their time has come.
//!
//! One task looks after all levels. It sleeps until the first message is due and is woken when a level gets its first
//! one; nothing is polled. A message is delivered at the store time plus its level's delay, never earlier; how far each
//! level has come stands in `delayOffset.json`. Upstream: `ScheduleMessageService` (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boostermq_remoting::body::DataVersion;
use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{Record, RecordFields, Records};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::clock::StoreTime;
use boostermq_store::{AppendBatch, GetRequest, GetStatus};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::broker::Broker;
use crate::metadata::{MetadataError, MetadataFile, SaveFailures};
use crate::metrics::{MessageKind, Metrics};
use crate::transaction::HALF_TOPIC;

/// Where delayed messages wait.
pub(crate) const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Messages of one level delivered under one append lock.
const BATCH: u32 = 32;
/// How long a level rests after its messages could not be stored.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// The queue in which a message of a level waits.
pub(crate) struct DelayTarget {
    /// `SCHEDULE_TOPIC_XXXX`.
    pub(crate) topic: Topic,
    /// The level less 1.
    pub(crate) queue_id: QueueId,
}

/// The queue for `level`, which is above 0; a level past the last counts as the last.
pub(crate) fn delay_target(level: i32, levels: usize) -> DelayTarget {
    let last = i32::try_from(levels).unwrap_or(i32::MAX).max(1);
    let queue_id = QueueId::from_wire(level.clamp(1, last) - 1).unwrap_or_default();
    // The name is a constant that may stand in a path.
    let topic = Topic::parse_stored(SCHEDULE_TOPIC).unwrap_or_else(|| unreachable!("a legal topic name"));
    DelayTarget { topic, queue_id }
}

/// Notes where a delayed message really goes.
pub(crate) fn append_real_destination(properties: &mut Vec<u8>, topic: &str, queue_id: QueueId) {
    append(properties, property::REAL_TOPIC, topic);
    append(properties, property::REAL_QID, &queue_id.to_string());
}

/// What stands in [`FILE`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DelayOffsets {
    data_version: DataVersion,
    offset_table: BTreeMap<i32, i64>,
}

/// Name of the file that holds how far the levels have come.
pub(crate) const FILE: &str = "delayOffset.json";

/// How far every level has come.
pub(crate) struct DelaySchedule {
    levels: Vec<Level>,
    file: MetadataFile,
    version: Mutex<DataVersion>,
    /// How often a level has moved on.
    moves: AtomicU64,
    wake: Notify,
}

struct Level {
    delay: Duration,
    /// Offset of the next message to be delivered.
    next: AtomicI64,
}

impl DelaySchedule {
    /// Reads how far the levels had come. What lies outside a queue is corrected when it is read.
    pub(crate) fn load(config_dir: &Path, delays: &[Duration]) -> Result<Self, MetadataError> {
        let file = MetadataFile::new(config_dir, FILE);
        let offsets: DelayOffsets = file.load()?.unwrap_or_default();
        let next = |level: usize| offsets.offset_table.get(&(level as i32 + 1)).copied().unwrap_or(0);
        let levels =
            delays.iter().enumerate().map(|(level, delay)| Level { delay: *delay, next: AtomicI64::new(next(level)) });
        let version = Mutex::new(offsets.data_version);
        Ok(Self { levels: levels.collect(), file, version, moves: AtomicU64::new(0), wake: Notify::new() })
    }

    /// How many levels there are.
    pub(crate) fn levels(&self) -> usize {
        self.levels.len()
    }

    /// A message can be read: if it is a delayed one, its level may have a new first.
    pub(crate) fn arrived(&self, topic: &str) {
        if topic == SCHEDULE_TOPIC {
            self.wake.notify_one();
        }
    }

    /// Offset of the next message of each level that has come past 0, by level from 1.
    pub(crate) fn offsets(&self) -> BTreeMap<i32, i64> {
        let entry = |(level, state): (usize, &Level)| (level as i32 + 1, state.next.load(Ordering::Acquire));
        self.levels.iter().enumerate().map(entry).filter(|(_, next)| *next > 0).collect()
    }

    /// Notes how far a level has come; every `step` times that makes a new version (`delayOffsetUpdateVersionStep`).
    fn advance(&self, level: &Level, next: QueueOffset, step: u64, now_ms: i64) {
        level.next.store(next.0, Ordering::Release);
        if (self.moves.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(step.max(1)) {
            let mut version = self.version.lock();
            *version = version.next(0, now_ms);
        }
        self.file.note_change();
    }

    /// Writes `delayOffset.json` if a level moved since it was last written.
    pub(crate) fn persist(&self) -> Result<(), MetadataError> {
        self.file.save(|| self.to_json())
    }

    /// How far the levels have come, as it stands in the file: also the answer to GET_ALL_DELAY_OFFSET.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let offsets = DelayOffsets { data_version: *self.version.lock(), offset_table: self.offsets() };
        serde_json::to_vec(&offsets).unwrap_or_default()
    }
}

/// Delivers until the task is ended.
pub(crate) async fn deliver(broker: Arc<Broker>) {
    let mut save = tokio::time::interval(broker.settings.read().store.flush_delay_offset_interval.into());
    let mut failures = SaveFailures::default();
    loop {
        let woken = broker.schedule.wake.notified();
        let next = deliver_due(&broker);
        // A machine that slept does not notice by itself that a message is due: look again at least every second.
        let wait = next.unwrap_or_default().clamp(Duration::from_millis(1), Duration::from_secs(1));
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(wait), if next.is_some() => {}
            _ = save.tick() => failures.report("the progress of delayed messages", broker.schedule.persist()),
        }
    }
}

/// Delivers everything that is due; how long until the next message is.
fn deliver_due(broker: &Arc<Broker>) -> Option<Duration> {
    let mut next: Option<Duration> = None;
    for (at, level) in broker.schedule.levels.iter().enumerate() {
        while let Some(left) = deliver_level(broker, QueueId(at as u32), level) {
            if !left.is_zero() {
                next = Some(next.map_or(left, |soonest| soonest.min(left)));
                break;
            }
        }
    }
    next
}

/// How long until a message is due that was stored at `store_timestamp`: by the store's time, so that neither a clock that is set
/// forward makes it early nor one that is set back holds it.
fn left(time: &StoreTime, store_timestamp: i64, delay: Duration) -> Duration {
    delay.saturating_sub(Duration::from_millis(time.elapsed_ms(store_timestamp).unsigned_abs()))
}

/// Delivers the next messages of one level that are due; how long until the one after them is, `None` when there is none.
fn deliver_level(broker: &Arc<Broker>, queue_id: QueueId, level: &Level) -> Option<Duration> {
    let from = QueueOffset(level.next.load(Ordering::Acquire));
    let read = broker.store.get(&GetRequest {
        topic: SCHEDULE_TOPIC,
        queue_id,
        queue_offset: from,
        max_messages: BATCH,
        filter: None,
    });
    let now_ms = broker.clock.now_ms();
    let step = broker.settings.read().broker.delay_offset_update_version_step;
    let outcome = match read {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, level = queue_id.0 + 1, "delayed messages cannot be read; trying again later");
            return Some(REST_AFTER_FAILURE);
        }
    };
    match outcome.status {
        GetStatus::Found => {}
        // A queue that is empty begins at 0 anew: progress that stayed past it would pass over what comes.
        GetStatus::OffsetTooSmall
        | GetStatus::OffsetOverflowBadly
        | GetStatus::OffsetFoundNull
        | GetStatus::MessageWasRemoving
        | GetStatus::NoMatchedLogicQueue
        | GetStatus::NoMessageInQueue
            if outcome.next_begin_offset != from =>
        {
            tracing::warn!(
                level = queue_id.0 + 1,
                from = from.0,
                to = outcome.next_begin_offset.0,
                "the progress of a delay level lies outside its queue and is corrected"
            );
            broker.schedule.advance(level, outcome.next_begin_offset, step, now_ms);
            return Some(Duration::ZERO);
        }
        _ => return None,
    }
    let mut batch = AppendBatch::new();
    let (next, later) = take_due(broker, queue_id, level.delay, from, &outcome.slices, &mut batch);
    if !batch.is_empty() {
        let begun = Instant::now();
        if let Err(error) = broker.store.append(&mut batch) {
            tracing::error!(%error, level = queue_id.0 + 1, "delayed messages cannot be stored; trying again later");
            return Some(REST_AFTER_FAILURE);
        }
        broker.stats.stored_by_broker(&batch, begun.elapsed());
        let bytes = batch.receipts().iter().map(|receipt| i64::from(receipt.length)).sum();
        if broker.settings.read().store.enable_schedule_message_stats {
            broker.stats.delivered(queue_id.0, batch.len() as i64, bytes);
            if let Some(metrics) = &broker.metrics {
                count(metrics, &batch);
            }
        }
        broker.store.dispatch_now();
    }
    if next != from {
        broker.schedule.advance(level, next, step, now_ms);
    }
    Some(later)
}

/// Delivered messages count as delayed ones in their own topics (RocketMQ 5.5.0).
fn count(metrics: &Metrics, batch: &AppendBatch) {
    for (at, receipt) in batch.receipts().iter().enumerate() {
        if let Some(queue) = batch.queue(at) {
            metrics.delivered(queue.topic(), MessageKind::Delay, std::slice::from_ref(receipt));
        }
    }
}

/// Encodes into `batch` those of a level's messages that are due. Where the level goes on once they are stored, and how long until
/// the message there is due.
fn take_due(
    broker: &Arc<Broker>,
    queue_id: QueueId,
    delay: Duration,
    from: QueueOffset,
    slices: &[Bytes],
    batch: &mut AppendBatch,
) -> (QueueOffset, Duration) {
    let mut next = from;
    for record in slices.iter().flat_map(|slice| Records::new(slice)) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                // Passed over when it is the next one; else once those before it are delivered.
                if next == from {
                    tracing::error!(%error, level = queue_id.0 + 1, offset = from.0, "a delayed message cannot be read");
                    next = from.plus(1);
                }
                break;
            }
        };
        let later = left(broker.store.time(), record.store_timestamp(), delay);
        if !later.is_zero() {
            return (next, later);
        }
        if let Err(problem) = prepare(broker, &record, batch) {
            tracing::error!(
                offset = %record.physical_offset(), problem,
                "a delayed message cannot be delivered and is passed over; it stays in the commit log"
            );
        }
        next = record.queue_offset().plus(1);
    }
    (next, Duration::ZERO)
}

/// Encodes a delayed message as what it was before it was delayed. Its properties stay as they are: upstream's
/// delivered records show `DELAY`, `REAL_TOPIC` and `REAL_QID` too (RocketMQ 5.5.0).
fn prepare(broker: &Arc<Broker>, record: &Record<'_>, batch: &mut AppendBatch) -> Result<(), String> {
    let properties = record.properties();
    let topic = properties.get(property::REAL_TOPIC).ok_or("it has no REAL_TOPIC")?;
    if topic == HALF_TOPIC {
        return Err("it is half of a transaction".to_owned());
    }
    let queue_id = properties.get(property::REAL_QID).and_then(|text| text.parse().ok());
    let queue_id = queue_id.and_then(QueueId::from_wire).ok_or("its REAL_QID is no queue number")?;
    let real = Topic::parse_stored(topic).ok_or("its REAL_TOPIC cannot name a topic")?;
    let queue = broker.store.queue(&real, queue_id);
    let fields = RecordFields { topic, queue_id, ..record.to_fields() };
    batch.push(&queue, &fields).map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
