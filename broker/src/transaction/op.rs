//! Op records: which half messages have ended, for whoever starts with this store next.
//!
//! Tags `d`; the body lists queue offsets, a comma after each. Upstream: `TransactionalOpBatchService`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::RecordFields;
use boostermq_store::AppendBatch;

use super::{OP_TOPIC, QUEUE, queue};
use crate::broker::Broker;

/// Bytes that an offset takes in a body, as a rule of thumb.
pub(super) const OFFSET_LENGTH: usize = 8;
/// Least time between two op records that nobody hurries.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Op records that the ledger counts as one.
const LEDGER_STEP: i64 = 64;

/// The offsets in the body of an op record, whoever wrote it: before 5.1 one without a comma.
pub(super) fn offsets(body: &[u8]) -> impl Iterator<Item = i64> {
    body.split(|byte| *byte == b',')
        .filter_map(|text| std::str::from_utf8(text).ok()?.parse().ok())
        .filter(|offset| *offset >= 0)
}

/// Puts op records for `offsets` into `batch`; the index in it and the greatest offset of each.
pub(super) fn push(broker: &Broker, offsets: &[i64], batch: &mut AppendBatch) -> Vec<(usize, i64)> {
    if offsets.is_empty() {
        return Vec::new();
    }
    let most = broker.settings.read().broker.transaction_op_msg_max_size.0 as usize;
    let queue = queue(&broker.store, OP_TOPIC);
    let mut properties = Vec::new();
    append(&mut properties, property::WAIT, "true");
    append(&mut properties, property::TAGS, "d");
    let mut pushed = Vec::new();
    for (body, greatest) in bodies(offsets, most) {
        let fields = RecordFields {
            born_timestamp: broker.clock.now_ms(),
            properties: &properties,
            ..RecordFields::plain(OP_TOPIC, QUEUE, broker.identity.address, &body)
        };
        match batch.push(&queue, &fields) {
            Ok(index) => pushed.push((index, greatest)),
            Err(error) => tracing::error!(%error, "an op record of transactions cannot be made"),
        }
    }
    pushed
}

/// Bodies of at most `most` bytes, but of one offset at least, each with its greatest offset.
fn bodies(offsets: &[i64], most: usize) -> Vec<(Vec<u8>, i64)> {
    let mut bodies: Vec<(Vec<u8>, i64)> = Vec::new();
    for &offset in offsets {
        let mut text = [0; 24];
        let mut rest = text.as_mut_slice();
        // An i64 and a comma fit.
        let _ = write!(rest, "{offset},");
        let length = 24 - rest.len();
        let text = text.get(..length).unwrap_or_default();
        match bodies.last_mut().filter(|(body, _)| body.len() + length <= most) {
            Some((body, greatest)) => {
                body.extend_from_slice(text);
                *greatest = offset.max(*greatest);
            }
            None => bodies.push((text.to_vec(), offset)),
        }
    }
    bodies
}

/// Which op records still speak of half messages past the progress.
#[derive(Debug, Default)]
pub(super) struct OpLedger {
    /// Everything before is settled.
    settled: i64,
    /// First op record to (end, greatest half offset).
    spans: BTreeMap<i64, (i64, i64)>,
}

impl OpLedger {
    pub(super) const fn new(settled: i64) -> Self {
        Self { settled, spans: BTreeMap::new() }
    }

    /// An op record was stored.
    pub(super) fn note(&mut self, op_offset: i64, greatest: i64) {
        if op_offset < self.settled {
            return;
        }
        if let Some((first, (end, top))) = self.spans.range_mut(..=op_offset).next_back()
            && *end == op_offset
            && *end - first < LEDGER_STEP
        {
            *end += 1;
            *top = greatest.max(*top);
            return;
        }
        self.spans.insert(op_offset, (op_offset + 1, greatest));
    }

    /// Half messages before `progress` are settled: the op record from which on others are spoken of.
    pub(super) fn settle(&mut self, progress: i64) -> i64 {
        while let Some(span) = self.spans.first_entry() {
            let (end, greatest) = *span.get();
            if *span.key() > self.settled || greatest >= progress {
                break;
            }
            self.settled = self.settled.max(end);
            span.remove();
        }
        self.settled
    }

    /// The op queue begins later than that, or ended before: it lost its files.
    pub(super) fn correct(&mut self, begin: i64, end: i64) {
        if self.settled > end {
            *self = Self::new(begin);
        } else if self.settled < begin {
            self.settled = begin;
            self.spans.retain(|_, (span_end, _)| *span_end > begin);
            if let Some(mut first) = self.spans.first_entry()
                && *first.key() < begin
            {
                let span = *first.get_mut();
                first.remove();
                self.spans.insert(begin, span);
            }
        }
    }
}

/// Writes op records for rollbacks, and the counts of open transactions, until the task is ended.
pub(crate) async fn write_ops(broker: Arc<Broker>) {
    let mut is_failing = false;
    let pause =
        |broker: &Broker| Duration::from(broker.settings.read().broker.transaction_op_batch_interval).max(PAUSE_MIN);
    let mut save = tokio::time::interval(
        Duration::from(broker.settings.read().broker.transaction_metric_flush_interval).max(PAUSE_MIN),
    );
    save.tick().await;
    loop {
        let woken = broker.transactions.op_wake.notified();
        tokio::select! {
            () = woken, if !is_failing => {}
            () = tokio::time::sleep(pause(&broker)) => {}
            _ = save.tick() => {
                let saving = broker.clone();
                let saved = tokio::task::spawn_blocking(move || saving.transactions.counts.save(saving.clock.now_ms()));
                if let Ok(Err(error)) = saved.await {
                    tracing::error!(%error, "the counts of open transactions are not on disk");
                }
                continue;
            }
        }
        match broker.transactions.flush_ops(&broker) {
            Ok(()) => is_failing = false,
            Err(error) if !is_failing => {
                tracing::error!(%error, "rollbacks cannot be noted on disk; producers may be asked about them again");
                is_failing = true;
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_at_the_limit_and_read_back() {
        for (given, most, expected) in [
            (vec![0, 1, 2], 4096, vec![("0,1,2,", 2)]),
            (vec![10, 9, 200], 6, vec![("10,9,", 10), ("200,", 200)]),
            (vec![7, 8], 0, vec![("7,", 7), ("8,", 8)]),
            (vec![i64::MAX], 10, vec![("9223372036854775807,", i64::MAX)]),
            (vec![], 4096, vec![]),
        ] {
            let bodies = bodies(&given, most);
            let texts: Vec<_> = bodies.iter().map(|(body, top)| (std::str::from_utf8(body).unwrap(), *top)).collect();
            assert_eq!(texts, expected);
            assert_eq!(bodies.iter().flat_map(|(body, _)| offsets(body)).collect::<Vec<_>>(), given);
        }
    }

    #[test]
    fn bodies_of_others_are_read_as_far_as_they_make_sense() {
        for (body, expected) in
            [(&b"12"[..], vec![12]), (b"12,x,,-1,13", vec![12, 13]), (b"", vec![]), (b"\xff,4,", vec![4])]
        {
            assert_eq!(offsets(body).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn op_records_are_settled_in_order() {
        let mut ledger = OpLedger::new(10);
        ledger.note(9, 5);
        // Noted out of order by two connections.
        ledger.note(11, 3);
        assert_eq!(ledger.settle(100), 10);
        ledger.note(10, 50);
        assert_eq!((ledger.settle(50), ledger.settle(51)), (10, 12));
        ledger.note(12, 60);
        assert_eq!((ledger.settle(60), ledger.settle(61)), (12, 13));
    }

    #[test]
    fn many_op_records_take_little_room() {
        let mut ledger = OpLedger::new(0);
        (0..6400).for_each(|op| ledger.note(op, op * 3));
        assert!(ledger.spans.len() <= 100, "{}", ledger.spans.len());
        assert_eq!((ledger.settle(192), ledger.settle(i64::MAX)), (64, 6400));
    }

    #[test]
    fn an_op_queue_that_lost_files_does_not_hold_up() {
        let mut ledger = OpLedger::new(0);
        ledger.note(20, 1);
        ledger.correct(20, 30);
        assert_eq!(ledger.settle(10), 21);
        ledger.correct(0, 5);
        ledger.note(0, 1);
        assert_eq!(ledger.settle(10), 1);
    }
}
