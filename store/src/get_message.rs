//! Reading a queue: from an offset to slices of the commit log, as a pull sends them.
//!
//! Owns the rules of how much one read gives and what it says when it gives nothing. Records are lent, not copied: what
//! stands side by side in the log leaves as one slice. Never here: who may read, waiting for messages, response codes.
//!
//! Upstream: `DefaultMessageStore.getMessage`, `GetMessageResult`.

mod mend;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::{LMQ_PREFIX, QueueId};
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};
use bytes::Bytes;

use crate::commit_log::CommitLog;
use crate::consume_queue::{ConsumeQueue, QueueError, READ_UNITS_MAX, UNIT_SIZE, Unit};
use crate::mapped_file::MappedFile;
use crate::options::StoreOptions;

/// Units that a filtered read fetches first; most find enough in them.
const FIRST_UNITS: usize = 64;
/// Where a record says where it stands.
const PHYSICAL_OFFSET: usize = 28;

/// What is to be read.
#[derive(Clone, Copy)]
pub struct GetRequest<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The queue of the topic.
    pub queue_id: QueueId,
    /// The first offset wanted.
    pub queue_offset: QueueOffset,
    /// Most messages wanted. The store gives one at least, and has limits of its own.
    pub max_messages: u32,
    /// Which messages are wanted; all without it.
    pub filter: Option<&'a dyn MessageFilter>,
}

/// Chooses messages of a queue.
pub trait MessageFilter: Send + Sync {
    /// Whether a message with this tags code may be wanted. False leaves it out without a look at the record.
    fn matches_tags(&self, tags_code: i64) -> bool;

    /// Whether [`MessageFilter::matches_bits`] is to be asked.
    fn knows_bits(&self) -> bool {
        false
    }

    /// Whether a message that was appended at `store_timestamp` and got these filter bits may be wanted. Asked where reading the
    /// record may mean reading the disk. False leaves it out.
    fn matches_bits(&self, store_timestamp: i64, bits: &[u8]) -> bool {
        let _ = (store_timestamp, bits);
        true
    }

    /// Whether [`MessageFilter::matches_record`] is to be asked.
    fn needs_record(&self) -> bool {
        false
    }

    /// Whether the message is wanted, by its properties.
    fn matches_record(&self, record: &Record<'_>) -> bool {
        let _ = record;
        true
    }
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GetStatus {
    /// There are messages.
    Found,
    /// Messages were looked at, the filter wanted none.
    NoMatchedMessage,
    /// The log has no more what the queue points to.
    MessageWasRemoving,
    /// The queue has a gap where a file is missing.
    OffsetFoundNull,
    /// The offset lies past the end of the queue.
    OffsetOverflowBadly,
    /// The offset is the end of the queue: nothing new.
    OffsetOverflowOne,
    /// The offset lies before the first message.
    OffsetTooSmall,
    /// There is no such queue.
    NoMatchedLogicQueue,
    /// The queue never had a message.
    NoMessageInQueue,
}

impl GetStatus {
    /// Upstream's name, which clients find as the remark of a pull's response (RocketMQ 5.5.0, `GetMessageStatus`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::MessageWasRemoving => "MESSAGE_WAS_REMOVING",
            Self::OffsetFoundNull => "OFFSET_FOUND_NULL",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
            Self::NoMatchedLogicQueue => "NO_MATCHED_LOGIC_QUEUE",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
        }
    }
}

impl fmt::Display for GetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a read gave.
#[derive(Clone, Debug)]
pub struct GetOutcome {
    /// How it ended.
    pub status: GetStatus,
    /// Where to go on: after what was looked at, or the offset that is right instead of the one asked for.
    pub next_begin_offset: QueueOffset,
    /// First offset of the queue.
    pub min_offset: QueueOffset,
    /// One past the last offset of the queue.
    pub max_offset: QueueOffset,
    /// Whole records in the order of the queue; a slice holds one or more.
    pub slices: Vec<Bytes>,
    /// Records in all slices.
    pub message_count: u32,
    /// Bytes in all slices.
    pub total_bytes: usize,
    /// Bytes of `total_bytes` that probably had to come from the disk.
    pub cold_bytes: usize,
    /// The reader is so far behind that a slave would serve it better.
    pub suggest_pulling_from_slave: bool,
}

impl GetOutcome {
    fn nothing(status: GetStatus, next: QueueOffset, min: QueueOffset, max: QueueOffset) -> Self {
        Self {
            status,
            next_begin_offset: next,
            min_offset: min,
            max_offset: max,
            slices: Vec::new(),
            message_count: 0,
            total_bytes: 0,
            cold_bytes: 0,
            suggest_pulling_from_slave: false,
        }
    }
}

thread_local! {
    /// Units of the read under way on this thread: kept, so that a pull does not allocate for them.
    static UNITS: RefCell<Vec<Unit>> = const { RefCell::new(Vec::new()) };
}

/// Reads messages of `queue`.
///
/// # Errors
/// [`QueueError::File`] when a file of the queue cannot be read.
pub(crate) fn get(
    queue: Option<&ConsumeQueue>,
    log: &CommitLog,
    options: &StoreOptions,
    request: &GetRequest<'_>,
) -> Result<GetOutcome, QueueError> {
    use GetStatus::{NoMatchedLogicQueue, NoMessageInQueue, OffsetOverflowBadly, OffsetOverflowOne, OffsetTooSmall};
    let zero = QueueOffset::ZERO;
    let Some(queue) = queue else { return Ok(GetOutcome::nothing(NoMatchedLogicQueue, zero, zero, zero)) };
    // Read in this order, so that the begin does not lie past the end.
    let min = queue.min_offset();
    let max = queue.max_offset();
    let from = request.queue_offset;
    let nothing = |status, next| Ok(GetOutcome::nothing(status, next, min, max));
    if max == zero {
        return nothing(NoMessageInQueue, zero);
    } else if from < min {
        return nothing(OffsetTooSmall, min);
    } else if from == max {
        return nothing(OffsetOverflowOne, from);
    } else if from > max {
        return nothing(OffsetOverflowBadly, max);
    }
    // Taken out rather than borrowed: a filter may itself read.
    let mut units = UNITS.take();
    let outcome = Walk::new(queue, log, options, request, min, max).run(&mut units);
    UNITS.set(units);
    outcome
}

/// One read on its way along a queue.
struct Walk<'a> {
    queue: &'a ConsumeQueue,
    log: &'a CommitLog,
    options: &'a StoreOptions,
    request: &'a GetRequest<'a>,
    log_end: PhysicalOffset,
    cached_bytes: i64,
    /// The file that the last record was found in.
    file: Option<Arc<MappedFile>>,
    /// Begin and end of the records that leave as the next slice; all in `file`.
    run: Option<(i64, i64)>,
    /// Records before this are gone with their file.
    gone_before: PhysicalOffset,
    /// Filter bits of the unit at hand.
    bits: Vec<u8>,
    last_physical: PhysicalOffset,
    outcome: GetOutcome,
}

/// Whether a walk goes on after a unit.
#[derive(PartialEq, Eq)]
enum Step {
    Next,
    Stop,
}

impl<'a> Walk<'a> {
    fn new(
        queue: &'a ConsumeQueue,
        log: &'a CommitLog,
        options: &'a StoreOptions,
        request: &'a GetRequest<'a>,
        min: QueueOffset,
        max: QueueOffset,
    ) -> Self {
        let log_end = PhysicalOffset(log.end());
        Self {
            queue,
            log,
            options,
            request,
            log_end,
            cached_bytes: options.cached_bytes(),
            file: None,
            run: None,
            gone_before: PhysicalOffset(i64::MIN),
            bits: Vec::new(),
            last_physical: log_end,
            outcome: GetOutcome::nothing(GetStatus::NoMatchedMessage, request.queue_offset, min, max),
        }
    }

    fn run(mut self, units: &mut Vec<Unit>) -> Result<GetOutcome, QueueError> {
        let max_messages = self.request.max_messages as usize;
        let scanned_most = (self.options.filter_scan_bytes as usize / UNIT_SIZE).max(max_messages).max(1);
        let scan_end = self.request.queue_offset.plus(i64::try_from(scanned_most).unwrap_or(i64::MAX));
        let scan_end = scan_end.min(self.outcome.max_offset);
        let in_memory_most = self.options.transfer_count_in_memory as usize;
        let mut wanted = match self.request.filter {
            Some(_) => FIRST_UNITS,
            None => max_messages.min(in_memory_most).max(1),
        };
        'walk: while self.outcome.next_begin_offset < scan_end {
            let next = self.outcome.next_begin_offset;
            if self.queue.read_units(next, wanted, units)? == 0 {
                if next == self.request.queue_offset {
                    self.outcome.status = GetStatus::OffsetFoundNull;
                    self.outcome.next_begin_offset = self.queue.next_file_offset(next).min(self.outcome.max_offset);
                }
                break;
            }
            for unit in units.iter() {
                if self.outcome.next_begin_offset >= scan_end || self.visit(unit) == Step::Stop {
                    break 'walk;
                }
            }
            wanted = READ_UNITS_MAX;
        }
        self.end_run();
        self.outcome.suggest_pulling_from_slave = self.log_end.since(self.last_physical) > self.cached_bytes;
        Ok(self.outcome)
    }

    /// Looks at the next unit.
    fn visit(&mut self, unit: &Unit) -> Step {
        let is_cached = self.log_end.since(unit.physical_offset) <= self.cached_bytes;
        if self.is_full(unit.size as usize, is_cached) {
            return Step::Stop;
        }
        self.outcome.next_begin_offset = self.outcome.next_begin_offset.plus(1);
        if unit.is_blank() {
            return self.pass_over(GetStatus::MessageWasRemoving);
        }
        self.last_physical = unit.physical_offset;
        if unit.physical_offset < self.gone_before {
            return Step::Next;
        }
        if let Some(filter) = self.request.filter {
            let is_wanted = self.queue.tags_code(unit).is_none_or(|tags_code| filter.matches_tags(tags_code));
            if !is_wanted || (!is_cached && filter.knows_bits() && !self.may_be_wanted(filter, unit)) {
                return self.pass_over(GetStatus::NoMatchedMessage);
            }
        }
        let Some(unit) = self.lead(unit) else {
            // What lies before the log's begin went with its file, and so did all up to there.
            self.gone_before = PhysicalOffset(self.log.min_offset());
            return self.pass_over(GetStatus::MessageWasRemoving);
        };
        if let Some(filter) = self.request.filter.filter(|filter| filter.needs_record()) {
            let bytes = self.file.as_ref().and_then(|file| file.slice(unit.physical_offset.0, unit.size as usize));
            let record = bytes.and_then(|bytes| Record::parse(bytes).ok());
            if !record.is_some_and(|record| filter.matches_record(&record)) {
                return self.pass_over(GetStatus::NoMatchedMessage);
            }
        }
        self.take(&unit, is_cached);
        Step::Next
    }

    /// What the filter bits of a unit say; without bits, nothing.
    fn may_be_wanted(&mut self, filter: &dyn MessageFilter, unit: &Unit) -> bool {
        let stored = self.queue.filter_bits(unit, &mut self.bits);
        stored.is_none_or(|store_timestamp| filter.matches_bits(store_timestamp, &self.bits))
    }

    /// `unit`, if it leads to its record; the right one where it does not, as a queue is derived and what it says wrongly can be
    /// found. `None` when the record is gone or damaged.
    fn lead(&mut self, unit: &Unit) -> Option<Unit> {
        if self.has_record(unit) {
            return Some(*unit);
        }
        if unit.is_plausible() && unit.physical_offset.0 < self.log.min_offset() {
            return None;
        }
        let wanted = self.outcome.next_begin_offset.plus(-1);
        let mended = mend::mend(self.queue, self.log, self.options, wanted).ok()?;
        mended.filter(|unit| self.has_record(unit))
    }

    /// Goes to the file of the record that `unit` points to. False when it is not there, or not what it should be.
    fn has_record(&mut self, unit: &Unit) -> bool {
        self.seek(unit)
            && self
                .file
                .as_ref()
                .and_then(|file| file.slice(unit.physical_offset.0, unit.size as usize))
                .is_some_and(|bytes| is_record_of(bytes, unit) && self.is_sound(bytes, unit))
    }

    /// Whether the record can be served. What was appended since the store was opened comes from memory; what is older has been on
    /// disk, and is looked at once more: damage there must not reach a client.
    fn is_sound(&self, bytes: &[u8], unit: &Unit) -> bool {
        if unit.physical_offset.0 >= self.log.recovered_end() || !self.options.check_crc_on_recover {
            return true;
        }
        let content = |record: &Record<'_>| match self.options.checksum_verified {
            true => record.check_checksum(),
            false => record.check_body_crc(),
        };
        let what = match Record::parse(bytes).and_then(|record| content(&record).map(|()| record)) {
            Ok(record) if self.is_of_queue(&record) => return true,
            Ok(_) => "record of another place".to_owned(),
            Err(error) => error.to_string(),
        };
        if self.log.damage_line().is_due() {
            tracing::error!(what, at = %unit.physical_offset, queue = ?self.queue, "a damaged message is passed over");
        }
        false
    }

    /// Whether a record says that it is the message that is looked at. In light queues that Java kept, numbers in records and in
    /// queues can differ by a few: there it is enough that it names the queue.
    fn is_of_queue(&self, record: &Record<'_>) -> bool {
        let (topic, queue_id) = (self.queue.topic().as_str(), self.queue.queue_id());
        let named = record.offset_in(topic, queue_id);
        named == Some(self.outcome.next_begin_offset.plus(-1)) || (named.is_some() && topic.starts_with(LMQ_PREFIX))
    }

    /// The rules of RocketMQ 5.5.0: the first message always goes.
    fn is_full(&self, size: usize, is_cached: bool) -> bool {
        let (bytes_most, count_most) = if is_cached {
            (self.options.transfer_bytes_in_memory, self.options.transfer_count_in_memory)
        } else {
            (self.options.transfer_bytes_on_disk, self.options.transfer_count_on_disk)
        };
        let count = self.outcome.message_count;
        count > 0
            && (count >= self.request.max_messages
                || count >= count_most
                || self.outcome.total_bytes + size > bytes_most as usize)
    }

    /// Notes why nothing was found, as long as nothing was.
    fn pass_over(&mut self, status: GetStatus) -> Step {
        if self.outcome.message_count == 0 {
            self.outcome.status = status;
        }
        Step::Next
    }

    /// Goes to the file that holds the record, mostly the one that held the last. False when there is none.
    fn seek(&mut self, unit: &Unit) -> bool {
        let at = unit.physical_offset.0;
        if self.file.as_ref().is_some_and(|file| (file.base()..file.limit()).contains(&at)) {
            return true;
        }
        self.end_run();
        self.file = self.log.file_at(at);
        self.file.is_some()
    }

    fn take(&mut self, unit: &Unit, is_cached: bool) {
        let (begin, end) = (unit.physical_offset.0, unit.physical_end().0);
        match &mut self.run {
            Some((_, run_end)) if *run_end == begin => *run_end = end,
            _ => {
                self.end_run();
                self.run = Some((begin, end));
            }
        }
        self.outcome.status = GetStatus::Found;
        self.outcome.message_count += 1;
        self.outcome.total_bytes += unit.size as usize;
        if !is_cached {
            self.outcome.cold_bytes += unit.size as usize;
        }
        self.gone_before = PhysicalOffset(i64::MIN);
    }

    /// Makes a slice of the records of the run.
    fn end_run(&mut self) {
        if let (Some((begin, end)), Some(file)) = (self.run.take(), &self.file) {
            // All its records were seen in this file, which this walk holds: the slice is there.
            let slice = usize::try_from(end - begin).ok().and_then(|length| file.bytes(begin, length));
            self.outcome.slices.extend(slice);
        }
    }
}

/// True when the bytes begin as the record of `unit` must, and say that they stand where it says. Queues are derived: damage in
/// one must not reach a client as a record.
fn is_record_of(bytes: &[u8], unit: &Unit) -> bool {
    bytes.first_chunk() == Some(&unit.size.to_be_bytes())
        && bytes.get(PHYSICAL_OFFSET..).and_then(<[u8]>::first_chunk) == Some(&unit.physical_offset.0.to_be_bytes())
}
