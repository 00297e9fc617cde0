//! `clusterRT`: sends messages to the topics named after brokers again and again, and prints how long they took: one
//! document for each round.

use std::time::{Duration, Instant};

use boostermq_remoting::message::properties::PropertyMap;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Format, Style, Table};
use crate::print;
use crate::producer::{Outgoing, Producer, Target, now_ms};

/// Messages of a round when `-a` says nothing.
const DEFAULT_COUNT: usize = 100;
/// Bytes of each when `-s` says nothing.
const DEFAULT_SIZE: usize = 128;
/// Longest body that is sent: upstream's limit of a message.
const SIZE_LIMIT: usize = 4 << 20;
/// Seconds between rounds when `-i` says nothing.
const DEFAULT_INTERVAL_S: u64 = 10;
/// Hours by which upstream's log form is ahead of UTC, wherever it runs.
const LOG_ZONE_HOURS: i8 = 8;

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("a", "amount", "message amount | default 100"),
    CommandOption::optional("s", "size", "message size | default 128 Byte"),
    CommandOption::optional("c", "cluster", "cluster name | default display all cluster"),
    CommandOption::optional("p", "print log", "print as tlog | default false"),
    CommandOption::optional("m", "machine room", "machine room name | default noname"),
    CommandOption::optional("i", "interval", "print interval | default 10 seconds"),
];

commands! {
    /// Measures sends to every broker.
    ClusterRt = "clusterRT", "List All clusters Message Send RT.", OPTIONS, measure, has_tables, changes;
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "%-24s  %-24s  %-4s  %-8s  %-8s%n",
    row: "%-24s  %-24s  %-8s  %-16s  %-16s%n",
    columns: &[
        Column::new("clusterName", "#Cluster Name"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("averageMs", "#RT"),
        Column::new("stored", "#successCount"),
        Column::new("failed", "#failCount"),
    ],
};

/// Upstream's lines for a log collector.
static LOG: Style = Style {
    name: "brokers",
    head: "",
    row: "%s|%s|%s|%s|%s%n",
    columns: &[
        Column::new("time", "#Time"),
        Column::new("machineRoom", "#Machine Room"),
        Column::new("clusterName", "#Cluster Name"),
        Column::new("brokerName", "#Broker Name"),
        Column::new("averageMs", "#RT"),
    ],
};

async fn measure(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let count: usize = arguments.number("a")?.unwrap_or(DEFAULT_COUNT);
    let size: usize = arguments.number("s")?.unwrap_or(DEFAULT_SIZE);
    anyhow::ensure!((1..=SIZE_LIMIT).contains(&size), "-s must be between 1 and {SIZE_LIMIT} bytes, not {size}");
    let interval = Duration::from_secs(arguments.number("i")?.unwrap_or(DEFAULT_INTERVAL_S));
    let room = arguments.text("m").unwrap_or("noname");
    let is_log = arguments.truth("p");
    let info = session.admin.cluster_info().await?;
    let mut clusters: Vec<&str> = match arguments.text("c") {
        Some(cluster) => vec![cluster],
        None => info.cluster_addr_table.keys().map(String::as_str).collect(),
    };
    print::string_order(&mut clusters);
    let style = if is_log { &LOG } else { &BROKERS };
    let mut table = Table::new(style);
    loop {
        for cluster in &clusters {
            let Some(names) = info.cluster_addr_table.get(*cluster) else {
                return no_cluster(session, table, cluster);
            };
            let mut names: Vec<&String> = names.iter().collect();
            print::string_order(&mut names);
            for broker in names {
                let round = round(session, broker, count, size).await;
                table.cells_row(if is_log {
                    let now_ms = now_ms();
                    let average = Cell::shown(format!("{:.0}", round.average_ms), round.average_ms);
                    vec![Cell::shown(log_time(now_ms), now_ms), room.into(), (*cluster).into(), broker.into(), average]
                } else {
                    let Round { average_ms, sent, failed } = round;
                    vec![(*cluster).into(), broker.into(), Cell::rounded(average_ms, 2), sent.into(), failed.into()]
                });
            }
        }
        session.print(&Document::of(std::mem::replace(&mut table, Table::new(style).without_head())))?;
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
}

/// What upstream says of a cluster that the name server does not know.
fn no_cluster(session: &mut Session<'_>, table: Table, cluster: &str) -> anyhow::Result<()> {
    let what = format!("cluster [{cluster}] not exist");
    session.fail();
    if matches!(session.format(), Format::Json | Format::Yaml) {
        session.complain(&format_args!("clusterRT: {what}"));
    }
    let mut document = Document::of(table);
    document.text(what);
    Ok(session.print(&document)?)
}

struct Round {
    average_ms: f64,
    sent: usize,
    failed: usize,
}

async fn round(session: &Session<'_>, broker: &str, count: usize, size: usize) -> Round {
    let producer = Producer::new(&session.admin, now_ms().to_string());
    let (mut elapsed, mut sent) = (Duration::ZERO, 0);
    for index in 0..count {
        let message =
            Outgoing { topic: broker.to_owned(), body: vec![b'a'; size], flag: 0, properties: PropertyMap::new() };
        let begin = Instant::now();
        let stored = producer.send(message, Target::Any).await;
        // The first one opens the connection.
        if index > 0 {
            elapsed += begin.elapsed();
        }
        sent += usize::from(stored.is_ok());
    }
    let average_ms = elapsed.as_secs_f64() * 1000.0 / count.saturating_sub(1).max(1) as f64;
    Round { average_ms, sent, failed: count - sent }
}

fn log_time(time_ms: i64) -> String {
    let zone = TimeZone::fixed(Offset::constant(LOG_ZONE_HOURS));
    let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::printed;

    #[test]
    fn prints_as_upstream() {
        BROKERS.check();
        LOG.check();
        let mut table = Table::new(&BROKERS);
        table.row(["C".into(), "broker-a".into(), Cell::rounded(1.234, 2), 100.into(), 0.into()]);
        let text = printed(|out| Document::of(table.clone()).write(Format::Text, out));
        let head = "#Cluster Name             #Broker Name              #RT   #successCount  #failCount\n";
        let row = "C                         broker-a                  1.23      100               0               \n";
        assert_eq!(text, format!("{head}{row}"));
        let json = printed(|out| Document::of(table).write(Format::Json, out));
        assert!(json.contains("\"averageMs\": 1.234"), "{json}");
        let mut table = Table::new(&LOG);
        let time = Cell::shown(log_time(0), 0);
        table.row([time, "noname".into(), "C".into(), "broker-a".into(), Cell::shown("1", 1.234)]);
        let text = printed(|out| Document::of(table).write(Format::Text, out));
        assert_eq!(text, "1970-01-01 08:00:00|noname|C|broker-a|1\n");
    }

    #[test]
    fn logs_are_in_upstreams_time_zone() {
        assert_eq!(log_time(0), "1970-01-01 08:00:00");
    }
}
