//! The answers to sends, written as bytes: the hot path.
//!
//! Fields: RocketMQ 5.5.0.

use std::sync::Arc;
use std::time::Instant;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::header::{FieldSink, HeaderHead};
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::router::{Question, Response, ResponseError};
use boostermq_store::AppendReceipt;

use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::stats::items::Item;

/// What the answer to one stored send says.
pub(super) struct Stored {
    pub(super) question: Question,
    pub(super) queue_id: u32,
    pub(super) unique_key: String,
    pub(super) receipts: Vec<AppendReceipt>,
    pub(super) recall_handle: Option<String>,
    pub(super) is_end: bool,
    /// When it was begun, and what its time is added to.
    pub(super) begun: Instant,
    pub(super) latency: Arc<Item>,
    /// When the request came, where that is measured.
    pub(super) came: Option<Instant>,
}

impl Stored {
    /// Counts the answer for Prometheus.
    pub(super) fn answered(&self, broker: &Broker, code: ResponseCode) {
        if let (Some(metrics), Some(came)) = (&broker.metrics, self.came) {
            metrics.answered(&self.question, code, false, came);
        }
    }

    pub(super) fn answer(&self) -> Answer<'_> {
        Answer {
            queue_id: self.queue_id,
            unique_key: &self.unique_key,
            receipts: &self.receipts,
            recall_handle: self.recall_handle.as_deref(),
        }
    }
}

/// The answer to a stored send.
pub(super) struct Answer<'a> {
    pub(super) queue_id: u32,
    pub(super) unique_key: &'a str,
    pub(super) receipts: &'a [AppendReceipt],
    pub(super) recall_handle: Option<&'a str>,
}

impl Answer<'_> {
    pub(super) fn write(
        &self,
        broker: &Broker,
        settings: &BrokerConfig,
        code: ResponseCode,
        question: &Question,
        out: &mut Outbox,
    ) {
        if question.one_way {
            return;
        }
        let mut head = HeaderHead::answer(code, question.opaque);
        if code == ResponseCode::FLUSH_DISK_TIMEOUT {
            head.remark = Some("FLUSH_DISK_TIMEOUT");
        }
        out.frame(question.codec, &head, |sink| self.fields(broker, settings, sink), [], 0);
    }

    fn fields(&self, broker: &Broker, settings: &BrokerConfig, sink: &mut FieldSink<'_>) {
        sink.integer("queueId", i64::from(self.queue_id));
        if !self.unique_key.is_empty() {
            sink.text("transactionId", self.unique_key);
        }
        let id_length = if broker.identity.address.is_ipv4() { 32 } else { 56 };
        let length = self.receipts.len() * (id_length + 1) - 1;
        sink.plain("msgId", length, |bytes| {
            for (at, receipt) in self.receipts.iter().enumerate() {
                if at > 0 {
                    bytes.push(b',');
                }
                let id =
                    OffsetMessageId { store_host: broker.identity.address, physical_offset: receipt.physical_offset };
                id.write_hex(bytes);
            }
        });
        sink.text("TRACE_ON", if settings.trace_on { "true" } else { "false" });
        sink.text("MSG_REGION", &settings.region_id);
        sink.integer("queueOffset", self.receipts.first().map_or(0, |receipt| receipt.queue_offset.0));
        if let Some(handle) = self.recall_handle {
            sink.text("recallHandle", handle);
        }
    }
}

/// Refuses a send; clients read region and trace switch from refusals too.
pub(super) fn refuse(broker: &Broker, error: ResponseError, question: &Question, out: &mut Outbox) {
    let settings = broker.settings.read();
    Response::from(error)
        .field("MSG_REGION", &settings.broker.region_id)
        .field("TRACE_ON", settings.broker.trace_on)
        .write(question, out);
}
