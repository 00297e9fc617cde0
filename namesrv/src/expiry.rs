//! Takes out brokers that fell silent.
//!
//! Upstream: `RouteInfoManager.scanNotActiveBroker` (RocketMQ 5.5.0).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::{NameServer, now};

/// Looks every `interval` until the server stops. A broker that is taken out loses its connection too, so that it
/// notices and registers anew.
pub(crate) async fn run(state: Arc<NameServer>, interval: Duration, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => return,
        }
        let (changes, connections) = state.routes.write().expire(now());
        connections.iter().for_each(|connection| connection.close());
        state.tell(changes);
    }
}
