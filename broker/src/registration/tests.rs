use std::collections::VecDeque;
use std::net::SocketAddr;

use boostermq_remoting::body::{RegisterBrokerBody, TopicConfig};
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::frame::{Split, split};
use boostermq_remoting::header::HeaderScratch;
use boostermq_remoting::message::record::body_crc;
use boostermq_remoting::names::BrokerId;
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::cluster::RegisterBrokerRequestHeader;
use boostermq_store::clock::ManualClock;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::config::tests::machine;

const REGISTER: i32 = 103;
const UNREGISTER: i32 = 104;
const QUERY_VERSION: i32 = 322;
/// A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(80);

struct Subject {
    settings: Live<Settings>,
    identity: Identity,
    topics: Topics,
    _dir: tempfile::TempDir,
}

impl Registrant for Subject {
    fn settings(&self) -> &Live<Settings> {
        &self.settings
    }
    fn identity(&self) -> &Identity {
        &self.identity
    }
    fn topics(&self) -> &Topics {
        &self.topics
    }
}

fn subject(text: &str) -> (Arc<Subject>, Registration) {
    let settings = Settings::read(Properties::parse("broker.conf", text.as_bytes()).unwrap(), &machine()).unwrap().0;
    let registration = Registration::new(&settings.broker, Client::new());
    let dir = tempfile::tempdir().unwrap();
    let settings = Live::new(settings);
    let topics = Topics::load(dir.path(), settings.clone(), Arc::new(ManualClock::new(5))).unwrap();
    let identity = Identity {
        cluster: "C".into(),
        name: "vm".into(),
        id: BrokerId(0),
        address: ([192, 0, 2, 2], 10911).into(),
        ha_address: ([192, 0, 2, 2], 10912).into(),
    };
    (Arc::new(Subject { settings, identity, topics, _dir: dir }), registration)
}

type Answers = Arc<Mutex<VecDeque<(ResponseCode, Bytes)>>>;

/// A name server that answers as it was told, else with success, and passes on what it was asked.
struct FakeNameServer {
    address: SocketAddr,
    asked: mpsc::UnboundedReceiver<RemotingCommand>,
    answers: Answers,
}

impl FakeNameServer {
    async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn start_on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::unbounded_channel();
        let answers = Answers::default();
        let given = answers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, sender.clone(), given.clone()));
            }
        });
        Self { address, asked, answers }
    }

    async fn next(&mut self) -> RemotingCommand {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("a request in time").unwrap()
    }

    /// The next request, a registration: its body.
    async fn registered(&mut self) -> RegisterBrokerBody {
        let command = self.next().await;
        assert_eq!(command.code, REGISTER);
        body(&command)
    }

    fn will_answer(&self, code: ResponseCode, body: &'static str) {
        self.answers.lock().push_back((code, Bytes::from_static(body.as_bytes())));
    }
}

async fn answer(mut stream: TcpStream, asked: mpsc::UnboundedSender<RemotingCommand>, answers: Answers) {
    let mut buffer = Vec::new();
    while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        while let Ok(Split::Whole(frame, length)) = split(&buffer) {
            let command = RemotingCommand::from_frame(&frame, &mut HeaderScratch::default()).unwrap();
            let (code, body) = answers.lock().pop_front().unwrap_or((ResponseCode::SUCCESS, Bytes::new()));
            let mut answer = RemotingCommand::answer(code, command.opaque);
            if command.code == QUERY_VERSION {
                answer.fields.push(("changed".into(), String::from_utf8_lossy(&body).into_owned()));
            }
            answer.body = body;
            asked.send(command).unwrap();
            let mut bytes = Vec::new();
            answer.write(&mut bytes);
            stream.write_all(&bytes).await.unwrap();
            buffer.drain(..length);
        }
    }
}

fn body(command: &RemotingCommand) -> RegisterBrokerBody {
    let header: RegisterBrokerRequestHeader = command.header().unwrap();
    assert_eq!(header.body_crc32, Some(body_crc(&command.body) as i32));
    RegisterBrokerBody::decode(&command.body, header.compressed.unwrap(), command.version).unwrap()
}

fn names(body: &RegisterBrokerBody) -> Vec<&str> {
    body.topic_config_serialize_wrapper.topic_config_table.keys().map(String::as_str).collect()
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

#[tokio::test]
async fn all_topics_at_start_then_changed_ones_then_farewell() {
    let (mut one, mut two) = (FakeNameServer::start().await, FakeNameServer::start().await);
    let (subject, registration) = subject(&format!("namesrvAddr={}; {};", one.address, two.address));
    run(&registration, &subject).await;
    for server in [&mut one, &mut two] {
        let command = server.next().await;
        assert_eq!(
            body(&command).topic_config_serialize_wrapper.topic_config_table.len(),
            subject.topics.table().topics.len()
        );
        let fields = ["brokerAddr", "haServerAddr", "brokerId", "brokerName", "clusterName", "enableActingMaster"];
        let fields = fields.map(|field| command.field(field).unwrap_or_default());
        assert_eq!(fields, ["192.0.2.2:10911", "192.0.2.2:10912", "0", "vm", "C", "false"]);
    }
    subject.topics.put(vec![(topic("Orders"), TopicConfig::new("Orders", 4, 6))]).unwrap();
    assert!(registration.settled(PATIENCE).await);
    for server in [&mut one, &mut two] {
        let body = server.registered().await;
        assert_eq!(names(&body), ["Orders"]);
        assert_eq!(body.topic_config_serialize_wrapper.data_version, subject.topics.table().data_version);
    }
    end(&registration, subject.as_ref()).await;
    for server in [&mut one, &mut two] {
        assert_eq!(server.next().await.code, UNREGISTER);
    }
    subject.topics.put(vec![(topic("Late"), TopicConfig::new("Late", 4, 6))]).unwrap();
    assert!(one.asked.try_recv().is_err(), "nothing is registered after the farewell");
}

#[tokio::test]
async fn a_name_server_that_forgot_the_broker_gets_all_topics_at_once() {
    let mut server = FakeNameServer::start().await;
    let (subject, registration) = subject(&format!("namesrvAddr={}", server.address));
    run(&registration, &subject).await;
    server.registered().await;
    server.will_answer(ResponseCode::SYSTEM_ERROR, "register broker failed");
    subject.topics.put(vec![(topic("Orders"), TopicConfig::new("Orders", 4, 6))]).unwrap();
    assert_eq!(names(&server.registered().await), ["Orders"]);
    let all = server.registered().await;
    assert!(names(&all).contains(&"Orders") && names(&all).len() > 10);
}

#[tokio::test]
async fn a_name_server_that_missed_a_change_gets_all_topics_next() {
    let mut server = FakeNameServer::start().await;
    let (subject, registration) = subject(&format!("namesrvAddr={}", server.address));
    run(&registration, &subject).await;
    server.registered().await;
    for _ in 0..2 {
        server.will_answer(ResponseCode::SYSTEM_ERROR, "");
    }
    subject.topics.put(vec![(topic("One"), TopicConfig::new("One", 4, 6))]).unwrap();
    assert!(registration.settled(PATIENCE).await);
    assert_eq!(names(&server.registered().await), ["One"]);
    assert!(names(&server.registered().await).len() > 10);
    // Both were refused, so the next registration holds all, whether the pause or the next change brings it.
    subject.topics.put(vec![(topic("Two"), TopicConfig::new("Two", 4, 6))]).unwrap();
    assert!(names(&server.registered().await).contains(&"One"));
}

#[tokio::test]
async fn one_name_server_that_is_down_holds_up_no_other_and_is_found_when_it_comes() {
    // Its port is taken, so that nobody else gets it meanwhile, but nobody listens there yet.
    let down = tokio::net::TcpSocket::new_v4().unwrap();
    down.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = down.local_addr().unwrap();
    let mut up = FakeNameServer::start().await;
    let (subject, registration) = subject(&format!("namesrvAddr={address};{}", up.address));
    run(&registration, &subject).await;
    up.registered().await;
    let mut late = FakeNameServer::start_on(down.listen(16).unwrap());
    assert!(names(&late.registered().await).len() > 10);
    end(&registration, subject.as_ref()).await;
}

#[tokio::test]
async fn a_broker_that_may_not_be_written_has_no_topic_that_may() {
    for (text, expected) in [
        ("", [7, 6]),
        ("compressedRegister=true", [7, 6]),
        ("brokerPermission=4", [4, 4]),
        ("brokerPermission=4\ncompressedRegister=true", [4, 4]),
        ("brokerPermission=2", [2, 2]),
    ] {
        let mut server = FakeNameServer::start().await;
        let (subject, registration) = subject(&format!("namesrvAddr={}\n{text}", server.address));
        run(&registration, &subject).await;
        let command = server.next().await;
        assert_eq!(command.field("compressed"), Some(if text.contains("compressed") { "true" } else { "false" }));
        let table = body(&command).topic_config_serialize_wrapper.topic_config_table;
        assert_eq!([table["TBW102"].perm, table["BenchmarkTest"].perm], expected, "{text}");
    }
}

#[tokio::test]
async fn topics_that_a_name_server_calls_ordered_become_so() {
    let mut server = FakeNameServer::start().await;
    server.will_answer(ResponseCode::SUCCESS, r#"{"table":{"BenchmarkTest":"vm:4","Unknown":"vm:4"}}"#);
    let (subject, registration) = subject(&format!("namesrvAddr={}", server.address));
    run(&registration, &subject).await;
    server.registered().await;
    assert_eq!(names(&server.registered().await), ["BenchmarkTest"], "and the name server hears of it");
    assert!(subject.topics.find("BenchmarkTest").unwrap().order);
    assert!(subject.topics.find("Unknown").is_none());
}

#[tokio::test]
async fn without_force_a_name_server_is_asked_before_it_is_told_again() {
    let mut server = FakeNameServer::start().await;
    let (subject, registration) = subject(&format!("forceRegister=false\nnamesrvAddr={}", server.address));
    let shared = &registration.shared;
    let entry = &shared.servers[0];
    let mut link =
        Link { server: entry, client: &shared.client, knows_all: true, last_failure: None, retry: FIRST_RETRY };
    server.will_answer(ResponseCode::SUCCESS, "false");
    link.bring_up_to_date(subject.as_ref(), true).await;
    server.will_answer(ResponseCode::SUCCESS, "true");
    link.bring_up_to_date(subject.as_ref(), true).await;
    for expected in [QUERY_VERSION, QUERY_VERSION, REGISTER] {
        assert_eq!(server.next().await.code, expected);
    }
    link.bring_up_to_date(subject.as_ref(), false).await;
    assert!(server.asked.try_recv().is_err(), "a wake-up without news sends nothing");
}

#[test]
fn the_period_has_upstreams_limits() {
    for (given, seconds) in [(1, 10), (10_000, 10), (30_000, 30), (3_600_000, 60)] {
        let (subject, _) = subject(&format!("registerNameServerPeriod={given}"));
        assert_eq!(period(&subject.settings.read().broker), Duration::from_secs(seconds));
    }
}
