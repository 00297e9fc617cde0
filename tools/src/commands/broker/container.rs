//! `addBroker`, `removeBroker`: brokers that share the process of a container.

use anyhow::anyhow;
use boostermq_remoting::names::{BrokerId, BrokerName, ClusterName};
use boostermq_remoting::request::cluster::{self, AddBrokerRequestHeader, RemoveBrokerRequestHeader};
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

const ADD: &[CommandOption] = &[
    CommandOption::required("c", "brokerContainerAddr", "Broker container address"),
    CommandOption::required("b", "brokerConfigPath", "Broker config path"),
];

const REMOVE: &[CommandOption] = &[
    CommandOption::required("c", "brokerContainerAddr", "Broker container address"),
    CommandOption::required(
        "b",
        "brokerIdentity",
        "Information to identify a broker: clusterName:brokerName:brokerId(dLedgerId for dLedger)",
    ),
];

commands! {
    /// Starts a broker in a container.
    AddBroker = "addBroker", "Add a broker to specified container.", ADD, add;
    /// Stops a broker in a container.
    RemoveBroker = "removeBroker", "Remove a broker from specified container.", REMOVE, remove;
}

async fn add(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let address = arguments.required("c")?;
    let header = AddBrokerRequestHeader { config_path: Some(arguments.required("b")?.to_owned()) };
    session.admin.call::<cluster::AddBroker>(address, &header, Bytes::new()).await?;
    Ok(writeln!(session.out, "add broker to {address} success")?)
}

async fn remove(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (address, identity) = (arguments.required("c")?, arguments.required("b")?);
    let wanted = || anyhow!("-b must be clusterName:brokerName:brokerId, not {identity}");
    let parts: Vec<&str> = identity.split(':').collect();
    let [cluster, name, id] = parts.try_into().map_err(|_| wanted())?;
    let id: i64 = id.parse().map_err(|_| wanted())?;
    if id < 0 {
        session.fail();
        return Ok(writeln!(session.out, "brokerId can't be negative")?);
    }
    let header = RemoveBrokerRequestHeader {
        broker_name: BrokerName::from(name),
        broker_cluster_name: ClusterName::from(cluster),
        broker_id: BrokerId(id),
    };
    session.admin.call::<cluster::RemoveBroker>(address, &header, Bytes::new()).await?;
    Ok(writeln!(session.out, "remove broker from {address} success")?)
}
