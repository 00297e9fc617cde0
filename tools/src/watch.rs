//! `--watch`: a command again and again, each time on a fresh screen.
//!
//! On a terminal the old output is replaced by the new one; elsewhere each follows the one before, with a blank line
//! between texts. What fails is told, and tried again the next time.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{anyhow, bail};

use crate::admin::Admin;
use crate::command::{Session, SubCommand};
use crate::options::Arguments;
use crate::output::Format;

/// Shortest time between two prints, in seconds: brokers have more to do than to answer one operator.
const LEAST_SECONDS: f64 = 0.1;
/// Longest time between two prints, in seconds.
const MOST_SECONDS: f64 = 86_400.0;
/// Control codes of terminals: cursor to the top left, clear from there.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Where and how often is printed.
pub(crate) struct Screen<'a, 'o> {
    /// What was typed.
    pub(crate) title: &'a str,
    pub(crate) format: Format,
    pub(crate) interval: Duration,
    pub(crate) out: &'o mut dyn Write,
    pub(crate) err: &'o mut dyn Write,
}

/// The time between two prints; `None` when it is printed once.
pub(crate) fn interval(arguments: &Arguments) -> anyhow::Result<Option<Duration>> {
    let Some(text) = arguments.watch() else { return Ok(None) };
    let seconds: f64 = text.parse().map_err(|_| anyhow!("--watch must be a number of seconds, not {text:?}"))?;
    if !(LEAST_SECONDS..=MOST_SECONDS).contains(&seconds) {
        bail!("--watch must be between {LEAST_SECONDS} and {MOST_SECONDS} seconds, not {text}");
    }
    Ok(Some(Duration::from_secs_f64(seconds)))
}

/// Runs until nobody reads what is printed, or the process is interrupted.
pub(crate) async fn run(
    command: &'static dyn SubCommand,
    arguments: &Arguments,
    mut admin: Admin,
    screen: Screen<'_, '_>,
) -> anyhow::Result<u8> {
    let Screen { title, format, interval, out, err } = screen;
    let is_terminal = io::stdout().is_terminal();
    let mut is_first = true;
    loop {
        let (mut text, mut complaints) = (Vec::new(), Vec::new());
        let mut session = Session::new(admin, command, format, &mut text, &mut complaints);
        let ended = command.execute(arguments, &mut session).await;
        admin = session.admin;
        if is_terminal {
            write!(out, "{CLEAR}every {} s: mqadmin {title}\n\n", interval.as_secs_f64())?;
        } else if !is_first && matches!(format, Format::Text | Format::Wide) {
            writeln!(out)?;
        }
        out.write_all(&text)?;
        out.flush()?;
        err.write_all(&complaints)?;
        if let Err(error) = ended {
            writeln!(err, "mqadmin {}: {error:#}", command.name())?;
        }
        is_first = false;
        tokio::time::sleep(interval).await;
    }
}
