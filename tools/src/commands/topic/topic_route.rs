//! `topicRoute`: where a topic is, as JSON or as a table.

use std::collections::BTreeMap;
use std::io::{self, Write};

use boostermq_remoting::body::TopicRouteData;
use boostermq_remoting::fastjson;

use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::flag("l", "list", "Use list format to print data"),
];

/// Shows the route of a topic.
pub struct TopicRoute;

impl SubCommand for TopicRoute {
    fn name(&self) -> &'static str {
        "topicRoute"
    }

    fn description(&self) -> &'static str {
        "Examine topic route info."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(show(arguments, session))
    }
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let mut route = session.admin.route(arguments.required("t")?).await?;
    if arguments.has("l") {
        route.broker_datas.sort_by(|one, other| one.broker_name.cmp(&other.broker_name));
        print_table(session.out, &route)?;
    } else {
        print_json(session.out, &route)?;
    }
    Ok(())
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

fn print_line(out: &mut dyn Write, cells: [&str; 6]) -> io::Result<()> {
    let [cluster, broker, addresses, read, write, permission] = cells;
    writeln!(out, "{cluster:<45} {broker:<32} {addresses:<50} {read:<10} {write:<11} {permission:<5}")
}

fn print_table(out: &mut dyn Write, route: &TopicRouteData) -> io::Result<()> {
    let by_name: BTreeMap<&str, _> = route.queue_datas.iter().map(|data| (data.broker_name.as_str(), data)).collect();
    let (mut read_total, mut write_total) = (0_i64, 0_i64);
    print_line(out, ["#ClusterName", "#BrokerName", "#BrokerAddrs", "#ReadQueue", "#WriteQueue", "#Perm"])?;
    for broker in &route.broker_datas {
        // A broker without queues of the topic is a fault of the name server, but no reason to show nothing.
        let queues = by_name.get(broker.broker_name.as_str()).copied().cloned().unwrap_or_default();
        read_total += i64::from(queues.read_queue_nums);
        write_total += i64::from(queues.write_queue_nums);
        let addresses = print::map_text(&broker.broker_addrs);
        let [read, write, permission] =
            [queues.read_queue_nums, queues.write_queue_nums, queues.perm].map(|n| n.to_string());
        print_line(out, [&broker.cluster, &broker.broker_name, &addresses, &read, &write, &permission])?;
    }
    writeln!(out, "{}", "-".repeat(158))?;
    let (brokers, read, write) = (by_name.len().to_string(), read_total.to_string(), write_total.to_string());
    print_line(out, ["Total:", &brokers, "", &read, &write, ""])
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
        assert_eq!(printed(|out| print_table(out, &route())), golden("topicRoute-l"));
    }
}
