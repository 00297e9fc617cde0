//! Power fails at every step of a store's life, and the store is opened on what the disk may hold then.
//!
//! ```text
//! workload ──► row of changes (io::watch) ──► disk model ──► image ──► open, check, append, reopen, check
//!   what was sent, and what was           crash at each step:            against what was sent and acknowledged
//!   acknowledged when                     what was not synced is kept, dropped or torn
//! ```
//!
//! Images lie in memory where the machine has `/dev/shm`. A run prints its seed; `BOOSTERMQ_SEED` sets it, and
//! `BOOSTERMQ_POINTS` how many crashes there are.
//!
//! Never here: crashes of the process alone (`tests/it/kill.rs`), which lose nothing of the page cache.

mod check;
mod disk;
mod faults;
mod history;
mod life;
mod regressions;
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers without chance: the same seed gives the same row.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64, which takes any seed.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the numbers below `limit`, as an index.
    pub(crate) fn index(&mut self, limit: usize) -> usize {
        self.below(limit as u64) as usize
    }
}

/// What a variable of the environment says, if it is set.
pub(crate) fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// A folder that goes when this is dropped; in memory if possible.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let memory = PathBuf::from("/dev/shm");
        let above = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = above.join(format!("boostermq-power-loss-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
