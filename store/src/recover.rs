//! Opening what a stop of any kind has left: where the log ends, and queues that agree with it.
//!
//! ```text
//!  commit log   | in the queues, and on disk        | read, and put into the queues | zeros …
//!                                                   ^ where the scan begins         ^ end
//! ```
//!
//! The log is the truth. Queues are brought to agree with the part of it that is scanned; where the scan begins is decided
//! by the checkpoint, which is only believed as far as other things bear it out: that a record begins there, that the queues reach as
//! far as they did ([`QueueEnds`]) or the first records of files are old enough, and in the end that the log goes as far as the
//! checkpoint says. What turns out to lack messages from before moves the begin of the scan back.
//!
//! Nothing here depends on the file `abort`: it only says at once what would be found out otherwise.
//!
//! Upstream: `DefaultMessageStore.recover`, `CommitLog.recoverNormally`, `CommitLog.recoverAbnormally`.

mod rebuild;

#[cfg(test)]
mod tests;

use boostermq_remoting::offsets::PhysicalOffset;

use crate::checkpoint::{Checkpoint, Field};
use crate::commit_log::{Check, Found, LogEnd, Scan, Step, first_record, look, scan};
use crate::consume_queue::{ConsumeQueue, QueueEnds, QueueTable};
use crate::dispatch::QueueBuilder;
use crate::error::{FileError, OpenError, Quarantine};
use crate::layout;
use crate::mapped_file::MappedFile;
use crate::takeover::{Refusal, newer_magic};
use rebuild::{Broken, Rebuild};

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
    /// How records are looked at in the scan.
    pub(crate) check: Check,
    /// How records are looked at that have to be beyond doubt.
    pub(crate) content: Check,
    /// The last stop was not a clean one.
    pub(crate) is_abnormal: bool,
    /// The machine has not been started anew since: what was written is there, and no damage comes from a loss of power.
    pub(crate) is_same_boot: bool,
}

/// What it found.
pub(crate) struct Recovered {
    pub(crate) files: Vec<MappedFile>,
    pub(crate) end: LogEnd,
    pub(crate) damage: Vec<Quarantine>,
    /// Where the log was read from, and how many records were found from there on.
    pub(crate) scan_begin: i64,
    pub(crate) records: u64,
    /// Whether everything was treated as after a crash.
    pub(crate) is_abnormal: bool,
}

/// How far the last stop had come, as far as that can be believed.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Before this the log is on disk and in the queues; 0 when nobody knows.
    position: i64,
    /// Where each queue ended then; a queue that ends before has lost something.
    ends: Option<QueueEnds>,
}

/// Refuses a log whose last files have gone: checkpoint and queues both know of messages in them. Changes nothing.
///
/// # Errors
/// [`OpenError::LogLost`].
pub(crate) fn refuse_lost_files(
    files: &[MappedFile],
    queues: &QueueTable,
    checkpoint: &Checkpoint,
    dir: &std::path::Path,
) -> Result<(), OpenError> {
    let limit = files.last().map_or(0, MappedFile::limit);
    let known = checkpoint.value(Field::QueuePhysicalOffset);
    if known <= limit || queues.furthest_physical_end()? <= limit {
        return Ok(());
    }
    Err(OpenError::LogLost { dir: dir.to_owned(), missing: limit, known })
}

impl Recovery<'_> {
    /// Finds the end of the log, cuts what is torn, and brings the queues to agree.
    ///
    /// # Errors
    /// [`OpenError`]; what was done until then can be done again.
    pub(crate) fn run(mut self) -> Result<Recovered, OpenError> {
        if self.files.is_empty() {
            return self.without_log();
        }
        let known = self.known();
        let lacks_from = self.recover_queues(&known)?;
        let scan = self.scan(&known, lacks_from)?;
        self.refuse_newer(&scan)?;
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
        self.end_log(&scan)?;
        if self.queues.max_physical_offset().is_some_and(|max| max.0 > end.offset) {
            self.queues.truncate_all(PhysicalOffset(end.offset))?;
        }
        self.drop_stale(&scan)?;
        let min = self.files.first().map_or(end.offset, MappedFile::base);
        self.queues.correct_min_all(PhysicalOffset(min))?;
        self.queues.reset_next_offsets();
        if known.position > end.offset {
            self.queues.forget_ends()?;
        }
        let Self { files, is_abnormal, .. } = self;
        Ok(Recovered { files, end, damage: scan.damage, scan_begin: scan.begin, records: scan.records, is_abnormal })
    }

    /// Takes units away that power left behind without their records: they point into what was read, and other records stand
    /// there. Where damage stands, the record may have been; its number stays taken.
    fn drop_stale(&self, scan: &Scan) -> Result<(), OpenError> {
        for queue in self.queues.queues() {
            while let Some((_, unit)) = queue.last_unit()?
                && (scan.begin..scan.end.offset).contains(&unit.physical_offset.0)
                && !scan.damage.iter().any(|damage| (damage.from..damage.to).contains(&unit.physical_offset))
                && !rebuild::is_last_right(&self.files, &queue, self.content)?
            {
                queue.drop_last()?;
            }
        }
        Ok(())
    }

    /// Refuses a log that another release has written to: what looks like damage, or like the end, is a record of its own.
    fn refuse_newer(&self, scan: &Scan) -> Result<(), OpenError> {
        for at in scan.damage.iter().map(|damage| damage.from.0).chain([scan.end.offset]) {
            let Some(file) = self.file_of(at) else { continue };
            if let Some(magic) = file.rest(at).and_then(|bytes| newer_magic(bytes, at)) {
                let path = file.path().to_owned();
                return Err(Refusal::NewerRecord { path, position: at, magic }.into());
            }
        }
        Ok(())
    }

    /// How far the last stop had come. The ends of the queues are older than the checkpoint when another broker has run here since.
    fn known(&self) -> Known {
        let limit = self.files.last().map_or(0, MappedFile::limit);
        let position = self.checkpoint.value(Field::QueuePhysicalOffset);
        let ends = self.queues.read_ends().filter(|ends| ends.position >= position && ends.position <= limit);
        Known { position: if position <= limit { position } else { 0 }, ends }
    }

    /// Finds the ends of the queues. A stop that looks clean but was none is treated as a crash: when the log goes on after where
    /// it ended, or a queue does not end where it did. Returns where the log has to be read from at least.
    fn recover_queues(&mut self, known: &Known) -> Result<Option<i64>, OpenError> {
        let mut damaged = Vec::new();
        if !self.is_abnormal {
            damaged = self.queues.recover_all(false, None)?;
            let found = self.queues.max_physical_offset().map_or(0, |offset| offset.0);
            let is_where_it_was = match &known.ends {
                Some(ends) => ends.position == known.position,
                None => known.position == 0 || known.position == found,
            };
            let is_end = known.position == 0 || self.is_unwritten(known.position);
            self.is_abnormal = !damaged.is_empty() || !is_where_it_was || !is_end;
        }
        if self.is_abnormal {
            let on_disk = known.ends.as_ref().map(|ends| PhysicalOffset(ends.position));
            damaged.extend(self.queues.recover_all(true, on_disk)?);
        }
        let mut lacks_from = None;
        for queue in damaged {
            let from = self.sound_end(&queue)?;
            lacks_from = Some(lacks_from.map_or(from, |other: i64| other.min(from)));
        }
        let lost = known.ends.as_ref().and_then(|ends| self.lost_from(ends));
        self.is_abnormal |= lost.is_some();
        Ok(lacks_from.into_iter().chain(lost).min())
    }

    /// Takes units from the end of a damaged queue until one leads to its message. Returns where that ends in the log.
    fn sound_end(&self, queue: &ConsumeQueue) -> Result<i64, OpenError> {
        while !rebuild::is_last_right(&self.files, queue, self.content)? {
            queue.drop_last()?;
        }
        let log_begin = self.files.first().map_or(0, MappedFile::base);
        Ok(queue.max_physical_offset().map_or(log_begin, |offset| offset.0))
    }

    /// Where the log has to be read from for queues that have lost units since `ends` was written.
    fn lost_from(&self, ends: &QueueEnds) -> Option<i64> {
        let log_begin = self.files.first().map_or(0, MappedFile::base);
        let mut lost_from = None;
        for end in &ends.queues {
            let queue = self.queues.get(end.topic.as_str(), end.queue_id);
            let queue = queue.as_deref().filter(|queue| queue.min_offset() < queue.max_offset());
            let from = match queue {
                Some(queue) if queue.min_offset() > end.min && end.min_physical.0 >= log_begin => end.min_physical.0,
                Some(queue) if queue.max_offset() >= end.max => continue,
                Some(queue) => queue.max_physical_offset().map_or(log_begin, |offset| offset.0),
                // Every message it had has left the log with its file.
                None if end.min_physical.0 < log_begin => log_begin,
                None => end.min_physical.0,
            };
            tracing::warn!(
                topic = %end.topic, queue_id = %end.queue_id, from,
                "this consume queue has lost files, and is built again from the commit log"
            );
            lost_from = Some(lost_from.map_or(from, |other: i64| other.min(from)));
        }
        lost_from
    }

    fn without_log(self) -> Result<Recovered, OpenError> {
        self.queues.recover_all(true, None)?;
        if self.queues.max_physical_offset().is_some() {
            tracing::warn!("there is no commit log: the consume queues of an earlier one are deleted");
            self.queues.delete_all()?;
        }
        let end = LogEnd { offset: 0, store_timestamp: self.checkpoint.value(Field::PhysicalTimestamp) };
        let is_abnormal = self.is_abnormal;
        Ok(Recovered { files: Vec::new(), end, damage: Vec::new(), scan_begin: 0, records: 0, is_abnormal })
    }

    /// Walks the log from as far back as need be.
    fn scan(&mut self, known: &Known, lacks_from: Option<i64>) -> Result<Scan, OpenError> {
        let log_begin = self.files.first().map_or(0, MappedFile::base);
        let mut start = self.start(known);
        if let Some(from) = lacks_from {
            start = start.min(self.boundary_at(from));
        }
        let in_queues = self.queues.max_physical_offset().map_or(0, |end| end.0);
        let in_ends = known.ends.as_ref().map_or(0, |ends| ends.position);
        let claimed = self.checkpoint.value(Field::QueuePhysicalOffset).max(in_queues).max(in_ends);
        loop {
            let known_end = (!self.is_abnormal && known.position != 0).then_some(known.position);
            let durable_time = if self.is_same_boot { 0 } else { self.checkpoint.value(Field::PhysicalTimestamp) };
            let step = Step {
                check: self.check,
                content: self.content,
                known_end,
                claimed,
                durable: known.position,
                durable_time,
            };
            let go_back = (start > log_begin).then_some(start);
            let mut rebuild = Rebuild::new(&mut self.builder, &self.files, self.is_abnormal, go_back, self.content);
            let result = scan(&self.files, start, step, |seen| rebuild.take(seen));
            match result {
                Ok(found) if start > log_begin && self.is_belied(known, &found) => {
                    tracing::warn!("the log does not go as far as the checkpoint says, so nothing of that is believed");
                    self.is_abnormal = true;
                    start = log_begin;
                }
                Ok(found) => {
                    let (to, records, is_abnormal) = (found.end.offset, found.records, self.is_abnormal);
                    tracing::info!(from = start, to, records, is_abnormal, "commit log scanned");
                    return Ok(found);
                }
                Err(Broken::Queue(error)) => return Err(error.into()),
                Err(Broken::Behind(from)) => {
                    self.is_abnormal = true;
                    start = self.boundary_at(from);
                    tracing::warn!(
                        from = start,
                        "a consume queue lacks messages: the commit log is read from further back"
                    );
                }
            }
        }
    }

    /// Whether the checkpoint tells of records that are not there. A torn or damaged end explains that they are not.
    fn is_belied(&self, known: &Known, scan: &Scan) -> bool {
        let is_explained = scan.is_torn || !scan.damage.is_empty();
        let claims = self.checkpoint.value(Field::QueuePhysicalOffset).max(known.position);
        let is_time_belied =
            scan.records > 0 && self.checkpoint.value(Field::PhysicalTimestamp) > scan.end.store_timestamp;
        !is_explained && (claims > scan.end.offset || is_time_belied)
    }

    /// Where the scan begins: everything before is on disk, whole, and in the queues.
    fn start(&self, known: &Known) -> i64 {
        if let Some(ends) = &known.ends {
            let position = ends.position;
            if self.is_unwritten(position) || self.is_boundary(position) {
                return position;
            }
        }
        self.start_of_file(known)
    }

    /// As [`Recovery::start`], where nobody knows where the queues ended: the begin of a file.
    fn start_of_file(&self, known: &Known) -> i64 {
        let in_queues = self.queues.max_physical_offset().map_or(0, |offset| offset.0);
        let value = |field| self.checkpoint.value(field);
        let log_time = value(Field::PhysicalTimestamp);
        let both_time = log_time.min(value(Field::QueueTimestamp)) - TIME_MARGIN_MS;
        let is_safe = |file: &MappedFile| {
            let Some(first) = first_record(file) else { return false };
            let is_kept = match known.position {
                0 => first.store_timestamp() <= both_time,
                position => file.base() <= position && first.store_timestamp() <= log_time,
            };
            is_kept && file.base() <= in_queues
        };
        let start = self.files.iter().rposition(is_safe).unwrap_or(0);
        // A file before that does not even begin soundly says that the checkpoint is wrong.
        let unsound = self.files.iter().take(start).position(|file| first_record(file).is_none());
        let start = unsound.map_or(start, |index| index.saturating_sub(1));
        self.files.get(start).map_or(0, MappedFile::base)
    }

    /// The last place at or before `at` where a scan can begin: `at` itself where a record begins, or the begin of a file.
    fn boundary_at(&self, at: i64) -> i64 {
        if self.is_boundary(at) {
            return at;
        }
        let file = self.files.iter().rev().find(|file| file.base() <= at).or(self.files.first());
        file.map_or(0, MappedFile::base)
    }

    fn file_of(&self, at: i64) -> Option<&MappedFile> {
        self.files.iter().find(|file| (file.base()..file.limit()).contains(&at))
    }

    fn file_limit(&self, at: i64) -> Option<i64> {
        Some(self.file_of(at)?.limit())
    }

    fn look(&self, at: i64) -> Option<Found<'_>> {
        Some(look(self.file_of(at)?, at, self.content))
    }

    /// Whether a record that counts begins at `at`.
    fn is_boundary(&self, at: i64) -> bool {
        matches!(self.look(at), Some(Found::Record(_) | Found::EndOfFile))
    }

    /// Whether nothing was ever written at `at`, as at the end of the log.
    fn is_unwritten(&self, at: i64) -> bool {
        let is_limit = self.files.last().is_some_and(|file| file.limit() == at);
        is_limit
            || match self.look(at) {
                Some(Found::Damage { is_unwritten, .. }) => is_unwritten,
                Some(Found::EndOfFile) => self.file_limit(at).is_some_and(|limit| self.is_unwritten(limit)),
                _ => false,
            }
    }

    /// Deletes files after the one that holds the end, and makes that one ready to be appended to.
    fn end_log(&mut self, scan: &Scan) -> Result<(), OpenError> {
        let end = scan.end.offset;
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
        let is_clean = !self.is_abnormal && !scan.is_torn;
        let clear_to = match scan.is_clear_after {
            true => position,
            false if is_clean => position + CLEAN_TAIL,
            false => last.size(),
        };
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
