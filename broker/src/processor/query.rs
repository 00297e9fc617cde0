//! Messages found by key, by unique key, or by their place in the commit log.
//!
//! Upstream: `QueryMessageProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::request::query::{QueryMessage, QueryMessageResponseHeader, ViewMessageById};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::index::{IndexQuery, KeyKind};

use crate::broker::Broker;

pub(crate) fn query_message(broker: &Arc<Broker>, request: Request<QueryMessage>) -> Handled {
    let header = request.header;
    let is_unique = header.unique_key_query == Some(true);
    // Of a unique key clients get so many, whatever they ask for (RocketMQ 5.5.0).
    let wanted = if is_unique {
        broker.settings.read().store.default_query_max_num as usize
    } else {
        let most = broker.store.options().query_max_messages as usize;
        usize::try_from(header.max_num).unwrap_or(0).min(most)
    };
    let found = broker.store.query(&IndexQuery {
        topic: header.topic.as_str(),
        key: &header.key,
        kind: KeyKind::Key,
        max_messages: wanted,
        begin_timestamp: header.begin_timestamp,
        end_timestamp: header.end_timestamp,
    });
    let answer = QueryMessageResponseHeader {
        index_last_update_timestamp: found.last_update_timestamp,
        index_last_update_phyoffset: found.last_update_offset,
    };
    if found.records.is_empty() {
        let refusal =
            Response::with_code(ResponseCode::QUERY_NOT_FOUND, "can not find message, maybe time range not correct");
        return Ok(refusal.header(&answer));
    }
    let mut response = Response::success().header(&answer);
    response.body = found.records;
    Ok(response)
}

pub(crate) fn view_message_by_id(broker: &Arc<Broker>, request: Request<ViewMessageById>) -> Handled {
    let offset = request.header.offset;
    let record = broker.store.record_at(offset);
    let record =
        record.ok_or_else(|| ResponseError::system(format!("can not find message by the offset, {offset}")))?;
    Ok(Response::success().body(record))
}

#[cfg(test)]
mod tests;
