//! `clusterList`: every broker, with its load or its counts.

use std::time::Duration;

use boostermq_remoting::body::{ClusterInfo, KvTable};
use boostermq_remoting::names::BrokerId;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerRuntimeInfo;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;
use crate::producer::now_ms;

/// Milliseconds of an hour.
const HOUR_MS: f64 = 3_600_000.0;

const OPTIONS: &[CommandOption] = &[
    CommandOption::flag("m", "moreStats", "Print more stats"),
    CommandOption::optional("i", "interval", "specify intervals numbers, it is in seconds"),
    CommandOption::optional("c", "clusterName", "which cluster"),
];

commands! {
    /// Lists brokers.
    ClusterList = "clusterList", "List cluster infos.", OPTIONS, list, has_tables;
}

static LOAD: Style = Style {
    name: "brokers",
    head: "%-22s  %-22s  %-4s  %-22s %-16s  %16s  %30s  %-22s  %-11s  %-12s  %-8s  %-10s%n",
    row: "%-22s  %-22s  %-4s  %-22s %-16s  %16s  %30s  %-22s  %11s  %-12s  %-8s  %10s%n",
    columns: &[
        Column::new("clusterName", "#Cluster Name"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("brokerId", "#BID"),
        Column::new("addr", "#Addr"),
        Column::new("version", "#Version"),
        Column::text("#InTPS(LOAD)"),
        Column::value("inTps"),
        Column::value("sendThreadPoolQueueSize"),
        Column::value("sendThreadPoolQueueHeadWaitTimeMills"),
        Column::text("#OutTPS(LOAD)"),
        Column::value("outTps"),
        Column::value("pullThreadPoolQueueSize"),
        Column::value("pullThreadPoolQueueHeadWaitTimeMills"),
        Column::value("ackThreadPoolQueueSize"),
        Column::value("ackThreadPoolQueueHeadWaitTimeMills"),
        Column::text("#Timer(Progress)"),
        Column::value("timerReadBehind"),
        Column::value("timerOffsetBehind"),
        Column::value("timerCongestNum"),
        Column::value("timerEnqueueTps"),
        Column::value("timerDequeueTps"),
        Column::new("pageCacheLockTimeMills", "#PCWait(ms)"),
        Column::new("earliestMessageHours", "#Hour"),
        Column::new("commitLogDiskRatio", "#SPACE"),
        Column::new("isActivated", "#ACTIVATED"),
        Column::wide("putLatency99Ms", "#Put99(ms)"),
        Column::wide("dispatchBehindBytes", "#DispatchBehind"),
        Column::wide("remainHowManyDataToFlush", "#ToFlush"),
        Column::wide("runtime", "#Runtime"),
    ],
};

static COUNTS: Style = Style {
    name: "brokers",
    head: "%-16s  %-32s %14s %14s %14s %14s%n",
    row: "%-16s  %-32s %14s %14s %14s %14s%n",
    columns: &[
        Column::new("clusterName", "#Cluster Name"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("inTotalYesterday", "#InTotalYest"),
        Column::new("outTotalYesterday", "#OutTotalYest"),
        Column::new("inTotalToday", "#InTotalToday"),
        Column::new("outTotalToday", "#OutTotalToday"),
        Column::wide("brokerId", "#BID"),
        Column::wide("addr", "#Addr"),
    ],
};

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
        let table = if arguments.has("m") { counts(&rows) } else { load(&rows, now_ms()) };
        session.print(&Document::of(table))?;
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

fn load(rows: &[Row], now_ms: i64) -> Table {
    let mut table = Table::new(&LOAD);
    for row in rows {
        let earliest = row.count("earliestMessageTimeStamp");
        let age_ms = earliest.map_or(0, |earliest| now_ms.saturating_sub(earliest));
        let disk = row.number("commitLogDiskRatio");
        table.row([
            row.cluster.as_str().into(),
            row.broker_name.as_str().into(),
            row.broker_id.0.into(),
            row.address.as_str().into(),
            Cell::shown(row.shown("brokerVersionDesc", "null"), row.text("brokerVersionDesc")),
            Cell::shown(input_load(row), ()),
            row.first_rate("putTps").into(),
            row.count("sendThreadPoolQueueSize").into(),
            row.count("sendThreadPoolQueueHeadWaitTimeMills").into(),
            Cell::shown(output_load(row), ()),
            row.first_rate("getTransferredTps").into(),
            row.count("pullThreadPoolQueueSize").into(),
            row.count("pullThreadPoolQueueHeadWaitTimeMills").into(),
            row.count("ackThreadPoolQueueSize").into(),
            row.count("ackThreadPoolQueueHeadWaitTimeMills").into(),
            Cell::shown(timer_progress(row), ()),
            row.count("timerReadBehind").into(),
            row.count("timerOffsetBehind").into(),
            row.count("timerCongestNum").into(),
            row.number("timerEnqueueTps").into(),
            row.number("timerDequeueTps").into(),
            Cell::shown(row.shown("pageCacheLockTimeMills", "null"), row.count("pageCacheLockTimeMills")),
            Cell::shown(format!("{:.2}", age_ms as f64 / HOUR_MS), earliest.map(|_| age_ms as f64 / HOUR_MS)),
            Cell::rounded(disk, 4),
            row.text("brokerActive").is_some_and(|active| active.eq_ignore_ascii_case("true")).into(),
            row.text("putLatency99").and_then(|text| text.parse::<f64>().ok()).into(),
            row.count("dispatchBehindBytes").into(),
            row.text("remainHowManyDataToFlush").into(),
            row.text("runtime").into(),
        ]);
    }
    table
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

fn counts(rows: &[Row]) -> Table {
    let mut table = Table::new(&COUNTS);
    for row in rows {
        table.row([
            row.cluster.as_str().into(),
            row.broker_name.as_str().into(),
            row.difference("msgPutTotalTodayMorning", "msgPutTotalYesterdayMorning").into(),
            row.difference("msgGetTotalTodayMorning", "msgGetTotalYesterdayMorning").into(),
            row.difference("msgPutTotalTodayNow", "msgPutTotalTodayMorning").into(),
            row.difference("msgGetTotalTodayNow", "msgGetTotalTodayMorning").into(),
            row.broker_id.0.into(),
            row.address.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
