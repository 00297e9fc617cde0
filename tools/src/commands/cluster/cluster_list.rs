//! `clusterList`: every broker, with its load or its counts.

use std::io::{self, Write};
use std::time::Duration;

use boostermq_remoting::body::{ClusterInfo, KvTable};
use boostermq_remoting::names::BrokerId;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerRuntimeInfo;

use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::producer::now_ms;

const OPTIONS: &[CommandOption] = &[
    CommandOption::flag("m", "moreStats", "Print more stats"),
    CommandOption::optional("i", "interval", "specify intervals numbers, it is in seconds"),
    CommandOption::optional("c", "clusterName", "which cluster"),
];

/// Lists brokers.
pub struct ClusterList;

impl SubCommand for ClusterList {
    fn name(&self) -> &'static str {
        "clusterList"
    }

    fn description(&self) -> &'static str {
        "List cluster infos."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(list(arguments, session))
    }
}

/// One line: a broker, and what it says of itself.
struct Row {
    cluster: String,
    broker_name: String,
    broker_id: BrokerId,
    address: String,
    runtime: KvTable,
}

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let interval = arguments.number("i")?.map(Duration::from_secs);
    loop {
        let info = session.admin.cluster_info().await?;
        let mut rows = rows(&info, arguments.text("c"));
        for row in &mut rows {
            let asked = session.admin.call_body::<GetBrokerRuntimeInfo, _>(&row.address, &NoHeader {}).await;
            match asked {
                Ok(runtime) => row.runtime = runtime,
                // The broker stands in the list all the same, without load.
                Err(error) => session.complain(&format_args!("clusterList: {}: {error}", row.address)),
            }
        }
        if arguments.has("m") {
            print_counts(session.out, &rows)?;
        } else {
            print_load(session.out, &rows, now_ms())?;
        }
        let Some(interval) = interval else { return Ok(()) };
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
}

fn rows(info: &ClusterInfo, only: Option<&str>) -> Vec<Row> {
    let mut clusters: Vec<&str> = match only.filter(|name| !name.is_empty()) {
        Some(name) => vec![name],
        None => info.cluster_addr_table.keys().map(String::as_str).collect(),
    };
    print::string_order(&mut clusters);
    let mut rows = Vec::new();
    for cluster in clusters {
        let mut names: Vec<&String> = info.cluster_addr_table.get(cluster).into_iter().flatten().collect();
        names.sort_unstable();
        for broker in names.into_iter().filter_map(|name| info.broker_addr_table.get(name)) {
            rows.extend(broker.broker_addrs.iter().map(|(id, address)| Row {
                cluster: cluster.to_owned(),
                broker_name: broker.broker_name.clone(),
                broker_id: *id,
                address: address.clone(),
                runtime: KvTable::default(),
            }));
        }
    }
    rows
}

impl Row {
    fn text(&self, key: &str) -> Option<&str> {
        self.runtime.table.get(key).map(String::as_str)
    }

    /// A value as upstream prints it: nothing when the broker was not reached, `instead` when it left it out.
    fn shown<'a>(&'a self, key: &str, instead: &'a str) -> &'a str {
        if self.runtime.table.is_empty() { "" } else { self.text(key).unwrap_or(instead) }
    }

    fn count(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    fn number(&self, key: &str) -> f64 {
        self.text(key).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// The first of several rates: that of the last ten seconds.
    fn first_rate(&self, key: &str) -> f64 {
        let first = self.text(key).and_then(|text| text.split(' ').next());
        first.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn difference(&self, later: &str, earlier: &str) -> i64 {
        self.count(later).zip(self.count(earlier)).map_or(0, |(later, earlier)| later.saturating_sub(earlier))
    }
}

fn print_load(out: &mut dyn Write, rows: &[Row], now_ms: i64) -> io::Result<()> {
    writeln!(
        out,
        "{:<22}  {:<22}  {:<4}  {:<22} {:<16}  {:>16}  {:>30}  {:<22}  {:<11}  {:<12}  {:<8}  {:<10}",
        "#Cluster Name",
        "#Broker Name",
        "#BID",
        "#Addr",
        "#Version",
        "#InTPS(LOAD)",
        "#OutTPS(LOAD)",
        "#Timer(Progress)",
        "#PCWait(ms)",
        "#Hour",
        "#SPACE",
        "#ACTIVATED"
    )?;
    for row in rows {
        let age_ms = row.count("earliestMessageTimeStamp").map_or(0, |earliest| now_ms.saturating_sub(earliest));
        writeln!(
            out,
            "{:<22}  {:<22}  {:<4}  {:<22} {:<16}  {:>16}  {:>30}  {:<22}  {:>11}  {:<12}  {:<8}  {:>10}",
            row.cluster,
            row.broker_name,
            row.broker_id.to_string(),
            row.address,
            row.shown("brokerVersionDesc", "null"),
            input_load(row),
            output_load(row),
            timer_progress(row),
            row.shown("pageCacheLockTimeMills", "null"),
            format!("{:.2}", age_ms as f64 / 3_600_000.0),
            format!("{:.4}", row.number("commitLogDiskRatio")),
            row.text("brokerActive").is_some_and(|active| active.eq_ignore_ascii_case("true")),
        )?;
    }
    Ok(())
}

fn input_load(row: &Row) -> String {
    format!(
        "{:9.2}({},{}ms)",
        row.first_rate("putTps"),
        row.shown("sendThreadPoolQueueSize", "null"),
        row.shown("sendThreadPoolQueueHeadWaitTimeMills", "null"),
    )
}

fn output_load(row: &Row) -> String {
    format!(
        "{:9.2}({},{}ms|{},{}ms)",
        row.first_rate("getTransferredTps"),
        row.shown("pullThreadPoolQueueSize", "null"),
        row.shown("pullThreadPoolQueueHeadWaitTimeMills", "null"),
        // Brokers before 5.0 know no acknowledgements.
        row.shown("ackThreadPoolQueueSize", "N"),
        row.shown("ackThreadPoolQueueHeadWaitTimeMills", "N"),
    )
}

fn timer_progress(row: &Row) -> String {
    format!(
        "{}-{}({:.1}w, {:.1}, {:.1})",
        row.count("timerReadBehind").unwrap_or_default(),
        row.count("timerOffsetBehind").unwrap_or_default(),
        // In units of ten thousand.
        row.number("timerCongestNum") / 10_000.0,
        row.number("timerEnqueueTps"),
        row.number("timerDequeueTps"),
    )
}

fn print_counts(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    writeln!(
        out,
        "{:<16}  {:<32} {:>14} {:>14} {:>14} {:>14}",
        "#Cluster Name", "#Broker Name", "#InTotalYest", "#OutTotalYest", "#InTotalToday", "#OutTotalToday"
    )?;
    for row in rows {
        writeln!(
            out,
            "{:<16}  {:<32} {:>14} {:>14} {:>14} {:>14}",
            row.cluster,
            row.broker_name,
            row.difference("msgPutTotalTodayMorning", "msgPutTotalYesterdayMorning"),
            row.difference("msgGetTotalTodayMorning", "msgGetTotalYesterdayMorning"),
            row.difference("msgPutTotalTodayNow", "msgPutTotalTodayMorning"),
            row.difference("msgGetTotalTodayNow", "msgGetTotalTodayMorning"),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
