//! The old end of the log: taking whole files away, and what is known about room for new ones.

use std::sync::Arc;

use super::CommitLog;
use crate::allocate::Room;
use crate::error::FileError;
use crate::layout;
use crate::mapped_file::MappedFile;

impl CommitLog {
    /// All files, oldest first.
    pub(crate) fn files(&self) -> Vec<Arc<MappedFile>> {
        self.files.all()
    }

    /// The oldest file, if it may be deleted: it is not the one appended to, is on disk and lies before `dispatched`.
    pub(crate) fn oldest_before(&self, dispatched: i64) -> Option<Arc<MappedFile>> {
        let first = self.files.first()?;
        let is_last = self.files.last().is_none_or(|last| Arc::ptr_eq(&first, &last));
        (!is_last && first.limit() <= dispatched.min(self.flushed())).then_some(first)
    }

    /// Deletes `oldest`, which [`CommitLog::oldest_before`] gave. When this returns, it is gone from the disk, also after a loss
    /// of power: the next one may go. Held slices of it stay readable. One caller at a time.
    ///
    /// # Errors
    /// [`FileError`]; the file is still there, or will not be after the next start.
    pub(crate) fn remove_oldest(&self, oldest: &Arc<MappedFile>) -> Result<(), FileError> {
        oldest.remove()?;
        self.files.remove_first(oldest);
        oldest.path().parent().map_or(Ok(()), layout::sync_dir)
    }

    /// What the last try to make a file showed.
    pub(crate) fn room(&self) -> Room {
        self.allocator.room()
    }

    /// Has the file that there was no room for made again, in the background.
    pub(crate) fn try_room_again(&self) {
        self.allocator.try_room_again();
    }
}
