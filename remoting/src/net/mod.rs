//! Connections: bytes in, frames out, nothing decided.
//!
//! [`server`] accepts and runs one task per connection; [`connection`] is the handle others answer through;
//! [`outbox`] holds what is still to be written; [`client`] asks other servers.

pub mod client;
pub mod connection;
pub mod outbox;
pub mod server;
#[cfg(test)]
mod tests;
pub mod threads;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes that all connections of a server hold in buffers, and refuses more than its limit.
#[derive(Debug)]
pub struct MemoryBudget {
    used: AtomicUsize,
    limit: usize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    /// Takes `bytes`; false when they would go over the limit, and then nothing is taken.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes held now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
