//! From encoded sends to their answers: appended under one lock, answered now or when what they wait for has come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::net::connection::Connection;
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::offsets::PhysicalOffset;
use boostermq_remoting::router::Response;
use boostermq_store::FlushOutcome;

use super::answer::{Answer, Stored, refuse};
use super::{Kind, PendingSend, SendSession};
use crate::broker::Broker;
use crate::response_error;
use crate::stats::counters::{Puts, millis};

/// How long the first send to a new topic waits for the name servers: clients give up after 3 s.
const REGISTRATION_WAIT: Duration = Duration::from_secs(1);

impl SendSession {
    /// Appends what was encoded, under one lock, and answers every send of it: now, or when the disk has it.
    pub(crate) fn append(&mut self, broker: &Arc<Broker>, connection: &Arc<Connection>, out: &mut Outbox) {
        if self.pending.is_empty() {
            if let Some(meter) = &mut self.meter {
                meter.flush();
            }
            return;
        }
        // A commit and the note that it was made stand side by side in the log.
        let ops =
            (!self.endings.is_empty()).then(|| broker.transactions.push_ops(broker, &self.endings, &mut self.batch));
        let begun = Instant::now();
        match broker.store.append(&mut self.batch) {
            Ok(end) => {
                let took = begun.elapsed();
                broker.stats.stored(self.batch.receipts(), took);
                if let Some(ops) = &ops {
                    broker.transactions.ops_stored(ops, self.batch.receipts());
                }
                self.count_transactions(broker);
                self.answer(broker, connection, end, (begun, took), out);
            }
            Err(error) => {
                broker.stats.refused(self.batch.len());
                broker.transactions.take_back(&self.endings);
                if let Some(ops) = ops {
                    broker.transactions.ops_refused(ops);
                }
                let error = response_error::from_append(error, &broker.store);
                for pending in &self.pending {
                    if let Some(meter) = &mut self.meter {
                        meter.answered(&pending.question, error.code);
                    }
                    refuse(broker, error.clone(), &pending.question, out);
                }
            }
        }
        if let Some(meter) = &mut self.meter {
            meter.flush();
        }
        self.batch.clear();
        self.pending.clear();
        self.unique_keys.clear();
        self.endings.clear();
    }

    /// Answers every send of an append that ended at `end`, was begun then and took so long: now, or when what it waits for has come.
    fn answer(
        &mut self,
        broker: &Arc<Broker>,
        connection: &Arc<Connection>,
        end: PhysicalOffset,
        (begun, took): (Instant, Duration),
        out: &mut Outbox,
    ) {
        let (mut waiting, mut unregistered) = (Vec::new(), Vec::new());
        let settings = broker.settings.read();
        for pending in &self.pending {
            let receipts = self.batch.receipts().get(pending.first..pending.first + pending.count).unwrap_or_default();
            let key = self.unique_keys.get(pending.unique_key.0..pending.unique_key.1).unwrap_or_default();
            let is_end = matches!(pending.kind, Kind::End(..));
            let mut latency = Arc::default();
            if let Some(queue) = self.batch.queue(pending.first) {
                let puts = Puts::request(receipts, (!pending.waits && !is_end).then_some(took));
                self.counters.stored(&broker.stats, queue, puts);
                if let Some(meter) = self.meter.as_mut().filter(|_| !is_end) {
                    meter.stored(queue.topic(), pending.message, receipts);
                }
                if pending.waits {
                    latency = self.counters.latency(&broker.stats, queue);
                }
            }
            if pending.waits || pending.registers {
                let list = if pending.registers { &mut unregistered } else { &mut waiting };
                list.push(Stored {
                    question: pending.question,
                    queue_id: pending.queue_id,
                    unique_key: key.to_owned(),
                    receipts: receipts.to_vec(),
                    recall_handle: pending.recall_handle.clone(),
                    is_end,
                    begun,
                    latency,
                    came: self.meter.as_ref().and_then(|meter| meter.since()),
                });
                continue;
            }
            if let Some(meter) = &mut self.meter {
                meter.answered(&pending.question, ResponseCode::SUCCESS);
            }
            if is_end {
                Response::success().write(&pending.question, out);
            } else {
                let answer = Answer {
                    queue_id: pending.queue_id,
                    unique_key: key,
                    receipts,
                    recall_handle: pending.recall_handle.as_deref(),
                };
                answer.write(broker, &settings.broker, ResponseCode::SUCCESS, &pending.question, out);
            }
        }
        self.counters.flush(&broker.stats);
        if !waiting.is_empty() {
            answer_when_flushed(broker, connection, end, waiting);
        }
        if !unregistered.is_empty() {
            tokio::spawn(answer_when_registered(broker.clone(), connection.clone(), end, unregistered));
        }
    }

    /// The batch is stored: half messages in it are open, transactions ended by it are not.
    fn count_transactions(&self, broker: &Broker) {
        let is_half = |pending: &&PendingSend| matches!(pending.kind, Kind::Half(_));
        if self.pending.iter().any(|pending| is_half(&pending)) {
            let halves = self.pending.iter().filter(is_half);
            broker.transactions.halves_stored(halves.filter_map(|pending| self.batch.receipts().get(pending.first)));
        }
        for pending in &self.pending {
            let (count, change) = match &pending.kind {
                Kind::Message => continue,
                Kind::Half(count) => (count, 1),
                Kind::End(count, finished) => {
                    if let (Some(metrics), Some((topic, open_s))) = (&broker.metrics, finished) {
                        metrics.committed(topic.as_str(), *open_s);
                    }
                    (count, -1)
                }
            };
            broker.transactions.counts.add(count, change, broker.clock.now_ms());
        }
    }
}

/// Answers sends that made their topics once the name servers know these, or are too slow to be waited for.
async fn answer_when_registered(
    broker: Arc<Broker>,
    connection: Arc<Connection>,
    end: PhysicalOffset,
    stored: Vec<Stored>,
) {
    broker.registration.settled(REGISTRATION_WAIT).await;
    if broker.waits_for_flush() {
        return answer_when_flushed(&broker, &connection, end, stored);
    }
    connection.send(|out| {
        let settings = broker.settings.read();
        for stored in &stored {
            stored.answered(&broker, ResponseCode::SUCCESS);
            stored.answer().write(&broker, &settings.broker, ResponseCode::SUCCESS, &stored.question, out);
        }
    });
}

/// Answers sends once their records are on disk, or says that the disk is late.
fn answer_when_flushed(broker: &Arc<Broker>, connection: &Arc<Connection>, end: PhysicalOffset, waiting: Vec<Stored>) {
    let deadline = Instant::now() + broker.limits.sync_flush;
    let (broker_again, connection) = (broker.clone(), connection.clone());
    let done = move |outcome: FlushOutcome| {
        let code = match outcome {
            FlushOutcome::Flushed => ResponseCode::SUCCESS,
            FlushOutcome::TimedOut => ResponseCode::FLUSH_DISK_TIMEOUT,
            FlushOutcome::Failed => ResponseCode::SERVICE_NOT_AVAILABLE,
        };
        connection.send(|out| {
            let settings = broker_again.settings.read();
            for stored in &waiting {
                stored.answered(&broker_again, code);
                if stored.is_end && code != ResponseCode::SERVICE_NOT_AVAILABLE {
                    Response::success().write(&stored.question, out);
                    continue;
                }
                if code == ResponseCode::SERVICE_NOT_AVAILABLE {
                    refuse(&broker_again, response_error::poisoned(), &stored.question, out);
                    continue;
                }
                stored.latency.add(millis(stored.begun.elapsed()), 1);
                stored.answer().write(&broker_again, &settings.broker, code, &stored.question, out);
            }
        });
    };
    broker.store.when_flushed(end, deadline, Box::new(done));
}
