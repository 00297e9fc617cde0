//! One metadata file with its backup, written so that a crash at any moment leaves a whole version.
//!
//! ```text
//! FILE           the last version
//! FILE.bak       the version before it
//! FILE.tmp       a version being written; no reader looks at it
//! FILE.damaged   a version that could not be read, kept for whoever wants to look into it
//! ```
//! How a version is put in place says [`boostermq_remoting::replace_file`]. Names and contents are upstream's (RocketMQ 5.5.0),
//! so that a Java broker goes on from the same files. Never decides what stands in a file.
//!
//! Upstream: `ConfigManager`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use boostermq_remoting::fastjson;
use boostermq_remoting::replace_file::{Former, ReplaceError, replace_file, sibling};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

/// Why metadata was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    /// The file system refused.
    #[error("{doing} {}: {source}; is the disk full or read-only, and does the folder belong to this user?", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file cannot be understood, and there is no backup that can.
    #[error(
        "{} cannot be read ({why}), and neither can its backup {} ({backup_why}). The broker does not start, because \
         it would forget what stands there. Repair one of the two; or move both away to start without them",
        path.display(), backup.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// Its backup.
        backup: PathBuf,
        /// What is wrong with the backup.
        backup_why: String,
    },
}

impl From<ReplaceError> for MetadataError {
    fn from(error: ReplaceError) -> Self {
        let ReplaceError { doing, path, source } = error;
        Self::Io { doing, path, source }
    }
}

impl MetadataError {
    fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

/// What was found under one of the two names.
enum Found<T> {
    Nothing,
    Value(T),
    Damaged(String),
}

/// The version of a file that counts.
#[derive(Debug)]
pub(crate) enum Chosen<T> {
    /// There is none.
    Nothing,
    /// The file.
    File(T),
    /// Its backup, and what is wrong with the file; `None` when it is missing or empty.
    Backup(T, Option<String>),
}

/// A file of metadata and how many changes it lacks.
#[derive(Debug)]
pub(crate) struct MetadataFile {
    path: PathBuf,
    /// Changes so far of what the file should hold.
    changes: AtomicU64,
    /// How many of them it holds; locked while it is written.
    written: Mutex<u64>,
}

impl MetadataFile {
    /// The file `name` in `dir`; touches nothing yet.
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        Self { path: dir.join(name), changes: AtomicU64::new(0), written: Mutex::new(0) }
    }

    /// Reads the file, or its backup when the file is missing, empty or damaged. `None` when there is neither.
    ///
    /// # Errors
    /// [`MetadataError::Damaged`] when something is there and nothing of it can be read; [`MetadataError::Io`] when the
    /// file system does not let us read.
    pub(crate) fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, MetadataError> {
        match self.choose()? {
            Chosen::Nothing => Ok(None),
            Chosen::File(value) => Ok(Some(value)),
            Chosen::Backup(value, None) => {
                tracing::warn!(file = %self.path.display(), "the file is missing or empty; its backup is used");
                Ok(Some(value))
            }
            Chosen::Backup(value, Some(why)) => {
                let aside = sibling(&self.path, ".damaged");
                tracing::error!(
                    file = %self.path.display(), %why, kept_as = %aside.display(),
                    "the file is damaged; its backup is used, so the last change may be missing"
                );
                // Else the next write would put the damaged version over the good backup.
                fs::rename(&self.path, &aside).map_err(MetadataError::at("moving aside", &self.path))?;
                Ok(Some(value))
            }
        }
    }

    /// Which version [`MetadataFile::load`] would read; changes nothing.
    ///
    /// # Errors
    /// As [`MetadataFile::load`].
    pub(crate) fn choose<T: DeserializeOwned>(&self) -> Result<Chosen<T>, MetadataError> {
        let backup = sibling(&self.path, ".bak");
        let why = match read::<T>(&self.path)? {
            Found::Value(value) => return Ok(Chosen::File(value)),
            Found::Nothing => None,
            Found::Damaged(why) => Some(why),
        };
        match (read::<T>(&backup)?, why) {
            (Found::Nothing, None) => Ok(Chosen::Nothing),
            (Found::Value(value), why) => Ok(Chosen::Backup(value, why)),
            (found, why) => Err(MetadataError::Damaged {
                path: self.path.clone(),
                why: why.unwrap_or_else(|| "it is missing or empty".to_owned()),
                backup,
                backup_why: match found {
                    Found::Damaged(why) => why,
                    _ => "it is missing or empty".to_owned(),
                },
            }),
        }
    }

    /// Where the file stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that the file no longer holds what it should.
    pub(crate) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Writes what `text` returns if something has changed since the last write. Callers at the same time share one
    /// write: when this returns, every change noted before the call is on disk.
    ///
    /// # Errors
    /// [`MetadataError::Io`]; the change counts as not written, and the next call tries again.
    pub(crate) fn save(&self, text: impl FnOnce() -> Vec<u8>) -> Result<(), MetadataError> {
        let mut written = self.written.lock();
        let changes = self.changes.load(Ordering::Acquire);
        if *written == changes {
            return Ok(());
        }
        replace_file(&self.path, &text(), Former::Backup)?;
        *written = changes;
        Ok(())
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Found<T>, MetadataError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(MetadataError::at("reading", path)(error)),
    };
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(Found::Nothing);
    }
    Ok(match fastjson::from_slice(&text) {
        Ok(value) => Found::Value(value),
        Err(error) => Found::Damaged(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Table = BTreeMap<String, i64>;
    const NEW: &str = r#"{"a":2}"#;
    const OLD: &str = r#"{a:1}"#;
    const BAD: &str = r#"{"a":"#;

    fn load(main: Option<&str>, backup: Option<&str>) -> (Result<Option<Table>, MetadataError>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("t.json", main), ("t.json.bak", backup)] {
            if let Some(text) = text {
                fs::write(dir.path().join(name), text).unwrap();
            }
        }
        (MetadataFile::new(dir.path(), "t.json").load(), dir)
    }

    #[test]
    fn the_newest_version_that_can_be_read_counts() {
        let table = |value| Some(Table::from([("a".to_owned(), value)]));
        for (main, backup, expected) in [
            (Some(NEW), Some(OLD), table(2)),
            (Some(NEW), Some(BAD), table(2)),
            (Some(NEW), None, table(2)),
            (Some(BAD), Some(OLD), table(1)),
            (Some(" \n"), Some(OLD), table(1)),
            (None, Some(OLD), table(1)),
            (Some(""), None, None),
            (None, None, None),
        ] {
            assert_eq!(load(main, backup).0.unwrap(), expected, "{main:?} {backup:?}");
        }
    }

    #[test]
    fn a_broker_without_any_readable_version_does_not_start() {
        for (main, backup) in [(Some(BAD), Some(BAD)), (Some(BAD), None), (None, Some(BAD)), (Some(BAD), Some(""))] {
            let error = load(main, backup).0.unwrap_err().to_string();
            assert!(error.contains("t.json.bak") && error.contains("does not start"), "{main:?} {backup:?}: {error}");
        }
    }

    #[test]
    fn a_damaged_file_never_replaces_its_backup() {
        let (loaded, dir) = load(Some(BAD), Some(OLD));
        loaded.unwrap();
        let file = MetadataFile::new(dir.path(), "t.json");
        file.note_change();
        file.save(|| NEW.as_bytes().to_vec()).unwrap();
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((text("t.json"), text("t.json.bak"), text("t.json.damaged")), (NEW.into(), OLD.into(), BAD.into()));
    }

    #[test]
    fn each_version_is_written_once_and_the_one_before_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = MetadataFile::new(&dir.path().join("config"), "t.json");
        file.save(|| panic!("nothing has changed")).unwrap();
        for text in [OLD, NEW] {
            file.note_change();
            file.note_change();
            file.save(|| text.as_bytes().to_vec()).unwrap();
            file.save(|| panic!("nothing has changed")).unwrap();
        }
        let text = |name: &str| fs::read_to_string(dir.path().join("config").join(name)).unwrap();
        assert_eq!((text("t.json"), text("t.json.bak")), (NEW.to_owned(), OLD.to_owned()));
        assert_eq!(fs::read_dir(dir.path().join("config")).unwrap().count(), 2);
    }

    #[test]
    fn a_failed_write_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("config");
        fs::write(&blocked, "a file where the folder should be").unwrap();
        let file = MetadataFile::new(&blocked, "t.json");
        file.note_change();
        assert!(file.save(|| NEW.as_bytes().to_vec()).is_err());
        fs::remove_file(&blocked).unwrap();
        file.save(|| NEW.as_bytes().to_vec()).unwrap();
        assert_eq!(fs::read_to_string(blocked.join("t.json")).unwrap(), NEW);
    }
}
