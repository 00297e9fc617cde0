//! Transactions: how they end.
//!
//! The broker's question is [`CheckTransactionState`](super::client::CheckTransactionState). Codes and fields:
//! RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::Group;
use crate::offsets::{PhysicalOffset, QueueOffset};

crate::header! {
    /// Header of an end: upstream `EndTransactionRequestHeader`.
    EndTransactionRequestHeader {
        /// Topic of the message; the Go client leaves it out.
        topic: Option<String> = "topic",
        /// The producer's group.
        producer_group: Group = "producerGroup",
        /// Offset of the half message in its queue.
        tran_state_table_offset: QueueOffset = "tranStateTableOffset",
        /// Where the half message stands in the commit log.
        commit_log_offset: PhysicalOffset = "commitLogOffset",
        /// Bits of the record's sysFlag: 0 unknown, 8 commit, 12 roll back.
        commit_or_rollback: i32 = "commitOrRollback",
        /// Answers a question of the broker.
        from_transaction_check: Option<bool> = "fromTransactionCheck",
        /// The message's `UNIQ_KEY`.
        msg_id: String = "msgId",
        /// The same, or the client's own.
        transaction_id: Option<String> = "transactionId",
    }

    /// Header: upstream `ResumeCheckHalfMessageRequestHeader`.
    ResumeCheckHalfMessageRequestHeader {
        /// Topic of the message.
        topic: Option<String> = "topic",
        /// Offset id of the half message.
        msg_id: Option<String> = "msgId",
    }
}

requests! {
    /// Commits or rolls back a half message.
    EndTransaction = 37 "END_TRANSACTION", Waiting, Permission::Topic("topic", Action::Pub),
        EndTransactionRequestHeader => NoHeader;
    /// Puts a half message back to be asked about again.
    ResumeCheckHalfMessage = 323 "RESUME_CHECK_HALF_MESSAGE", Blocking, Permission::Topic("topic", Action::Update),
        ResumeCheckHalfMessageRequestHeader => NoHeader;
}
