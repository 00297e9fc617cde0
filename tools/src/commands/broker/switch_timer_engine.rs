//! `switchTimerEngine`: changes between the timer on files and the one on RocksDB.

use boostermq_remoting::request::timer;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "update which broker"),
    CommandOption::one_of("c", "clusterName", "update which cluster"),
    CommandOption::required("e", "engineType", "R/F, R for rocksdb timeline engine, F for file time wheel engine"),
];

commands! {
    /// Changes the timer.
    SwitchTimerEngine = "switchTimerEngine", "switch the engine of timer message in broker", OPTIONS, switch;
}

async fn switch(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let engine = arguments.required("e")?;
    let (letter, name) = match engine {
        "R" => ("R", "ROCKSDB_TIMELINE"),
        "F" => ("F", "FILE_TIME_WHEEL"),
        _ => {
            session.fail();
            return Ok(writeln!(session.out, "switchTimerEngine engineType must be R or F")?);
        }
    };
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let told = session
        .ask_all(&brokers, async |admin, address| {
            let fields = vec![("E_T".into(), letter.to_owned())];
            admin.call_fields::<timer::SwitchTimerEngine>(address, fields, Bytes::new()).await.map(drop)
        })
        .await;
    for (address, ()) in told {
        writeln!(session.out, "switchTimerEngine to {name} success, {address}")?;
    }
    Ok(())
}
