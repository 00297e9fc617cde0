//! `haStatus`: how replication does.

use std::io::{self, Write};
use std::time::Duration;

use boostermq_remoting::body::HaRuntimeInfo;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::ha::GetBrokerHaStatus;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("c", "clusterName", "which cluster"),
    CommandOption::optional("b", "brokerAddr", "which broker to fetch"),
    CommandOption::optional("i", "interval", "the interval(second) of get info"),
];

commands! {
    /// Shows how replication does.
    HaStatus = "haStatus", "Fetch ha runtime status data.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let interval = arguments.number("i")?.map(Duration::from_secs);
    loop {
        let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
        let answers = session
            .ask_all(&brokers, async |admin, address| {
                admin.call_body::<GetBrokerHaStatus, HaRuntimeInfo>(address, &NoHeader {}).await
            })
            .await;
        for (address, status) in answers {
            print(session.out, &address, &status)?;
        }
        let Some(interval) = interval else { return Ok(()) };
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
}

fn print(out: &mut dyn Write, address: &str, status: &HaRuntimeInfo) -> io::Result<()> {
    const KIB: f64 = 1024.0;
    if !status.master {
        let slave = &status.ha_client_runtime_info;
        writeln!(out, "\n#MasterAddr\t{}", slave.master_addr.as_deref().unwrap_or("null"))?;
        writeln!(out, "#CommitLogMaxOffset\t{}", slave.max_offset)?;
        writeln!(out, "#TransferSpeed(KB/s)\t{:.2}", slave.transferred_byte_in_second as f64 / KIB)?;
        writeln!(out, "#LastReadTime\t{}", print::local_time(slave.last_read_timestamp))?;
        writeln!(out, "#LastWriteTime\t{}", print::local_time(slave.last_write_timestamp))?;
        return writeln!(out, "#MasterFlushOffset\t{}", slave.master_flush_offset);
    }
    let slaves = &status.ha_connection_info;
    writeln!(out, "\n#MasterAddr\t{address}")?;
    writeln!(out, "#MasterCommitLogMaxOffset\t{}", status.master_commit_log_max_offset)?;
    writeln!(out, "#SlaveNum\t{}", slaves.len())?;
    writeln!(out, "#InSyncSlaveNum\t{}", status.in_sync_slave_nums)?;
    writeln!(
        out,
        "{:<32}  {:<16} {:>16} {:>16} {:>16} {:>16}",
        "#SlaveAddr", "#SlaveAckOffset", "#Diff", "#TransferSpeed(KB/s)", "#Status", "#TransferFromWhere"
    )?;
    for slave in slaves {
        writeln!(
            out,
            "{:<32}  {:<16} {:>16} {:>16.2} {:>16} {:>16}",
            slave.addr.as_deref().unwrap_or("null"),
            slave.slave_ack_offset,
            slave.diff,
            slave.transferred_byte_in_second as f64 / KIB,
            if slave.in_sync { "OK" } else { "Fall Behind" },
            slave.transfer_from_where,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{golden, printed};

    #[test]
    fn a_master_alone_is_printed_as_upstream_does() {
        let status =
            HaRuntimeInfo { master: true, master_commit_log_max_offset: 2_286_886_461, ..HaRuntimeInfo::default() };
        assert_eq!(printed(|out| print(out, "127.0.0.1:30911", &status)), golden("haStatus"));
    }
}
