//! Shows messages in upstream's words. Upstream: `MessageExt.toString`, `QueryMsgByIdSubCommand.printMsg`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use boostermq_remoting::message::Message;
use boostermq_remoting::message::tags::java_string_hash;

use crate::print::{self, PROPERTY_BUCKETS};
use crate::producer::Sent;

/// Where bodies are saved to be looked at, as upstream does.
const BODY_FOLDER: &str = "/tmp/rocketmq/msgbodys";

/// A message in one line, as Java prints it. `broker_name` is `None` when it is not known where it was pulled from.
#[must_use]
pub fn message_text(message: &Message, broker_name: Option<&str>) -> String {
    // Java's bytes have a sign.
    let body: Vec<String> = message.body.iter().map(|byte| (*byte as i8).to_string()).collect();
    format!(
        "MessageExt [brokerName={}, queueId={}, storeSize={}, queueOffset={}, sysFlag={}, bornTimestamp={}, \
         bornHost=/{}, storeTimestamp={}, storeHost=/{}, msgId={}, commitLogOffset={}, bodyCRC={}, \
         reconsumeTimes={}, preparedTransactionOffset={}, toString()=Message{{topic='{}', flag={}, properties={}, \
         body=[{}], transactionId='null'}}]",
        broker_name.unwrap_or("null"),
        message.queue_id,
        message.store_size,
        message.queue_offset,
        message.sys_flag,
        message.born_timestamp,
        message.born_host,
        message.store_timestamp,
        message.store_host,
        message.offset_id(),
        message.physical_offset,
        message.body_crc,
        message.reconsume_times,
        message.prepared_transaction_offset,
        message.topic,
        message.flag,
        properties_text(message),
        body.join(", "),
    )
}

/// What became of a message that was sent to `topic`, as Java prints it.
#[must_use]
pub fn sent_text(topic: &str, sent: &Sent) -> String {
    let Sent { status, broker_name, queue_id, queue_offset, message_id, offset_message_id } = sent;
    format!(
        "SendResult [sendStatus={status}, msgId={message_id}, offsetMsgId={offset_message_id}, \
         messageQueue=MessageQueue [topic={topic}, brokerName={broker_name}, queueId={queue_id}], \
         queueOffset={queue_offset}, recallHandle=null]"
    )
}

/// The properties as Java prints them, in the order of their hashes.
#[must_use]
pub fn properties_text(message: &Message) -> String {
    let mut entries: Vec<(&str, &str)> = message.properties.iter().collect();
    print::hash_order(&mut entries, PROPERTY_BUCKETS, |(name, _)| java_string_hash(name));
    print::map_text(entries)
}

/// True for the name of a charset that UTF-8 covers: bodies are shown in no other.
#[must_use]
pub fn is_utf8(charset: &str) -> bool {
    ["UTF-8", "UTF8", "US-ASCII", "ASCII"].iter().any(|name| name.eq_ignore_ascii_case(charset))
}

/// Prints messages that were pulled: id, everything, body.
///
/// # Errors
/// When the output cannot be written.
pub fn print_pulled(out: &mut dyn Write, messages: &[Message], broker_name: &str) -> io::Result<()> {
    for message in messages {
        let (id, text) = (message.id(), message_text(message, Some(broker_name)));
        writeln!(out, "MSGID: {id} {text} BODY: {}", String::from_utf8_lossy(&message.body))?;
    }
    Ok(())
}

/// Prints the block of labelled lines of a message whose body was saved in `body_path`.
///
/// # Errors
/// When the output cannot be written.
pub fn print_labelled(
    out: &mut dyn Write,
    message: &Message,
    shows_offset_id: bool,
    body_path: &Path,
) -> io::Result<()> {
    let mut line = |label: &str, value: &str| writeln!(out, "{label:<20} {value}");
    if shows_offset_id {
        line("OffsetID:", &message.offset_id().to_string())?;
    }
    line("Topic:", &message.topic)?;
    line("Tags:", &format!("[{}]", message.tags().unwrap_or("null")))?;
    line("Keys:", &format!("[{}]", message.keys().unwrap_or("null")))?;
    line("Queue ID:", &message.queue_id.to_string())?;
    line("Queue Offset:", &message.queue_offset.to_string())?;
    line("CommitLog Offset:", &message.physical_offset.to_string())?;
    line("Reconsume Times:", &message.reconsume_times.to_string())?;
    line("Born Timestamp:", &print::local_time(message.born_timestamp))?;
    line("Store Timestamp:", &print::local_time(message.store_timestamp))?;
    line("Born Host:", &message.born_host.to_string())?;
    line("Store Host:", &message.store_host.to_string())?;
    line("System Flag:", &message.sys_flag.to_string())?;
    line("Properties:", &properties_text(message))?;
    line("Message Body Path:", &body_path.display().to_string())
}

/// Saves the body of a message, the `index`th of its id, to be looked at.
///
/// # Errors
/// When the file cannot be written.
pub fn save_body(message: &Message, index: usize) -> anyhow::Result<PathBuf> {
    let id = message.id();
    // The id is whatever the producer wrote: it must not lead elsewhere.
    let is_safe = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let mut name = if is_safe { id } else { message.offset_id().to_string() };
    if index > 0 {
        name.push_str(&format!("_{index}"));
    }
    let path = Path::new(BODY_FOLDER).join(name);
    let failed =
        || format!("the body cannot be saved in {}: make room there, or give the right to write", path.display());
    std::fs::create_dir_all(BODY_FOLDER).with_context(failed)?;
    std::fs::write(&path, &message.body).with_context(failed)?;
    Ok(path)
}
