//! `producerConnection`: the producers of a group that send to a topic.

use boostermq_remoting::body::{Connection, ProducerConnection as Producers};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::Group;
use boostermq_remoting::request::client::{GetProducerConnectionList, GetProducerConnectionListRequestHeader};

use crate::admin::{self, AdminError};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("g", "producerGroup", "producer group name"),
    CommandOption::required("t", "topic", "topic name"),
];

commands! {
    /// Shows the producers of a group.
    ProducerConnection =
        "producerConnection", "Query producer's socket connection and client version.", OPTIONS, show, has_tables;
}

static CLIENTS: Style = Style {
    name: "clients",
    head: "",
    row: "%s  %-32s %-22s %-8s %s%n",
    columns: &[
        Column::text("#Index"),
        Column::new("clientId", "#ClientId"),
        Column::new("clientAddr", "#ClientAddr"),
        Column::new("language", "#Language"),
        Column::new("version", "#Version"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = Group::parse(arguments.required("g")?)?;
    let route = session.admin.route(arguments.required("t")?).await?;
    let header = GetProducerConnectionListRequestHeader { producer_group: group };
    // Upstream asks one broker by chance. A producer is connected to those that it has sent to.
    let mut last = AdminError::refused(ResponseCode::SYSTEM_ERROR, "Not found the producer group connection");
    for address in route.broker_datas.iter().filter_map(admin::any_address) {
        match session.admin.call_body::<GetProducerConnectionList, Producers>(address, &header).await {
            Ok(producers) if !producers.connection_set.is_empty() => {
                return Ok(session.print(&document(&producers.connection_set))?);
            }
            Ok(_) => {}
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn document(clients: &[Connection]) -> Document {
    let mut table = Table::new(&CLIENTS);
    for (index, client) in (1_usize..).zip(clients) {
        table.row([
            Cell::shown(format!("{index:04}"), index),
            Cell::from(&client.client_id),
            Cell::from(&client.client_addr),
            Cell::from(&client.language),
            print::version_name(client.version).into(),
        ]);
    }
    Document::of(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let client = Connection {
            client_addr: "127.0.0.1:44602".to_owned(),
            client_id: "192.0.2.2@13393#1489089137811".to_owned(),
            language: "JAVA".to_owned(),
            version: 513,
        };
        let text = printed(|out| document(&[client]).write(Format::Text, out));
        assert_eq!(text, golden("producerConnection"));
    }
}
