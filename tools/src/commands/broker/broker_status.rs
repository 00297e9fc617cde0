//! `brokerStatus`: what a broker says of itself, a line for each key.

use boostermq_remoting::body::KvTable;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerRuntimeInfo;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style, Table};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "Broker address"),
    CommandOption::one_of("c", "clusterName", "which cluster"),
];

commands! {
    /// Shows what brokers say of themselves.
    BrokerStatus = "brokerStatus", "Fetch broker runtime status data.", OPTIONS, show, has_tables;
}

static OF_ONE: Style = Style {
    name: "values",
    head: "",
    row: "%-32s: %s%n",
    columns: &[Column::new("key", "#Key"), Column::new("value", "#Value")],
};

static OF_MANY: Style = Style {
    name: "values",
    head: "",
    row: "%-24s %-32s: %s%n",
    columns: &[Column::new("broker", "#Addr"), Column::new("key", "#Key"), Column::new("value", "#Value")],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let answers = session
        .ask_all(&brokers, async |admin, address| {
            admin.call_body::<GetBrokerRuntimeInfo, KvTable>(address, &NoHeader {}).await
        })
        .await;
    Ok(session.print(&document(&answers, arguments.has("b")))?)
}

fn document(answers: &[(String, KvTable)], is_one: bool) -> Document {
    let mut table = Table::new(if is_one { &OF_ONE } else { &OF_MANY });
    for (address, values) in answers {
        for (key, value) in &values.table {
            if is_one {
                table.row([key.into(), value.into()]);
            } else {
                table.row([address.into(), key.into(), value.into()]);
            }
        }
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
        for (name, is_one) in [("brokerStatus", true), ("brokerStatus-c", false)] {
            let text = golden(name);
            let mut values = KvTable::default();
            for line in text.lines() {
                let line = if is_one { line } else { line.split_once(' ').unwrap().1.trim_start() };
                let (key, value) = line.split_once(": ").unwrap();
                values.table.insert(key.trim().to_owned(), value.to_owned());
            }
            let answers = [("127.0.0.1:30911".to_owned(), values)];
            assert_eq!(printed(|out| document(&answers, is_one).write(Format::Text, out)), text, "{name}");
        }
    }
}
