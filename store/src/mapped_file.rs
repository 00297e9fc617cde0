//! One file of the commit log: its name, its place in the log, its map, its bytes on disk.
//!
//! A file has its full length from the first moment, so that a broker of any kind can load what a crash leaves; its blocks
//! are given to it before it is mapped, so that a full disk is an error here and never a fault at a write. Never here:
//! what the bytes mean.
//!
//! Upstream: `DefaultMappedFile`.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{Advice, SeekFrom, fadvise, seek};
use rustix::io::Errno;

use crate::error::FileError;
use crate::io::{self as store_io, StoreFile};
use crate::layout;
use crate::mmap::{AppendRegion, PAGE, RegionError};

/// Bytes that are zeroed and synced at a time: a sync of the log that comes in between waits for no more than this.
const ZERO_CHUNK: usize = 512 << 10;

/// A mapped file of the log.
pub(crate) struct MappedFile {
    path: PathBuf,
    /// Physical offset of the first byte.
    base: i64,
    file: StoreFile,
    region: AppendRegion,
    /// The file holds zeros ahead of its end, not just reserved space: a write that begins a page must fill it, or the system
    /// reads the page first.
    is_written_ahead: bool,
}

impl MappedFile {
    /// Makes the file that begins at `base` in `dir`, `size` bytes, all zero.
    ///
    /// With `go_on_zeroing`, zeros are written and synced chunk by chunk while it says true, one chunk at least: the first
    /// sync of blocks that were only reserved has to change file system metadata, which makes it slow. The zeros go past the
    /// page cache where the file system can: nobody reads them.
    ///
    /// # Errors
    /// [`FileError`], and no file is left behind.
    pub(crate) fn create(
        dir: &Path,
        base: i64,
        size: u64,
        go_on_zeroing: Option<&dyn Fn() -> bool>,
    ) -> Result<Self, FileError> {
        let path = dir.join(layout::file_name(base));
        let file = StoreFile::create_new(&path);
        let file = file.map_err(FileError::at("making the file", &path))?;
        let made = Self::fill(file, path.clone(), base, size, go_on_zeroing).and_then(|file| {
            layout::sync_dir(dir)?;
            Ok(file)
        });
        if made.is_err() {
            // The error that is returned says more than one about the removal would.
            let _ = store_io::remove_file(&path);
        }
        made
    }

    fn fill(
        file: StoreFile,
        path: PathBuf,
        base: i64,
        size: u64,
        go_on_zeroing: Option<&dyn Fn() -> bool>,
    ) -> Result<Self, FileError> {
        file.set_length(size).map_err(FileError::at("lengthening the file", &path))?;
        allocate(&file, 0, size).map_err(FileError::at("reserving space for the file", &path))?;
        if let Some(go_on) = go_on_zeroing {
            let unbuffered = StoreFile::open_unbuffered(&path).ok();
            zero(&file, unbuffered.as_ref(), 0, size, go_on).map_err(FileError::at("zeroing the file", &path))?;
        } else {
            // A name without the whole length, which a loss of power may leave, is no file of the log.
            file.sync_data().map_err(FileError::at("syncing the file", &path))?;
        }
        Ok(Self { is_written_ahead: go_on_zeroing.is_some(), ..Self::map(file, path, base, size, 0)? })
    }

    fn map(file: StoreFile, path: PathBuf, base: i64, size: u64, published: usize) -> Result<Self, FileError> {
        let length = usize::try_from(size).map_err(|error| io::Error::new(io::ErrorKind::FileTooLarge, error));
        let region = length.and_then(|length| match file.is_overlaid() {
            false => AppendRegion::map(file.as_file(), length, published),
            true => AppendRegion::map_private(file.as_file(), length),
        });
        let region = region.map_err(FileError::at("mapping the file", &path))?;
        Ok(Self { path, base, file, region, is_written_ahead: true })
    }

    /// Opens a file that is there, all of it readable: recovery lowers the end.
    ///
    /// # Errors
    /// [`FileError`], also when the file is shorter than `size`.
    pub(crate) fn open(path: PathBuf, base: i64, size: u64) -> Result<Self, FileError> {
        let file = StoreFile::open(&path);
        let file = file.map_err(FileError::at("opening the file", &path))?;
        let published = usize::try_from(size).unwrap_or(usize::MAX);
        Self::map(file, path, base, size, published)
    }

    /// Path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Physical offset of the first byte.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// Physical offset of the first byte after the file.
    pub(crate) fn limit(&self) -> i64 {
        self.base + self.size() as i64
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> usize {
        self.region.len()
    }

    /// Bytes that can be read.
    pub(crate) fn published(&self) -> usize {
        self.region.published()
    }

    /// The `length` bytes at physical offset `from`, if all of them are in this file and can be read.
    pub(crate) fn slice(&self, from: i64, length: usize) -> Option<&[u8]> {
        let position = usize::try_from(from.checked_sub(self.base)?).ok()?;
        self.region.slice(position, length)
    }

    /// What can be read from physical offset `from` to the end of this file; `None` outside of it.
    pub(crate) fn rest(&self, from: i64) -> Option<&[u8]> {
        let position = usize::try_from(from.checked_sub(self.base)?).ok()?;
        self.region.slice(position, self.region.published().checked_sub(position)?)
    }

    /// Where, from physical offset `from` on, anything may have been written next, and where that ends: what lies between is
    /// known to the file system to be empty, and reads as zeros. `None` when nothing follows in this file.
    pub(crate) fn next_written(&self, from: i64) -> Option<(i64, i64)> {
        let begin = u64::try_from(from.checked_sub(self.base)?).ok().filter(|begin| *begin < self.size() as u64)?;
        let (begin, end) = written_range(self.file.as_file(), begin, self.size() as u64)?;
        Some((self.base + begin as i64, self.base + end as i64))
    }

    /// Has the system read `length` bytes from physical offset `from` on before they are needed.
    pub(crate) fn read_ahead(&self, from: i64, length: i64) {
        let begin = u64::try_from(from.saturating_sub(self.base)).unwrap_or(0);
        // Only a hint: without it the read is slower.
        let _ =
            fadvise(self.file.as_file(), begin, u64::try_from(length).ok().and_then(NonZeroU64::new), Advice::WillNeed);
    }

    /// Lets the system read ahead of what is asked for, or not.
    pub(crate) fn set_read_ahead(&self, is_ahead: bool) {
        self.region.advise_order(is_ahead);
        // Only a hint.
        let _ = fadvise(self.file.as_file(), 0, None, if is_ahead { Advice::Normal } else { Advice::Random });
    }

    /// For each `chunk` bytes of the file, a multiple of the page size, whether most of it is in memory.
    pub(crate) fn cached(&self, chunk: usize) -> Vec<bool> {
        let pages = self.region.cached_pages(0, self.size());
        pages
            .chunks(chunk / PAGE)
            .map(|pages| pages.iter().filter(|is_cached| **is_cached).count() > pages.len() / 2)
            .collect()
    }

    /// Lets the system take back the memory of `length` bytes from physical offset `from` on, as far as they are on disk.
    pub(crate) fn let_go(&self, from: i64, length: i64) {
        let (Ok(position), Ok(length)) = (usize::try_from(from.saturating_sub(self.base)), usize::try_from(length))
        else {
            return;
        };
        self.region.unmap_pages(position, length);
        // Only a hint: the memory stays taken otherwise.
        let _ = fadvise(self.file.as_file(), position as u64, NonZeroU64::new(length as u64), Advice::DontNeed);
    }

    /// As [`MappedFile::slice`], but the bytes keep the map alive for as long as they are held.
    pub(crate) fn bytes(self: &Arc<Self>, from: i64, length: usize) -> Option<Bytes> {
        self.slice(from, length)?;
        Some(Bytes::from_owner(HeldSlice { file: Arc::clone(self), from, length }))
    }

    /// Writes `bytes` at `position` of the file, at or past the end of what can be read, which stays where it is.
    ///
    /// Written by the file's descriptor and read through the map, which shows the same page-cache pages. Writing through
    /// the map costs more than the system call: a fault on a reserved page reads ahead and zeroes megabytes, and every
    /// flush must protect each page again, with an interrupt to the other processors (a quarter of all processor time
    /// under load). And a disk that fails makes an error of a call, and ends the process at a fault.
    ///
    /// # Errors
    /// [`FileError`]; some of the bytes may stand in the file.
    pub(crate) fn write(&self, position: usize, bytes: &[u8]) -> Result<(), FileError> {
        const ZEROS: [u8; PAGE] = [0; PAGE];
        let end = position + bytes.len();
        if position < self.published() || end > self.size() {
            let wrong =
                io::Error::new(io::ErrorKind::InvalidInput, format!("no room for a write of [{position}, {end})"));
            return Err(FileError::at("writing", &self.path)(wrong));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let padding = if self.is_written_ahead { (PAGE - end % PAGE) % PAGE } else { 0 };
        let zeros = ZEROS.get(..padding.min(self.size() - end)).unwrap_or_default();
        let written = match zeros {
            [] => self.file.write_all_at(bytes, position as u64),
            zeros => self.file.write_padded_at(bytes, zeros, position as u64),
        };
        written.map_err(FileError::at("writing", &self.path))
    }

    /// Lets readers see what stands in `[from, to)`, where `from` must be the end of what they see.
    ///
    /// # Errors
    /// [`RegionError`]; they see no more then.
    pub(crate) fn publish(&self, from: usize, to: usize) -> Result<(), RegionError> {
        self.region.publish(from, to)
    }

    /// Waits until everything written so far is on disk.
    ///
    /// # Errors
    /// What the system says. Pages that could not be written count as clean afterwards, so a second try proves nothing.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Ends the file at `position`: what stands between it and `clear_to` becomes zero, and blocks that a sparse file lacks
    /// are given to it, so that appending cannot fault. On disk when it returns.
    ///
    /// # Errors
    /// [`FileError`] when the system refuses.
    pub(crate) fn cut(&mut self, position: usize, clear_to: usize) -> Result<(), FileError> {
        let size = self.size();
        self.region.reset_published(position);
        let result = zero_where_needed(&self.file, position as u64, clear_to.min(size) as u64)
            .and_then(|()| allocate(&self.file, position as u64, size as u64))
            .and_then(|()| self.file.sync_data());
        result.map_err(FileError::at("clearing the end of the file", &self.path))
    }

    /// Deletes the file. Slices that are held stay readable.
    ///
    /// # Errors
    /// [`FileError`] when the system refuses.
    pub(crate) fn remove(&self) -> Result<(), FileError> {
        store_io::remove_file(&self.path).map_err(FileError::at("deleting the file", &self.path))
    }
}

/// Bytes of a file, and the file.
struct HeldSlice {
    file: Arc<MappedFile>,
    from: i64,
    length: usize,
}

impl AsRef<[u8]> for HeldSlice {
    fn as_ref(&self) -> &[u8] {
        // Was there when this was made, and a shared file is never cut.
        self.file.slice(self.from, self.length).unwrap_or_default()
    }
}

/// Reserves the blocks of `[from, to)`. Where the file system cannot, zeros are written instead: nothing may stand
/// there yet.
fn allocate(file: &StoreFile, from: u64, to: u64) -> io::Result<()> {
    if file.allocate(from, to)? { Ok(()) } else { zero(file, None, from, to, &|| true) }
}

/// Writes and syncs zeros over `[from, to)`, one chunk, and then while `go_on` says so; by `unbuffered`, the same file, as
/// long as that works.
fn zero(
    file: &StoreFile,
    mut unbuffered: Option<&StoreFile>,
    from: u64,
    to: u64,
    go_on: &dyn Fn() -> bool,
) -> io::Result<()> {
    let zeros = vec![0; ZERO_CHUNK + PAGE];
    // Writes past the page cache take their memory page by page.
    let zeros = zeros.get(zeros.as_ptr().align_offset(PAGE)..).unwrap_or_default();
    let mut position = from;
    while position < to {
        let length = usize::try_from(to - position).unwrap_or(ZERO_CHUNK).min(ZERO_CHUNK);
        let chunk = zeros.get(..length).unwrap_or(zeros);
        let past_cache = unbuffered.filter(|_| length.is_multiple_of(PAGE));
        let is_written = past_cache.is_some_and(|unbuffered| unbuffered.write_all_at(chunk, position).is_ok());
        if !is_written {
            unbuffered = None;
            file.write_all_at(chunk, position)?;
        }
        file.sync_data()?;
        position += length as u64;
        if !go_on() {
            break;
        }
    }
    Ok(())
}

/// The first part of `[from, size)` that may have been written; all of it where the file system does not know.
fn written_range(file: &File, from: u64, size: u64) -> Option<(u64, u64)> {
    let begin = match seek(file, SeekFrom::Data(from)) {
        Err(Errno::NXIO) => return None,
        Err(_) => from,
        Ok(begin) => begin,
    };
    let end = seek(file, SeekFrom::Hole(begin)).unwrap_or(size).min(size);
    (begin < end).then_some((begin, end))
}

/// Zeros what is not zero in `[from, to)`, so that a sparse or reserved tail stays as it is.
fn zero_where_needed(file: &StoreFile, mut from: u64, to: u64) -> io::Result<()> {
    while let Some((begin, end)) = written_range(file.as_file(), from, to) {
        zero_range_where_needed(file, begin, end)?;
        from = end;
    }
    Ok(())
}

fn zero_range_where_needed(file: &StoreFile, from: u64, to: u64) -> io::Result<()> {
    const PIECE: usize = 64 << 10;
    let zeros = vec![0_u8; PIECE];
    let mut read = vec![0_u8; PIECE];
    let mut position = from;
    while position < to {
        let length = usize::try_from(to - position).unwrap_or(PIECE).min(PIECE);
        let piece = read.get_mut(..length).unwrap_or_default();
        file.read_exact_at(piece, position)?;
        let zeros = zeros.get(..length).unwrap_or(&zeros);
        if piece != zeros {
            file.write_all_at(zeros, position)?;
        }
        position += length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_file_has_its_length_and_its_blocks() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        for (base, zeroing) in [(0, None), (65536, Some(&(|| true) as &dyn Fn() -> bool))] {
            let file = MappedFile::create(dir.path(), base, 65536, zeroing).unwrap();
            let metadata = std::fs::metadata(file.path()).unwrap();
            assert_eq!(metadata.len(), 65536);
            assert!(metadata.blocks() * 512 >= 65536, "{} blocks", metadata.blocks());
            assert_eq!(file.limit(), base + 65536);
        }
        assert!(MappedFile::create(dir.path(), 0, 65536, None).is_err(), "a file is never made anew over another");
        assert_eq!(std::fs::metadata(dir.path().join(layout::file_name(0))).unwrap().len(), 65536);
    }

    #[test]
    fn held_bytes_outlive_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(MappedFile::create(dir.path(), 4096, 4096, None).unwrap());
        file.write(0, b"hello").unwrap();
        file.publish(0, 5).unwrap();
        assert!(file.write(4, b"x").is_err() && file.write(4090, b"too long").is_err());
        let bytes = file.bytes(4097, 4).unwrap();
        assert!(file.bytes(4097, 5).is_none());
        assert!(file.bytes(4095, 1).is_none());
        file.remove().unwrap();
        drop(file);
        assert_eq!(&bytes[..], b"ello");
    }

    #[test]
    fn cutting_clears_and_allocates() {
        use std::fs::File;
        use std::os::unix::fs::{FileExt, MetadataExt};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(layout::file_name(0));
        let sparse = File::create(&path).unwrap();
        sparse.set_len(1 << 20).unwrap();
        sparse.write_all_at(b"keep", 0).unwrap();
        sparse.write_all_at(b"stale", 500_000).unwrap();
        let mut file = MappedFile::open(path.clone(), 0, 1 << 20).unwrap();
        assert_eq!(file.slice(500_000, 5).unwrap(), b"stale");
        file.cut(4, 1 << 20).unwrap();
        assert_eq!(file.published(), 4);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[..4], b"keep");
        assert!(bytes[4..].iter().all(|byte| *byte == 0));
        assert!(std::fs::metadata(&path).unwrap().blocks() * 512 >= 1 << 20);
    }
}
