//! Requests of an operator that the client of a consumer answers: how it does (307), and one message to be consumed
//! at once (309). They are passed on by the client's own connection, and the client's answer is passed back unread.
//!
//! Upstream: `AdminBrokerProcessor.callConsumer`, `Broker2Client` (facts/protocol-client.md 4).

use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::code::{RequestCode, ResponseCode, version};
use boostermq_remoting::command::{OwnedFields, RemotingCommand};
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::names::Group;
use boostermq_remoting::net::connection::InvokeError;
use boostermq_remoting::request::client::{ConsumeMessageDirectly, GetConsumerRunningInfo};
use boostermq_remoting::request::{NoHeader, RequestKind};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use bytes::Bytes;

use crate::broker::Broker;
use crate::response_error;

/// How long a client may take (RocketMQ 5.5.0).
const PATIENCE: Duration = Duration::from_secs(10);

/// Fields that prove who the operator is: no client's business.
const CREDENTIALS: [&str; 3] = ["AccessKey", "SecurityToken", "Signature"];

/// 307: how a consumer does.
pub(crate) async fn running_info(broker: Arc<Broker>, request: Request<GetConsumerRunningInfo>) -> Handled {
    let (group, client_id) = (&request.header.consumer_group, request.header.client_id.as_str());
    ask(&broker, GetConsumerRunningInfo::ROW.code, group, client_id, request.fields, Bytes::new()).await
}

/// 309: makes a consumer consume one message, which the broker reads from its log.
pub(crate) async fn consume_directly(broker: Arc<Broker>, request: Request<ConsumeMessageDirectly>) -> Handled {
    let header = &request.header;
    let group = &header.consumer_group;
    let client_id = header.client_id.as_ref().map_or("", |client_id| client_id.as_str());
    let record = record(&broker, header.msg_id.as_deref())?;
    let mut fields = request.fields;
    let mut add = |name: &'static str, value: String| {
        fields.retain(|(key, _)| key != name);
        fields.push((name.into(), value));
    };
    add("brokerName", broker.identity.name.to_string());
    if let Some(config) = header.topic.as_deref().and_then(|topic| broker.topics.find(topic)) {
        add("topicSysFlag", config.topic_sys_flag.to_string());
    }
    if let Some(config) = broker.groups.find(group.as_str()) {
        add("groupSysFlag", config.group_sys_flag.to_string());
    }
    ask(&broker, ConsumeMessageDirectly::ROW.code, group, client_id, fields, record).await
}

/// The record of a message. A client gets no request without one: Go's would panic.
fn record(broker: &Broker, message_id: Option<&str>) -> Result<Bytes, ResponseError> {
    let text = message_id.unwrap_or_default();
    let id: OffsetMessageId = text.parse().map_err(|error| {
        response_error::invalid_parameter(format!("msgId {text:?} is no offset message id: {error}"))
    })?;
    broker.store.record_at(id.physical_offset).ok_or_else(|| {
        ResponseError::system(format!("no message begins at offset {}, which msgId {text} names", id.physical_offset))
    })
}

/// Asks one consumer and hands its answer back.
async fn ask(
    broker: &Broker,
    code: RequestCode,
    group: &Group,
    client_id: &str,
    mut fields: OwnedFields,
    body: Bytes,
) -> Handled {
    let member = broker.consumers.find(group.as_str()).and_then(|group| group.member(client_id));
    let Some(member) = member else {
        return Err(ResponseError::system(format!("The Consumer <{group}> <{client_id}> not online")));
    };
    if member.version < version::V3_1_8_SNAPSHOT {
        return Err(ResponseError::system(format!(
            "The Consumer <{client_id}> Version <{}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT",
            member.version
        )));
    }
    fields.retain(|(name, _)| !CREDENTIALS.contains(&name.as_ref()));
    let mut question = RemotingCommand::request(code, &NoHeader {}, body);
    question.fields = fields;
    let answer = member.connection.invoke(question, PATIENCE).await.map_err(|error| {
        let (code, word) = match error {
            InvokeError::TimedOut(..) => (ResponseCode::CONSUME_MSG_TIMEOUT, "Timeout"),
            InvokeError::Closed(_) | InvokeError::TooMany(_) => (ResponseCode::SYSTEM_ERROR, "Exception"),
        };
        ResponseError::new(code, format!("invoke consumer <{group}> <{client_id}> {word}: {error}"))
    })?;
    Ok(passed_back(answer))
}

/// A client's answer as the operator gets it; code, remark, fields and body stay.
fn passed_back(answer: RemotingCommand) -> Response {
    Response {
        code: answer.response_code(),
        remark: answer.remark.map(Into::into),
        fields: answer.fields,
        body: if answer.body.is_empty() { Vec::new() } else { vec![answer.body] },
    }
}

#[cfg(test)]
mod tests;
