//! Whether groups pull or pop topics: `messageRequestMode.json`.
//!
//! Upstream: `MessageRequestModeManager` (RocketMQ 5.5.0). Nothing here hands out a queue.

use std::path::Path;

use boostermq_remoting::body::{MessageRequestModeSerializeWrapper, SetMessageRequestModeRequestBody};
use boostermq_remoting::fastjson;
use parking_lot::RwLock;

use super::{MetadataError, MetadataFile};

/// Topics and groups that a mode may be set for: ten times what the largest clusters known have.
const MODES_MAX: usize = 100_000;

/// Why a mode was not set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModeChangeError {
    /// There is no room for another one.
    #[error("modes are set for {MODES_MAX} groups and topics already; take some out of messageRequestMode.json")]
    Full,
    /// The change holds in memory, but not on disk.
    #[error("the mode is set, but the change is not on disk: {0}")]
    NotWritten(#[from] MetadataError),
}

/// The modes.
pub(crate) struct RequestModes {
    table: RwLock<MessageRequestModeSerializeWrapper>,
    file: MetadataFile,
}

impl RequestModes {
    /// Reads the file in `dir`.
    ///
    /// # Errors
    /// [`MetadataError`] when neither the file nor its backup can be read.
    pub(crate) fn load(dir: &Path) -> Result<Self, MetadataError> {
        let file = MetadataFile::new(dir, "messageRequestMode.json");
        Ok(Self { table: RwLock::new(file.load()?.unwrap_or_default()), file })
    }

    /// What was set for a group and topic.
    #[cfg(test)]
    pub(crate) fn find(&self, topic: &str, group: &str) -> Option<SetMessageRequestModeRequestBody> {
        self.table.read().message_request_mode_map.get(topic)?.get(group).cloned()
    }

    /// Sets the mode of a group and topic.
    ///
    /// # Errors
    /// [`ModeChangeError`]
    pub(crate) fn set(&self, mode: SetMessageRequestModeRequestBody) -> Result<(), ModeChangeError> {
        {
            let mut table = self.table.write();
            let count: usize = table.message_request_mode_map.values().map(std::collections::BTreeMap::len).sum();
            let groups = table.message_request_mode_map.entry(mode.topic.clone()).or_default();
            if count >= MODES_MAX && !groups.contains_key(&mode.consumer_group) {
                return Err(ModeChangeError::Full);
            }
            groups.insert(mode.consumer_group.clone(), mode);
            self.file.note_change();
        }
        Ok(self.save()?)
    }

    /// Writes the file if it lacks a change.
    ///
    /// # Errors
    /// [`MetadataError`] when it cannot be written; the next call tries again.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        self.file.save(|| fastjson::to_pretty_vec(&*self.table.read()))
    }

    /// The table as GET_ALL_MESSAGE_REQUEST_MODE answers it.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        fastjson::to_vec(&*self.table.read())
    }
}
