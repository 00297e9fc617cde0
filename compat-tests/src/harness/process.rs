//! One server process: started with its output in a file, ended by signal, never left behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a clean stop may take before it counts as hung.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `command` with both output streams appended to `log`.
    pub(super) fn start(name: &str, mut command: Command, log: &Path) -> Result<Server> {
        let output = File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Server { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of the log when the process is gone.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {status}; the end of {}:\n{}", self.name, self.log.display(), log_tail(&self.log));
        }
        Ok(())
    }

    /// SIGTERM, then waits. A server that does not end in time is killed and reported.
    pub(super) fn terminate(mut self) -> Result<()> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                // The reference's exit status after SIGTERM is 143, ours 0.
                if status.success() || status.code() == Some(143) {
                    return Ok(());
                }
                bail!("{} ended with {status} on SIGTERM:\n{}", self.name, log_tail(&self.log));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} did not end within {STOP_LIMIT:?} after SIGTERM:\n{}", self.name, log_tail(&self.log));
    }

    /// SIGKILL: the process gets no chance to write anything.
    pub(super) fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal and returns at once.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A process that ended by itself is noticed by the wait that follows.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The last lines of a log file, for an error message.
pub(super) fn log_tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
