//! What Prometheus reads (A12): the names, kinds and labels of the reference's page, and numbers that are those of what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::Cluster;
use boostermq_compat_tests::harness::wire::{Answer, Connection};
use serde_json::json;

/// A page of the reference after much the same work: of each family the first series, without those of parts that are not built.
const GOLDEN: &str = include_str!("../../golden/metrics.txt");
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take until everything shows.
const LIMIT: Duration = Duration::from_secs(60);
const SEND: i32 = 10;

#[test]
fn a12_prometheus_reads_what_the_broker_does() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let cluster = Cluster::builder("metrics")
        .broker_key("metricsExporterType", "PROM")
        .broker_key("metricsPromExporterPort", &port.to_string())
        .broker_key("metricsLabel", "zone:z1")
        .broker_key("transactionCheckInterval", "600000")
        .start()?;
    let mut client = Connection::open(&cluster.broker(), PATIENCE)?;
    work(&mut client)?;
    let expected = [
        (
            "rocketmq_messages_in_total",
            &[("topic", "MetricsT"), ("message_type", "normal"), ("is_system", "false")][..],
            4.0,
        ),
        ("rocketmq_messages_in_total", &[("topic", "MetricsT"), ("message_type", "fifo")], 1.0),
        ("rocketmq_messages_in_total", &[("topic", "RMQ_SYS_TRANS_HALF_TOPIC"), ("message_type", "transaction")], 3.0),
        ("rocketmq_messages_in_total", &[("topic", "rmq_sys_wheel_timer"), ("message_type", "delay")], 2.0),
        ("rocketmq_message_size_count", &[("topic", "MetricsT"), ("message_type", "normal")], 4.0),
        ("rocketmq_messages_out_total", &[("topic", "MetricsT"), ("consumer_group", "MetricsG")], 2.0),
        ("rocketmq_consumer_lag_messages", &[("topic", "MetricsT"), ("consumer_group", "MetricsG")], 4.0),
        ("rocketmq_consumer_inflight_messages", &[("topic", "MetricsT"), ("consumer_group", "MetricsG")], 1.0),
        ("rocketmq_consumer_ready_messages", &[("topic", "MetricsT"), ("consumer_group", "MetricsG")], 3.0),
        ("rocketmq_send_to_dlq_messages_total", &[("topic", "MetricsT"), ("consumer_group", "MetricsG")], 1.0),
        ("rocketmq_commit_messages_total", &[("topic", "MetricsX")], 1.0),
        ("rocketmq_rollback_messages_total", &[("topic", "MetricsX")], 1.0),
        ("rocketmq_half_messages", &[("topic", "MetricsX")], 1.0),
        ("rocketmq_timer_enqueue_total", &[("topic", "MetricsW")], 2.0),
        ("rocketmq_timer_dequeue_total", &[("topic", "MetricsW")], 1.0),
        ("rocketmq_timing_messages", &[("topic", "MetricsW")], 1.0),
        ("rocketmq_timer_message_snapshot", &[("timer_bound_s", "14400")], 1.0),
        ("rocketmq_producer_connections", &[("language", "java"), ("version", "v5_5_0")], 1.0),
        ("rocketmq_consumer_connections", &[("consumer_group", "MetricsG"), ("consume_mode", "push")], 1.0),
        ("rocketmq_broker_permission", &[("zone", "z1"), ("cluster", "DefaultCluster"), ("node_id", "broker-a")], 6.0),
        (
            "rocketmq_rpc_latency_milliseconds_count",
            &[("request_code", "pull_message"), ("response_code", "success"), ("is_long_polling", "false")],
            1.0,
        ),
        (
            "rocketmq_topic_create_execution_time_milliseconds_count",
            &[("invocation_status", "success"), ("is_system", "false")],
            1.0,
        ),
    ];
    let deadline = Instant::now() + LIMIT;
    let page = loop {
        let page = get(port, "/metrics")?;
        let is_there = expected.iter().all(|(name, labels, number)| value(&page, name, labels) == Some(*number));
        if is_there || Instant::now() > deadline {
            break page;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    for (name, labels, number) in expected {
        let found = value(&page, name, labels);
        ensure!(found == Some(number), "{name} {labels:?} is {found:?}, not {number}:\n{page}");
    }
    let (theirs, ours) = (shape(GOLDEN)?, shape(&page)?);
    for (family, expected) in theirs {
        let found = ours.get(&family);
        ensure!(found == Some(&expected), "{family} is {found:?}, not {expected:?}");
    }
    ensure!(get(port, "/-/healthy")?.ends_with("Exporter is healthy.\n"), "the exporter says that it is healthy");
    ensure!(get(port, "/")?.contains("href=\"metrics\""), "the index leads to the page");
    cluster.passed()
}

/// Something of everything that is counted.
fn work(client: &mut Connection) -> Result<()> {
    let topic = [
        ("topic", "MetricsT"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "1"),
        ("writeQueueNums", "1"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    ok(client.call(17, &topic, b"")?)?;
    ok(client.call(200, &[], br#"{"groupName":"MetricsMade"}"#)?)?;
    let subscription = json!({"topic": "MetricsT", "subString": "*", "subVersion": 1, "expressionType": "TAG", "tagsSet": [], "codeSet": []});
    let beat = json!({
        "clientID": "metrics",
        "consumerDataSet": [{
            "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "consumeType": "CONSUME_PASSIVELY", "groupName": "MetricsG",
            "messageModel": "CLUSTERING", "subscriptionDataSet": [subscription], "unitMode": false,
        }],
        "producerDataSet": [{"groupName": "MetricsP"}],
        "heartbeatFingerprint": 0,
        "withoutSub": false,
    });
    ok(client.call(34, &[], beat.to_string().as_bytes())?)?;
    let first = send(client, "MetricsT", "")?;
    for _ in 0..3 {
        send(client, "MetricsT", "")?;
    }
    send(client, "MetricsT", "__SHARDINGKEY\x01s\x02")?;
    send(client, "MetricsW", "TIMER_DELAY_MS\x011000\x02")?;
    send(client, "MetricsW", "TIMER_DELAY_SEC\x014000\x02")?;
    for decision in ["8", "12", ""] {
        let half = send(
            client,
            "MetricsX",
            &format!("TRAN_MSG\x01true\x02PGROUP\x01MetricsP\x02UNIQ_KEY\x01u{decision}\x02"),
        )?;
        if !decision.is_empty() {
            end(client, &half, decision)?;
        }
    }
    let pull = [
        ("consumerGroup", "MetricsG"),
        ("topic", "MetricsT"),
        ("queueId", "0"),
        ("queueOffset", "0"),
        ("maxMsgNums", "2"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "1000"),
        ("subscription", "*"),
        ("subVersion", "1"),
        ("expressionType", "TAG"),
    ];
    // The reference puts messages into queues a moment after they are stored.
    let deadline = Instant::now() + PATIENCE;
    while max_offset(client)? < 5 {
        ensure!(Instant::now() < deadline, "the messages do not show");
        std::thread::sleep(Duration::from_millis(20));
    }
    ok(client.call(11, &pull, b"")?)?;
    let offset = [("consumerGroup", "MetricsG"), ("topic", "MetricsT"), ("queueId", "0"), ("commitOffset", "1")];
    ok(client.call(15, &offset, b"")?)?;
    let place = place(&first)?;
    let back = [
        ("group", "MetricsG"),
        ("offset", place.as_str()),
        ("delayLevel", "-1"),
        ("originTopic", "MetricsT"),
        ("unitMode", "false"),
    ];
    ok(client.call(36, &back, b"")?)
}

fn ok(answer: Answer) -> Result<()> {
    ensure!(answer.code == 0, "{} {}", answer.code, answer.remark);
    Ok(())
}

fn max_offset(client: &mut Connection) -> Result<i64> {
    let answer = client.call(30, &[("topic", "MetricsT"), ("queueId", "0"), ("committed", "true")], b"")?;
    Ok(answer.fields.get("offset").context("no offset")?.parse()?)
}

fn send(client: &mut Connection, topic: &str, properties: &str) -> Result<Answer> {
    let born = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis().to_string();
    let fields = [
        ("producerGroup", "MetricsP"),
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "1"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", born.as_str()),
        ("flag", "0"),
        ("properties", properties),
        ("reconsumeTimes", "0"),
        ("unitMode", "false"),
        ("batch", "false"),
    ];
    let answer = client.call(SEND, &fields, b"body")?;
    ensure!(answer.code == 0, "{topic}: {} {}", answer.code, answer.remark);
    Ok(answer)
}

fn end(client: &mut Connection, half: &Answer, decision: &str) -> Result<()> {
    let place = place(half)?;
    let fields = [
        ("producerGroup", "MetricsP"),
        ("tranStateTableOffset", half.fields.get("queueOffset").context("no queueOffset")?.as_str()),
        ("commitLogOffset", place.as_str()),
        ("commitOrRollback", decision),
        ("fromTransactionCheck", "false"),
        ("msgId", "u"),
    ];
    ok(client.call(37, &fields, b"")?)
}

/// Where in the commit log a message was stored: the last eight bytes of its id.
fn place(stored: &Answer) -> Result<String> {
    let id = stored.fields.get("msgId").context("no msgId")?;
    let offset = id.get(id.len().saturating_sub(16)..).context("a short msgId")?;
    Ok(i64::from_str_radix(offset, 16)?.to_string())
}

/// The answer of the exporter, head and all.
fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("the exporter does not listen")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.lines().next().is_some_and(|status| status.contains(" 200 ")), "{path}: {answer}");
    Ok(answer)
}

/// Lines of the page's body, or of a page without a head.
fn lines(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .filter(|line| line.starts_with("# TYPE") || line.starts_with("rocketmq_") || line.starts_with("target_info"))
}

/// The number of the first series with this name and these labels among its own.
fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let is_meant = |line: &&str| {
        line.split('{').next() == Some(name)
            && labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
    };
    lines(page).find(is_meant)?.rsplit(' ').next()?.parse().ok()
}

/// Kind and names of labels of each family.
type Shape = BTreeMap<String, (String, BTreeSet<String>)>;

fn shape(page: &str) -> Result<Shape> {
    let (mut shape, mut family) = (Shape::new(), String::new());
    for line in lines(page) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').context("a type without a kind")?;
            name.clone_into(&mut family);
            shape.insert(family.clone(), (kind.to_owned(), BTreeSet::new()));
            continue;
        }
        ensure!(line.starts_with(&family), "{line} stands below {family}");
        let labels =
            line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').map_or("", |(labels, _)| labels));
        let names = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        if let Some((_, known)) = shape.get_mut(&family) {
            known.extend(names);
        }
    }
    Ok(shape)
}
