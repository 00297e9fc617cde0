//! `queryMsgTraceById`: who sent and who consumed a message, by the traces that clients send.
//!
//! ```text
//! trace message   record 0x02 record 0x02 ...
//! record          Pub 0x01 time 0x01 region 0x01 group 0x01 topic 0x01 id 0x01 tags 0x01 keys 0x01 store host 0x01
//!                     body length 0x01 cost 0x01 type 0x01 offset id 0x01 success
//!                 SubAfter 0x01 request 0x01 id 0x01 cost 0x01 success 0x01 keys 0x01 context 0x01 time 0x01 group
//! ```
//!
//! Upstream: `TraceView`, `TraceDataEncoder`.

use boostermq_remoting::message::Message;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::print;
use crate::query::{self, Key, Query};

/// Topic of traces when `-t` names none.
const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// Traces that are read when `-c` says nothing.
const DEFAULT_LIMIT: i32 = 64;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("i", "msgId", "Message Id"),
    CommandOption::optional("t", "traceTopic", "The name value of message trace topic"),
    CommandOption::optional("b", "beginTimestamp", "Begin timestamp(ms). default:0, eg:1676730526212"),
    CommandOption::optional("e", "endTimestamp", "End timestamp(ms). default:Long.MAX_VALUE, eg:1676730526212"),
    CommandOption::optional("c", "maxNum", "The maximum number of messages returned by the query, default:64"),
];

commands! {
    /// Shows the traces of a message.
    QueryMsgTraceById = "queryMsgTraceById", "Query a message trace.", OPTIONS, query, has_tables;
}

const FORMAT: &str = "%-10s %-20s %-20s %-20s %-10s %-10s%n";

static SENT: Style = Style {
    name: "sent",
    head: FORMAT,
    row: FORMAT,
    columns: &[
        Column::new("type", "#Type"),
        Column::new("producerGroup", "#ProducerGroup"),
        Column::new("clientHost", "#ClientHost"),
        Column::new("sendTime", "#SendTime"),
        Column::new("costMs", "#CostTimes"),
        Column::new("status", "#Status"),
    ],
};

static CONSUMED: Style = Style {
    name: "consumed",
    head: FORMAT,
    row: FORMAT,
    columns: &[
        Column::new("type", "#Type"),
        Column::new("consumerGroup", "#ConsumerGroup"),
        Column::new("clientHost", "#ClientHost"),
        Column::new("consumeTime", "#ConsumerTime"),
        Column::new("costMs", "#CostTimes"),
        Column::new("status", "#Status"),
    ],
};

/// One thing that happened to the message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trace {
    is_sent: bool,
    group: String,
    client_host: String,
    time_ms: i64,
    cost_ms: i64,
    is_success: bool,
}

async fn query(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let id = arguments.required("i")?;
    let query = Query {
        topic: arguments.text("t").unwrap_or(TRACE_TOPIC),
        cluster: None,
        key: Key::Of { key: id, index: "K", last: None },
        limit: arguments.number("c")?.unwrap_or(DEFAULT_LIMIT),
        begin_ms: arguments.number("b")?.unwrap_or_default(),
        end_ms: arguments.number("e")?.unwrap_or(i64::MAX),
    };
    let found = query::by_key(&session.admin, &query).await?;
    let traces: Vec<Trace> = found.messages.iter().flat_map(|message| traces(id, message)).collect();
    session.print(&document(&traces))?;
    for (address, error) in &found.unasked {
        session.complain_of(address, error);
    }
    Ok(())
}

/// What a trace message tells of the message with that id; what cannot be read is passed over.
fn traces(id: &str, message: &Message) -> Vec<Trace> {
    let body = String::from_utf8_lossy(&message.body);
    body.split('\u{2}').filter_map(|record| trace(id, record, message)).collect()
}

fn trace(id: &str, record: &str, message: &Message) -> Option<Trace> {
    let fields: Vec<&str> = record.split('\u{1}').collect();
    let field = |at: usize| fields.get(at).copied();
    let host = message.born_host.ip().to_string();
    let trace = |is_sent, group: &str, time_ms, cost_ms, success: Option<&str>| Trace {
        is_sent,
        group: group.to_owned(),
        client_host: host,
        time_ms,
        cost_ms,
        is_success: success.is_some_and(|text| text.eq_ignore_ascii_case("true")),
    };
    match *fields.first()? {
        "Pub" if field(5) == Some(id) => {
            // Old clients wrote no offset id before the outcome.
            let success = if fields.len() == 13 { field(12) } else { field(13) };
            Some(trace(true, field(3)?, field(1)?.parse().ok()?, field(10)?.parse().ok()?, success))
        }
        "SubAfter" if field(2) == Some(id) => {
            let time_ms = field(7).and_then(|text| text.parse().ok()).unwrap_or(message.store_timestamp);
            Some(trace(false, field(8).unwrap_or("null"), time_ms, field(3)?.parse().ok()?, field(4)))
        }
        _ => None,
    }
}

fn document(traces: &[Trace]) -> Document {
    let mut document = Document::new();
    for trace in traces.iter().filter(|trace| trace.is_sent) {
        document.table(table(&SENT, "Pub", std::slice::from_ref(trace))).line("");
    }
    let mut groups: Vec<&str> =
        traces.iter().filter(|trace| !trace.is_sent).map(|trace| trace.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    print::string_order(&mut groups);
    for group in groups {
        let of_group: Vec<Trace> =
            traces.iter().filter(|trace| !trace.is_sent && trace.group == group).cloned().collect();
        document.table(table(&CONSUMED, "Sub", &of_group)).line("");
    }
    document
}

fn table(style: &'static Style, kind: &str, traces: &[Trace]) -> Table {
    let mut table = Table::new(style);
    for trace in traces {
        table.row([
            kind.into(),
            Cell::from(&trace.group),
            Cell::from(&trace.client_host),
            Cell::shown(print::local_seconds(trace.time_ms), trace.time_ms),
            Cell::shown(format!("{}ms", trace.cost_ms), trace.cost_ms),
            if trace.is_success { "success" } else { "failed" }.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{message, printed};

    #[test]
    fn records_of_the_message_are_shown() {
        let sent =
            "Pub\u{1}1000\u{1}r\u{1}pg\u{1}T\u{1}ID\u{1}tag\u{1}k\u{1}h:1\u{1}5\u{1}7\u{1}0\u{1}OID\u{1}true\u{2}";
        let consumed = "SubAfter\u{1}rq\u{1}ID\u{1}3\u{1}false\u{1}k\u{1}0\u{1}2000\u{1}cg\u{2}";
        let other = sent.replace("ID", "OTHER");
        let mut carrier = message("x", 0, 0, 0, 0);
        carrier.body = format!("{sent}{other}SubAfter\u{1}\u{2}{consumed}").into_bytes();
        let traces = traces("ID", &carrier);
        assert_eq!(traces.len(), 2, "{traces:?}");
        let text = printed(|out| document(&traces).write(Format::Text, out));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("#Type      #ProducerGroup       #ClientHost"), "{text}");
        assert!(
            lines[1].starts_with("Pub        pg                   127.0.0.1 ")
                && lines[1].contains(" 7ms        success")
        );
        assert_eq!(lines[2], "");
        assert!(lines[3].contains("#ConsumerGroup") && lines[4].contains(" 3ms        failed"), "{text}");
    }
}
