//! `resetMasterFlushOffset`: tells a slave how far its master has flushed.

use boostermq_remoting::request::ha::{self, ResetMasterFlushOffsetHeader};
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "which broker to reset"),
    CommandOption::optional("o", "offset", "the offset to reset at"),
];

commands! {
    /// Sets a slave's idea of its master.
    ResetMasterFlushOffset =
        "resetMasterFlushOffset", "Reset master flush offset in slave.", OPTIONS, reset;
}

async fn reset(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (Some(address), Some(offset)) = (arguments.text("b"), arguments.number("o")?) else {
        return session.refuse();
    };
    let header = ResetMasterFlushOffsetHeader { master_flush_offset: offset };
    session.admin.call::<ha::ResetMasterFlushOffset>(address, &header, Bytes::new()).await?;
    Ok(writeln!(session.out, "reset master flush offset to {offset} success")?)
}
