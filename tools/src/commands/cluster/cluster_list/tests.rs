use super::*;
use crate::output::Format;
use crate::tests::{golden, printed};

fn text(table: Table) -> String {
    printed(|out| Document::of(table).write(Format::Text, out))
}

fn row(values: &[(&str, &str)]) -> Row {
    Row {
        cluster: "DefaultCluster".to_owned(),
        broker_name: "broker-a".to_owned(),
        broker_id: BrokerId::MASTER,
        address: "127.0.0.1:30911".to_owned(),
        runtime: KvTable {
            table: values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        },
    }
}

#[test]
fn heads_and_rows_have_a_place_for_each_column() {
    LOAD.check();
    COUNTS.check();
}

#[test]
fn load_is_printed_as_upstream_does() {
    let row = row(&[
        ("brokerVersionDesc", "V5_5_0"),
        ("putTps", "0.7 0.1 0.0"),
        ("getTransferredTps", "2.2 0.1 0.0"),
        ("sendThreadPoolQueueSize", "0"),
        ("sendThreadPoolQueueHeadWaitTimeMills", "0"),
        ("pullThreadPoolQueueSize", "0"),
        ("pullThreadPoolQueueHeadWaitTimeMills", "0"),
        ("ackThreadPoolQueueSize", "0"),
        ("ackThreadPoolQueueHeadWaitTimeMills", "0"),
        ("timerReadBehind", "0"),
        ("timerOffsetBehind", "0"),
        ("timerCongestNum", "0"),
        ("timerEnqueueTps", "0.0"),
        ("timerDequeueTps", "0.0"),
        ("pageCacheLockTimeMills", "0"),
        ("earliestMessageTimeStamp", "1000000"),
        ("commitLogDiskRatio", "0.21"),
        ("brokerActive", "true"),
    ]);
    let now_ms = 1_000_000 + 792_000;
    assert_eq!(text(load(&[row], now_ms)), golden("clusterList"));
}

#[test]
fn counts_are_printed_as_upstream_does() {
    let row = row(&[
        ("msgPutTotalYesterdayMorning", "0"),
        ("msgPutTotalTodayMorning", "0"),
        ("msgPutTotalTodayNow", "3830042"),
        ("msgGetTotalYesterdayMorning", "0"),
        ("msgGetTotalTodayMorning", "0"),
        ("msgGetTotalTodayNow", "2900092"),
    ]);
    assert_eq!(text(counts(&[row])), golden("clusterList-m"));
}

#[test]
fn a_broker_that_is_not_reached_has_a_line() {
    let text = text(load(&[row(&[])], 0));
    let line = text.lines().nth(1).unwrap();
    assert!(line.contains("0.00(,ms)") && line.contains("0.00(,ms|,ms)") && line.ends_with("     false"), "{line}");
}

#[test]
fn a_broker_that_leaves_numbers_out_has_a_line() {
    let text = text(load(&[row(&[("putTps", ""), ("getTransferredTps", "x")])], 0));
    let line = text.lines().nth(1).unwrap();
    assert!(line.contains("0.00(null,nullms)") && line.contains("0.00(null,nullms|N,Nms)"), "{line}");
}
