//! Transactions: half messages, how they end, and the questions about those that nobody ended.
//!
//! ```text
//! RMQ_SYS_TRANS_HALF_TOPIC     queue 0  half messages; copies of those that were asked about
//! RMQ_SYS_TRANS_OP_HALF_TOPIC  queue 0  tag "d", body "3,4,17,": queue offsets of half messages that have ended
//! TRANS_CHECK_MAX_TIME_TOPIC   queue 0  half messages that were given up
//! CID_RMQ_SYS_TRANS                     the group whose offsets say how far the first two are settled
//! ```
//! All of it is upstream's, so that a Java broker goes on where ours stopped and the other way round. What ours adds is
//! a memory: [`ended`] knows which half messages have ended, so that a commit that comes twice leaves one message. It is
//! read from the op queue at start. A commit's op record is appended together with the message that it makes visible; a
//! crash cannot come between them. Rollbacks are gathered for `transactionOpBatchInterval`.
//!
//! A transaction is known by the queue offset of its first half message. Copies that the broker makes carry it as
//! `TRAN_PREPARED_QUEUE_OFFSET`; nobody else may set it.
//!
//! Never decides what a producer decided: who does not answer is asked again, and at last its message is put aside.
//!
//! Upstream: `TransactionalMessageServiceImpl`, `TransactionalMessageBridge`, `EndTransactionProcessor`
//! (RocketMQ 5.5.0).

mod check;
mod counts;
mod end;
mod ended;
mod half;
mod op;
mod resume;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use boostermq_remoting::message::record::Records;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::consume_queue::{ConsumeQueue, QueueError};
use boostermq_store::{AppendBatch, AppendReceipt, GetRequest, GetStatus, MessageStore};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) use check::check;
pub(crate) use counts::{TopicCount, TransactionCounts};
pub(crate) use end::{End, end};
pub(crate) use half::append_half_destination;
pub(crate) use op::write_ops;
pub(crate) use resume::resume_check;

use crate::broker::Broker;
use crate::metadata::ConsumerOffsets;
use ended::EndedHalves;
use half::HalfProperties;
use op::OpLedger;

/// Where half messages wait.
pub(crate) const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Which of them have ended.
const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Half messages that were given up.
const GIVEN_UP_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// Group of the progress in both.
const GROUP: &str = "CID_RMQ_SYS_TRANS";
/// The one queue that upstream's half and op messages go to.
pub(crate) const QUEUE: QueueId = QueueId(0);
/// Op records before the progress that are read at start, for commits that come again.
const OP_HISTORY: i64 = 8192;
/// Op records of one read.
const OP_READ: u32 = 32;
/// Ended half messages that wait for their op record, at most (RocketMQ 5.5.0).
const OPS_WAITING_MAX: usize = 20_000;

/// The queue of one of the topics above.
pub(crate) fn queue(store: &MessageStore, topic: &str) -> Arc<ConsumeQueue> {
    // The names are constants that may stand in a path. Looked up anew each time: an expired queue is made anew.
    let topic = Topic::parse_stored(topic).unwrap_or_else(|| unreachable!("a legal topic name"));
    store.queue(&topic, QUEUE)
}

/// What the broker knows of transactions besides what stands in its queues.
pub(crate) struct Transactions {
    lane: Mutex<Lane>,
    /// How many transactions each topic has open.
    pub(crate) counts: TransactionCounts,
    /// Counts questions, so that the members of a group take turns.
    turn: AtomicUsize,
    /// Enough ended half messages wait for an op record.
    op_wake: Notify,
}

/// The half queue in memory.
#[derive(Debug, Default)]
struct Lane {
    ended: EndedHalves,
    /// Rolled back and in no op record yet.
    waiting: Vec<i64>,
    ledger: OpLedger,
}

/// One end that is being appended: what to take back when that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Of the half message that was ended.
    pub(crate) offset: QueueOffset,
    /// Of the first half message of the transaction, when that is another.
    pub(crate) first: Option<QueueOffset>,
}

impl Ending {
    fn offsets(self) -> impl Iterator<Item = i64> {
        [Some(self.offset.0), self.first.map(|first| first.0)].into_iter().flatten()
    }
}

/// Op records in a batch, until their receipts are there.
#[derive(Debug, Default)]
pub(crate) struct PushedOps {
    /// Index in the batch and greatest half offset of each.
    records: Vec<(usize, i64)>,
    /// Rollbacks that they took along.
    waiting: Vec<i64>,
}

impl Transactions {
    /// Reads from the store which half messages have ended.
    ///
    /// # Errors
    /// [`QueueError`] when a queue cannot be read.
    pub(crate) fn load(store: &MessageStore, offsets: &ConsumerOffsets, config_dir: &Path) -> Result<Self, QueueError> {
        let half_begin = store.min_queue_offset(HALF_TOPIC, QUEUE);
        let half_end = store.max_queue_offset(HALF_TOPIC, QUEUE);
        let (op_begin, op_end) = (store.min_queue_offset(OP_TOPIC, QUEUE), store.max_queue_offset(OP_TOPIC, QUEUE));
        let mut progress = offsets.query(GROUP, HALF_TOPIC, QUEUE).unwrap_or(half_begin.0);
        let mut settled = offsets.query(GROUP, OP_TOPIC, QUEUE).unwrap_or(0).clamp(op_begin.0, op_end.0);
        if progress < half_begin.0 || progress > half_end.0 {
            // The next round begins with the first half message: all that is known of them is needed.
            (progress, settled) = (half_begin.0, op_begin.0);
        }
        let mut lane = Lane { ended: EndedHalves::new(progress), waiting: Vec::new(), ledger: OpLedger::new(settled) };
        let mut next = QueueOffset(settled.min(op_end.0 - OP_HISTORY).max(op_begin.0));
        while next < op_end {
            let read = store.get(&GetRequest {
                topic: OP_TOPIC,
                queue_id: QUEUE,
                queue_offset: next,
                max_messages: OP_READ,
                filter: None,
            })?;
            if read.status != GetStatus::Found && read.next_begin_offset <= next {
                tracing::error!(status = %read.status, offset = next.0, "the op queue of transactions cannot be read on");
                break;
            }
            for record in read.slices.iter().flat_map(|slice| Records::new(slice)) {
                match record {
                    Ok(record) => lane.take_op(store, &record, half_end)?,
                    Err(error) => {
                        tracing::error!(%error, "an op record of a transaction cannot be read and is passed over");
                    }
                }
            }
            next = read.next_begin_offset;
        }
        Ok(Self {
            lane: Mutex::new(lane),
            counts: TransactionCounts::load(config_dir),
            turn: AtomicUsize::new(0),
            op_wake: Notify::new(),
        })
    }

    /// Half messages were stored. Numbers that an earlier life of the queue used are theirs now.
    pub(crate) fn halves_stored<'a>(&self, receipts: impl Iterator<Item = &'a AppendReceipt>) {
        let mut lane = self.lane.lock();
        for receipt in receipts {
            lane.ended.begin(receipt.queue_offset.0);
        }
    }

    /// Notes an end; false when the transaction has ended before.
    fn begin_end(&self, ending: Ending) -> bool {
        let mut lane = self.lane.lock();
        if ending.offsets().any(|offset| lane.ended.contains(offset)) {
            return false;
        }
        ending.offsets().for_each(|offset| lane.ended.insert(offset));
        true
    }

    /// The end of a transaction was not stored: it is open again.
    pub(crate) fn take_back(&self, endings: &[Ending]) {
        let mut lane = self.lane.lock();
        for offset in endings.iter().flat_map(|ending| ending.offsets()) {
            lane.ended.reopen(offset);
        }
    }

    /// Puts op records for `endings` into the batch that makes them visible, and for the rollbacks that wait.
    pub(crate) fn push_ops(&self, broker: &Broker, endings: &[Ending], batch: &mut AppendBatch) -> PushedOps {
        let waiting = std::mem::take(&mut self.lane.lock().waiting);
        let offsets: Vec<i64> =
            endings.iter().flat_map(|ending| ending.offsets()).chain(waiting.iter().copied()).collect();
        let records = op::push(broker, &offsets, batch);
        PushedOps { records, waiting }
    }

    /// The batch with the op records was appended.
    pub(crate) fn ops_stored(&self, ops: &PushedOps, receipts: &[AppendReceipt]) {
        let mut lane = self.lane.lock();
        for (index, greatest) in &ops.records {
            if let Some(receipt) = receipts.get(*index) {
                lane.ledger.note(receipt.queue_offset.0, *greatest);
            }
        }
    }

    /// The batch with the op records was not appended.
    pub(crate) fn ops_refused(&self, ops: PushedOps) {
        self.lane.lock().waiting.extend(ops.waiting);
    }

    /// A half message was rolled back and waits for its op record.
    ///
    /// False when too many wait: the disk takes none.
    fn roll_back(&self, broker: &Broker, ending: Ending) -> bool {
        let settings = broker.settings.read();
        let enough = settings.broker.transaction_op_msg_max_size.0 as usize / op::OFFSET_LENGTH;
        let mut lane = self.lane.lock();
        if lane.waiting.len() >= OPS_WAITING_MAX {
            drop(lane);
            self.op_wake.notify_one();
            return false;
        }
        lane.waiting.extend(ending.offsets());
        if lane.waiting.len() >= enough {
            self.op_wake.notify_one();
        }
        true
    }

    /// Writes op records for what waits for one.
    ///
    /// # Errors
    /// Why the store refused them; they wait on.
    pub(crate) fn flush_ops(&self, broker: &Broker) -> Result<(), boostermq_store::error::AppendError> {
        let mut batch = AppendBatch::new();
        let ops = self.push_ops(broker, &[], &mut batch);
        if batch.is_empty() {
            return Ok(());
        }
        match broker.store.append(&mut batch) {
            Ok(_) => {
                self.ops_stored(&ops, batch.receipts());
                broker.store.dispatch_now();
                Ok(())
            }
            Err(error) => {
                self.ops_refused(ops);
                Err(error)
            }
        }
    }
}

impl Lane {
    /// Learns from an op record that was stored before this start.
    fn take_op(
        &mut self,
        store: &MessageStore,
        record: &boostermq_remoting::message::record::Record<'_>,
        half_end: QueueOffset,
    ) -> Result<(), QueueError> {
        let offsets: Vec<i64> = op::offsets(record.body()).filter(|offset| *offset < half_end.0).collect();
        let greatest = offsets.iter().copied().max().unwrap_or(-1);
        self.ledger.note(record.queue_offset().0, greatest);
        if greatest < self.ended.base() {
            return Ok(());
        }
        // An op record that is older than the half message it names speaks of an earlier life of the half queue.
        let half = store.physical_offset(HALF_TOPIC, QUEUE, QueueOffset(greatest))?;
        if half.is_some_and(|half| half > record.physical_offset()) {
            return Ok(());
        }
        offsets.into_iter().for_each(|offset| self.ended.insert(offset));
        Ok(())
    }
}
