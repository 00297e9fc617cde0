//! What official clients asked a Java name server, asked of ours: the answers mean the same.

use std::io;

use boostermq_remoting::fastjson;
use boostermq_remoting::frame::{Split, split};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Broker, World, json};

/// Exchanges with RocketMQ 5.5.0, one a line: `{client, request: {header, body}, response: {header, body}}`.
const FRAMES: &str = include_str!("../golden/frames.jsonl");

fn text<'a>(exchange: &'a Value, side: &str, part: &str) -> &'a str {
    exchange[side][part].as_str().unwrap()
}

/// Sends the bytes of a request as they were recorded and answers header and body of the answer.
async fn replay(stream: &mut TcpStream, header: &str, body: &str) -> io::Result<(Value, Vec<u8>)> {
    let mut bytes = Vec::new();
    bytes.extend(u32::to_be_bytes((4 + header.len() + body.len()) as u32));
    bytes.extend(u32::to_be_bytes(header.len() as u32));
    bytes.extend(header.as_bytes());
    bytes.extend(body.as_bytes());
    stream.write_all(&bytes).await?;
    let mut answer = Vec::new();
    loop {
        if let Split::Whole(frame, _) = split(&answer).unwrap() {
            return Ok((json(frame.header), frame.body.to_vec()));
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The topics that the Java name server must have had to answer so.
fn topics_behind(exchange: &Value, fields: &Map<String, Value>, code: i64) -> Vec<String> {
    let count = |name: &str| fields.get(name).map_or(0, |count| count.as_str().unwrap().parse::<usize>().unwrap());
    match code {
        206 => serde_json::from_value(json(text(exchange, "response", "body").as_bytes())["topicList"].take()).unwrap(),
        205 | 327 => (0..count("wipeTopicCount") + count("addTopicCount")).map(|number| format!("T{number}")).collect(),
        _ => ["GoldNormal", "GoldOrder", "GoldDelay", "GoTopic"].map(str::to_owned).to_vec(),
    }
}

fn header_of(text: &str) -> Map<String, Value> {
    let Value::Object(mut header) = serde_json::from_str(text).unwrap() else { panic!("{text}") };
    // Says which codec the header has, which the frame says too; ours leaves it out.
    header.remove("serializeTypeCurrentRPC");
    // No fields, said in two ways.
    if header.get("extFields").and_then(Value::as_object).is_some_and(Map::is_empty) {
        header.remove("extFields");
    }
    header
}

/// Bodies as values: lists of topics in one order, files of the machine left out.
fn comparable(code: i64, body: &[u8]) -> Value {
    if code == 319 {
        let text = str::from_utf8(body).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let lines = lines.filter(|(key, _)| !["kvConfigPath", "configStorePath", "rocketmqHome"].contains(key));
        return lines.map(|(key, value)| (key.to_owned(), Value::from(value))).collect::<Map<_, _>>().into();
    }
    if body.is_empty() {
        return Value::Null;
    }
    let mut value = fastjson::parse(body).unwrap();
    if let Some(list) = value.get_mut("topicList").and_then(Value::as_array_mut) {
        list.sort_by_key(|topic| topic.as_str().unwrap().to_owned());
    }
    value
}

#[tokio::test]
async fn recorded_requests_are_answered_as_by_the_reference() {
    let mut exchanges = 0;
    for line in FRAMES.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let asked = header_of(text(&exchange, "request", "header"));
        let expected = header_of(text(&exchange, "response", "header"));
        let code = asked["code"].as_i64().unwrap();
        let fields = expected.get("extFields").and_then(Value::as_object).cloned().unwrap_or_default();
        let world = World::new(|config| {
            config.server.bind_address = [0, 0, 0, 0].into();
        })
        .await;
        let topics = topics_behind(&exchange, &fields, code);
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        let registered = world.send(Broker::new("broker-a", 0, "127.0.0.1:10911", &topics).register()).await;
        assert_eq!(registered.code, 0);
        if code == 101 {
            let put = [("namespace", "ORDER_TOPIC_CONFIG"), ("key", "GoldAdm"), ("value", "broker-a:4")];
            assert_eq!(world.ask(100, &put).await.code, 0);
        }
        let mut stream = TcpStream::connect(("127.0.0.1", world.server.address().port())).await.unwrap();
        let request = |part| text(&exchange, "request", part);
        let (header, body) = replay(&mut stream, request("header"), request("body")).await.unwrap();
        let what = request("header");
        assert_eq!(Value::from(header_of(&header.to_string())), Value::from(expected), "{what}");
        let (ours, theirs) =
            (comparable(code, &body), comparable(code, text(&exchange, "response", "body").as_bytes()));
        if code == 319 {
            let mut theirs = theirs;
            // The reference listened on its default port, ours on one the system chose.
            theirs["listenPort"] = ours["listenPort"].clone();
            assert_eq!(ours, theirs, "{what}");
        } else {
            assert_eq!(ours, theirs, "{what}");
        }
        exchanges += 1;
    }
    assert!(exchanges > 20, "{exchanges} exchanges");
}
