//! The fuzz targets, for a bounded number of damaged inputs in every test run. At length by hand: see `fuzz/Cargo.toml`.

#[path = "../../fuzz/dice.rs"]
mod dice;
#[path = "../../fuzz/targets.rs"]
mod targets;

use std::net::SocketAddr;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::frame::HeaderCodec;
use boostermq_remoting::header::{HeaderHead, write_frame};
use boostermq_remoting::message::batch::BatchEntry;
use boostermq_remoting::message::properties::Properties;
use boostermq_remoting::message::record::RecordFields;
use boostermq_remoting::names::QueueId;

use dice::Dice;

/// Damaged inputs for each seed: some seconds for all targets together.
const ROUNDS: u64 = 20_000;

fn run(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    let mut dice = Dice(Dice::SEED);
    for seed in seeds {
        target(seed);
        for _ in 0..ROUNDS {
            target(&dice.damage(seed));
        }
    }
}

fn frames() -> Vec<Vec<u8>> {
    let frame = |codec| {
        let mut out = Vec::new();
        let mut head = HeaderHead::answer(ResponseCode::SUCCESS, -7);
        head.remark = Some("a \"remark\"\u{1}é");
        let fields = [
            ("b", "Topic"),
            ("e", "3"),
            ("i", "KEYS\u{1}k\u{2}TAGS\u{1}t\u{2}"),
            ("f", "0"),
            ("g", "17"),
            ("h", "0"),
            ("a", "g"),
        ];
        write_frame(&mut out, codec, &head, |sink| fields.iter().for_each(|(key, value)| sink.text(key, value)), 4);
        out.extend_from_slice(b"body");
        out
    };
    vec![frame(HeaderCodec::Json), frame(HeaderCodec::Binary)]
}

#[test]
fn frames_survive_damage() {
    run(targets::frame, &frames());
}

#[test]
fn headers_survive_damage() {
    let headers: Vec<_> = frames().iter().map(|frame| frame[8..frame.len() - 4].to_vec()).collect();
    run(targets::header, &headers);
}

#[test]
fn records_survive_damage() {
    let record = |host: SocketAddr, topic: &str| {
        let plain = RecordFields::plain(topic, QueueId(1), host, b"some body");
        let fields = RecordFields { flag: 7, born_timestamp: 1, properties: b"KEYS\x01k\x02TAGS\x01t\x02", ..plain };
        let mut out = Vec::new();
        fields.encode(&mut out).expect("a good record");
        out
    };
    let v4 = record(([127, 0, 0, 1], 10911).into(), "T");
    let v6 = record(SocketAddr::new("::1".parse().expect("an address"), 1), &"T".repeat(200));
    run(targets::record, &[[v4.clone(), v6.clone()].concat(), v6, v4]);
}

#[test]
fn batches_survive_damage() {
    let mut body = Vec::new();
    for flag in 0..3 {
        let entry = BatchEntry { flag, body: b"one of a batch", properties: Properties("TAGS\u{1}t\u{2}") };
        entry.encode(&mut body).expect("a good entry");
    }
    run(targets::batch, &[body]);
}
