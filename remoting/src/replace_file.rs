//! Small files that are replaced as a whole: after a crash or a loss of power at any moment, a whole version is there.
//!
//! ```text
//! FILE        the last version
//! FILE.bak    the version before it, where that is wanted
//! FILE.tmp    a version being written; no reader looks at it
//! ```
//!
//! A version is written to `FILE.tmp` and synced, then renamed, then the folder is synced; a folder that had to be made is synced
//! into the one above it. Never here: what stands in a file, which version is read.
//!
//! Upstream: `MixAll.string2File`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file was not replaced. It is what it was, or what it was is in `FILE.bak`.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {} failed: {source}; check the disk's space and who may write there", path.display())]
pub struct ReplaceError {
    /// What was tried, as in "writing".
    pub doing: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl ReplaceError {
    fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

impl From<ReplaceError> for io::Error {
    fn from(error: ReplaceError) -> Self {
        Self::new(error.source.kind(), error)
    }
}

/// What becomes of the version that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// It goes; at every moment one of the two versions has the file's name.
    Dropped,
    /// It takes the place of `FILE.bak`. For a moment nothing has the file's name: a reader that finds none reads `FILE.bak`.
    Backup,
}

/// Puts `content` in the place of what `path` holds, for good when it returns. Missing folders are made. One caller at a time for
/// each path.
///
/// # Errors
/// [`ReplaceError`]; the old version or the new one is there, under its name or as `FILE.bak`.
pub fn replace_file(path: &Path, content: &[u8], former: Former) -> Result<(), ReplaceError> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let next = sibling(path, ".tmp");
    let written = File::create(&next).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.map_err(ReplaceError::at("writing", &next))?;
    if former == Former::Backup {
        match fs::rename(path, sibling(path, ".bak")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ReplaceError::at("keeping as backup", path)(error));
            }
            _ => {}
        }
    }
    fs::rename(&next, path).map_err(ReplaceError::at("putting in place", path))?;
    sync_folder(folder)
}

/// The path with `suffix` after the file's whole name.
#[must_use]
pub fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes `folder` and what is missing above it, each with its name on disk.
fn make_folder(folder: &Path) -> Result<(), ReplaceError> {
    if folder.is_dir() {
        return Ok(());
    }
    make_folder(folder_of(folder))?;
    match fs::create_dir(folder) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        other => other.map_err(ReplaceError::at("making the folder", folder)),
    }?;
    sync_folder(folder_of(folder))
}

fn sync_folder(folder: &Path) -> Result<(), ReplaceError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ReplaceError::at("syncing the folder", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_last_version_has_the_name_and_the_one_before_it_may_be_kept() {
        let dir = tempfile::tempdir().unwrap();
        for (former, expected) in [(Former::Dropped, [Some("3"), None]), (Former::Backup, [Some("3"), Some("2")])] {
            let folder = dir.path().join(format!("{former:?}")).join("config");
            let path = folder.join("topics.json");
            for version in ["1", "2", "3"] {
                replace_file(&path, version.as_bytes(), former).unwrap();
            }
            let text = |suffix| fs::read_to_string(sibling(&path, suffix)).ok();
            assert_eq!([text(""), text(".bak")], expected.map(|text| text.map(str::to_owned)), "{former:?}");
            assert_eq!(text(".tmp"), None);
        }
    }

    #[test]
    fn what_a_crash_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kvConfig.json");
        fs::write(sibling(&path, ".tmp"), "half a version, longer than the whole one").unwrap();
        fs::write(sibling(&path, ".bak"), "1").unwrap();
        replace_file(&path, b"2", Former::Backup).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "2");
        assert_eq!(names(dir.path()), ["kvConfig.json", "kvConfig.json.bak"]);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_the_old_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("topics.json");
        replace_file(&path, b"1", Former::Dropped).unwrap();
        fs::create_dir(sibling(&path, ".tmp")).unwrap();
        let error = replace_file(&path, b"2", Former::Backup).unwrap_err();
        assert_eq!((error.doing, error.path.clone()), ("writing", sibling(&path, ".tmp")));
        assert_eq!(fs::read_to_string(&path).unwrap(), "1");
        let below_a_file = path.join("config/topics.json");
        let error = replace_file(&below_a_file, b"2", Former::Dropped).unwrap_err();
        assert_eq!(error.doing, "making the folder", "{error}");
    }
}
