//! Sends: single messages and batches, the hot path of writing.
//!
//! All sends of one read are checked and encoded as they come, appended together under one lock, and answered
//! together ([`SendSession`]). Order of checks and effects: RocketMQ 5.5.0. Upstream:
//! `SendMessageProcessor`.

mod answer;
mod append;
mod batch;
mod checks;
mod seen;
mod single;

use std::sync::Arc;

use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::header::DecodeHeader;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::net::server::Incoming;
use boostermq_remoting::request::send::SendMessageRequestHeader;
use boostermq_remoting::request::transaction::EndTransactionRequestHeader;
use boostermq_remoting::router::{Question, Response, ResponseError};
use boostermq_store::AppendBatch;
use boostermq_store::consume_queue::ConsumeQueue;

use crate::broker::Broker;
use crate::metrics::{MessageKind, Metrics, SendMeter};
use crate::stats::counters::PutCounters;
use crate::transaction::{self, End, Ending, TopicCount};
use answer::refuse;
pub(super) use checks::{check_body, check_open, check_permission, check_properties, check_queue, topic_to_send};

/// Encoded bytes of one append; more is appended in several.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What a connection keeps for its sends.
pub(crate) struct SendSession {
    batch: AppendBatch,
    pending: Vec<PendingSend>,
    /// Unique keys of the pending sends, one after the other.
    unique_keys: String,
    /// Properties of the record being made.
    properties: Vec<u8>,
    /// Transactions whose messages are in the batch.
    endings: Vec<Ending>,
    /// By which the message being made can be called back.
    recall_handle: Option<String>,
    target: Option<Target>,
    counters: PutCounters,
    /// Counts for Prometheus, where that is wanted.
    meter: Option<Box<SendMeter>>,
}

/// The topic that the connection sent to last, so that the next send finds it without a look-up.
struct Target {
    /// The metadata this was read from.
    generation: u64,
    topic: Topic,
    config: Arc<TopicConfig>,
    queues: Vec<Option<Arc<ConsumeQueue>>>,
    /// This connection's send made it, and has not been answered.
    is_new: bool,
}

/// A send whose records are in the batch.
struct PendingSend {
    question: Question,
    /// Its records in the batch.
    first: usize,
    count: usize,
    /// What the answer calls its queue.
    queue_id: u32,
    /// Its part of the unique keys; empty when it has none.
    unique_key: (usize, usize),
    /// Whether it waits for the disk.
    waits: bool,
    /// By which it can be called back.
    recall_handle: Option<String>,
    /// Whether it made its topic, and waits until the name servers know it: a client that has its answer may ask at once
    /// for the route.
    registers: bool,
    kind: Kind,
    /// What Prometheus is told it is.
    message: MessageKind,
}

/// What a pending send is to its client.
enum Kind {
    /// One message or several.
    Message,
    /// The half message of a transaction, which this counts.
    Half(Arc<TopicCount>),
    /// The end of a transaction, which this counts; for Prometheus, its topic and for how many seconds it was open.
    End(Arc<TopicCount>, Option<(Topic, u64)>),
}

impl SendSession {
    pub(crate) fn new(metrics: Option<&Arc<Metrics>>) -> Self {
        Self {
            batch: AppendBatch::new(),
            pending: Vec::new(),
            unique_keys: String::new(),
            properties: Vec::new(),
            endings: Vec::new(),
            recall_handle: None,
            target: None,
            counters: PutCounters::default(),
            meter: metrics.map(|metrics| Box::new(SendMeter::new(metrics))),
        }
    }

    /// Checks and encodes one send; a refusal is answered at once.
    pub(crate) fn send(&mut self, broker: &Arc<Broker>, incoming: &Incoming<'_>, out: &mut Outbox) {
        let question = Question::of(incoming);
        if let Some(meter) = &mut self.meter {
            meter.came();
        }
        self.recall_handle = None;
        let (records, keys) = (self.batch.len(), self.unique_keys.len());
        match self.prepare(broker, incoming, question) {
            Ok(()) => {}
            Err(error) => {
                self.batch.truncate(records);
                self.unique_keys.truncate(keys);
                self.answered(&question, error.code);
                refuse(broker, error, &question, out);
            }
        }
        if self.batch.byte_len() >= BATCH_BYTES_MAX {
            self.append(broker, incoming.connection, out);
        }
    }

    fn prepare(
        &mut self,
        broker: &Arc<Broker>,
        incoming: &Incoming<'_>,
        question: Question,
    ) -> Result<(), ResponseError> {
        let header = SendMessageRequestHeader::decode(&incoming.header.fields)?;
        let settings = broker.settings.read();
        let settings = &settings.broker;
        check_open(broker, settings)?;
        check_body(broker, incoming.frame.body)?;
        self.find_target(broker, &header, incoming)?;
        let Some(target) = self.target.as_mut() else {
            return Err(ResponseError::system("the topic was lost between two steps"));
        };
        check_permission(settings, &target.config)?;
        let queue_id = check_queue(&header, &target.config)?;
        if header.batch == Some(true) {
            return self.prepare_batch(broker, incoming, question, &header, queue_id);
        }
        let first = self.batch.len();
        let (waits, kind, message) = self.prepare_single(broker, settings, incoming, &header, queue_id)?;
        let registers = self.made_topic();
        let unique_key = (self.unique_keys.len(), self.unique_keys.len());
        self.pending.push(PendingSend {
            question,
            first,
            count: 1,
            queue_id: queue_id.0,
            unique_key,
            waits,
            recall_handle: self.recall_handle.take(),
            registers,
            kind,
            message,
        });
        self.note_unique_key();
        Ok(())
    }

    /// Counts an answer for Prometheus.
    fn answered(&mut self, question: &Question, code: ResponseCode) {
        if let Some(meter) = &mut self.meter {
            meter.answered(question, code);
        }
    }

    /// True for the one send that made its topic.
    fn made_topic(&mut self) -> bool {
        self.target.as_mut().is_some_and(|target| std::mem::take(&mut target.is_new))
    }

    /// Moves the unique key that was left at the end of the keys into the last pending send.
    fn note_unique_key(&mut self) {
        let end = self.unique_keys.len();
        let before =
            self.pending.len().checked_sub(2).and_then(|at| self.pending.get(at)).map_or(0, |last| last.unique_key.1);
        if let Some(last) = self.pending.last_mut() {
            last.unique_key = (before, end);
        }
    }

    /// Finds the topic, or makes it from its template.
    fn find_target(
        &mut self,
        broker: &Broker,
        header: &SendMessageRequestHeader<'_>,
        incoming: &Incoming<'_>,
    ) -> Result<(), ResponseError> {
        let generation = broker.topics.generation();
        if let Some(target) = &self.target
            && target.generation == generation
            && target.topic.as_str() == header.topic
        {
            return Ok(());
        }
        let (topic, config, is_new) = topic_to_send(broker, header, incoming.connection.peer())?;
        let count = config.write_queue_nums.max(config.read_queue_nums).max(0) as usize;
        let queues = vec![None; count];
        self.target = Some(Target { generation, topic, config, queues, is_new });
        Ok(())
    }

    /// Ends a transaction: at once, or with the sends of this read when its message has to be stored.
    pub(crate) fn end_transaction(&mut self, broker: &Arc<Broker>, incoming: &Incoming<'_>, out: &mut Outbox) {
        let question = Question::of(incoming);
        if let Some(meter) = &mut self.meter {
            meter.came();
        }
        let first = self.batch.len();
        let ended = EndTransactionRequestHeader::decode(&incoming.header.fields)
            .map_err(ResponseError::from)
            .and_then(|header| transaction::end(broker, &header, &mut self.batch, &mut self.properties));
        let response = match ended {
            Ok(End::Committed { ending, count, finished, waits }) => {
                self.endings.push(ending);
                let end = self.unique_keys.len();
                self.pending.push(PendingSend {
                    question,
                    first,
                    count: 1,
                    queue_id: 0,
                    unique_key: (end, end),
                    waits: waits && broker.waits_for_flush(),
                    recall_handle: None,
                    registers: false,
                    kind: Kind::End(count, finished),
                    message: MessageKind::Transaction,
                });
                None
            }
            Ok(End::RolledBack) => Some(Response::success()),
            Ok(End::Again) => {
                let remark = "the transaction had ended before; nothing was changed";
                Some(Response::with_code(ResponseCode::SUCCESS, remark))
            }
            Ok(End::Unknown) => None,
            Err(error) => Some(Response::from(error)),
        };
        if let Some(response) = response {
            self.answered(&question, response.code);
            response.write(&question, out);
        }
        if self.batch.byte_len() >= BATCH_BYTES_MAX {
            self.append(broker, incoming.connection, out);
        }
    }

    /// The queue of the target, opened when first used.
    fn target_queue(&mut self, broker: &Broker, queue_id: QueueId) -> Result<Arc<ConsumeQueue>, ResponseError> {
        let lost = || ResponseError::system("the topic was lost between two steps");
        let target = self.target.as_mut().ok_or_else(lost)?;
        let slot = target.queues.get_mut(queue_id.0 as usize).ok_or_else(lost)?;
        if let Some(queue) = slot {
            return Ok(queue.clone());
        }
        let queue = broker.store.queue(&target.topic, queue_id);
        *slot = Some(queue.clone());
        Ok(queue)
    }

    /// True when nothing waits to be appended.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.meter.as_ref().is_none_or(|meter| meter.since().is_none())
    }
}

#[cfg(test)]
mod light_tests;
#[cfg(test)]
mod tests;
