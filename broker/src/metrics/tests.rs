//! Tests of pages, against a whole broker and what the reference wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

use boostermq_remoting::config::Config;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::properties_file::Properties;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clients::fixture::messages::{Pulling, SUBSCRIPTION, SUSPEND, Sending, batch};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat, request};

/// What a broker of RocketMQ 5.5.0 wrote after much the same work: of each family the first series.
const REFERENCE: &str = include_str!("../../../compat-tests/golden/metrics.txt");
const KEYS: [(&str, &str); 8] = [
    ("metricsExporterType", "PROM"),
    ("metricsPromExporterHost", "127.0.0.1"),
    ("metricsPromExporterPort", "0"),
    ("metricsLabel", "zone:z1,bad,1x:y"),
    ("brokerName", "broker-a"),
    ("transactionCheckInterval", "3600000"),
    ("fileReservedTime", "10000000"),
    ("timerPrecisionMs", "100"),
];

/// Kind and label names of every family.
fn shape(page: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let (mut shape, mut family): (BTreeMap<String, (String, BTreeSet<String>)>, _) = (BTreeMap::new(), String::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            family = name.to_owned();
            shape.insert(family.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&family), "{line} stands below {family}");
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
            let names = labels.split("\",").filter(|label| !label.is_empty());
            let names = names.map(|label| label.split_once('=').unwrap().0.to_owned());
            shape.get_mut(&family).unwrap().1.extend(names);
        }
    }
    shape
}

/// The number of a series, by its name and some of its labels.
fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let is_meant = |line: &&str| {
        line.split('{').next() == Some(name)
            && labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
    };
    page.lines().find(is_meant).map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

fn page(broker: &TestBroker) -> String {
    let broker = broker.broker();
    scrape::page(broker, broker.metrics.as_ref().unwrap())
}

async fn half(client: &mut TestClient) -> (String, String) {
    let properties = [("TRAN_MSG", "true"), ("PGROUP", "g_p"), ("UNIQ_KEY", "u")];
    let answer = client.store(&Sending { properties: &properties, ..Sending::default() }).await;
    let id: OffsetMessageId = answer.field("msgId").unwrap().parse().unwrap();
    (answer.field("queueOffset").unwrap().to_owned(), id.physical_offset.0.to_string())
}

async fn end(client: &mut TestClient, (offset, physical): (String, String), decision: &str) {
    let fields = [
        ("producerGroup", "g_p"),
        ("tranStateTableOffset", offset.as_str()),
        ("commitLogOffset", physical.as_str()),
        ("commitOrRollback", decision),
        ("fromTransactionCheck", "false"),
        ("msgId", "u"),
    ];
    client.ask_ok(37, &fields, "").await;
}

/// Something of everything that is counted; the client that did it, who is a member of the group `g`.
async fn work(broker: &TestBroker) -> TestClient {
    let mut client = broker.connect().await;
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    for _ in 0..2 {
        client.store(&Sending::default()).await;
    }
    client
        .store(&Sending { code: 320, is_batch: true, body: &batch(&[("a", &[]), ("b", &[])]), ..Sending::default() })
        .await;
    client.store(&Sending { properties: &[("__SHARDINGKEY", "s")], ..Sending::default() }).await;
    client.store(&Sending { topic: "D", properties: &[("DELAY", "18")], ..Sending::default() }).await;
    client.store(&Sending { topic: "W", properties: &[("TIMER_DELAY_MS", "150")], ..Sending::default() }).await;
    client.store(&Sending { topic: "W", properties: &[("TIMER_DELAY_SEC", "4000")], ..Sending::default() }).await;
    let refused = Sending { body: b"", topic: "no such topic!", ..Sending::default() };
    assert_ne!(client.ask_command(refused.request()).await.code, 0);
    let halves = [half(&mut client).await, half(&mut client).await, half(&mut client).await];
    let [committed, rolled_back, _] = halves;
    end(&mut client, committed, "8").await;
    end(&mut client, rolled_back, "12").await;
    broker.dispatched().await;
    assert_eq!(
        client
            .pull(&Pulling { max_messages: 2, commit_offset: 1, flags: SUBSCRIPTION | 1, ..Pulling::default() })
            .await
            .code,
        0
    );
    let held = Pulling { group: "h", queue_id: 3, flags: SUBSCRIPTION | SUSPEND, ..Pulling::default() }.request();
    let mut other = broker.connect().await;
    other.put(&mut [&mut held.clone()]).await;
    while broker.broker().holds.count() == 0 {
        tokio::task::yield_now().await;
    }
    client.store(&Sending { queue_id: 3, ..Sending::default() }).await;
    assert_eq!(other.next_answer().await.code, 0);
    let mut back = request(36, &[("group", "g"), ("originTopic", "T"), ("unitMode", "false")], b"");
    back.fields.push(("offset".into(), "0".to_owned()));
    back.fields.push(("delayLevel".into(), "-1".to_owned()));
    assert_eq!(client.ask_command(back).await.code, 0);
    let topic = [
        ("topic", "made"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "1"),
        ("writeQueueNums", "1"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
    ];
    client.ask_ok(17, &topic, "").await;
    client.ask_ok(200, &[], r#"{"groupName":"made"}"#).await;
    client.wait_for("W", 0, 0).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_the_names_kinds_and_labels_of_the_reference() {
    let broker = TestBroker::start(&KEYS).await;
    let _member = work(&broker).await;
    let page = page(&broker);
    let (ours, theirs) = (shape(&page), shape(REFERENCE));
    for (family, of_reference) in &theirs {
        assert_eq!(ours.get(family), Some(of_reference), "{family}\n{page}");
    }
    let more: Vec<_> = ours.keys().filter(|family| !theirs.contains_key(*family)).collect();
    assert!(more.is_empty(), "{more:?}");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_what_was_done() {
    let broker = TestBroker::start(&KEYS).await;
    let _member = work(&broker).await;
    let page = page(&broker);
    let (t, g) = (("topic", "T"), ("consumer_group", "g"));
    for (name, labels, expected) in [
        ("rocketmq_messages_in_total", &[t, ("message_type", "normal"), ("is_system", "false")][..], 5.0),
        ("rocketmq_messages_in_total", &[t, ("message_type", "fifo")], 1.0),
        ("rocketmq_messages_in_total", &[("topic", "RMQ_SYS_TRANS_HALF_TOPIC"), ("is_system", "true")], 3.0),
        ("rocketmq_messages_in_total", &[("topic", "SCHEDULE_TOPIC_XXXX"), ("message_type", "delay")], 1.0),
        ("rocketmq_messages_in_total", &[("topic", "rmq_sys_wheel_timer"), ("message_type", "delay")], 2.0),
        ("rocketmq_message_size_count", &[t, ("message_type", "normal")], 4.0),
        ("rocketmq_messages_out_total", &[t, g], 2.0),
        ("rocketmq_messages_out_total", &[t, ("consumer_group", "h")], 1.0),
        ("rocketmq_commit_messages_total", &[t], 1.0),
        ("rocketmq_rollback_messages_total", &[t], 1.0),
        ("rocketmq_half_messages", &[t], 1.0),
        ("rocketmq_finish_message_latency_milliseconds_count", &[t], 1.0),
        ("rocketmq_send_to_dlq_messages_total", &[t, g], 1.0),
        ("rocketmq_consumer_inflight_messages", &[t, g], 1.0),
        // Of queue 0 all but the two that were pulled; of queue 3, of which nothing is known, none.
        ("rocketmq_consumer_ready_messages", &[t, g], 4.0),
        ("rocketmq_consumer_lag_messages", &[t, g], 5.0),
        ("rocketmq_producer_connections", &[("language", "java"), ("version", "v5_5_0")], 1.0),
        ("rocketmq_consumer_connections", &[g, ("consume_mode", "push")], 1.0),
        ("rocketmq_timer_enqueue_total", &[("topic", "W")], 2.0),
        ("rocketmq_timer_dequeue_total", &[("topic", "W")], 1.0),
        ("rocketmq_timing_messages", &[("topic", "W")], 1.0),
        ("rocketmq_timer_message_snapshot", &[("timer_bound_s", "14400")], 1.0),
        ("rocketmq_timer_message_snapshot", &[("timer_bound_s", "3600")], 0.0),
        ("rocketmq_timer_dequeue_lag", &[], 1.0),
        ("rocketmq_broker_permission", &[("zone", "z1")], 6.0),
        ("rocketmq_topic_create_execution_time_milliseconds_count", &[("invocation_status", "success")], 1.0),
        (
            "rocketmq_rpc_latency_milliseconds_count",
            &[("request_code", "send_batch_message"), ("response_code", "success")],
            1.0,
        ),
        (
            "rocketmq_rpc_latency_milliseconds_count",
            &[("request_code", "end_transaction"), ("response_code", "success")],
            2.0,
        ),
        ("rocketmq_rpc_latency_milliseconds_count", &[("request_code", "heart_beat")], 1.0),
        ("rocketmq_rpc_latency_milliseconds_count", &[("request_code", "consumer_send_msg_back")], 1.0),
    ] {
        assert_eq!(value(&page, name, labels), Some(expected), "{name} {labels:?}\n{page}");
    }
    let held = [("request_code", "pull_message"), ("is_long_polling", "true"), ("response_code", "success")];
    assert!(value(&page, "rocketmq_rpc_latency_milliseconds_count", &held) >= Some(1.0), "{page}");
    // Whatever the refusal was called.
    let refused = page.lines().any(|line| {
        line.starts_with("rocketmq_rpc_latency_milliseconds_count")
            && line.contains("send_message_v2")
            && !line.contains("response_code=\"success\"")
    });
    assert!(refused, "{page}");
    assert!(value(&page, "rocketmq_throughput_in_total", &[t, ("message_type", "normal")]) > Some(500.0));
    assert!(value(&page, "rocketmq_storage_size_bytes", &[]) > Some(1e6));
    assert!(!page.contains("bad") && !page.contains("1x="), "what is no label is left out");
    broker.broker().metrics.as_ref().unwrap().forget_topic("T");
    broker.broker().metrics.as_ref().unwrap().forget_group("g");
    let page = scrape::page(broker.broker(), broker.broker().metrics.as_ref().unwrap());
    assert_eq!(value(&page, "rocketmq_messages_in_total", &[t]), None);
    assert_eq!(value(&page, "rocketmq_send_to_dlq_messages_total", &[]), None);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_series_can_be_switched_off() {
    for (key, gone, left) in [
        ("enableRemotingMetrics", "rocketmq_rpc_latency", "rocketmq_topic_number"),
        ("enableMessageStoreMetrics", "rocketmq_storage_size", "rocketmq_half_messages"),
        ("enableConnectionMetrics", "rocketmq_producer_connections", "rocketmq_messages_in"),
        ("enableTransactionMetrics", "rocketmq_half_messages", "rocketmq_rpc_latency"),
        ("enableStatsMetrics", "rocketmq_topic_number", "rocketmq_producer_connections"),
        ("enableRequestMetrics", "rocketmq_messages_in", "rocketmq_storage_size"),
        ("enableLagAndDlqMetrics", "rocketmq_consumer_lag", "rocketmq_messages_in"),
    ] {
        let mut keys = KEYS.to_vec();
        keys.push((key, "false"));
        let broker = TestBroker::start(&keys).await;
        let mut client = broker.connect().await;
        client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
        client.store(&Sending::default()).await;
        half(&mut client).await;
        let page = page(&broker);
        assert!(!page.contains(gone) && page.contains(left), "{key}\n{page}");
        broker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lag_counts_what_the_group_wants() {
    let mut keys = KEYS.to_vec();
    keys.push(("maxConsumeQueueScan", "40"));
    let broker = TestBroker::start(&keys).await;
    let mut client = broker.connect().await;
    let mut beat: serde_json::Value = serde_json::from_str(&heartbeat("c", "g", "CLUSTERING", &["T"])).unwrap();
    let subscription = &mut beat["consumerDataSet"][0]["subscriptionDataSet"][0];
    subscription["subString"] = "A".into();
    subscription["tagsSet"] = serde_json::json!(["A"]);
    subscription["codeSet"] = serde_json::json!([65]);
    client.ask_ok(34, &[], &beat.to_string()).await;
    for number in 0..80 {
        let tags = if number % 4 == 0 { "A" } else { "B" };
        client.store(&Sending { properties: &[("TAGS", tags)], ..Sending::default() }).await;
    }
    broker.dispatched().await;
    let lag = |broker: &TestBroker| value(&page(broker), "rocketmq_consumer_lag_messages", &[("consumer_group", "g")]);
    broker.broker().offsets.commit("g", "T", boostermq_remoting::names::QueueId(0), 60);
    assert_eq!(lag(&broker), Some(5.0), "all twenty are looked at");
    broker.broker().offsets.commit("g", "T", boostermq_remoting::names::QueueId(0), 0);
    assert_eq!(lag(&broker), Some(20.0), "forty are looked at, and the rest is like them");
    broker.stop().await;
}

/// What an HTTP server answers to these bytes.
async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    // A server that is done with a bad request may reset the connection.
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_served_by_http_whoever_else_is_connected() {
    let broker = TestBroker::start(&KEYS).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = broker.broker().metrics.clone().unwrap();
    let server = tokio::spawn(exporter::serve(listener, broker.broker().clone(), metrics));
    let long = format!("GET /metrics HTTP/1.1\r\nhost: b\r\nlong: {}\r\n\r\n", "x".repeat(64 * 1024));
    for (request, status, part) in [
        ("GET /metrics HTTP/1.1\r\nhost: b\r\n\r\n", "HTTP/1.1 200", "rocketmq_topic_number{"),
        (
            "GET /metrics HTTP/1.1\r\nhost: b\r\n\r\n",
            "HTTP/1.1 200",
            "content-type: text/plain; version=0.0.4; charset=utf-8",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200", "href=\"metrics\""),
        ("GET /-/healthy HTTP/1.1\r\nhost: b\r\n\r\n", "HTTP/1.1 200", "Exporter is healthy.\n"),
        ("GET /other HTTP/1.1\r\nhost: b\r\n\r\n", "HTTP/1.1 404", "/metrics"),
        ("POST /metrics HTTP/1.1\r\nhost: b\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 405", "allow: GET, HEAD"),
        ("what is this\r\n\r\n", "HTTP/1.1 400", ""),
        (long.as_str(), "HTTP/1.1 431", ""),
    ] {
        let answer = exchange(address, request.as_bytes()).await.unwrap();
        assert!(answer.starts_with(status) && answer.contains(part), "{request:.60}\n{answer}");
    }
    // Those who say nothing take all places: whoever comes then is sent away at once, and served when one has gone.
    let mut silent = Vec::new();
    let refused = loop {
        silent.push(TcpStream::connect(address).await.unwrap());
        let asked = exchange(address, b"GET /-/healthy HTTP/1.1\r\nhost: b\r\n\r\n").await;
        if !asked.is_ok_and(|answer| answer.contains("healthy")) {
            break silent.len();
        }
    };
    assert!((exporter::CONNECTIONS_MAX - 1..=exporter::CONNECTIONS_MAX).contains(&refused), "{refused}");
    silent.clear();
    while !exchange(address, b"GET /-/healthy HTTP/1.1\r\nhost: b\r\n\r\n")
        .await
        .is_ok_and(|answer| answer.contains("healthy"))
    {
        tokio::task::yield_now().await;
    }
    server.abort();
    broker.stop().await;
}

#[test]
fn what_is_not_wanted_is_not_counted() {
    for (text, expected) in [
        ("DISABLE", Ok(false)),
        ("0", Ok(false)),
        ("PROM", Ok(true)),
        ("2", Ok(true)),
        ("LOG", Ok(true)),
        ("3", Ok(true)),
        ("OTLP_GRPC", Err(())),
        ("1", Err(())),
        ("prom", Err(())),
    ] {
        let given = Properties::parse("", format!("metricsExporterType={text}").as_bytes()).unwrap();
        let read = BrokerConfig::from_properties(&given).map(|(config, _)| Metrics::new(&config).is_some());
        if let Err(error) = &read {
            let said = error.to_string();
            assert!(said.contains("metricsExporterType") && said.contains("set PROM"), "{said}");
        }
        assert_eq!(read.map_err(drop), expected, "{text}");
    }
}
