//! Limits for reading old messages (2001 to 2003), and whether the system reads the log ahead (2004).
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::names::Group;
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::cold_data::{
    GetColdDataFlowCtrInfo, RemoveColdDataFlowCtrConfig, SetCommitlogReadMode, UpdateColdDataFlowCtrConfig,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;
use crate::response_error;

/// Modes of 2004: the numbers of Linux's advice about memory.
const READ_AHEAD: i32 = 0;
const NO_READ_AHEAD: i32 = 1;

/// 2001: sets limits of groups, all that are given or none.
pub(crate) fn set_limits(broker: &Arc<Broker>, request: Request<UpdateColdDataFlowCtrConfig>) -> Handled {
    let wanted = Properties::parse("", &request.body)
        .map_err(|error| ResponseError::system(format!("the limits cannot be read: {error}")))?;
    let limit = |(group, bytes): (&str, &str)| {
        let group = Group::parse(group).map_err(response_error::invalid_name)?;
        let bytes: i64 = bytes.trim().parse().ok().filter(|bytes| *bytes >= 0).ok_or_else(|| {
            response_error::invalid_parameter(format!(
                "the limit of {group} is [{bytes}]; it must be a number of bytes"
            ))
        })?;
        Ok((group, bytes))
    };
    let limits: Vec<(Group, i64)> = wanted.iter().map(limit).collect::<Result<_, ResponseError>>()?;
    for (group, bytes) in limits {
        tracing::info!(peer = %request.peer(), %group, bytes, "a limit for reading old messages is set");
        broker.cold_reads.set_limit(group.as_str(), bytes).map_err(|error| ResponseError::system(error.to_string()))?;
    }
    Ok(Response::success())
}

/// 2002: removes the limit of a group.
pub(crate) fn remove_limit(broker: &Arc<Broker>, request: Request<RemoveColdDataFlowCtrConfig>) -> Handled {
    let group = str::from_utf8(&request.body)
        .map_err(|error| ResponseError::system(format!("the name of the group cannot be read: {error}")))?;
    tracing::info!(peer = %request.peer(), group, "a limit for reading old messages is removed");
    broker.cold_reads.remove_limit(group.trim());
    Ok(Response::success())
}

/// 2003: limits, and what was read.
pub(crate) fn show(broker: &Arc<Broker>, _: Request<GetColdDataFlowCtrInfo>) -> Handled {
    Response::success().json(&broker.cold_reads.show(&broker.settings.read().broker))
}

/// 2004: has the system read the log ahead, or not. The remark is what upstream's tool prints.
pub(crate) fn set_read_mode(broker: &Arc<Broker>, request: Request<SetCommitlogReadMode>) -> Handled {
    let Some(mode) = request.header.read_ahead_mode else {
        return Err(ResponseError::system("set commitlog readahead mode param error"));
    };
    if ![READ_AHEAD, NO_READ_AHEAD].contains(&mode) {
        let remark = "set commitlog readahead mode param value error";
        return Err(response_error::invalid_parameter(remark.to_owned()));
    }
    let is_ahead = mode == READ_AHEAD;
    tracing::info!(peer = %request.peer(), is_ahead, "the way in which the log is read is set");
    broker.store.set_read_ahead(is_ahead);
    {
        let _one_at_a_time = broker.changing_settings.lock();
        let mut settings = (*broker.settings.snapshot()).clone();
        settings.store.data_read_ahead_enable = is_ahead;
        broker.settings.replace(settings);
    }
    let mut response = Response::success();
    response.remark = Some(format!("set commitlog readahead mode success, mode: {mode}").into());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::clients::fixture::TestBroker;
    use crate::clients::fixture::messages::{Pulling, Sending, bodies};

    #[tokio::test]
    async fn limits_are_set_shown_and_removed() {
        let broker = TestBroker::start(&[]).await;
        let mut client = broker.connect().await;
        let empty = client.ask_ok(2003, &[], "").await;
        assert_eq!(
            empty,
            r#"{"runtimeTable":{},"configTable":{},"cgColdReadThreshold":3145728,"globalColdReadThreshold":104857600,"globalAcc":0}"#
        );
        client.ask_ok(2001, &[], "g1=1000\ng2=7").await;
        for (text, code) in [("g1=5\ng3=many", 29), ("g1=-1", 29), ("bad name=1", 29), ("g1=\\u1", 1), ("", 0)] {
            assert_eq!(client.ask(2001, &[], text).await.code, code, "{text}");
        }
        client.ask_ok(2002, &[], "g2").await;
        client.ask_ok(2002, &[], "no-such").await;
        let shown: Value = serde_json::from_str(&client.ask_ok(2003, &[], "").await).unwrap();
        assert_eq!(shown["configTable"], serde_json::json!({ "g1": 1000 }));
        broker.stop().await;
    }

    #[tokio::test]
    async fn a_group_that_read_its_part_of_old_messages_waits_and_others_do_not() {
        let keys = [("coldDataFlowControlEnable", "true"), ("accessMessageInMemoryMaxRatio", "0")];
        let broker = TestBroker::start(&keys).await;
        let mut client = broker.connect().await;
        for _ in 0..3 {
            client.store(&Sending::default()).await;
        }
        broker.dispatched().await;
        let one = |group, offset| Pulling { group, offset, max_messages: 1, ..Pulling::default() };
        client.ask_ok(2001, &[], "slow=1").await;
        assert_eq!(bodies(&client.pull(&one("slow", 0)).await), ["hello"]);
        let busy = client.pull(&one("slow", 1)).await;
        assert_eq!((busy.code, busy.remark.is_some()), (2, true));
        for offset in 0..3 {
            assert_eq!(bodies(&client.pull(&one("quick", offset)).await), ["hello"]);
        }
        // What is beyond the end is nothing old.
        assert_eq!(client.pull(&one("slow", 3)).await.code, 19);
        broker.broker().cold_reads.end_window(0);
        assert_eq!(bodies(&client.pull(&one("slow", 1)).await), ["hello"]);
        broker.stop().await;
    }

    #[tokio::test]
    async fn the_log_is_read_ahead_or_not() {
        let broker = TestBroker::start(&[]).await;
        let mut client = broker.connect().await;
        for (fields, code, remark) in [
            (vec![("READ_AHEAD_MODE", "1")], 0, "set commitlog readahead mode success, mode: 1"),
            (vec![("READ_AHEAD_MODE", "0")], 0, "set commitlog readahead mode success, mode: 0"),
            (vec![("READ_AHEAD_MODE", "2")], 29, "set commitlog readahead mode param value error"),
            (vec![], 1, "set commitlog readahead mode param error"),
        ] {
            let answer = client.ask(2004, &fields, "").await;
            assert_eq!((answer.code, answer.remark.as_deref()), (code, Some(remark)), "{fields:?}");
        }
        broker.stop().await;
    }
}
