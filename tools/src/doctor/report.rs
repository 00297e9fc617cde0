//! The page that `doctor` prints.

use super::facts::{Facts, Finding};
use super::span;
use crate::output::{Cell, Column, Document, Style, Table, Value};

/// Columns of a line of prose.
const WIDTH: usize = 100;

static MEMBERS: Style = Style {
    name: "members",
    head: "",
    row: "",
    columns: &[
        Column::new("clientId", "#Member"),
        Column::new("queues", "#Queues"),
        Column::new("cachedMessages", "#Holds"),
        Column::new("consumeTps", "#Consumes/s"),
        Column::new("failedTps", "#Fails/s"),
        Column::new("consumeRtMs", "#One takes(ms)"),
        Column::new("pullTps", "#Fetches/s"),
    ],
};

static QUEUES: Style = Style {
    name: "queues",
    head: "",
    row: "",
    columns: &[
        Column::value("topic"),
        Column::value("brokerName"),
        Column::value("queueId"),
        Column::value("brokerOffset"),
        Column::value("consumerOffset"),
        Column::value("lag"),
    ],
};

/// The page.
pub(super) fn page(facts: &Facts, findings: &[Finding]) -> Document {
    let mut document = Document::new();
    let lag = facts.lag();
    let oldest = facts.oldest_ms();
    let mut head = format!(
        "Group {}: members {}, topics {}, queues {}; {lag} messages wait",
        facts.group,
        facts.members.len(),
        facts.topics.len(),
        facts.queues.len(),
    );
    if let Some(oldest_ms) = oldest.filter(|_| lag > 0) {
        head.push_str(&format!(", the oldest for {}", span(oldest_ms)));
    }
    head.push_str(&format!("; {:.1}/s stored, {:.1}/s consumed.", facts.put_rate(), facts.consume_rate()));
    document.line(head);
    document.hidden("group", facts.group.as_str());
    document.hidden("status", if findings.is_empty() { "healthy" } else { "findings" });
    document.hidden("lag", lag).hidden("retryLag", facts.retry_lag()).hidden("oldestMs", oldest);
    document.hidden("putTps", facts.put_rate()).hidden("consumeTps", facts.consume_rate());
    document.hidden("deadLetters", facts.dead.map(|(_, second)| second));
    let members = members(facts);
    if members.is_empty() {
        document.hidden("members", Value::List(Vec::new()));
    } else {
        document.line("").table(members);
    }
    document.hidden("queues", Value::List(queues(facts).values()));
    if findings.is_empty() {
        document.line("").line("Healthy: no cause of trouble was found.");
    }
    for (at, finding) in findings.iter().enumerate() {
        document.line("").line(format!("{}. {} [{}]", at + 1, finding.what, finding.cause));
        for line in &finding.evidence {
            prose(&mut document, "   - ", line);
        }
        prose(&mut document, "   Do: ", finding.advice);
    }
    let values = findings.iter().map(|finding| {
        let member = |name: &str, value: Value| (name.to_owned(), value);
        Value::Object(vec![
            member("cause", finding.cause.into()),
            member("what", finding.what.as_str().into()),
            member("evidence", Value::List(finding.evidence.iter().map(Value::from).collect())),
            member("advice", finding.advice.into()),
        ])
    });
    document.hidden("findings", Value::List(values.collect()));
    document
}

/// Adds text in lines, those after the first indented as the first is.
fn prose(document: &mut Document, head: &str, text: &str) {
    let indent = " ".repeat(head.len());
    let mut line = head.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            document.line(std::mem::replace(&mut line, indent.clone()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    document.line(line);
}

fn members(facts: &Facts) -> Table {
    let mut table = Table::new(&MEMBERS);
    for member in &facts.members {
        let Ok((_, running)) = &member.running else {
            let unknown = || Cell::shown("?", ());
            table.row([
                member.client_id.as_str().into(),
                unknown(),
                unknown(),
                unknown(),
                unknown(),
                unknown(),
                unknown(),
            ]);
            continue;
        };
        let held = || running.mq_table.0.values().filter(|held| !held.droped);
        let sum = |of: fn(&boostermq_remoting::body::ConsumeStatus) -> f64| {
            running.status_table.values().map(of).fold(0.0, |one, other| one + other)
        };
        let slowest = running.status_table.values().map(|status| status.consume_rt).fold(0.0, f64::max);
        table.row([
            member.client_id.as_str().into(),
            (held().count() + running.mq_pop_table.0.len()).into(),
            held().map(|held| i64::from(held.cached_msg_count)).sum::<i64>().into(),
            Cell::rounded(sum(|status| status.consume_ok_tps), 1),
            Cell::rounded(sum(|status| status.consume_failed_tps), 1),
            Cell::rounded(slowest, 1),
            Cell::rounded(sum(|status| status.pull_tps), 1),
        ]);
    }
    table
}

fn queues(facts: &Facts) -> Table {
    let mut table = Table::new(&QUEUES);
    for queue in facts.queues.iter().chain(&facts.retries) {
        table.row([
            queue.topic.as_str().into(),
            queue.broker.as_str().into(),
            queue.queue_id.into(),
            queue.second.broker_offset.into(),
            queue.second.consumer_offset.into(),
            queue.lag().into(),
        ]);
    }
    table
}
