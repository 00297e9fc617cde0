//! What slaves and operators ask the timer: how far it is, and how much waits for each topic.
//!
//! Upstream: `AdminBrokerProcessor` (RocketMQ 5.5.0).

use std::sync::Arc;

use boostermq_remoting::request::timer::{GetTimerCheckPoint, GetTimerMetrics};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::broker::Broker;
use crate::timer::Timer;

pub(crate) fn check_point(broker: &Arc<Broker>, _: Request<GetTimerCheckPoint>) -> Handled {
    let body = timer(broker, "The timer checkpoint is null")?.checkpoint().to_wire();
    Ok(Response::success().body(body.to_vec()))
}

pub(crate) fn metrics(broker: &Arc<Broker>, _: Request<GetTimerMetrics>) -> Handled {
    Response::success().json(&timer(broker, "The timer message store is null")?.counts.look())
}

fn timer<'a>(broker: &'a Broker, missing: &'static str) -> Result<&'a Timer, ResponseError> {
    broker.timer.as_ref().ok_or_else(|| ResponseError::system(missing))
}
