//! Key-value settings that operators keep in the name server, ordered topics above all.
//!
//! Owns the table and its file. A change is on disk before it is answered, and a crash leaves the old file or the new one.
//!
//! ```text
//! {"configTable":{"ORDER_TOPIC_CONFIG":{"orders":"broker-a:4;broker-b:4"}}}
//! ```
//!
//! Upstream: `KVConfigManager`, `KVConfigSerializeWrapper` (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use boostermq_remoting::fastjson::{self, FastjsonError};
use boostermq_remoting::replace_file::{Former, ReplaceError, replace_file};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The namespace of ordered topics: topic → `broker:queues;broker:queues`.
pub(crate) const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

/// Bytes of names and values the table holds at most: a namespace has to fit into one frame of 16 MiB.
const BYTES_MAX: usize = 8 * 1024 * 1024;

type Namespaces = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KvFile {
    config_table: Namespaces,
}

/// Why the file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum KvConfigError {
    /// The file cannot be read.
    #[error("cannot read the key-value settings {path}: {source}; correct kvConfigPath or the file's rights")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else. Starting without it would lose it with the next change.
    #[error("{path} does not hold key-value settings: {source}; repair it, or move it away to start with none")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FastjsonError,
    },
    /// The file cannot be written; the table is as before.
    #[error("cannot write the key-value settings: {0}; nothing was changed")]
    Write(#[from] ReplaceError),
    /// The table is full.
    #[error("the key-value settings would pass {BYTES_MAX} bytes; delete some first")]
    Full,
}

/// The settings.
#[derive(Debug)]
pub(crate) struct KvConfig {
    path: PathBuf,
    namespaces: RwLock<Namespaces>,
    /// Held while the file is written: changes go to disk one after the other, and readers never wait for it.
    changing: Mutex<()>,
}

impl KvConfig {
    /// Reads the file; there is none before the first change.
    pub(crate) fn open(path: &Path) -> Result<Self, KvConfigError> {
        let namespaces = match std::fs::read(path) {
            Ok(text) if text.trim_ascii().is_empty() => Namespaces::new(),
            Ok(text) => {
                let file: KvFile = fastjson::from_slice(&text)
                    .map_err(|source| KvConfigError::Parse { path: path.to_owned(), source })?;
                file.config_table
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Namespaces::new(),
            Err(source) => return Err(KvConfigError::Read { path: path.to_owned(), source }),
        };
        Ok(Self { path: path.to_owned(), namespaces: RwLock::new(namespaces), changing: Mutex::new(()) })
    }

    /// The value of a key.
    pub(crate) fn value(&self, namespace: &str, key: &str) -> Option<String> {
        self.namespaces.read().get(namespace)?.get(key).cloned()
    }

    /// All keys of a namespace; `None` when it never had one.
    pub(crate) fn namespace(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        self.namespaces.read().get(namespace).cloned()
    }

    /// Sets a key.
    pub(crate) fn put(&self, namespace: &str, key: &str, value: &str) -> Result<(), KvConfigError> {
        self.change(|namespaces| {
            let keys = namespaces.entry(namespace.to_owned()).or_default();
            keys.insert(key.to_owned(), value.to_owned()).as_deref() != Some(value)
        })
    }

    /// Takes a key out. Its namespace stays, empty, as upstream's does.
    pub(crate) fn delete(&self, namespace: &str, key: &str) -> Result<(), KvConfigError> {
        self.change(|namespaces| namespaces.get_mut(namespace).is_some_and(|keys| keys.remove(key).is_some()))
    }

    /// Applies `change` to a copy, writes it to disk, and only then shows it. `change` says whether it changed any.
    fn change(&self, change: impl FnOnce(&mut Namespaces) -> bool) -> Result<(), KvConfigError> {
        let _one_at_a_time = self.changing.lock();
        let mut file = KvFile { config_table: self.namespaces.read().clone() };
        let before = bytes(&file.config_table);
        if !change(&mut file.config_table) {
            return Ok(());
        }
        let after = bytes(&file.config_table);
        if after > BYTES_MAX && after > before {
            return Err(KvConfigError::Full);
        }
        replace_file(&self.path, &fastjson::to_vec(&file), Former::Dropped)?;
        *self.namespaces.write() = file.config_table;
        Ok(())
    }
}

fn bytes(namespaces: &Namespaces) -> usize {
    let of_keys =
        |keys: &BTreeMap<String, String>| keys.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    namespaces.iter().map(|(name, keys)| name.len() + of_keys(keys)).sum()
}
