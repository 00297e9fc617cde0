//! The official Go client, rocketmq-client-go v2.1.2. Its program and its cases live in `clients/go`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::{
    Cluster, build_dir, official_clients_skipped, selected_cases, slow_cases_wanted, tool, workspace_dir,
};

const MODULE: &str = "go";

#[test]
fn go_client() -> Result<()> {
    // The cases end within a minute and a half on two cores; a case that hangs is to fail.
    run("core", Duration::from_secs(240))
}

#[test]
fn go_client_slow() -> Result<()> {
    if !slow_cases_wanted() {
        eprintln!("not run: BOOSTERMQ_SLOW is not set");
        return Ok(());
    }
    run("slow", Duration::from_secs(260))
}

/// Runs one group of cases on a cluster of its own; a case fails when it takes longer than `limit`.
fn run(group: &str, limit: Duration) -> Result<()> {
    if official_clients_skipped() {
        return Ok(());
    }
    let program = build()?;
    let Some(cases) = wanted(&program, group)? else {
        eprintln!("not run: BOOSTERMQ_CASES names no {group} case of the Go client");
        return Ok(());
    };
    let mut crashes = 0;
    loop {
        match run_once(&program, group, &cases, limit) {
            Err(error) if crashes < CRASHES_MAX && is_the_clients_own_crash(&error) => {
                crashes += 1;
                eprintln!("the Go client crashed by its own known fault; once more ({crashes} of {CRASHES_MAX})");
            }
            ended => return ended,
        }
    }
}

/// How often the client's own crash is put up with in one run.
const CRASHES_MAX: u32 = 2;

/// A fault of client v2.1.2, whatever broker it talks to: its pull consumer closes a queue's channel on shutdown while its
/// own reader may still put the messages of an answer into it. The panic ends the whole program, and with it every case.
fn is_the_clients_own_crash(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    text.contains("panic: send on closed channel") && text.contains("(*processQueue).putMessage")
}

fn run_once(program: &Path, group: &str, cases: &str, limit: Duration) -> Result<()> {
    let cluster = Cluster::builder(&format!("go-{group}"));
    let keys = crate::QUESTIONS_SOON.iter();
    let mut cluster = keys.fold(cluster, |cluster, (key, value)| cluster.broker_key(key, value)).start()?;
    let files = cluster.folder().join("go");
    std::fs::create_dir_all(&files).with_context(|| files.display().to_string())?;
    let mut command = Command::new(program);
    command.arg("-namesrv").arg(cluster.namesrv()).arg("-broker").arg(cluster.broker()).arg("-dir").arg(&files);
    command.arg("-cases").arg(cases).arg("-limit").arg(format!("{}s", limit.as_secs()));
    let report = cluster.run(command, limit * 4)?;
    report.verify(cluster.target(), MODULE)?;
    cluster.passed()
}

/// Compiles the program, once per test run, since a running program cannot be written. Go's own cache makes that cheap
/// when nothing changed; the first time it fetches the client.
fn build() -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = &*built {
        return Ok(program.clone());
    }
    let program = build_dir("go")?.join("cases");
    let output = Command::new(tool("go")?)
        .args(["build", "-mod=readonly", "-buildvcs=false", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(workspace_dir().join("compat-tests/clients/go"))
        .output()?;
    ensure!(
        output.status.success(),
        "the Go client's program does not build; the first time it needs the Go module proxy or a mirror (GOPROXY):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    *built = Some(program.clone());
    Ok(program)
}

/// The selection to run: the whole group, or those of its ids that `BOOSTERMQ_CASES` names; `None` when it names none.
fn wanted(program: &Path, group: &str) -> Result<Option<String>> {
    let Some(selected) = selected_cases() else {
        return Ok(Some(group.to_owned()));
    };
    let output = Command::new(program).arg("-list").output()?;
    ensure!(output.status.success(), "{} -list failed", program.display());
    let listed = String::from_utf8(output.stdout)?;
    let marker = format!("{group}:");
    let ids: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(id, rest)| rest.starts_with(&marker) && selected.split(',').any(|one| one.trim() == *id))
        .map(|(id, _)| id)
        .collect();
    Ok((!ids.is_empty()).then(|| ids.join(",")))
}
