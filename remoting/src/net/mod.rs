//! Connections: bytes in, frames out, nothing decided.
//!
//! [`server`] accepts and runs one task per connection; [`connection`] is the handle others answer through;
//! [`outbox`] holds what is still to be written; [`client`] asks other servers; [`tls`] is what stands between them and
//! the socket when a peer wants it.

pub mod allowance;
pub mod client;
pub mod connection;
pub mod outbox;
pub mod server;
#[cfg(test)]
mod tests;
pub mod threads;
pub mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what all connections of a process have, of bytes in buffers or of themselves, and refuses more than its limit.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    /// A budget of `limit`.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    /// Takes `count`; false when that would go over the limit, and then nothing is taken.
    #[must_use]
    pub fn take(&self, count: usize) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(count).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }

    /// Gives `count` back.
    pub fn give(&self, count: usize) {
        self.used.fetch_sub(count, Ordering::Relaxed);
    }

    /// The limit.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Taken now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
