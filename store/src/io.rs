//! Every change the store makes to the file system, and every file it opens to change.
//!
//! Thin calls of the operating system and nothing else. The tests of this crate watch them: what each call did is written down
//! (`watch`), so that a loss of power can be played after each of them, and any call can be made to fail.
//! No other module of the store writes, syncs, lengthens, renames or deletes; reading folders is free to all. That is why a look at
//! a store that must not change it can have all of it kept in memory instead (`overlay`).
//!
//! Never here: what the bytes mean, what to do when a call fails.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, OFlags, fallocate, syncfs};
use rustix::io::{Errno, pwritev};

use crate::mmap::SlotRegion;

mod overlay;
#[cfg(test)]
pub(crate) mod watch;

pub(crate) use overlay::Overlay;
use overlay::Pages;

/// Runs a call; in tests, what it does is written down, or it fails in the call's place.
#[cfg(not(test))]
macro_rules! watched {
    ($watched:expr, $change:expr, $call:expr) => {
        $call
    };
}
#[cfg(test)]
macro_rules! watched {
    ($watched:expr, $change:expr, $call:expr) => {
        watch::run($watched, || $change, || $call)
    };
}

/// Runs a call that reads; in tests it may fail in the call's place.
#[cfg(not(test))]
macro_rules! read {
    ($watched:expr, $call:expr) => {
        $call
    };
}
#[cfg(test)]
macro_rules! read {
    ($watched:expr, $call:expr) => {
        match watch::may_read($watched) {
            Ok(()) => $call,
            Err(error) => Err(error),
        }
    };
}

/// An open file that the store may change.
#[derive(Debug)]
pub(crate) struct StoreFile {
    file: File,
    /// In place of the file, where changes are not to be made.
    overlaid: Option<Arc<Mutex<Pages>>>,
    #[cfg(test)]
    watched: Option<watch::Watched>,
}

impl StoreFile {
    /// Makes a file that is not there yet. Its name survives a loss of power after [`sync_dir`].
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] when it is there.
    pub(crate) fn create_new(path: &Path) -> io::Result<Self> {
        if let Some(overlay) = overlay::find(path) {
            return overlay.open(path, true).map(|(file, pages)| Self::overlaid(file, pages, path));
        }
        let open = || OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = watched!(watch::find(path).as_ref(), watch::Change::Create, open())?;
        Ok(Self::new(file, path))
    }

    /// Opens a file that is there.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotFound`] when it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(overlay) = overlay::find(path) {
            return overlay.open(path, false).map(|(file, pages)| Self::overlaid(file, pages, path));
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self::new(file, path))
    }

    /// Opens a file that is there so that what is written goes past the page cache: memory, position and length of a write
    /// must be multiples of the block size. Not every file system can.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open_unbuffered(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECT.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        Ok(Self::new(file, path))
    }

    /// Opens a file, and makes it when it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open_or_create(path: &Path) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        match Self::create_new(path) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::open(path),
            other => other,
        }
    }

    fn new(file: File, path: &Path) -> Self {
        let _ = path;
        Self {
            file,
            overlaid: None,
            #[cfg(test)]
            watched: watch::find(path),
        }
    }

    fn overlaid(file: File, pages: Arc<Mutex<Pages>>, path: &Path) -> Self {
        Self { overlaid: Some(pages), ..Self::new(file, path) }
    }

    /// Whether changes to this file are kept in memory: then maps of it must be private.
    pub(crate) fn is_overlaid(&self) -> bool {
        self.overlaid.is_some()
    }

    /// The file, for mapping, locking and reading.
    pub(crate) fn as_file(&self) -> &File {
        &self.file
    }

    /// Maps the first `length` bytes, to be rewritten in place; [`sync_map`] writes them to disk.
    ///
    /// # Errors
    /// As [`SlotRegion::map`].
    pub(crate) fn map_slots(&self, length: usize) -> io::Result<SlotRegion> {
        #[cfg(test)]
        if let Some(watched) = &self.watched {
            watched.look_at_map();
        }
        match &self.overlaid {
            None => SlotRegion::map(&self.file, length),
            Some(_) => SlotRegion::map_private(&self.file, length),
        }
    }

    /// Bytes of the file.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match &self.overlaid {
            None => Ok(self.file.metadata()?.len()),
            Some(pages) => Ok(pages.lock().length()),
        }
    }

    /// Reads what there is at `position`, up to `bytes.len()`. Returns how many bytes; 0 at the end.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        match &self.overlaid {
            None => read!(self.watched.as_ref(), self.file.read_at(bytes, position)),
            Some(pages) => pages.lock().read_at(bytes, position),
        }
    }

    /// Fills `bytes` from `position` on.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::UnexpectedEof`] when the file ends before.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        match &self.overlaid {
            None => read!(self.watched.as_ref(), self.file.read_exact_at(bytes, position)),
            Some(pages) => match pages.lock().read_at(bytes, position)? {
                read if read == bytes.len() => Ok(()),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        }
    }

    /// Writes `bytes` at `position`. They survive a loss of power after [`StoreFile::sync_data`].
    ///
    /// # Errors
    /// What the system says; some of the bytes may be written.
    #[inline]
    pub(crate) fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        if let Some(pages) = &self.overlaid {
            return pages.lock().write_at(bytes, position);
        }
        watched!(
            self.watched.as_ref(),
            watch::Change::Write { position, bytes: bytes.to_vec() },
            self.file.write_all_at(bytes, position)
        )
    }

    /// Writes `bytes` and `zeros`, which are zeros, behind them at `position`, in one call where the system takes all at once.
    ///
    /// # Errors
    /// What the system says; some of the bytes may be written.
    #[inline]
    pub(crate) fn write_padded_at(&self, bytes: &[u8], zeros: &[u8], position: u64) -> io::Result<()> {
        if let Some(pages) = &self.overlaid {
            return pages.lock().write_at(bytes, position);
        }
        let call = || {
            let done = pwritev(&self.file, &[IoSlice::new(bytes), IoSlice::new(zeros)], position)?;
            match bytes.get(done..) {
                // The zeros stand there already; they were to spare the system a read.
                None | Some([]) => Ok(()),
                Some(rest) => self.file.write_all_at(rest, position + done as u64),
            }
        };
        watched!(self.watched.as_ref(), watch::Change::Write { position, bytes: [bytes, zeros].concat() }, call())
    }

    /// Waits until all that was written, and the file's length, is on disk.
    ///
    /// # Errors
    /// What the system says. Nobody knows then what is on disk, and a second try proves nothing.
    #[inline]
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        if self.is_overlaid() {
            return Ok(());
        }
        watched!(self.watched.as_ref(), watch::Change::Sync, self.file.sync_data())
    }

    /// Makes the file `length` bytes long, cutting it or adding zeros that have no blocks. Never for a file that is mapped.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn set_length(&self, length: u64) -> io::Result<()> {
        if let Some(pages) = &self.overlaid {
            return pages.lock().set_length(length);
        }
        watched!(self.watched.as_ref(), watch::Change::SetLength(length), self.file.set_len(length))
    }

    /// Makes `[from, to)` zero, giving the blocks back where the file system can.
    ///
    /// # Errors
    /// What the system says; some of it may be zero.
    pub(crate) fn clear(&self, from: u64, to: u64) -> io::Result<()> {
        if from >= to {
            return Ok(());
        }
        if let Some(pages) = &self.overlaid {
            return pages.lock().clear(from, to);
        }
        let call =
            || match fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, from, to - from) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(&self.file, from, to),
                other => other.map_err(io::Error::from),
            };
        watched!(
            self.watched.as_ref(),
            watch::Change::Write { position: from, bytes: vec![0; usize::try_from(to - from).unwrap_or(0)] },
            call()
        )
    }

    /// Reserves blocks for `[from, to)`, lengthening the file if need be; what stands there stays. False where the file system
    /// has no call for that.
    ///
    /// # Errors
    /// What the system says, above all that the disk is full.
    pub(crate) fn allocate(&self, from: u64, to: u64) -> io::Result<bool> {
        if from >= to || self.is_overlaid() {
            return Ok(true);
        }
        let call = || match fallocate(&self.file, FallocateFlags::empty(), from, to - from) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(error) => Err(error.into()),
        };
        watched!(self.watched.as_ref(), watch::Change::Allocate { to }, call())
    }
}

fn write_zeros(file: &File, mut from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; 4096];
    while from < to {
        let length = usize::try_from(to - from).unwrap_or(zeros.len()).min(zeros.len());
        file.write_all_at(zeros.get(..length).unwrap_or(&zeros), from)?;
        from += length as u64;
    }
    Ok(())
}

/// Writes the changed pages of a mapped file, the one at `path`, to disk and waits for them.
///
/// # Errors
/// What the system says; the pages may or may not be on disk then.
pub(crate) fn sync_map(region: &SlotRegion, path: &Path) -> io::Result<()> {
    let _ = path;
    watched!(watch::find(path).as_ref(), watch::Change::Sync, region.flush())
}

/// Makes the file at `path` hold `bytes`, in place: for files whose content does not matter.
///
/// # Errors
/// What the system says.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = StoreFile::open_or_create(path)?;
    file.set_length(0)?;
    file.write_all_at(bytes, 0)
}

/// Gives a file another name, taking the place of what had it. Survives a loss of power after [`sync_dir`].
///
/// # Errors
/// What the system says.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if overlay::find(from).is_some() {
        // Nothing is renamed to be read again by the name it gets.
        return Ok(());
    }
    watched!(watch::find(from).as_ref(), watch::Change::Rename { to: to.to_owned() }, std::fs::rename(from, to))
}

/// Deletes a file. Survives a loss of power after [`sync_dir`].
///
/// # Errors
/// What the system says.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    if let Some(overlay) = overlay::find(path) {
        return overlay.remove(path);
    }
    watched!(watch::find(path).as_ref(), watch::Change::Remove, std::fs::remove_file(path))
}

/// Deletes an empty folder.
///
/// # Errors
/// What the system says.
pub(crate) fn remove_dir(path: &Path) -> io::Result<()> {
    if overlay::find(path).is_some() {
        return Ok(());
    }
    watched!(watch::find(path).as_ref(), watch::Change::Remove, std::fs::remove_dir(path))
}

/// Deletes a folder and all in it.
///
/// # Errors
/// What the system says; some of it may be deleted.
pub(crate) fn remove_dir_all(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { remove_dir_all(&entry.path())? } else { remove_file(&entry.path())? }
    }
    remove_dir(path)
}

/// Makes a folder and what is missing above it. Their names survive a loss of power after [`sync_dir`] of the folders above.
///
/// # Errors
/// What the system says.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    if overlay::find(path).is_some() {
        return Ok(());
    }
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match create_dir(path) {
        Err(error) if missing(&error) => {}
        other => return other,
    }
    if let Some(above) = path.parent() {
        create_dir_all(above)?;
    }
    create_dir(path)
}

/// Makes a folder unless it is there.
fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    match watched!(watch::find(path).as_ref(), watch::Change::CreateDir, std::fs::create_dir(path)) {
        // Somebody else was faster; a file of the name is an error.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes names that were made, changed or deleted in a folder survive a loss of power.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    if overlay::find(path).is_some() {
        return Ok(());
    }
    let call = || File::open(path)?.sync_all();
    watched!(watch::find(path).as_ref(), watch::Change::SyncDir, call())
}

/// Waits until everything that was written to the file system of the folder `path`, by anyone, is on disk.
///
/// # Errors
/// What the system says, also of a file that is not the store's. Nobody knows then what is on disk.
pub(crate) fn sync_file_system(path: &Path) -> io::Result<()> {
    if overlay::find(path).is_some() {
        return Ok(());
    }
    let call = || Ok(syncfs(File::open(path)?)?);
    // Stores under watch are too small for this; what is written down claims less than what happened.
    watched!(watch::find(path).as_ref(), watch::Change::SyncDir, call())
}
