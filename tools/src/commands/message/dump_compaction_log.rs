//! `dumpCompactionLog`: prints the messages in a file of a compacted topic.

use std::fs;

use anyhow::{Context, bail};
use boostermq_remoting::message::Message;
use boostermq_remoting::message::record::Records;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::show;

/// Longest body that is shown, in bytes, after decompression.
const BODY_LIMIT: usize = 256 << 20;
/// Longest file that is read, in bytes.
const FILE_LIMIT: u64 = 2 << 30;

const OPTIONS: &[CommandOption] = &[CommandOption::optional("f", "file", "to dump file name")];

commands! {
    /// Prints a file.
    DumpCompactionLog = "dumpCompactionLog", "Parse compaction log to message.", OPTIONS, dump;
}

async fn dump(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(file) = arguments.text("f") else {
        session.fail();
        return Ok(writeln!(session.out, "miss dump log file name")?);
    };
    let size = fs::metadata(file).with_context(|| format!("{file} cannot be read"))?.len();
    if size > FILE_LIMIT {
        bail!("{file} has {size} bytes: a file of a compacted topic has at most {FILE_LIMIT}");
    }
    let bytes = fs::read(file).with_context(|| format!("{file} cannot be read"))?;
    for record in Records::new(&bytes) {
        // Where the records end, the file is filled with zeros.
        let Ok(record) = record else { break };
        let message = Message::from_record(&record, BODY_LIMIT)?;
        writeln!(session.out, "{}", show::message_text(&message, None))?;
    }
    Ok(())
}
