use boostermq_remoting::body::{Connection, MessageModel, OffsetWrapper};

use super::*;
use crate::output::Format;
use crate::tests::{golden, printed};

fn shown(document: &Document) -> String {
    printed(|out| document.write(Format::Text, out))
}

/// What upstream printed, read back.
fn stats(text: &str) -> ConsumeStats {
    let mut stats = ConsumeStats::default();
    for line in text.lines().filter(|line| line.contains("broker-a")) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| cells[at].parse::<i64>().unwrap();
        let time = match cells[7] {
            "N/A" => 0,
            date => {
                let time: jiff::civil::DateTime = format!("{date}T{}", cells[8]).parse().unwrap();
                time.to_zoned(jiff::tz::TimeZone::system()).unwrap().timestamp().as_millisecond()
            }
        };
        let queue = MessageQueue {
            topic: cells[0].to_owned(),
            broker_name: cells[1].to_owned(),
            queue_id: cells[2].parse().unwrap(),
        };
        let offsets = OffsetWrapper {
            broker_offset: number(3),
            consumer_offset: number(4),
            pull_offset: number(4) + number(6),
            last_timestamp: time,
        };
        stats.offset_table.0.insert(queue, offsets);
    }
    stats.consume_tps = 0.5;
    stats
}

#[test]
fn one_group_is_printed_as_upstream_does() {
    for name in ["consumerProgress-g", "consumerProgress-gt"] {
        let text = golden(name);
        assert_eq!(shown(&group_document(&stats(&text), None)), text, "{name}");
    }
}

#[test]
fn clients_have_a_column_of_their_own() {
    let stats = stats(&golden("consumerProgress-gt"));
    let queue = stats.offset_table.0.keys().next().unwrap().clone();
    let text = shown(&group_document(&stats, Some(&BTreeMap::from([(queue, "10.0.0.1".to_owned())]))));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("#Consumer Offset      #Client IP           #Diff"), "{text}");
    assert!(lines[1].contains(" 10.0.0.1 ") && lines[2].contains(" N/A "), "{text}");
}

#[test]
fn all_groups_are_printed_as_upstream_does() {
    let text = golden("consumerProgress");
    let progress = |line: &str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let mut progress = Progress { group: cells[0].to_owned(), stats: None, connection: None, unasked: Vec::new() };
        let mut stats = ConsumeStats::default();
        let diff = cells.last().unwrap().parse().unwrap();
        let offsets = OffsetWrapper { broker_offset: diff, ..OffsetWrapper::default() };
        stats.offset_table.0.insert(MessageQueue::default(), offsets);
        progress.stats = Some(stats);
        if cells[1] != "0" {
            let client = Connection { version: 513, ..Connection::default() };
            progress.connection = Some(ConsumerConnection {
                connection_set: vec![client; cells[1].parse().unwrap()],
                consume_type: Some(ConsumeType::Passively),
                message_model: Some(MessageModel::Clustering),
                ..ConsumerConnection::default()
            });
        }
        progress
    };
    let lines = text.lines().skip(1).filter(|line| !line.starts_with('['));
    let all: Vec<Progress> = lines.map(progress).collect();
    assert!(all.len() > 10);
    assert_eq!(shown(&all_document(&all)), text);
}

#[test]
fn groups_of_retry_topics() {
    for (topic, group) in
        [("%RETRY%g", Some("g")), ("%RETRY%g+T", Some("g")), ("%DLQ%g", None), ("T", None), ("%RETRY%g_T", Some("g_T"))]
    {
        assert_eq!(group_of(topic), group, "{topic}");
    }
}
