//! `consumerStatus`: what the members of a group tell of themselves, a file for each, and whether they agree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use boostermq_remoting::body::{Connection, ConsumerRunningInfo};
use boostermq_remoting::names::Group;

use super::running_text;
use crate::admin::side_by_side;
use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::producer::now_ms;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("g", "consumerGroup", "consumer group name"),
    CommandOption::optional("i", "clientId", "The consumer's client id"),
    CommandOption::optional("b", "brokerAddr", "broker address"),
    CommandOption::flag("s", "jstack", "Run jstack command in the consumer progress"),
];

commands! {
    /// Shows how the members of a group do.
    ConsumerStatus = "consumerStatus", "Query consumer's internal data structure.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = Group::parse(arguments.required("g")?)?;
    let connection = match arguments.text("b") {
        Some(address) => groups::connection_at(&session.admin, address, &group).await?,
        None => groups::connection(&session.admin, &group).await?,
    };
    let with_stacks = arguments.has("s");
    if let Some(client_id) = arguments.text("i") {
        let info = groups::running(&session.admin, &group, client_id, with_stacks).await?;
        return Ok(write!(session.out, "{}", running_text::report(&info))?);
    }
    let folder = now_ms().to_string();
    let admin = &session.admin;
    let asked = side_by_side(&connection.connection_set, async |client: &Connection| {
        groups::running(admin, &group, &client.client_id, with_stacks).await
    })
    .await;
    writeln!(session.out, "{:<10} {:<40} {:<20} #ConsumerRunningInfoFile", "#Index", "#ClientId", "#Version")?;
    let mut members = BTreeMap::new();
    for (client, answer) in connection.connection_set.iter().zip(asked) {
        let info = match answer {
            Ok(info) => info,
            Err(error) => {
                session.complain_of(&client.client_id, &error);
                continue;
            }
        };
        let path = save(&folder, &client.client_id, &info)?;
        let (index, id) = (members.len() + 1, &client.client_id);
        writeln!(session.out, "{index:<10} {id:<40} {:<20} {path}", print::version_name(client.version))?;
        members.insert(client.client_id.clone(), info);
    }
    write_verdict(session, &members)?;
    if let Some(how) = &connection.subscription_warning {
        // Brokers of ours name who differs, and in what; upstream's say nothing.
        write!(session.out, "\n\nWARN: {how}")?;
    }
    Ok(())
}

/// Saves the report of a client in a folder here; gives where.
fn save(folder: &str, client_id: &str, info: &ConsumerRunningInfo) -> anyhow::Result<String> {
    // A client calls itself what it likes: that must not lead elsewhere.
    let is_safe = client_id != "." && client_id != ".." && !client_id.contains(['/', '\\', '\0']);
    let name = if is_safe { client_id.to_owned() } else { client_id.replace(['/', '\\', '\0', '.'], "_") };
    let failed = || format!("the report cannot be saved in {folder}/{name}: run this where files may be written");
    fs::create_dir_all(folder).with_context(failed)?;
    fs::write(Path::new(folder).join(&name), running_text::report(info)).with_context(failed)?;
    Ok(format!("{folder}/{name}"))
}

fn write_verdict(session: &mut Session<'_>, members: &BTreeMap<String, ConsumerRunningInfo>) -> anyhow::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let now_ms = now_ms();
    if !running_text::is_subscription_same(members, now_ms) {
        return Ok(write!(session.out, "\n\nWARN: Different subscription in the same group of consumer!!!")?);
    }
    writeln!(session.out, "\n\nSame subscription in the same group of consumer\n\nRebalance OK")?;
    for (client_id, info) in members {
        write!(session.out, "{}", running_text::stuck_queues(client_id, info, now_ms))?;
    }
    Ok(())
}
