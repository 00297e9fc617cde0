//! Frames that official clients and the reference exchanged.
//!
//! `golden/exchanges.jsonl`, a line for each: the client (`java`, `admin`, `go`), the link, who asked (`c2s` or `s2c`), the request
//! code, and both frames in base64.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::wire::{Connection, Frame};
use boostermq_compat_tests::harness::{Cluster, workspace_dir};
use serde::Deserialize;
use serde_json::{Value, json};

const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: i32 = 200;

/// Codes that a broker answers alike whatever was done to it before, once the topics and groups exist.
const BROKER_CODES: [i64; 15] = [10, 15, 17, 21, 29, 30, 31, 32, 34, 35, 41, 42, 200, 310, 320];
/// The same for a name server.
const NAMESRV_CODES: [i64; 6] = [100, 101, 102, 105, 106, 206];

#[derive(Deserialize)]
pub(crate) struct Exchange {
    pub(crate) client: String,
    pub(crate) link: String,
    pub(crate) dir: String,
    pub(crate) code: i64,
    pub(crate) request: String,
    pub(crate) response: Option<String>,
}

pub(crate) fn exchanges() -> Result<Vec<Exchange>> {
    let path = workspace_dir().join("compat-tests/golden/exchanges.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[test]
fn recorded_frames_split_and_join() -> Result<()> {
    for exchange in exchanges()? {
        for text in std::iter::once(&exchange.request).chain(&exchange.response) {
            let bytes = base64(text)?;
            let frame = Frame::parse(&bytes).with_context(|| text.clone())?;
            ensure!(frame.to_bytes()? == bytes, "joined differently: {text}");
            ensure!(frame.json()?.contains_key("code"), "no code: {text}");
            for length in 0..bytes.len().min(40) {
                ensure!(Frame::parse(&bytes[..length]).is_err(), "{length} bytes of a frame taken for one: {text}");
            }
        }
    }
    Ok(())
}

/// The same bytes, asked again, bring the same code and the same header fields.
#[test]
fn recorded_requests_are_answered_alike() -> Result<()> {
    let mut cluster = Cluster::builder("golden").start()?;
    let mut chosen = Vec::new();
    for exchange in exchanges()? {
        if is_repeatable(&exchange)? {
            chosen.push(exchange);
        }
    }
    let exchanges = chosen;
    prepare(&cluster, &exchanges)?;
    let mut wrong = Vec::new();
    for exchange in &exchanges {
        if let Err(error) = replay(&cluster, exchange) {
            let Exchange { client, link, code, .. } = exchange;
            wrong.push(format!("{client} -> {link}, code {code}: {error:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{} of {} exchanges differ:\n{}", wrong.len(), exchanges.len(), wrong.join("\n"));
    cluster.stop_broker()?;
    cluster.passed()
}

/// A topic that was missing then may be made by another of these requests now.
const TOPIC_NOT_EXIST: i64 = 17;

fn is_repeatable(exchange: &Exchange) -> Result<bool> {
    let codes: &[i64] = if exchange.link == "broker" { &BROKER_CODES } else { &NAMESRV_CODES };
    let recorded = match &exchange.response {
        Some(response) => Frame::parse(&base64(response)?)?.json()?.get("code").and_then(Value::as_i64),
        None => None,
    };
    Ok(exchange.dir == "c2s" && codes.contains(&exchange.code) && recorded != Some(TOPIC_NOT_EXIST))
}

/// Creates the topics and groups that the requests name and that were there when they were recorded.
fn prepare(cluster: &Cluster, exchanges: &[Exchange]) -> Result<()> {
    let (mut topics, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for exchange in exchanges {
        let header = Frame::parse(&base64(&exchange.request)?)?.json()?;
        let field = |name: &str| header.get("extFields")?.get(name)?.as_str().map(str::to_owned);
        topics.extend(field("topic"));
        groups.extend(field("consumerGroup"));
        groups.extend(field("group"));
        if let (310 | 320, Some(topic)) = (exchange.code, field("b")) {
            topics.insert(topic);
        }
    }
    let mut connection = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    for group in groups {
        let config = json!({"groupName": group, "consumeEnable": true, "retryQueueNums": 1, "retryMaxTimes": 16});
        connection.call(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], config.to_string().as_bytes())?;
    }
    for topic in topics {
        let fields = [
            ("topic", topic.as_str()),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "8"),
            ("writeQueueNums", "8"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
        ];
        // Names of system topics are refused; those exist.
        connection.call(UPDATE_AND_CREATE_TOPIC, &fields, b"")?;
    }
    Ok(())
}

fn replay(cluster: &Cluster, exchange: &Exchange) -> Result<()> {
    let request = Frame::parse(&base64(&exchange.request)?)?;
    let address = if exchange.link == "broker" { cluster.broker() } else { cluster.namesrv() };
    let mut connection = Connection::open(&address, Duration::from_secs(60))?;
    connection.send(&request)?;
    let Some(response) = &exchange.response else { return Ok(()) };
    let expected = Frame::parse(&base64(response)?)?;
    let header = expected.json()?;
    let opaque = header.get("opaque").and_then(Value::as_i64).context("no opaque")?;
    let answer = connection.answer(opaque)?;
    let code = header.get("code").and_then(Value::as_i64);
    ensure!(Some(answer.code) == code, "code {} ({}) where {code:?} was recorded", answer.code, answer.remark);
    let expected_fields: BTreeMap<String, Value> = match header.get("extFields") {
        Some(Value::Object(fields)) => fields.clone().into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let (got, want): (Vec<_>, Vec<_>) = (answer.fields.keys().collect(), expected_fields.keys().collect());
    ensure!(got == want, "fields {got:?} where {want:?} were recorded");
    ensure!(
        answer.body.is_empty() == expected.body.is_empty(),
        "body of {} bytes, recorded {}",
        answer.body.len(),
        expected.body.len()
    );
    Ok(())
}

/// Standard alphabet with padding.
pub(crate) fn base64(text: &str) -> Result<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len()), 0u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = ALPHABET.iter().position(|known| *known == letter).with_context(|| format!("letter {letter}"))?;
        bits = (bits << 6 | u32::try_from(value)?) & 0x00ff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff)?);
        }
    }
    Ok(bytes)
}
