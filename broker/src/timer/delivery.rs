//! Giving messages out: a tick at a time, in the order they were taken in, a bounded number under one append lock.
//!
//! Messages of the tick that recall others are looked at first. A message that was put off goes back to the timer's topic; each
//! other becomes what it was before it was timed, with the stamps `TIMER_ENQUEUE_MS` and `TIMER_DEQUEUE_MS`. Nothing is given up:
//! what the store refuses is tried again until it is taken.

use std::collections::HashMap;
use std::time::Instant;

use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{Record, RecordFields};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::PhysicalOffset;
use boostermq_store::timer::{WHEEL_TOPIC, Waiting};
use boostermq_store::{AppendBatch, MessageStore};

use super::counts::Changes;
use super::{Scene, State, Timer, TimerTrouble};

/// Messages appended at once.
const BATCH: usize = 512;
/// Bytes appended at once.
const BATCH_BYTES: usize = 1 << 20;
/// Half messages of transactions are never delivered by the timer.
const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";

/// A tick that is being given out.
pub(super) struct Run {
    slot_ms: i64,
    /// End of the commit log when it began.
    pub(super) began: PhysicalOffset,
    /// What waits for the tick. The one place where memory grows with messages: 48 bytes for each of one tick.
    waiting: Vec<Waiting>,
    next: usize,
    /// Keys of recalled messages, `topic+unique key`, and whether the message was met.
    recalled: HashMap<String, bool>,
    gone: usize,
}

impl Timer {
    /// Gives out a part of the earliest tick.
    pub(super) fn give_out(&self, state: &mut State, scene: &Scene<'_>) -> Result<(), TimerTrouble> {
        let mut changes = Changes::default();
        let mut run = match state.run.take() {
            Some(run) => run,
            None => match begin(state, scene, &mut changes)? {
                Some(run) => run,
                None => return Ok(()),
            },
        };
        let result = give_out_part(state, scene, &mut run, &mut changes);
        state.batch.clear();
        match result {
            Ok(count) => {
                self.delivered.add(count, scene.now_ms);
                if run.next < run.waiting.len() {
                    state.run = Some(run);
                } else {
                    end(state, &run, &mut changes);
                }
                self.counts.change(&changes, scene.now_ms);
                if let Some(metrics) = scene.metrics {
                    changes.iter().for_each(|(topic, by)| metrics.timer_delivered(topic, -by));
                }
                self.wake.changed();
                Ok(())
            }
            Err(error) => {
                // What was found delivered already is found once.
                state.run = Some(run);
                Err(error)
            }
        }
    }
}

/// Finds out what the earliest tick has to give out.
fn begin(state: &mut State, scene: &Scene<'_>, changes: &mut Changes) -> Result<Option<Run>, TimerTrouble> {
    state.files.write()?;
    let Some(slot_ms) = state.files.first_slot_ms() else { return Ok(None) };
    let began = scene.store.max_physical_offset();
    let mut waiting = state.files.slot(slot_ms)?;
    if !state.deliveries.is_empty() {
        let (before, deliveries) = (waiting.len(), &mut state.deliveries);
        waiting.retain(|waiting| {
            let record = scene.store.record_at(waiting.physical_offset);
            let record = record.as_deref().and_then(|bytes| Record::parse(bytes).ok());
            let known = record.filter(|record| deliveries.take(record, waiting.is_put_off));
            if let Some(topic) = known.as_ref().and_then(|record| record.properties().get(property::REAL_TOPIC)) {
                changes.add(topic, if waiting.is_recall { 1 } else { -1 });
            }
            known.is_none()
        });
        if waiting.len() < before {
            tracing::info!(slot_ms, count = before - waiting.len(), "messages were delivered before the broker died");
        }
    }
    let mut recalled = HashMap::new();
    for recall in waiting.iter().filter(|waiting| waiting.is_recall && !waiting.is_put_off) {
        let record = scene.store.record_at(recall.physical_offset);
        recalled.extend(record.as_deref().and_then(recalled_key).map(|key| (key, false)));
    }
    Ok(Some(Run { slot_ms, began, waiting, next: 0, recalled, gone: 0 }))
}

fn end(state: &mut State, run: &Run, changes: &mut Changes) {
    // A recall that met no message had taken one from the count.
    for (key, _) in run.recalled.iter().filter(|(_, is_met)| !**is_met) {
        if let Some((topic, _)) = key.split_once('+') {
            changes.add(topic, 1);
        }
    }
    if run.gone > 0 {
        tracing::warn!(
            slot_ms = run.slot_ms,
            count = run.gone,
            "timed messages were gone from the commit log when they were due; keep the log longer: fileReservedTime"
        );
    }
    state.files.remove_slot(run.slot_ms);
}

/// Appends the next messages of the run. When that fails, the run is as it was.
fn give_out_part(
    state: &mut State,
    scene: &Scene<'_>,
    run: &mut Run,
    changes: &mut Changes,
) -> Result<usize, TimerTrouble> {
    let (mut next, mut gone) = (run.next, 0);
    let mut met = Vec::new();
    while let Some(waiting) = run.waiting.get(next)
        && state.batch.len() < BATCH
        && state.batch.byte_len() < BATCH_BYTES
    {
        next += 1;
        if waiting.is_recall && !waiting.is_put_off {
            continue;
        }
        let bytes = scene.store.record_at(waiting.physical_offset);
        let record = bytes.as_deref().and_then(|bytes| Record::parse(bytes).ok());
        let Some(record) = record.filter(|record| record.topic() == WHEEL_TOPIC) else {
            gone += 1;
            continue;
        };
        if !waiting.is_put_off && !run.recalled.is_empty() {
            let key = message_key(record.properties());
            if run.recalled.contains_key(&key) {
                met.push(key);
                continue;
            }
        }
        let by = if waiting.is_recall { 1 } else { -1 };
        match prepare(scene.store, &record, waiting, scene.now_ms, &mut state.properties, &mut state.batch) {
            Ok(real_topic) => changes.add(real_topic, by),
            Err(problem) => tracing::error!(
                at = %record.physical_offset(), problem,
                "a timed message cannot be delivered and is passed over; it stays in the commit log"
            ),
        }
    }
    let count = state.batch.len();
    if count > 0 {
        let begun = Instant::now();
        scene.store.append(&mut state.batch)?;
        scene.stats.stored_by_broker(&state.batch, begun.elapsed());
        scene.store.dispatch_now();
    }
    run.next = next;
    run.gone += gone;
    for key in met {
        if let Some(is_met) = run.recalled.get_mut(&key) {
            *is_met = true;
        }
    }
    Ok(count)
}

/// Encodes what a waiting message becomes now. Its other properties stay as they are: upstream's delivered records show
/// `TIMER_OUT_MS`, `REAL_TOPIC` and `REAL_QID` too. Returns the topic it is meant for.
fn prepare<'a>(
    store: &MessageStore,
    record: &Record<'a>,
    waiting: &Waiting,
    now_ms: i64,
    text: &mut Vec<u8>,
    batch: &mut AppendBatch,
) -> Result<&'a str, String> {
    let properties = record.properties();
    let real_topic = properties.get(property::REAL_TOPIC).ok_or("it has no REAL_TOPIC")?;
    let (topic, queue_id) = if waiting.is_put_off {
        (WHEEL_TOPIC, record.queue_id())
    } else {
        if real_topic == HALF_TOPIC {
            return Err("it is half of a transaction".to_owned());
        }
        let queue_id = properties.get(property::REAL_QID).and_then(|text| text.parse().ok());
        (real_topic, queue_id.and_then(QueueId::from_wire).ok_or("its REAL_QID is no queue number")?)
    };
    let parsed = Topic::parse_stored(topic).ok_or("its REAL_TOPIC cannot name a topic")?;
    let queue = store.queue(&parsed, queue_id);
    text.clear();
    stamp(properties, waiting, now_ms, text);
    let fields = RecordFields { topic, queue_id, properties: text, ..record.to_fields() };
    if batch.push(&queue, &fields).is_err() {
        // The stamps are what was too much.
        let fields = RecordFields { topic, queue_id, ..record.to_fields() };
        batch.push(&queue, &fields).map_err(|error| error.to_string())?;
    }
    Ok(real_topic)
}

/// Copies properties, with new stamps in the place of earlier ones.
fn stamp(properties: Properties<'_>, waiting: &Waiting, now_ms: i64, text: &mut Vec<u8>) {
    let stamps = [property::TIMER_ENQUEUE_MS, property::TIMER_DEQUEUE_MS];
    let times_put_off = properties.get(property::TIMER_ROLL_TIMES);
    let has_stamps = times_put_off.is_some() || properties.iter().any(|(name, _)| stamps.contains(&name));
    if has_stamps {
        let is_old = |name| stamps.contains(&name) || waiting.is_put_off && name == property::TIMER_ROLL_TIMES;
        for (name, value) in properties.iter().filter(|(name, _)| !is_old(name)) {
            append(text, name, value);
        }
    } else {
        text.extend_from_slice(properties.as_str().as_bytes());
    }
    if waiting.is_put_off {
        let times = times_put_off.and_then(|times| times.parse::<u32>().ok()).unwrap_or(0).saturating_add(1);
        append(text, property::TIMER_ROLL_TIMES, &times.to_string());
    }
    append(text, property::TIMER_ENQUEUE_MS, &waiting.taken_in_ms.to_string());
    append(text, property::TIMER_DEQUEUE_MS, &now_ms.to_string());
}

/// `topic+unique key` of a message.
fn message_key(properties: Properties<'_>) -> String {
    let topic = properties.get(property::REAL_TOPIC).unwrap_or_default();
    let unique_key = properties.get(property::UNIQ_KEY).unwrap_or_default();
    format!("{topic}+{unique_key}")
}

/// The key of the message that a recall is for. It names the key alone, or the topic as well.
fn recalled_key(recall: &[u8]) -> Option<String> {
    let record = Record::parse(recall).ok()?;
    let topic = record.properties().get(property::REAL_TOPIC)?;
    let key = record.properties().get(property::TIMER_DEL_UNIQKEY)?;
    let unique_key = key.strip_prefix(topic).and_then(|rest| rest.strip_prefix('+')).unwrap_or(key);
    Some(format!("{topic}+{unique_key}"))
}

/// The topic that a waiting message is meant for.
pub(super) fn real_topic(record: &[u8]) -> Option<&str> {
    Record::parse(record).ok()?.properties().get(property::REAL_TOPIC)
}
