//! A whole broker on free ports, and clients that speak raw frames to it.

pub(crate) mod messages;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::code::{Language, ResponseCode, VERSION};
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::config::Machine;
use boostermq_remoting::frame::{HeaderCodec, Split, split};
use boostermq_remoting::header::HeaderScratch;
use boostermq_remoting::properties_file::Properties;
use boostermq_store::clock::{Clock, ManualClock, SystemClock};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::broker::{Broker, Running};
use crate::config::Settings;
use crate::config::tests::machine;

/// How long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(80);

/// A running broker; its store goes with it.
pub(crate) struct TestBroker {
    running: Running,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

impl TestBroker {
    /// Starts a broker with these settings.
    pub(crate) async fn start(keys: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), keys).await
    }

    /// Stops it cleanly and starts another one with its store, on another port.
    pub(crate) async fn restart(self, keys: &[(&str, &str)]) -> Self {
        self.restart_by(Arc::new(SystemClock), keys).await
    }

    /// As [`TestBroker::restart`], by another clock.
    pub(crate) async fn restart_by(self, clock: Arc<dyn Clock>, keys: &[(&str, &str)]) -> Self {
        self.running.stop().await.unwrap();
        Self::start_by(clock, self.dir, keys).await
    }

    /// A broker whose time goes on only when the test says so: what is delayed waits, however slow the machine is.
    pub(crate) async fn start_timeless(keys: &[(&str, &str)]) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
        (Self::start_by(clock.clone(), tempfile::tempdir().unwrap(), keys).await, clock)
    }

    /// Starts a broker whose store is in a folder that may hold one already; a `broker.conf` there is the file that it was started
    /// with.
    pub(crate) async fn start_in(dir: tempfile::TempDir, keys: &[(&str, &str)]) -> Self {
        Self::start_by(Arc::new(SystemClock), dir, keys).await
    }

    /// As [`TestBroker::start_in`], by another clock.
    pub(crate) async fn start_by(clock: Arc<dyn Clock>, dir: tempfile::TempDir, keys: &[(&str, &str)]) -> Self {
        // Between finding a port and binding it another process may take it.
        for _ in 0..20 {
            let port = free_port();
            let machine = Machine {
                host_name: None,
                address: Ipv4Addr::LOCALHOST,
                home: dir.path().to_owned(),
                cpus: 1,
                ..machine()
            };
            let file = dir.path().join("broker.conf");
            let text = std::fs::read(&file).ok();
            let source = if text.is_some() { file.display().to_string() } else { String::new() };
            let mut given = Properties::parse(&source, &text.unwrap_or_default()).unwrap();
            let small = [
                ("bindAddress", "127.0.0.1"),
                ("brokerName", "broker-t"),
                ("mappedFileSizeCommitLog", "1048576"),
                ("mappedFileSizeConsumeQueue", "2000"),
                ("maxHashSlotNum", "500"),
                ("maxIndexNum", "2000"),
            ];
            for (key, value) in small.iter().chain(keys) {
                given.insert(*key, *value);
            }
            given.insert("listenPort", port.to_string());
            given.insert("storePathRootDir", dir.path().join("store").display().to_string());
            let (settings, _) = Settings::read(given, &machine).unwrap();
            match Broker::start_by(settings, clock.clone()).await {
                Ok(running) => return Self { running, address: (Ipv4Addr::LOCALHOST, port).into(), dir },
                Err(error) if error.to_string().contains("taken") => {}
                Err(error) => panic!("{error:#}"),
            }
        }
        panic!("no free ports");
    }

    /// The folder of its store and its configuration file.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Its parts.
    pub(crate) fn broker(&self) -> &Arc<Broker> {
        self.running.broker()
    }

    /// Its address for clients.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> TestClient {
        Self::connect_to(self.address).await
    }

    /// A new connection to the fast port.
    pub(crate) async fn connect_fast(&self) -> TestClient {
        Self::connect_to((self.address.ip(), self.address.port() - 2).into()).await
    }

    async fn connect_to(address: SocketAddr) -> TestClient {
        let stream = TcpStream::connect(address).await.unwrap();
        TestClient { stream, read: Vec::new(), pushed: VecDeque::new(), next_opaque: 1 }
    }

    /// Waits until everything stored is in the queues and in the index.
    pub(crate) async fn dispatched(&self) {
        let store = &self.broker().store;
        while store.dispatched_offset() < store.max_physical_offset() {
            store.dispatch_now();
            tokio::task::yield_now().await;
        }
    }

    /// Stops it cleanly.
    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
        drop(self.dir);
    }
}

/// A port with a free one two below.
fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port > 1024 && TcpListener::bind((Ipv4Addr::LOCALHOST, port - 2)).is_ok() {
            return port;
        }
    }
}

/// One connection to a broker.
pub(crate) struct TestClient {
    stream: TcpStream,
    read: Vec<u8>,
    pushed: VecDeque<RemotingCommand>,
    next_opaque: i32,
}

impl TestClient {
    /// Asks and waits for the answer; what the broker asks meanwhile is kept.
    pub(crate) async fn ask(&mut self, code: i32, fields: &[(&'static str, &str)], body: &str) -> RemotingCommand {
        let opaque = self.send(code, fields, body).await;
        let answer = self.next_answer().await;
        assert_eq!(answer.opaque, opaque);
        answer
    }

    /// The next answer; what the broker asks meanwhile is kept.
    pub(crate) async fn next_answer(&mut self) -> RemotingCommand {
        loop {
            let command = self.command().await;
            if command.is_response() {
                return command;
            }
            self.pushed.push_back(command);
        }
    }

    /// [`TestClient::ask`] for something that must succeed; the body as text.
    #[track_caller]
    pub(crate) fn ask_ok(
        &mut self,
        code: i32,
        fields: &[(&'static str, &str)],
        body: &str,
    ) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.ask(code, fields, body).await;
            assert_eq!(answer.response_code(), ResponseCode::SUCCESS, "{caller}: {:?}", answer.remark);
            String::from_utf8(answer.body.to_vec()).unwrap()
        }
    }

    /// [`TestClient::ask`] with a command that may be as unusual as it likes; its opaque is set here.
    pub(crate) async fn ask_command(&mut self, mut command: RemotingCommand) -> RemotingCommand {
        let opaque = self.put(&mut [&mut command]).await;
        let answer = self.next_answer().await;
        assert_eq!(answer.opaque, opaque);
        answer
    }

    /// Asks without waiting; returns the opaque.
    pub(crate) async fn send(&mut self, code: i32, fields: &[(&'static str, &str)], body: &str) -> i32 {
        self.put(&mut [&mut request(code, fields, body.as_bytes())]).await
    }

    /// Asks several things in one write, numbered one after the other; returns the last number.
    pub(crate) async fn put(&mut self, commands: &mut [&mut RemotingCommand]) -> i32 {
        let mut bytes = Vec::new();
        for command in commands {
            command.opaque = self.next_opaque;
            self.next_opaque += 1;
            command.write(&mut bytes);
        }
        self.stream.write_all(&bytes).await.unwrap();
        self.next_opaque - 1
    }

    /// The next request of the broker.
    pub(crate) async fn pushed(&mut self) -> RemotingCommand {
        if let Some(pushed) = self.pushed.pop_front() {
            return pushed;
        }
        let command = self.command().await;
        assert!(!command.is_response(), "{command:?}");
        command
    }

    /// Answers a request of the broker.
    pub(crate) async fn answer(&mut self, question: &RemotingCommand, remark: &str, body: &str) {
        let mut answer = RemotingCommand::answer(ResponseCode::SUCCESS, question.opaque);
        answer.remark = Some(remark.to_owned());
        answer.body = body.as_bytes().to_vec().into();
        self.write(&answer).await;
    }

    /// Refuses a request of the broker.
    pub(crate) async fn refuse(&mut self, question: &RemotingCommand, code: i32, remark: &str) {
        let mut answer = RemotingCommand::answer(ResponseCode(code), question.opaque);
        answer.remark = Some(remark.to_owned());
        self.write(&answer).await;
    }

    /// Waits until the broker has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("still open");
    }

    async fn write(&mut self, command: &RemotingCommand) {
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn command(&mut self) -> RemotingCommand {
        loop {
            if let Split::Whole(frame, used) = split(&self.read).unwrap() {
                let command = RemotingCommand::from_frame(&frame, &mut HeaderScratch::default()).unwrap();
                self.read.drain(..used);
                return command;
            }
            let read = self.stream.read_buf(&mut self.read);
            let count = tokio::time::timeout(PATIENCE, read).await.expect("the broker says nothing").unwrap();
            assert_ne!(count, 0, "the broker closed the connection");
        }
    }
}

/// A request; its opaque is set when it is asked.
pub(crate) fn request(code: i32, fields: &[(&'static str, &str)], body: &[u8]) -> RemotingCommand {
    RemotingCommand {
        code,
        language: Language::JAVA,
        version: VERSION,
        opaque: 0,
        flag: 0,
        remark: None,
        fields: fields.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect(),
        body: body.to_vec().into(),
        codec: HeaderCodec::Json,
    }
}

/// The body of a heartbeat with one consumer group that wants these topics, and one producer group.
pub(crate) fn heartbeat(client: &str, group: &str, model: &str, topics: &[&str]) -> String {
    let subscription = |topic: &&str| {
        json!({
            "topic": topic, "subString": "*", "subVersion": 1, "expressionType": "TAG", "tagsSet": [], "codeSet": [],
        })
    };
    json!({
        "clientID": client,
        "consumerDataSet": [{
            "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
            "consumeType": "CONSUME_PASSIVELY",
            "groupName": group,
            "messageModel": model,
            "subscriptionDataSet": topics.iter().map(subscription).collect::<Vec<_>>(),
            "unitMode": false,
        }],
        "heartbeatFingerprint": 0,
        "producerDataSet": [{"groupName": format!("{group}_p")}],
        "withoutSub": false,
    })
    .to_string()
}
