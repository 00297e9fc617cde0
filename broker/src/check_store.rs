//! `mqbroker --check-store`: what a start would recover, cut, build again or refuse, told without changing anything.
//!
//! Owns the words only. What is seen is decided by the store ([`boostermq_store::check`](mod@boostermq_store::check)) and by what a start
//! makes of the metadata.

#[cfg(test)]
mod tests;

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use boostermq_namesrv::process;
use boostermq_remoting::config::Machine;
use boostermq_store::StoreOptions;
use boostermq_store::check::{self, IndexSeen, LogSeen, QueueChange, QueuesSeen, StoreCheck};
use boostermq_store::clock::{Clock, SystemClock};
use boostermq_store::error::OpenError;

use crate::config::Settings;
use crate::takeover::{self, FileSeen, Version};

/// Queues, and places of damage, that are named one by one.
const NAMED_MOST: usize = 10;

/// Looks at the store of a configuration and prints what was seen. Returns whether a start would succeed.
///
/// # Errors
/// When the configuration file cannot be read.
pub fn run(config_file: Option<PathBuf>) -> anyhow::Result<bool> {
    let given = process::read_settings(config_file.as_deref())?;
    let (settings, warnings) = match Settings::read(given, &Machine::this()) {
        Ok(read) => read,
        Err(error) => {
            process::say(&format!("settings     refused: {error}\n{FAILS}\n"));
            return Ok(false);
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = check::check(&StoreOptions::from(&settings.store), &clock);
    let files = takeover::files(&settings);
    let mut text = String::new();
    for warning in warnings {
        let _ = writeln!(text, "settings     {warning}");
    }
    // Writing into a string cannot fail.
    let _ = describe(&mut text, &settings, &store, &files);
    text.push('\n');
    process::say(&text);
    Ok(is_sound(&store, &files))
}

const FAILS: &str = "A start would fail.";
const SUCCEEDS: &str = "A start would succeed.";

fn is_sound(store: &StoreCheck, files: &[FileSeen]) -> bool {
    store.is_sound() && !files.iter().any(|file| matches!(file.version, Version::Refused(_)))
}

fn describe(out: &mut String, settings: &Settings, store: &StoreCheck, files: &[FileSeen]) -> fmt::Result {
    writeln!(out, "store        {}", settings.store.store_path_root_dir.display())?;
    if store.is_new {
        writeln!(out, "             is not there: a start makes a new one")?;
    } else {
        describe_store(out, settings, store)?;
    }
    for file in files {
        describe_file(out, file)?;
    }
    for refusal in &store.refusals {
        writeln!(out, "refused      {refusal}")?;
    }
    if let Some(error) = &store.error {
        writeln!(out, "refused      {error}")?;
        if matches!(error, OpenError::InUse { .. }) {
            writeln!(
                out,
                "             what recovery would find can be seen once that broker has stopped, or on a copy"
            )?;
        }
    }
    out.write_str(if is_sound(store, files) { SUCCEEDS } else { FAILS })
}

fn describe_store(out: &mut String, settings: &Settings, store: &StoreCheck) -> fmt::Result {
    let abort = if store.has_abort_file {
        "there: the last stop was not a clean one, or the store is in use"
    } else {
        "not there: the last stop was a clean one"
    };
    writeln!(out, "abort file   {abort}")?;
    if let Some(seen) = store.checkpoint {
        writeln!(
            out,
            "checkpoint   log on disk to {} ms, queues to {} ms and offset {}, index to {} ms (0: not known)",
            seen.log_timestamp, seen.queue_timestamp, seen.queue_offset, seen.index_timestamp
        )?;
    }
    if let Some(log) = &store.log {
        writeln!(out, "commit log   {}", settings.store.store_path_commit_log.display())?;
        describe_log(out, log)?;
    }
    if let Some(queues) = &store.queues {
        describe_queues(out, queues)?;
    }
    if let (Some(index), Some(log)) = (store.index, &store.log) {
        describe_index(out, index, log)?;
    }
    Ok(())
}

fn describe_log(out: &mut String, log: &LogSeen) -> fmt::Result {
    writeln!(out, "             {} of {} bytes, from offset {}", count(log.files, "file"), log.bytes, log.begin)?;
    let stop = if log.is_after_crash { "as after a crash" } else { "as after a clean stop" };
    writeln!(
        out,
        "             recovery, {stop}, reads {} from offset {} on",
        count(log.records, "record"),
        log.scan_begin
    )?;
    writeln!(out, "             and ends at offset {}", log.end)?;
    if log.cleared > 0 {
        writeln!(out, "             {} after the end would be cleared", count(log.cleared, "byte"))?;
    }
    for path in &log.deleted {
        writeln!(out, "             {} after the end would be deleted", path.display())?;
    }
    for damage in log.damage.iter().take(NAMED_MOST) {
        writeln!(out, "  damaged    {} to {}, left as it is: {}", damage.from, damage.to, damage.what)?;
    }
    more(out, log.damage.len())
}

fn describe_queues(out: &mut String, queues: &QueuesSeen) -> fmt::Result {
    let of = |kind: Kind| queues.changes.iter().filter(|change| kind_of(change) == kind).count();
    writeln!(out, "queues       {} with {}", count(queues.queues, "queue"), count(queues.units, "message"))?;
    writeln!(
        out,
        "             {} behind the log, {} ahead of it, {} to be built from nothing, {} to be deleted, {} with another begin",
        of(Kind::Behind),
        of(Kind::Ahead),
        of(Kind::Made),
        of(Kind::Deleted),
        of(Kind::Begin)
    )?;
    for change in queues.changes.iter().take(NAMED_MOST) {
        let range = |range: Option<_>| match range {
            Some((begin, end)) => format!("{begin}..{end}"),
            None => "nothing".to_owned(),
        };
        let (before, after) = (range(change.before), range(change.after));
        writeln!(out, "  {}-{}: {before} becomes {after}", change.topic, change.queue_id)?;
    }
    more(out, queues.changes.len())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Behind,
    Ahead,
    Made,
    Deleted,
    Begin,
}

fn kind_of(change: &QueueChange) -> Kind {
    match (change.before, change.after) {
        (_, None) => Kind::Deleted,
        (None, Some(_)) => Kind::Made,
        (Some((_, before)), Some((_, after))) if before < after => Kind::Behind,
        (Some((_, before)), Some((_, after))) if before > after => Kind::Ahead,
        (Some(_), Some(_)) => Kind::Begin,
    }
}

fn describe_index(out: &mut String, index: IndexSeen, log: &LogSeen) -> fmt::Result {
    write!(out, "index        {}", count(index.files, "file"))?;
    if index.deleted > 0 {
        write!(out, ", of which {} would be deleted and built again", index.deleted)?;
    }
    let from = index.resume.max(log.begin);
    let behind = log.end.since(from);
    if behind > 0 {
        write!(
            out,
            "; {} of the log from offset {from} on would be looked at for it in the background",
            count(behind, "byte")
        )?;
    }
    writeln!(out)
}

fn describe_file(out: &mut String, file: &FileSeen) -> fmt::Result {
    let name = file.path.file_name().unwrap_or_default().display();
    match &file.version {
        Version::Missing => Ok(()),
        Version::File => writeln!(out, "config       {name} can be read"),
        Version::Backup(None) => writeln!(out, "config       {name} is missing or empty: its backup would be used"),
        Version::Backup(Some(why)) => {
            writeln!(out, "config       {name} cannot be read ({why}): its backup would be used")
        }
        Version::Dispensable(why) => writeln!(out, "config       {name} would be begun anew: {why}"),
        Version::Refused(why) => writeln!(out, "refused      {why}"),
    }
}

/// `1 file`, `2 files`.
fn count<N: fmt::Display + PartialEq + From<u8>>(number: N, of: &str) -> String {
    let s = if number == N::from(1) { "" } else { "s" };
    format!("{number} {of}{s}")
}

fn more(out: &mut String, all: usize) -> fmt::Result {
    match all.checked_sub(NAMED_MOST) {
        None | Some(0) => Ok(()),
        Some(left) => writeln!(out, "  and {left} more"),
    }
}
