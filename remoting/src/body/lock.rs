//! Bodies of queue locks (41, 42).

use super::MessageQueue;

bodies! {
    /// Asks for queues, so that one client alone consumes them: upstream `LockBatchRequestBody`.
    LockBatchRequestBody {
        /// Who asks.
        client_id: String,
        /// For which group.
        consumer_group: String,
        /// Which queues.
        mq_set: Vec<MessageQueue>,
        /// True keeps the lock on this broker even where replicas would be asked too.
        only_this_broker: bool,
    }

    /// The queues that the client holds now, spelled as it asked: upstream `LockBatchResponseBody`.
    LockBatchResponseBody {
        /// The queues.
        #[serde(rename = "lockOKMQSet")]
        lock_ok_mq_set: Vec<MessageQueue>,
    }

    /// Gives queues back: upstream `UnlockBatchRequestBody`.
    UnlockBatchRequestBody {
        /// Who held them.
        client_id: String,
        /// For which group.
        consumer_group: String,
        /// Which queues.
        mq_set: Vec<MessageQueue>,
        /// As in the lock.
        only_this_broker: bool,
    }
}
