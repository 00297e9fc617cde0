//! Finding the end of the log after a stop of any kind, and what is damaged before it.
//!
//! A record counts when its fields and lengths agree, its body has its CRC, and it says itself that it stands where it
//! stands. Where none begins, the log is searched onward for one that counts: bytes between are damage and are passed over,
//! never cut; only when none follows does the log end there. A record left from an earlier life of the file stands where it says,
//! too: it is told by its store time, which is before that of the records in front of it.
//!
//! Upstream: `CommitLog.recoverNormally`, `recoverAbnormally`, `checkMessageAndReturnSize`.

use boostermq_remoting::message::record::{MAGIC_V1, MAGIC_V2, Parsed, Record, RecordError, parse_next};
use boostermq_remoting::offsets::PhysicalOffset;

use super::LogEnd;
use crate::error::Quarantine;
use crate::mapped_file::MappedFile;

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
    },
}

/// Looks at physical offset `at` of `file`, at its body too if `check_crc`.
pub(crate) fn look(file: &MappedFile, at: i64, check_crc: bool) -> Found<'_> {
    let Some(rest) = file.rest(at) else {
        return Found::Damage { what: "no such place in the file".to_owned(), length: None, is_unwritten: true };
    };
    let damage = |error: &RecordError| Found::Damage {
        what: error.to_string(),
        length: error.skippable_length(),
        is_unwritten: matches!(error, RecordError::Unwritten),
    };
    match parse_next(rest) {
        Ok(Parsed::Blank { length }) if file.limit() - at == i64::from(length) => Found::EndOfFile,
        Ok(Parsed::Blank { length }) => Found::Damage {
            what: format!("blank says {length} bytes, {} are left in the file", file.limit() - at),
            length: None,
            is_unwritten: false,
        },
        Ok(Parsed::Record(record)) if record.physical_offset().0 != at => Found::Damage {
            what: format!("record says it stands at {}", record.physical_offset()),
            length: None,
            is_unwritten: false,
        },
        Ok(Parsed::Record(record)) if check_crc => match checked(&record) {
            Some(what) => Found::Damage { what, length: Some(record.total_size()), is_unwritten: false },
            None => Found::Record(record),
        },
        Ok(Parsed::Record(record)) => Found::Record(record),
        Err(error) => damage(&error),
    }
}

/// What is wrong with the content of a record whose lengths agree.
fn checked(record: &Record<'_>) -> Option<String> {
    if let Err(error) = record.check_body_crc() {
        return Some(error.to_string());
    }
    if record.store_timestamp() <= 0 {
        return Some(format!("record of {} bytes has no store time", record.total_size()));
    }
    // No CRC covers what follows the body. A record that reached the disk in part ends in zeros, and no text does.
    let ends_in_zero = [record.topic(), record.properties().as_str()].iter().any(|text| text.ends_with('\0'));
    ends_in_zero.then(|| format!("record of {} bytes ends in zeros: not all of it was written", record.total_size()))
}

/// The first record of a file, if it counts.
pub(crate) fn first_record(file: &MappedFile) -> Option<Record<'_>> {
    match look(file, file.base(), false) {
        Found::Record(record) if record.store_timestamp() > 0 => Some(record),
        _ => None,
    }
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the log ends.
    pub(crate) end: LogEnd,
    /// Damage before the end.
    pub(crate) damage: Vec<Quarantine>,
    /// Records that count.
    pub(crate) records: u64,
}

/// How to scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Whether bodies are compared with their CRC.
    pub(crate) check_crc: bool,
    /// Where the last clean stop left the end of the log, if it was one: what is unwritten there is the end, and nothing
    /// is searched for after it.
    pub(crate) known_end: Option<i64>,
    /// Everything before was on disk: a last record before is damaged, not torn, and keeps its place.
    pub(crate) durable: i64,
}

/// Walks the records of `files`, which follow each other, and calls `each` with all that count.
///
/// # Errors
/// What `each` returns; the walk ends there.
pub(crate) fn scan<E>(
    files: &[MappedFile],
    step: Step,
    mut each: impl FnMut(&Record<'_>) -> Result<(), E>,
) -> Result<Scan, E> {
    let mut scan = Scan::default();
    let Some(mut at) = files.first().map(MappedFile::base) else { return Ok(scan) };
    while let Some((index, file)) = file_of(files, at) {
        match look(file, at, step.check_crc) {
            Found::Record(record) => {
                each(&record)?;
                scan.records += 1;
                scan.end.store_timestamp = scan.end.store_timestamp.max(record.store_timestamp());
                at += i64::from(record.total_size());
            }
            // The next append goes over the blank, as in Java, if no file follows.
            Found::EndOfFile if index + 1 == files.len() => break,
            Found::EndOfFile => at = file.limit(),
            Found::Damage { is_unwritten: true, .. } if step.known_end == Some(at) => break,
            Found::Damage { what, length, .. } => {
                let Some(to) = next_sound(files, at, length, scan.end.store_timestamp, step) else { break };
                scan.damage.push(Quarantine { from: PhysicalOffset(at), to: PhysicalOffset(to), what });
                at = to;
            }
        }
    }
    scan.end.offset = at;
    Ok(scan)
}

fn file_of(files: &[MappedFile], at: i64) -> Option<(usize, &MappedFile)> {
    let first = files.first()?;
    let index = usize::try_from(at.checked_sub(first.base())?).ok()?.checked_div(first.size())?;
    Some((index, files.get(index)?))
}

/// Where `file` goes on after damage at `at` that was found while the log is in use; the end of the file if nowhere before.
pub(crate) fn step_over(file: &MappedFile, at: i64, length: Option<u32>) -> i64 {
    let files = std::slice::from_ref(file);
    let step = Step { check_crc: true, known_end: None, durable: 0 };
    next_sound(files, at, length, 0, step).unwrap_or_else(|| file.base() + file.published() as i64)
}

/// Where the log goes on after damage at `at`; `None` when nothing follows.
fn next_sound(files: &[MappedFile], at: i64, length: Option<u32>, not_before: i64, step: Step) -> Option<i64> {
    let (index, file) = file_of(files, at)?;
    let stepped = length.map(|length| at + i64::from(length));
    if let Some(next) = stepped
        && file_of(files, next).is_some_and(|(_, file)| is_sound(file, next, not_before))
    {
        return Some(next);
    }
    let searched = search(file, at + 1, not_before)
        .or_else(|| files.get(index + 1..)?.iter().find_map(|file| search(file, file.base(), not_before)));
    // A whole record that was on disk, with nothing after it: its place, and its number in its queue, stay taken.
    searched.or(stepped.filter(|next| *next <= step.durable && *next < file.limit()))
}

fn is_sound(file: &MappedFile, at: i64, not_before: i64) -> bool {
    match look(file, at, true) {
        Found::Record(record) => record.store_timestamp() >= not_before,
        Found::EndOfFile => true,
        Found::Damage { .. } => false,
    }
}

/// The first place in `file` from physical offset `from` on where a record counts, by its magic.
fn search(file: &MappedFile, from: i64, not_before: i64) -> Option<i64> {
    /// Bytes looked at before they are looked at closely: most of what is searched is zero.
    const PIECE: usize = 4096;
    const MAGIC_POSITION: i64 = 4;
    let magics = [MAGIC_V1.to_be_bytes(), MAGIC_V2.to_be_bytes()];
    let [first_byte, ..] = MAGIC_V1.to_be_bytes();
    let start = from + MAGIC_POSITION;
    let rest = file.rest(start)?;
    for (piece_index, piece) in rest.chunks(PIECE).enumerate() {
        if !piece.contains(&first_byte) {
            continue;
        }
        let piece_start = piece_index * PIECE;
        let candidates = piece.iter().enumerate().filter(|(_, byte)| **byte == first_byte);
        for position in candidates.map(|(index, _)| piece_start + index) {
            let magic = rest.get(position..position + 4);
            let at = start + position as i64 - MAGIC_POSITION;
            if magic.is_some_and(|magic| magics.iter().any(|known| known == magic)) && is_sound(file, at, not_before) {
                return Some(at);
            }
        }
    }
    None
}
