//! `getLiteGroupInfo`: how far a group is with its light topics.

use boostermq_remoting::body::OffsetWrapper;
use boostermq_remoting::request::lite;

use super::bodies::{Lag, OfGroup};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::producer::now_ms;

/// Light topics that are wanted of each broker when `-k` says nothing.
const DEFAULT_MOST: i32 = 20;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("p", "parentTopic", "Parent topic name"),
    CommandOption::required("g", "group", "Consumer group"),
    CommandOption::optional("l", "liteTopic", "query lite topic detail"),
    CommandOption::optional("k", "topK", "topK value of each broker"),
];

commands! {
    /// Shows how far a group is.
    GetLiteGroupInfo = "getLiteGroupInfo", "Get lite group info.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, group) = (arguments.required("p")?, arguments.required("g")?);
    let light = arguments.text("l").filter(|name| !name.is_empty());
    let most: i32 = arguments.number("k")?.unwrap_or(DEFAULT_MOST);
    let mut fields = vec![("group".into(), group.to_owned()), ("topK".into(), most.to_string())];
    fields.extend(light.map(|name| ("liteTopic".into(), name.to_owned())));
    let answers = super::ask_brokers::<lite::GetLiteGroupInfo, OfGroup>(session, parent, &fields).await?;
    writeln!(session.out, "Lite Group Info: [{group}] [{parent}]")?;
    if light.is_some() {
        writeln!(
            session.out,
            "{:<50} {:<16} {:<16} {:<16} {:<30}",
            "#Broker Name", "#BrokerOffset", "#ConsumeOffset", "#LagCount", "#LastUpdate"
        )?;
    }
    let (mut total, mut earliest) = (0, now_ms());
    let (mut by_count, mut by_time) = (Vec::new(), Vec::new());
    for (broker, of_group) in answers {
        total += of_group.total_lag_count.max(0);
        if of_group.earliest_unconsumed_timestamp > 0 {
            earliest = earliest.min(of_group.earliest_unconsumed_timestamp);
        }
        if light.is_some() {
            write_offsets(session, &broker, of_group.lite_topic_offset_wrapper.as_ref())?;
        }
        by_count.extend(of_group.lag_count_top_k);
        by_time.extend(of_group.lag_timestamp_top_k);
    }
    writeln!(session.out, "Total Lag Count: {total}")?;
    let age_s = (now_ms() - earliest) / 1000;
    writeln!(session.out, "Min Unconsumed Timestamp: {earliest} ({age_s} s ago)\n")?;
    if light.is_none() {
        by_count.sort_by_key(|lag| std::cmp::Reverse(lag.lag_count));
        write_lags(session, "------TopK by lag count-----", &by_count)?;
        by_time.sort_by_key(|lag| lag.earliest_unconsumed_timestamp);
        write_lags(session, "\n------TopK by lag time------", &by_time)?;
    }
    Ok(())
}

fn write_offsets(session: &mut Session<'_>, broker: &str, offsets: Option<&OffsetWrapper>) -> anyhow::Result<()> {
    let cells = match offsets {
        Some(offsets) => {
            let time = offsets.last_timestamp;
            [
                offsets.broker_offset.to_string(),
                offsets.consumer_offset.to_string(),
                (offsets.broker_offset - offsets.consumer_offset).to_string(),
                if time > 0 { print::local_time(time) } else { "-".to_owned() },
            ]
        }
        None => ["-"; 4].map(str::to_owned),
    };
    let [end, at, lag, time] = cells;
    Ok(writeln!(session.out, "{:<50} {end:<16} {at:<16} {lag:<16} {time:<30}", print::front(broker, 40))?)
}

fn write_lags(session: &mut Session<'_>, heading: &str, lags: &[Lag]) -> anyhow::Result<()> {
    writeln!(session.out, "{heading}")?;
    writeln!(session.out, "{:<6} {:<40} {:<12} {:<30}", "NO", "Lite Topic", "Lag Count", "UnconsumedTimestamp")?;
    for (index, Lag { lite_topic, lag_count, earliest_unconsumed_timestamp }) in (1..).zip(lags) {
        let time = *earliest_unconsumed_timestamp;
        let time = if time > 0 { print::local_time(time) } else { "-".to_owned() };
        writeln!(session.out, "{index:<6} {lite_topic:<40} {lag_count:<12} {time:<30}")?;
    }
    Ok(())
}
