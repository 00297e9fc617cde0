//! `consumerStatus`: what the members of a group tell of themselves, and whether they agree. Text saves the report of each
//! in a file, as upstream does; JSON and YAML carry the reports themselves, and save nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use boostermq_remoting::body::{Connection, ConsumerRunningInfo};
use boostermq_remoting::names::Group;

use super::{running_text, running_values};
use crate::admin::side_by_side;
use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Format, Style, Table, Value};
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
    ConsumerStatus = "consumerStatus", "Query consumer's internal data structure.", OPTIONS, show, has_tables;
}

static MEMBERS: Style = Style {
    name: "members",
    head: "%-10s %-40s %-20s %s%n",
    row: "%-10s %-40s %-20s %s%n",
    columns: &[
        Column::text("#Index"),
        Column::new("clientId", "#ClientId"),
        Column::wide("clientAddr", "#ClientAddr"),
        Column::wide("language", "#Language"),
        Column::new("version", "#Version"),
        Column::text("#ConsumerRunningInfoFile"),
        Column::value("running"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = Group::parse(arguments.required("g")?)?;
    let connection = match arguments.text("b") {
        Some(address) => groups::connection_at(&session.admin, address, &group).await?,
        None => groups::connection(&session.admin, &group).await?,
    };
    let with_stacks = arguments.has("s");
    if let Some(client_id) = arguments.text("i") {
        let info = groups::running(&session.admin, &group, client_id, with_stacks).await?;
        let mut document = Document::new();
        document.text(running_text::report(&info));
        for (name, value) in running_values::members(&info) {
            document.hidden(name, value);
        }
        return Ok(session.print(&document)?);
    }
    let has_files = matches!(session.format(), Format::Text | Format::Wide);
    let folder = now_ms().to_string();
    let admin = &session.admin;
    let asked = side_by_side(&connection.connection_set, async |client: &Connection| {
        groups::running(admin, &group, &client.client_id, with_stacks).await
    })
    .await;
    let mut table = Table::new(&MEMBERS);
    let mut members = BTreeMap::new();
    for (client, answer) in connection.connection_set.iter().zip(asked) {
        let info = match answer {
            Ok(info) => info,
            Err(error) => {
                session.complain_of(&client.client_id, &error);
                continue;
            }
        };
        let path = if has_files { save(&folder, &client.client_id, &info)? } else { String::new() };
        let running = running_values::members(&info).into_iter().map(|(name, value)| (name.to_owned(), value));
        table.row([
            (members.len() + 1).into(),
            Cell::from(&client.client_id),
            Cell::from(&client.client_addr),
            Cell::from(&client.language),
            print::version_name(client.version).into(),
            path.into(),
            Value::Object(running.collect()).into(),
        ]);
        members.insert(client.client_id.clone(), info);
    }
    let mut document = Document::of(table);
    add_verdict(&mut document, &members, now_ms());
    document.hidden("subscriptionWarning", connection.subscription_warning.clone());
    if let Some(how) = &connection.subscription_warning {
        // Brokers of ours name who differs, and in what; upstream's say nothing.
        document.text(format!("\n\nWARN: {how}"));
    }
    Ok(session.print(&document)?)
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

fn add_verdict(document: &mut Document, members: &BTreeMap<String, ConsumerRunningInfo>, now_ms: i64) {
    if members.is_empty() {
        return;
    }
    let is_same = running_text::is_subscription_same(members, now_ms);
    document.hidden("isSubscriptionSame", is_same);
    if !is_same {
        document.text("\n\nWARN: Different subscription in the same group of consumer!!!");
        return;
    }
    document.line("\n\nSame subscription in the same group of consumer\n\nRebalance OK");
    let stuck: String =
        members.iter().map(|(client_id, info)| running_text::stuck_queues(client_id, info, now_ms)).collect();
    document.hidden("stuckQueues", stuck.lines().collect::<Vec<_>>()).text(stuck);
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::body::SubscriptionData;

    use super::*;
    use crate::tests::printed;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn member(expression: &str) -> ConsumerRunningInfo {
        let mut info = ConsumerRunningInfo::default();
        info.properties.insert("PROP_CONSUME_TYPE".to_owned(), "CONSUME_PASSIVELY".to_owned());
        info.properties.insert("PROP_CONSUMER_START_TIMESTAMP".to_owned(), "0".to_owned());
        info.subscription_set
            .push(SubscriptionData { sub_string: expression.to_owned(), ..SubscriptionData::default() });
        info
    }

    #[test]
    fn the_verdict_in_text_and_json() {
        MEMBERS.check();
        for (other, text, json) in [
            (
                "a",
                "\n\nSame subscription in the same group of consumer\n\nRebalance OK\n",
                serde_json::json!({"isSubscriptionSame": true, "stuckQueues": []}),
            ),
            (
                "b",
                "\n\nWARN: Different subscription in the same group of consumer!!!",
                serde_json::json!({"isSubscriptionSame": false}),
            ),
        ] {
            let members = [("1", member("a")), ("2", member(other))].map(|(id, info)| (id.to_owned(), info)).into();
            let mut document = Document::new();
            add_verdict(&mut document, &members, NOW_MS);
            assert_eq!(printed(|out| document.write(Format::Text, out)), text);
            let printed = printed(|out| document.write(Format::Json, out));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), json);
        }
    }
}
