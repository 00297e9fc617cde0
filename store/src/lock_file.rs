//! The store's lock: one process owns a store, and within it one store.
//!
//! Taken before anything else is read. A record lock of `fcntl` on `ROOT/lock`, which a Java broker sees, and which goes when
//! the process ends, however it ends. Such a lock does not keep the same process out, and closing any descriptor of the file
//! drops it, so a set of the roots in use keeps this process from opening the file twice.
//!
//! Upstream: `DefaultMessageStore.lock`.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::error::{FileError, OpenError};
use crate::io::StoreFile;
use crate::layout;

/// What stands in the file, as upstream writes it. A file that has it already is not touched.
const TEXT: &[u8] = b"lock";

/// Roots that this process has locked.
static LOCKED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Ownership of a store, until dropped.
pub(crate) struct StoreLock {
    root: PathBuf,
    _held: Held,
}

/// What holds the lock.
enum Held {
    /// For the one who owns the store.
    Owner { _file: StoreFile },
    /// For one who looks at it: no owner may come meanwhile.
    Reader { _file: File },
}

impl StoreLock {
    /// Takes the lock of the store under `root`, a folder that exists.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when someone has it; [`OpenError::File`] when the file cannot be written.
    pub(crate) fn acquire(root: &Path) -> Result<Self, OpenError> {
        let path = root.join(layout::LOCK);
        let in_use = || OpenError::InUse { root: root.to_owned(), lock: path.clone() };
        let canonical = root.canonicalize().map_err(FileError::at("resolving the folder", root))?;
        // Held to the end of this function: nobody else may open the file between the look and the lock.
        let mut locked = LOCKED.lock();
        if locked.contains(&canonical) {
            return Err(in_use());
        }
        let file = StoreFile::open_or_create(&path);
        let file = file.map_err(FileError::at("opening the file", &path))?;
        match fcntl_lock(file.as_file(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Err(in_use()),
            Err(error) => return Err(FileError::at("locking the file", &path)(error.into()).into()),
        }
        // Through this descriptor: closing any other one would drop the lock.
        let mut text = [0; TEXT.len() + 1];
        if file.read_at(&mut text, 0).ok().and_then(|read| text.get(..read)) != Some(TEXT) {
            file.write_all_at(TEXT, 0).map_err(FileError::at("writing the file", &path))?;
        }
        locked.insert(canonical.clone());
        Ok(Self { root: canonical, _held: Held::Owner { _file: file } })
    }

    /// Keeps owners from the store under `root` while somebody looks at it; `None` where there is no lock file, which this does not
    /// make. Changes nothing.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when someone owns it; [`OpenError::File`] when the file cannot be read.
    pub(crate) fn keep_out(root: &Path) -> Result<Option<Self>, OpenError> {
        let path = root.join(layout::LOCK);
        if !path.exists() {
            return Ok(None);
        }
        let in_use = || OpenError::InUse { root: root.to_owned(), lock: path.clone() };
        let canonical = root.canonicalize().map_err(FileError::at("resolving the folder", root))?;
        let mut locked = LOCKED.lock();
        if locked.contains(&canonical) {
            return Err(in_use());
        }
        let file = File::open(&path).map_err(FileError::at("opening the file", &path))?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Err(in_use()),
            Err(error) => return Err(FileError::at("locking the file", &path)(error.into()).into()),
        }
        locked.insert(canonical.clone());
        Ok(Some(Self { root: canonical, _held: Held::Reader { _file: file } }))
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        LOCKED.lock().remove(&self.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = StoreLock::acquire(dir.path()).unwrap();
        let refused = StoreLock::acquire(&dir.path().join(".")).err().unwrap();
        assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
        drop(lock);
        drop(StoreLock::acquire(dir.path()).unwrap());
        assert_eq!(std::fs::read(dir.path().join("lock")).unwrap(), b"lock");
        let reader = StoreLock::keep_out(dir.path()).unwrap();
        assert!(StoreLock::acquire(dir.path()).is_err());
        drop(reader);
        let lock = StoreLock::acquire(dir.path()).unwrap();
        assert!(matches!(StoreLock::keep_out(dir.path()), Err(OpenError::InUse { .. })));
        drop(lock);
        let empty = tempfile::tempdir().unwrap();
        assert!(StoreLock::keep_out(empty.path()).unwrap().is_none());
        assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    }
}
