//! A look at a store that changes nothing: what a start would recover, cut, build again or refuse.
//!
//! Recovery itself says it: it runs over files whose changes are kept in memory ([`Overlay`]). Memory is needed for the units of
//! consume queues that would be written, 20 bytes a message. Owners are kept out meanwhile by the store's lock, where there is
//! a lock file; a store in use is not looked into. Never here: text, files of the broker.
//!
//! Upstream has nothing like it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use crate::checkpoint::Field;
use crate::clock::Clock;
use crate::consume_queue::QueueTable;
use crate::error::{OpenError, Quarantine};
use crate::io::Overlay;
use crate::layout;
use crate::lock_file::StoreLock;
use crate::mapped_file::MappedFile;
use crate::opening::{self, Found, Opened};
use crate::options::StoreOptions;
use crate::takeover::{self, Refusal};

/// What was seen of a store. Parts that could not be looked at are `None`.
#[derive(Debug, Default)]
pub struct StoreCheck {
    /// There is no folder: a start would make a new store.
    pub is_new: bool,
    /// The last stop left the file `abort`: it was no clean one, or the store is in use.
    pub has_abort_file: bool,
    /// What cannot be taken over.
    pub refusals: Vec<Refusal>,
    /// What else would keep a start from succeeding; a store in use is [`OpenError::InUse`].
    pub error: Option<OpenError>,
    /// The checkpoint.
    pub checkpoint: Option<CheckpointSeen>,
    /// The commit log.
    pub log: Option<LogSeen>,
    /// The consume queues.
    pub queues: Option<QueuesSeen>,
    /// The index; `None` also where there is to be none.
    pub index: Option<IndexSeen>,
}

impl StoreCheck {
    /// Whether a start would succeed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.refusals.is_empty() && self.error.is_none()
    }
}

/// What the checkpoint says; 0 where it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointSeen {
    /// Store time of the last record of the log on disk, in ms.
    pub log_timestamp: i64,
    /// Store time of the last record whose consume queue unit is on disk, in ms.
    pub queue_timestamp: i64,
    /// Store time of the last record in an index file that is full and on disk, in ms.
    pub index_timestamp: i64,
    /// Up to where consume queues hold everything, on disk.
    pub queue_offset: PhysicalOffset,
}

/// The commit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSeen {
    /// Files.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// First byte of the first file.
    pub begin: PhysicalOffset,
    /// Where recovery begins to read.
    pub scan_begin: PhysicalOffset,
    /// Records that it finds from there on.
    pub records: u64,
    /// Where the log ends.
    pub end: PhysicalOffset,
    /// Bytes after the end, up to the last one that is not zero, which a start clears.
    pub cleared: u64,
    /// Files after the end, which a start deletes.
    pub deleted: Vec<PathBuf>,
    /// Damage before the end, which a start leaves as it is.
    pub damage: Vec<Quarantine>,
    /// Whether a start treats the last stop as a crash.
    pub is_after_crash: bool,
}

/// The consume queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuesSeen {
    /// Queues that have files.
    pub queues: usize,
    /// Units in them.
    pub units: u64,
    /// Queues that a start changes, by topic and number.
    pub changes: Vec<QueueChange>,
}

/// A consume queue that a start changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueChange {
    /// Its topic.
    pub topic: Topic,
    /// Its number.
    pub queue_id: QueueId,
    /// First offset and end as they are; `None` for a queue without files.
    pub before: Option<(QueueOffset, QueueOffset)>,
    /// First offset and end after the start; `None` for one that is deleted.
    pub after: Option<(QueueOffset, QueueOffset)>,
}

/// The index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexSeen {
    /// Files.
    pub files: usize,
    /// Files that a start deletes, to build them again.
    pub deleted: usize,
    /// Records from here to the end of the log are put into the index after a start, in the background.
    pub resume: PhysicalOffset,
}

/// Looks at the store of `options`.
#[must_use]
pub fn check(options: &StoreOptions, clock: &Arc<dyn Clock>) -> StoreCheck {
    let mut seen = StoreCheck { is_new: !options.root.exists(), ..StoreCheck::default() };
    if seen.is_new {
        return seen;
    }
    seen.has_abort_file = options.root.join(layout::ABORT).exists();
    if let Err(error) = look(options, clock, &mut seen) {
        seen.error = Some(error);
    }
    seen
}

fn look(options: &StoreOptions, clock: &Arc<dyn Clock>, seen: &mut StoreCheck) -> Result<(), OpenError> {
    opening::check_options(options)?;
    let _lock = StoreLock::keep_out(&options.root)?;
    seen.refusals = takeover::refusals(options)?;
    if !seen.refusals.is_empty() {
        return Ok(());
    }
    let options = Arc::new(options.clone());
    let before = {
        let _overlay = overlay(&options);
        let Found { queues, checkpoint, is_abnormal, .. } = opening::find(&options)?;
        let value = |field| checkpoint.value(field);
        seen.checkpoint = Some(CheckpointSeen {
            log_timestamp: value(Field::PhysicalTimestamp),
            queue_timestamp: value(Field::QueueTimestamp),
            index_timestamp: value(Field::IndexTimestamp),
            queue_offset: PhysicalOffset(value(Field::QueuePhysicalOffset)),
        });
        queues.recover_all(is_abnormal, None)?;
        ranges(&queues)
    };
    let overlay = overlay(&options);
    let found = opening::find(&options)?;
    let files: Vec<(PathBuf, i64, u64)> = found.files.iter().map(file_of).collect();
    let index_files = count_files(&options.index_dir);
    let Opened { recovered, queues, index, .. } = opening::recover(&options, clock, found)?;
    let end = recovered.end.offset;
    let mut removed = overlay.removed();
    removed.sort_unstable();
    let last = files.iter().rfind(|(path, ..)| removed.binary_search(path).is_err());
    seen.log = Some(LogSeen {
        files: files.len(),
        bytes: files.iter().map(|(_, _, size)| size).sum(),
        begin: PhysicalOffset(files.first().map_or(end, |(_, base, _)| *base)),
        scan_begin: PhysicalOffset(recovered.scan_begin),
        records: recovered.records,
        end: PhysicalOffset(end),
        cleared: last.map_or(0, |(path, base, _)| written_after(path, end - base)),
        deleted: removed.iter().filter(|path| path.starts_with(&options.commit_log_dir)).cloned().collect(),
        damage: recovered.damage,
        is_after_crash: recovered.is_abnormal,
    });
    seen.queues = Some(compare(&before, &ranges(&queues)));
    seen.index = index.map(|index| IndexSeen {
        files: index_files,
        deleted: removed.iter().filter(|path| path.starts_with(&options.index_dir)).count(),
        resume: index.resume_offset(),
    });
    Ok(())
}

fn overlay(options: &StoreOptions) -> Arc<Overlay> {
    let roots = [&options.root, &options.commit_log_dir, &options.consume_queue_dir, &options.index_dir];
    Overlay::new(roots.map(Clone::clone).into(), options.commit_log_dir.clone())
}

fn file_of(file: &MappedFile) -> (PathBuf, i64, u64) {
    (file.path().to_owned(), file.base(), file.size() as u64)
}

/// First offset and end by topic and number.
type Ranges = BTreeMap<(Topic, QueueId), (QueueOffset, QueueOffset)>;

fn ranges(queues: &QueueTable) -> Ranges {
    let range = |queue: &crate::consume_queue::ConsumeQueue| (queue.min_offset(), queue.max_offset());
    queues.queues().iter().map(|queue| ((queue.topic().clone(), queue.queue_id()), range(queue))).collect()
}

fn compare(before: &Ranges, after: &Ranges) -> QueuesSeen {
    let mut changes = Vec::new();
    let kept = before.iter().map(|(name, range)| (name, Some(*range), after.get(name).copied()));
    let made =
        after.iter().filter(|(name, _)| !before.contains_key(name)).map(|(name, range)| (name, None, Some(*range)));
    for ((topic, queue_id), before, after) in kept.chain(made).filter(|(_, before, after)| before != after) {
        changes.push(QueueChange { topic: topic.clone(), queue_id: *queue_id, before, after });
    }
    changes.sort_by(|left, right| (&left.topic, left.queue_id).cmp(&(&right.topic, right.queue_id)));
    let units = before.values().map(|(min, max)| u64::try_from(max.since(*min)).unwrap_or(0)).sum();
    QueuesSeen { queues: before.len(), units, changes }
}

/// Bytes of a file from `position` to the last one that is not zero.
fn written_after(path: &std::path::Path, position: i64) -> u64 {
    let count = || -> std::io::Result<u64> {
        use std::io::{Seek, SeekFrom};
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(u64::try_from(position).unwrap_or(0)))?;
        let mut piece = vec![0; 1 << 20];
        let (mut at, mut written) = (0, 0);
        loop {
            let read = file.read(&mut piece)?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(written) };
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                written = at + last as u64 + 1;
            }
            at += read as u64;
        }
    };
    // What cannot be read was read a moment ago; then nothing is known of it.
    count().unwrap_or(0)
}

fn count_files(dir: &std::path::Path) -> usize {
    std::fs::read_dir(dir).map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_file()).count())
}
