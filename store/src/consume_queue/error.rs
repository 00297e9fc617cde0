//! What can go wrong with consume queues.

use std::io;
use std::path::{Path, PathBuf};

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;

use crate::error::FileError;

/// Why a consume queue could not be read, written or opened.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file whose length is not the configured one.
    #[error(
        "{} is {found} bytes long, a consume queue file has {expected}; set mappedFileSizeConsumeQueue to what the store was \
         written with, or move the folder consumequeue away to have it rebuilt from the commit log", path.display()
    )]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The configured length in bytes.
        expected: i64,
    },
    /// A file whose name is not a byte position that a file may begin at.
    #[error(
        "{} does not belong into a consume queue: a file there is named by the byte position it begins at, in 20 digits; move \
         it away", path.display()
    )]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// An extension file whose length is not the configured one.
    #[error(
        "{} is {found} bytes long, an extension file has {expected}; set mappedFileSizeConsumeQueueExt to what the store was \
         written with", path.display()
    )]
    ExtensionFileSize {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The configured length in bytes.
        expected: i64,
    },
    /// A queue offset that cannot follow what the queue holds: the record it came from is damaged.
    #[error(
        "a record claims queue offset {queue_offset} in {topic}-{queue_id}, which ends at {max_offset}; the record is damaged and \
         not put into the queue"
    )]
    OffsetOutOfRange {
        /// Topic of the queue.
        topic: Topic,
        /// Number of the queue.
        queue_id: QueueId,
        /// What the record says.
        queue_offset: QueueOffset,
        /// Where the queue ends.
        max_offset: QueueOffset,
    },
}

impl QueueError {
    /// For `map_err`: names the file and what was tried.
    pub(super) fn io(operation: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| FileError::at(operation, path.as_ref())(source).into()
    }
}
