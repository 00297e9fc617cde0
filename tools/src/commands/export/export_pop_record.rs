//! `exportPopRecord`: brings records of pops back from RocksDB.
//!
//! Upstream takes `-d false` for a dry run and anything else, `-d true` too, for the real thing; here it is the other way
//! round.

use boostermq_remoting::names::BrokerId;
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerConfig;
use boostermq_remoting::request::pop::PopRollback;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets;

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("c", "clusterName", "choose one cluster to export"),
    CommandOption::optional("b", "brokerAddr", "choose one broker to export"),
    CommandOption::optional("d", "dryRun", "no actual changes will be made"),
];

commands! {
    /// Brings records of pops back.
    ExportPopRecord = "exportPopRecord", "Export pop consumer record", OPTIONS, export;
}

async fn export(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let is_dry = arguments.truth("d");
    let brokers: Vec<(String, String)> = if let Some(address) = arguments.text("b") {
        let answer = session.admin.call::<GetBrokerConfig>(address, &NoHeader {}, Bytes::new()).await?;
        let settings = Properties::parse(address, &answer.body)?;
        vec![(settings.get("brokerName").unwrap_or("null").to_owned(), address.to_owned())]
    } else if let Some(cluster) = arguments.text("c") {
        let info = session.admin.cluster_info().await?;
        let Some(members) = targets::members(&info, cluster) else { return targets::unknown_cluster(session) };
        let of_broker = |broker: &boostermq_remoting::body::BrokerData| {
            let addresses: Vec<(BrokerId, String)> = broker.broker_addrs.clone().into_iter().collect();
            let name = broker.broker_name.clone();
            addresses.into_iter().map(move |(_, address)| (name.clone(), address)).collect::<Vec<_>>()
        };
        members.into_iter().flat_map(of_broker).collect()
    } else {
        return session.refuse();
    };
    for (name, address) in brokers {
        let told = if is_dry {
            Ok(())
        } else {
            session.admin.call::<PopRollback>(&address, &NoHeader {}, Bytes::new()).await.map(drop)
        };
        match told {
            Ok(()) => writeln!(
                session.out,
                "Export broker records, brokerName={name}, brokerAddr={address}, dryRun={is_dry}"
            )?,
            Err(error) => {
                writeln!(
                    session.out,
                    "Export broker records error, brokerName={name}, brokerAddr={address}, dryRun={is_dry}"
                )?;
                session.complain_of(&address, &error);
            }
        }
    }
    Ok(())
}
