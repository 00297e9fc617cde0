//! `getColdDataFlowCtrInfo`, `updateColdDataFlowCtrGroupConfig`, `removeColdDataFlowCtrGroupConfig`,
//! `setCommitLogReadAheadMode`: how fast old messages may be read, and how the log is read.

use boostermq_remoting::fastjson;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::cold_data::{
    self, RemoveColdDataFlowCtrConfig, SetCommitLogReadModeRequestHeader, SetCommitlogReadMode,
    UpdateColdDataFlowCtrConfig,
};
use bytes::Bytes;
use serde_json::Value;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};
use crate::{print, settings};

const GET: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "get from which broker"),
    CommandOption::optional("c", "clusterName", "get from which cluster"),
];

const UPDATE: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "update which broker"),
    CommandOption::optional("c", "clusterName", "update which cluster"),
    CommandOption::required("g", "consumerGroup", "specific consumerGroup"),
    CommandOption::required("v", "threshold", "cold read threshold value"),
];

const REMOVE: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "update which broker"),
    CommandOption::optional("c", "clusterName", "update which cluster"),
    CommandOption::required("g", "consumerGroup", "the consumer group will remove from the config"),
];

const READ_AHEAD: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "set which broker"),
    CommandOption::optional("c", "clusterName", "set which cluster"),
    CommandOption::required(
        "m",
        "commitLogReadAheadMode",
        "set the CommitLog read ahead mode; 0 is default, 1 random read",
    ),
];

commands! {
    /// Shows limits and use.
    GetColdDataFlowCtrInfo = "getColdDataFlowCtrInfo", "Get cold data flow ctr info.", GET, show;
    /// Sets the limit of a group.
    UpdateColdDataFlowCtrGroupConfig =
        "updateColdDataFlowCtrGroupConfig", "Add or update cold data flow ctr group config.", UPDATE, update;
    /// Removes the limit of a group.
    RemoveColdDataFlowCtrGroupConfig =
        "removeColdDataFlowCtrGroupConfig", "Remove consumer from cold ctr config.", REMOVE, remove;
    /// Sets whether the log is read ahead.
    SetCommitLogReadAheadMode =
        "setCommitLogReadAheadMode", "Set read ahead mode for all commitlog files.", READ_AHEAD, set_read_ahead;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(brokers) = targets::headed(arguments, session).await? else { return Ok(()) };
    let addresses: Vec<String> = brokers.iter().map(|broker| broker.address.clone()).collect();
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            admin.call_body::<cold_data::GetColdDataFlowCtrInfo, Value>(address, &NoHeader {}).await
        })
        .await;
    for (address, table) in answers {
        let heading = brokers.iter().find(|broker| broker.address == address).map(|broker| broker.heading.as_str());
        writeln!(session.out, " {}", heading.unwrap_or_default())?;
        writeln!(session.out, "{}", table_text(table))?;
    }
    Ok(())
}

/// The order in which upstream's brokers write the members.
const MEMBERS: [&str; 5] =
    ["runtimeTable", "configTable", "cgColdReadThreshold", "globalColdReadThreshold", "globalAcc"];

/// As upstream prints it: times as dates, a member on each line.
fn table_text(mut table: Value) -> String {
    for group in
        table.get_mut("runtimeTable").and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut())
    {
        let Some(group) = group.as_object_mut() else { continue };
        for (name, shown) in
            [("lastColdReadTimeMills", "lastColdReadTimeFormat"), ("createTimeMills", "createTimeFormat")]
        {
            if let Some(time) = group.remove(name).and_then(|time| time.as_i64()) {
                group.insert(shown.to_owned(), Value::from(print::local_time(time)));
            }
        }
    }
    let Value::Object(mut members) = table else {
        return String::from_utf8_lossy(&fastjson::to_pretty_vec(&table)).into_owned();
    };
    let mut ordered: Vec<(String, Value)> = MEMBERS.iter().filter_map(|name| members.remove_entry(*name)).collect();
    ordered.extend(members);
    let lines: Vec<String> = ordered
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(&fastjson::to_pretty_vec(value)).replace('\n', "\n\t");
            format!("\t\"{name}\":{text}")
        })
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let body = settings::body(arguments.required("g")?, arguments.required("v")?)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let done = |address: &str| format!("updateColdDataFlowCtrGroupConfig success, {address}");
    targets::tell::<UpdateColdDataFlowCtrConfig>(session, &brokers, &NoHeader {}, body, done).await
}

async fn remove(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let body = Bytes::from(arguments.required("g")?.to_owned());
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let done = |address: &str| format!("remove broker cold read threshold success, {address}");
    targets::tell::<RemoveColdDataFlowCtrConfig>(session, &brokers, &NoHeader {}, body, done).await
}

async fn set_read_ahead(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let mode = match arguments.required("m")? {
        "0" => 0,
        "1" => 1,
        _ => {
            session.fail();
            return Ok(writeln!(session.out, "set the read mode error; 0 is default, 1 random read")?);
        }
    };
    let Some(brokers) = targets::headed(arguments, session).await? else { return Ok(()) };
    let addresses: Vec<String> = brokers.iter().map(|broker| broker.address.clone()).collect();
    let header = SetCommitLogReadModeRequestHeader { read_ahead_mode: Some(mode) };
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            admin.call::<SetCommitlogReadMode>(address, &header, Bytes::new()).await
        })
        .await;
    for (address, answer) in answers {
        let heading = brokers.iter().find(|broker| broker.address == address).map(|broker| broker.heading.as_str());
        writeln!(session.out, " {}", heading.unwrap_or_default())?;
        let remark = answer.remark.as_deref().unwrap_or("null");
        writeln!(session.out, "commitLog set readAhead mode rstStr{remark}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::golden;

    #[test]
    fn prints_as_upstream() {
        let text = golden("getColdDataFlowCtrInfo");
        let json = text.split_once('\n').unwrap().1;
        assert_eq!(table_text(fastjson::from_slice(json.as_bytes()).unwrap()), json.trim_end());
    }

    #[test]
    fn times_are_shown() {
        let table = br#"{"runtimeTable":{"g":{"coldAcc":5,"createTimeMills":0,"lastColdReadTimeMills":0}}}"#;
        let text = table_text(fastjson::from_slice(table).unwrap());
        assert!(text.contains("\"createTimeFormat\":\"19") && !text.contains("Mills"), "{text}");
    }
}
