//! Batches: several messages in one body, which get consecutive offsets of one queue.

use std::sync::Arc;

use boostermq_remoting::message::batch::BatchEntries;
use boostermq_remoting::message::flags::{SysFlag, Transaction};
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{QueueId, RETRY_TOPIC_PREFIX, TOPIC_MAX_LENGTH};
use boostermq_remoting::net::server::Incoming;
use boostermq_remoting::request::send::SendMessageRequestHeader;
use boostermq_remoting::router::{Question, ResponseError};

use super::checks::check_properties;
use super::seen::SeenProperties;
use super::{Kind, PendingSend, SendSession};
use crate::broker::Broker;
use crate::response_error;

impl SendSession {
    /// Encodes every message of a batch body.
    pub(super) fn prepare_batch(
        &mut self,
        broker: &Arc<Broker>,
        incoming: &Incoming<'_>,
        question: Question,
        header: &SendMessageRequestHeader<'_>,
        queue_id: QueueId,
    ) -> Result<(), ResponseError> {
        if header.topic.len() > TOPIC_MAX_LENGTH {
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
            message: given.kind(),
        });
        self.note_unique_key();
        Ok(())
    }
}
