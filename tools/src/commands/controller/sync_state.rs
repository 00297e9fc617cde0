//! `getSyncStateSet`: which replicas of a broker name are in sync.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use boostermq_remoting::fastjson;
use boostermq_remoting::request::controller::ControllerGetSyncStateData;
use bytes::Bytes;
use serde::Deserialize;

use super::leader::leader;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::{print, targets};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("a", "controllerAddress", "the address of controller"),
    CommandOption::optional("c", "clusterName", "which cluster"),
    CommandOption::optional("b", "brokerName", "which broker to fetch"),
    CommandOption::optional("i", "interval", "the interval(second) of get info"),
];

commands! {
    /// Shows which replicas are in sync.
    GetSyncStateSet = "getSyncStateSet", "Fetch syncStateSet for target brokers.", OPTIONS, show;
}

/// Upstream `BrokerReplicasInfo`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Replicas {
    replicas_info_table: BTreeMap<String, ReplicaSet>,
}

/// The replicas of one broker name: upstream `ReplicasInfo`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReplicaSet {
    master_broker_id: Option<i64>,
    master_address: Option<String>,
    master_epoch: Option<i32>,
    sync_state_set_epoch: Option<i32>,
    in_sync_replicas: Vec<Replica>,
    not_in_sync_replicas: Vec<Replica>,
}

/// One replica: upstream `ReplicaIdentity`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Replica {
    broker_name: String,
    broker_id: i64,
    broker_address: String,
    alive: bool,
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let interval = arguments.number("i")?.map(Duration::from_secs);
    loop {
        let mut names: Vec<String> = match (arguments.text("b"), arguments.text("c")) {
            (Some(name), _) => vec![name.to_owned()],
            (None, Some(cluster)) => {
                let info = session.admin.cluster_info().await?;
                let Some(names) = info.cluster_addr_table.get(cluster) else {
                    return targets::unknown_cluster(session);
                };
                names.clone()
            }
            (None, None) => return session.refuse(),
        };
        print::string_order(&mut names);
        let leader = leader(&session.admin, arguments.required("a")?).await?;
        let body = Bytes::from(fastjson::to_vec(&names));
        let answer = session.admin.call_fields::<ControllerGetSyncStateData>(&leader, Vec::new(), body).await?;
        print(session.out, &crate::admin::read_body(&leader, &answer)?)?;
        let Some(interval) = interval else { return Ok(()) };
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
}

fn print(out: &mut dyn Write, replicas: &Replicas) -> io::Result<()> {
    let mut names: Vec<&String> = replicas.replicas_info_table.keys().collect();
    print::string_order(&mut names);
    for (name, set) in names.into_iter().filter_map(|name| replicas.replicas_info_table.get_key_value(name)) {
        let number = |number: Option<i64>| number.map_or("null".to_owned(), |number| number.to_string());
        writeln!(out, "\n#brokerName\t{name}\n#MasterBrokerId\t{}", number(set.master_broker_id))?;
        writeln!(out, "#MasterAddr\t{}", set.master_address.as_deref().unwrap_or("null"))?;
        writeln!(out, "#MasterEpoch\t{}", number(set.master_epoch.map(i64::from)))?;
        writeln!(out, "#SyncStateSetEpoch\t{}", number(set.sync_state_set_epoch.map(i64::from)))?;
        writeln!(out, "#SyncStateSetNums\t{}", set.in_sync_replicas.len())?;
        let all = [("InSyncReplica", &set.in_sync_replicas), ("NotInSyncReplica", &set.not_in_sync_replicas)];
        for (label, members) in all {
            for Replica { broker_name, broker_id, broker_address, alive } in members {
                writeln!(
                    out,
                    "\n{label}:\tReplicaIdentity{{brokerName='{broker_name}', brokerId={broker_id}, \
                     brokerAddress='{broker_address}', alive={alive}}}"
                )?;
            }
        }
    }
    Ok(())
}
