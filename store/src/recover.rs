//! Opening what a stop of any kind has left: where the log ends, and queues that agree with it.
//!
//! The log is the truth. Queues are brought to agree with the part of it that is scanned; where the scan begins is decided
//! by the checkpoint, which is only believed as far as the first records of files and the ends of queues bear it out. A
//! queue that turns out to lack messages from before moves the begin of the scan back.
//!
//! Upstream: `DefaultMessageStore.recover`, `CommitLog.recoverNormally`, `CommitLog.recoverAbnormally`.

use boostermq_remoting::message::record::Record;
use boostermq_remoting::offsets::PhysicalOffset;

use crate::checkpoint::{Checkpoint, Field};
use crate::commit_log::{LogEnd, Scan, Step, first_record, has_queue_offset, scan};
use crate::consume_queue::{QueueError, QueueTable};
use crate::dispatch::QueueBuilder;
use crate::error::{FileError, OpenError, Quarantine};
use crate::layout;
use crate::mapped_file::MappedFile;

/// How much older than the checkpoint a file has to be to be left out, where only times are known (RocketMQ 5.5.0).
const TIME_MARGIN_MS: i64 = 3000;
/// After a clean stop only this much of the last file's end is made sure to be zero.
const CLEAN_TAIL: usize = 64 << 10;

/// What recovery works on.
pub(crate) struct Recovery<'a> {
    pub(crate) files: Vec<MappedFile>,
    pub(crate) queues: &'a QueueTable,
    pub(crate) builder: QueueBuilder,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) check_crc: bool,
    /// The last stop was not a clean one.
    pub(crate) is_abnormal: bool,
}

/// What it found.
pub(crate) struct Recovered {
    pub(crate) files: Vec<MappedFile>,
    pub(crate) end: LogEnd,
    pub(crate) damage: Vec<Quarantine>,
    /// Whether everything was treated as after a crash.
    pub(crate) is_abnormal: bool,
}

/// Why a scan was broken off.
enum Broken {
    /// A queue lacks messages from before where the scan began.
    Behind,
    Queue(QueueError),
}

impl Recovery<'_> {
    /// Finds the end of the log, cuts what is torn, and brings the queues to agree.
    ///
    /// # Errors
    /// [`OpenError`]; what was done until then can be done again.
    pub(crate) fn run(mut self) -> Result<Recovered, OpenError> {
        self.recover_queues()?;
        if self.files.is_empty() {
            return self.without_log();
        }
        let scan = self.scan()?;
        for damage in &scan.damage {
            tracing::error!(
                from = %damage.from, to = %damage.to, what = damage.what,
                "the commit log is damaged here; it is left as it is, and consumers will not see these messages"
            );
        }
        let mut end = scan.end;
        if end.store_timestamp == 0 {
            // No record in what was scanned; the time still may not fall behind that of an earlier one.
            end.store_timestamp = self.checkpoint.value(Field::PhysicalTimestamp);
        }
        self.end_log_at(end.offset)?;
        if self.queues.max_physical_offset().is_some_and(|max| max.0 > end.offset) {
            self.queues.truncate_all(PhysicalOffset(end.offset))?;
        }
        let min = self.files.first().map_or(end.offset, MappedFile::base);
        self.queues.correct_min_all(PhysicalOffset(min))?;
        self.queues.reset_next_offsets();
        let Self { files, is_abnormal, .. } = self;
        Ok(Recovered { files, end, damage: scan.damage, is_abnormal })
    }

    /// Finds the ends of the queues. A stop that looks clean but whose queues do not end where they did is treated as a crash.
    fn recover_queues(&mut self) -> Result<(), OpenError> {
        if !self.is_abnormal {
            self.queues.recover_all(false)?;
            let known = self.checkpoint.value(Field::QueuePhysicalOffset);
            let found = self.queues.max_physical_offset().map_or(0, |offset| offset.0);
            self.is_abnormal = known != 0 && known != found;
        }
        if self.is_abnormal {
            self.queues.recover_all(true)?;
        }
        Ok(())
    }

    fn without_log(self) -> Result<Recovered, OpenError> {
        if self.queues.max_physical_offset().is_some() {
            tracing::warn!("there is no commit log: the consume queues of an earlier one are deleted");
            self.queues.delete_all()?;
        }
        let end = LogEnd { offset: 0, store_timestamp: self.checkpoint.value(Field::PhysicalTimestamp) };
        Ok(Recovered { files: Vec::new(), end, damage: Vec::new(), is_abnormal: self.is_abnormal })
    }

    /// Walks the log from as far back as need be.
    fn scan(&mut self) -> Result<Scan, OpenError> {
        let durable = self.checkpoint.value(Field::QueuePhysicalOffset);
        let known_end = (!self.is_abnormal && durable != 0).then_some(durable);
        let step = Step { check_crc: self.check_crc, known_end, durable };
        let mut start = self.start();
        let mut step_back = 1;
        loop {
            let Self { files, builder, is_abnormal, .. } = self;
            let part = files.get(start..).unwrap_or_default();
            let result = scan(part, step, |record| rebuild(builder, record, *is_abnormal, start > 0));
            match result {
                Ok(found) => {
                    tracing::info!(
                        from = part.first().map_or(0, MappedFile::base),
                        to = found.end.offset,
                        records = found.records,
                        is_abnormal,
                        "commit log scanned"
                    );
                    return Ok(found);
                }
                Err(Broken::Queue(error)) => return Err(error.into()),
                Err(Broken::Behind) => {
                    start = start.saturating_sub(step_back);
                    step_back *= 2;
                    tracing::warn!(
                        files = files.len() - start,
                        "a consume queue lacks messages: scanning further back"
                    );
                }
            }
        }
    }

    /// Index of the first file to scan: everything before it is on disk, whole, and in the queues.
    fn start(&self) -> usize {
        let limit = self.files.last().map_or(0, MappedFile::limit);
        let in_queues = self.queues.max_physical_offset().map_or(0, |offset| offset.0);
        let value = |field| self.checkpoint.value(field);
        let queues_synced = Some(value(Field::QueuePhysicalOffset)).filter(|offset| (1..=limit).contains(offset));
        let log_time = value(Field::PhysicalTimestamp);
        let both_time = log_time.min(value(Field::QueueTimestamp)) - TIME_MARGIN_MS;
        let is_safe = |file: &MappedFile| {
            let Some(first) = first_record(file) else { return false };
            let is_kept = match queues_synced {
                Some(offset) => file.base() <= offset && first.store_timestamp() <= log_time,
                None => first.store_timestamp() <= both_time,
            };
            is_kept && file.base() <= in_queues
        };
        let start = self.files.iter().rposition(is_safe).unwrap_or(0);
        // A file before that does not even begin soundly says that the checkpoint is wrong.
        let unsound = self.files.iter().take(start).position(|file| first_record(file).is_none());
        unsound.map_or(start, |index| index.saturating_sub(1))
    }

    /// Deletes files after the one that holds the end, and makes that one ready to be appended to.
    fn end_log_at(&mut self, end: i64) -> Result<(), OpenError> {
        while let Some(last) = self.files.last()
            && last.base() > end
        {
            tracing::info!(path = %last.path().display(), "this file lies after the end of the commit log and is deleted");
            last.remove()?;
            if let Some(dir) = last.path().parent() {
                layout::sync_dir(dir)?;
            }
            self.files.pop();
        }
        let Some((last, earlier)) = self.files.split_last_mut() else { return Ok(()) };
        let position = usize::try_from(end - last.base()).unwrap_or(0);
        let clear_to = if self.is_abnormal { last.size() } else { position + CLEAN_TAIL };
        last.cut(position, clear_to)?;
        if self.is_abnormal {
            // What was found may be in the page cache only, and counts as on disk from here on.
            for file in earlier {
                file.sync().map_err(FileError::at("syncing the file", file.path()))?;
            }
        }
        Ok(())
    }
}

/// Brings the queue of one record to agree with it.
fn rebuild(
    builder: &mut QueueBuilder,
    record: &Record<'_>,
    is_abnormal: bool,
    may_go_back: bool,
) -> Result<(), Broken> {
    if !has_queue_offset(record.sys_flag()) {
        return Ok(());
    }
    let Some(queue) = builder.queue_of(record) else { return Ok(()) };
    let max = queue.max_offset();
    if max > record.queue_offset() && !is_abnormal {
        return Ok(());
    }
    // A queue without any message begins where it is found to; one that has some must not get a hole.
    if may_go_back && max < record.queue_offset() && queue.max_physical_offset().is_some() {
        return Err(Broken::Behind);
    }
    builder.push(record).map(|_| ()).map_err(Broken::Queue)
}
