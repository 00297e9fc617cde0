//! What slaves, and operators who look for slaves, ask a master that has none: how replication does (907), how far the delay
//! levels are (45), and what only a slave or a controller's broker would do (908, 1007).
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::body::HaRuntimeInfo;
use boostermq_remoting::request::ha::{GetBrokerEpochCache, GetBrokerHaStatus, ResetMasterFlushOffset};
use boostermq_remoting::request::offset::GetAllDelayOffset;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;

/// 907: a master without slaves.
pub(crate) fn status(broker: &Arc<Broker>, _: Request<GetBrokerHaStatus>) -> Handled {
    Response::success().json(&HaRuntimeInfo {
        master: true,
        master_commit_log_max_offset: broker.store.max_physical_offset().0,
        ..HaRuntimeInfo::default()
    })
}

/// 45: the offset up to which each delay level was delivered.
pub(crate) fn delay_offsets(broker: &Arc<Broker>, _: Request<GetAllDelayOffset>) -> Handled {
    Ok(Response::success().body(broker.schedule.to_json()))
}

/// 908: tells a slave how far its master is; a master leaves it at that.
pub(crate) fn reset_master_flush_offset(_: &Arc<Broker>, _: Request<ResetMasterFlushOffset>) -> Handled {
    Ok(Response::success())
}

/// 1007: terms of masters, which a broker without a controller has none of.
pub(crate) fn epochs(_: &Arc<Broker>, _: Request<GetBrokerEpochCache>) -> Handled {
    Err(ResponseError::system("this request only for controllerMode "))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::clients::fixture::TestBroker;
    use crate::clients::fixture::messages::Sending;

    #[tokio::test]
    async fn a_master_without_slaves_says_so() {
        let broker = TestBroker::start(&[("messageDelayLevel", "1s 1h")]).await;
        let mut client = broker.connect().await;
        client.store(&Sending { properties: &[("DELAY", "1")], ..Sending::default() }).await;
        client.wait_for("T", 0, 0).await;
        let status: Value = serde_json::from_str(&client.ask_ok(907, &[], "").await).unwrap();
        let end = broker.broker().store.max_physical_offset().0;
        assert_eq!((&status["master"], &status["masterCommitLogMaxOffset"]), (&true.into(), &end.into()));
        assert_eq!(status["haConnectionInfo"], Value::Array(Vec::new()));
        let delays: Value = serde_json::from_str(&client.ask_ok(45, &[], "").await).unwrap();
        assert_eq!(delays["offsetTable"]["1"], 1, "{delays}");
        client.ask_ok(908, &[("masterFlushOffset", "12")], "").await;
        assert_eq!(client.ask(908, &[], "").await.code, 1);
        let epochs = client.ask(1007, &[], "").await;
        assert_eq!((epochs.code, epochs.remark.as_deref()), (1, Some("this request only for controllerMode ")));
        broker.stop().await;
    }
}
