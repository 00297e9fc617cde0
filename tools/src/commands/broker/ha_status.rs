//! `haStatus`: how replication does.

use std::time::Duration;

use boostermq_remoting::body::HaRuntimeInfo;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::ha::GetBrokerHaStatus;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table, Value};
use crate::print;
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("c", "clusterName", "which cluster"),
    CommandOption::optional("b", "brokerAddr", "which broker to fetch"),
    CommandOption::optional("i", "interval", "the interval(second) of get info"),
];

commands! {
    /// Shows how replication does.
    HaStatus = "haStatus", "Fetch ha runtime status data.", OPTIONS, show, has_tables;
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
        let mut document = Document::new();
        for (address, status) in answers {
            add(&mut document, &address, &status);
        }
        session.print(&document)?;
        let Some(interval) = interval else { return Ok(()) };
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
}

/// Bytes of a KiB.
const KIB: f64 = 1024.0;

static BROKERS: Style = Style {
    name: "brokers",
    head: "",
    row: "%s",
    columns: &[
        Column::text("#Lines"),
        Column::value("masterAddr"),
        Column::value("isMaster"),
        Column::value("maxOffset"),
        Column::value("slaves"),
        Column::value("inSyncSlaves"),
        Column::value("transferredBytesPerSecond"),
        Column::value("lastReadTimestamp"),
        Column::value("lastWriteTimestamp"),
        Column::value("masterFlushOffset"),
    ],
};

static SLAVES: Style = Style {
    name: "slaves",
    head: "%-32s  %-16s %16s %16s %16s %16s%n",
    row: "%-32s  %-16s %16s %16s %16s %16s%n",
    columns: &[
        Column::new("slaveAddr", "#SlaveAddr"),
        Column::new("slaveAckOffset", "#SlaveAckOffset"),
        Column::new("diff", "#Diff"),
        Column::new("transferKibPerSecond", "#TransferSpeed(KB/s)"),
        Column::new("status", "#Status"),
        Column::new("transferFromWhere", "#TransferFromWhere"),
        Column::value("masterAddr"),
    ],
};

fn add(document: &mut Document, address: &str, status: &HaRuntimeInfo) {
    let mut broker = Table::new(&BROKERS);
    if !status.master {
        let slave = &status.ha_client_runtime_info;
        let master = slave.master_addr.as_deref();
        let lines = format!(
            "\n#MasterAddr\t{}\n#CommitLogMaxOffset\t{}\n#TransferSpeed(KB/s)\t{:.2}\n#LastReadTime\t{}\n\
             #LastWriteTime\t{}\n#MasterFlushOffset\t{}",
            master.unwrap_or("null"),
            slave.max_offset,
            slave.transferred_byte_in_second as f64 / KIB,
            print::local_time(slave.last_read_timestamp),
            print::local_time(slave.last_write_timestamp),
            slave.master_flush_offset,
        );
        broker.row([
            Cell::shown(lines, ()),
            master.into(),
            false.into(),
            slave.max_offset.into(),
            Cell::from(Value::Null),
            Cell::from(Value::Null),
            slave.transferred_byte_in_second.into(),
            slave.last_read_timestamp.into(),
            slave.last_write_timestamp.into(),
            slave.master_flush_offset.into(),
        ]);
        document.table(broker);
        return;
    }
    let slaves = &status.ha_connection_info;
    let lines = format!(
        "\n#MasterAddr\t{address}\n#MasterCommitLogMaxOffset\t{}\n#SlaveNum\t{}\n#InSyncSlaveNum\t{}",
        status.master_commit_log_max_offset,
        slaves.len(),
        status.in_sync_slave_nums,
    );
    broker.row([
        Cell::shown(lines, ()),
        address.into(),
        true.into(),
        status.master_commit_log_max_offset.into(),
        slaves.len().into(),
        status.in_sync_slave_nums.into(),
        Cell::from(Value::Null),
        Cell::from(Value::Null),
        Cell::from(Value::Null),
        Cell::from(Value::Null),
    ]);
    let mut table = Table::new(&SLAVES);
    for slave in slaves {
        table.row([
            Cell::shown(slave.addr.as_deref().unwrap_or("null"), slave.addr.as_deref()),
            slave.slave_ack_offset.into(),
            slave.diff.into(),
            Cell::rounded(slave.transferred_byte_in_second as f64 / KIB, 2),
            if slave.in_sync { "OK" } else { "Fall Behind" }.into(),
            slave.transfer_from_where.into(),
            address.into(),
        ]);
    }
    document.table(broker).table(table);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn a_master_alone_is_printed_as_upstream_does() {
        let status =
            HaRuntimeInfo { master: true, master_commit_log_max_offset: 2_286_886_461, ..HaRuntimeInfo::default() };
        let mut document = Document::new();
        add(&mut document, "127.0.0.1:30911", &status);
        assert_eq!(printed(|out| document.write(Format::Text, out)), golden("haStatus"));
    }
}
