//! Commands about messages.

mod check_msg_send_rt;
mod consume_message;
mod dump_compaction_log;
mod print_msg;
mod query_cq;
mod query_msg_by_id;
mod query_msg_by_key;
mod query_msg_by_offset;
mod query_msg_by_unique_key;
mod query_msg_trace_by_id;
mod send_message;

pub use check_msg_send_rt::CheckMsgSendRt;
pub use consume_message::ConsumeMessage;
pub use dump_compaction_log::DumpCompactionLog;
pub use print_msg::{PrintMsg, PrintMsgByQueue};
pub use query_cq::QueryCq;
pub use query_msg_by_id::QueryMsgById;
pub use query_msg_by_key::QueryMsgByKey;
pub use query_msg_by_offset::QueryMsgByOffset;
pub use query_msg_by_unique_key::QueryMsgByUniqueKey;
pub use query_msg_trace_by_id::QueryMsgTraceById;
pub use send_message::SendMessage;
