//! Requests of an operator that the client of a consumer answers: how it does (307), one message to be consumed at
//! once (309), and how far consumers are (223). They are passed on by the client's own connection. The client's answer
//! is passed back unread, but for the last: that is gathered from all members of the group.
//!
//! Upstream: `AdminBrokerProcessor.callConsumer`, `Broker2Client` (RocketMQ 5.5.0).

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use boostermq_remoting::body::GetConsumerStatusBody;
use boostermq_remoting::code::{RequestCode, ResponseCode, version};
use boostermq_remoting::command::{OwnedFields, RemotingCommand};
use boostermq_remoting::fastjson;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::names::Group;
use boostermq_remoting::net::connection::InvokeError;
use boostermq_remoting::request::client::{
    ConsumeMessageDirectly, GetConsumerRunningInfo, GetConsumerStatusFromClient,
};
use boostermq_remoting::request::offset::{GetConsumerStatusRequestHeader, InvokeBrokerToGetConsumerStatus};
use boostermq_remoting::request::{NoHeader, RequestKind};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use bytes::Bytes;

use crate::broker::Broker;
use crate::response_error;

/// How long a client may take (RocketMQ 5.5.0).
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client may take to tell its offsets (RocketMQ 5.5.0).
const STATUS_PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that the clients' answers to one question may have together: half a frame.
const STATUS_BYTES_MAX: usize = 8 << 20;

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

/// 223: the offsets that the consumers of a group hold for a topic; of one of them when it is named. Who does not answer
/// is left out, as upstream leaves it out.
pub(crate) async fn consumer_status(broker: Arc<Broker>, request: Request<InvokeBrokerToGetConsumerStatus>) -> Handled {
    let header = &request.header;
    let group = &header.group;
    let mut members = broker.consumers.find(group.as_str()).map(|group| group.members()).unwrap_or_default();
    if members.is_empty() {
        return Err(ResponseError::system(format!("No Any Consumer online in the consumer group: [{group}]")));
    }
    if let Some(old) = members.iter().find(|member| member.version < version::V3_0_7_SNAPSHOT) {
        let remark = format!("the client does not support this feature. version={}", old.version);
        return Err(ResponseError::system(remark));
    }
    if let Some(wanted) = header.client_addr.as_deref().filter(|wanted| !wanted.trim().is_empty()) {
        members.retain(|member| member.client_id.as_str() == wanted);
    }
    let question = RemotingCommand::request(
        GetConsumerStatusFromClient::ROW.code,
        &GetConsumerStatusRequestHeader { topic: header.topic.clone(), group: group.clone(), client_addr: None },
        Bytes::new(),
    );
    // All are asked at once, so that one who is silent delays nobody.
    let asked = members.into_iter().map(|member| {
        let question = question.clone();
        async move {
            let answer = member.connection.invoke(question, STATUS_PATIENCE).await;
            (member.client_id, answer)
        }
    });
    let mut body = GetConsumerStatusBody::default();
    let mut size = 0;
    for (client, answer) in all(asked).await {
        let read = match answer {
            Ok(answer) if answer.response_code() != ResponseCode::SUCCESS || answer.body.is_empty() => continue,
            Ok(answer) => {
                size += answer.body.len();
                if size > STATUS_BYTES_MAX {
                    tracing::warn!(%group, %client, "the offsets that consumers hold are too many for one answer");
                    break;
                }
                fastjson::from_slice::<GetConsumerStatusBody>(&answer.body).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(status) => {
                body.consumer_table.insert(client.to_string(), status.message_queue_table);
            }
            Err(error) => tracing::warn!(%group, %client, %error, "a consumer does not tell its offsets"),
        }
    }
    Response::success().json(&body)
}

/// Waits for all futures together; their results in order.
async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, result) in &mut open {
            if result.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *result = Some(ready);
            }
        }
        if open.iter().any(|(_, result)| result.is_none()) {
            return Poll::Pending;
        }
        Poll::Ready(open.drain(..).filter_map(|(_, result)| result).collect())
    })
    .await
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
