//! What a command is, and what it works with while it runs.
//!
//! A new command is one declaration under [`crate::commands`] and one line in [`crate::commands::ALL`].
//! Upstream: `SubCommand`.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::admin::{Admin, AdminError, side_by_side};
use crate::options::{Arguments, CommandOption};
use crate::output::{Document, Format};
use crate::usage;

/// Status of a command that did what it was asked.
pub const DONE: u8 = 0;
/// Status of a command that failed, wholly or in part, or was not understood.
pub const FAILED: u8 = 1;
/// Status of a command that asks for what is not built, here or in the server that was asked.
pub const NOT_BUILT: u8 = 3;

/// Time between two looks at the progress of long work.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

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
    /// True when it prints by [`Session::print`] and nothing else: only then `-o` and `--watch` apply to it.
    fn has_tables(&self) -> bool {
        false
    }
    /// True when it changes or sends something: then it is never done again by itself.
    fn changes(&self) -> bool {
        false
    }
    /// What the words mean that follow its name without being options, `KEY`; empty when such words mean nothing and
    /// are passed over, as upstream does.
    fn words(&self) -> &'static str {
        ""
    }
    /// Carries it out. An error ends it with a complaint and a status of 1.
    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a>;
}

/// Declares a command: `/// doc` · `Name = "name", "description", OPTIONS, function;`, where the function is
/// `async fn(&Arguments, &mut Session<'_>) -> anyhow::Result<()>`. One that prints by [`Session::print`] ends with
/// `, has_tables;`, one that changes something besides with `, has_tables, changes;`, one that takes words with
/// `=> "KEY";`.
macro_rules! commands {
    ($($(#[$doc:meta])+ $command:ident = $name:literal, $description:literal, $options:expr, $execute:path
        $(, $property:ident)* $(=> $words:literal)?;)+) => {$(
        $(#[$doc])+
        pub struct $command;

        impl $crate::command::SubCommand for $command {
            fn name(&self) -> &'static str {
                $name
            }

            fn description(&self) -> &'static str {
                $description
            }

            fn options(&self) -> &'static [$crate::options::CommandOption] {
                $options
            }

            $(fn $property(&self) -> bool {
                true
            })*

            $(fn words(&self) -> &'static str {
                $words
            })?

            fn execute<'a>(
                &'a self,
                arguments: &'a $crate::options::Arguments,
                session: &'a mut $crate::command::Session<'_>,
            ) -> $crate::command::Running<'a> {
                Box::pin($execute(arguments, session))
            }
        }
    )+};
}
pub(crate) use commands;

/// What a command works with: servers to ask, and somewhere to print to.
pub struct Session<'o> {
    /// Asks servers.
    pub admin: Admin,
    /// Standard output: upstream's text only.
    pub out: &'o mut dyn Write,
    err: &'o mut dyn Write,
    command: &'static dyn SubCommand,
    format: Format,
    status: u8,
    /// When progress was shown last.
    shown: Option<Instant>,
}

impl<'o> Session<'o> {
    /// A session of `command` that prints to `out` in this format and complains to `err`.
    #[must_use]
    pub fn new(
        admin: Admin,
        command: &'static dyn SubCommand,
        format: Format,
        out: &'o mut dyn Write,
        err: &'o mut dyn Write,
    ) -> Self {
        Self { admin, out, err, command, format, status: DONE, shown: None }
    }

    /// How documents are printed: for a command that asks for more when more is shown.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Prints what was found, in the format that was asked for.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn print(&mut self, document: &Document) -> io::Result<()> {
        document.write(self.format, self.out)
    }

    /// Tells, beside what upstream prints, what a server remarked on its success.
    pub fn note(&mut self, address: &str, remark: Option<&str>) {
        if let Some(remark) = remark.filter(|remark| !remark.is_empty()) {
            let _ = self.out.flush();
            let _ = writeln!(self.err, "mqadmin: {address}: {remark}");
        }
    }

    /// Tells what went wrong with one part of the work while the rest goes on; the command ends with a status of 1.
    pub fn complain(&mut self, what: &dyn Display) {
        self.fail();
        let _ = self.out.flush();
        let _ = writeln!(self.err, "mqadmin: {what}");
    }

    /// As [`Session::complain`], of a server that was asked in vain: names command and address.
    pub fn complain_of(&mut self, address: &str, error: &AdminError) {
        let name = self.command.name();
        self.complain(&format_args!("{name}: {address}: {error}"));
        if error.is_not_built() {
            self.end_with(NOT_BUILT);
        }
    }

    /// Ends the command with a status of 1, after it printed the reason itself, as upstream does.
    pub fn fail(&mut self) {
        self.end_with(FAILED);
    }

    /// Ends the command with this status, unless a higher one is already due.
    pub fn end_with(&mut self, status: u8) {
        self.status = self.status.max(status);
    }

    /// Says that what was asked for is not built; the command ends with a status of 3.
    pub fn not_built(&mut self, what: &str) {
        self.complain(&format_args!("{}: {what}", self.command.name()));
        self.end_with(NOT_BUILT);
    }

    /// Prints how the command is used, as upstream does when an option is missing that only the command itself knows to
    /// be needed; the command ends with a status of 1.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn refuse(&mut self) -> anyhow::Result<()> {
        self.fail();
        Ok(self.out.write_all(usage::of(self.command).as_bytes())?)
    }

    /// Shows how far long work is, where that disturbs nothing: complaints go to a terminal, what is printed does not.
    pub fn progress(&mut self, done: i64, total: i64, what: &str) {
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL) || done >= total;
        if is_due && total > 0 && io::stderr().is_terminal() && !io::stdout().is_terminal() {
            self.shown = Some(Instant::now());
            let end = if done >= total { "\n" } else { "" };
            let percent = done.saturating_mul(100) / total;
            let _ = write!(self.err, "\r{}: {done} of {total} {what}, {percent}%{end}", self.command.name());
            let _ = self.err.flush();
        }
    }

    /// Shows how far a search is that prints nothing before its end: on a terminal, in a line that goes again.
    pub fn searching(&mut self, done: usize, total: usize, what: &str) {
        if !io::stderr().is_terminal() {
            return;
        }
        if done >= total {
            if self.shown.take().is_some() {
                let _ = write!(self.err, "\r\x1b[K");
            }
        } else if self.shown.get_or_insert_with(Instant::now).elapsed() >= PROGRESS_INTERVAL {
            self.shown = Some(Instant::now());
            let _ = write!(self.err, "\r{}: {done} of {total} {what}\x1b[K", self.command.name());
        }
        let _ = self.err.flush();
    }

    /// The status so far.
    #[must_use]
    pub const fn status(&self) -> u8 {
        self.status
    }

    /// Asks all these servers side by side. Gives what those answered that did, in the order of the addresses, and
    /// complains of the others.
    pub async fn ask_all<T>(
        &mut self,
        addresses: &[String],
        ask: impl AsyncFn(&Admin, &str) -> Result<T, AdminError>,
    ) -> Vec<(String, T)> {
        let admin = &self.admin;
        let asked = side_by_side(addresses, async |address: &String| ask(admin, address).await).await;
        let mut answers = Vec::with_capacity(addresses.len());
        for (address, answer) in addresses.iter().zip(asked) {
            match answer {
                Ok(answer) => answers.push((address.clone(), answer)),
                Err(error) => self.complain_of(address, &error),
            }
        }
        answers
    }
}
