//! What can go wrong with the store: one error type for each operation, sharing what files do to all of them.
//!
//! Every message names the file and says what an operator can do. What a client is told is decided in the broker.

use std::io;
use std::path::{Path, PathBuf};

use boostermq_remoting::offsets::PhysicalOffset;

use crate::consume_queue::QueueError;
use crate::index::IndexError;
use crate::takeover::Refusal;

/// A system call on a file or folder failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "{operation} {} failed: {source}; check the disk's space and health and who may write there", path.display()
)]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried, as in "opening the file".
    pub operation: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: names the file and what was tried.
    pub(crate) fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { path: path.to_owned(), operation, source }
    }

    /// The disk or somebody's share of it is full.
    pub(crate) fn is_no_room(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// The file system takes no changes.
    pub(crate) fn is_read_only(&self) -> bool {
        self.source.kind() == io::ErrorKind::ReadOnlyFilesystem
    }
}

/// Why a store could not be opened. Nothing in it has been changed unless the text says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has the directory.
    #[error("the store {} is in use (its file {} is locked): stop the broker that runs on it, or give this one another storePathRootDir", root.display(), lock.display())]
    InUse {
        /// The store's root.
        root: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// The store holds what this broker cannot take over.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file whose length is not the configured one.
    #[error("{} is {found} bytes long, a commit log file has {expected}: set mappedFileSizeCommitLog to what the store was written with", path.display())]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The configured length in bytes.
        expected: u64,
    },
    /// A file that has no business in the commit log's folder.
    #[error("{} does not belong into a commit log: a file there is named by the byte position it begins at, in 20 digits; move it away", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// The files of the commit log do not follow each other.
    #[error("the commit log has a gap: after {} the file {expected:020} is missing; bring it back from a copy, or move the files before the gap away to go on without them", path.display())]
    Gap {
        /// The last file before the gap.
        path: PathBuf,
        /// Name of the file that is missing.
        expected: i64,
    },
    /// The last files of the commit log are gone.
    #[error("the commit log in {} ends before the file {missing:020}, but checkpoint and consume queues know of messages up to {known}: bring its last files back from a copy, or delete the file checkpoint to go on without their messages", dir.display())]
    LogLost {
        /// The folder of the log.
        dir: PathBuf,
        /// Name of the first file that is missing.
        missing: i64,
        /// Up to where the log was on disk.
        known: i64,
    },
    /// The configuration cannot work.
    #[error("{what}")]
    Options {
        /// Which setting, and what it must be.
        what: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The consume queues could not be opened.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The index could not be opened.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A thread could not be started.
    #[error("starting the thread {name} failed: {source}; check the limit of processes (ulimit -u)")]
    Thread {
        /// The thread.
        name: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Why nothing of a batch was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The store is closed or closing.
    #[error("the store is shut down")]
    Closed,
    /// A sync of the log failed: nobody knows what is on disk, so nothing may be acknowledged any more.
    #[error(
        "the store takes no more messages, because writing the commit log to disk failed: check the disk, then restart the broker"
    )]
    Poisoned,
    /// The disk is filled beyond the warning level.
    #[error("the disk is full: free space, or lower fileReservedTime")]
    DiskFull,
    /// There is no room for a file of the log. The next one is tried again with the first message after a second.
    #[error("there is no room for the commit log file {} ({cause}): free space, or lower fileReservedTime", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file system of the log takes no changes.
    #[error("the disk of {} is read-only ({cause}): check it, remount it, then restart the broker", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The log cannot be written.
    #[error("the commit log file {} cannot be written ({cause}): check the disk", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Consume queues cannot be written, so messages would pile up unseen.
    #[error(
        "the store takes no more messages, because consume queues cannot be written: check the disk of consumequeue"
    )]
    Queues,
    /// Writing was switched off.
    #[error("the store takes no messages: writing is switched off")]
    NotWriteable,
    /// Another append has held the log for too long.
    #[error("the commit log has been busy for {busy_ms} ms: the disk stalls")]
    Busy {
        /// How long, in milliseconds.
        busy_ms: u64,
    },
    /// A record does not fit a file of the log.
    #[error(
        "message {index} makes a record of {length} bytes, a file of the commit log holds {limit}: send a smaller body, or raise mappedFileSizeCommitLog"
    )]
    TooLarge {
        /// Which record of the batch.
        index: usize,
        /// Bytes of the record.
        length: u32,
        /// Most bytes of a record.
        limit: u64,
    },
    /// The next file of the log could not be made.
    #[error("no new commit log file: {0}")]
    NewFile(#[source] FileError),
    /// The next file of the log was not ready in time.
    #[error("no new commit log file after {waited_ms} ms: the disk is too slow or stuck")]
    NewFileLate {
        /// How long the append waited, in milliseconds.
        waited_ms: u64,
    },
}

impl AppendError {
    /// A file of the log could not be made or written.
    pub(crate) fn not_written(error: FileError) -> Self {
        let (is_no_room, is_read_only) = (error.is_no_room(), error.is_read_only());
        let (path, cause) = (error.path, error.source.to_string());
        if is_no_room {
            Self::NoRoom { path, cause }
        } else if is_read_only {
            Self::ReadOnly { path, cause }
        } else {
            Self::NotWritten { path, cause }
        }
    }
}

/// Why a message cannot go into the light queues it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightQueueError {
    /// A name that no light queue can have.
    #[error(
        "{name:?} in INNER_MULTI_DISPATCH cannot name a light queue: use names that begin with %LMQ%, hold no slash and no control character, and have at most 255 bytes, with commas between them"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// There are as many light queues as there may be.
    #[error("there are {limit} light queues, as many as maxLmqConsumeQueueNum allows: raise it, or delete some")]
    TooMany {
        /// Most light queues.
        limit: u32,
    },
}

/// Why a store did not close cleanly. Its abort file stays, and the next start recovers.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The log could not be written to disk.
    #[error("the commit log could not be written to disk: check the disk; the next start recovers")]
    Flush,
    /// Messages are missing in the consume queues.
    #[error("consume queues are {behind} bytes of the commit log behind; the next start recovers")]
    Behind {
        /// Bytes of the log that are not in the queues.
        behind: i64,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The consume queues could not be written.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The index could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Damage found in the log: where, and what was done about it. Kept for `stats` and logged once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// First damaged byte.
    pub from: PhysicalOffset,
    /// First sound byte after it.
    pub to: PhysicalOffset,
    /// What is wrong there.
    pub what: String,
}
