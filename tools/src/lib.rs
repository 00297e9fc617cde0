#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod admin;
pub mod command;
pub mod commands;
pub mod consumer;
pub mod direct;
pub mod options;
pub mod order_conf;
pub mod print;
pub mod producer;
pub mod query;
pub mod show;
#[cfg(test)]
mod tests;
pub mod track;
pub mod usage;

use std::io::{self, Write};

use crate::admin::Admin;
use crate::command::{Session, SubCommand};

/// Where a name server is when neither `-n` nor `NAMESRV_ADDR` says so: that of a cluster started without any
/// configuration.
pub const DEFAULT_NAME_SERVER: &str = "127.0.0.1:9876";

/// Runs the command that `arguments` name, and gives the status to end with: 0 or 1. `environment` is the value of
/// `NAMESRV_ADDR`.
pub async fn run(arguments: &[String], environment: Option<&str>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match dispatch(arguments, environment, out, err).await {
        Ok(true) => 0,
        Ok(false) => 1,
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => 1,
        Err(error) => {
            let name = arguments.first().map_or("", String::as_str);
            // What is already printed belongs before the complaint.
            let _ = out.flush();
            let _ = writeln!(err, "mqadmin {name}: {error:#}");
            1
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn dispatch(
    arguments: &[String],
    environment: Option<&str>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<bool> {
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, rest) = match names.as_slice() {
        [] | ["help" | "-h" | "--help"] => return list(out).map(|()| true),
        ["help", name] => {
            let Some(command) = find(name) else { return unknown(name, out) };
            out.write_all(usage::usage(&title(command), command.options()).as_bytes())?;
            return Ok(true);
        }
        [name, rest @ ..] => (name, rest),
    };
    let Some(command) = find(name) else { return unknown(name, out) };
    let arguments = match options::parse(command.options(), rest) {
        Ok(arguments) if arguments.has("h") => {
            out.write_all(usage::usage(&title(command), command.options()).as_bytes())?;
            return Ok(true);
        }
        Ok(arguments) => arguments,
        Err(error) => {
            writeln!(err, "{error}")?;
            out.write_all(usage::usage(&title(command), command.options()).as_bytes())?;
            return Ok(false);
        }
    };
    let name_servers = arguments.text("n").or(environment).filter(|addresses| !addresses.trim().is_empty());
    let admin = Admin::new(name_servers.unwrap_or(DEFAULT_NAME_SERVER));
    let mut session = Session::new(admin, out, err);
    command.execute(&arguments, &mut session).await?;
    Ok(!session.has_failed())
}

fn find(name: &str) -> Option<&'static dyn SubCommand> {
    let mut all = commands::ALL.iter().copied();
    all.find(|command| command.name().eq_ignore_ascii_case(name))
}

fn title(command: &dyn SubCommand) -> String {
    format!("mqadmin {}", command.name())
}

fn unknown(name: &str, out: &mut dyn Write) -> anyhow::Result<bool> {
    writeln!(out, "The sub command {name} not exist.")?;
    Ok(false)
}

fn list(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "The most commonly used mqadmin commands are:")?;
    for command in commands::ALL {
        writeln!(out, "   {:<35} {}", command.name(), command.description())?;
    }
    writeln!(out, "\nSee 'mqadmin help <command>' for more information on a specific command.")?;
    Ok(())
}
