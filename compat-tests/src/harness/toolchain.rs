//! What the official clients need from the machine, and the switches a person may set.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// True when `BOOSTERMQ_SKIP_OFFICIAL_CLIENTS=1`: the test returns at once and says so.
pub fn official_clients_skipped() -> bool {
    let skipped = switched_on("BOOSTERMQ_SKIP_OFFICIAL_CLIENTS");
    if skipped {
        eprintln!("not run: BOOSTERMQ_SKIP_OFFICIAL_CLIENTS is set");
    }
    skipped
}

/// True when `BOOSTERMQ_SLOW=1`: cases of more than a minute run too.
pub fn slow_cases_wanted() -> bool {
    switched_on("BOOSTERMQ_SLOW")
}

/// The case ids of `BOOSTERMQ_CASES` (comma separated), as the client programs take them; `None` runs all.
pub fn selected_cases() -> Option<String> {
    std::env::var("BOOSTERMQ_CASES").ok().filter(|cases| !cases.is_empty())
}

/// Path of a program on `PATH`. A missing one is an error that says what to install: a test that silently passes
/// without its clients proves nothing.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    match found {
        Some(file) => Ok(file),
        None => bail!(
            "`{name}` is not on PATH. The official clients need a JDK 11 or newer (java), Maven 3.8 or newer (mvn) and Go 1.22 or \
             newer (go); on Debian: apt-get install openjdk-17-jdk-headless maven golang. \
             BOOSTERMQ_SKIP_OFFICIAL_CLIENTS=1 leaves these tests out."
        ),
    }
}

fn switched_on(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}
