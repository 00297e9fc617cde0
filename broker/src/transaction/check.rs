//! The questions about half messages that nobody ended.
//!
//! Every `transactionCheckInterval` the half queue is walked from the group's offset on. What has ended is passed over
//! without being read. What is old enough is appended again, with its count raised, and one live producer of its group
//! is asked about that copy; what was asked about often enough, or is older than the log is kept, is put aside. A half
//! message that cannot be understood is passed over, so that one never holds up the others.
//!
//! Upstream: `TransactionalMessageServiceImpl.check`, `AbstractTransactionalMessageCheckListener` (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{
    Record, RecordFields, Records, set_physical_offset, set_queue_offset, set_store_timestamp,
};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::client::{CheckTransactionState, CheckTransactionStateRequestHeader};
use boostermq_store::{AppendBatch, AppendReceipt, GetOutcome, GetRequest, GetStatus};
use bytes::Bytes;

use super::end::first_of;
use super::half::copy_properties;
use super::{GIVEN_UP_TOPIC, GROUP, HALF_TOPIC, HalfProperties, OP_TOPIC, QUEUE, queue};
use crate::broker::Broker;

/// Half messages looked at in one step.
const STEP: u32 = 32;
/// Least time between two rounds.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// How long a round may take (RocketMQ 5.5.0).
const ROUND: Duration = Duration::from_secs(60);

/// Asks until the task is ended.
pub(crate) async fn check(broker: Arc<Broker>) {
    loop {
        let pause = broker.settings.read().broker.transaction_check_interval;
        tokio::time::sleep(Duration::from(pause).max(PAUSE_MIN)).await;
        let mut round = Round::begin(&broker);
        while round.step(&broker) == Step::More {
            tokio::task::yield_now().await;
        }
        round.finish(&broker);
    }
}

/// Whether a round goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    Done,
}

/// What becomes of one half message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It and all after it are too young.
    Young,
    /// It is left in peace for longer than the usual time: it makes way, as a copy.
    Immune,
    /// Its producers are asked, for so many times now.
    Asked {
        /// The count with this question.
        times: i32,
    },
    /// It is put aside.
    GivenUp,
}

/// Rules of a round.
#[derive(Clone, Copy, Debug)]
struct Rules {
    now_ms: i64,
    timeout_ms: i64,
    checks_most: i32,
    reserved_ms: i64,
}

impl Rules {
    fn now(broker: &Broker) -> Self {
        let settings = broker.settings.read();
        let timeout: Duration = settings.broker.transaction_time_out.into();
        let reserved: Duration = settings.store.file_reserved_time.into();
        Self {
            now_ms: broker.clock.now_ms(),
            timeout_ms: timeout.as_millis() as i64,
            checks_most: i32::try_from(settings.broker.transaction_check_max).unwrap_or(i32::MAX),
            reserved_ms: reserved.as_millis() as i64,
        }
    }

    /// Decides about a half message that has not ended (RocketMQ 5.5.0, in its order).
    fn fate(&self, born_ms: i64, half: &HalfProperties<'_>) -> Fate {
        let age_ms = self.now_ms.saturating_sub(born_ms);
        if half.check_times.is_some_and(|times| times >= self.checks_most) || age_ms > self.reserved_ms {
            return Fate::GivenUp;
        }
        match half.immunity_ms(self.timeout_ms) {
            Some(immunity_ms) if age_ms <= immunity_ms => return Fate::Immune,
            None if (0..=self.timeout_ms).contains(&age_ms) => return Fate::Young,
            _ => {}
        }
        Fate::Asked { times: half.check_times.map_or(1, |times| times.saturating_add(1)) }
    }
}

/// One walk along the half queue.
struct Round {
    /// What was stored since the round began, copies included, is for the next.
    end: QueueOffset,
    next: QueueOffset,
    begun: Instant,
    /// Groups without a live producer, with the number of questions that nobody heard.
    unheard: BTreeMap<String, usize>,
}

/// A question to be asked once its copy is stored.
struct Asking<'a> {
    /// Of the copy in the batch.
    index: usize,
    record: Record<'a>,
    half: HalfProperties<'a>,
    properties: Vec<u8>,
}

impl Round {
    fn begin(broker: &Broker) -> Self {
        let store = &broker.store;
        let begin = store.min_queue_offset(HALF_TOPIC, QUEUE);
        let next = broker.offsets.query(GROUP, HALF_TOPIC, QUEUE).map_or(begin, QueueOffset);
        let end = store.max_queue_offset(HALF_TOPIC, QUEUE);
        let next = if next < begin || next > end {
            tracing::warn!(
                from = next.0,
                to = begin.0,
                "the progress of transactions lies outside the half queue and is corrected"
            );
            begin
        } else {
            next
        };
        Self { end, next, begun: broker.clock.instant(), unheard: BTreeMap::new() }
    }

    /// Looks at the next half messages.
    fn step(&mut self, broker: &Arc<Broker>) -> Step {
        self.next = QueueOffset(broker.transactions.lane.lock().ended.next_open(self.next.0, self.end.0));
        if self.next >= self.end || broker.clock.instant().saturating_duration_since(self.begun) > ROUND {
            return Step::Done;
        }
        let read = broker.store.get(&GetRequest {
            topic: HALF_TOPIC,
            queue_id: QUEUE,
            queue_offset: self.next,
            max_messages: STEP,
            filter: None,
        });
        match read {
            Ok(outcome) if outcome.status == GetStatus::Found => self.settle(broker, &outcome),
            Ok(outcome) if outcome.next_begin_offset != self.next => {
                tracing::warn!(
                    status = %outcome.status, from = self.next.0, to = outcome.next_begin_offset.0,
                    "half messages are gone and are passed over"
                );
                self.next = outcome.next_begin_offset;
                Step::More
            }
            Ok(_) => Step::Done,
            Err(error) => {
                tracing::error!(%error, "half messages cannot be read; trying again with the next round");
                Step::Done
            }
        }
    }

    /// Decides about the half messages that were read, and does it.
    fn settle(&mut self, broker: &Arc<Broker>, outcome: &GetOutcome) -> Step {
        let rules = Rules::now(broker);
        let mut batch = AppendBatch::new();
        let (mut copies, mut asking, mut given_up) = (Vec::new(), Vec::new(), Vec::new());
        let (mut next, mut step) = (self.next, Step::More);
        for record in outcome.slices.iter().flat_map(|slice| Records::new(slice)) {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    // Passed over when it is the next one; else once those before it are settled.
                    if next == self.next {
                        tracing::error!(%error, offset = next.0, "a half message cannot be read and is passed over");
                        next = next.plus(1);
                    }
                    break;
                }
            };
            if record.queue_offset() >= self.end {
                step = Step::Done;
                break;
            }
            let half = HalfProperties::of(&record);
            if !has_ended(broker, &record, &half) {
                let fate = rules.fate(record.born_timestamp(), &half);
                if fate == Fate::Young {
                    step = Step::Done;
                    break;
                }
                match carry_out(broker, &record, &half, fate, &mut batch) {
                    Done::Asks(index, properties) => {
                        copies.push(index);
                        asking.push(Asking { index, record, half, properties });
                    }
                    Done::Copied(index) => copies.push(index),
                    Done::GivenUp => given_up.push(half.real_topic),
                    Done::Nothing => {}
                }
            }
            next = record.queue_offset().plus(1);
        }
        if !batch.is_empty() {
            let begun = Instant::now();
            if let Err(error) = broker.store.append(&mut batch) {
                tracing::error!(%error, "half messages cannot be stored again; trying again with the next round");
                return Step::Done;
            }
            broker.stats.stored_by_broker(&batch, begun.elapsed());
            broker.transactions.halves_stored(copies.iter().filter_map(|index| batch.receipts().get(*index)));
            for topic in given_up {
                let counts = &broker.transactions.counts;
                counts.add(&counts.of(topic), -1, rules.now_ms);
            }
            broker.store.dispatch_now();
            for question in &asking {
                if let Some(receipt) = batch.receipts().get(question.index) {
                    self.ask(broker, question, receipt);
                }
            }
        }
        self.next = next;
        step
    }

    /// Asks a live producer of the group; the members take turns.
    fn ask(&mut self, broker: &Broker, question: &Asking<'_>, receipt: &AppendReceipt) {
        let group = question.half.group;
        let mut members = broker.producers.members(group).unwrap_or_default();
        members.retain(|member| member.connection.is_open());
        let turn = broker.transactions.turn.fetch_add(1, Ordering::Relaxed);
        let Some(member) = members.get(turn.checked_rem(members.len()).unwrap_or(0)) else {
            *self.unheard.entry(group.to_owned()).or_default() += 1;
            return;
        };
        match question.command(broker, receipt) {
            Ok(command) => member.connection.notify(command),
            Err(problem) => tracing::error!(
                offset = receipt.queue_offset.0,
                group,
                problem,
                "nobody can be asked about a half message"
            ),
        }
    }

    /// Notes how far the round has come.
    fn finish(self, broker: &Broker) {
        let before = broker.offsets.query(GROUP, HALF_TOPIC, QUEUE);
        let begin = broker.store.min_queue_offset(HALF_TOPIC, QUEUE);
        if before.unwrap_or(begin.0) != self.next.0 {
            broker.offsets.commit(GROUP, HALF_TOPIC, QUEUE, self.next.0);
        }
        let ops = (broker.store.min_queue_offset(OP_TOPIC, QUEUE).0, broker.store.max_queue_offset(OP_TOPIC, QUEUE).0);
        let settled = {
            let mut lane = broker.transactions.lane.lock();
            lane.ended.forget_before(self.next.0);
            lane.ledger.correct(ops.0, ops.1);
            lane.ledger.settle(self.next.0)
        };
        if broker.offsets.query(GROUP, OP_TOPIC, QUEUE).unwrap_or(ops.0) != settled {
            broker.offsets.commit(GROUP, OP_TOPIC, QUEUE, settled);
        }
        for (group, questions) in self.unheard {
            tracing::warn!(group, questions, "transactions are open and no producer of their group is connected");
        }
    }
}

/// What was done about a half message.
enum Done {
    /// Index of its copy in the batch, and the properties of that.
    Asks(usize, Vec<u8>),
    /// Index of its copy in the batch.
    Copied(usize),
    GivenUp,
    Nothing,
}

/// Whether the transaction has ended, be it by another copy.
fn has_ended(broker: &Broker, record: &Record<'_>, half: &HalfProperties<'_>) -> bool {
    let is_ended = |offset: QueueOffset| broker.transactions.lane.lock().ended.contains(offset.0);
    is_ended(record.queue_offset()) || first_of(broker, record, half).is_some_and(is_ended)
}

/// Puts into the batch what the half message's fate needs.
fn carry_out(
    broker: &Broker,
    record: &Record<'_>,
    half: &HalfProperties<'_>,
    fate: Fate,
    batch: &mut AppendBatch,
) -> Done {
    let offset = record.queue_offset();
    if let Err(problem) = half.destination()
        && fate != Fate::GivenUp
    {
        // Asking about it would lead nowhere.
        tracing::error!(
            offset = offset.0, at = %record.physical_offset(), problem,
            "a half message cannot be committed and is passed over; it stays in the commit log"
        );
        return Done::Nothing;
    }
    let times = match fate {
        Fate::GivenUp | Fate::Young => return give_up(broker, record, half, batch),
        Fate::Immune => None,
        Fate::Asked { times } => Some(times),
    };
    let mut properties = Vec::new();
    let left_out = [property::TRAN_PREPARED_QUEUE_OFFSET, property::TRANSACTION_CHECK_TIMES];
    copy_properties(record, &left_out, &mut properties);
    if let Some(times) = times.or(half.check_times) {
        append(&mut properties, property::TRANSACTION_CHECK_TIMES, &times.to_string());
    }
    let first = first_of(broker, record, half).unwrap_or(offset);
    append(&mut properties, property::TRAN_PREPARED_QUEUE_OFFSET, &first.0.to_string());
    let fields = RecordFields { properties: &properties, ..record.to_fields() };
    match batch.push(&queue(&broker.store, HALF_TOPIC), &fields) {
        Ok(index) if times.is_some() => Done::Asks(index, properties),
        Ok(index) => Done::Copied(index),
        Err(error) => {
            tracing::error!(%error, offset = offset.0, "a half message has no room for its count and is given up");
            give_up(broker, record, half, batch)
        }
    }
}

/// Puts a half message aside.
fn give_up(broker: &Broker, record: &Record<'_>, half: &HalfProperties<'_>, batch: &mut AppendBatch) -> Done {
    // The name is a constant that may stand in a path.
    let topic = Topic::parse_stored(GIVEN_UP_TOPIC).unwrap_or_else(|| unreachable!("a legal topic name"));
    broker.topics.create_retry_or_dlq(&topic, 1, TopicConfig::PERM_READ | TopicConfig::PERM_WRITE, false, 0);
    let fields = RecordFields { topic: GIVEN_UP_TOPIC, queue_id: QueueId(0), ..record.to_fields() };
    match batch.push(&broker.store.queue(&topic, QUEUE), &fields) {
        Ok(_) => {
            tracing::warn!(
                group = half.group,
                id = half.unique_key,
                topic = half.real_topic,
                times = half.check_times,
                "nobody knows how a transaction ended; its message is put into {GIVEN_UP_TOPIC}"
            );
            Done::GivenUp
        }
        Err(error) => {
            tracing::error!(%error, offset = record.queue_offset().0, "a half message cannot be put aside and is passed over");
            Done::Nothing
        }
    }
}

impl Asking<'_> {
    /// The question, with the message as it will be when it is committed.
    fn command(&self, broker: &Broker, receipt: &AppendReceipt) -> Result<RemotingCommand, String> {
        let (topic, queue_id) = self.half.destination()?;
        let fields =
            RecordFields { topic: topic.as_str(), queue_id, properties: &self.properties, ..self.record.to_fields() };
        let mut body = Vec::new();
        fields.encode(&mut body).map_err(|error| error.to_string())?;
        set_queue_offset(&mut body, receipt.queue_offset);
        set_physical_offset(&mut body, receipt.physical_offset);
        set_store_timestamp(&mut body, self.record.store_timestamp());
        let id = OffsetMessageId { store_host: self.record.store_host(), physical_offset: receipt.physical_offset };
        let unique_key = Some(self.half.unique_key).filter(|key| !key.is_empty()).map(str::to_owned);
        let header = CheckTransactionStateRequestHeader {
            topic: Some(HALF_TOPIC.to_owned()),
            tran_state_table_offset: receipt.queue_offset,
            commit_log_offset: receipt.physical_offset,
            msg_id: unique_key.clone(),
            transaction_id: unique_key,
            offset_msg_id: Some(id.to_string()),
            broker_name: Some(broker.identity.name.clone()),
        };
        Ok(RemotingCommand::request(CheckTransactionState::ROW.code, &header, Bytes::from(body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { now_ms: 1_000_000, timeout_ms: 6000, checks_most: 15, reserved_ms: 500_000 };

    #[test]
    fn fates_are_upstreams() {
        let asked = |times| Fate::Asked { times };
        for (age_ms, check_times, expected) in [
            (0, None, Fate::Young),
            (6000, None, Fate::Young),
            (6001, None, asked(1)),
            (6001, Some(1), asked(2)),
            (6001, Some(14), asked(15)),
            (6001, Some(15), Fate::GivenUp),
            (0, Some(15), Fate::GivenUp),
            (0, Some(-1), Fate::Young),
            (7000, Some(-1), asked(0)),
            (-1, None, asked(1)),
            (500_001, None, Fate::GivenUp),
        ] {
            let half = HalfProperties { check_times, ..HalfProperties::default() };
            assert_eq!(RULES.fate(RULES.now_ms - age_ms, &half), expected, "age {age_ms}, times {check_times:?}");
        }
    }
}
