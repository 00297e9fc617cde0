//! `clusterRT`: sends messages to the topics named after brokers again and again, and prints how long they took.

use std::time::{Duration, Instant};

use boostermq_remoting::message::properties::PropertyMap;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
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
    ClusterRt = "clusterRT", "List All clusters Message Send RT.", OPTIONS, measure;
}

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
    if !is_log {
        let heads = ["#Cluster Name", "#Broker Name", "#RT", "#successCount", "#failCount"];
        let [cluster, broker, time, success, failed] = heads;
        writeln!(session.out, "{cluster:<24}  {broker:<24}  {time:<4}  {success:<8}  {failed:<8}")?;
    }
    loop {
        for cluster in &clusters {
            let Some(names) = info.cluster_addr_table.get(*cluster) else {
                session.fail();
                return Ok(write!(session.out, "cluster [{cluster}] not exist")?);
            };
            let mut names: Vec<&String> = names.iter().collect();
            print::string_order(&mut names);
            for broker in names {
                let round = round(session, broker, count, size).await;
                if is_log {
                    let time = log_time(now_ms());
                    writeln!(session.out, "{time}|{room}|{cluster}|{broker}|{:.0}", round.average_ms)?;
                } else {
                    let average = format!("{:.2}", round.average_ms);
                    let Round { sent, failed, .. } = round;
                    writeln!(session.out, "{cluster:<24}  {broker:<24}  {average:<8}  {sent:<16}  {failed:<16}")?;
                }
            }
        }
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
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
    use super::log_time;

    #[test]
    fn logs_are_in_upstreams_time_zone() {
        assert_eq!(log_time(0), "1970-01-01 08:00:00");
    }
}
