//! What mqadmin of RocketMQ 5.5.0 asked a Java cluster, asked of the target: the answers have the same code, fields, and members
//! in their bodies.
//!
//! The requests go out in the order in which they were recorded, after the topics, groups and offsets are made that the recorded
//! answers show. One connection asks all of them: it is the consumer, too, that some of them are about.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::dialect::{missing, parse, shape};
use boostermq_compat_tests::harness::wire::{Answer, Connection, Frame};
use boostermq_compat_tests::harness::{Cluster, Target};
use serde_json::{Value, json};

use crate::golden::{Exchange, base64, exchanges};

const PULL_MESSAGE: i32 = 11;
const UPDATE_CONSUMER_OFFSET: i32 = 15;
const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const UPDATE_AND_CREATE_GROUP: i32 = 200;
const GET_CONSUMER_RUNNING_INFO: i64 = 307;
const VIEW_BROKER_STATS: i64 = 315;

/// Pulls and queries by time: what they find is not there any more. Access control: not built.
const LEFT_OUT: std::ops::RangeInclusive<i64> = 3001..=3010;
const MESSAGES: [i64; 2] = [11, 12];
const PROPERTIES: [i64; 2] = [26, 319];
const TOPIC_NOT_EXIST: i64 = 17;

/// Objects whose members are data, not fields.
const MAPS: [&str; 20] = [
    "attributes",
    "brokerAddrTable",
    "brokerAddrs",
    "clusterAddrTable",
    "configTable",
    "consumeStatsList[]",
    "data",
    "filterServerTable",
    "forbiddenTable",
    "mqPopTable",
    "mqTable",
    "offsetTable",
    "properties",
    "runtimeTable",
    "statusTable",
    "subscriptionGroupTable",
    "subscriptionTable",
    "topicConfigTable",
    "topicQueueMappingDetailMap",
    "userConsumerInfo",
];

/// Runtime keys of which each broker has its own.
const OWN_KEYS: [&str; 2] = ["scheduleMessageOffset_", "commitLogDiskRatio_"];
/// Settings that stand there only when they are set.
const OWN_SETTINGS: [&str; 2] = ["rocketmqHome", "namesrvAddr"];

struct Recorded {
    exchange: Exchange,
    request: Frame,
    response: Option<Frame>,
}

impl Recorded {
    fn code(&self) -> i64 {
        self.exchange.code
    }

    fn body(&self) -> Result<Value> {
        parse(self.response.as_ref().map_or(&[][..], |response| &response.body))
    }

    fn answer_code(&self) -> Result<Option<i64>> {
        let Some(response) = &self.response else { return Ok(None) };
        Ok(response.json()?.get("code").and_then(Value::as_i64))
    }
}

#[test]
fn recorded_requests_of_operators_get_bodies_of_the_same_shape() -> Result<()> {
    let mut cluster = Cluster::builder("golden-admin").broker_key("brokerName", "broker-a").start()?;
    let recorded = recorded()?;
    let mut broker = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    let mut name_server = Connection::open(&cluster.namesrv(), Duration::from_secs(60))?;
    prepare(&mut broker, &recorded)?;
    let running = recorded
        .iter()
        .find(|one| one.exchange.dir == "s2c" && one.code() == GET_CONSUMER_RUNNING_INFO)
        .and_then(|one| one.response.clone())
        .context("no recorded running info")?;
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for one in recorded.iter().filter(|one| one.exchange.dir == "c2s" && is_compared(one)) {
        asked += 1;
        if one.code() == VIEW_BROKER_STATS {
            have_counted(&mut broker, one)?;
        }
        let link = if one.exchange.link == "broker" { &mut broker } else { &mut name_server };
        if let Err(error) = compare(link, one, &running) {
            wrong.push(format!("{} -> {}: {error:#}", one.code(), one.exchange.link));
        }
    }
    ensure!(asked > 90, "only {asked} requests were asked");
    ensure!(wrong.is_empty(), "{} of {asked} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    if cluster.target() != Target::Reference {
        cluster.stop_broker()?;
    }
    cluster.passed()
}

fn recorded() -> Result<Vec<Recorded>> {
    let admin = exchanges()?.into_iter().filter(|exchange| exchange.client == "admin");
    admin
        .map(|exchange| {
            let request = Frame::parse(&base64(&exchange.request)?)?;
            let response = exchange.response.as_deref().map(|text| Frame::parse(&base64(text)?)).transpose()?;
            Ok(Recorded { exchange, request, response })
        })
        .collect()
}

fn is_compared(one: &Recorded) -> bool {
    let is_left_out = MESSAGES.contains(&one.code()) || LEFT_OUT.contains(&one.code());
    // A topic that was missing then is made here.
    !is_left_out && one.answer_code().ok().flatten() != Some(TOPIC_NOT_EXIST)
}

/// Makes the topics, groups and offsets that the recorded answers show.
fn prepare(broker: &mut Connection, recorded: &[Recorded]) -> Result<()> {
    let of = |code: i64| recorded.iter().filter(move |one| one.code() == code && one.exchange.dir == "c2s");
    for one in of(21).take(1) {
        let body = one.body()?;
        for config in body["topicConfigTable"].as_object().context("no topics")?.values() {
            let number = |name: &str| config[name].to_string();
            let (read, write, perm) = (number("readQueueNums"), number("writeQueueNums"), number("perm"));
            let fields = [
                ("topic", config["topicName"].as_str().context("no name")?),
                ("defaultTopic", "TBW102"),
                ("readQueueNums", &read),
                ("writeQueueNums", &write),
                ("perm", &perm),
                ("topicFilterType", "SINGLE_TAG"),
                ("topicSysFlag", "0"),
                ("order", "false"),
            ];
            // Names of system topics are refused; those exist.
            broker.call(UPDATE_AND_CREATE_TOPIC, &fields, b"")?;
        }
    }
    for one in of(201).take(1) {
        let body = one.body()?;
        for group in body["subscriptionGroupTable"].as_object().context("no groups")?.values() {
            broker.call(UPDATE_AND_CREATE_GROUP, &[], group.to_string().as_bytes())?;
        }
    }
    for one in of(208) {
        let header = one.request.json()?;
        let group = header["extFields"]["consumerGroup"].as_str().context("no group")?.to_owned();
        commit(broker, &group, &one.body()?)?;
    }
    for one in of(317) {
        let body = one.body()?;
        for entry in body["consumeStatsList"].as_array().context("no groups")? {
            for (group, topics) in entry.as_object().context("no group")? {
                for stats in topics.as_array().context("no topics")? {
                    commit(broker, group, stats)?;
                }
            }
        }
    }
    Ok(())
}

fn commit(broker: &mut Connection, group: &str, stats: &Value) -> Result<()> {
    for (queue, offsets) in stats["offsetTable"].as_object().context("no offsets")? {
        let queue: Value = serde_json::from_str(queue)?;
        let (number, offset) = (queue["queueId"].to_string(), offsets["consumerOffset"].to_string());
        let topic = queue["topic"].as_str().context("no topic")?;
        let fields =
            [("consumerGroup", group), ("topic", topic), ("queueId", &number), ("commitOffset", offset.as_str())];
        broker.call(UPDATE_CONSUMER_OFFSET, &fields, b"")?;
    }
    Ok(())
}

/// Has the group read the topic of which a statistic is asked for.
fn have_counted(broker: &mut Connection, one: &Recorded) -> Result<()> {
    let header = one.request.json()?;
    let key = header["extFields"]["statsKey"].as_str().context("no key")?;
    let Some((topic, group)) = key.split_once('@') else { return Ok(()) };
    let pull = [
        ("consumerGroup", group),
        ("topic", topic),
        ("queueId", "0"),
        ("queueOffset", "0"),
        ("maxMsgNums", "32"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "0"),
        ("subscription", "*"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ];
    let answer = broker.call(PULL_MESSAGE, &pull, b"")?;
    ensure!(answer.code == 0, "{key}: {answer:?}");
    Ok(())
}

/// Asks, is the consumer that the broker asks meanwhile, and compares the answers.
fn compare(link: &mut Connection, one: &Recorded, running: &Frame) -> Result<()> {
    let asked = one.request.json()?;
    let opaque = asked.get("opaque").and_then(Value::as_i64).context("no opaque")?;
    link.send(&one.request)?;
    let Some(response) = &one.response else { return Ok(()) };
    let answer = link.answer_serving(opaque, |question| {
        let header = question.json().ok()?;
        let code = header.get("code").and_then(Value::as_i64);
        (code == Some(GET_CONSUMER_RUNNING_INFO)).then(|| running_info(running, &header["opaque"]))
    })?;
    let header = response.json()?;
    let code = header.get("code").and_then(Value::as_i64);
    ensure!(Some(answer.code) == code, "code {} ({}) where {code:?} was recorded", answer.code, answer.remark);
    let fields: BTreeMap<String, Value> = match header.get("extFields") {
        Some(Value::Object(fields)) => fields.clone().into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let (got, want): (Vec<_>, Vec<_>) = (answer.fields.keys().collect(), fields.keys().collect());
    ensure!(got == want, "fields {got:?} where {want:?} were recorded");
    compare_bodies(one.code(), &answer, response)
}

fn running_info(recorded: &Frame, opaque: &Value) -> Frame {
    let header = json!({"code": 0, "flag": 1, "language": "JAVA", "opaque": opaque, "serializeTypeCurrentRPC": "JSON",
        "version": 513});
    Frame { codec: 0, header: header.to_string().into_bytes(), body: recorded.body.clone() }
}

fn compare_bodies(code: i64, answer: &Answer, response: &Frame) -> Result<()> {
    if response.body.is_empty() {
        ensure!(answer.body.is_empty(), "a body of {} bytes where none was recorded", answer.body.len());
        return Ok(());
    }
    if PROPERTIES.contains(&code) {
        let keys = |body: &[u8]| -> Vec<String> {
            let lines = String::from_utf8_lossy(body).into_owned();
            lines.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
        };
        let ours = keys(&answer.body);
        let lacking: Vec<_> = keys(&response.body).into_iter().filter(|key| !ours.contains(key)).collect();
        let lacking: Vec<_> = lacking.iter().filter(|key| !OWN_SETTINGS.contains(&key.as_str())).collect();
        ensure!(lacking.is_empty(), "settings {lacking:?} are missing");
        return Ok(());
    }
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    let (ours, theirs) = (parse(&answer.body).with_context(text)?, parse(&response.body)?);
    let (ours, theirs) = (shape(&ours, &MAPS), shape(&theirs, &MAPS));
    let is_own = |path: &String| OWN_KEYS.iter().any(|key| path.starts_with(&format!(".table.{key}")));
    let differ = |one, other| -> Vec<String> { missing(one, other).into_iter().filter(|path| !is_own(path)).collect() };
    let (lacking, added) = (differ(&theirs, &ours), differ(&ours, &theirs));
    ensure!(lacking.is_empty() && added.is_empty(), "missing {lacking:?}, new {added:?}");
    Ok(())
}
