//! What another broker may have left in a store that this one cannot take over, looked for before anything is changed.
//!
//! ```text
//! ROOT/consumequeue/CURRENT, ROOT/consumequeue_rocksdb/CURRENT           queues kept by RocksDB
//! ROOT/config/{topics,subscriptionGroups,consumerOffsets,metadata,rdb}/CURRENT    metadata kept by RocksDB
//! ROOT/kvStore/CURRENT                                                   pops under way kept by RocksDB
//! ROOT/dledger-*/data/*                                                  a commit log kept by Raft
//! ROOT/batchconsumequeue/TOPIC/QUEUE/*                                   queues of batches
//! ROOT/compaction/{compactionLog,compactionCq}/TOPIC/QUEUE/*             compacted topics
//! commitlog/*                                                            a first record of a version that is not known yet
//! ```
//! A record of such a version further on is found by recovery, before the log is changed. Folders that upstream makes and leaves empty are no sign of anything, nor is `rocksdbstore`, which RocketMQ 5.5.0 always
//! makes. Reads only; never decides by the configuration, which was checked before.
//!
//! Upstream: `StorePathConfigHelper`, `RocksDBConsumeQueueStore`, `DLedgerCommitLog`, `CompactionStore`.

#[cfg(test)]
mod tests;

use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use boostermq_remoting::message::record::{MAGIC_V1, MAGIC_V2, Record};

use crate::error::FileError;
use crate::layout;
use crate::options::StoreOptions;

/// Name of the file by which RocksDB knows a folder of its own.
const ROCKSDB_CURRENT: &str = "CURRENT";
/// Folders below `config` in which RocksDB keeps metadata (RocketMQ 5.5.0: configManagerVersion v1, one each or with
/// useSingleRocksDBForAllConfigs one for all; then v2).
const ROCKSDB_METADATA: [&str; 5] = ["topics", "subscriptionGroups", "consumerOffsets", "metadata", "rdb"];
/// What the magics of all versions of a record begin with.
const MAGIC_FAMILY: i32 = MAGIC_V1 & MAGIC_FAMILY_MASK;
const MAGIC_FAMILY_MASK: i32 = !0xFF;
/// Largest record that is looked at closely.
const RECORD_MAX: usize = 8 << 20;

/// Something in a store that cannot be taken over. Nothing has been changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Consume queues are kept by RocksDB.
    #[error(
        "{} holds consume queues kept by RocksDB (storeType=defaultRocksDB), which this broker does not read. Consume queues \
         can be made again from the commit log: move the folder away and start again", path.display()
    )]
    RocksDbQueues {
        /// The folder.
        path: PathBuf,
    },
    /// Metadata is kept by RocksDB.
    #[error(
        "{} holds metadata kept by RocksDB (storeType=defaultRocksDB or configManagerVersion=v2), which this broker does not \
         read. Export it with the Java release's `mqadmin rocksDBConfigToJson` into {}, then move the folder away",
        path.display(), json.display()
    )]
    RocksDbMetadata {
        /// The folder.
        path: PathBuf,
        /// Folder of the JSON files.
        json: PathBuf,
    },
    /// Messages that were popped and not acknowledged are kept by RocksDB.
    #[error(
        "{} holds pops under way kept by RocksDB (popConsumerKVServiceEnable), whose messages would never come back. Stop \
         the consumers, let the Java broker bring back what they had not acknowledged, start it once with \
         popConsumerKVServiceInit=false, then move the folder away", path.display()
    )]
    RocksDbPops {
        /// The folder.
        path: PathBuf,
    },
    /// The commit log is kept by Raft.
    #[error(
        "{} belongs to a commit log kept by DLedger (enableDLegerCommitLog=true), which this broker does not read. Let \
         consumers finish on the Java broker and begin with an empty store; if the folder is a relic, move {} away",
        path.display(), folder.display()
    )]
    Dledger {
        /// A file of it.
        path: PathBuf,
        /// The folder of it all.
        folder: PathBuf,
    },
    /// There is a topic of batches.
    #[error(
        "{} belongs to a topic of batches (queue.type=BatchCQ), which this broker does not serve. Let its consumers finish on \
         the Java broker and delete the topic there, with `mqadmin deleteTopic`; then start again", path.display()
    )]
    BatchQueue {
        /// A file of its queues.
        path: PathBuf,
    },
    /// There is a compacted topic.
    #[error(
        "{} belongs to a compacted topic (cleanup.policy=COMPACTION), which this broker does not serve. Delete the topic on the \
         Java broker, with `mqadmin deleteTopic`, and start again; if the folder is a relic, move {} away",
        path.display(), folder.display()
    )]
    Compacted {
        /// A file of it.
        path: PathBuf,
        /// The folder of all compacted topics.
        folder: PathBuf,
    },
    /// A record of a version that is not known.
    #[error(
        "{} holds, at offset {position} of the log, a record of a version this broker does not know (magic {magic:#010x}): a newer \
         release wrote it. Use that release, or a newer one of this broker", path.display()
    )]
    NewerRecord {
        /// The file of the commit log.
        path: PathBuf,
        /// Where it begins in the log.
        position: i64,
        /// The magic of the record.
        magic: i32,
    },
}

/// All that stands in the way of opening the store of `options`, in the order of the list above.
///
/// # Errors
/// [`FileError`] for a folder or file that cannot be read.
pub fn refusals(options: &StoreOptions) -> Result<Vec<Refusal>, FileError> {
    let root = &options.root;
    let mut found = Vec::new();
    for folder in [options.consume_queue_dir.clone(), root.join("consumequeue_rocksdb")] {
        if is_rocksdb(&folder)? {
            found.push(Refusal::RocksDbQueues { path: folder });
        }
    }
    let json = root.join("config");
    for name in ROCKSDB_METADATA {
        let folder = json.join(name);
        if is_rocksdb(&folder)? {
            found.push(Refusal::RocksDbMetadata { path: folder, json: json.clone() });
        }
    }
    let pops = root.join("kvStore");
    if is_rocksdb(&pops)? {
        found.push(Refusal::RocksDbPops { path: pops });
    }
    for entry in entries(root)? {
        let folder = entry.path();
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("dledger-"))
            && let Some(path) = first_file(&folder.join("data"), 0)?
        {
            found.push(Refusal::Dledger { path, folder });
        }
    }
    if let Some(path) = first_file(&root.join("batchconsumequeue"), 2)? {
        found.push(Refusal::BatchQueue { path });
    }
    let folder = root.join("compaction");
    for part in ["compactionLog", "compactionCq"] {
        if let Some(path) = first_file(&folder.join(part), 2)? {
            found.push(Refusal::Compacted { path, folder: folder.clone() });
        }
    }
    for entry in entries(&options.commit_log_dir)? {
        found.extend(newer_record(&entry.path())?);
    }
    Ok(found)
}

fn is_rocksdb(folder: &Path) -> Result<bool, FileError> {
    let current = folder.join(ROCKSDB_CURRENT);
    current.try_exists().map_err(FileError::at("looking for the file", &current))
}

/// What lies in a folder, in the order of its names; nothing without the folder.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, FileError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        other => other.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let mut entries = listed.map_err(FileError::at("reading the folder", folder))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// The first file `depth` folders below `folder`.
fn first_file(folder: &Path, depth: u32) -> Result<Option<PathBuf>, FileError> {
    for entry in entries(folder)? {
        let path = entry.path();
        let is_folder = entry.file_type().map_err(FileError::at("looking at", &path))?.is_dir();
        match depth.checked_sub(1) {
            None if !is_folder => return Ok(Some(path)),
            Some(depth) if is_folder => {
                if let Some(file) = first_file(&path, depth)? {
                    return Ok(Some(file));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Whether the log's file begins with a record of a version to come.
fn newer_record(path: &Path) -> Result<Option<Refusal>, FileError> {
    let base = path.file_name().and_then(|name| layout::file_position(name.to_str()?));
    let Some(base) = base.filter(|_| path.is_file()) else { return Ok(None) };
    let read = |length: usize| -> Result<Vec<u8>, FileError> {
        let mut bytes = vec![0; length];
        let read = File::open(path).and_then(|file| read_start(&file, &mut bytes));
        bytes.truncate(read.map_err(FileError::at("reading the file", path))?);
        Ok(bytes)
    };
    let head = read(RECORD_HEAD)?;
    if claimed_magic(&head, base).is_none() {
        return Ok(None);
    }
    let size = head.first_chunk().map_or(0, |size| i32::from_be_bytes(*size));
    let record = read(usize::try_from(size).unwrap_or(0).clamp(RECORD_HEAD, RECORD_MAX))?;
    Ok(newer_magic(&record, base).map(|magic| Refusal::NewerRecord { path: path.to_owned(), position: base, magic }))
}

/// The magic of what stands at physical offset `at` if it is a record of a version to come, rather than damage: it says that it
/// stands there, and no known version explains its fields.
pub(crate) fn newer_magic(bytes: &[u8], at: i64) -> Option<i32> {
    let magic = claimed_magic(bytes, at)?;
    let bytes = bytes.get(..RECORD_MAX).unwrap_or(bytes);
    let is_damaged = [MAGIC_V1, MAGIC_V2].iter().any(|known| is_record_with(bytes, *known));
    (!is_damaged).then_some(magic)
}

/// Whether `bytes` would be a record if `magic` stood where another one does.
fn is_record_with(bytes: &[u8], magic: i32) -> bool {
    let (Some(before), Some(after)) = (bytes.get(..4), bytes.get(8..)) else { return false };
    Record::parse(&[before, &magic.to_be_bytes(), after].concat()).is_ok()
}

/// Bytes of a record up to its place, which stands at byte 28 in every version so far.
const RECORD_HEAD: usize = 36;

/// The magic of what stands at physical offset `at`, if it is one of the family, is not known, and the place fits.
fn claimed_magic(bytes: &[u8], at: i64) -> Option<i32> {
    let magic = i32::from_be_bytes(*bytes.get(4..8)?.first_chunk()?);
    let place = i64::from_be_bytes(*bytes.get(28..RECORD_HEAD)?.first_chunk()?);
    let is_newer = magic & MAGIC_FAMILY_MASK == MAGIC_FAMILY && magic != MAGIC_V1 && magic != MAGIC_V2;
    (is_newer && place == at).then_some(magic)
}

fn read_start(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
