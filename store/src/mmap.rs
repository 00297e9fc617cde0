//! Mapped files: the only file of this workspace with `unsafe` in it.
//!
//! Two shapes of mapped memory, each offering safe functions only:
//!
//! ```text
//! AppendRegion   | published bytes: never change, lent out as &[u8] | unpublished: written by the file's descriptor |
//!                0                                       published()                                            len()
//! SlotRegion     | i32 | i32 | i64 (two i32) | ...   big-endian cells, rewritten in place, never lent out
//! ```
//!
//! What makes the mapping itself sound, for both:
//! - one process owns the store's directory (the store lock is taken before the first file is opened), and within
//!   it a file is mapped by one region at a time;
//! - a mapped file is never shortened (that would turn an access into SIGBUS): the regions check its length once,
//!   when they are made, and no code of this crate calls `set_len` on a file that is mapped;
//! - files are given their blocks before they are mapped (`fallocate`), so a write cannot fault on a full disk; into the log
//!   nothing is written through a map at all, because on a disk that failed that would fault all the same.
//!
//! Never here: what the bytes mean, which file to open, when to flush.
//!
//! Upstream: `DefaultMappedFile`, `IndexFile`, `StoreCheckpoint`.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// Why bytes of an [`AppendRegion`] were not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegionError {
    /// The position is not the published end.
    #[error("publishing from {position} on while the end is at {end}")]
    NotAtEnd {
        /// Where the caller wanted to begin.
        position: usize,
        /// Where the region's published end is.
        end: usize,
    },
    /// The region has no room.
    #[error("publishing from {position} to {end} in a region of {capacity}")]
    Full {
        /// Where the caller wanted to begin.
        position: usize,
        /// Where the caller wanted to end.
        end: usize,
        /// Size of the region.
        capacity: usize,
    },
}

fn map(file: &File, length: usize) -> io::Result<MmapRaw> {
    check_length(file, length)?;
    MmapOptions::new().len(length).map_raw(file)
}

fn check_length(file: &File, length: usize) -> io::Result<()> {
    let held = file.metadata()?.len();
    if held < length as u64 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file holds {held} bytes, {length} were to be mapped"),
        ));
    }
    Ok(())
}

/// As [`map`], but what is written to the map stays in this process.
fn map_private(file: &File, length: usize) -> io::Result<MmapRaw> {
    check_length(file, length)?;
    // SAFETY: the map is private, so writes to it change no file. That no one else changes the file under it is the contract of this
    // module: the one who maps holds the store's lock, here to read.
    #[expect(unsafe_code, reason = "a private map of a file; see SAFETY")]
    let map = unsafe { MmapOptions::new().len(length).map_copy(file) }?;
    Ok(map.into())
}

/// A mapped file that only grows: bytes below [`AppendRegion::published`] never change.
pub(crate) struct AppendRegion {
    map: MmapRaw,
    /// End of the bytes that readers may see. Stored with `Release` after the bytes are written.
    published: AtomicUsize,
}

impl AppendRegion {
    /// Maps the first `length` bytes of `file`, the first `published` of which are there to be read.
    ///
    /// # Errors
    /// The file is shorter than `length`, `published` lies past `length`, or the system refused the map.
    pub(crate) fn map(file: &File, length: usize, published: usize) -> io::Result<Self> {
        if published > length {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "published length past the end of the map"));
        }
        Ok(Self { map: map(file, length)?, published: AtomicUsize::new(published) })
    }

    /// The same, all of it to be read, with writes that stay in this process.
    ///
    /// # Errors
    /// The file is shorter than `length`, or the system refused the map.
    pub(crate) fn map_private(file: &File, length: usize) -> io::Result<Self> {
        Ok(Self { map: map_private(file, length)?, published: AtomicUsize::new(length) })
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// End of the bytes that readers may see.
    pub(crate) fn published(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// The `length` bytes at `position`; `None` unless all of them are published.
    pub(crate) fn slice(&self, position: usize, length: usize) -> Option<&[u8]> {
        let end = position.checked_add(length)?;
        if end > self.published() {
            return None;
        }
        // SAFETY: `end <= published <= len` was checked just above, so the range lies inside the map. Published bytes
        // are written by nobody: nothing writes through this map, the file's descriptor writes at and above `published`
        // only (`MappedFile::write` checks it), and `reset_published`, the one function that lowers it, needs `&mut self`,
        // which the borrow returned here excludes.
        #[expect(unsafe_code, reason = "lending mapped bytes; see SAFETY")]
        Some(unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(position), length) })
    }

    /// Lets readers see the bytes in `[from, to)`, where `from` must be the published end. They have been written into the mapped file
    /// before, or are the zeros that stood there; from here on they never change.
    ///
    /// # Errors
    /// [`RegionError`]; nothing is published then.
    pub(crate) fn publish(&self, from: usize, to: usize) -> Result<(), RegionError> {
        if to < from || to > self.len() {
            return Err(RegionError::Full { position: from, end: to, capacity: self.len() });
        }
        let published = self.published.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed);
        published.map(|_| ()).map_err(|end| RegionError::NotAtEnd { position: from, end })
    }

    /// Sets the published end, up or down. Exclusive access proves that no slice is lent out.
    pub(crate) fn reset_published(&mut self, published: usize) {
        *self.published.get_mut() = published.min(self.len());
    }
}

/// A mapped file of big-endian cells that are rewritten in place. Cells are read and written one by one, through
/// atomics, and never lent out, so readers and writers may meet freely.
pub(crate) struct SlotRegion {
    map: MmapRaw,
}

impl SlotRegion {
    /// Maps the first `length` bytes of `file`.
    ///
    /// # Errors
    /// The file is shorter than `length`, or the system refused the map.
    pub(crate) fn map(file: &File, length: usize) -> io::Result<Self> {
        Ok(Self { map: map(file, length)? })
    }

    /// The same, with writes that stay in this process.
    ///
    /// # Errors
    /// As [`SlotRegion::map`].
    pub(crate) fn map_private(file: &File, length: usize) -> io::Result<Self> {
        Ok(Self { map: map_private(file, length)? })
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The four bytes at `position` as one atomic; `None` past the end or when `position` is no multiple of four.
    fn cell(&self, position: usize) -> Option<&AtomicU32> {
        let end = position.checked_add(4)?;
        if end > self.map.len() || !position.is_multiple_of(4) {
            return None;
        }
        // SAFETY: `end <= len` and `position % 4 == 0` were checked just above, and a map begins on a page boundary:
        // the four bytes lie inside the map and are aligned. All access to a SlotRegion goes through this function, so
        // every access is atomic and of one size. The map lives as long as `self`, and so does the reference.
        #[expect(unsafe_code, reason = "viewing mapped bytes as an atomic; see SAFETY")]
        Some(unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(position).cast()) })
    }

    /// The big-endian `i32` at `position`; `None` past the end or off a multiple of four.
    pub(crate) fn i32_at(&self, position: usize) -> Option<i32> {
        Some(u32::from_be(self.cell(position)?.load(Ordering::Acquire)) as i32)
    }

    /// Writes a big-endian `i32` at `position`. False, and nothing written, past the end or off a multiple of four.
    #[must_use]
    pub(crate) fn set_i32(&self, position: usize, value: i32) -> bool {
        let Some(cell) = self.cell(position) else { return false };
        cell.store((value as u32).to_be(), Ordering::Release);
        true
    }

    /// The big-endian `i64` at `position` (a multiple of four: index units are not eight-aligned). Read as two halves: a
    /// reader that meets a writer may see a mixture, so values that must be whole need a lock around both.
    pub(crate) fn i64_at(&self, position: usize) -> Option<i64> {
        let high = self.i32_at(position)?;
        let low = self.i32_at(position.checked_add(4)?)?;
        Some((i64::from(high) << 32) | i64::from(low as u32))
    }

    /// Writes a big-endian `i64` at `position` (a multiple of four), as two halves; see [`SlotRegion::i64_at`]. False, and
    /// nothing written, past the end or off a multiple of four.
    #[must_use]
    pub(crate) fn set_i64(&self, position: usize, value: i64) -> bool {
        let Some(low_position) = position.checked_add(4) else { return false };
        self.cell(low_position).is_some()
            && self.set_i32(position, (value >> 32) as i32)
            && self.set_i32(low_position, value as i32)
    }

    /// Writes all changed pages to disk and waits for them.
    ///
    /// # Errors
    /// What the system reports; the pages may or may not be on disk then.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.map.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(length: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(length).unwrap();
        file
    }

    #[test]
    fn published_bytes_are_readable_and_only_they() {
        use std::os::unix::fs::FileExt;
        let file = file_of(4096);
        let mut region = AppendRegion::map(&file, 4096, 0).unwrap();
        assert!(region.slice(0, 1).is_none());
        file.write_all_at(b"hello", 0).unwrap();
        assert!(region.slice(0, 1).is_none());
        region.publish(0, 5).unwrap();
        assert_eq!(region.slice(0, 5).unwrap(), b"hello");
        assert!(region.slice(0, 6).is_none());
        assert!(region.slice(usize::MAX, 2).is_none());
        assert_eq!(region.publish(0, 6), Err(RegionError::NotAtEnd { position: 0, end: 5 }));
        assert!(matches!(region.publish(5, 4097), Err(RegionError::Full { .. })));
        assert!(matches!(region.publish(5, 4), Err(RegionError::Full { .. })));
        file.write_all_at(b"x", 5).unwrap();
        region.publish(5, 4096).unwrap();
        assert_eq!((region.published(), region.slice(5, 2).unwrap()), (4096, &b"x\0"[..]));
        region.reset_published(1);
        assert!(region.slice(0, 3).is_none());
        file.write_all_at(b"z", 1).unwrap();
        region.publish(1, 2).unwrap();
        assert_eq!(region.slice(0, 2).unwrap(), b"hz");
    }

    #[test]
    fn a_short_file_is_not_mapped() {
        assert!(AppendRegion::map(&file_of(100), 4096, 0).is_err());
        assert!(SlotRegion::map(&file_of(100), 4096).is_err());
        assert!(AppendRegion::map(&file_of(4096), 4096, 4097).is_err());
    }

    #[test]
    fn cells_are_big_endian_and_checked() {
        use std::os::unix::fs::FileExt;
        let file = file_of(64);
        let region = SlotRegion::map(&file, 64).unwrap();
        assert!(region.set_i32(4, 0x0102_0304));
        assert!(region.set_i64(12, -2));
        assert_eq!(region.i32_at(4), Some(0x0102_0304));
        assert_eq!(region.i64_at(12), Some(-2));
        region.flush().unwrap();
        let mut read = [0; 20];
        file.read_exact_at(&mut read, 0).unwrap();
        assert_eq!(read[4..8], [1, 2, 3, 4]);
        assert_eq!(read[12..20], (-2_i64).to_be_bytes());
        for bad in [62, 64, usize::MAX, 2] {
            assert_eq!(region.i32_at(bad), None, "{bad}");
            assert!(!region.set_i32(bad, 1), "{bad}");
        }
        assert_eq!(region.i64_at(60), None);
        assert!(!region.set_i64(60, 1));
        assert_eq!(region.i32_at(60), Some(0));
    }
}
