//! Finding the end of the log after a stop of any kind, and what is damaged before it.
//!
//! A record counts when its fields and lengths agree, its body has its CRC, and it says itself that it stands where it
//! stands. Where none begins, the log is searched onward for one that counts: bytes between are damage and are passed over,
//! never cut; only when none follows does the log end there. A record left from an earlier life of the file stands where it says,
//! too: it is told by its store time, which is before that of the records in front of it.
//!
//! Upstream: `CommitLog.recoverNormally`, `recoverAbnormally`, `checkMessageAndReturnSize`.

use std::time::{Duration, Instant};

use boostermq_remoting::message::record::{MAGIC_V1, MAGIC_V2, Parsed, Record, RecordError, parse_next};
use boostermq_remoting::offsets::PhysicalOffset;

use super::LogEnd;
use super::ahead::{Ahead, with_pages_ahead};
use crate::error::Quarantine;
use crate::mapped_file::MappedFile;

/// Bytes of the log after which a scan tells how far it is.
const TELL_EVERY: i64 = 4 << 20;
/// Bytes that the system is asked to read ahead of a search, and again each time that many are searched.
const READ_AHEAD: i64 = 16 << 20;
/// How often a long walk along the log says how far it is.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes after an unwritten place that are searched through, where nobody knows of records further on.
const NEAR: i64 = 16 << 20;
/// Of what lies behind, one page in so many bytes is looked at: records that follow would have left something there.
const STRIDE: i64 = 1 << 20;
/// What a disk writes whole: a record that was torn lacks one of these, or its end.
const SECTOR: i64 = 512;

/// What stands at a place of the log.
pub(crate) enum Found<'a> {
    /// A record that counts.
    Record(Record<'a>),
    /// The end of this file: the log goes on in the next one.
    EndOfFile,
    /// Neither: what is wrong, and the length to step over if that can be trusted.
    Damage {
        /// What is wrong.
        what: String,
        /// Bytes of the damaged record.
        length: Option<u32>,
        /// Nothing was ever written here: no sign of damage by itself.
        is_unwritten: bool,
        /// The record, where its lengths agree and only its content is wrong.
        record: Option<Record<'a>>,
    },
}

/// What of a record is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Its fields and lengths.
    Lengths,
    /// That, and its body and texts.
    Body,
    /// All of it, where it ends in a checksum; as [`Check::Body`] where not.
    Record,
}

/// Looks at physical offset `at` of `file`.
pub(crate) fn look(file: &MappedFile, at: i64, check: Check) -> Found<'_> {
    let damage = |what, length| Found::Damage { what, length, is_unwritten: false, record: None };
    let Some(rest) = file.rest(at) else {
        let what = "no such place in the file".to_owned();
        return Found::Damage { what, length: None, is_unwritten: true, record: None };
    };
    match parse_next(rest) {
        Ok(Parsed::Blank { length }) if file.limit() - at == i64::from(length) => Found::EndOfFile,
        Ok(Parsed::Blank { length }) => {
            damage(format!("blank says {length} bytes, {} are left in the file", file.limit() - at), None)
        }
        Ok(Parsed::Record(record)) if record.physical_offset().0 != at => {
            damage(format!("record says it stands at {}", record.physical_offset()), None)
        }
        Ok(Parsed::Record(record)) if check != Check::Lengths => match checked(&record, at - file.base(), check) {
            Some(what) => {
                Found::Damage { what, length: Some(record.total_size()), is_unwritten: false, record: Some(record) }
            }
            None => Found::Record(record),
        },
        Ok(Parsed::Record(record)) => Found::Record(record),
        Err(RecordError::Unwritten) => {
            Found::Damage { what: RecordError::Unwritten.to_string(), length: None, is_unwritten: true, record: None }
        }
        Err(error) => damage(error.to_string(), error.skippable_length()),
    }
}

/// What is wrong with the content of a record whose lengths agree, which stands at `position` of its file.
fn checked(record: &Record<'_>, position: i64, check: Check) -> Option<String> {
    let content = if check == Check::Record { record.check_checksum() } else { record.check_body_crc() };
    if let Err(error) = content {
        return Some(error.to_string());
    }
    if record.store_timestamp() <= 0 {
        return Some(format!("record of {} bytes has no store time", record.total_size()));
    }
    // No CRC covers what follows the body. What of a text did not reach the disk is zero, and no text is.
    let properties = record.properties().as_str().as_bytes();
    let start = position + i64::from(record.total_size()) - properties.len() as i64;
    let is_torn = record.topic().ends_with('\0') || (!properties.is_empty() && lacks_sector(properties, start));
    is_torn.then(|| format!("record of {} bytes has zeros in its text: not all of it was written", record.total_size()))
}

/// Whether bytes that stand at `position` of a file lack what did not reach the disk in time: their end, or all that one sector
/// has of them.
fn lacks_sector(bytes: &[u8], position: i64) -> bool {
    let first = usize::try_from(position.rem_euclid(SECTOR)).unwrap_or(0);
    let (begin, rest) = bytes.split_at(bytes.len().min(SECTOR as usize - first));
    let is_zero = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    bytes.last() == Some(&0) || is_zero(begin) || rest.chunks(SECTOR as usize).any(is_zero)
}

/// The first record of a file, if it counts.
pub(crate) fn first_record(file: &MappedFile) -> Option<Record<'_>> {
    match look(file, file.base(), Check::Lengths) {
        Found::Record(record) if record.store_timestamp() > 0 => Some(record),
        _ => None,
    }
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the scan began.
    pub(crate) begin: i64,
    /// Where the log ends.
    pub(crate) end: LogEnd,
    /// Damage before the end.
    pub(crate) damage: Vec<Quarantine>,
    /// Records that count.
    pub(crate) records: u64,
    /// Nothing but zeros follows the end in its file.
    pub(crate) is_clear_after: bool,
    /// What stands at the end is no record, but something was written there: a record that was torn.
    pub(crate) is_torn: bool,
}

/// How to scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// How records are looked at.
    pub(crate) check: Check,
    /// How records after damage are looked at, which have to be beyond doubt.
    pub(crate) content: Check,
    /// Where the last clean stop left the end of the log, if it was one: what is unwritten there is the end, and nothing
    /// is searched for after it.
    pub(crate) known_end: Option<i64>,
    /// Something knows of records before this place: a checkpoint, or a consume queue. What is unwritten before is searched to the end.
    pub(crate) claimed: i64,
    /// Everything before was on disk: a last record before is damaged, not torn, and keeps its place.
    pub(crate) durable: i64,
    /// Every record with a store time before this one was on disk; 0 when nobody knows how far anything was, or power did not fail.
    pub(crate) durable_time: i64,
}

/// What a scan comes by.
#[derive(Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// A record that counts.
    Record(&'a Record<'a>),
    /// A damaged record that keeps its place: its number in its queue stays taken.
    Damaged(&'a Record<'a>),
}

/// Walks the records of `files`, which follow each other, from `from` on, and calls `each` with all that count. `each` says what is
/// wrong with a record when it cannot be right: it is damage, too.
///
/// # Errors
/// What `each` returns; the walk ends there.
pub(crate) fn scan<E>(
    files: &[MappedFile],
    from: i64,
    step: Step,
    each: impl FnMut(Seen<'_>) -> Result<Option<String>, E>,
) -> Result<Scan, E> {
    with_pages_ahead(files, from, |ahead| walk(files, from, step, ahead, each))
}

fn walk<E>(
    files: &[MappedFile],
    from: i64,
    step: Step,
    ahead: &Ahead<'_>,
    mut each: impl FnMut(Seen<'_>) -> Result<Option<String>, E>,
) -> Result<Scan, E> {
    let mut scan = Scan { begin: from, ..Scan::default() };
    let mut headway = Headway::new("commit log is being read", from, files.last().map_or(from, MappedFile::limit));
    let (mut at, mut told) = (from, from);
    while let Some((index, file)) = file_of(files, at) {
        if at >= told {
            told = at + TELL_EVERY;
            ahead.walked(at);
            headway.report(at);
        }
        match look(file, at, step.check) {
            Found::Record(record) => {
                let next = at + i64::from(record.total_size());
                match each(Seen::Record(&record))? {
                    None => {
                        scan.records += 1;
                        scan.end.store_timestamp = scan.end.store_timestamp.max(record.store_timestamp());
                    }
                    Some(what) => {
                        scan.damage.push(Quarantine { from: PhysicalOffset(at), to: PhysicalOffset(next), what });
                    }
                }
                at = next;
            }
            // The next append goes over the blank, as in Java, if no file follows.
            Found::EndOfFile if index + 1 == files.len() => {
                scan.is_torn = true;
                break;
            }
            Found::EndOfFile => at = file.limit(),
            Found::Damage { is_unwritten: true, .. } if step.known_end == Some(at) => {
                scan.is_clear_after = true;
                break;
            }
            Found::Damage { what, length, is_unwritten, record } => {
                let not_before = scan.end.store_timestamp;
                let Next { sound, is_zero } = next_sound(files, at, length, is_unwritten, not_before, step);
                let Some(to) = sound.filter(|to| !never_synced(files, at, *to, step)) else {
                    scan.is_torn = !is_unwritten || sound.is_some();
                    scan.is_clear_after = is_unwritten && is_zero && sound.is_none();
                    break;
                };
                if let Some(record) = record.filter(|record| at + i64::from(record.total_size()) == to) {
                    each(Seen::Damaged(&record))?;
                }
                scan.damage.push(Quarantine { from: PhysicalOffset(at), to: PhysicalOffset(to), what });
                at = to;
            }
        }
    }
    scan.end.offset = at;
    Ok(scan)
}

/// Says in the log how far a long walk is, once a second.
pub(crate) struct Headway {
    what: &'static str,
    from: i64,
    to: i64,
    begun: Instant,
    reported: Instant,
}

impl Headway {
    /// A walk from one physical offset to another that begins now.
    pub(crate) fn new(what: &'static str, from: i64, to: i64) -> Self {
        let begun = Instant::now();
        Self { what, from, to, begun, reported: begun }
    }

    /// Call it now and then. The first second says nothing.
    pub(crate) fn report(&mut self, at: i64) {
        if self.reported.elapsed() < REPORT_INTERVAL {
            return;
        }
        self.reported = Instant::now();
        let (done, all) = ((at - self.from) as f64, (self.to - self.from).max(1) as f64);
        let gib_per_s = done / f64::from(1 << 30) / self.begun.elapsed().as_secs_f64();
        tracing::info!(at, to = self.to, percent = (done / all * 100.0) as u8, gib_per_s, "{}", self.what);
    }
}

pub(super) fn file_of(files: &[MappedFile], at: i64) -> Option<(usize, &MappedFile)> {
    let first = files.first()?;
    let index = usize::try_from(at.checked_sub(first.base())?).ok()?.checked_div(first.size())?;
    Some((index, files.get(index)?))
}

/// Where `file` goes on after damage at `at` that was found while the log is in use; the end of the file if nowhere before.
pub(crate) fn step_over(file: &MappedFile, at: i64, length: Option<u32>, content: Check) -> i64 {
    let files = std::slice::from_ref(file);
    let step = Step { check: content, content, known_end: None, claimed: i64::MAX, durable: 0, durable_time: 0 };
    next_sound(files, at, length, false, 0, step).sound.unwrap_or_else(|| file.base() + file.published() as i64)
}

/// What follows damage.
struct Next {
    /// Where the log goes on, if it does.
    sound: Option<i64>,
    /// The rest of the file is zero, as far as it was looked at.
    is_zero: bool,
}

/// Where the log goes on after damage at `at`, if it does.
fn next_sound(
    files: &[MappedFile],
    at: i64,
    length: Option<u32>,
    is_unwritten: bool,
    not_before: i64,
    step: Step,
) -> Next {
    let Some((index, file)) = file_of(files, at) else { return Next { sound: None, is_zero: false } };
    let stepped = length.map(|length| at + i64::from(length));
    if let Some(next) = stepped
        && file_of(files, next).is_some_and(|(_, file)| is_sound(file, next, not_before, step.content))
    {
        return Next { sound: Some(next), is_zero: false };
    }
    // Files are zeroed ahead of their use under SYNC_FLUSH: a GiB or two of zeros that it would take a second to read.
    let near = if at < step.claimed || !is_unwritten { i64::MAX } else { NEAR };
    let Next { sound, is_zero } = search(file, at + 1, not_before, step.content, near);
    let mut later = files.get(index + 1..).unwrap_or_default().iter();
    let in_later = |file: &MappedFile| search(file, file.base(), not_before, step.content, near).sound;
    let sound = sound.or_else(|| later.find_map(in_later));
    // A whole record with nothing after it, that was on disk or is not torn: its place, and its number in its queue,
    // stay taken.
    let is_last = |next: i64| matches!(look(file, next, Check::Lengths), Found::Damage { is_unwritten: true, .. });
    let keeps_place =
        |next: &i64| *next < file.limit() && (*next <= step.durable || is_last(*next) && !is_torn(file, at, *next));
    Next { sound: sound.or(stepped.filter(keeps_place)), is_zero }
}

fn is_sound(file: &MappedFile, at: i64, not_before: i64, content: Check) -> bool {
    match look(file, at, content) {
        Found::Record(record) => record.store_timestamp() >= not_before,
        Found::EndOfFile => true,
        Found::Damage { .. } => false,
    }
}

/// Whether the record in `[from, to)` lacks what did not reach the disk in time: its end, or a whole sector.
fn is_torn(file: &MappedFile, from: i64, to: i64) -> bool {
    let Some(bytes) = usize::try_from(to - from).ok().and_then(|length| file.slice(from, length)) else { return true };
    lacks_sector(bytes, from - file.base())
}

/// Whether power failed before anything from `at` on was synced, although the sound record at `to` happens to be there: pages reach
/// the disk in any order. The log ends at `at` then. What follows was promised to nobody, and kept it would be a row with
/// holes, where one that only lacks its end is what a reader can live with.
///
/// A sync covers all before it, so the place was synced when the record at `to` was. And what did not reach the disk is as it was
/// before: zero to the end of a sector, or a whole sector of zeros. Anything else is damage of another kind.
fn never_synced(files: &[MappedFile], at: i64, to: i64, step: Step) -> bool {
    let Some((_, file)) = file_of(files, at) else { return false };
    let synced_later = match file_of(files, to).map(|(index, file)| (index, look(file, to, Check::Lengths))) {
        Some((_, Found::Record(record))) => record.store_timestamp() < step.durable_time,
        Some((index, Found::EndOfFile)) => {
            let next = files.get(index + 1).and_then(first_record);
            next.is_some_and(|record| record.store_timestamp() < step.durable_time)
        }
        _ => false,
    };
    let is_open = step.known_end.is_none() && step.durable_time != 0 && at >= step.durable;
    is_open && !synced_later && is_torn(file, at, to.min(file.limit()))
}

/// The first place in `file` from physical offset `from` on where a record counts, by its magic. Where more than `near` bytes follow,
/// what lies behind is searched only if anything stands there.
fn search(file: &MappedFile, from: i64, not_before: i64, content: Check, near: i64) -> Next {
    let (mut position, mut is_zero) = (from + MAGIC_POSITION, true);
    let mut to = from.saturating_add(near);
    // What the file system knows to be empty is not read: after a crash that is most of the last file.
    while let Some((written, hole)) = file.next_written(position) {
        if written >= to && to != i64::MAX {
            if !has_signs(file, written, hole) {
                position = hole;
                continue;
            }
            to = i64::MAX;
        }
        let end = hole.min(to);
        match search_extent(file, written, end, not_before, content) {
            Next { sound: None, is_zero: extent_is_zero } => is_zero &= extent_is_zero,
            Next { sound, .. } => return Next { sound, is_zero: false },
        }
        position = end;
    }
    Next { sound: None, is_zero }
}

/// Whether anything stands between two physical offsets, as far as some of the pages tell.
fn has_signs(file: &MappedFile, from: i64, to: i64) -> bool {
    // Or the system would read all that lies between, too.
    file.set_read_ahead(false);
    let mut places = (from..to).step_by(STRIDE as usize);
    let length = |at: i64| usize::try_from(to - at).unwrap_or(0).min(ZEROS.len());
    let has_any = places.any(|at| file.slice(at, length(at)).is_some_and(|page| !is_zeros(page)));
    file.set_read_ahead(true);
    has_any
}

/// As [`search`], between two physical offsets.
fn search_extent(file: &MappedFile, from: i64, to: i64, not_before: i64, content: Check) -> Next {
    let magics = [MAGIC_V1.to_be_bytes(), MAGIC_V2.to_be_bytes()];
    let [first_byte, ..] = MAGIC_V1.to_be_bytes();
    let mut is_zero = true;
    let Some(rest) = file.rest(from) else { return Next { sound: None, is_zero } };
    let extent = rest.get(..usize::try_from(to - from).unwrap_or(rest.len())).unwrap_or(rest);
    // Most of what is searched is zero.
    for (piece_index, piece) in extent.chunks(ZEROS.len()).enumerate() {
        let piece_start = piece_index * ZEROS.len();
        if piece_start.is_multiple_of(READ_AHEAD as usize) {
            let begin = from + piece_start as i64;
            file.read_ahead(begin, (READ_AHEAD * 2).min(to - begin));
        }
        if is_zeros(piece) {
            continue;
        }
        is_zero = false;
        for place in memchr::memchr_iter(first_byte, piece).map(|index| piece_start + index) {
            let magic = rest.get(place..place + 4);
            let at = from + place as i64 - MAGIC_POSITION;
            if magic.is_some_and(|magic| magics.iter().any(|known| known == magic))
                && is_sound(file, at, not_before, content)
            {
                return Next { sound: Some(at), is_zero };
            }
        }
    }
    Next { sound: None, is_zero }
}

/// Where a record's magic stands in it.
const MAGIC_POSITION: i64 = 4;

static ZEROS: [u8; 4096] = [0; 4096];

fn is_zeros(bytes: &[u8]) -> bool {
    bytes == ZEROS.get(..bytes.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
