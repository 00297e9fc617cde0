//! Where the servers under test come from: the workspace's own release build, or the reference's Maven artifacts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};

use super::toolchain::tool;

static BUILD: Mutex<Option<PathBuf>> = Mutex::new(None);
static ARTIFACTS: Mutex<()> = Mutex::new(());

/// The workspace's root folder.
pub fn workspace_dir() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir).to_owned()
}

/// Folder for what the clients need built, `NAME` below the target folder of cargo: class files, jars, client binaries.
/// It survives from run to run.
pub fn build_dir(name: &str) -> Result<PathBuf> {
    let dir = target_dir().join("compat").join(name);
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    Ok(dir)
}

/// Folder with `mqbroker` and `mqnamesrv`: `BOOSTERMQ_BIN_DIR`, or the release build, made once per test run.
pub(super) fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BOOSTERMQ_BIN_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let mut built = BUILD.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(dir) = &*built {
        return Ok(dir.clone());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "-p", "boostermq-broker", "-p", "boostermq-namesrv", "-p", "boostermq-tools"])
        .arg("--target-dir")
        .arg(target_dir())
        .current_dir(workspace_dir())
        .status()?;
    ensure!(status.success(), "the release build failed; run `cargo build --release` to see why");
    let dir = target_dir().join("release");
    *built = Some(dir.clone());
    Ok(dir)
}

/// Our `mqadmin`.
pub fn mqadmin() -> Result<PathBuf> {
    Ok(bin_dir()?.join("mqadmin"))
}

/// Runs `mvn` on the project file `pom` once: its jars (and class files, when it has sources) end up in `build_dir(name)`.
/// Later calls cost nothing unless a source or the project file is newer.
pub(super) fn maven(name: &str, pom: &Path, goals: &[&str], sources: &[PathBuf]) -> Result<PathBuf> {
    let _one_at_a_time = ARTIFACTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let dir = build_dir(name)?;
    let stamp = dir.join("complete");
    let newest = newest_change(std::iter::once(pom.to_owned()).chain(sources.iter().cloned()))?;
    if std::fs::metadata(&stamp).and_then(|meta| meta.modified()).is_ok_and(|done| done >= newest) {
        return Ok(dir);
    }
    let output = Command::new(tool("mvn")?)
        .args(["-B", "-q", "-f"])
        .arg(pom)
        .arg(format!("-Dcompat.target={}", dir.display()))
        .args(goals)
        .output()?;
    if !output.status.success() {
        bail!(
            "mvn failed for {}; it needs Maven Central or a mirror the first time:\n{}{}",
            pom.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    std::fs::write(&stamp, "")?;
    Ok(dir)
}

/// Folder with the jars of the reference broker and name server.
pub(super) fn reference_jars() -> Result<PathBuf> {
    let pom = workspace_dir().join("compat-tests/clients/java/reference/pom.xml");
    Ok(maven("reference-5.5.0", &pom, &["dependency:copy-dependencies"], &[])?.join("lib"))
}

fn newest_change(paths: impl Iterator<Item = PathBuf>) -> Result<std::time::SystemTime> {
    let mut newest = std::time::SystemTime::UNIX_EPOCH;
    for path in paths {
        let meta = std::fs::metadata(&path).with_context(|| path.display().to_string())?;
        if meta.is_dir() {
            let entries: Result<Vec<_>, _> = std::fs::read_dir(&path)?.map(|entry| entry.map(|e| e.path())).collect();
            newest = newest.max(newest_change(entries?.into_iter())?);
        } else {
            newest = newest.max(meta.modified()?);
        }
    }
    Ok(newest)
}

fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace_dir().join(dir),
        None => workspace_dir().join("target"),
    }
}
