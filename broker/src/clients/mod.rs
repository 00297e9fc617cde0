//! Who is connected: producers and consumers by group, and which client holds which queue.
//!
//! A member of a group is a *connection*, never a client id: a client that comes back by a new connection is a new
//! member, and the end of its old connection takes nothing from it. Everything here lies in memory and is made anew
//! by heartbeats after a restart. Never reads a request; that is [`crate::processor::client`]'s.
//!
//! Upstream: `ProducerManager`, `ConsumerManager`, `ClientChannelInfo` (RocketMQ 5.5.0).

mod agreement;
mod consumers;
#[cfg(test)]
pub(crate) mod fixture;
mod groups_by_connection;
mod housekeeping;
mod notify;
mod producers;
mod queue_locks;

use std::sync::Arc;
use std::time::Instant;

use boostermq_remoting::body;
use boostermq_remoting::code::Language;
use boostermq_remoting::names::ClientId;
use boostermq_remoting::net::connection::Connection;

pub(crate) use consumers::{ConsumerGroup, Consumers, Heard, Subscriptions};
pub(crate) use groups_by_connection::TooManyGroups;
pub(crate) use housekeeping::{connection_closed, keep_house};
pub(crate) use producers::Producers;
pub(crate) use queue_locks::QueueLocks;

/// A client as its last heartbeat described it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The connection that the heartbeat came by.
    pub(crate) connection: Arc<Connection>,
    /// What the client calls itself.
    pub(crate) client_id: ClientId,
    /// Its language.
    pub(crate) language: Language,
    /// Ordinal of its version.
    pub(crate) version: i32,
    /// When the heartbeat came, by a clock that never steps back.
    pub(crate) heard: Instant,
    /// The same for people, ms since 1970.
    pub(crate) heard_ms: i64,
}

impl Member {
    /// The member as lists of connections show it (203, 204).
    pub(crate) fn to_body(&self) -> body::Connection {
        body::Connection {
            client_addr: self.connection.peer().to_string(),
            client_id: self.client_id.to_string(),
            language: self.language.name().to_owned(),
            version: self.version,
        }
    }
}

#[cfg(test)]
impl Member {
    /// The client `client_id` on the connection `id`, heard `now`.
    fn for_test(id: u64, client_id: &str, now: Instant) -> Self {
        Self {
            connection: Arc::new(Connection::detached(id)),
            client_id: client_id.into(),
            language: Language::JAVA,
            version: boostermq_remoting::code::VERSION,
            heard: now,
            heard_ms: 1,
        }
    }
}
