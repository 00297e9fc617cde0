//! Bodies about queues that the broker hands out, and the file `messageRequestMode.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{MessageModel, MessageQueue, lenient};

names! {
    /// How consumers get messages.
    #[derive(Default)]
    MessageRequestMode {
        /// They pull.
        #[default]
        Pull = "PULL",
        /// They pop.
        Pop = "POP",
    }
}

bodies! {
    /// Asks for a client's queues (400): upstream `QueryAssignmentRequestBody`.
    QueryAssignmentRequestBody {
        /// Who asks.
        client_id: String,
        /// For which group.
        consumer_group: String,
        /// Who gets a message.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        message_model: Option<MessageModel>,
        /// `AVG`, `AVG_BY_CIRCLE`.
        strategy_name: String,
        /// For which topic.
        topic: String,
    }

    /// One queue of a client: upstream `MessageQueueAssignment`.
    MessageQueueAssignment {
        /// Free for strategies.
        #[serde(skip_serializing_if = "Option::is_none")]
        attachments: Option<BTreeMap<String, String>>,
        /// The queue.
        message_queue: MessageQueue,
        /// How it is read.
        #[serde(deserialize_with = "lenient::named_or_default")]
        mode: MessageRequestMode,
    }

    /// A client's queues (400): upstream `QueryAssignmentResponseBody`.
    QueryAssignmentResponseBody {
        /// The queues; none at all makes the client give up what it has.
        message_queue_assignments: Vec<MessageQueueAssignment>,
    }

    /// Sets how a group reads a topic (401): upstream `SetMessageRequestModeRequestBody`; an entry of
    /// `messageRequestMode.json`.
    SetMessageRequestModeRequestBody {
        /// The group.
        consumer_group: String,
        /// How it reads.
        #[serde(deserialize_with = "lenient::named_or_default")]
        mode: MessageRequestMode,
        /// Consumers that share a queue by pop; below 1 all do.
        pop_share_queue_num: i32,
        /// The topic.
        topic: String,
    }

    /// How groups read topics: upstream `MessageRequestModeSerializeWrapper`; the file `messageRequestMode.json` and the
    /// answer to 402.
    MessageRequestModeSerializeWrapper {
        /// By topic and group.
        message_request_mode_map: BTreeMap<String, BTreeMap<String, SetMessageRequestModeRequestBody>>,
        /// Members that this version does not know.
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }
}
