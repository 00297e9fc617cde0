//! Files with a JSON list, as `exportMetadata` writes them: topics, groups.

use std::path::Path;

use anyhow::{Context, anyhow};
use boostermq_remoting::fastjson;
use serde::de::DeserializeOwned;

use crate::command::Session;

/// The list that stands in `file`, which holds `what`; empty, with upstream's words, when there is no such file.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn read<T: DeserializeOwned>(session: &mut Session<'_>, file: &str, what: &str) -> anyhow::Result<Vec<T>> {
    if !Path::new(file).exists() {
        session.fail();
        writeln!(session.out, "the file path {file} does not exists")?;
        return Ok(Vec::new());
    }
    let text = std::fs::read(file).with_context(|| format!("{file} cannot be read"))?;
    fastjson::from_slice(&text)
        .map_err(|error| anyhow!("{file} must hold a JSON list of {what} as exportMetadata writes them: {error}"))
}
