//! Whether the store takes messages, and if not, why.
//!
//! One word of flags that the append path reads under its lock. Flags for a state that can pass (full disk, queues that
//! cannot be written) are set and cleared by whoever watches it; a failed sync stays until the process ends.
//!
//! Upstream: `RunningFlags`.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::AppendError;

/// A reason to refuse messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Trouble {
    /// The store is closed or closing.
    Closed = 1,
    /// A sync failed.
    Poisoned = 2,
    /// The disk is fuller than the warning level.
    DiskFull = 4,
    /// Consume queues cannot be written.
    Queues = 8,
    /// Switched off by the owner.
    SwitchedOff = 16,
}

/// The store's troubles.
#[derive(Debug, Default)]
pub(crate) struct Health(AtomicU32);

impl Health {
    /// Whether `trouble` is there.
    pub(crate) fn has(&self, trouble: Trouble) -> bool {
        self.0.load(Ordering::Acquire) & trouble as u32 != 0
    }

    /// Sets or clears `trouble`. Returns whether it was there.
    pub(crate) fn set(&self, trouble: Trouble, is_there: bool) -> bool {
        let bit = trouble as u32;
        let before =
            if is_there { self.0.fetch_or(bit, Ordering::AcqRel) } else { self.0.fetch_and(!bit, Ordering::AcqRel) };
        before & bit != 0
    }

    /// Whether messages are taken.
    ///
    /// # Errors
    /// The gravest trouble.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        if self.0.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let error_of = [
            (Trouble::Closed, AppendError::Closed),
            (Trouble::Poisoned, AppendError::Poisoned),
            (Trouble::DiskFull, AppendError::DiskFull),
            (Trouble::Queues, AppendError::Queues),
            (Trouble::SwitchedOff, AppendError::NotWriteable),
        ];
        let found = error_of.into_iter().find(|(trouble, _)| self.has(*trouble));
        found.map_or(Ok(()), |(_, error)| Err(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_trouble_is_named() {
        let health = Health::default();
        assert!(health.check().is_ok());
        assert!(!health.set(Trouble::DiskFull, true));
        assert!(!health.set(Trouble::Poisoned, true));
        assert!(matches!(health.check(), Err(AppendError::Poisoned)));
        assert!(health.set(Trouble::Poisoned, false));
        assert!(matches!(health.check(), Err(AppendError::DiskFull)));
        health.set(Trouble::DiskFull, false);
        assert!(health.check().is_ok());
    }
}
