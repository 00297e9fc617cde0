//! `queryMsgByOffset`: shows the message at an offset of a queue.

use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;

use super::query_msg_by_id::{check_format, print};
use crate::command::{Session, commands};
use crate::consumer::{self, PullStatus, TOOLS_GROUP};
use crate::options::{Arguments, CommandOption};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("b", "brokerName", "Broker Name"),
    CommandOption::required("i", "queueId", "Queue Id"),
    CommandOption::required("o", "offset", "Queue Offset"),
    CommandOption::optional("f", "bodyFormat", "print message body by the specified format"),
    CommandOption::optional("r", "routeTopic", "the topic which is used to find route info"),
];

commands! {
    /// Shows a message by its place.
    QueryMsgByOffset = "queryMsgByOffset", "Query Message by offset.", OPTIONS, query;
}

async fn query(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (topic, broker) = (arguments.required("t")?, arguments.required("b")?);
    let queue_id = QueueId(arguments.number("i")?.unwrap_or_default());
    let offset = arguments.number("o")?.unwrap_or_default();
    check_format(arguments.text("f"))?;
    let route_topic = arguments.text("r").unwrap_or(topic);
    let queue = consumer::queue_by_route(&session.admin, topic, route_topic, broker, queue_id).await?;
    let pulled = consumer::pull(&session.admin, TOOLS_GROUP, &queue, QueueOffset(offset), 1).await?;
    match pulled.messages.first() {
        Some(message) if pulled.status == PullStatus::Found => print(session, message, arguments.has("f")).await,
        // Upstream says nothing at all.
        _ => {
            session.complain(&format_args!(
                "queryMsgByOffset: no message at offset {offset} of {queue}: {}, goes on at {}",
                pulled.status, pulled.next_offset
            ));
            Ok(())
        }
    }
}
