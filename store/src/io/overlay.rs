//! Changes that are kept in memory instead of being made: what a look at a store works on, so that recovery itself can say what it
//! would do.
//!
//! While an [`Overlay`] of a folder lives, files in it are opened to be read only, and what is written to them is seen by those
//! who open them again in this process. Names keep standing in listings of folders. Maps are private copies. Files of the
//! commit log are only ever read through their maps, so what would be written to those is not even kept.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

const PAGE: usize = 4096;

/// Overlays that live; looked through when a file is opened.
static OVERLAYS: RwLock<Vec<Weak<Overlay>>> = RwLock::new(Vec::new());
/// How many: mostly there are none.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Keeps all changes below some folders from being made.
#[derive(Debug)]
pub(crate) struct Overlay {
    roots: Vec<PathBuf>,
    /// Writes to files of this folder are not kept.
    forgetful: PathBuf,
    files: Mutex<HashMap<PathBuf, Arc<Mutex<Pages>>>>,
}

/// One file as it would be.
#[derive(Debug)]
pub(super) struct Pages {
    /// The file as it is; `None` for one that is not there.
    file: Option<File>,
    is_there: bool,
    length: u64,
    /// Bytes of the file from here on do not count.
    kept: u64,
    pages: HashMap<u64, Box<[u8; PAGE]>>,
    is_forgetful: bool,
}

impl Overlay {
    /// Lays it over all files below `roots`. What is written below `forgetful` is not even kept.
    pub(crate) fn new(roots: Vec<PathBuf>, forgetful: PathBuf) -> Arc<Self> {
        let overlay = Arc::new(Self { roots, forgetful, files: Mutex::default() });
        OVERLAYS.write().push(Arc::downgrade(&overlay));
        COUNT.fetch_add(1, Ordering::AcqRel);
        overlay
    }

    /// The file at `path`; `is_new` asks for one that is not there, otherwise one has to be.
    pub(super) fn open(&self, path: &Path, is_new: bool) -> io::Result<(File, Arc<Mutex<Pages>>)> {
        let pages = self.pages(path)?;
        {
            let mut pages = pages.lock();
            match (pages.is_there, is_new) {
                (true, true) => return Err(io::ErrorKind::AlreadyExists.into()),
                (false, false) => return Err(io::ErrorKind::NotFound.into()),
                (false, true) => pages.make(),
                (true, false) => {}
            }
        }
        // One that is not there has nothing to be read or mapped.
        let file = File::open(path).or_else(|_| File::open("/dev/null"))?;
        Ok((file, pages))
    }

    fn pages(&self, path: &Path) -> io::Result<Arc<Mutex<Pages>>> {
        let mut files = self.files.lock();
        if let Some(pages) = files.get(path) {
            return Ok(Arc::clone(pages));
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        let length = file.as_ref().map_or(Ok(0), |file| file.metadata().map(|found| found.len()))?;
        let pages = Pages {
            is_there: file.is_some(),
            file,
            length,
            kept: u64::MAX,
            pages: HashMap::new(),
            is_forgetful: path.starts_with(&self.forgetful),
        };
        let pages = Arc::new(Mutex::new(pages));
        files.insert(path.to_owned(), Arc::clone(&pages));
        Ok(pages)
    }

    /// Files that are there and would not be any more.
    pub(crate) fn removed(&self) -> Vec<PathBuf> {
        let files = self.files.lock();
        let is_removed = |pages: &Mutex<Pages>| {
            let pages = pages.lock();
            pages.file.is_some() && !pages.is_there
        };
        files.iter().filter(|(_, pages)| is_removed(pages)).map(|(path, _)| path.clone()).collect()
    }

    /// Takes a file away.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let pages = self.pages(path)?;
        let mut pages = pages.lock();
        if !pages.is_there {
            return Err(io::ErrorKind::NotFound.into());
        }
        pages.is_there = false;
        Ok(())
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        OVERLAYS.write().retain(|other| other.strong_count() > 0);
        COUNT.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The overlay over `path`, if there is one.
pub(super) fn find(path: &Path) -> Option<Arc<Overlay>> {
    if COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let overlays = OVERLAYS.read();
    let all = overlays.iter().filter_map(Weak::upgrade);
    all.into_iter().find(|overlay| overlay.roots.iter().any(|root| path.starts_with(root)))
}

impl Pages {
    fn make(&mut self) {
        *self = Self { file: None, is_there: true, length: 0, kept: 0, pages: HashMap::new(), ..*self };
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let left = self.length.saturating_sub(position);
        let wanted = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = bytes.get_mut(..wanted).unwrap_or_default();
        self.read_file(bytes, position)?;
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (page, within) = place(position + done as u64);
            let length = rest.len().min(PAGE - within);
            if let (Some(page), Some(part)) = (self.pages.get(&page), rest.get_mut(..length)) {
                part.copy_from_slice(page.get(within..within + length).unwrap_or_default());
            }
            done += length;
        }
        Ok(wanted)
    }

    /// What the file has, as far as that counts, and zeros.
    fn read_file(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        bytes.fill(0);
        let Some(file) = &self.file else { return Ok(()) };
        let counts = usize::try_from(self.kept.saturating_sub(position)).unwrap_or(usize::MAX).min(bytes.len());
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..counts).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        let end = position + bytes.len() as u64;
        if self.is_forgetful {
            self.length = self.length.max(end);
            return Ok(());
        }
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let (number, within) = place(position + done as u64);
            let length = rest.len().min(PAGE - within);
            if !self.pages.contains_key(&number) {
                let mut page = Box::new([0; PAGE]);
                self.read_file(page.as_mut_slice(), number * PAGE as u64)?;
                self.pages.insert(number, page);
            }
            let part = self.pages.get_mut(&number).and_then(|page| page.get_mut(within..within + length));
            if let (Some(part), Some(new)) = (part, rest.get(..length)) {
                part.copy_from_slice(new);
            }
            done += length;
        }
        self.length = self.length.max(end);
        Ok(())
    }

    pub(super) fn set_length(&mut self, length: u64) -> io::Result<()> {
        if length < self.length {
            self.clear(length, self.length)?;
        }
        self.length = length;
        Ok(())
    }

    /// Makes `[from, to)` zero.
    pub(super) fn clear(&mut self, from: u64, to: u64) -> io::Result<()> {
        if self.is_forgetful {
            return Ok(());
        }
        if to < self.length {
            return self.write_at(&vec![0; usize::try_from(to - from).unwrap_or(0)], from);
        }
        // To the end: nothing need be kept for that.
        self.kept = self.kept.min(from);
        let (number, within) = place(from);
        self.pages.retain(|page, _| *page <= number);
        if let Some(rest) = self.pages.get_mut(&number).and_then(|page| page.get_mut(within..)) {
            rest.fill(0);
        }
        Ok(())
    }
}

/// The page that holds `position`, and where in it.
fn place(position: u64) -> (u64, usize) {
    (position / PAGE as u64, usize::try_from(position % PAGE as u64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{self as store_io, StoreFile};

    #[test]
    fn changes_are_seen_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old");
        std::fs::write(&old, [7; 9000]).unwrap();
        let made = dir.path().join("folder/made");
        let overlay = Overlay::new(vec![dir.path().to_owned()], dir.path().join("log"));
        let read = |path: &Path| {
            let file = StoreFile::open(path)?;
            let mut bytes = vec![1; 20_000];
            let read = file.read_at(&mut bytes, 0)?;
            bytes.truncate(read);
            io::Result::Ok(bytes)
        };
        let mut expected = vec![7; 9000];
        let file = StoreFile::open(&old).unwrap();
        // Over the border of two pages, past the end, cut and lengthened, cleared in the middle and at the end.
        file.write_all_at(&[1; 10], 4090).unwrap();
        expected[4090..4100].fill(1);
        file.write_all_at(&[2; 10], 8995).unwrap();
        expected.resize(9005, 0);
        expected[8995..9005].fill(2);
        assert_eq!(read(&old).unwrap(), expected);
        file.set_length(4095).unwrap();
        file.set_length(9005).unwrap();
        expected[4095..].fill(0);
        assert_eq!(read(&old).unwrap(), expected);
        file.clear(100, 200).unwrap();
        expected[100..200].fill(0);
        file.clear(8000, 9005).unwrap();
        assert_eq!((read(&old).unwrap(), file.length().unwrap()), (expected, 9005));
        file.sync_data().unwrap();
        store_io::remove_file(&old).unwrap();
        assert_eq!(read(&old).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(overlay.removed(), std::slice::from_ref(&old));
        store_io::create_dir_all(made.parent().unwrap()).unwrap();
        store_io::write(&made, b"new").unwrap();
        assert_eq!(read(&made).unwrap(), b"new");
        assert!(StoreFile::create_new(&made).is_err());
        store_io::sync_dir(dir.path()).unwrap();
        drop(overlay);
        assert_eq!(std::fs::read(&old).unwrap(), [7; 9000]);
        assert!(!made.exists() && !made.parent().unwrap().exists());
        assert!(StoreFile::open(&made).is_err());
    }
}
