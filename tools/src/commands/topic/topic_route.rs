//! `topicRoute`: where a topic is, as JSON or as a table.

use std::collections::BTreeMap;
use std::io::{self, Write};

use boostermq_remoting::body::TopicRouteData;
use boostermq_remoting::fastjson;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Format, Style, Table, Value};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::flag("l", "list", "Use list format to print data"),
];

commands! {
    /// Shows the route of a topic.
    TopicRoute = "topicRoute", "Examine topic route info.", OPTIONS, show, has_tables;
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "%-45s %-32s %-50s %-10s %-11s %-5s%n",
    row: "%-45s %-32s %-50s %-10s %-11s %-5s%n",
    columns: &[
        Column::new("clusterName", "#ClusterName"),
        Column::new("brokerName", "#BrokerName"),
        Column::new("brokerAddrs", "#BrokerAddrs"),
        Column::new("readQueueNums", "#ReadQueue"),
        Column::new("writeQueueNums", "#WriteQueue"),
        Column::new("perm", "#Perm"),
        Column::wide("permission", "#Permission"),
    ],
};

static TOTAL: Style = Style {
    name: "",
    head: "",
    row: BROKERS.row,
    columns: &[
        Column::text("#ClusterName"),
        Column::text("#BrokerName"),
        Column::text("#BrokerAddrs"),
        Column::text("#ReadQueue"),
        Column::text("#WriteQueue"),
        Column::text("#Perm"),
    ],
};

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let mut route = session.admin.route(arguments.required("t")?).await?;
    if !arguments.has("l") && session.format() == Format::Text {
        return Ok(print_json(session.out, &route)?);
    }
    route.broker_datas.sort_by(|one, other| one.broker_name.cmp(&other.broker_name));
    Ok(session.print(&document(&route))?)
}

fn print_json(out: &mut dyn Write, route: &TopicRouteData) -> io::Result<()> {
    let text = fastjson::to_pretty_vec(route);
    for line in String::from_utf8_lossy(&text).lines() {
        writeln!(out, "{}", with_bare_number(line))?;
    }
    Ok(())
}

/// Takes the quotes from a key that is a number: upstream writes such keys bare. Each member has a line of its own.
fn with_bare_number(line: &str) -> String {
    let (indent, member) = line.split_at(line.len() - line.trim_start_matches('\t').len());
    let key = member.strip_prefix('"').and_then(|rest| rest.split_once("\":"));
    match key.filter(|(key, _)| key.parse::<i64>().is_ok()) {
        Some((key, value)) => format!("{indent}{key}:{value}"),
        None => line.to_owned(),
    }
}

fn document(route: &TopicRouteData) -> Document {
    let by_name: BTreeMap<&str, _> = route.queue_datas.iter().map(|data| (data.broker_name.as_str(), data)).collect();
    let (mut read_total, mut write_total) = (0_i64, 0_i64);
    let mut table = Table::new(&BROKERS);
    for broker in &route.broker_datas {
        // A broker without queues of the topic is a fault of the name server, but no reason to show nothing.
        let queues = by_name.get(broker.broker_name.as_str()).copied().cloned().unwrap_or_default();
        read_total += i64::from(queues.read_queue_nums);
        write_total += i64::from(queues.write_queue_nums);
        let addresses = broker.broker_addrs.iter().map(|(id, address)| (id.to_string(), Value::from(address)));
        table.row([
            broker.cluster.as_str().into(),
            broker.broker_name.as_str().into(),
            Cell::shown(print::map_text(&broker.broker_addrs), Value::Object(addresses.collect())),
            queues.read_queue_nums.into(),
            queues.write_queue_nums.into(),
            queues.perm.into(),
            print::permission(queues.perm).into(),
        ]);
    }
    let mut total = Table::new(&TOTAL);
    let shown = |count: i64| Cell::shown(count.to_string(), ());
    let brokers = i64::try_from(by_name.len()).unwrap_or(i64::MAX);
    total.row([
        Cell::shown("Total:", ()),
        shown(brokers),
        Cell::shown("", ()),
        shown(read_total),
        shown(write_total),
        Cell::shown("", ()),
    ]);
    let mut document = Document::of(table);
    document.line("-".repeat(158)).table(total);
    document.hidden("readQueueNums", read_total).hidden("writeQueueNums", write_total);
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{golden, printed};

    fn route() -> TopicRouteData {
        fastjson::from_slice(golden("topicRoute").as_bytes()).unwrap()
    }

    #[test]
    fn json_is_printed_as_upstream_does() {
        assert_eq!(printed(|out| print_json(out, &route())), golden("topicRoute"));
    }

    #[test]
    fn the_table_is_printed_as_upstream_does() {
        assert_eq!(printed(|out| document(&route()).write(Format::Text, out)), golden("topicRoute-l"));
    }
}
