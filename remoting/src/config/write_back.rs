//! Settings changed at run time, written back to the file they came from.
//!
//! The lines of the changed keys are replaced, new keys are appended; everything else stays, comments and unknown keys included.
//! The version before stays as `FILE.bak`. Who may read the file stays as it was: it may hold credentials.
//!
//! Upstream: `Configuration.persist`.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::properties_file::edited;
use crate::replace_file::{Former, replace_file, sibling};

/// Of a file that was not there: its owner's alone, for what may once stand in it.
const MODE_OF_NEW: u32 = 0o600;

/// Sets keys in the file at `path`, which is made if there is none. Returns its new text once that is on disk. `check` sees the
/// text before it is written, and may refuse it.
///
/// # Errors
/// What the file system says, or `check`; the file is as it was.
pub fn write_back(
    path: &Path,
    changes: &[(String, String)],
    check: impl FnOnce(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    // Of a link the file that it leads to is replaced, not the link.
    let target = fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    let former = match fs::read(path) {
        Ok(former) => Some((former, fs::metadata(path)?.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let text = edited(former.as_ref().map_or(&[][..], |(text, _)| text), changes);
    check(&text)?;
    let permissions = match &former {
        Some((_, permissions)) => permissions.clone(),
        None => Permissions::from_mode(MODE_OF_NEW),
    };
    if let Some((former, permissions)) = &former {
        // Copied: whoever starts in between must find the file.
        replace_with(&sibling(path, ".bak"), former, permissions)?;
    }
    replace_with(path, &text, &permissions)
}

/// The next version is made by us, so that nobody reads it who might not read the one before.
fn replace_with(path: &Path, text: &[u8], permissions: &Permissions) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let next = sibling(path, ".tmp");
    OpenOptions::new().write(true).create(true).truncate(true).mode(MODE_OF_NEW).open(&next)?;
    fs::set_permissions(&next, permissions.clone())?;
    Ok(replace_file(path, text, Former::Dropped)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn allow(_: &[u8]) -> io::Result<()> {
        Ok(())
    }

    #[test]
    fn the_file_keeps_what_did_not_change_and_who_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deep/broker.conf");
        write_back(&file, &changes(&[("a", "1")]), allow).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a=1\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "# mine\na = 1\nsecret=x\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_back(&link, &changes(&[("a", "2"), ("b", "3")]), allow).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\na=2\nsecret=x\nb=3\n");
        assert_eq!(fs::read_to_string(sibling(&file, ".bak")).unwrap(), "# mine\na = 1\nsecret=x\n");
        for path in [&file, &sibling(&file, ".bak")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let refused = write_back(&file, &changes(&[("a", "9")]), |_| Err(io::Error::other("no")));
        assert_eq!(refused.unwrap_err().to_string(), "no");
        assert!(fs::read_to_string(&file).unwrap().contains("a=2"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file/broker.conf");
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(write_back(&file, &changes(&[("a", "1")]), allow).is_err());
    }
}
