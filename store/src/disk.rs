//! How full the store's disks are.

use std::fmt;
use std::path::Path;

/// Share of each disk that is in use, from 0 to 1; negative where the system does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskUsage {
    /// The disk of the commit log.
    pub commit_log: f64,
    /// The disk of the consume queues.
    pub consume_queue: f64,
    /// The disk of the index.
    pub index: f64,
}

impl fmt::Display for DiskUsage {
    /// As upstream writes it into the remark of a refused send (RocketMQ 5.5.0).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CL: {:5.2} CQ: {:5.2} INDEX: {:5.2}", self.commit_log, self.consume_queue, self.index)
    }
}

/// Room on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskCapacity {
    /// All of it.
    pub total: i64,
    /// What is free, for root too.
    pub free: i64,
}

/// Room on the disk that `path` is on; `None` where the system does not say.
pub(crate) fn capacity(path: &Path) -> Option<DiskCapacity> {
    let found = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(found.f_frsize)).unwrap_or(i64::MAX);
    Some(DiskCapacity { total: bytes(found.f_blocks), free: bytes(found.f_bfree) })
}

/// Share in use of the disk that `path` is on, rounded up to whole percent as upstream does; -1 where the system does not say.
pub(crate) fn usage(path: &Path) -> f64 {
    let Ok(found) = rustix::fs::statvfs(path) else { return -1.0 };
    let used = found.f_blocks.saturating_sub(found.f_bfree);
    // What only root may use counts as not there, as `df` has it.
    let total = used.saturating_add(found.f_bavail);
    if total == 0 {
        return -1.0;
    }
    let percent = used.saturating_mul(100).div_ceil(total);
    percent as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_a_usage_and_nothing_has_none() {
        let found = usage(Path::new("."));
        assert!((0.0..=1.0).contains(&found), "{found}");
        assert_eq!(usage(Path::new("/no/such/folder")), -1.0);
        let text = DiskUsage { commit_log: 0.5, consume_queue: 0.25, index: -1.0 }.to_string();
        assert_eq!(text, "CL:  0.50 CQ:  0.25 INDEX: -1.00");
    }
}
