//! `differences.toml`: the cases in which ours differs from the reference on purpose, each with its reason.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::workspace_dir;

/// The tolerated differences.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    #[serde(default)]
    difference: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    case: String,
    #[serde(default)]
    module: Option<String>,
    reason: String,
}

impl Differences {
    /// Reads `compat-tests/differences.toml`.
    pub fn load() -> Result<Differences> {
        let path = workspace_dir().join("compat-tests/differences.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Why `case` of `module` is expected to fail; `None` when it is expected to pass.
    pub fn reason(&self, module: &str, case: &str) -> Option<&str> {
        self.difference
            .iter()
            .find(|entry| entry.case == case && entry.module.as_deref().is_none_or(|named| named == module))
            .map(|entry| entry.reason.as_str())
    }
}
