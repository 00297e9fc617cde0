//! `getLiteTopicInfo`: where a light topic begins and ends on each broker, and who subscribes to it.

use boostermq_remoting::request::lite;

use super::bodies::{ClientGroup, OfTopic};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("p", "parentTopic", "Parent topic name"),
    CommandOption::required("l", "liteTopic", "Lite topic name"),
    CommandOption::flag("s", "showClientId", "Show all clientId"),
];

commands! {
    /// Shows a light topic.
    GetLiteTopicInfo = "getLiteTopicInfo", "Get lite topic info.", OPTIONS, show, has_tables;
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "%-50s %-14s %-14s %-30s %-12s %-18s %n",
    row: "%-50.40s %-14s %-14s %-30s %-12s %-18s %n",
    columns: &[
        Column::new("brokerName", "#Broker Name"),
        Column::new("minOffset", "#MinOffset"),
        Column::new("maxOffset", "#MaxOffset"),
        Column::new("lastUpdateTime", "#LastUpdate"),
        Column::new("sharding", "#Sharding"),
        Column::new("subscriberCount", "#SubClientCount"),
        Column::value("subscribers"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, light) = (arguments.required("p")?, arguments.required("l")?);
    let fields = vec![("parentTopic".into(), parent.to_owned()), ("liteTopic".into(), light.to_owned())];
    let answers = super::ask_brokers::<lite::GetLiteTopicInfo, OfTopic>(session, parent, &fields).await?;
    let mut document = Document::new();
    document.line(format!("Lite Topic Info: [{parent}] [{light}] [%LMQ%${parent}${light}]"));
    list(&mut document, answers, arguments.has("s"));
    Ok(session.print(&document)?)
}

fn list(document: &mut Document, answers: Vec<(String, OfTopic)>, has_clients: bool) {
    let mut table = Table::new(&BROKERS);
    for (broker, OfTopic { subscriber, topic_offset, sharding_to_broker }) in answers {
        let offsets = topic_offset.unwrap_or_default();
        let time = offsets.last_update_timestamp;
        let names = subscriber.iter().map(|ClientGroup { client_id, group }| format!("{client_id}@{group}"));
        let names: Vec<String> = names.collect();
        let text = names.join(", ");
        table.row([
            broker.into(),
            offsets.min_offset.into(),
            offsets.max_offset.into(),
            if time > 0 { Cell::time(time) } else { Cell::shown("-", time) },
            sharding_to_broker.into(),
            names.len().into(),
            names.into(),
        ]);
        if has_clients {
            document.table(std::mem::replace(&mut table, Table::new(&BROKERS).without_head()));
            document.line(format!("[{text}]"));
        }
    }
    document.table(table);
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::fastjson;

    use super::*;
    use crate::output::Format;
    use crate::tests::printed;

    #[test]
    fn prints_as_upstream() {
        BROKERS.check();
        let body = br#"{"subscriber":[{"clientId":"c1","group":"g"},{"clientId":"c2","group":"g"}],
            "topicOffset":{"minOffset":0,"maxOffset":7,"lastUpdateTimestamp":0},"shardingToBroker":true}"#;
        let mut document = Document::new();
        list(&mut document, vec![("broker-a".to_owned(), fastjson::from_slice(body).unwrap())], true);
        let text = printed(|out| document.write(Format::Text, out));
        let lines: Vec<&str> = text.lines().collect();
        let [head, row, "[c1@g, c2@g]"] = lines.as_slice() else { panic!("{text}") };
        assert!(head.ends_with(" #Sharding    #SubClientCount    "), "{head:?}");
        assert!(row.starts_with("broker-a  ") && row.ends_with(" true         2                  "), "{row:?}");
        let json = printed(|out| document.write(Format::Json, out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["brokers"][0]["subscribers"][1], "c2@g");
        assert_eq!(json["brokers"][0]["maxOffset"], 7);
    }
}
