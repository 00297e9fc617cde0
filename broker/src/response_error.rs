//! The one map from errors to response codes and remarks.
//!
//! Codes: RocketMQ 5.5.0.

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::record::EncodeError;
use boostermq_remoting::names::NameError;
use boostermq_remoting::router::ResponseError;
use boostermq_store::MessageStore;
use boostermq_store::consume_queue::QueueError;
use boostermq_store::error::{AppendError, LightQueueError};

/// Who forbade a pull, as the ext field `forbiddenType` says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Forbidden {
    /// The whole broker.
    Broker = 1,
    /// The group.
    Group = 2,
    /// The topic.
    Topic = 3,
    /// Broadcasting in this group.
    Broadcast = 4,
    /// This topic in this group.
    Subscription = 5,
}

pub(crate) fn forbidden(by: Forbidden, remark: String) -> ResponseError {
    no_permission(remark).field("forbiddenType", by as i32)
}

pub(crate) fn no_permission(remark: String) -> ResponseError {
    ResponseError::new(ResponseCode::NO_PERMISSION, remark)
}

pub(crate) fn message_illegal(remark: String) -> ResponseError {
    ResponseError::new(ResponseCode::MESSAGE_ILLEGAL, remark)
}

pub(crate) fn invalid_parameter(remark: String) -> ResponseError {
    ResponseError::new(ResponseCode::INVALID_PARAMETER, remark)
}

pub(crate) fn invalid_name(error: NameError) -> ResponseError {
    invalid_parameter(error.to_string())
}

pub(crate) fn from_encode(error: EncodeError) -> ResponseError {
    message_illegal(format!("the message is illegal: {error}"))
}

/// Light queues that a message may not go into. The remark of a full broker begins as upstream's.
pub(crate) fn from_light_queues(error: LightQueueError) -> ResponseError {
    match error {
        LightQueueError::Name { .. } => message_illegal(format!("the message is illegal: {error}")),
        LightQueueError::TooMany { .. } => ResponseError::system(format!("[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]{error}")),
    }
}

/// A refused append: the store's state is upstream's 14, a record that cannot fit its 13, the rest its 1.
pub(crate) fn from_append(error: AppendError, store: &MessageStore) -> ResponseError {
    match error {
        AppendError::Closed
        | AppendError::Poisoned
        | AppendError::DiskFull
        | AppendError::NoRoom { .. }
        | AppendError::ReadOnly { .. }
        | AppendError::NotWritten { .. }
        | AppendError::Queues
        | AppendError::NotWriteable => ResponseError::new(
            ResponseCode::SERVICE_NOT_AVAILABLE,
            format!("service not available now. {error}; {}. {}", store.fullness(), store.disk_usage()),
        ),
        AppendError::Busy { .. } => ResponseError::new(
            ResponseCode::SYSTEM_BUSY,
            "[PC_SYNCHRONIZED]broker busy, start flow control for a while",
        ),
        AppendError::TooLarge { .. } => message_illegal(format!("the message is illegal: {error}")),
        AppendError::NewFile(_) | AppendError::NewFileLate { .. } => {
            ResponseError::system(format!("create mapped file failed, server is busy or broken: {error}"))
        }
    }
}

/// Filters of this kind are switched off.
pub(crate) fn filter_unsupported(kind: &str) -> ResponseError {
    ResponseError::system(format!("The broker does not support consumer to filter message by {kind}"))
}

/// A queue's files cannot be read or deleted.
pub(crate) fn from_queue(error: QueueError) -> ResponseError {
    ResponseError::system(error.to_string())
}

/// The disk failed under a message that waits for it.
pub(crate) fn poisoned() -> ResponseError {
    ResponseError::new(
        ResponseCode::SERVICE_NOT_AVAILABLE,
        format!("service not available now. {}", AppendError::Poisoned),
    )
}
