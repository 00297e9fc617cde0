//! The version of a table that brokers publish.

use serde::{Deserialize, Serialize};

/// Tells whether a table has changed: upstream `DataVersion`. Two are equal when all three numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// Changes so far.
    pub counter: i64,
    /// Term of the broker's role; 0 without automatic failover.
    pub state_version: i64,
    /// When the last change was made, ms.
    pub timestamp: i64,
}

impl DataVersion {
    /// The version of a table that nobody has changed yet, made at `now_ms`.
    #[must_use]
    pub const fn new(now_ms: i64) -> Self {
        Self { counter: 0, state_version: 0, timestamp: now_ms }
    }

    /// The version after one more change in the term `state_version`.
    #[must_use]
    pub const fn next(self, state_version: i64, now_ms: i64) -> Self {
        Self { counter: self.counter.saturating_add(1), state_version, timestamp: now_ms }
    }
}
