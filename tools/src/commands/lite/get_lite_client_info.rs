//! `getLiteClientInfo`: the light topics of a client.

use boostermq_remoting::request::lite;

use super::bodies::OfClient;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("p", "parentTopic", "Parent topic name"),
    CommandOption::required("g", "group", "Consumer group"),
    CommandOption::required("c", "clientId", "Client id"),
    CommandOption::flag("s", "showDetail", "Show details"),
];

/// Light topics that are wanted of each broker (RocketMQ 5.5.0: default of `maxCount`).
const MOST: &str = "1000";

commands! {
    /// Shows a client's light topics.
    GetLiteClientInfo = "getLiteClientInfo", "Get lite client info.", OPTIONS, show, has_tables;
}

static CLIENTS: Style = Style {
    name: "brokers",
    head: "%-30s %-20s %-30s %-30s %n",
    row: "%-30s %-20s %-30s %-30s %n",
    columns: &[
        Column::new("brokerName", "#Broker"),
        Column::new("liteTopicCount", "#LiteTopicCount"),
        Column::new("lastAccessTime", "#LastAccessTime"),
        Column::new("lastConsumeTime", "#LastConsumeTime"),
        Column::value("liteTopics"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, group) = (arguments.required("p")?, arguments.required("g")?);
    let client = arguments.required("c")?;
    let fields = vec![
        ("parentTopic".into(), parent.to_owned()),
        ("group".into(), group.to_owned()),
        ("clientId".into(), client.to_owned()),
        ("maxCount".into(), MOST.to_owned()),
    ];
    let answers = super::ask_brokers::<lite::GetLiteClientInfo, OfClient>(session, parent, &fields).await?;
    let mut document = Document::new();
    document.line(format!("Lite Client Info: [{client}] [{group}] [{parent}]"));
    list(&mut document, answers, arguments.has("s"));
    Ok(session.print(&document)?)
}

fn list(document: &mut Document, answers: Vec<(String, OfClient)>, has_detail: bool) {
    let known = |value: i64, cell: Cell| if value > 0 { cell } else { Cell::shown("N/A", value) };
    let mut table = Table::new(&CLIENTS);
    for (broker, OfClient { last_access_time, last_consume_time, lite_topic_count, lite_topic_set }) in answers {
        let names: Vec<String> = lite_topic_set.into_iter().collect();
        let text = names.join(", ");
        let is_shown = has_detail && !names.is_empty();
        table.row([
            broker.into(),
            known(lite_topic_count.into(), lite_topic_count.into()),
            known(last_access_time, Cell::time(last_access_time)),
            known(last_consume_time, Cell::time(last_consume_time)),
            names.into(),
        ]);
        if is_shown {
            document.table(std::mem::replace(&mut table, Table::new(&CLIENTS).without_head()));
            document.line(format!("Lite Topics: [{text}]\n"));
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
        CLIENTS.check();
        let body =
            br#"{"lastAccessTime":0,"lastConsumeTime":1700000000000,"liteTopicCount":2,"liteTopicSet":["a","b"]}"#;
        let mut document = Document::new();
        list(&mut document, vec![("broker-a".to_owned(), fastjson::from_slice(body).unwrap())], true);
        let text = printed(|out| document.write(Format::Text, out));
        let lines: Vec<&str> = text.lines().collect();
        let [head, row, "Lite Topics: [a, b]", ""] = lines.as_slice() else { panic!("{text}") };
        assert!(head.starts_with("#Broker                        #LiteTopicCount      #LastAccessTime    "), "{head}");
        assert!(row.starts_with("broker-a                       2                    N/A                "), "{row}");
        assert!(row.ends_with(' ') && row.len() == head.len(), "{row:?}");
        let json = printed(|out| document.write(Format::Json, out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["brokers"][0]["liteTopics"][1], "b");
        assert_eq!(json["brokers"][0]["lastConsumeTime"], 1_700_000_000_000_i64);
    }
}
