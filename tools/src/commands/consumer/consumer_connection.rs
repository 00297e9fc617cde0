//! `consumerConnection`: the members of a group and what they subscribe to.

use boostermq_remoting::body;
use boostermq_remoting::names::Group;

use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("g", "consumerGroup", "consumer group name"),
    CommandOption::optional("b", "brokerAddr", "broker address"),
];

commands! {
    /// Shows the members of a group.
    ConsumerConnection =
        "consumerConnection",
        "Query consumer's socket connection, client version and subscription.",
        OPTIONS,
        show,
        has_tables;
}

static CLIENTS: Style = Style {
    name: "clients",
    head: "%-36s %-22s %-10s %s%n",
    row: "%-36s %-22s %-10s %s%n",
    columns: &[
        Column::new("clientId", "#ClientId"),
        Column::new("clientAddr", "#ClientAddr"),
        Column::new("language", "#Language"),
        Column::new("version", "#Version"),
    ],
};

static SUBSCRIPTIONS: Style = Style {
    name: "subscriptions",
    head: "%-20s %s%n",
    row: "%-20s %s%n",
    columns: &[
        Column::new("topic", "#Topic"),
        Column::new("expression", "#SubExpression"),
        Column::wide("expressionType", "#ExpressionType"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = Group::parse(arguments.required("g")?)?;
    let connection = match arguments.text("b") {
        Some(address) => groups::connection_at(&session.admin, address, &group).await?,
        None => groups::connection(&session.admin, &group).await?,
    };
    Ok(session.print(&document(&connection))?)
}

fn document(connection: &body::ConsumerConnection) -> Document {
    let mut clients = Table::new(&CLIENTS);
    for client in &connection.connection_set {
        clients.row([
            Cell::from(&client.client_id),
            Cell::from(&client.client_addr),
            Cell::from(&client.language),
            print::version_name(client.version).into(),
        ]);
    }
    let mut topics: Vec<&String> = connection.subscription_table.keys().collect();
    print::string_order(&mut topics);
    let mut subscriptions = Table::new(&SUBSCRIPTIONS);
    for data in topics.into_iter().filter_map(|topic| connection.subscription_table.get(topic)) {
        subscriptions.row([
            Cell::from(&data.topic),
            Cell::from(&data.sub_string),
            Cell::from(data.expression_type.clone()),
        ]);
    }
    let mut document = Document::of(clients);
    document.line("").line("Below is subscription:").table(subscriptions).line("");
    let name = |name: Option<&'static str>| name.unwrap_or("null");
    let kind = connection.consume_type.map(|kind| kind.name());
    let model = connection.message_model.map(|model| model.name());
    let start = connection.consume_from_where.map(|start| start.name());
    document.field("consumeType", kind, format!("ConsumeType: {}", name(kind)));
    document.field("messageModel", model, format!("MessageModel: {}", name(model)));
    document.field("consumeFromWhere", start, format!("ConsumeFromWhere: {}", name(start)));
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let connection =
            br#"{"connectionSet":[{"clientAddr":"127.0.0.1:44594","clientId":"192.0.2.2@13393#1489705128613",
            "language":"JAVA","version":513}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET",
            "consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{
            "%RETRY%gold_live":{"topic":"%RETRY%gold_live","subString":"*"},
            "GoldNormal":{"topic":"GoldNormal","subString":"TagA || TagB"}}}"#;
        let document = document(&boostermq_remoting::fastjson::from_slice(connection).unwrap());
        assert_eq!(printed(|out| document.write(Format::Text, out)), golden("consumerConnection"));
    }
}
