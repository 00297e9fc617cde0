//! `getBrokerLiteInfo`: how the light topics of brokers do.

use std::collections::BTreeSet;

use boostermq_remoting::fastjson;
use boostermq_remoting::request::lite;
use bytes::Bytes;

use super::bodies::OfBroker;
use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table, Value};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "Broker address"),
    CommandOption::one_of("c", "cluster", "Cluster name"),
    CommandOption::flag("d", "showDetail", "Show topic and group detail info"),
];

commands! {
    /// Shows light topics of brokers.
    GetBrokerLiteInfo = "getBrokerLiteInfo", "Get broker lite info.", OPTIONS, show, has_tables;
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "%-30s %-17s %-10s %-14s %-20s %-17s %-15s %-18s %-15s%n",
    row: "%-30s %-17s %-10s %-14s %-20s %-17s %-15s %-18s %-15s%n",
    columns: &[
        Column::new("brokerAddr", "#Broker"),
        Column::new("storeType", "#Store Type"),
        Column::new("maxLmqNum", "#Max LMQ"),
        Column::new("currentLmqNum", "#Current LMQ"),
        Column::new("liteSubscriptionCount", "#SubscriptionCount"),
        Column::new("orderInfoCount", "#OrderInfoCount"),
        Column::new("cqTableSize", "#CQTableSize"),
        Column::new("offsetTableSize", "#OffsetTableSize"),
        Column::new("eventMapSize", "#eventMapSize"),
        Column::value("topicMeta"),
        Column::value("groupMeta"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let answers = session
        .ask_all(&brokers, async |admin, address| {
            let answer = admin.call_fields::<lite::GetBrokerLiteInfo>(address, Vec::new(), Bytes::new()).await?;
            admin::read_body::<OfBroker>(address, &answer)
        })
        .await;
    Ok(session.print(&document(&answers, arguments.has("d")))?)
}

fn document(answers: &[(String, OfBroker)], has_detail: bool) -> Document {
    let mut document = Document::new();
    let mut table = Table::new(&BROKERS);
    for (address, of_broker) in answers {
        let topics = of_broker.topic_meta.iter().map(|(topic, count)| (topic.clone(), (*count).into()));
        let names = |groups: &BTreeSet<String>| Value::from(groups.iter().cloned().collect::<Vec<_>>());
        let groups = of_broker.group_meta.iter().map(|(key, groups)| (key.clone(), names(groups)));
        table.row([
            Cell::from(address),
            Cell::shown(of_broker.store_type.as_deref().unwrap_or("null"), of_broker.store_type.clone()),
            of_broker.max_lmq_num.into(),
            of_broker.current_lmq_num.into(),
            of_broker.lite_subscription_count.into(),
            of_broker.order_info_count.into(),
            of_broker.cq_table_size.into(),
            of_broker.offset_table_size.into(),
            of_broker.event_map_size.into(),
            Value::Object(topics.collect()).into(),
            Value::Object(groups.collect()).into(),
        ]);
        if has_detail {
            let json = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
            document.table(std::mem::replace(&mut table, Table::new(&BROKERS).without_head()));
            document.line(format!("Topic Meta: {}", json(fastjson::to_vec(&of_broker.topic_meta))));
            document.line(format!("Group Meta: {}\n", json(fastjson::to_vec(&of_broker.group_meta))));
        }
    }
    document.table(table);
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::printed;

    #[test]
    fn prints_as_upstream() {
        BROKERS.check();
        let body = br#"{"storeType":"default","maxLmqNum":20000,"currentLmqNum":3,"topicMeta":{"P":-1},
            "groupMeta":{"P":["g1","g2"]}}"#;
        let of_broker: OfBroker = fastjson::from_slice(body).unwrap();
        let document = document(&[("1.2.3.4:10911".to_owned(), of_broker)], true);
        let text = printed(|out| document.write(Format::Text, out));
        let lines: Vec<&str> = text.lines().collect();
        let [head, row, topics, groups, ""] = lines.as_slice() else { panic!("{text}") };
        assert!(
            head.starts_with("#Broker                        #Store Type       #Max LMQ   #Current LMQ   "),
            "{head}"
        );
        assert!(
            row.starts_with("1.2.3.4:10911                  default           20000      3              0 "),
            "{row}"
        );
        assert_eq!((*topics, *groups), (r#"Topic Meta: {"P":-1}"#, r#"Group Meta: {"P":["g1","g2"]}"#));
        let json = printed(|out| document.write(Format::Json, out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["brokers"][0]["maxLmqNum"], 20000);
        assert_eq!(json["brokers"][0]["groupMeta"]["P"][1], "g2");
    }

    #[test]
    fn heads_stand_without_brokers() {
        let text = printed(|out| document(&[], false).write(Format::Text, out));
        assert_eq!((text.lines().count(), text.ends_with("#eventMapSize  \n")), (1, true), "{text:?}");
    }
}
