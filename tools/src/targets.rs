//! Which servers a command is about: `-b` names one broker, `-c` a cluster. Upstream: `CommandUtil`.

use boostermq_remoting::body::{BrokerData, ClusterInfo};
use boostermq_remoting::header::EncodeHeader;
use boostermq_remoting::request::RequestKind;
use bytes::Bytes;

use crate::admin::{self, UNKNOWN_CLUSTER};
use crate::command::Session;
use crate::options::Arguments;
use crate::print;

/// Which brokers of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// The masters.
    Masters,
    /// Masters and slaves.
    All,
}

/// The addresses that `-b` or `-c` name. `None` when neither is given, or nobody knows the cluster: then that is
/// already said, and the command ends with a status of 1.
///
/// # Errors
/// When no name server answers.
pub async fn brokers(
    arguments: &Arguments,
    session: &mut Session<'_>,
    members: Members,
) -> anyhow::Result<Option<Vec<String>>> {
    if let Some(address) = arguments.text("b") {
        return Ok(Some(vec![address.to_owned()]));
    }
    let Some(cluster) = arguments.text("c") else {
        session.refuse()?;
        return Ok(None);
    };
    of_cluster(session, cluster, members).await
}

/// The addresses of a cluster, in upstream's order. `None` when nobody knows the cluster, which is then said.
///
/// # Errors
/// When no name server answers.
pub async fn of_cluster(
    session: &mut Session<'_>,
    cluster: &str,
    members: Members,
) -> anyhow::Result<Option<Vec<String>>> {
    let info = session.admin.cluster_info().await?;
    match addresses(&info, cluster, members) {
        Some(addresses) => Ok(Some(addresses)),
        None => unknown_cluster(session).map(|()| None),
    }
}

/// Says that nobody knows the cluster; the command ends with a status of 1.
///
/// # Errors
/// When the output cannot be written.
pub fn unknown_cluster(session: &mut Session<'_>) -> anyhow::Result<()> {
    session.fail();
    Ok(writeln!(session.out, "{UNKNOWN_CLUSTER}")?)
}

/// The brokers of a cluster, in upstream's order; `None` when nobody knows the cluster.
#[must_use]
pub fn members<'a>(info: &'a ClusterInfo, cluster: &str) -> Option<Vec<&'a BrokerData>> {
    let mut names: Vec<&String> = info.cluster_addr_table.get(cluster)?.iter().collect();
    print::string_order(&mut names);
    Some(names.into_iter().filter_map(|name| info.broker_addr_table.get(name)).collect())
}

fn addresses(info: &ClusterInfo, cluster: &str, wanted: Members) -> Option<Vec<String>> {
    let brokers = members(info, cluster)?;
    let mut addresses: Vec<String> = match wanted {
        Members::Masters => brokers.into_iter().filter_map(admin::master).map(str::to_owned).collect(),
        Members::All => brokers.into_iter().flat_map(|broker| broker.broker_addrs.values().cloned()).collect(),
    };
    print::string_order(&mut addresses);
    addresses.dedup();
    Some(addresses)
}

/// A broker of a cluster, and the heading under which upstream prints what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headed {
    /// Address.
    pub address: String,
    /// `============Master: 10.0.0.1:10911============`
    pub heading: String,
}

/// What `-b` or `-c` name, masters before their slaves, each with its heading. `None` as [`brokers`].
///
/// # Errors
/// When no name server answers.
pub async fn headed(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<Option<Vec<Headed>>> {
    if let Some(address) = arguments.text("b") {
        let heading = format!("============{address}============");
        return Ok(Some(vec![Headed { address: address.to_owned(), heading }]));
    }
    let Some(cluster) = arguments.text("c") else {
        session.refuse()?;
        return Ok(None);
    };
    let info = session.admin.cluster_info().await?;
    let Some(mut brokers) = members(&info, cluster) else {
        unknown_cluster(session)?;
        return Ok(None);
    };
    let mut masters: Vec<&str> = brokers.iter().map(|broker| admin::master(broker).unwrap_or(NO_MASTER)).collect();
    print::string_order(&mut masters);
    brokers
        .sort_by_key(|broker| masters.iter().position(|master| *master == admin::master(broker).unwrap_or(NO_MASTER)));
    let mut headed = Vec::new();
    for broker in brokers {
        let master = admin::master(broker);
        let name = master.unwrap_or(NO_MASTER);
        headed.extend(master.map(|address| Headed {
            address: address.to_owned(),
            heading: format!("============Master: {name}============"),
        }));
        let slaves = broker.broker_addrs.values().filter(|address| Some(address.as_str()) != master);
        headed.extend(slaves.map(|address| Headed {
            address: address.clone(),
            heading: format!("============My Master: {name}=====Slave: {address}============"),
        }));
    }
    Ok(Some(headed))
}

/// Stands for the master of a broker that has none.
const NO_MASTER: &str = "NO_MASTER";

/// Has all these brokers do something side by side, and prints a line for each that did it.
///
/// # Errors
/// When the output cannot be written.
pub async fn tell<R>(
    session: &mut Session<'_>,
    addresses: &[String],
    header: &R::Header,
    body: Bytes,
    done: impl Fn(&str) -> String,
) -> anyhow::Result<()>
where
    R: RequestKind<Header: EncodeHeader>,
{
    let told = session
        .ask_all(addresses, async |admin, address| Ok(admin.call::<R>(address, header, body.clone()).await?.remark))
        .await;
    for (address, remark) in told {
        writeln!(session.out, "{}", done(&address))?;
        session.note(&address, remark.as_deref());
    }
    Ok(())
}
