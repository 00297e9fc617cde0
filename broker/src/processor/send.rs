//! Sends: single messages and batches, the hot path of writing.
//!
//! All sends of one read are checked and encoded as they come, appended together under one lock, and answered
//! together ([`SendSession`]). Order of checks and effects: facts/semantics.md 2.1, facts/protocol-client.md 3.2,
//! 3.3. Upstream: `SendMessageProcessor`.

mod answer;
mod checks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::body::{TopicConfig, TopicFilterType};
use boostermq_remoting::code::{ResponseCode, version};
use boostermq_remoting::header::DecodeHeader;
use boostermq_remoting::message::batch::BatchEntries;
use boostermq_remoting::message::flags::{SysFlag, Transaction};
use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{QueueId, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::net::connection::Connection;
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::net::server::Incoming;
use boostermq_remoting::offsets::PhysicalOffset;
use boostermq_remoting::request::send::SendMessageRequestHeader;
use boostermq_remoting::request::transaction::EndTransactionRequestHeader;
use boostermq_remoting::router::{Question, Response, ResponseError};
use boostermq_store::consume_queue::ConsumeQueue;
use boostermq_store::timer::{WHEEL_QUEUE, WHEEL_TOPIC};
use boostermq_store::{AppendBatch, FlushOutcome};

use crate::broker::Broker;
use crate::stats::counters::{PutCounters, Puts, millis};
use crate::timer::due::{self, Wish};
use crate::timer::handle;
use crate::transaction::{self, End, Ending, HALF_TOPIC, TopicCount};
use crate::{response_error, retry, schedule};
use answer::{Answer, Stored, refuse};
pub(super) use checks::{check_body, check_open, check_permission, check_properties, check_queue, topic_to_send};

/// How long the first send to a new topic waits for the name servers: clients give up after 3 s.
const REGISTRATION_WAIT: Duration = Duration::from_secs(1);
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
}

/// What a pending send is to its client.
enum Kind {
    /// One message or several.
    Message,
    /// The half message of a transaction, which this counts.
    Half(Arc<TopicCount>),
    /// The end of a transaction, which this counts.
    End(Arc<TopicCount>),
}

/// Where a message really goes.
struct Destination<'a> {
    topic: &'a str,
    queue: Arc<ConsumeQueue>,
    queue_id: QueueId,
}

impl SendSession {
    pub(crate) fn new() -> Self {
        Self {
            batch: AppendBatch::new(),
            pending: Vec::new(),
            unique_keys: String::new(),
            properties: Vec::new(),
            endings: Vec::new(),
            recall_handle: None,
            target: None,
            counters: PutCounters::default(),
        }
    }

    /// Checks and encodes one send; a refusal is answered at once.
    pub(crate) fn send(&mut self, broker: &Arc<Broker>, incoming: &Incoming<'_>, out: &mut Outbox) {
        let question = Question::of(incoming);
        self.recall_handle = None;
        let (records, keys) = (self.batch.len(), self.unique_keys.len());
        match self.prepare(broker, incoming, question) {
            Ok(()) => {}
            Err(error) => {
                self.batch.truncate(records);
                self.unique_keys.truncate(keys);
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
        check_open(broker)?;
        check_body(broker, incoming.frame.body)?;
        self.find_target(broker, &header, incoming)?;
        let Some(target) = self.target.as_mut() else {
            return Err(ResponseError::system("the topic was lost between two steps"));
        };
        check_permission(broker, &target.config)?;
        let queue_id = check_queue(&header, &target.config)?;
        if header.batch == Some(true) {
            return self.prepare_batch(broker, incoming, question, &header, queue_id);
        }
        let first = self.batch.len();
        let (waits, kind) = self.prepare_single(broker, incoming, &header, queue_id)?;
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
        });
        self.note_unique_key();
        Ok(())
    }

    /// True for the one send that made its topic.
    fn made_topic(&mut self) -> bool {
        self.target.as_mut().is_some_and(|target| std::mem::take(&mut target.is_new))
    }

    /// Moves the unique key that [`Self::prepare_single`] left at the end of the keys into the last pending send.
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

    /// Encodes a single message. True when its answer waits for the disk.
    fn prepare_single(
        &mut self,
        broker: &Arc<Broker>,
        incoming: &Incoming<'_>,
        header: &SendMessageRequestHeader<'_>,
        queue_id: QueueId,
    ) -> Result<(bool, Kind), ResponseError> {
        let given = header.properties.as_deref().unwrap_or_default();
        let seen = SeenProperties::scan(given);
        // What clients before 4.6.1 try again keeps the mark of its transaction (RocketMQ 5.5.0).
        let is_half = seen.is_transaction && !(header.reconsume_times.unwrap_or(0) > 0 && seen.delay_level > 0);
        if is_half && broker.settings.read().broker.reject_transaction_message {
            return Err(response_error::no_permission(format!(
                "the broker[{}] sending transaction message is forbidden",
                broker.settings.read().broker.broker_ip1
            )));
        }
        seen.check_light_queues(broker)?;
        let slot_ms = slot_of(broker, &seen, question_draw(incoming, header))?;
        let plain = if seen.has_pop_check_point { Properties(given).without(property::POP_CK) } else { given.into() };
        let mut delay_level = seen.delay_level;
        let mut reconsume_times = header.reconsume_times.unwrap_or(0);
        let mut topic = header.topic.as_ref();
        let mut queue = None;
        let mut queue_id = queue_id;
        let dead_letter;
        let mut is_dead = false;
        if topic.starts_with(RETRY_TOPIC_PREFIX) {
            let given_up = retry::is_given_up_by_send(broker, header, incoming.header.version >= version::V3_4_9)?;
            if let Some(dlq) = given_up {
                dead_letter = dlq;
                topic = dead_letter.as_str();
                queue_id = QueueId(0);
                queue = Some(broker.store.queue(&dead_letter, queue_id));
                delay_level = 0;
                is_dead = true;
            }
            reconsume_times = reconsume_times.max(0);
        }
        self.properties.clear();
        self.properties.extend_from_slice(plain.as_bytes());
        if is_dead {
            retry::append_dead_letter_origin(&mut self.properties, Properties(given));
        }
        let start = self.unique_keys.len();
        match seen.unique_key {
            Some(key) => self.unique_keys.push_str(key),
            None => {
                let mut hex = Vec::with_capacity(64);
                broker.unique_ids.next(broker.clock.now_ms()).write_hex(&mut hex);
                self.unique_keys.push_str(&String::from_utf8_lossy(&hex));
                append(&mut self.properties, property::UNIQ_KEY, self.unique_keys.get(start..).unwrap_or_default());
            }
        }
        let settings = broker.settings.read();
        append(&mut self.properties, property::MSG_REGION, &settings.broker.region_id);
        append(&mut self.properties, property::TRACE_ON, if settings.broker.trace_on { "true" } else { "false" });
        append(&mut self.properties, property::CLUSTER, broker.identity.cluster.as_str());
        // The delay of a half message begins when it is committed.
        let delayed =
            (delay_level > 0 && !is_half).then(|| schedule::delay_target(delay_level, broker.schedule.levels()));
        if let Some(target) = &delayed {
            let level = target.queue_id.to_wire() + 1;
            if level != delay_level {
                // A level past the last is stored as the last: of two entries the later counts.
                append(&mut self.properties, property::DELAY, &level.to_string());
            }
            schedule::append_real_destination(&mut self.properties, topic, queue_id);
            queue = Some(broker.store.queue(&target.topic, target.queue_id));
        }
        if let Some(slot_ms) = slot_ms.filter(|_| !is_dead) {
            append(&mut self.properties, property::TIMER_OUT_MS, &slot_ms.to_string());
            schedule::append_real_destination(&mut self.properties, topic, queue_id);
            if !topic.starts_with(RETRY_TOPIC_PREFIX) {
                let unique_key = self.unique_keys.get(start..).unwrap_or_default();
                self.recall_handle = Some(handle::encode(topic, broker.identity.name.as_str(), slot_ms, unique_key));
            }
            (topic, queue_id) = (WHEEL_TOPIC, WHEEL_QUEUE);
            queue = broker.timer.as_ref().map(|timer| timer.queue(&broker.store));
        }
        let mut kind = Kind::Message;
        if is_half {
            let unique_key = self.unique_keys.get(start..).unwrap_or_default();
            transaction::append_half_destination(&mut self.properties, unique_key, topic, queue_id);
            kind = Kind::Half(broker.transactions.counts.of(topic));
            (topic, queue_id) = (HALF_TOPIC, transaction::QUEUE);
            queue = Some(transaction::queue(&broker.store, HALF_TOPIC));
        }
        check_properties(self.properties.len())?;
        let destination = match (&delayed, queue) {
            (Some(target), Some(queue)) => {
                Destination { topic: target.topic.as_str(), queue, queue_id: target.queue_id }
            }
            (_, Some(queue)) => Destination { topic, queue, queue_id },
            (_, None) => Destination { topic, queue: self.target_queue(broker, queue_id)?, queue_id },
        };
        let mut sys_flag = SysFlag(header.sys_flag);
        if self.target.as_ref().is_some_and(|target| target.config.topic_filter_type == TopicFilterType::MultiTag) {
            sys_flag = sys_flag.with(SysFlag::MULTI_TAGS);
        }
        let fields = RecordFields {
            topic: destination.topic,
            queue_id: destination.queue_id,
            flag: header.flag,
            sys_flag: sys_flag.with_transaction(Transaction::None),
            born_timestamp: header.born_timestamp,
            born_host: incoming.connection.peer(),
            store_host: broker.identity.address,
            reconsume_times,
            prepared_transaction_offset: 0,
            body: incoming.frame.body,
            properties: &self.properties,
        };
        self.batch.push(&destination.queue, &fields).map_err(response_error::from_encode)?;
        Ok((broker.waits_for_flush() && seen.waits, kind))
    }

    /// Ends a transaction: at once, or with the sends of this read when its message has to be stored.
    pub(crate) fn end_transaction(&mut self, broker: &Arc<Broker>, incoming: &Incoming<'_>, out: &mut Outbox) {
        let question = Question::of(incoming);
        let first = self.batch.len();
        let ended = EndTransactionRequestHeader::decode(&incoming.header.fields)
            .map_err(ResponseError::from)
            .and_then(|header| transaction::end(broker, &header, &mut self.batch, &mut self.properties));
        match ended {
            Ok(End::Committed { ending, count, waits }) => {
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
                    kind: Kind::End(count),
                });
            }
            Ok(End::RolledBack) => Response::success().write(&question, out),
            Ok(End::Again) => {
                let remark = "the transaction had ended before; nothing was changed";
                Response::with_code(ResponseCode::SUCCESS, remark).write(&question, out);
            }
            Ok(End::Unknown) => {}
            Err(error) => Response::from(error).write(&question, out),
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

    /// Encodes every message of a batch body; they get consecutive offsets of one queue.
    fn prepare_batch(
        &mut self,
        broker: &Arc<Broker>,
        incoming: &Incoming<'_>,
        question: Question,
        header: &SendMessageRequestHeader<'_>,
        queue_id: QueueId,
    ) -> Result<(), ResponseError> {
        if header.topic.len() > boostermq_remoting::names::TOPIC_MAX_LENGTH {
            return Err(response_error::message_illegal(format!(
                "message topic length too long {}",
                header.topic.len()
            )));
        }
        if header.topic.starts_with(RETRY_TOPIC_PREFIX) {
            return Err(response_error::message_illegal("batch request does not support retry group".to_owned()));
        }
        let given = SeenProperties::scan(header.properties.as_deref().unwrap_or_default());
        let queue = self.target_queue(broker, queue_id)?;
        let first = self.batch.len();
        let mut waits = given.waits;
        for entry in BatchEntries::new(incoming.frame.body) {
            let entry = entry.map_err(|error| response_error::message_illegal(error.to_string()))?;
            let seen = SeenProperties::scan(entry.properties.as_str());
            if seen.delay_level > 0 || seen.is_timer || seen.is_transaction {
                return Err(response_error::message_illegal(
                    "the messages of a batch can be neither delayed nor part of a transaction".to_owned(),
                ));
            }
            seen.check_light_queues(broker)?;
            waits &= seen.waits;
            check_properties(entry.properties.as_str().len())?;
            let fields = RecordFields {
                topic: &header.topic,
                queue_id,
                flag: entry.flag,
                sys_flag: SysFlag(header.sys_flag).with_transaction(Transaction::None),
                born_timestamp: header.born_timestamp,
                born_host: incoming.connection.peer(),
                store_host: broker.identity.address,
                reconsume_times: header.reconsume_times.unwrap_or(0),
                prepared_transaction_offset: 0,
                body: entry.body,
                properties: entry.properties.as_str().as_bytes(),
            };
            self.batch.push(&queue, &fields).map_err(response_error::from_encode)?;
        }
        let count = self.batch.len() - first;
        if count == 0 {
            return Err(response_error::message_illegal("the batch holds no message".to_owned()));
        }
        self.unique_keys.push_str(given.unique_key.unwrap_or_default());
        let waits = waits && broker.waits_for_flush();
        let registers = self.made_topic();
        self.pending.push(PendingSend {
            question,
            first,
            count,
            queue_id: queue_id.0,
            unique_key: (0, 0),
            waits,
            recall_handle: None,
            registers,
            kind: Kind::Message,
        });
        self.note_unique_key();
        Ok(())
    }

    /// True when nothing waits to be appended.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Appends what was encoded, under one lock, and answers every send of it: now, or when the disk has it.
    pub(crate) fn append(&mut self, broker: &Arc<Broker>, connection: &Arc<Connection>, out: &mut Outbox) {
        if self.pending.is_empty() {
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
                let (mut waiting, mut unregistered) = (Vec::new(), Vec::new());
                for pending in &self.pending {
                    let receipts =
                        self.batch.receipts().get(pending.first..pending.first + pending.count).unwrap_or_default();
                    let key = self.unique_keys.get(pending.unique_key.0..pending.unique_key.1).unwrap_or_default();
                    let is_end = matches!(pending.kind, Kind::End(_));
                    let mut latency = Arc::default();
                    if let Some(queue) = self.batch.queue(pending.first) {
                        let puts = Puts::request(receipts, (!pending.waits && !is_end).then_some(took));
                        self.counters.stored(&broker.stats, queue, puts);
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
                        });
                    } else if is_end {
                        Response::success().write(&pending.question, out);
                    } else {
                        let answer = Answer {
                            queue_id: pending.queue_id,
                            unique_key: key,
                            receipts,
                            recall_handle: pending.recall_handle.as_deref(),
                        };
                        answer.write(broker, ResponseCode::SUCCESS, &pending.question, out);
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
            Err(error) => {
                broker.stats.refused(self.batch.len());
                broker.transactions.take_back(&self.endings);
                if let Some(ops) = ops {
                    broker.transactions.ops_refused(ops);
                }
                let error = response_error::from_append(error, &broker.store);
                for pending in &self.pending {
                    refuse(broker, error.clone(), &pending.question, out);
                }
            }
        }
        self.batch.clear();
        self.pending.clear();
        self.unique_keys.clear();
        self.endings.clear();
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
                Kind::End(count) => (count, -1),
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
        for stored in &stored {
            stored.answer().write(&broker, ResponseCode::SUCCESS, &stored.question, out);
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
            for stored in &waiting {
                if stored.is_end && code != ResponseCode::SERVICE_NOT_AVAILABLE {
                    Response::success().write(&stored.question, out);
                    continue;
                }
                if code == ResponseCode::SERVICE_NOT_AVAILABLE {
                    refuse(&broker_again, response_error::poisoned(), &stored.question, out);
                    continue;
                }
                stored.latency.add(millis(stored.begun.elapsed()), 1);
                stored.answer().write(&broker_again, code, &stored.question, out);
            }
        });
    };
    broker.store.when_flushed(end, deadline, Box::new(done));
}

/// The tick that a message waits for, if it asks for a time; a delay level counts before that. What a half message asks for
/// counts from its commit on, and is only looked at here.
fn slot_of(broker: &Broker, seen: &SeenProperties<'_>, draw: u64) -> Result<Option<i64>, ResponseError> {
    if seen.delay_level > 0 {
        return Ok(None);
    }
    Ok(due::slot(broker, &seen.wish, draw)?.filter(|_| !seen.is_transaction))
}

/// A number that is random enough to choose which sends are refused.
fn question_draw(incoming: &Incoming<'_>, header: &SendMessageRequestHeader<'_>) -> u64 {
    let seed = header.born_timestamp.cast_unsigned() << 32 ^ u64::from(incoming.header.opaque.cast_unsigned());
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// What the broker looks for in the properties of a message, found in one pass.
struct SeenProperties<'a> {
    unique_key: Option<&'a str>,
    delay_level: i32,
    waits: bool,
    is_transaction: bool,
    is_timer: bool,
    /// When the sender wants the message delivered.
    wish: Wish<'a>,
    has_pop_check_point: bool,
    /// The light queues it is to stand in, too.
    light_queues: Option<&'a str>,
}

impl<'a> SeenProperties<'a> {
    fn scan(properties: &'a str) -> Self {
        let mut seen = Self {
            unique_key: None,
            delay_level: 0,
            waits: true,
            is_transaction: false,
            is_timer: false,
            wish: Wish::default(),
            has_pop_check_point: false,
            light_queues: None,
        };
        for (name, value) in Properties(properties).iter() {
            match name {
                property::UNIQ_KEY => seen.unique_key = Some(value),
                property::WAIT => seen.waits = !value.eq_ignore_ascii_case("false"),
                property::DELAY => seen.delay_level = value.parse().unwrap_or(0),
                property::TRAN_MSG => seen.is_transaction = value.eq_ignore_ascii_case("true"),
                property::POP_CK => seen.has_pop_check_point = true,
                property::INNER_MULTI_DISPATCH => seen.light_queues = Some(value),
                _ => seen.wish.note(name, value),
            }
        }
        let wish = &seen.wish;
        seen.is_timer = wish.delay_sec.is_some() || wish.delay_ms.is_some() || wish.deliver_ms.is_some();
        seen
    }

    /// Looked at when the message comes, even if it gets into light queues later.
    fn check_light_queues(&self, broker: &Broker) -> Result<(), ResponseError> {
        let Some(list) = self.light_queues else { return Ok(()) };
        broker.store.check_light_queues(list).map_err(response_error::from_light_queues)
    }
}

#[cfg(test)]
mod light_tests;
#[cfg(test)]
mod tests;
