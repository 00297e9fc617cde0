//! What the broker counted by topic, group and queue (315).
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::request::stats::ViewBrokerStatsData;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;

/// 315: one statistic over the last minute, hour and day. Tools ask for what may never have been counted and take the refusal.
pub(crate) fn view(broker: &Arc<Broker>, request: Request<ViewBrokerStatsData>) -> Handled {
    let (name, key) = (&request.header.stats_name, &request.header.stats_key);
    let item = broker
        .stats
        .items
        .find(name, key)
        .ok_or_else(|| ResponseError::system(format!("The stats <{name}> <{key}> not exist")))?;
    Response::success().json(&item.windows())
}
