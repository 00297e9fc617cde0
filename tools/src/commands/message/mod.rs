//! Commands about messages.

mod consume_message;
mod query_msg_by_id;
mod query_msg_by_key;
mod query_msg_by_unique_key;
mod send_message;

pub use consume_message::ConsumeMessage;
pub use query_msg_by_id::QueryMsgById;
pub use query_msg_by_key::QueryMsgByKey;
pub use query_msg_by_unique_key::QueryMsgByUniqueKey;
pub use send_message::SendMessage;
