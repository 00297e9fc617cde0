//! Messages consumed in vain: whether they are tried again, after how long, or given up.
//!
//! Rules: RocketMQ 5.5.0.

use std::sync::Arc;
use std::time::Instant;

use boostermq_remoting::body::{SubscriptionGroupConfig, TopicConfig};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::properties::{Properties, append as append_property};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{Group, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::request::send::SendMessageRequestHeader;
use boostermq_remoting::router::ResponseError;
use boostermq_store::consume_queue::ConsumeQueue;
use boostermq_store::{AppendBatch, AppendReceipt, FlushOutcome};

use crate::broker::Broker;
use crate::response_error;

/// The first retry waits as long as this level says, the next ones a level more each.
const FIRST_RETRY_LEVEL: i32 = 3;

/// What becomes of a message that was sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is delivered again after this delay level.
    Again {
        /// The level.
        delay_level: i32,
    },
    /// It goes to the dead letters.
    DeadLetter,
}

/// Decides about a message that a consumer sent back.
pub(crate) const fn fate(reconsume_times: i32, max_reconsume_times: i32, delay_level: i32) -> Fate {
    if reconsume_times >= max_reconsume_times || delay_level < 0 {
        return Fate::DeadLetter;
    }
    let delay_level = if delay_level == 0 { FIRST_RETRY_LEVEL + reconsume_times } else { delay_level };
    Fate::Again { delay_level }
}

/// How often a message of the group may be consumed in vain: what the request says counts from clients that mean it.
pub(crate) fn max_reconsume_times(group: &SubscriptionGroupConfig, requested: Option<i32>, is_honoured: bool) -> i32 {
    requested.filter(|_| is_honoured).unwrap_or(group.retry_max_times)
}

/// Decides about an ordinary send to a retry topic, by which clients give back what they could not send back; the
/// dead-letter topic when the message is given up.
///
/// Orderly consumers give up by such a send with the count at its maximum, so a group that holds queue locks is given
/// up one earlier (RocketMQ 5.5.0).
pub(crate) fn is_given_up_by_send(
    broker: &Broker,
    header: &SendMessageRequestHeader<'_>,
    honours_request: bool,
) -> Result<Option<Topic>, ResponseError> {
    let name = header.topic.strip_prefix(RETRY_TOPIC_PREFIX).unwrap_or_default();
    let group = broker.find_or_create_group(name)?;
    let max = max_reconsume_times(&group, header.max_reconsume_times, honours_request);
    let count = header.reconsume_times.unwrap_or(0);
    let is_given_up = count > max || (count >= max && broker.locks.has_live_lock(name));
    if !is_given_up {
        return Ok(None);
    }
    let group = Group::parse(name).map_err(response_error::invalid_name)?;
    Ok(Some(dead_letter_topic(broker, &group)))
}

/// Ends the delay of a message that was given up by a send, and notes where it was first consumed from, as far as its
/// consumer said so.
pub(crate) fn append_dead_letter_origin(properties: &mut Vec<u8>, given: Properties<'_>) {
    append_property(properties, property::DELAY, "-1");
    for (note, origin) in [
        (property::DLQ_ORIGIN_TOPIC, property::RETRY_TOPIC),
        (property::DLQ_ORIGIN_MESSAGE_ID, property::ORIGIN_MESSAGE_ID),
    ] {
        if let Some(origin) = given.get(origin) {
            append_property(properties, note, origin);
        }
    }
}

/// The group's dead-letter topic, made when it is not there: one queue, to be read and written.
pub(crate) fn dead_letter_topic(broker: &Broker, group: &Group) -> Topic {
    let topic = Topic::dlq_of(group);
    broker.topics.create_retry_or_dlq(&topic, 1, TopicConfig::PERM_READ | TopicConfig::PERM_WRITE, false, 0);
    topic
}

/// Appends one record of the broker's own making, tells consumers, and waits for the disk when the broker does and
/// `waits` says so.
pub(crate) async fn append(
    broker: &Arc<Broker>,
    queue: &Arc<ConsumeQueue>,
    fields: &RecordFields<'_>,
    waits: bool,
) -> Result<AppendReceipt, ResponseError> {
    let mut batch = AppendBatch::new();
    batch.push(queue, fields).map_err(response_error::from_encode)?;
    let begun = Instant::now();
    let end = broker.store.append(&mut batch).map_err(|error| response_error::from_append(error, &broker.store))?;
    broker.stats.stored_by_broker(&batch, begun.elapsed());
    broker.store.dispatch_now();
    if waits && broker.waits_for_flush() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let deadline = Instant::now() + broker.limits.sync_flush;
        broker.store.when_flushed(
            end,
            deadline,
            Box::new(move |outcome| {
                // Nobody waits any more: then nobody need be told.
                let _ = sender.send(outcome);
            }),
        );
        match receiver.await {
            Ok(FlushOutcome::Flushed) => {}
            Ok(FlushOutcome::TimedOut) => {
                return Err(ResponseError::new(ResponseCode::SYSTEM_ERROR, "FLUSH_DISK_TIMEOUT"));
            }
            Ok(FlushOutcome::Failed) | Err(_) => return Err(response_error::poisoned()),
        }
    }
    batch.receipts().first().copied().ok_or_else(|| ResponseError::system("the store gave no receipt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_until_the_message_is_given_up() {
        for (count, max, level, expected) in [
            (0, 16, 0, Fate::Again { delay_level: 3 }),
            (5, 16, 0, Fate::Again { delay_level: 8 }),
            (5, 16, 1, Fate::Again { delay_level: 1 }),
            (16, 16, 0, Fate::DeadLetter),
            (2, 2, 1, Fate::DeadLetter),
            (0, 16, -1, Fate::DeadLetter),
            (0, 0, 0, Fate::DeadLetter),
        ] {
            assert_eq!(fate(count, max, level), expected, "{count} of {max} at level {level}");
        }
    }

    #[test]
    fn the_requests_maximum_counts_only_from_clients_that_mean_it() {
        let group = SubscriptionGroupConfig { retry_max_times: 5, ..SubscriptionGroupConfig::default() };
        assert_eq!(max_reconsume_times(&group, Some(2), true), 2);
        assert_eq!(max_reconsume_times(&group, Some(2), false), 5);
        assert_eq!(max_reconsume_times(&group, None, true), 5);
    }
}
