//! What a command is, and what it works with while it runs.
//!
//! A new command is one file under [`crate::commands`] and one line in [`crate::commands::ALL`]. Upstream: `SubCommand`.

use std::fmt::Display;
use std::io::Write;
use std::pin::Pin;

use crate::admin::Admin;
use crate::options::{Arguments, CommandOption};

/// A command at work.
pub type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// One command of mqadmin.
pub trait SubCommand: Sync {
    /// What it is called; found in any case.
    fn name(&self) -> &'static str;
    /// One line for the list of commands.
    fn description(&self) -> &'static str;
    /// Its options without `-h` and `-n`, in the order in which missing ones are complained of.
    fn options(&self) -> &'static [CommandOption];
    /// Carries it out. An error ends it with a complaint and a status of 1.
    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a>;
}

/// What a command works with: servers to ask, and somewhere to print to.
pub struct Session<'o> {
    /// Asks servers.
    pub admin: Admin,
    /// Standard output: upstream's text only.
    pub out: &'o mut dyn Write,
    err: &'o mut dyn Write,
    failed: bool,
}

impl<'o> Session<'o> {
    /// A session that prints to `out` and complains to `err`.
    #[must_use]
    pub fn new(admin: Admin, out: &'o mut dyn Write, err: &'o mut dyn Write) -> Self {
        Self { admin, out, err, failed: false }
    }

    /// Tells what went wrong with one part of the work while the rest goes on; the command ends with a status of 1.
    pub fn complain(&mut self, what: &dyn Display) {
        self.failed = true;
        let _ = self.out.flush();
        let _ = writeln!(self.err, "mqadmin: {what}");
    }

    /// Ends the command with a status of 1, after it printed the reason itself, as upstream does.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// True when some part of the work failed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed
    }
}
