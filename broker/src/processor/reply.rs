//! Replies of request-reply calls: handed to the client that asked, by its own connection, and kept in the reply topic.
//!
//! A reply goes to the broker that the request came from. The client that asked is a producer, known by its heartbeat.
//!
//! Upstream: `ReplyMessageProcessor` (RocketMQ 5.5.0).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::message::flags::{SysFlag, Transaction};
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::net::connection::Connection;
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::client::{PushReplyMessageToClient, ReplyMessageRequestHeader};
use boostermq_remoting::request::send::{
    SendMessageResponseHeader, SendReplyMessage, SendReplyMessageRequestHeader, SendReplyMessageV2,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use bytes::Bytes;

use super::send;
use crate::broker::Broker;
use crate::retry;

/// How long the client that asked may take to accept its reply (RocketMQ 5.5.0).
const PATIENCE: Duration = Duration::from_secs(10);

/// A reply on its way.
struct Reply<'a> {
    header: &'a SendReplyMessageRequestHeader,
    topic: Topic,
    queue_id: QueueId,
    body: Bytes,
    /// The client that answered.
    sender: &'a Connection,
}

/// 324: a reply, in long field names.
pub(crate) async fn send_reply(broker: Arc<Broker>, request: Request<SendReplyMessage>) -> Handled {
    accept(&broker, &request.header, request.body, &request.connection).await
}

/// 325: a reply, in one-letter field names.
pub(crate) async fn send_reply_v2(broker: Arc<Broker>, request: Request<SendReplyMessageV2>) -> Handled {
    accept(&broker, &request.header, request.body, &request.connection).await
}

async fn accept(
    broker: &Arc<Broker>,
    header: &SendReplyMessageRequestHeader,
    body: Bytes,
    sender: &Connection,
) -> Handled {
    let (region, trace_on, is_kept) = {
        let settings = broker.settings.read();
        (settings.broker.region_id.clone(), settings.broker.trace_on, settings.broker.store_reply_message_enable)
    };
    let stamps = [("MSG_REGION", region), ("TRACE_ON", trace_on.to_string())];
    let stamped = |mut error: ResponseError| {
        error.fields.extend(stamps.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())));
        error
    };
    let reply = check(broker, header, body, sender).map_err(stamped)?;
    let pushed = push(broker, &reply).await;
    let mut answer = SendMessageResponseHeader {
        msg_id: "0".to_owned(),
        queue_id: reply.queue_id.to_wire(),
        queue_offset: 0,
        transaction_id: None,
        batch_uniq_id: None,
        recall_handle: None,
        msg_region: None,
        trace_on: None,
    };
    if is_kept {
        match keep(broker, &reply).await {
            Ok((message_id, queue_offset)) => (answer.msg_id, answer.queue_offset) = (message_id, queue_offset),
            // The client that asked has its reply; only the copy is missing.
            Err(error) => tracing::warn!(topic = %reply.topic, %error, "a reply could not be kept in its topic"),
        }
    }
    let response = match pushed {
        Ok(()) => Response::success(),
        Err(remark) => Response::with_code(ResponseCode::SYSTEM_ERROR, remark),
    };
    let [(region, region_value), (trace, trace_value)] = stamps;
    Ok(response.header(&answer).field(region, region_value).field(trace, trace_value))
}

/// The checks of every send.
fn check<'a>(
    broker: &Broker,
    header: &'a SendReplyMessageRequestHeader,
    body: Bytes,
    sender: &'a Connection,
) -> Result<Reply<'a>, ResponseError> {
    let settings = broker.settings.read();
    send::check_open(broker, &settings.broker)?;
    send::check_body(broker, &body)?;
    send::check_properties(header.properties.as_deref().unwrap_or_default().len())?;
    let as_send = header.as_send();
    let (topic, config, _) = send::topic_to_send(broker, &as_send, sender.peer())?;
    send::check_permission(&settings.broker, &config)?;
    let queue_id = send::check_queue(&as_send, &config)?;
    Ok(Reply { header, topic, queue_id, body, sender })
}

/// Hands the reply to the client that asked. What failed, in upstream's words.
async fn push(broker: &Broker, reply: &Reply<'_>) -> Result<(), String> {
    let given = reply.header.properties.as_deref().unwrap_or_default();
    let Some(client_id) = Properties(given).get(property::REPLY_TO_CLIENT) else {
        tracing::warn!(from = %reply.sender.peer(), "a reply names nobody whom it is for");
        return Err(format!("reply message properties[{}] is null", property::REPLY_TO_CLIENT));
    };
    let Some(connection) = broker.producers.client(client_id) else {
        tracing::warn!(client_id, "a reply is for a client that is not connected to this broker");
        return Err(format!("push reply message fail, channel of <{client_id}> not found."));
    };
    let now_ms = broker.clock.now_ms();
    let mut properties = given.as_bytes().to_vec();
    append(&mut properties, property::PUSH_REPLY_TIME, &now_ms.to_string());
    let header = ReplyMessageRequestHeader {
        producer_group: reply.header.producer_group.clone(),
        topic: reply.topic.to_string(),
        default_topic: reply.header.default_topic.clone().unwrap_or_default(),
        default_topic_queue_nums: reply.header.default_topic_queue_nums.unwrap_or_default(),
        queue_id: reply.header.queue_id,
        sys_flag: reply.header.sys_flag,
        born_timestamp: reply.header.born_timestamp,
        flag: reply.header.flag,
        properties: Some(String::from_utf8_lossy(&properties).into_owned()),
        reconsume_times: reply.header.reconsume_times,
        unit_mode: reply.header.unit_mode,
        born_host: reply.sender.peer().to_string(),
        store_host: broker.identity.address.to_string(),
        store_timestamp: now_ms,
    };
    let question = RemotingCommand::request(PushReplyMessageToClient::ROW.code, &header, reply.body.clone());
    match connection.invoke(question, PATIENCE).await {
        Ok(answer) if answer.response_code() == ResponseCode::SUCCESS => Ok(()),
        Ok(answer) => {
            let remark = answer.remark.unwrap_or_default();
            Err(format!("push reply message to {client_id} fail. {remark}"))
        }
        Err(error) => Err(format!("push reply message to {client_id} fail. {error}")),
    }
}

/// Keeps the reply in its topic. Its offset message id and its offset in its queue.
async fn keep(broker: &Arc<Broker>, reply: &Reply<'_>) -> Result<(String, i64), ResponseError> {
    let queue = broker.store.queue(&reply.topic, reply.queue_id);
    let fields = RecordFields {
        topic: reply.topic.as_str(),
        queue_id: reply.queue_id,
        flag: reply.header.flag,
        sys_flag: SysFlag(reply.header.sys_flag).with_transaction(Transaction::None),
        born_timestamp: reply.header.born_timestamp,
        born_host: reply.sender.peer(),
        store_host: broker.identity.address,
        reconsume_times: reply.header.reconsume_times.unwrap_or(0),
        prepared_transaction_offset: 0,
        body: &reply.body,
        properties: reply.header.properties.as_deref().unwrap_or_default().as_bytes(),
    };
    let receipt = retry::append(broker, &queue, &fields, true).await?;
    let id = OffsetMessageId { store_host: broker.identity.address, physical_offset: receipt.physical_offset };
    Ok((id.to_string(), receipt.queue_offset.0))
}

#[cfg(test)]
mod tests;
