//! `getNamesrvConfig`, `updateNamesrvConfig`: settings of every name server.

use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::settings;

const GET: &[CommandOption] = &[];

const UPDATE: &[CommandOption] =
    &[CommandOption::required("k", "key", "config key"), CommandOption::required("v", "value", "config value")];

commands! {
    /// Shows settings.
    GetNamesrvConfig = "getNamesrvConfig", "Get configs of name server.", GET, show, has_tables;
    /// Changes a setting.
    UpdateNamesrvConfig = "updateNamesrvConfig", "Update configs of name server.", UPDATE, update;
}

async fn show(_: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let addresses = session.admin.name_servers().to_vec();
    settings::show::<broker_config::GetNamesrvConfig>(session, &addresses).await
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (key, value) = (arguments.required("k")?, arguments.required("v")?);
    let body = settings::body(key, value)?;
    let addresses = session.admin.name_servers().to_vec();
    let told = session
        .ask_all(&addresses, async |admin, address| {
            admin
                .call::<broker_config::UpdateNamesrvConfig>(address, &NoHeader {}, body.clone())
                .await
                .map(|answer| answer.remark)
        })
        .await;
    if told.is_empty() {
        return Ok(());
    }
    // Upstream names the servers only when they were given with -n.
    for (address, remark) in &told {
        session.note(address, remark.as_deref());
    }
    let told: Vec<String> = told.into_iter().map(|(address, _)| address).collect();
    let servers = if arguments.has("n") { format!("[{}]", told.join(", ")) } else { String::new() };
    writeln!(session.out, "update name server config success!{servers}")?;
    Ok(writeln!(session.out, "{key} : {value}")?)
}
