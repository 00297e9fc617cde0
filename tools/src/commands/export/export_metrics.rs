//! `exportMetrics`: how the brokers of a cluster do, one by one and together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use boostermq_remoting::body::{BrokerStatsData, KvTable};
use boostermq_remoting::names::Group;
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::{GetBrokerConfig, GetBrokerRuntimeInfo};
use boostermq_remoting::request::stats::{ViewBrokerStatsData, ViewBrokerStatsDataRequestHeader};
use bytes::Bytes;
use serde::Serialize;

use super::user_tables::{self, DEFAULT_FOLDER};
use crate::admin::{self, Admin, side_by_side};
use crate::command::{Session, commands};
use crate::commands::consumer::day;
use crate::options::{Arguments, CommandOption};
use crate::{groups, print, targets};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("c", "clusterName", "choose a cluster to export"),
    CommandOption::optional("f", "filePath", "export metrics.json path | default /tmp/rocketmq/export"),
];

commands! {
    /// Writes how brokers do.
    ExportMetrics = "exportMetrics", "Export metrics.", OPTIONS, export;
}

/// Where half messages wait.
const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Where delayed messages wait.
const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    evaluate_report: BTreeMap<String, Report>,
    total_data: Totals,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    total_one_day_num: OneDay,
    total_tps: TotalRates,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct TotalRates {
    total_normal_in_tps: f64,
    total_normal_out_tps: f64,
    total_schedule_in_tps: f64,
    total_trans_in_tps: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    runtime_env: RuntimeEnvironment,
    runtime_quota: Quota,
    runtime_version: Versions,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeEnvironment {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_num: Option<String>,
    #[serde(rename = "totalMemKBytes", skip_serializing_if = "Option::is_none")]
    total_mem: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Quota {
    disk_ratio: DiskRatio,
    group_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_average_size: Option<String>,
    one_day_num: OneDay,
    topic_size: usize,
    tps: Rates,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DiskRatio {
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_log_disk_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consume_queue_disk_ratio: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneDay {
    normal_one_day_in_num: i64,
    normal_one_day_out_num: i64,
    schedule_one_day_in_num: i64,
    trans_one_day_in_num: i64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    normal_in_tps: f64,
    normal_out_tps: f64,
    schedule_in_tps: f64,
    trans_in_tps: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    client_info: BTreeSet<String>,
    rocketmq_version: String,
}

/// Upstream ends its line without a line feed.
async fn export(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let info = session.admin.cluster_info().await?;
    let Some(brokers) = targets::members(&info, arguments.required("c")?) else {
        return targets::unknown_cluster(session);
    };
    let mut metrics = Metrics::default();
    let total = i64::try_from(brokers.len()).unwrap_or(i64::MAX);
    for (done, broker) in (1..).zip(brokers) {
        let Some(address) = admin::master(broker) else { continue };
        match report(&session.admin, address).await {
            Ok(report) => {
                add(&mut metrics.total_data, &report.runtime_quota);
                metrics.evaluate_report.insert(broker.broker_name.clone(), report);
            }
            Err(error) => session.complain(&format_args!("exportMetrics: {address}: {error:#}")),
        }
        session.progress(done, total, "brokers");
    }
    let path = format!("{}/metrics.json", arguments.text("f").unwrap_or(DEFAULT_FOLDER));
    user_tables::save(&path, &metrics)?;
    Ok(write!(session.out, "export {path} success")?)
}

async fn report(admin: &Admin, address: &str) -> anyhow::Result<Report> {
    let runtime: KvTable = admin.call_body::<GetBrokerRuntimeInfo, _>(address, &NoHeader {}).await?;
    let settings = admin.call::<GetBrokerConfig>(address, &NoHeader {}, Bytes::new()).await?;
    let settings = Properties::parse(address, &settings.body)?;
    let groups = user_tables::groups(admin, address).await?;
    let topics = user_tables::topics(admin, address, false).await?;
    let text = |key: &str| runtime.table.get(key).cloned();
    let (half, schedule) = (put(admin, address, HALF_TOPIC).await, put(admin, address, SCHEDULE_TOPIC).await);
    let names: Vec<&String> = groups.subscription_group_table.keys().collect();
    Ok(Report {
        runtime_env: RuntimeEnvironment {
            cpu_num: settings.get("clientCallbackExecutorThreads").map(str::to_owned),
            total_mem: text("totalMemKBytes"),
        },
        runtime_quota: Quota {
            disk_ratio: DiskRatio {
                commit_log_disk_ratio: text("commitLogDiskRatio"),
                consume_queue_disk_ratio: text("consumeQueueDiskRatio"),
            },
            group_size: names.len(),
            message_average_size: text("putMessageAverageSize"),
            one_day_num: OneDay {
                normal_one_day_in_num: yesterday(&runtime, "msgPut")?,
                normal_one_day_out_num: yesterday(&runtime, "msgGet")?,
                schedule_one_day_in_num: day(&schedule),
                trans_one_day_in_num: day(&half),
            },
            topic_size: topics.topic_config_table.len(),
            tps: Rates {
                normal_in_tps: first_rate(&runtime, "putTps"),
                normal_out_tps: first_rate(&runtime, "getTransferredTps"),
                schedule_in_tps: schedule.stats_minute.tps,
                trans_in_tps: half.stats_minute.tps,
            },
        },
        runtime_version: Versions {
            client_info: clients(admin, &names).await,
            rocketmq_version: print::version_name(boostermq_remoting::code::VERSION),
        },
    })
}

/// What was put into a topic; nothing when the broker has counted none.
async fn put(admin: &Admin, address: &str, topic: &str) -> BrokerStatsData {
    let header =
        ViewBrokerStatsDataRequestHeader { stats_name: "TOPIC_PUT_NUMS".to_owned(), stats_key: topic.to_owned() };
    admin.call_body::<ViewBrokerStatsData, _>(address, &header).await.unwrap_or_default()
}

/// Language and version of everyone who is connected.
async fn clients(admin: &Admin, names: &[&String]) -> BTreeSet<String> {
    let asked = side_by_side(names, async |name: &&String| {
        let group = Group::parse(name).ok()?;
        groups::connection(admin, &group).await.ok()
    })
    .await;
    let connections = asked.into_iter().flatten().flat_map(|connection| connection.connection_set);
    connections.map(|client| format!("{}%{}", client.language, print::version_name(client.version))).collect()
}

fn yesterday(runtime: &KvTable, what: &str) -> anyhow::Result<i64> {
    let count = |when: &str| -> anyhow::Result<i64> {
        let key = format!("{what}Total{when}Morning");
        let text = runtime.table.get(&key).ok_or_else(|| anyhow!("the broker says nothing of {key}"))?;
        text.parse().map_err(|_| anyhow!("{key} is {text:?}, which is no number"))
    };
    Ok(count("Today")?.saturating_sub(count("Yesterday")?))
}

fn first_rate(runtime: &KvTable, key: &str) -> f64 {
    let first = runtime.table.get(key).and_then(|text| text.split(' ').next());
    first.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn add(totals: &mut Totals, quota: &Quota) {
    let (rates, days) = (&mut totals.total_tps, &mut totals.total_one_day_num);
    rates.total_normal_in_tps += quota.tps.normal_in_tps;
    rates.total_normal_out_tps += quota.tps.normal_out_tps;
    rates.total_schedule_in_tps += quota.tps.schedule_in_tps;
    rates.total_trans_in_tps += quota.tps.trans_in_tps;
    days.normal_one_day_in_num += quota.one_day_num.normal_one_day_in_num;
    days.normal_one_day_out_num += quota.one_day_num.normal_one_day_out_num;
    days.schedule_one_day_in_num += quota.one_day_num.schedule_one_day_in_num;
    days.trans_one_day_in_num += quota.one_day_num.trans_one_day_in_num;
}
