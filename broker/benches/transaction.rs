//! What a transaction costs a broker, half message and commit: a broker of its own, one connection, windows of 256.
//!
//! Measured is the processor time of the broker's process, as an operator pays for it. For the comparison with RocketMQ see
//! `compat-tests/tests/it/transaction_speed.rs`.
#![expect(missing_docs, reason = "the macros of criterion make public functions")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use boostermq_remoting::code::RequestCode;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::frame::{Split, split};
use boostermq_remoting::header::HeaderScratch;
use boostermq_remoting::request::NoHeader;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const WINDOW: usize = 256;
const BODY: [u8; 128] = [b'x'; 128];
/// The kernel's unit of processor time.
const TICKS_PER_SECOND: u64 = 100;

/// A broker, stopped when dropped, and a connection to it.
struct Bench {
    broker: Child,
    stream: TcpStream,
    received: Vec<u8>,
    sent: usize,
    _dir: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.broker.kill();
        let _ = self.broker.wait();
    }
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder for the store");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let root = dir.path().display();
        // No name server is there to be registered with, and none is needed.
        let settings =
            format!("brokerIP1=127.0.0.1\nlistenPort={port}\nnamesrvAddr=127.0.0.1:1\nstorePathRootDir={root}\n");
        let file = dir.path().join("broker.conf");
        std::fs::write(&file, settings).expect("a file of settings");
        let broker = Command::new(env!("CARGO_BIN_EXE_mqbroker"))
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a broker");
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "the broker does not answer: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        stream.set_nodelay(true).expect("a socket");
        let mut bench = Self { broker, stream, received: Vec::new(), sent: 0, _dir: dir };
        let topic = [("topic", "T"), ("defaultTopic", "TBW102"), ("readQueueNums", "1"), ("writeQueueNums", "1")];
        let kind = [("perm", "6"), ("topicFilterType", "SINGLE_TAG"), ("topicSysFlag", "0"), ("order", "false")];
        let fields: Vec<_> = topic.iter().chain(&kind).map(|(name, value)| (*name, (*value).to_owned())).collect();
        bench.exchange(&[request(17, 0, &fields, b"")]);
        bench
    }

    /// Sends requests and returns their answers, all of which must be successes.
    fn exchange(&mut self, requests: &[RemotingCommand]) -> Vec<RemotingCommand> {
        let mut bytes = Vec::new();
        requests.iter().for_each(|request| request.write(&mut bytes));
        self.stream.write_all(&bytes).expect("a connection");
        let (mut answers, mut scratch) = (Vec::new(), HeaderScratch::default());
        while answers.len() < requests.len() {
            match split(&self.received).expect("frames") {
                Split::Whole(frame, consumed) => {
                    let answer = RemotingCommand::from_frame(&frame, &mut scratch).expect("a header");
                    assert_eq!(answer.code, 0, "{:?}", answer.remark);
                    answers.push(answer);
                    self.received.drain(..consumed);
                }
                Split::Partial(_) => {
                    let mut piece = [0; 64 << 10];
                    let length = self.stream.read(&mut piece).expect("a connection");
                    assert!(length > 0, "the broker ended");
                    self.received.extend(&piece[..length]);
                }
            }
        }
        answers
    }

    /// One window of transactions.
    fn transactions(&mut self) {
        let halves: Vec<_> = (0..WINDOW)
            .map(|number| {
                self.sent += 1;
                let key = format!("{:032X}", self.sent);
                let properties = format!("TRAN_MSG\x01true\x02PGROUP\x01g\x02UNIQ_KEY\x01{key}\x02");
                let texts = [
                    ("a", "g"),
                    ("b", "T"),
                    ("c", "TBW102"),
                    ("d", "1"),
                    ("e", "0"),
                    ("f", "4"),
                    ("g", "1"),
                    ("h", "0"),
                ];
                let mut fields: Vec<_> = texts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
                fields.push(("i", properties));
                request(310, number, &fields, &BODY)
            })
            .collect();
        let ends: Vec<_> =
            self.exchange(&halves).iter().enumerate().map(|(number, answer)| end(number, answer)).collect();
        self.exchange(&ends);
    }

    /// Processor time that the broker has used.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.broker.id())).expect("a process");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let ticks = |index| -> u64 {
            fields.split_whitespace().nth(index).and_then(|text| text.parse().ok()).expect("a number")
        };
        Duration::from_millis((ticks(11) + ticks(12)) * (1000 / TICKS_PER_SECOND))
    }
}

fn request(code: i32, opaque: usize, fields: &[(&'static str, String)], body: &'static [u8]) -> RemotingCommand {
    let mut request = RemotingCommand::request(RequestCode(code), &NoHeader {}, Bytes::from_static(body));
    request.opaque = i32::try_from(opaque).expect("a window");
    request.fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    request
}

fn end(number: usize, answer: &RemotingCommand) -> RemotingCommand {
    let field = |name| answer.field(name).expect("an answer to a send").to_owned();
    let (id, key) = (field("msgId"), field("transactionId"));
    let physical = u64::from_str_radix(&id[16..], 16).expect("an offset id");
    let fields = [
        ("producerGroup", "g".to_owned()),
        ("topic", "T".to_owned()),
        ("tranStateTableOffset", field("queueOffset")),
        ("commitLogOffset", physical.to_string()),
        ("commitOrRollback", "8".to_owned()),
        ("fromTransactionCheck", "false".to_owned()),
        ("msgId", key.clone()),
        ("transactionId", key),
    ];
    request(37, number, &fields, b"")
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transaction");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).warm_up_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(WINDOW as u64));
    let mut bench = Bench::new();
    group.bench_function("half and commit, 256 at a time", |bencher| {
        bencher.iter_custom(|times| {
            let start = bench.processor_time();
            (0..times).for_each(|_| bench.transactions());
            bench.processor_time() - start
        });
    });
    group.finish();
}

criterion_group!(transactions, benches);
criterion_main!(transactions);
