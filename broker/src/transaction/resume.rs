//! Puts a half message that was given up back among those that are asked about (323).
//!
//! Upstream: `AdminBrokerProcessor.resumeCheckHalfMessage` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{Record, RecordFields};
use boostermq_remoting::request::transaction::ResumeCheckHalfMessage;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::AppendBatch;

use super::half::copy_properties;
use super::{GIVEN_UP_TOPIC, HALF_TOPIC, HalfProperties, QUEUE, queue};
use crate::broker::Broker;
use crate::response_error;

/// Stores the message again as a half message that nobody was asked about.
pub(crate) fn resume_check(broker: &Arc<Broker>, request: Request<ResumeCheckHalfMessage>) -> Handled {
    let text = request.header.msg_id.unwrap_or_default();
    let refused = |why: String| ResponseError::system(format!("Put message back to {HALF_TOPIC} failed: {why}"));
    let id: OffsetMessageId =
        text.parse().map_err(|error| refused(format!("msgId {text:?} is no offset message id: {error}")))?;
    let stored = broker.store.record_at(id.physical_offset);
    let stored = stored.ok_or_else(|| refused(format!("no message begins at offset {}", id.physical_offset)))?;
    let record = Record::parse(&stored).map_err(|error| refused(error.to_string()))?;
    if ![GIVEN_UP_TOPIC, HALF_TOPIC].contains(&record.topic()) {
        return Err(refused(format!("{text} is no half message but one of topic {}", record.topic())));
    }
    let half = HalfProperties::of(&record);
    half.destination().map_err(|problem| refused(problem.to_owned()))?;
    let mut properties = Vec::new();
    copy_properties(&record, &[property::TRANSACTION_CHECK_TIMES], &mut properties);
    append(&mut properties, property::TRANSACTION_CHECK_TIMES, "0");
    let mut batch = AppendBatch::new();
    let fields = RecordFields { topic: HALF_TOPIC, queue_id: QUEUE, properties: &properties, ..record.to_fields() };
    batch.push(&queue(&broker.store, HALF_TOPIC), &fields).map_err(response_error::from_encode)?;
    broker.store.append(&mut batch).map_err(|error| response_error::from_append(error, &broker.store))?;
    broker.transactions.halves_stored(batch.receipts().iter());
    broker.store.dispatch_now();
    tracing::info!(id = text, group = half.group, topic = half.real_topic, "a half message is asked about again");
    Ok(Response::success())
}
