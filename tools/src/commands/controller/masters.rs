//! `electMaster`, `cleanBrokerMetadata`: makes a replica the master, and forgets replicas.

use anyhow::bail;
use boostermq_remoting::body::BrokerMemberGroup;
use boostermq_remoting::fastjson;
use boostermq_remoting::request::controller::{CleanBrokerData, ControllerElectMaster};
use bytes::Bytes;
use serde::Deserialize;

use super::leader::leader;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::producer::now_ms;

const ELECT: &[CommandOption] = &[
    CommandOption::required("a", "controllerAddress", "The address of controller"),
    CommandOption::required("b", "brokerId", "The id of the broker which requires to become master"),
    CommandOption::required("bn", "brokerName", "The broker name of the replicas that require to be manipulated"),
    CommandOption::required("c", "clusterName", "the clusterName of broker"),
];

const CLEAN: &[CommandOption] = &[
    CommandOption::required("a", "controllerAddress", "The address of controller"),
    CommandOption::optional(
        "b",
        "brokerControllerIdsToClean",
        "The brokerController id list which requires to clean metadata. eg: 1;2;3, means that clean broker-1, broker-2 and broker-3",
    ),
    CommandOption::required("bn", "brokerName", "The broker name of the replicas that require to be manipulated"),
    CommandOption::optional("c", "clusterName", "The clusterName of broker"),
    CommandOption::flag("l", "cleanLivingBroker", "Whether clean up living brokers,default value is false"),
];

commands! {
    /// Makes a replica the master.
    ElectMaster = "electMaster", "Re-elect the specified broker as master.", ELECT, elect;
    /// Has the controller forget replicas.
    CleanBrokerMetadata = "cleanBrokerMetadata", "Clean metadata of broker on controller.", CLEAN, clean;
}

/// What a controller answers: upstream `ElectMasterResponseBody`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Elected {
    broker_member_group: Option<BrokerMemberGroup>,
}

async fn elect(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (cluster, name) = (arguments.required("c")?, arguments.required("bn")?);
    let id: i64 = arguments.number("b")?.unwrap_or_default();
    let leader = leader(&session.admin, arguments.required("a")?).await?;
    let fields = vec![
        ("clusterName".into(), cluster.to_owned()),
        ("brokerName".into(), name.to_owned()),
        ("brokerId".into(), id.to_string()),
        ("designateElect".into(), "true".to_owned()),
        ("invokeTime".into(), now_ms().to_string()),
    ];
    let answer = session.admin.call_fields::<ControllerElectMaster>(&leader, fields, Bytes::new()).await?;
    let field = |name: &str| answer.field(name).unwrap_or("null");
    write!(session.out, "\n#ClusterName\t{cluster}\n#BrokerName\t{name}")?;
    write!(session.out, "\n#BrokerMasterAddr\t{}", field("masterAddress"))?;
    write!(session.out, "\n#MasterEpoch\t{}", field("masterEpoch"))?;
    writeln!(session.out, "\n#SyncStateSetEpoch\t{}", field("syncStateSetEpoch"))?;
    let body: Elected = if answer.body.is_empty() { Elected::default() } else { fastjson::from_slice(&answer.body)? };
    for (id, address) in body.broker_member_group.iter().flat_map(|group| &group.broker_addrs) {
        writeln!(session.out, "\t#Broker\t{id}\t{address}")?;
    }
    Ok(())
}

async fn clean(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = arguments.required("bn")?;
    let (cluster, ids) = (arguments.text("c").unwrap_or_default(), arguments.text("b"));
    let is_living = arguments.has("l");
    if ids.is_some_and(|ids| ids.split(';').any(|id| id.trim().parse::<i64>().is_err())) {
        bail!("please set the option <brokerControllerIdsToClean> according to the format");
    }
    if !is_living && cluster.is_empty() {
        bail!("cleanLivingBroker option is false, clusterName option can not be empty.");
    }
    let leader = leader(&session.admin, arguments.required("a")?).await?;
    let mut fields = vec![
        ("brokerName".into(), name.to_owned()),
        ("isCleanLivingBroker".into(), is_living.to_string()),
        ("invokeTime".into(), now_ms().to_string()),
    ];
    if !cluster.is_empty() {
        fields.push(("clusterName".into(), cluster.to_owned()));
    }
    if let Some(ids) = ids {
        fields.push(("brokerControllerIdsToClean".into(), ids.to_owned()));
    }
    session.admin.call_fields::<CleanBrokerData>(&leader, fields, Bytes::new()).await?;
    Ok(writeln!(session.out, "clear broker {name} metadata from controller success! ")?)
}
