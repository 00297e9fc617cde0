//! `rocksDBConfigToJson`, `checkRocksdbCqWriteProgress`, `exportMetadataInRocksDB`: metadata and queues kept in RocksDB.
//!
//! Brokers of RocketMQ that keep them so are asked. Folders of RocksDB are not read here.

use std::time::Duration;

use boostermq_remoting::fastjson;
use boostermq_remoting::request::broker_config::{
    self, CheckRocksdbCqWriteProgressRequestHeader, ExportRocksDbConfigToJsonRequestHeader, ExportRocksdbConfigToJson,
};
use bytes::Bytes;
use serde::Deserialize;

use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::producer::now_ms;

const TO_JSON: &[CommandOption] = &[
    CommandOption::optional(
        "t",
        "configType",
        "Name of kv config, e.g. topics/subscriptionGroups/consumerOffsets. Required in local mode and default all in rpc mode.",
    ),
    CommandOption::optional("p", "configPath", "[local mode] Absolute path to the metadata config directory"),
    CommandOption::optional(
        "e",
        "exportFile",
        "[local mode] Absolute file path for exporting, auto backup existing file, not directory. If exportFile is provided, will export Json file and ignore [-j].",
    ),
    CommandOption::optional(
        "j",
        "jsonEnable",
        "[local mode] Json format enable, Default: true. If exportFile is provided, will export Json file and ignore [-j].",
    ),
    CommandOption::optional(
        "n",
        "nameserverAddr",
        "[rpc mode] nameserverAddr. If nameserverAddr and clusterName are provided, will ignore [-p, -e, -j, -b] args",
    ),
    CommandOption::optional(
        "c",
        "cluster",
        "[rpc mode] Cluster name. If nameserverAddr and clusterName are provided, will ignore [-p, -e, -j, -b] args",
    ),
    CommandOption::optional(
        "b",
        "brokerAddr",
        "[rpc mode] Broker address. If brokerAddr is provided, will ignore [-p, -e, -j] args",
    ),
];

const CHECK: &[CommandOption] = &[
    CommandOption::required("c", "cluster", "cluster name"),
    CommandOption::required("n", "nameserverAddr", "nameserverAddr"),
    CommandOption::optional("t", "topic", "topic name"),
    CommandOption::optional("cf", "checkFrom", "check from time"),
];

const EXPORT: &[CommandOption] = &[
    CommandOption::required("p", "path", "Absolute path for the metadata directory"),
    CommandOption::required("t", "configType", "Name of kv config, e.g. topics/subscriptionGroups"),
    CommandOption::optional("j", "jsonEnable", "Json format enable, Default: false"),
];

commands! {
    /// Has brokers write metadata as JSON files.
    RocksDbConfigToJson =
        "rocksDBConfigToJson",
        "Convert RocksDB kv config (topics/subscriptionGroups/consumerOffsets) to json. [rpc mode] Use [-n, -c, -b, -t] to send Request to broker ( version >= 5.3.2 ) or [local mode] use [-p, -t, -j, -e] to load RocksDB. If -e is provided, tools will export json file instead of std print",
        TO_JSON,
        to_json;
    /// Has brokers compare queues in files and in RocksDB.
    CheckRocksdbCqWriteProgress =
        "checkRocksdbCqWriteProgress", "check if rocksdb cq is same as file cq", CHECK, check;
    /// Would print the metadata in a folder of RocksDB.
    ExportMetadataInRocksDb =
        "exportMetadataInRocksDB",
        "export RocksDB kv config (topics/subscriptionGroups). Recommend to use [mqadmin rocksDBConfigToJson]",
        EXPORT,
        refuse;
}

/// What this tool says of folders.
const NO_ROCKS_DB: &str =
    "folders of RocksDB are not read by this tool: have the broker write them, with -n and -c, or -b";
/// What may be written.
const TABLES: [&str; 3] = ["topics", "subscriptionGroups", "consumerOffsets"];
/// How far back queues are compared when `-cf` says nothing.
const CHECKED: Duration = Duration::from_secs(30 * 86_400);

async fn to_json(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let tables = arguments.text("t").unwrap_or("topics;subscriptionGroups;consumerOffsets");
    let is_known = |name: &str| TABLES.iter().any(|table| table.eq_ignore_ascii_case(name.trim()));
    if !tables.split(';').filter(|name| !name.is_empty()).all(is_known) {
        session.fail();
        return Ok(writeln!(
            session.out,
            "Invalid configType: {tables} please input topics/subscriptionGroups/consumerOffsets "
        )?);
    }
    let addresses = if let Some(address) = arguments.text("b") {
        writeln!(session.out, "Use [rpc mode] call broker to export to json file ")?;
        vec![address.to_owned()]
    } else if let Some(cluster) = arguments.text("c") {
        writeln!(session.out, "Use [rpc mode] call all brokers in cluster to export to json file ")?;
        let Some(masters) = masters(session, cluster).await? else { return Ok(()) };
        masters.into_iter().map(|(_, address)| address).collect()
    } else if arguments.has("p") {
        session.not_built(NO_ROCKS_DB);
        return Ok(());
    } else {
        return session.refuse();
    };
    let header = ExportRocksDbConfigToJsonRequestHeader { config_type: tables.to_owned() };
    let told = session
        .ask_all(&addresses, async |admin, address| {
            admin.call::<ExportRocksdbConfigToJson>(address, &header, Bytes::new()).await.map(drop)
        })
        .await;
    // Upstream says so whatever came of it, and ends this without a line feed.
    if !told.is_empty() {
        write!(session.out, "broker export done.")?;
    }
    Ok(())
}

/// Names and masters of a cluster; `None` when nobody knows it, which is then said in upstream's words.
async fn masters(session: &mut Session<'_>, cluster: &str) -> anyhow::Result<Option<Vec<(String, String)>>> {
    let info = session.admin.cluster_info().await?;
    let Some(names) = info.cluster_addr_table.get(cluster) else {
        session.fail();
        write!(session.out, "clusterAddrTable is empty")?;
        return Ok(None);
    };
    let mut names = names.clone();
    print::string_order(&mut names);
    let masters = names.into_iter().filter_map(|name| {
        let address = info.broker_addr_table.get(&name).and_then(admin::master)?.to_owned();
        Some((name, address))
    });
    Ok(Some(masters.collect()))
}

/// What a broker answers: upstream `CheckRocksdbCqWriteResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Progress {
    check_result: Option<String>,
    check_status: i32,
}

/// The comparison failed (RocketMQ 5.5.0: `CheckStatus.CHECK_ERROR`).
const CHECK_ERROR: i32 = 3;

async fn check(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(masters) = masters(session, arguments.required("c")?).await? else { return Ok(()) };
    let since = now_ms() - i64::try_from(CHECKED.as_millis()).unwrap_or_default();
    let header = CheckRocksdbCqWriteProgressRequestHeader {
        topic: Some(arguments.text("t").unwrap_or_default().to_owned()),
        check_store_time: Some(arguments.number("cf")?.unwrap_or(since)),
    };
    let addresses: Vec<String> = masters.iter().map(|(_, address)| address.clone()).collect();
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            admin.call::<broker_config::CheckRocksdbCqWriteProgress>(address, &header, Bytes::new()).await
        })
        .await;
    for (address, answer) in answers {
        let name = masters.iter().find(|(_, known)| *known == address).map_or("null", |(name, _)| name.as_str());
        let progress: Progress = fastjson::from_slice(&answer.body)?;
        if progress.check_status == CHECK_ERROR {
            session.fail();
            let reason = progress.check_result.as_deref().unwrap_or("null");
            write!(session.out, "{name} check error, please check log... errInfo: {reason}")?;
        } else {
            writeln!(session.out, "{name} check doing, please wait and get the result from log... ")?;
        }
    }
    Ok(())
}

async fn refuse(_: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    session.not_built(NO_ROCKS_DB);
    Ok(())
}
