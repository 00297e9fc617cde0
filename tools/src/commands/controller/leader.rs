//! `getControllerMetaData`: which controller leads.

use anyhow::anyhow;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::request::controller::ControllerGetMetadataInfo;
use bytes::Bytes;

use crate::admin::Admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

const OPTIONS: &[CommandOption] = &[CommandOption::required("a", "controllerAddress", "the address of controller")];

commands! {
    /// Shows which controller leads.
    GetControllerMetaData = "getControllerMetaData", "Get controller cluster's metadata.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let answer = ask(&session.admin, arguments.required("a")?).await?;
    let field = |name: &str| answer.field(name).unwrap_or("null");
    write!(session.out, "\n#ControllerGroup\t{}", field("group"))?;
    write!(session.out, "\n#ControllerLeaderId\t{}", field("controllerLeaderId"))?;
    write!(session.out, "\n#ControllerLeaderAddress\t{}", field("controllerLeaderAddress"))?;
    for peer in answer.field("peers").unwrap_or_default().split(';').filter(|peer| !peer.is_empty()) {
        write!(session.out, "\n#Peer:\t{peer}")?;
    }
    Ok(writeln!(session.out)?)
}

async fn ask(admin: &Admin, addresses: &str) -> anyhow::Result<RemotingCommand> {
    let first = addresses.split(';').map(str::trim).find(|address| !address.is_empty());
    let first = first.ok_or_else(|| anyhow!("-a must be the address of a controller, such as 192.168.0.1:9878"))?;
    Ok(admin.call_fields::<ControllerGetMetadataInfo>(first, Vec::new(), Bytes::new()).await?)
}

/// The address of the leader: only it changes anything.
pub(super) async fn leader(admin: &Admin, addresses: &str) -> anyhow::Result<String> {
    let answer = ask(admin, addresses).await?;
    let address = answer.field("controllerLeaderAddress").filter(|address| !address.is_empty());
    Ok(address.ok_or_else(|| anyhow!("{addresses}: no controller leads; wait for an election"))?.to_owned())
}
