//! The row of files that make up the commit log, found by physical offset without a lock.
//!
//! ```text
//! first().base()        + size               + 2 size
//! | file 0              | file 1             | file 2 (the one appended to) |
//! ```
//!
//! The row has no gaps: loading refuses one. Never here: what the bytes mean, when files are made or deleted.
//!
//! Upstream: `MappedFileQueue`.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::error::{FileError, OpenError};
use crate::io;
use crate::layout;
use crate::mapped_file::MappedFile;

/// The files of an open log, in order.
pub(crate) struct MappedFileQueue {
    row: ArcSwap<Vec<Arc<MappedFile>>>,
}

impl MappedFileQueue {
    /// A row of these files, which follow each other.
    pub(crate) fn new(files: Vec<MappedFile>) -> Self {
        Self { row: ArcSwap::from_pointee(files.into_iter().map(Arc::new).collect()) }
    }

    /// The file that holds physical offset `at`.
    pub(crate) fn find(&self, at: i64) -> Option<Arc<MappedFile>> {
        let row = self.row.load();
        let first = row.first()?;
        let index = usize::try_from(at.checked_sub(first.base())?).ok()?.checked_div(first.size())?;
        row.get(index).cloned()
    }

    /// The first file.
    pub(crate) fn first(&self) -> Option<Arc<MappedFile>> {
        self.row.load().first().cloned()
    }

    /// The last file.
    pub(crate) fn last(&self) -> Option<Arc<MappedFile>> {
        self.row.load().last().cloned()
    }

    /// The files that hold bytes of `[from, to)`, in order.
    pub(crate) fn between(&self, from: i64, to: i64) -> Vec<Arc<MappedFile>> {
        let row = self.row.load();
        row.iter().filter(|file| file.limit() > from && file.base() < to).cloned().collect()
    }

    /// Adds `file` at the end. One caller at a time: the holder of the append lock.
    pub(crate) fn push(&self, file: Arc<MappedFile>) {
        self.row.rcu(|row| {
            let mut row = Vec::clone(row);
            row.push(Arc::clone(&file));
            row
        });
    }

    /// Takes `file` out if it is the first of several. One caller at a time.
    pub(crate) fn remove_first(&self, file: &Arc<MappedFile>) {
        self.row.rcu(|row| match row.split_first() {
            Some((first, rest)) if Arc::ptr_eq(first, file) && !rest.is_empty() => rest.to_vec(),
            _ => row.to_vec(),
        });
    }

    /// All files, in order.
    pub(crate) fn all(&self) -> Vec<Arc<MappedFile>> {
        self.row.load().to_vec()
    }
}

/// Opens the files of the log in `dir`, in order.
///
/// # Errors
/// [`OpenError`] for a foreign name, a wrong length or a gap; nothing has been changed but that an empty last file, which
/// a crash leaves, is deleted.
pub(crate) fn load(dir: &Path, size: u64) -> Result<Vec<MappedFile>, OpenError> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        // Where folders are only thought to have been made.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(FileError::at("reading the folder", dir))?,
    };
    for entry in entries {
        let entry = entry.map_err(FileError::at("reading the folder", dir))?;
        let path = entry.path();
        let metadata = std::fs::metadata(&path).map_err(FileError::at("reading the length of", &path))?;
        if metadata.is_dir() {
            continue;
        }
        let base = entry.file_name().to_str().and_then(layout::file_position);
        let base = base.ok_or_else(|| OpenError::FileName { path: path.clone() })?;
        found.push((base, path, metadata.len()));
    }
    found.sort_unstable();
    if let Some((_, path, 0)) = found.last() {
        tracing::warn!(path = %path.display(), "the last commit log file is empty and is deleted");
        io::remove_file(path).map_err(FileError::at("deleting the file", path))?;
        found.pop();
    }
    check_row(&found, size)?;
    let open = |(base, path, _)| MappedFile::open(path, base, size).map_err(OpenError::from);
    found.into_iter().map(open).collect()
}

fn check_row(found: &[(i64, std::path::PathBuf, u64)], size: u64) -> Result<(), OpenError> {
    let mut before: Option<&(i64, std::path::PathBuf, u64)> = None;
    for file in found {
        let (base, path, length) = file;
        if *length != size {
            return Err(OpenError::FileSize { path: path.clone(), found: *length, expected: size });
        }
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if base.checked_rem(size) != Some(0) || base.checked_add(size).is_none() {
            return Err(OpenError::FileName { path: path.clone() });
        }
        if let Some((base_before, path_before, _)) = before
            && base_before + size != *base
        {
            return Err(OpenError::Gap { path: path_before.clone(), expected: base_before + size });
        }
        before = Some(file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(dir: &Path, name: &str, length: u64) {
        std::fs::File::create(dir.join(name)).unwrap().set_len(length).unwrap();
    }

    #[test]
    fn a_sound_row_loads_in_order_and_is_found_by_offset() {
        let dir = tempfile::tempdir().unwrap();
        for base in [8192, 4096, 12288] {
            touch(dir.path(), &layout::file_name(base), 4096);
        }
        touch(dir.path(), &layout::file_name(16384), 0);
        std::fs::create_dir(dir.path().join("lost+found")).unwrap();
        let row = MappedFileQueue::new(load(dir.path(), 4096).unwrap());
        assert!(!dir.path().join(layout::file_name(16384)).exists());
        for (at, base) in [(4096, Some(4096)), (8191, Some(4096)), (8192, Some(8192)), (16383, Some(12288))] {
            assert_eq!(row.find(at).map(|file| file.base()), base, "{at}");
        }
        for at in [4095, 16384, -1, i64::MAX, i64::MIN] {
            assert!(row.find(at).is_none(), "{at}");
        }
        assert_eq!(row.between(8191, 8193).len(), 2);
        assert_eq!(row.between(8192, 8193).len(), 1);
    }

    #[test]
    fn an_unsound_row_is_refused_and_left_alone() {
        type Check = fn(&OpenError) -> bool;
        let cases: [(&[(&str, u64)], Check); 4] = [
            (&[("00000000000000000000", 4096), ("x.tmp", 1)], |error| matches!(error, OpenError::FileName { .. })),
            (&[("00000000000000000000", 4095)], |error| matches!(error, OpenError::FileSize { found: 4095, .. })),
            (&[("00000000000000000001", 4096)], |error| matches!(error, OpenError::FileName { .. })),
            (&[("00000000000000000000", 4096), ("00000000000000008192", 4096)], |error| {
                matches!(error, OpenError::Gap { expected: 4096, .. })
            }),
        ];
        for (files, is_expected) in cases {
            let dir = tempfile::tempdir().unwrap();
            for (name, length) in files {
                touch(dir.path(), name, *length);
            }
            let error = load(dir.path(), 4096).err().unwrap();
            assert!(is_expected(&error), "{error}");
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), files.len());
        }
    }
}
