//! `wipeWritePerm`, `addWritePerm`: takes or gives the right to write to all topics of a broker, in the routes of every
//! name server. The broker itself is not told, and its next registration may overwrite it.

use boostermq_remoting::names::BrokerName;
use boostermq_remoting::request::cluster::{
    AddWritePermOfBroker, AddWritePermOfBrokerRequestHeader, WipeWritePermOfBroker, WipeWritePermOfBrokerRequestHeader,
};

use crate::admin::{Admin, AdminError};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

const WIPE: &[CommandOption] = &[CommandOption::required("b", "brokerName", "broker name")];

const ADD: &[CommandOption] = &[CommandOption::required("b", "brokerName", "broker name")];

commands! {
    /// Takes the right to write.
    WipeWritePerm =
        "wipeWritePerm", "Wipe write perm of broker in all name server you defined in the -n param.", WIPE, wipe;
    /// Gives the right to write.
    AddWritePerm =
        "addWritePerm", "Add write perm of broker in all name server you defined in the -n param.", ADD, add;
}

async fn wipe(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = arguments.required("b")?;
    let header = WipeWritePermOfBrokerRequestHeader { broker_name: BrokerName::from(name) };
    let ask = async |admin: &Admin, address: &str| {
        Ok(admin.call_header::<WipeWritePermOfBroker>(address, &header).await?.wipe_topic_count)
    };
    change(session, "wipe", name, ask).await
}

async fn add(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = arguments.required("b")?;
    let header = AddWritePermOfBrokerRequestHeader { broker_name: BrokerName::from(name) };
    let ask = async |admin: &Admin, address: &str| {
        Ok(admin.call_header::<AddWritePermOfBroker>(address, &header).await?.add_topic_count)
    };
    change(session, "add", name, ask).await
}

async fn change(
    session: &mut Session<'_>,
    verb: &str,
    broker: &str,
    ask: impl AsyncFn(&Admin, &str) -> Result<i32, AdminError>,
) -> anyhow::Result<()> {
    let addresses = session.admin.name_servers().to_vec();
    let answers = session.ask_all(&addresses, ask).await;
    for address in &addresses {
        write!(session.out, "{verb} write perm of broker[{broker}] in name server[{address}] ")?;
        match answers.iter().find(|(answered, _)| answered == address) {
            Some((_, count)) => writeln!(session.out, "OK, {count}")?,
            None => writeln!(session.out, "Failed")?,
        }
    }
    Ok(())
}
