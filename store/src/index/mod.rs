//! The index: finds messages of a topic by key, by unique key and by tag.
//!
//! Owns `index/yyyyMMddHHmmssSSS`, a row of hash files ([`IndexFile`]) of which only the newest is written. A message is put under
//! `TOPIC#UNIQ_KEY`, under `TOPIC#KEY` for each of its keys, and under `TOPIC#T#TAGS` (new in RocketMQ 5.5.0).
//! Only hashes are kept, so an answer may hold a few messages that were not asked for: whoever asks compares the text.
//!
//! The index is derived from the log and never believed against it: what is lost is put again, what is damaged ends a search.
//! Never here: reading records from the log, deciding how many answers fit a response.
//!
//! Upstream: `IndexService`, `IndexFile`.

mod file;
mod key;
mod name;
mod search;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use boostermq_remoting::message::flags::Transaction;
use boostermq_remoting::message::property_name::{KEYS, TAGS, UNIQ_KEY};
use boostermq_remoting::message::record::Record;
use boostermq_remoting::offsets::PhysicalOffset;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::error::FileError;
use crate::{io, layout};
pub(crate) use file::Shape;
use file::{Entry, IndexFile};
use key::KeyHash;
pub use search::{IndexQuery, KeyKind};

/// Stands between the keys in a message's KEYS property.
pub(crate) const KEY_SEPARATOR: char = ' ';

/// Why the index could not be opened or written. Messages are kept all the same; they are not found by key.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file system refused.
    #[error("index: {0}")]
    File(#[from] FileError),
    /// An earlier sync failed, and a later one that succeeds would prove nothing.
    #[error("the index in {} could not be written to disk earlier: check the disk; the next start builds it again", dir.display())]
    Doubtful {
        /// Folder of the index.
        dir: PathBuf,
    },
}

/// How far index files are believed when they are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Everything that was written is there: after a clean stop, or when only the process has ended.
    All,
    /// Nobody knows which pages of a file that was being written are on disk: only full files are believed, and only those that end
    /// at or before the checkpoint's indexMsgTimestamp, in ms.
    FullUpTo {
        /// That time.
        timestamp: i64,
    },
}

/// Gives the blocks of deleted files back without having the start wait for it: hundreds of megabytes, some of them being written.
fn free_in_background(files: Vec<IndexFile>) {
    if !files.is_empty() {
        // Where no thread can be started, they are dropped here.
        let _ = std::thread::Builder::new().name("store-index-free".to_owned()).spawn(move || drop(files));
    }
}

/// The index of a store.
pub(crate) struct Index {
    dir: PathBuf,
    shape: Shape,
    clock: Arc<dyn Clock>,
    /// Oldest first. Changed only with `writer` held.
    files: ArcSwap<Vec<Arc<IndexFile>>>,
    /// Held by whoever puts entries or changes the row of files.
    writer: Mutex<()>,
    /// Files were made whose names may not be on disk.
    has_new_names: AtomicBool,
    /// A sync has failed. Its pages may count as clean, so nobody knows any more what is on disk: nothing is safe from then on.
    is_doubtful: AtomicBool,
}

impl Index {
    /// Opens the index files in `dir`, of a log that ends at `log_end`.
    ///
    /// What is in them is believed as far as `trust` goes. A file that is not, or whose header or entries contradict each other, is
    /// deleted with all after it, to be built again from [`Index::resume_offset`] on.
    ///
    /// A file that was written with other numbers of slots or entries is left alone and not searched.
    ///
    /// # Errors
    /// [`IndexError::File`].
    pub(crate) fn open(
        dir: &Path,
        shape: Shape,
        clock: Arc<dyn Clock>,
        trust: Trust,
        log_end: PhysicalOffset,
    ) -> Result<Self, IndexError> {
        let mut files: Vec<Arc<IndexFile>> = Vec::new();
        let mut dropped = Vec::new();
        let mut has_removed = false;
        // One that is missing something makes all that follow begin too late.
        let mut is_sound = true;
        for path in name::list(dir)? {
            if name::is_empty(&path)? {
                // Its length did not reach the disk before power failed. Everything in it is built again.
                io::remove_file(&path).map_err(FileError::at("deleting the file", &path))?;
                has_removed = true;
                is_sound = trust == Trust::All;
                continue;
            }
            let Some(file) = IndexFile::open(&path, shape)? else {
                tracing::warn!(
                    path = %path.display(),
                    "this index file was written with another maxHashSlotNum or maxIndexNum and is not searched"
                );
                continue;
            };
            let begins_after = files.last().map_or(PhysicalOffset::ZERO, |file| file.end_offset());
            let is_believed = match trust {
                Trust::All => true,
                Trust::FullUpTo { timestamp } => file.is_full() && file.end_timestamp() <= timestamp,
            };
            is_sound &= is_believed && file.contradiction(begins_after, log_end).is_none();
            if is_sound {
                files.push(Arc::new(file));
            } else {
                let what = file.contradiction(begins_after, log_end).unwrap_or("it was being written in a crash");
                tracing::warn!(path = %path.display(), what, "this index file is deleted and built again");
                file.remove()?;
                has_removed = true;
                dropped.push(file);
            }
        }
        if has_removed {
            // A deleted file that another crash brings back would look sound as soon as the log has grown past its end again, and
            // lead to records that stand no longer there.
            layout::sync_dir(dir)?;
        }
        free_in_background(dropped);
        let (dir, files) = (dir.to_owned(), ArcSwap::from_pointee(files));
        let (has_new_names, is_doubtful) = (AtomicBool::new(true), AtomicBool::new(false));
        Ok(Self { dir, shape, clock, files, writer: Mutex::new(()), has_new_names, is_doubtful })
    }

    /// From where on records may be missing: recovery puts all records from here to the end of the log. What is there already
    /// is passed over.
    pub(crate) fn resume_offset(&self) -> PhysicalOffset {
        self.files.load().last().map_or(PhysicalOffset::ZERO, |file| file.end_offset())
    }

    /// Puts a record under all its keys. Called in the order of the log by the one dispatcher. A record before the end of the
    /// newest file is passed over: it was put before.
    ///
    /// # Errors
    /// [`IndexError::File`] when a new file could not be made. The record is not, or not wholly, in the index then; the caller may
    /// try again.
    pub(crate) fn put(&self, record: &Record<'_>) -> Result<(), IndexError> {
        if record.sys_flag().transaction() == Transaction::Rollback {
            return Ok(());
        }
        let (mut unique_key, mut keys, mut tags) = (None, None, None);
        for (name, value) in record.properties().iter() {
            match name {
                UNIQ_KEY => unique_key = Some(value),
                KEYS => keys = Some(value),
                TAGS => tags = Some(value),
                _ => {}
            }
        }
        if unique_key.is_none() && keys.is_none() && tags.is_none() {
            return Ok(());
        }
        let _writer = self.writer.lock();
        let mut last = self.files.load().last().cloned();
        if last.as_ref().is_some_and(|file| record.physical_offset() < file.end_offset()) {
            return Ok(());
        }
        let topic = KeyHash::of_topic(record.topic());
        let keys = keys.into_iter().flat_map(|keys| keys.split(KEY_SEPARATOR)).filter(|key| !key.is_empty());
        let plain = unique_key.into_iter().chain(keys).map(|key| topic.with_key(key));
        for key in plain.chain(tags.map(|tags| topic.with_tags(tags))) {
            let file = match last.take() {
                Some(file) if !file.is_full() => file,
                full => self.add_file(full.as_deref())?,
            };
            file.put(Entry { key, physical_offset: record.physical_offset() }, record.store_timestamp());
            last = Some(file);
        }
        Ok(())
    }

    /// Makes the next file. The caller holds `writer`.
    fn add_file(&self, full: Option<&IndexFile>) -> Result<Arc<IndexFile>, IndexError> {
        let path = self.dir.join(name::next(self.clock.now_ms(), full.map(IndexFile::path)));
        let file = Arc::new(IndexFile::create(&path, self.shape, full)?);
        self.has_new_names.store(true, Ordering::Release);
        let mut files = self.files.load().as_ref().clone();
        files.push(Arc::clone(&file));
        self.files.store(Arc::new(files));
        Ok(file)
    }

    /// Writes full files to disk; with `is_thorough` the one being written too. Returns the store timestamp up to which full files
    /// are on disk if that has changed: the checkpoint's indexMsgTimestamp. One that is still written may change on disk at any
    /// moment, so nothing in it is safe.
    ///
    /// # Errors
    /// [`IndexError::File`]; from then on [`IndexError::Doubtful`] for each thorough flush.
    pub(crate) fn flush(&self, is_thorough: bool) -> Result<Option<i64>, IndexError> {
        if self.is_doubtful.load(Ordering::Acquire) {
            return if is_thorough { Err(IndexError::Doubtful { dir: self.dir.clone() }) } else { Ok(None) };
        }
        self.sync(is_thorough).inspect_err(|error| {
            self.is_doubtful.store(true, Ordering::Release);
            tracing::error!(%error, "the index is built again by the next start");
        })
    }

    fn sync(&self, is_thorough: bool) -> Result<Option<i64>, IndexError> {
        let mut safe = None;
        for file in self.files.load().iter() {
            // Asked first: a file that fills up meanwhile is one for the next time.
            let is_full = file.is_complete();
            if (is_thorough || is_full)
                && let Some(timestamp) = file.flush()?
                && is_full
            {
                safe = Some(timestamp);
            }
        }
        // The names of the files, too: one that is gone would not be missed.
        if (is_thorough || safe.is_some()) && self.has_new_names.swap(false, Ordering::AcqRel) {
            layout::sync_dir(&self.dir)?;
        }
        Ok(safe)
    }

    /// Deletes the oldest files all of whose records begin before `min_physical`; never the newest.
    ///
    /// # Errors
    /// [`IndexError::File`].
    pub(crate) fn delete_expired(&self, min_physical: PhysicalOffset) -> Result<(), IndexError> {
        let _writer = self.writer.lock();
        let files = self.files.load();
        let older = files.len().saturating_sub(1);
        let expired = files.iter().take(older).take_while(|file| file.end_offset() < min_physical).count();
        if expired == 0 {
            return Ok(());
        }
        self.files.store(Arc::new(files.iter().skip(expired).cloned().collect()));
        files.iter().take(expired).try_for_each(|file| file.remove().map_err(IndexError::from))
    }
}
