//! A folder to work in.

use std::path::Path;
use std::sync::OnceLock;

/// One for the process.
pub(crate) fn dir() -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIR.get_or_init(|| tempfile::tempdir().expect("a folder")).path()
}
