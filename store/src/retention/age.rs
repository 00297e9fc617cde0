//! When a file was last written, by the machine's clock.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::FileError;

/// Milliseconds since 1970 of the last write to the file; `None` when the system does not say.
pub(super) fn written_ms(path: &Path) -> Option<i64> {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).ok(),
        Err(before) => i64::try_from(before.duration().as_millis()).ok().map(|ms| -ms),
    }
}

/// Makes the last write of a file later by `by_ms`, or earlier when that is negative.
pub(super) fn move_written(path: &Path, by_ms: i64) -> Result<(), FileError> {
    let at = FileError::at("changing the time of", path);
    let moved = written_ms(path).and_then(|written_ms| time_of(written_ms.checked_add(by_ms)?));
    let Some(moved) = moved else { return Err(at(io::ErrorKind::InvalidData.into())) };
    // A file that is only read can be given another time too, by who owns it.
    File::open(path).and_then(|file| file.set_modified(moved)).map_err(at)
}

fn time_of(ms: i64) -> Option<SystemTime> {
    let by = Duration::from_millis(ms.unsigned_abs());
    if ms < 0 { UNIX_EPOCH.checked_sub(by) } else { UNIX_EPOCH.checked_add(by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_moved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"x").unwrap();
        let now = written_ms(&path).unwrap();
        assert!(now > 1_700_000_000_000, "{now}");
        for (by, expected) in [(3_600_000, now + 3_600_000), (-7_200_000, now - 3_600_000), (-now, -3_600_000)] {
            move_written(&path, by).unwrap();
            assert_eq!(written_ms(&path), Some(expected));
        }
        assert_eq!(written_ms(&dir.path().join("nothing")), None);
        assert!(move_written(&dir.path().join("nothing"), 1).is_err());
    }
}
