//! The end of a transaction (37): commit, roll back, or not known yet.
//!
//! The order of checks is upstream's (RocketMQ 5.5.0). A second end of one transaction succeeds and does
//! nothing: the first decision stands.

use std::sync::Arc;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::flags::Transaction;
use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{Record, RecordFields, Records};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::transaction::EndTransactionRequestHeader;
use boostermq_remoting::router::ResponseError;
use boostermq_store::consume_queue::ConsumeQueue;
use boostermq_store::{AppendBatch, GetRequest};

use super::half::copy_properties;
use super::{Ending, HALF_TOPIC, HalfProperties, QUEUE, TopicCount};
use crate::broker::Broker;
use crate::timer::due;
use crate::{response_error, schedule};

/// Values of `commitOrRollback`.
const COMMIT: i32 = 8;
const ROLL_BACK: i32 = 12;

/// What an end did.
pub(crate) enum End {
    /// The producer does not know yet, and gets no answer (RocketMQ 5.5.0).
    Unknown,
    /// Nothing, because the transaction had ended before.
    Again,
    /// The message goes nowhere.
    RolledBack,
    /// The message stands in the batch.
    Committed {
        /// To be taken back when the batch is refused.
        ending: Ending,
        /// To be lowered when the batch is stored.
        count: Arc<TopicCount>,
        /// Where that is counted: its topic, and for how many seconds the transaction was open.
        finished: Option<(Topic, u64)>,
        /// The answer waits for the disk.
        waits: bool,
    },
}

/// Carries out one end; the committed message goes into `batch`, its properties are made in `properties`.
pub(crate) fn end(
    broker: &Broker,
    header: &EndTransactionRequestHeader,
    batch: &mut AppendBatch,
    properties: &mut Vec<u8>,
) -> Result<End, ResponseError> {
    if header.commit_or_rollback != COMMIT && header.commit_or_rollback != ROLL_BACK {
        tracing::debug!(group = %header.producer_group, id = header.msg_id, "a producer does not know yet how its transaction ends");
        return Ok(End::Unknown);
    }
    let stored = broker.store.record_at(header.commit_log_offset).ok_or_else(not_found)?;
    let record = Record::parse(&stored).map_err(|_| not_found())?;
    let half = check(broker, header, &record)?;
    let offset = record.queue_offset();
    let ending = Ending { offset, first: first_of(broker, &record, &half) };
    // Looked at before it is noted as ended: what cannot be committed stays open.
    let (topic, queue_id) = half.destination().map_err(|problem| {
        ResponseError::system(format!("the half message at {} cannot be ended: {problem}", header.commit_log_offset))
    })?;
    let slot_ms = match half.delay_level {
        ..=0 if header.commit_or_rollback == COMMIT => due::slot(broker, &half.wish, offset.0.cast_unsigned())?,
        _ => None,
    };
    if !broker.transactions.begin_end(ending) {
        tracing::info!(
            group = half.group,
            id = half.unique_key,
            "a transaction that has ended is ended again; the first decision stands"
        );
        return Ok(End::Again);
    }
    let count = broker.transactions.counts.of(half.real_topic);
    if header.commit_or_rollback == ROLL_BACK {
        if !broker.transactions.roll_back(broker, ending) {
            broker.transactions.take_back(&[ending]);
            return Err(ResponseError::new(
                ResponseCode::SERVICE_NOT_AVAILABLE,
                "too many rollbacks wait to be written; is the disk full?",
            ));
        }
        broker.transactions.counts.add(&count, -1, broker.clock.now_ms());
        if let Some(metrics) = &broker.metrics {
            metrics.rolled_back(half.real_topic);
        }
        return Ok(End::RolledBack);
    }
    copy_properties(
        &record,
        &[property::REAL_TOPIC, property::REAL_QID, property::TRAN_PREPARED_QUEUE_OFFSET],
        properties,
    );
    // A delay begins now.
    if let Some(slot_ms) = slot_ms {
        append(properties, property::TIMER_OUT_MS, &slot_ms.to_string());
    }
    if half.delay_level > 0 || slot_ms.is_some() {
        schedule::append_real_destination(properties, half.real_topic, queue_id);
    }
    let finished = broker.metrics.as_ref().map(|_| {
        let open_ms = broker.clock.now_ms().saturating_sub(record.born_timestamp()).max(0).cast_unsigned();
        (topic.clone(), open_ms / 1000)
    });
    let queue = first_queue(broker, &half, slot_ms, &topic, queue_id);
    let fields = RecordFields {
        topic: queue.topic().as_str(),
        queue_id: queue.queue_id(),
        sys_flag: record.sys_flag().with_transaction(Transaction::Commit),
        prepared_transaction_offset: header.commit_log_offset.0,
        properties,
        ..record.to_fields()
    };
    batch.push(&queue, &fields).map_err(|error| {
        broker.transactions.take_back(&[ending]);
        response_error::from_encode(error)
    })?;
    Ok(End::Committed { ending, count, finished, waits: half.waits })
}

/// Where a committed message goes first: where it waits for its time if it has one, else to its real queue.
fn first_queue(
    broker: &Broker,
    half: &HalfProperties<'_>,
    slot_ms: Option<i64>,
    topic: &Topic,
    queue_id: QueueId,
) -> Arc<ConsumeQueue> {
    if half.delay_level > 0 {
        let target = schedule::delay_target(half.delay_level, broker.schedule.levels());
        return broker.store.queue(&target.topic, target.queue_id);
    }
    match broker.timer.as_ref().filter(|_| slot_ms.is_some()) {
        Some(timer) => timer.queue(&broker.store),
        None => broker.store.queue(topic, queue_id),
    }
}

fn not_found() -> ResponseError {
    ResponseError::system("Find prepared transaction message failed")
}

/// Whether the producer may end this half message.
fn check<'a>(
    broker: &Broker,
    header: &EndTransactionRequestHeader,
    record: &Record<'a>,
) -> Result<HalfProperties<'a>, ResponseError> {
    if record.topic() != HALF_TOPIC {
        return Err(not_found());
    }
    let half = HalfProperties::of(record);
    if header.from_transaction_check != Some(true) {
        let usual: std::time::Duration = broker.settings.read().broker.transaction_time_out.into();
        let age_ms = broker.clock.now_ms().saturating_sub(record.born_timestamp());
        if half.ends_within_ms(usual.as_millis() as i64).is_some_and(|time| age_ms > time) {
            return Err(ResponseError::new(
                ResponseCode::ILLEGAL_OPERATION,
                "the half message's own time CHECK_IMMUNITY_TIME_IN_SECONDS is over: the broker will ask",
            ));
        }
    }
    let wrong = |what: &'static str| Err(ResponseError::system(what));
    if half.group != header.producer_group.as_str() {
        return wrong("The producer group wrong");
    }
    if record.queue_offset() != header.tran_state_table_offset {
        return wrong("The transaction state table offset wrong");
    }
    if record.physical_offset() != header.commit_log_offset {
        return wrong("The commit log offset wrong");
    }
    Ok(half)
}

/// The first half message of the transaction, when `record` is a copy of it.
///
/// What the property says is believed only when that half message is there and is the same message: a store may hold
/// half messages whose property a client set.
pub(super) fn first_of(broker: &Broker, record: &Record<'_>, half: &HalfProperties<'_>) -> Option<QueueOffset> {
    let first = half.first.filter(|first| first.0 >= 0 && *first < record.queue_offset())?;
    let read = broker.store.get(&GetRequest {
        topic: HALF_TOPIC,
        queue_id: QUEUE,
        queue_offset: first,
        max_messages: 1,
        filter: None,
    });
    let outcome = read.ok()?;
    let original = outcome.slices.iter().flat_map(|slice| Records::new(slice)).next()?.ok()?;
    let origin = HalfProperties::of(&original);
    let is_same = original.queue_offset() == first
        && original.born_timestamp() == record.born_timestamp()
        && (origin.unique_key, origin.group, origin.real_topic) == (half.unique_key, half.group, half.real_topic);
    is_same.then_some(first)
}
