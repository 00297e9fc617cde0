//! `triggerLiteDispatch`: wakes the clients of a group for their light topics.

use boostermq_remoting::request::lite;
use bytes::Bytes;

use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style, Table};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("p", "parentTopic", "Parent topic name"),
    CommandOption::required("g", "group", "Consumer group"),
    CommandOption::optional("c", "clientId", "clientId (optional)"),
    CommandOption::optional("b", "brokerName", "brokerName (optional)"),
];

commands! {
    /// Wakes clients of light topics.
    TriggerLiteDispatch = "triggerLiteDispatch", "Trigger Lite Dispatch.", OPTIONS, trigger,
        has_tables, changes;
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "",
    row: "%-30s %-12s%n",
    columns: &[Column::new("brokerName", "#Broker"), Column::new("outcome", "#Outcome")],
};

async fn trigger(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, group) = (arguments.required("p")?, arguments.required("g")?);
    let route = session.admin.route(parent).await?;
    let mut fields = vec![("group".into(), group.to_owned())];
    fields.extend(arguments.text("c").map(|client| ("clientId".into(), client.to_owned())));
    let mut table = Table::new(&BROKERS);
    let only = arguments.text("b");
    for broker in route.broker_datas.iter().filter(|broker| only.is_none_or(|name| name == broker.broker_name)) {
        let Some(address) = admin::any_address(broker) else { continue };
        let told = session.admin.call_fields::<lite::TriggerLiteDispatch>(address, fields.clone(), Bytes::new()).await;
        let outcome = if told.is_ok() { "dispatched" } else { "error" };
        table.row([(&broker.broker_name).into(), outcome.into()]);
        if let Err(error) = told {
            session.complain_of(address, &error);
        }
    }
    let mut document = Document::new();
    document.line(format!("Group And Topic Info: [{group}] [{parent}]\n")).table(table);
    Ok(session.print(&document)?)
}
