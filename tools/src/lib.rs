#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod admin;
pub mod command;
pub mod commands;
pub mod completion;
pub mod consumer;
pub mod direct;
mod doctor;
mod find;
pub mod groups;
pub mod list_file;
pub mod options;
pub mod order_conf;
pub mod output;
pub mod print;
pub mod producer;
pub mod query;
pub mod settings;
pub mod show;
pub mod targets;
#[cfg(test)]
mod tests;
mod top;
pub mod track;
pub mod usage;
mod watch;

use std::io::{self, Write};

use anyhow::bail;
use boostermq_remoting::config::{TlsConfig, system_properties};
use boostermq_remoting::net::client::Client;
use boostermq_remoting::net::tls::ClientTls;
use boostermq_remoting::properties_file::Properties;

use crate::admin::{Admin, AdminError};
use crate::command::{DONE, FAILED, NOT_BUILT, Session, SubCommand};
use crate::output::Format;

/// Where a name server is when neither `-n` nor `NAMESRV_ADDR` says so: that of a cluster started without any
/// configuration.
pub const DEFAULT_NAME_SERVER: &str = "127.0.0.1:9876";

/// Variable that says, when `true`, to end with upstream's status.
pub const UPSTREAM_STATUS: &str = "BOOSTERMQ_UPSTREAM_STATUS";

/// What of the process's environment counts.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Value of `NAMESRV_ADDR`: the name servers when `-n` is not given.
    pub name_servers: Option<String>,
    /// [`UPSTREAM_STATUS`] is `true`: commands that failed end with 0, as upstream's do. A command line that is not
    /// understood ends with 1 all the same.
    pub has_upstream_status: bool,
    /// What `JAVA_OPT` sets for a JVM: servers are called by TLS with `-Dtls.enable=true`.
    pub system_properties: Properties,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let is_true = |value: String| value.eq_ignore_ascii_case("true");
        Self {
            name_servers: std::env::var("NAMESRV_ADDR").ok(),
            has_upstream_status: std::env::var(UPSTREAM_STATUS).is_ok_and(is_true),
            system_properties: system_properties(),
        }
    }

    /// How servers are called by TLS, when they are.
    fn tls(&self) -> anyhow::Result<Option<ClientTls>> {
        if !TlsConfig::environment_calls_by_tls(&self.system_properties) {
            return Ok(None);
        }
        Ok(Some(ClientTls::new(&TlsConfig::of_environment(&self.system_properties)?)?))
    }
}

/// How a command line ended.
enum Ending {
    /// It was carried out, with this status.
    Status(u8),
    /// It was not understood.
    Misused,
}

/// Runs the command that `arguments` name, and gives the status to end with: 0 done, 1 failed, 3 not built.
pub async fn run(arguments: &[String], environment: &Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let status = match dispatch(arguments, environment, out, err).await {
        Ok(Ending::Status(status)) => status,
        Ok(Ending::Misused) => return FAILED,
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => FAILED,
        Err(error) => {
            let name = arguments.first().map_or("", String::as_str);
            // What is already printed belongs before the complaint.
            let _ = out.flush();
            let _ = writeln!(err, "mqadmin {name}: {error:#}");
            let is_not_built = error.downcast_ref().is_some_and(AdminError::is_not_built);
            if is_not_built { NOT_BUILT } else { FAILED }
        }
    };
    if environment.has_upstream_status { DONE } else { status }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn dispatch(
    arguments: &[String],
    environment: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Ending> {
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, rest) = match names.as_slice() {
        [] | ["help" | "-h" | "--help"] => return list(out).map(|()| Ending::Status(DONE)),
        ["completion", shell] => return completion::print(shell, out),
        ["completion"] => return completion::print("", out),
        ["help", "completion"] => {
            out.write_all(completion::USAGE.as_bytes())?;
            return Ok(Ending::Status(DONE));
        }
        ["help", name] => {
            let Some(command) = find(name) else { return unknown(name, out) };
            out.write_all(usage::of(command).as_bytes())?;
            return Ok(Ending::Status(DONE));
        }
        [name, rest @ ..] => (name, rest),
    };
    let Some(command) = find(name) else { return unknown(name, out) };
    let arguments = match options::parse(command.options(), rest) {
        Ok(arguments) if arguments.has("h") => {
            out.write_all(usage::of(command).as_bytes())?;
            return Ok(Ending::Status(DONE));
        }
        Ok(arguments) => arguments,
        Err(error) => {
            writeln!(err, "{error}")?;
            out.write_all(usage::of(command).as_bytes())?;
            return Ok(Ending::Misused);
        }
    };
    let name_servers = arguments.text("n").or(environment.name_servers.as_deref());
    let name_servers = name_servers.filter(|addresses| !addresses.trim().is_empty());
    let admin = Admin::new(name_servers.unwrap_or(DEFAULT_NAME_SERVER), Client::with_tls(environment.tls()?));
    if !command.has_tables() && (arguments.output().is_some() || arguments.watch().is_some()) {
        bail!("-o and --watch do not apply: it prints no table; leave them out");
    }
    if command.changes() && arguments.watch().is_some() {
        bail!("--watch does not apply: it would change the cluster again and again; leave it out");
    }
    let format = arguments.output().map_or(Ok(Format::Text), str::parse)?;
    if let Some(interval) = watch::interval(&arguments)? {
        let screen = watch::Screen { title: &names.join(" "), format, interval, out, err };
        return watch::run(command, &arguments, admin, screen).await.map(Ending::Status);
    }
    let mut session = Session::new(admin, command, format, out, err);
    command.execute(&arguments, &mut session).await?;
    Ok(Ending::Status(session.status()))
}

fn find(name: &str) -> Option<&'static dyn SubCommand> {
    commands::all().find(|command| command.name().eq_ignore_ascii_case(name))
}

fn unknown(name: &str, out: &mut dyn Write) -> anyhow::Result<Ending> {
    writeln!(out, "The sub command {name} not exist.")?;
    Ok(Ending::Status(FAILED))
}

fn list(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "The most commonly used mqadmin commands are:")?;
    for command in commands::ALL {
        writeln!(out, "   {:<35} {}", command.name(), command.description())?;
    }
    writeln!(out, "   {:<35} {}", "completion", completion::DESCRIPTION)?;
    for command in commands::OWN {
        writeln!(out, "   {:<35} {}", command.name(), command.description())?;
    }
    writeln!(out, "\nOptions of every command that prints a table:")?;
    for option in &options::OUTPUT {
        writeln!(out, "   {:<35} {}", usage::names(option).trim(), option.description)?;
    }
    writeln!(out, "\nSee 'mqadmin help <command>' for more information on a specific command.")?;
    writeln!(out, "\nNAMESRV_ADDR is where the name servers are when -n is not given.")?;
    writeln!(out, "A command that fails ends with status 1, one that asks for what is not built with 3;")?;
    writeln!(out, "with {UPSTREAM_STATUS}=true both end with 0, as in upstream's tool.")?;
    Ok(())
}
