//! `exportConfigs`: the settings of a cluster's masters that matter most, and how large the cluster is.

use std::collections::BTreeMap;

use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerConfig;
use bytes::Bytes;
use serde::Serialize;

use super::user_tables::{self, DEFAULT_FOLDER};
use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("c", "clusterName", "choose a cluster to export"),
    CommandOption::optional("f", "filePath", "export configs.json path | default /tmp/rocketmq/export"),
];

commands! {
    /// Writes settings.
    ExportConfigs = "exportConfigs", "Export configs.", OPTIONS, export;
}

/// The settings that are written, where a broker has them.
const KEYS: [&str; 16] = [
    "brokerClusterName",
    "brokerId",
    "brokerName",
    "brokerRole",
    "fileReservedTime",
    "filterServerNums",
    "flushDiskType",
    "maxMessageSize",
    "messageDelayLevel",
    "msgTraceTopicName",
    "slaveReadEnable",
    "traceOn",
    "traceTopicEnable",
    "useTLS",
    "autoCreateTopicEnable",
    "autoCreateSubscriptionGroup",
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Configs {
    broker_configs: BTreeMap<String, BTreeMap<String, String>>,
    cluster_scale: Scale,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Scale {
    master_broker_size: usize,
    namesrv_size: usize,
    slave_broker_size: usize,
}

/// Upstream ends its line without a line feed.
async fn export(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let info = session.admin.cluster_info().await?;
    let Some(brokers) = targets::members(&info, arguments.required("c")?) else {
        return targets::unknown_cluster(session);
    };
    let masters: Vec<String> = brokers.iter().filter_map(|broker| admin::master(broker)).map(str::to_owned).collect();
    let addresses: usize = brokers.iter().map(|broker| broker.broker_addrs.len()).sum();
    let answers = session
        .ask_all(&masters, async |admin, address| {
            admin.call::<GetBrokerConfig>(address, &NoHeader {}, Bytes::new()).await
        })
        .await;
    let mut configs = Configs {
        broker_configs: BTreeMap::new(),
        cluster_scale: Scale {
            master_broker_size: masters.len(),
            namesrv_size: session.admin.name_servers().len(),
            slave_broker_size: addresses - masters.len(),
        },
    };
    for (address, answer) in answers {
        let settings = Properties::parse(&address, &answer.body)?;
        let name = settings.get("brokerName").unwrap_or(&address).to_owned();
        let shown = KEYS.iter().filter_map(|key| settings.get(key).map(|value| ((*key).to_owned(), value.to_owned())));
        configs.broker_configs.insert(name, shown.collect());
    }
    let path = format!("{}/configs.json", arguments.text("f").unwrap_or(DEFAULT_FOLDER));
    user_tables::save(&path, &configs)?;
    Ok(write!(session.out, "export {path} success")?)
}
