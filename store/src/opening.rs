//! From what lies on disk to a store that agrees with itself: everything a start does before the first thread.
//!
//! A look at a store ([`crate::check`](mod@crate::check)) does the same over files whose changes are kept in memory. Never here: threads,
//! the store's lock.
//!
//! Upstream: `DefaultMessageStore.load`.

use std::sync::Arc;

use boostermq_remoting::offsets::PhysicalOffset;

use crate::boot;
use crate::checkpoint::{Checkpoint, Field};
use crate::clock::Clock;
use crate::commit_log::Check;
use crate::consume_queue::QueueTable;
use crate::dispatch::QueueBuilder;
use crate::error::{FileError, OpenError};
use crate::index::{Index, Shape, Trust};
use crate::mapped_file::MappedFile;
use crate::options::StoreOptions;
use crate::recover::{self, Recovered, Recovery};
use crate::{io, layout, mapped_file_queue};

/// Least bytes of a log file: one page.
const FILE_SIZE_MIN: u64 = 4096;
/// Most bytes of a log file: a blank tells its length in 32 bits, with a sign.
const FILE_SIZE_MAX: u64 = i32::MAX as u64;

/// The files of a store, found and checked; where log and queues end is not known yet.
pub(crate) struct Found {
    pub(crate) files: Vec<MappedFile>,
    pub(crate) queues: Arc<QueueTable>,
    pub(crate) checkpoint: Checkpoint,
    /// The last stop left the file `abort`.
    pub(crate) is_abnormal: bool,
}

/// A store that agrees with itself.
pub(crate) struct Opened {
    pub(crate) recovered: Recovered,
    pub(crate) queues: Arc<QueueTable>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) index: Option<Arc<Index>>,
}

/// Refuses options that cannot work.
///
/// # Errors
/// [`OpenError::Options`].
pub(crate) fn check_options(options: &StoreOptions) -> Result<(), OpenError> {
    let size = options.commit_log_file_size;
    if !(FILE_SIZE_MIN..=FILE_SIZE_MAX).contains(&size) {
        let what = format!("mappedFileSizeCommitLog is {size}: it must be from {FILE_SIZE_MIN} to {FILE_SIZE_MAX}");
        return Err(OpenError::Options { what });
    }
    // A file without room for an entry would be full at once, and the next one, and the next.
    if options.index_entries < 2 || options.index_slots < 1 {
        let what = format!(
            "maxIndexNum is {} and maxHashSlotNum {}: they must be 2 and 1 at least",
            options.index_entries, options.index_slots
        );
        return Err(OpenError::Options { what });
    }
    Ok(())
}

/// Finds the files. Changes nothing but that folders are made, and last files of no length, which a crash leaves, are deleted.
///
/// # Errors
/// [`OpenError`]: what stands there is no store, or not one written with these options.
pub(crate) fn find(options: &StoreOptions) -> Result<Found, OpenError> {
    let is_abnormal = options.root.join(layout::ABORT).exists();
    for dir in [&options.commit_log_dir, &options.consume_queue_dir, &options.index_dir] {
        layout::create_dir(dir)?;
    }
    let files = mapped_file_queue::load(&options.commit_log_dir, options.commit_log_file_size)?;
    let open_files = options.consume_queue_open_files;
    let queues = QueueTable::new(options.consume_queue_dir.clone(), options.consume_queue_file_size, open_files);
    let queues = queues.with_extensions(options.extension_file_size, open_files, options.extension_enabled);
    let queues = queues.with_marks(options.marks());
    queues.load()?;
    let checkpoint = Checkpoint::open(&options.root.join(layout::CHECKPOINT))?;
    recover::refuse_lost_files(&files, &queues, &checkpoint, &options.commit_log_dir)?;
    Ok(Found { files, queues: Arc::new(queues), checkpoint, is_abnormal })
}

/// Brings log, queues, index and checkpoint to agree.
///
/// # Errors
/// [`OpenError`]; what was done until then can be done again.
pub(crate) fn recover(options: &Arc<StoreOptions>, clock: &Arc<dyn Clock>, found: Found) -> Result<Opened, OpenError> {
    let Found { files, queues, checkpoint, is_abnormal } = found;
    let abort = options.root.join(layout::ABORT);
    let pid = std::process::id().to_string();
    io::write(&abort, pid.as_bytes()).map_err(FileError::at("writing the file", &abort))?;
    layout::sync_dir(&options.root)?;
    let recovery = Recovery {
        files,
        queues: &queues,
        builder: QueueBuilder::new(Arc::clone(&queues), Arc::clone(options)),
        checkpoint: &checkpoint,
        check: if options.check_crc_on_recover { options.content_check() } else { Check::Lengths },
        content: options.content_check(),
        is_abnormal,
        is_same_boot: boot::is_same(&options.root),
    };
    let recovered = recovery.run()?;
    let end = recovered.end;
    let trust = match recovered.is_abnormal && !boot::is_same(&options.root) {
        false => Trust::All,
        true => Trust::FullUpTo { timestamp: checkpoint.value(Field::IndexTimestamp) },
    };
    let index = open_index(options, clock, trust, end.offset)?;
    boot::note(&options.root)?;
    // A checkpoint past the end would make the next recovery begin too late.
    if checkpoint.value(Field::QueuePhysicalOffset) > end.offset {
        checkpoint.set(Field::QueuePhysicalOffset, 0);
    }
    // All that recovery leaves is on disk. 0 would say that nobody knows, which a new log's checkpoint does not have to.
    checkpoint.set(Field::PhysicalTimestamp, end.store_timestamp.max(1));
    checkpoint.flush()?;
    Ok(Opened { recovered, queues, checkpoint, index })
}

fn open_index(
    options: &StoreOptions,
    clock: &Arc<dyn Clock>,
    trust: Trust,
    log_end: i64,
) -> Result<Option<Arc<Index>>, OpenError> {
    if !options.index_enabled {
        return Ok(None);
    }
    let shape = Shape { slots: options.index_slots, entries: options.index_entries };
    let index = Index::open(&options.index_dir, shape, Arc::clone(clock), trust, PhysicalOffset(log_end))?;
    Ok(Some(Arc::new(index)))
}
