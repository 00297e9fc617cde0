//! `producer`: every producer that a broker knows.

use std::collections::BTreeMap;

use boostermq_remoting::body::{ProducerInfo, ProducerTableInfo};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::client::GetAllProducerInfo;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[CommandOption::required("b", "broker", "broker address")];

commands! {
    /// Lists producers.
    Producer = "producer", "Query producer's instances, connection, status, etc.", OPTIONS, list, has_tables;
}

static PRODUCERS: Style = Style {
    name: "producers",
    head: "",
    row: "producer group (%s) instance : clientId=%s,remoteIP=%s, language=%s, version=%s, lastUpdateTimestamp=%s%n",
    columns: &[
        Column::new("group", "#ProducerGroup"),
        Column::new("clientId", "#ClientId"),
        Column::new("remoteIP", "#ClientAddr"),
        Column::new("language", "#Language"),
        Column::new("version", "#Version"),
        Column::new("lastUpdateTimestamp", "#LastUpdateTimestamp"),
    ],
};

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let address = arguments.required("b")?;
    let producers: ProducerTableInfo = session.admin.call_body::<GetAllProducerInfo, _>(address, &NoHeader {}).await?;
    Ok(session.print(&document(&producers.data))?)
}

fn document(producers: &BTreeMap<String, Vec<ProducerInfo>>) -> Document {
    let mut groups: Vec<&String> = producers.keys().collect();
    print::string_order(&mut groups);
    let mut document = Document::new();
    for group in groups {
        let members = producers.get(group).map(Vec::as_slice).unwrap_or_default();
        if members.is_empty() {
            document.line(format!("producer group ({group}) instances are empty"));
        }
        let mut table = Table::new(&PRODUCERS);
        for producer in members {
            table.row([
                group.into(),
                Cell::from(&producer.client_id),
                Cell::from(&producer.remote_ip),
                Cell::from(&producer.language),
                producer.version.into(),
                producer.last_update_timestamp.into(),
            ]);
        }
        document.table(table);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let producer = |client: &str, remote: &str, time| ProducerInfo {
            client_id: format!("192.0.2.2@13393#{client}"),
            language: "JAVA".to_owned(),
            last_update_timestamp: time,
            remote_ip: format!("/127.0.0.1:{remote}"),
            version: 513,
        };
        let mut producers = BTreeMap::new();
        producers.insert("gold_live_p".to_owned(), vec![producer("1489089137811", "44602", 1_795_369_224_293)]);
        let inner = vec![
            producer("1489705128613", "44594", 1_795_369_224_358),
            producer("1489089137811", "44602", 1_795_369_224_293),
        ];
        producers.insert("CLIENT_INNER_PRODUCER".to_owned(), inner);
        assert_eq!(printed(|out| document(&producers).write(Format::Text, out)), golden("producer"));
    }
}
