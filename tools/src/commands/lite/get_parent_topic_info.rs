//! `getParentTopicInfo`: how many light topics a topic holds on each broker.

use boostermq_remoting::request::lite;

use super::bodies::OfParent;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};

const OPTIONS: &[CommandOption] = &[CommandOption::required("p", "parentTopic", "Parent topic name")];

commands! {
    /// Shows a topic of light topics.
    GetParentTopicInfo = "getParentTopicInfo", "Get parent topic info.", OPTIONS, show, has_tables;
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "%-50s %-8s %-14s %-14s %-100s %n",
    row: "%-50.40s %-8s %-14s %-14s %-100s %n",
    columns: &[
        Column::new("brokerName", "#Broker Name"),
        Column::new("ttl", "#TTL"),
        Column::new("liteTopicCount", "#Lite Count"),
        Column::new("lmqNum", "#LMQ NUM"),
        Column::new("groups", "#GROUPS"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let parent = arguments.required("p")?;
    let fields = vec![("topic".into(), parent.to_owned())];
    let answers = super::ask_brokers::<lite::GetParentTopicInfo, OfParent>(session, parent, &fields).await?;
    let mut document = Document::new();
    document.line(format!("Parent Topic Info: [{parent}]")).table(table(answers));
    Ok(session.print(&document)?)
}

fn table(answers: Vec<(String, OfParent)>) -> Table {
    let mut table = Table::new(&BROKERS);
    for (broker, OfParent { ttl, groups, lmq_num, lite_topic_count }) in answers {
        let groups: Vec<String> = groups.into_iter().collect();
        let text = format!("[{}]", groups.join(", "));
        table.row([broker.into(), ttl.into(), lite_topic_count.into(), lmq_num.into(), Cell::shown(text, groups)]);
    }
    table
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
        let body = br#"{"ttl":-1,"groups":["g2","g1"],"lmqNum":4,"liteTopicCount":3}"#;
        let document = Document::of(table(vec![("broker-a".to_owned(), fastjson::from_slice(body).unwrap())]));
        let text = printed(|out| document.write(Format::Text, out));
        let row = text.lines().nth(1).unwrap();
        let cells =
            "broker-a                                           -1       3              4              [g1, g2]";
        assert_eq!(row, format!("{cells:<190} "));
        let json = printed(|out| document.write(Format::Json, out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["brokers"][0]["groups"][0], "g1");
    }
}
