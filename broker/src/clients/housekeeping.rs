//! Members that went away: with their connection at once, or after a silence.
//!
//! Upstream: `ClientHousekeepingService` (RocketMQ 5.5.0).

use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::net::connection::Connection;
use tokio::time::MissedTickBehavior;

use super::notify::{PAUSE, tell_members};
use crate::broker::Broker;

/// Time between two looks for silent members.
const SCAN: Duration = Duration::from_secs(10);

/// Takes a closed connection out of its groups. Whoever stays in them is told. The same client may be there by
/// another connection; that one stays.
pub(crate) fn connection_closed(broker: &Arc<Broker>, connection: &Arc<Connection>) {
    broker.producers.connection_closed(connection.id());
    broker.consumers.connection_closed(connection.id());
}

/// Tells members of changes as they happen, and drops silent members, until it is aborted.
pub(crate) async fn keep_house(broker: Arc<Broker>) {
    let mut tick = tokio::time::interval(SCAN);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = broker.consumers.changed() => {
                tell_members(&broker);
                tokio::time::sleep(PAUSE).await;
            }
            _ = tick.tick() => drop_silent(&broker),
        }
    }
}

/// Drops members that sent no heartbeat for too long. A connection is closed when none of its groups is left: a Go
/// process that ends one consumer of several says no more than that, and the others go on by the same connection.
fn drop_silent(broker: &Broker) {
    let timeout: Duration = broker.settings.read().broker.channel_expired_timeout.into();
    if let Some(before) = broker.clock.instant().checked_sub(timeout) {
        drop_silent_before(broker, before);
    }
    broker.locks.drop_expired();
}

fn drop_silent_before(broker: &Broker, before: Instant) {
    let mut silent = broker.producers.drop_silent(before);
    silent.extend(broker.consumers.drop_silent(before));
    for connection in silent {
        let id = connection.id();
        if connection.is_open() && !broker.producers.has_member(id) && !broker.consumers.has_member(id) {
            let peer = connection.peer();
            tracing::warn!(%peer, "closing a client's connection: no heartbeat came by it for too long");
            connection.close();
        }
    }
}

#[cfg(test)]
mod tests;
