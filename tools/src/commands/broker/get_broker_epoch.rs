//! `getBrokerEpoch`: where in the log each term of a master begins.

use std::io::{self, Write};
use std::time::Duration;

use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::ha::GetBrokerEpochCache;
use serde::Deserialize;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "which cluster"),
    CommandOption::one_of("b", "brokerName", "which broker to fetch"),
    CommandOption::optional("i", "interval", "the interval(second) of get info"),
];

commands! {
    /// Shows the terms of masters.
    GetBrokerEpoch = "getBrokerEpoch", "Fetch broker epoch entries.", OPTIONS, show;
}

/// The terms as a broker tells them: upstream `EpochEntryCache`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terms {
    broker_id: i64,
    broker_name: String,
    cluster_name: String,
    epoch_list: Vec<Term>,
    max_offset: i64,
}

/// One term: upstream `EpochEntry`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Term {
    epoch: i32,
    start_offset: i64,
    end_offset: i64,
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let interval = arguments.number("i")?.map(Duration::from_secs);
    loop {
        let brokers = match arguments.text("b") {
            Some(name) => {
                let info = session.admin.cluster_info().await?;
                let broker = info.broker_addr_table.get(name);
                let mut all: Vec<String> =
                    broker.map(|broker| broker.broker_addrs.values().cloned().collect()).unwrap_or_default();
                anyhow::ensure!(!all.is_empty(), "no broker of the name {name} is registered: see clusterList");
                print::string_order(&mut all);
                all
            }
            None => match targets::brokers(arguments, session, Members::All).await? {
                Some(brokers) => brokers,
                None => return Ok(()),
            },
        };
        let answers = session
            .ask_all(&brokers, async |admin, address| {
                admin.call_body::<GetBrokerEpochCache, Terms>(address, &NoHeader {}).await
            })
            .await;
        for (address, terms) in answers {
            print(session.out, &address, &terms)?;
        }
        let Some(interval) = interval else { return Ok(()) };
        session.out.flush()?;
        tokio::time::sleep(interval).await;
    }
}

fn print(out: &mut dyn Write, address: &str, terms: &Terms) -> io::Result<()> {
    let Terms { broker_id, broker_name, cluster_name, epoch_list, max_offset } = terms;
    write!(
        out,
        "\n#clusterName\t{cluster_name}\n#brokerName\t{broker_name}\n#brokerAddr\t{address}\n#brokerId\t{broker_id}"
    )?;
    for (at, term) in epoch_list.iter().enumerate() {
        // The last one still goes on.
        let end = if at + 1 == epoch_list.len() { *max_offset } else { term.end_offset };
        let Term { epoch, start_offset, .. } = term;
        write!(out, "\n#Epoch: EpochEntry{{epoch={epoch}, startOffset={start_offset}, endOffset={end}}}")?;
    }
    writeln!(out)
}
