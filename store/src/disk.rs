//! How full the store's disks are.

use std::fmt;
use std::path::{Path, PathBuf};

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

/// How full a disk is that messages need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fullness {
    /// The folder on it.
    pub path: PathBuf,
    /// Percent in use; `None` where the system does not say.
    pub used: Option<u32>,
    /// Percent in use above which messages are refused.
    pub refuse_above: u32,
}

impl fmt::Display for Fullness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the disk of {} is ", self.path.display())?;
        match self.used {
            Some(used) => write!(f, "{used} % full")?,
            None => write!(f, "full to an unknown degree")?,
        }
        write!(f, ", messages are refused above {} %", self.refuse_above)
    }
}

/// Share in use of the disk that `path` is on, rounded up to whole percent as upstream does; -1 where the system does not say.
pub(crate) fn usage(path: &Path) -> f64 {
    used_percent(path, 0).map_or(-1.0, |percent| f64::from(percent) / 100.0)
}

/// Percent in use of the disk that `path` is on, rounded up, as if `soon_free` more bytes were free; `None` where the system does
/// not say.
pub(crate) fn used_percent(path: &Path, soon_free: u64) -> Option<u32> {
    let found = rustix::fs::statvfs(path).ok()?;
    let used = found.f_blocks.saturating_sub(found.f_bfree);
    // What only root may use counts as not there, as `df` has it.
    let total = used.saturating_add(found.f_bavail);
    let used = used.saturating_sub(soon_free.checked_div(found.f_frsize).unwrap_or(0));
    let percent = used.saturating_mul(100).checked_add(total.checked_sub(1)?)? / total;
    u32::try_from(percent).ok()
}

/// Whether two folders are on one disk.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let device = |path| rustix::fs::stat(path).map(|found| found.st_dev).ok();
    device(one) == device(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_a_usage_and_nothing_has_none() {
        let found = usage(Path::new("."));
        assert!((0.0..=1.0).contains(&found), "{found}");
        assert_eq!(usage(Path::new("/no/such/folder")), -1.0);
        assert_eq!(used_percent(Path::new("."), u64::MAX), Some(0));
        assert!(is_same(Path::new("."), Path::new("src")) && !is_same(Path::new("."), Path::new("/proc")));
        let text = DiskUsage { commit_log: 0.5, consume_queue: 0.25, index: -1.0 }.to_string();
        assert_eq!(text, "CL:  0.50 CQ:  0.25 INDEX: -1.00");
        let text = |used| Fullness { path: "/data/mq".into(), used, refuse_above: 90 }.to_string();
        assert_eq!(text(Some(91)), "the disk of /data/mq is 91 % full, messages are refused above 90 %");
        assert!(text(None).starts_with("the disk of /data/mq is full to an unknown degree"));
    }
}
