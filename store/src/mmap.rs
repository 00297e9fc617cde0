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
//! What a map cannot do is report an error: where the disk fails to read, or somebody else shortened the file, an access raises SIGBUS.
//! A handler then names the file on standard error and ends the process with [`EXIT_FAULT`]: nobody is served what was not
//! read, and the next start recovers. The system calls that send mapped bytes return an error instead, to that client alone.
//!
//! Never here: what the bytes mean, which file to open, when to flush.
//!
//! Upstream: `DefaultMappedFile`, `IndexFile`, `StoreCheckpoint`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};

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

/// Bytes of a page of the page cache, and a multiple of the block size of every disk in use. Where pages are larger, what is said of
/// them is a guess that costs time only.
pub(crate) const PAGE: usize = 4096;
/// Exit code of a process in which a mapped file could not be read (`EX_IOERR` of sysexits.h).
pub(crate) const EXIT_FAULT: i32 = 74;
/// Maps that can be named at once; a fault in one more ends the process without a word.
const NAMED_MAPS: usize = 2048;
/// Bytes of a name: the end of the path.
const NAME_LENGTH: usize = 96;

/// A map, and what a fault in it is told by.
struct NamedMap {
    map: MmapRaw,
    name: Option<&'static MapName>,
}

/// What the handler of SIGBUS reads: atomics only, because it may run at any moment.
struct MapName {
    /// Address of the map; 0 for a free place.
    begin: AtomicUsize,
    length: AtomicUsize,
    name: [AtomicU8; NAME_LENGTH],
}

static NAMES: [MapName; NAMED_MAPS] = [const {
    MapName { begin: AtomicUsize::new(0), length: AtomicUsize::new(0), name: [const { AtomicU8::new(0) }; NAME_LENGTH] }
}; NAMED_MAPS];

impl NamedMap {
    /// Notes down which file `map` is of.
    fn new(map: MmapRaw, file: &File) -> Self {
        static HANDLER: Once = Once::new();
        HANDLER.call_once(handle_faults);
        let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
        let path = path.as_os_str().as_bytes();
        let end = path.get(path.len().saturating_sub(NAME_LENGTH)..).unwrap_or_default();
        let begin = map.as_ptr() as usize;
        let is_taken =
            |place: &&MapName| place.begin.compare_exchange(0, begin, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let place = NAMES.iter().find(is_taken);
        if let Some(place) = place {
            let bytes = end.iter().copied().chain(std::iter::repeat(0));
            place.name.iter().zip(bytes).for_each(|(cell, byte)| cell.store(byte, Ordering::Relaxed));
            place.length.store(map.len(), Ordering::Release);
        }
        Self { map, name: place }
    }
}

impl Drop for NamedMap {
    fn drop(&mut self) {
        if let Some(place) = self.name {
            place.length.store(0, Ordering::Release);
            place.begin.store(0, Ordering::Release);
        }
    }
}

/// Has SIGBUS handled by [`on_fault`], for the whole process.
fn handle_faults() {
    // SAFETY: a zeroed `sigaction` is a valid one, with an empty mask; the handler has the signature that SA_SIGINFO asks for, and
    // does nothing that a handler may not. SA_ONSTACK: it needs no room on a stack that may be full.
    #[expect(unsafe_code, reason = "installing a signal handler; see SAFETY")]
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
    }
}

/// Names the file and ends the process. For a fault elsewhere: gives the signal back to the system, which raises it again.
extern "C" fn on_fault(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the system calls this with a valid `info` of SIGBUS, which has an address. `write`, `_exit` and `signal` may be called in a
    // handler, and the bytes written are live: one static text, and a copy on this stack.
    #[expect(unsafe_code, reason = "what a signal handler does; see SAFETY")]
    unsafe {
        let address = (*info).si_addr() as usize;
        let holds_it = |place: &&MapName| {
            let begin = place.begin.load(Ordering::Acquire);
            begin != 0 && address.wrapping_sub(begin) < place.length.load(Ordering::Acquire)
        };
        let Some(place) = NAMES.iter().find(holds_it) else {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
            return;
        };
        let mut name = [0; NAME_LENGTH];
        for (byte, cell) in name.iter_mut().zip(&place.name) {
            *byte = cell.load(Ordering::Relaxed);
        }
        let length = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_LENGTH);
        let say = |text: &[u8]| libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
        say(b"\nFATAL: this file of the store cannot be read: ");
        say(name.get(..length).unwrap_or_default());
        say(b"\nIts disk fails, or somebody made it shorter. The process ends; look at the kernel's log, check the disk, and start again.\n");
        libc::_exit(EXIT_FAULT);
    }
}

fn map(file: &File, length: usize) -> io::Result<NamedMap> {
    check_length(file, length)?;
    Ok(NamedMap::new(MmapOptions::new().len(length).map_raw(file)?, file))
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
fn map_private(file: &File, length: usize) -> io::Result<NamedMap> {
    check_length(file, length)?;
    // SAFETY: the map is private, so writes to it change no file. That no one else changes the file under it is the contract of this
    // module: the one who maps holds the store's lock, here to read.
    #[expect(unsafe_code, reason = "a private map of a file; see SAFETY")]
    let map = unsafe { MmapOptions::new().len(length).map_copy(file) }?;
    Ok(NamedMap::new(map.into(), file))
}

/// A mapped file that only grows: bytes below [`AppendRegion::published`] never change.
pub(crate) struct AppendRegion {
    map: NamedMap,
    /// What is written to the map stays in this process.
    is_private: bool,
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
        Ok(Self { map: map(file, length)?, is_private: false, published: AtomicUsize::new(published) })
    }

    /// The same, all of it to be read, with writes that stay in this process.
    ///
    /// # Errors
    /// The file is shorter than `length`, or the system refused the map.
    pub(crate) fn map_private(file: &File, length: usize) -> io::Result<Self> {
        Ok(Self { map: map_private(file, length)?, is_private: true, published: AtomicUsize::new(length) })
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.map.map.len()
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
        Some(unsafe { std::slice::from_raw_parts(self.map.map.as_ptr().add(position), length) })
    }

    /// Tells the system whether reading goes on where it began, so that it reads ahead, or leaps about.
    pub(crate) fn advise_order(&self, is_in_order: bool) {
        // Only a hint.
        let _ = self.map.map.advise(if is_in_order { Advice::Normal } else { Advice::Random });
    }

    /// Takes the pages of a range out of this process's page tables, so that the system can let go of them; the next look at
    /// them finds the same bytes. Does nothing to a private map, which holds bytes that stand nowhere else.
    pub(crate) fn unmap_pages(&self, position: usize, length: usize) {
        let is_inside = position.checked_add(length).is_some_and(|end| end <= self.len());
        if self.is_private || !is_inside {
            return;
        }
        // SAFETY: the range lies inside the map, which is a shared one of a file: dropping its page table entries loses
        // nothing, and whoever holds a slice of it reads the same bytes from the file again.
        #[expect(unsafe_code, reason = "advice about a map; see SAFETY")]
        let advised = unsafe { self.map.map.unchecked_advise_range(UncheckedAdvice::DontNeed, position, length) };
        // Only a hint: the pages stay then.
        let _ = advised;
    }

    /// For each [`PAGE`] of a range, whether it is in memory; all of them if the system cannot say. `position` is that of a page.
    pub(crate) fn cached_pages(&self, position: usize, length: usize) -> Vec<bool> {
        let mut states = vec![0_u8; length.div_ceil(PAGE)];
        let is_inside =
            position.is_multiple_of(PAGE) && position.checked_add(length).is_some_and(|end| end <= self.len());
        if !is_inside {
            return vec![true; states.len()];
        }
        // SAFETY: the range was checked to lie inside the map, which begins at a page, and `states` has a byte for each of its pages.
        #[expect(unsafe_code, reason = "asking about a map; see SAFETY")]
        let refused = unsafe {
            libc::mincore(self.map.map.as_mut_ptr().add(position).cast(), length, states.as_mut_ptr().cast())
        };
        states.into_iter().map(|state| refused != 0 || state & 1 == 1).collect()
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
    map: NamedMap,
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
        self.map.map.len()
    }

    /// The four bytes at `position` as one atomic; `None` past the end or when `position` is no multiple of four.
    fn cell(&self, position: usize) -> Option<&AtomicU32> {
        let end = position.checked_add(4)?;
        if end > self.map.map.len() || !position.is_multiple_of(4) {
            return None;
        }
        // SAFETY: `end <= len` and `position % 4 == 0` were checked just above, and a map begins on a page boundary:
        // the four bytes lie inside the map and are aligned. All access to a SlotRegion goes through this function, so
        // every access is atomic and of one size. The map lives as long as `self`, and so does the reference.
        #[expect(unsafe_code, reason = "viewing mapped bytes as an atomic; see SAFETY")]
        Some(unsafe { AtomicU32::from_ptr(self.map.map.as_mut_ptr().add(position).cast()) })
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
        self.map.map.flush()
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
