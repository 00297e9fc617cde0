//! All consume queues of a store, found by topic and number.

use std::fs::{DirEntry, ReadDir};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use boostermq_remoting::message::light::LIGHT_QUEUE;
use boostermq_remoting::names::{LMQ_PREFIX, QueueId, Topic};
use boostermq_remoting::offsets::PhysicalOffset;
use dashmap::DashMap;
use parking_lot::RwLock;

use super::ends::UNKNOWN;
use super::extension::{self, EXTENSION_FILE_SIZE};
use super::unit::UNIT_SIZE_I64;
use super::{ConsumeQueue, Extensions, QueueError, RecordMarks};
use crate::io as store_io;
use crate::queue_files::QueueFiles;

/// Most queues that are synced one by one; more are synced with everything else on their file system.
pub(super) const SYNC_EACH_MAX: usize = 128;

/// The queues of one topic, in the order of their numbers.
#[derive(Default)]
struct TopicQueues(RwLock<Vec<Arc<ConsumeQueue>>>);

impl TopicQueues {
    fn get(&self, queue_id: QueueId) -> Option<Arc<ConsumeQueue>> {
        let queues = self.0.read();
        // Numbers mostly have no gaps, so that a queue stands at its number.
        let guess = queues.get(queue_id.0 as usize).filter(|queue| queue.queue_id() == queue_id);
        let found = guess.or_else(|| {
            let index = queues.binary_search_by_key(&queue_id, |queue| queue.queue_id()).ok()?;
            queues.get(index)
        });
        found.map(Arc::clone)
    }
}

/// All consume queues of a store.
pub struct QueueTable {
    topics: DashMap<Topic, Arc<TopicQueues>>,
    pub(super) files: Arc<QueueFiles>,
    /// The position in the file of the queues' ends, if this process wrote it.
    pub(super) ends_at: AtomicI64,
    extensions: Arc<Extensions>,
    marks: RecordMarks,
}

impl QueueTable {
    /// A table without queues. Their files lie under `folder` (the store's `consumequeue`), `file_size` bytes each, rounded up
    /// to whole units (`mappedFileSizeConsumeQueue`); at most `open_files` of them are open at once.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, file_size: u64, open_files: usize) -> Self {
        let units = i64::try_from(file_size).unwrap_or(i64::MAX / 2).div_euclid(UNIT_SIZE_I64);
        let is_whole = file_size.is_multiple_of(UNIT_SIZE_I64.cast_unsigned());
        let file_size = (units + i64::from(!is_whole)).max(1) * UNIT_SIZE_I64;
        let folder = folder.into();
        let extensions = Extensions::new(extension::folder(&folder), EXTENSION_FILE_SIZE, open_files, false);
        Self {
            topics: DashMap::new(),
            files: Arc::new(QueueFiles::new(folder, file_size, open_files)),
            extensions: Arc::new(extensions),
            ends_at: AtomicI64::new(UNKNOWN),
            marks: RecordMarks::default(),
        }
    }

    /// The same for a store whose extension files have `file_size` bytes each (`mappedFileSizeConsumeQueueExt`). With
    /// `is_written` they are written (`enableConsumeQueueExt`); they are read in any case.
    #[must_use]
    pub fn with_extensions(self, file_size: u64, open_files: usize, is_written: bool) -> Self {
        let folder = extension::folder(self.files.root());
        Self { extensions: Arc::new(Extensions::new(folder, file_size, open_files, is_written)), ..self }
    }

    /// The same for a store whose records carry `marks`.
    #[must_use]
    pub(crate) fn with_marks(self, marks: RecordMarks) -> Self {
        Self { marks, ..self }
    }

    /// The light queue of this name.
    pub(crate) fn light_queue(&self, name: &Topic) -> Arc<ConsumeQueue> {
        self.get_or_create(name, LIGHT_QUEUE)
    }

    /// Number of light queues, found by looking at all topics.
    pub(crate) fn light_queues(&self) -> usize {
        self.topics.iter().filter(|topic| topic.key().as_str().starts_with(LMQ_PREFIX)).count()
    }

    /// The queue, if there is one.
    #[must_use]
    pub fn get(&self, topic: &str, queue_id: QueueId) -> Option<Arc<ConsumeQueue>> {
        self.topics.get(topic)?.get(queue_id)
    }

    /// The queue; a new one has no files until its first unit.
    pub fn get_or_create(&self, topic: &Topic, queue_id: QueueId) -> Arc<ConsumeQueue> {
        let queues = match self.topics.get(topic.as_str()) {
            Some(queues) => Arc::clone(&queues),
            None => Arc::clone(&self.topics.entry(topic.clone()).or_default()),
        };
        if let Some(queue) = queues.get(queue_id) {
            return queue;
        }
        let mut queues = queues.0.write();
        match queues.binary_search_by_key(&queue_id, |queue| queue.queue_id()) {
            Ok(index) => Arc::clone(&queues[index]),
            Err(index) => {
                let (files, extensions) = (Arc::clone(&self.files), Arc::clone(&self.extensions));
                let queue = ConsumeQueue::new(topic.clone(), queue_id, files, extensions);
                let queue = Arc::new(queue.with_marks(self.marks));
                queues.insert(index, Arc::clone(&queue));
                queue
            }
        }
    }

    /// All queues there are now.
    #[must_use]
    pub fn queues(&self) -> Vec<Arc<ConsumeQueue>> {
        // Copied topic by topic: no lock of the table is held while a caller works.
        let mut all = Vec::new();
        for topic in &self.topics {
            all.extend(topic.0.read().iter().map(Arc::clone));
        }
        all
    }

    /// The topics that have queues.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.topics.iter().map(|topic| topic.key().clone()).collect()
    }

    /// Finds the queues that have files. Their ends are unknown until [`QueueTable::recover_all`].
    ///
    /// # Errors
    /// [`QueueError`]: a file of a wrong name or length, or what the file system said.
    pub fn load(&self) -> Result<(), QueueError> {
        let root = self.files.root().to_path_buf();
        let Some(topics) = folder(&root)? else { return Ok(()) };
        for topic in topics {
            let topic = topic.map_err(QueueError::io("listing", &root))?;
            let name = topic.file_name().to_str().and_then(Topic::parse_stored);
            let (true, Some(name)) = (is_folder(&topic)?, name) else {
                tracing::warn!(path = %topic.path().display(), "not a topic's folder; passed over");
                continue;
            };
            self.load_topic(&name, &topic.path())?;
        }
        Ok(())
    }

    fn load_topic(&self, topic: &Topic, path: &Path) -> Result<(), QueueError> {
        let Some(queues) = folder(path)? else { return Ok(()) };
        for queue in queues {
            let queue = queue.map_err(QueueError::io("listing", path))?;
            let number = queue.file_name().to_str().and_then(queue_number);
            let (true, Some(number)) = (is_folder(&queue)?, number) else {
                tracing::warn!(path = %queue.path().display(), "not a queue's folder; passed over");
                continue;
            };
            let queue_of_files = self.get_or_create(topic, number);
            queue_of_files.load(&queue.path())?;
            self.extensions.check(&queue_of_files)?;
        }
        Ok(())
    }

    /// Finds the ends of all queues; `is_thorough` after a crash, when units of records before `on_disk` are known to be on
    /// disk. Also sets every queue's next offset to its end. Returns the queues that were found damaged.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub fn recover_all(
        &self,
        is_thorough: bool,
        on_disk: Option<PhysicalOffset>,
    ) -> Result<Vec<Arc<ConsumeQueue>>, QueueError> {
        let mut damaged = Vec::new();
        for queue in self.queues() {
            let is_damaged = queue.recover(is_thorough, on_disk)?;
            queue.set_next_offset(queue.max_offset());
            if is_damaged {
                tracing::warn!(
                    ?queue,
                    "this consume queue is damaged after its end, and is built again from the commit log"
                );
                damaged.push(queue);
            }
        }
        Ok(damaged)
    }

    /// The furthest end of a record that any unit in the files tells of, sound or not; 0 without one. For queues that are loaded
    /// and not recovered; changes nothing.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn furthest_physical_end(&self) -> Result<i64, QueueError> {
        self.queues().iter().try_fold(0, |furthest: i64, queue| Ok(furthest.max(queue.physical_end_in_files()?)))
    }

    /// Sets every queue's next offset to its end. The caller holds the append lock, and everything in the log is in the queues.
    pub(crate) fn reset_next_offsets(&self) {
        for queue in self.queues() {
            queue.set_next_offset(queue.max_offset());
        }
    }

    /// Takes away all units of records that end past `physical_offset`.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn truncate_all(&self, physical_offset: PhysicalOffset) -> Result<(), QueueError> {
        self.queues().iter().try_for_each(|queue| queue.truncate(physical_offset))
    }

    /// Moves the begin of all queues to where the log begins now.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn correct_min_all(&self, min_physical: PhysicalOffset) -> Result<(), QueueError> {
        self.queues().iter().try_for_each(|queue| queue.correct_min(min_physical))
    }

    /// Writes what all queues hold in memory. With `is_thorough`, everything pushed before the call is on disk when it
    /// returns; otherwise files with two or more pages waiting are synced.
    ///
    /// # Errors
    /// The first [`QueueError::File`]; the other queues are flushed all the same.
    pub fn flush_all(&self, is_thorough: bool) -> Result<(), QueueError> {
        let queues = self.queues();
        if is_thorough && queues.iter().filter(|queue| queue.is_busy()).count() > SYNC_EACH_MAX {
            return self.flush_together(&queues);
        }
        queues.iter().map(|queue| queue.flush(is_thorough)).fold(Ok(()), Result::and)
    }

    /// Flushes many queues with one sync: one by one, the disk would be asked to settle for each.
    fn flush_together(&self, queues: &[Arc<ConsumeQueue>]) -> Result<(), QueueError> {
        let mut begun = Vec::new();
        let mut result = Ok(());
        for queue in queues {
            match queue.begin_flush() {
                Ok(Some(unsynced)) => begun.push((queue, unsynced)),
                Ok(None) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        let root = self.files.root();
        let synced = store_io::sync_file_system(root).map_err(QueueError::io("syncing the file system of", root));
        for (queue, unsynced) in begun {
            queue.end_flush(unsynced, synced.is_ok());
        }
        result.and(synced)
    }

    /// The furthest end of a record in any queue; `None` when no queue has a message.
    #[must_use]
    pub fn max_physical_offset(&self) -> Option<PhysicalOffset> {
        self.queues().iter().filter_map(|queue| queue.max_physical_offset()).max()
    }

    /// Deletes the queues of a topic with their files. Returns whether it had any.
    ///
    /// # Errors
    /// The first [`QueueError::File`]; the topic is out of the table all the same.
    pub fn delete_topic(&self, topic: &str) -> Result<bool, QueueError> {
        if !self.topics.contains_key(topic) {
            return Ok(false);
        }
        // Or the next start, should it come soon, would miss them and read the whole log to make them again.
        self.forget_ends()?;
        let Some((topic, queues)) = self.topics.remove(topic) else { return Ok(false) };
        let queues = queues.0.read();
        queues.iter().map(|queue| queue.destroy()).fold(Ok(()), Result::and)?;
        let path = self.files.root().join(topic.as_str());
        match store_io::remove_dir(&path) {
            // Something else lies in it, or it was made anew meanwhile: not ours to delete.
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Err(QueueError::io("deleting the folder", path)(error))
            }
            _ => Ok(true),
        }
    }

    /// Deletes one queue with its files.
    ///
    /// # Errors
    /// [`QueueError::File`]; the queue is out of the table all the same.
    pub(crate) fn delete_queue(&self, queue: &ConsumeQueue) -> Result<(), QueueError> {
        let Some(queues) = self.topics.get(queue.topic().as_str()).map(|queues| Arc::clone(&queues)) else {
            return Ok(());
        };
        self.forget_ends()?;
        queues.0.write().retain(|other| other.queue_id() != queue.queue_id());
        queue.destroy()?;
        if queues.0.read().is_empty() {
            // One that is made meanwhile is not lost: it is asked for by its topic again.
            self.topics.remove_if(queue.topic().as_str(), |_, queues| queues.0.read().is_empty());
        }
        Ok(())
    }

    /// Deletes all queues: for a store whose log is gone.
    ///
    /// # Errors
    /// [`QueueError::File`].
    pub(crate) fn delete_all(&self) -> Result<(), QueueError> {
        self.topics().iter().try_for_each(|topic| self.delete_topic(topic.as_str()).map(|_| ()))
    }
}

impl ConsumeQueue {
    /// Finds the files of a queue in `path` and checks their names and lengths.
    fn load(&self, path: &Path) -> Result<(), QueueError> {
        let size = self.files.file_size();
        let mut bases = Vec::new();
        for file in folder(path)?.into_iter().flatten() {
            let file = file.map_err(QueueError::io("listing", path))?;
            let kind = file.metadata().map_err(QueueError::io("looking at", file.path()))?;
            if kind.is_dir() {
                continue;
            }
            let base = file.file_name().to_str().and_then(|name| name.parse::<i64>().ok());
            match base.filter(|base| (0..i64::MAX - size).contains(base) && base % size == 0) {
                Some(base) => bases.push((base, kind.len())),
                None => return Err(QueueError::FileName { path: file.path() }),
            }
        }
        bases.sort_unstable();
        let is_wrong = |length: u64| length != 0 && i64::try_from(length) != Ok(size);
        if let Some((base, found)) = bases.iter().find(|(_, length)| is_wrong(*length)).copied() {
            return Err(QueueError::FileSize { path: self.file_path(base), found, expected: size });
        }
        // A file whose length did not reach the disk, and files after it, were new when power failed: the log is read again
        // for their units.
        if let Some(first_lost) = bases.iter().position(|(_, length)| *length == 0) {
            for (base, _) in bases.drain(first_lost..).rev() {
                self.remove_file(base)?;
            }
        }
        let (Some((first, _)), Some((last, _))) = (bases.first(), bases.last()) else { return Ok(()) };
        if (last - first) / size + 1 != bases.len() as i64 {
            tracing::error!(
                path = %path.display(), files = bases.len(),
                "files are missing in the row of this consume queue; they are built again from the commit log"
            );
        }
        let mut tail = self.tail.lock();
        tail.has_gap = (last - first) / size + 1 != bases.len() as i64;
        tail.files = *first..*last + size;
        // Until recovery has found the end, the queue is empty.
        tail.restart_at(*first);
        self.min_offset.store(first / UNIT_SIZE_I64, Ordering::Release);
        self.max_offset.store(first / UNIT_SIZE_I64, Ordering::Release);
        Ok(())
    }
}

/// The entries of a folder; `None` when there is no such folder.
fn folder(path: &Path) -> Result<Option<ReadDir>, QueueError> {
    match std::fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(QueueError::io("listing", path)),
    }
}

fn is_folder(entry: &DirEntry) -> Result<bool, QueueError> {
    let kind: io::Result<_> = entry.file_type();
    Ok(kind.map_err(QueueError::io("looking at", entry.path()))?.is_dir())
}

/// The number in the name of a queue's folder, as this store would write it.
fn queue_number(name: &str) -> Option<QueueId> {
    let number = name.parse::<i32>().ok().and_then(QueueId::from_wire)?;
    (number.to_string() == name).then_some(number)
}
