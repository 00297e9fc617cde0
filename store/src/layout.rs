//! Names of files in a store, as RocketMQ 5.5.0 has them.
//!
//! ```text
//! ROOT/lock  ROOT/abort  ROOT/checkpoint    ROOT/boot  ROOT/consumequeue.ends (ours, not Java's)
//! ROOT/commitlog/00000000000000000000 …      name = byte position of the file's first byte, 20 digits
//! ROOT/consumequeue/TOPIC/QUEUE/00000000000000000000 …
//! ROOT/index/yyyyMMddHHmmssSSS …
//! ```
//!
//! Upstream: `StorePathConfigHelper`, `UtilAll.offset2FileName`.

use std::path::Path;

use crate::error::FileError;
use crate::io;

/// Locked while a process owns the store.
pub(crate) const LOCK: &str = "lock";
/// There while the store is open: found at start, the last stop was no clean one.
pub(crate) const ABORT: &str = "abort";
/// Says under which start of the machine the store was opened last; ours alone.
pub(crate) const BOOT: &str = "boot";
/// Times and positions up to which things are on disk.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Name of the file that begins at `position`.
pub(crate) fn file_name(position: i64) -> String {
    format!("{position:020}")
}

/// Position that a file of this name begins at; `None` when it is no such name.
pub(crate) fn file_position(name: &str) -> Option<i64> {
    let is_plain = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { name.parse().ok() } else { None }
}

/// Makes `dir` and what is missing above it.
pub(crate) fn create_dir(dir: &Path) -> Result<(), FileError> {
    io::create_dir_all(dir).map_err(FileError::at("making the folder", dir))
}

/// Makes created, renamed and removed names in `dir` survive a loss of power.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), FileError> {
    io::sync_dir(dir).map_err(FileError::at("syncing the folder", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_twenty_digits() {
        assert_eq!(file_name(1 << 30), "00000000001073741824");
        assert_eq!(file_position("00000000001073741824"), Some(1 << 30));
        for bad in ["", "1", "0000000000107374182x", "+0000000000000000001", "99999999999999999999"] {
            assert_eq!(file_position(bad), None, "{bad}");
        }
    }
}
