//! The open files of all consume queues: a bounded cache of descriptors, least recently used first out.
//!
//! Owns where queue files lie (`consumequeue/TOPIC/QUEUE/%020d`), how long each is, and how many are open at once, so that a
//! hundred thousand queues need no more descriptors than a few. Never interprets what is in a file.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::io::{self as store_io, StoreFile};

/// The cache is cut into this many parts, each with its own lock.
const SHARDS: usize = 16;

/// Names one file: the number of the queue in this process and the byte position of the file in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    /// [`QueueFiles::next_queue_number`] of the queue.
    pub(crate) queue: u64,
    /// Byte position of the file's first byte in the queue.
    pub(crate) base: i64,
}

/// One cached descriptor.
struct Open {
    file: Arc<StoreFile>,
    used: u64,
}

/// One part of the cache.
#[derive(Default)]
struct Shard {
    files: HashMap<FileKey, Open>,
    clock: u64,
}

/// Open files of consume queues, shared by all of them.
pub(crate) struct QueueFiles {
    root: PathBuf,
    file_size: i64,
    shard_limit: usize,
    shards: [Mutex<Shard>; SHARDS],
    queue_number: AtomicU64,
}

impl QueueFiles {
    /// Files under `root`, each `file_size` bytes long (a whole number of units), at most `limit` of them open.
    pub(crate) fn new(root: PathBuf, file_size: i64, limit: usize) -> Self {
        Self {
            root,
            file_size,
            shard_limit: limit.div_ceil(SHARDS).max(1),
            shards: std::array::from_fn(|_| Mutex::default()),
            queue_number: AtomicU64::new(0),
        }
    }

    /// The folder of all queues.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file that says how far the queues are on disk.
    pub(crate) fn ends_path(&self) -> PathBuf {
        self.root.with_extension("ends")
    }

    /// Bytes of one file.
    pub(crate) fn file_size(&self) -> i64 {
        self.file_size
    }

    /// A number that no other queue of this process has.
    pub(crate) fn next_queue_number(&self) -> u64 {
        self.queue_number.fetch_add(1, Ordering::Relaxed)
    }

    /// The open file of `key`, opened at `path` when it is not in the cache.
    ///
    /// # Errors
    /// What opening said; [`io::ErrorKind::NotFound`] when there is no such file.
    pub(crate) fn open(&self, key: FileKey, path: impl FnOnce() -> PathBuf) -> io::Result<Arc<StoreFile>> {
        self.cached(key, || StoreFile::open(&path()))
    }

    /// As [`QueueFiles::open`], but makes the file, its folders and its whole length when it does not exist.
    ///
    /// # Errors
    /// What the file system said.
    pub(crate) fn open_or_create(&self, key: FileKey, path: impl FnOnce() -> PathBuf) -> io::Result<Arc<StoreFile>> {
        self.cached(key, || {
            let path = path();
            let file = match StoreFile::open_or_create(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if let Some(folder) = path.parent() {
                        store_io::create_dir_all(folder)?;
                    }
                    StoreFile::open_or_create(&path)?
                }
                other => other?,
            };
            let length = u64::try_from(self.file_size).unwrap_or_default();
            if file.length()? < length {
                file.set_length(length)?;
            }
            Ok(file)
        })
    }

    /// Closes one file, once the last reader is done with it.
    pub(crate) fn forget(&self, key: FileKey) {
        self.shard(key).lock().files.remove(&key);
    }

    /// Closes all files of a queue.
    pub(crate) fn forget_queue(&self, queue: u64) {
        for shard in &self.shards {
            shard.lock().files.retain(|key, _| key.queue != queue);
        }
    }

    /// How many files are open.
    #[cfg(test)]
    pub(crate) fn open_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().files.len()).sum()
    }

    fn shard(&self, key: FileKey) -> &Mutex<Shard> {
        let file_number = key.base.checked_div(self.file_size).unwrap_or_default().cast_unsigned();
        let mixed = key.queue.wrapping_add(file_number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The top four bits of the product are a number below SHARDS.
        &self.shards[(mixed >> 60) as usize % SHARDS]
    }

    /// Opening happens outside the lock: a slow disk must not hold up the readers of other files.
    fn cached(&self, key: FileKey, open: impl FnOnce() -> io::Result<StoreFile>) -> io::Result<Arc<StoreFile>> {
        let shard = self.shard(key);
        if let Some(file) = shard.lock().touch(key) {
            return Ok(file);
        }
        let file = Arc::new(open()?);
        let mut shard = shard.lock();
        if let Some(file) = shard.touch(key) {
            return Ok(file);
        }
        if shard.files.len() >= self.shard_limit {
            shard.evict();
        }
        let used = shard.tick();
        shard.files.insert(key, Open { file: Arc::clone(&file), used });
        Ok(file)
    }
}

impl Shard {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn touch(&mut self, key: FileKey) -> Option<Arc<StoreFile>> {
        let now = self.tick();
        let open = self.files.get_mut(&key)?;
        open.used = now;
        Some(Arc::clone(&open.file))
    }

    /// A shard holds few files, so looking at all of them costs less than keeping them in order.
    fn evict(&mut self) {
        let oldest = self.files.iter().min_by_key(|(_, open)| open.used).map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.files.remove(&key);
        }
    }
}
