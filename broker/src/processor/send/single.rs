//! Single messages: where each really goes, and the record that is made of it.

use std::sync::Arc;

use boostermq_remoting::body::TopicFilterType;
use boostermq_remoting::code::version;
use boostermq_remoting::message::flags::{SysFlag, Transaction};
use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{QueueId, RETRY_TOPIC_PREFIX};
use boostermq_remoting::net::server::Incoming;
use boostermq_remoting::request::send::SendMessageRequestHeader;
use boostermq_remoting::router::ResponseError;
use boostermq_store::consume_queue::ConsumeQueue;
use boostermq_store::timer::{WHEEL_QUEUE, WHEEL_TOPIC};

use super::checks::check_properties;
use super::seen::SeenProperties;
use super::{Kind, SendSession};
use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::metrics::MessageKind;
use crate::schedule::{self, SCHEDULE_TOPIC};
use crate::timer::{due, handle};
use crate::transaction::{self, HALF_TOPIC};
use crate::{response_error, retry};

/// Where a message goes.
struct Destination<'a> {
    topic: &'a str,
    queue_id: QueueId,
    /// `None`: the queue of the topic that it was sent to.
    queue: Option<Arc<ConsumeQueue>>,
}

impl SendSession {
    /// Encodes a single message. Whether its answer waits for the disk, and what it is.
    pub(super) fn prepare_single(
        &mut self,
        broker: &Arc<Broker>,
        settings: &BrokerConfig,
        incoming: &Incoming<'_>,
        header: &SendMessageRequestHeader<'_>,
        queue_id: QueueId,
    ) -> Result<(bool, Kind, MessageKind), ResponseError> {
        let given = header.properties.as_deref().unwrap_or_default();
        let seen = SeenProperties::scan(given);
        let mut reconsume_times = header.reconsume_times.unwrap_or(0);
        let is_half = seen.is_half(reconsume_times);
        if is_half && settings.reject_transaction_message {
            return Err(response_error::no_permission(format!(
                "the broker[{}] sending transaction message is forbidden",
                settings.broker_ip1
            )));
        }
        seen.check_light_queues(broker)?;
        let slot_ms = slot_of(broker, &seen, question_draw(incoming, header))?;
        let plain = if seen.has_pop_check_point { Properties(given).without(property::POP_CK) } else { given.into() };
        let mut to = Destination { topic: header.topic.as_ref(), queue_id, queue: None };
        let mut dead_letter = None;
        if to.topic.starts_with(RETRY_TOPIC_PREFIX) {
            dead_letter = retry::is_given_up_by_send(broker, header, incoming.header.version >= version::V3_4_9)?;
            reconsume_times = reconsume_times.max(0);
        }
        self.properties.clear();
        self.properties.extend_from_slice(plain.as_bytes());
        if let Some(topic) = &dead_letter {
            retry::append_dead_letter_origin(&mut self.properties, Properties(given));
            let queue = broker.store.queue(topic, QueueId(0));
            to = Destination { topic: topic.as_str(), queue_id: QueueId(0), queue: Some(queue) };
        }
        let key_at = self.unique_keys.len();
        self.keep_unique_key(broker, seen.unique_key);
        append(&mut self.properties, property::MSG_REGION, &settings.region_id);
        append(&mut self.properties, property::TRACE_ON, if settings.trace_on { "true" } else { "false" });
        append(&mut self.properties, property::CLUSTER, broker.identity.cluster.as_str());
        // What is given up waits for nothing more, and the delay of a half message begins when it is committed.
        if dead_letter.is_none() {
            if seen.delay_level > 0 && !is_half {
                to = self.delayed_by_level(broker, seen.delay_level, &to);
            }
            if let Some(slot_ms) = slot_ms {
                to = self.put_into_wheel(broker, slot_ms, key_at, &to);
            }
        }
        let mut kind = Kind::Message;
        if is_half {
            kind = Kind::Half(broker.transactions.counts.of(to.topic));
            to = self.kept_as_half(broker, key_at, &to);
        }
        check_properties(self.properties.len())?;
        let queue = match to.queue {
            Some(queue) => queue,
            None => self.target_queue(broker, to.queue_id)?,
        };
        let mut sys_flag = SysFlag(header.sys_flag);
        if self.target.as_ref().is_some_and(|target| target.config.topic_filter_type == TopicFilterType::MultiTag) {
            sys_flag = sys_flag.with(SysFlag::MULTI_TAGS);
        }
        let fields = RecordFields {
            topic: to.topic,
            queue_id: to.queue_id,
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
        self.batch.push(&queue, &fields).map_err(response_error::from_encode)?;
        if dead_letter.is_some()
            && let Some(metrics) = &broker.metrics
        {
            metrics.gave_up(&header.producer_group, &header.topic);
        }
        Ok((broker.waits_for_flush() && seen.waits, kind, seen.kind()))
    }

    /// Puts the message's unique key at the end of the keys; one that has none gets one.
    fn keep_unique_key(&mut self, broker: &Broker, given: Option<&str>) {
        let start = self.unique_keys.len();
        match given {
            Some(key) => self.unique_keys.push_str(key),
            None => {
                let mut hex = Vec::with_capacity(64);
                broker.unique_ids.next(broker.clock.now_ms()).write_hex(&mut hex);
                self.unique_keys.push_str(&String::from_utf8_lossy(&hex));
                append(&mut self.properties, property::UNIQ_KEY, self.unique_keys.get(start..).unwrap_or_default());
            }
        }
    }

    /// Sends it through the queue of a delay level.
    fn delayed_by_level(&mut self, broker: &Broker, given: i32, to: &Destination<'_>) -> Destination<'static> {
        let target = schedule::delay_target(given, broker.schedule.levels());
        let level = target.queue_id.to_wire() + 1;
        if level != given {
            // A level past the last is stored as the last: of two entries the later counts.
            append(&mut self.properties, property::DELAY, &level.to_string());
        }
        schedule::append_real_destination(&mut self.properties, to.topic, to.queue_id);
        let queue = broker.store.queue(&target.topic, target.queue_id);
        Destination { topic: SCHEDULE_TOPIC, queue_id: target.queue_id, queue: Some(queue) }
    }

    /// Sends it through the wheel of the timer, at the tick `slot_ms`. What is tried again cannot be called back.
    fn put_into_wheel(
        &mut self,
        broker: &Broker,
        slot_ms: i64,
        key_at: usize,
        to: &Destination<'_>,
    ) -> Destination<'static> {
        append(&mut self.properties, property::TIMER_OUT_MS, &slot_ms.to_string());
        schedule::append_real_destination(&mut self.properties, to.topic, to.queue_id);
        if !to.topic.starts_with(RETRY_TOPIC_PREFIX) {
            let unique_key = self.unique_keys.get(key_at..).unwrap_or_default();
            self.recall_handle = Some(handle::encode(to.topic, broker.identity.name.as_str(), slot_ms, unique_key));
        }
        let queue = broker.timer.as_ref().map(|timer| timer.queue(&broker.store));
        Destination { topic: WHEEL_TOPIC, queue_id: WHEEL_QUEUE, queue }
    }

    /// Keeps it among the half messages until its transaction ends.
    fn kept_as_half(&mut self, broker: &Broker, key_at: usize, to: &Destination<'_>) -> Destination<'static> {
        let unique_key = self.unique_keys.get(key_at..).unwrap_or_default();
        transaction::append_half_destination(&mut self.properties, unique_key, to.topic, to.queue_id);
        let queue = transaction::queue(&broker.store, HALF_TOPIC);
        Destination { topic: HALF_TOPIC, queue_id: transaction::QUEUE, queue: Some(queue) }
    }
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
