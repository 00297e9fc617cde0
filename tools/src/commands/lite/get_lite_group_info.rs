//! `getLiteGroupInfo`: how far a group is with its light topics.

use boostermq_remoting::body::OffsetWrapper;
use boostermq_remoting::request::lite;

use super::bodies::{Lag, OfGroup};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
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
    GetLiteGroupInfo = "getLiteGroupInfo", "Get lite group info.", OPTIONS, show, has_tables;
}

static OFFSETS: Style = Style {
    name: "queues",
    head: "%-50s %-16s %-16s %-16s %-30s%n",
    row: "%-50.40s %-16s %-16s %-16s %-30s%n",
    columns: &[
        Column::new("brokerName", "#Broker Name"),
        Column::new("brokerOffset", "#BrokerOffset"),
        Column::new("consumerOffset", "#ConsumeOffset"),
        Column::new("diff", "#LagCount"),
        Column::new("lastTime", "#LastUpdate"),
    ],
};

static BY_COUNT: Style = lags("mostBehind");
static BY_TIME: Style = lags("longestBehind");

const fn lags(name: &'static str) -> Style {
    const COLUMNS: &[Column] = &[
        Column::text("NO"),
        Column::new("liteTopic", "Lite Topic"),
        Column::new("lagCount", "Lag Count"),
        Column::new("earliestUnconsumedTime", "UnconsumedTimestamp"),
    ];
    Style { name, head: "%-6s %-40s %-12s %-30s%n", row: "%-6s %-40s %-12s %-30s%n", columns: COLUMNS }
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, group) = (arguments.required("p")?, arguments.required("g")?);
    let light = arguments.text("l").filter(|name| !name.is_empty());
    let most: i32 = arguments.number("k")?.unwrap_or(DEFAULT_MOST);
    let mut fields = vec![("group".into(), group.to_owned()), ("topK".into(), most.to_string())];
    fields.extend(light.map(|name| ("liteTopic".into(), name.to_owned())));
    let answers = super::ask_brokers::<lite::GetLiteGroupInfo, OfGroup>(session, parent, &fields).await?;
    let mut document = Document::new();
    document.line(format!("Lite Group Info: [{group}] [{parent}]"));
    report(&mut document, answers, light.is_some(), now_ms());
    Ok(session.print(&document)?)
}

fn report(document: &mut Document, answers: Vec<(String, OfGroup)>, is_of_one: bool, now_ms: i64) {
    let (mut total, mut earliest) = (0, now_ms);
    let (mut by_count, mut by_time) = (Vec::new(), Vec::new());
    let mut offsets = Table::new(&OFFSETS);
    for (broker, of_group) in answers {
        total += of_group.total_lag_count.max(0);
        if of_group.earliest_unconsumed_timestamp > 0 {
            earliest = earliest.min(of_group.earliest_unconsumed_timestamp);
        }
        offsets.cells_row(offset_cells(broker, of_group.lite_topic_offset_wrapper.as_ref()));
        by_count.extend(of_group.lag_count_top_k);
        by_time.extend(of_group.lag_timestamp_top_k);
    }
    if is_of_one {
        document.table(offsets);
    }
    document.field("lagCount", total, format!("Total Lag Count: {total}"));
    let age_s = (now_ms - earliest) / 1000;
    let line = format!("Min Unconsumed Timestamp: {earliest} ({age_s} s ago)\n");
    document.field("earliestUnconsumedTime", earliest, line);
    if !is_of_one {
        by_count.sort_by_key(|lag| std::cmp::Reverse(lag.lag_count));
        document.line("------TopK by lag count-----").table(lag_table(&BY_COUNT, &by_count));
        by_time.sort_by_key(|lag| lag.earliest_unconsumed_timestamp);
        document.line("\n------TopK by lag time------").table(lag_table(&BY_TIME, &by_time));
    }
}

fn time_cell(time_ms: i64) -> Cell {
    if time_ms > 0 { Cell::time(time_ms) } else { Cell::shown("-", time_ms) }
}

fn offset_cells(broker: String, offsets: Option<&OffsetWrapper>) -> Vec<Cell> {
    let unknown = || Cell::shown("-", ());
    match offsets {
        Some(OffsetWrapper { broker_offset, consumer_offset, last_timestamp, .. }) => vec![
            broker.into(),
            (*broker_offset).into(),
            (*consumer_offset).into(),
            broker_offset.saturating_sub(*consumer_offset).into(),
            time_cell(*last_timestamp),
        ],
        None => vec![broker.into(), unknown(), unknown(), unknown(), unknown()],
    }
}

fn lag_table(style: &'static Style, lags: &[Lag]) -> Table {
    let mut table = Table::new(style);
    for (index, Lag { lite_topic, lag_count, earliest_unconsumed_timestamp }) in (1..).zip(lags) {
        let number: i32 = index;
        table.row([
            number.into(),
            Cell::from(lite_topic),
            (*lag_count).into(),
            time_cell(*earliest_unconsumed_timestamp),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::fastjson;

    use super::*;
    use crate::output::Format;
    use crate::tests::printed;

    const NOW_MS: i64 = 1_700_000_100_000;

    fn printed_report(body: &str, is_of_one: bool) -> (String, serde_json::Value) {
        let mut document = Document::new();
        let of_group: OfGroup = fastjson::from_slice(body.as_bytes()).unwrap();
        report(&mut document, vec![("broker-a".to_owned(), of_group)], is_of_one, NOW_MS);
        let json = printed(|out| document.write(Format::Json, out));
        (printed(|out| document.write(Format::Text, out)), serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn one_light_topic_with_its_offsets() {
        OFFSETS.check();
        let (text, json) = printed_report(
            r#"{"totalLagCount":2,"earliestUnconsumedTimestamp":1700000000000,
               "liteTopicOffsetWrapper":{"brokerOffset":9,"consumerOffset":7,"lastTimestamp":0}}"#,
            true,
        );
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>().join(" "),
            "#Broker Name #BrokerOffset #ConsumeOffset #LagCount #LastUpdate broker-a 9 7 2 - Total Lag Count: 2 \
             Min Unconsumed Timestamp: 1700000000000 (100 s ago)"
        );
        assert_eq!((&json["queues"][0]["diff"], &json["lagCount"]), (&2.into(), &2.into()));
        let (text, json) = printed_report("{}", true);
        assert!(text.contains("broker-a                                           -                -     "), "{text}");
        assert!(json["queues"][0]["diff"].is_null(), "{json}");
    }

    #[test]
    fn all_light_topics_by_how_far_behind_they_are() {
        BY_COUNT.check();
        let lags = r#"[{"liteTopic":"a","lagCount":1,"earliestUnconsumedTimestamp":5},
                       {"liteTopic":"b","lagCount":3,"earliestUnconsumedTimestamp":9}]"#;
        let (text, json) =
            printed_report(&format!(r#"{{"totalLagCount":4,"lagCountTopK":{lags},"lagTimestampTopK":{lags}}}"#), false);
        let heading = "NO     Lite Topic                               Lag Count    UnconsumedTimestamp           \n";
        let count = format!("\n\n------TopK by lag count-----\n{heading}1      b                      ");
        let time = format!("\n\n------TopK by lag time------\n{heading}1      a                      ");
        assert!(text.contains(&count) && text.contains(&time), "{text}");
        assert_eq!(
            (&json["mostBehind"][0]["liteTopic"], &json["longestBehind"][0]["liteTopic"]),
            (&"b".into(), &"a".into())
        );
    }
}
