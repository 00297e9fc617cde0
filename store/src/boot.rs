//! Whether the machine still runs as it did when the store was opened last: then everything that was written is there, on disk or
//! in the page cache, whatever became of the process.
//!
//! `boot`, one line: the system's boot id, and device and inode of the file `lock`, so that a copy of a store, or one brought back
//! from a snapshot, does not pass for the store itself. A hint: it spares work with derived files, and decides nothing about the
//! log. Java knows nothing of the file and leaves it alone.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::FileError;
use crate::io;
use crate::layout;

/// A new one is made by the system at each of its starts.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the file should say now; `None` where the system does not tell.
fn line(root: &Path) -> Option<String> {
    let boot_id = std::fs::read_to_string(BOOT_ID).ok()?;
    let lock = std::fs::metadata(root.join(layout::LOCK)).ok()?;
    Some(format!("{} {} {}", boot_id.trim(), lock.dev(), lock.ino()))
}

/// Whether the store under `root` was last opened since the machine was started, in this place.
pub(crate) fn is_same(root: &Path) -> bool {
    let found = std::fs::read_to_string(root.join(layout::BOOT)).ok();
    found.is_some() && found == line(root)
}

/// Writes down that the store under `root` is open. Not synced: what a loss of power leaves is never the same again.
///
/// # Errors
/// [`FileError`] when the file cannot be written.
pub(crate) fn note(root: &Path) -> Result<(), FileError> {
    let path = root.join(layout::BOOT);
    if is_same(root) {
        return Ok(());
    }
    let line = line(root).unwrap_or_default();
    io::write(&path, line.as_bytes()).map_err(FileError::at("writing the file", &path))
}

/// Has the next start take it that the machine was started anew: a sync of derived files failed, so what the page cache shows of them
/// may not be what is on disk, and nobody will write it there any more.
pub(crate) fn forget(root: &Path) {
    // If this fails too, the checkpoint still does not say that the files are on disk.
    let _ = io::remove_file(&root.join(layout::BOOT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_not_the_same() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_same(dir.path()));
        note(dir.path()).unwrap();
        assert!(!is_same(dir.path()), "there is no lock file");
        std::fs::write(dir.path().join(layout::LOCK), "lock").unwrap();
        note(dir.path()).unwrap();
        assert!(is_same(dir.path()));
        let copy = tempfile::tempdir().unwrap();
        for name in [layout::LOCK, layout::BOOT] {
            std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        assert!(!is_same(copy.path()));
        std::fs::write(dir.path().join(layout::BOOT), "another boot 1 2").unwrap();
        assert!(!is_same(dir.path()));
    }
}
