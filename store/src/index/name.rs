//! Names of index files: the local time at which each was made, as `yyyyMMddHHmmssSSS`. They sort by age.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::FileError;

/// Digits of a name.
const LENGTH: usize = 17;

/// The index files in `dir`, oldest first. Whatever has another kind of name is passed over.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(FileError::at("listing", dir))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::at("listing", dir))?.path();
        if number(&path).is_some() && path.is_file() {
            paths.push(path);
        } else {
            tracing::warn!(path = %path.display(), "not an index file; passed over");
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Whether the file at `path` has no bytes at all.
pub(super) fn is_empty(path: &Path) -> Result<bool, FileError> {
    Ok(std::fs::metadata(path).map_err(FileError::at("reading the length of", path))?.len() == 0)
}

/// Name of a file made at `now_ms`, after all files up to `newest`. Where the local time has stepped back (a clock that was
/// set, the end of summer time), it is one more than the newest name instead.
pub(super) fn next(now_ms: i64, newest: Option<&Path>) -> String {
    let now = Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(TimeZone::system());
    let name = now.strftime("%Y%m%d%H%M%S%3f").to_string();
    let after = newest.and_then(number).map(|number| number + 1);
    match (name.parse::<u64>(), after) {
        (Ok(number), Some(after)) if number < after => format!("{after:0LENGTH$}"),
        _ => name,
    }
}

fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    (name.len() == LENGTH && name.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_step_back() {
        let first = next(1_795_369_232_817, None);
        assert_eq!(first.len(), LENGTH);
        assert!(first.starts_with("2026112") && first.ends_with("817"), "{first}");
        let later = next(1_795_369_325_323, Some(Path::new(&first)));
        assert!(later > first);
        let stepped_back = next(1_795_369_232_817, Some(Path::new(&later)));
        assert_eq!(stepped_back.parse::<u64>().unwrap(), later.parse::<u64>().unwrap() + 1);
    }
}
