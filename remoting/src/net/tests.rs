use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Budget;
use super::client::{CallError, Client};
use super::connection::{Connection, Port};
use super::outbox::Outbox;
use super::server::{Incoming, Server, ServerLimits, Service, bind, serve};
use super::threads::NetworkThreads;
use super::tls::ServerTls;
use crate::code::{RequestCode, ResponseCode, version};
use crate::command::RemotingCommand;
use crate::config::TlsConfig;
use crate::frame::{HeaderCodec, Split, split};
use crate::header::HeaderScratch;
use crate::request::NoHeader;
use crate::router::{Question, Response};

pub(super) const ECHO: i32 = 1;
pub(super) const LATER: i32 = 2;
const ASK_BACK: i32 = 3;
pub(super) const FLOOD: i32 = 4;

/// Answers with the body it was sent.
struct Echo;

impl Service for Echo {
    type Session = ();
    fn open(self: &Arc<Self>, _: &Arc<Connection>) {}
    fn request(self: &Arc<Self>, (): &mut (), incoming: &Incoming<'_>, out: &mut Outbox) {
        let question = Question::of(incoming);
        let body = Bytes::copy_from_slice(incoming.frame.body);
        match incoming.header.code {
            ECHO => Response::success().body(body).write(&question, out),
            FLOOD => Response::success().body(vec![7; 1 << 20]).write(&question, out),
            LATER => {
                let connection = incoming.connection.clone();
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    connection.send(|out| Response::success().body(body).write(&question, out));
                });
            }
            _ => {
                let connection = incoming.connection.clone();
                tokio::spawn(async move {
                    let asked = RemotingCommand::request(RequestCode(40), &NoHeader {}, body);
                    let answer = connection.invoke(asked, Duration::from_secs(60)).await;
                    let body = answer.map(|answer| answer.body).unwrap_or_default();
                    connection.send(|out| Response::success().body(body).write(&question, out));
                });
            }
        }
    }
    fn end_of_read(self: &Arc<Self>, (): &mut (), _: &Arc<Connection>, _: &mut Outbox) {}
    fn written(self: &Arc<Self>, (): &mut ()) {}
    fn close(self: &Arc<Self>, (): (), _: &Arc<Connection>) {}
}

fn start(connections: usize, idle: Duration, memory: usize) -> Server {
    let memory = Arc::new(Budget::new(memory));
    start_with(connections, idle, memory, ServerTls::new(&TlsConfig::default()).unwrap())
}

pub(super) fn start_with(connections: usize, idle: Duration, memory: Arc<Budget>, tls: Arc<ServerTls>) -> Server {
    let listener = bind(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let limits = ServerLimits {
        connections: Arc::new(Budget::new(connections)),
        idle,
        unwritten: 64 << 20,
        memory,
        threads: NetworkThreads::start(2).unwrap(),
        tls,
    };
    serve(listener, Port::Main, Arc::new(Echo), limits).unwrap()
}

pub(super) fn request(code: i32, body: &[u8]) -> RemotingCommand {
    RemotingCommand::request(RequestCode(code), &NoHeader {}, Bytes::copy_from_slice(body))
}

pub(super) async fn read_command(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<RemotingCommand> {
    loop {
        if let Split::Whole(frame, used) = split(buffer).unwrap() {
            let command = RemotingCommand::from_frame(&frame, &mut HeaderScratch::default()).unwrap();
            buffer.drain(..used);
            return Some(command);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

#[tokio::test]
async fn answers_come_at_once_and_later_in_the_codec_of_the_question() {
    let server = start(8, Duration::from_secs(60), 1 << 30);
    let client = Client::new();
    let address = server.address().to_string();
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        for (code, length) in [(ECHO, 0), (LATER, 10), (ECHO, 3 << 20)] {
            let body = vec![b'x'; length];
            let mut command = request(code, &body);
            command.codec = codec;
            let answer = client.call(&address, command, Duration::from_secs(60)).await.unwrap();
            assert_eq!((answer.code, answer.codec, answer.body.len()), (0, codec, length));
        }
    }
    server.stop().await;
    assert_eq!(server.connections(), 0);
    assert!(matches!(
        client.call(&address, request(ECHO, b""), Duration::from_secs(60)).await,
        Err(CallError::Connect { .. } | CallError::Broken { .. })
    ));
}

#[tokio::test]
async fn pipelined_and_cut_frames_are_all_answered() {
    let server = start(8, Duration::from_secs(60), 1 << 30);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let mut bytes = Vec::new();
    for opaque in 0..100 {
        let mut command = request(ECHO, &[opaque as u8; 700]);
        command.opaque = opaque;
        command.write(&mut bytes);
    }
    for cut in bytes.chunks(977) {
        stream.write_all(cut).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut buffer = Vec::new();
    for opaque in 0..100 {
        let answer = read_command(&mut stream, &mut buffer).await.unwrap();
        assert_eq!((answer.opaque, answer.body.as_ref()), (opaque, &[opaque as u8; 700][..]));
    }
}

#[tokio::test]
async fn a_server_asks_its_client_and_takes_the_answer() {
    let server = start(8, Duration::from_secs(60), 1 << 30);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let mut bytes = Vec::new();
    let mut command = request(ASK_BACK, b"ping");
    command.opaque = 77;
    command.write(&mut bytes);
    stream.write_all(&bytes).await.unwrap();
    let mut buffer = Vec::new();
    let asked = read_command(&mut stream, &mut buffer).await.unwrap();
    assert_eq!((asked.code, asked.is_response(), asked.body.as_ref()), (40, false, &b"ping"[..]));
    let mut answer = RemotingCommand::answer(ResponseCode::SUCCESS, asked.opaque);
    answer.body = Bytes::from_static(b"pong");
    bytes.clear();
    answer.write(&mut bytes);
    stream.write_all(&bytes).await.unwrap();
    let last = read_command(&mut stream, &mut buffer).await.unwrap();
    assert_eq!((last.opaque, last.body.as_ref()), (77, &b"pong"[..]));
}

#[tokio::test]
async fn a_broken_frame_closes_only_its_connection_and_what_came_before_is_answered() {
    let server = start(8, Duration::from_secs(60), 1 << 30);
    let mut good = TcpStream::connect(server.address()).await.unwrap();
    for garbage in [&[0xff; 16][..], b"\x00\x00\x00\x0a\x00\x00\x00\x06{\"bad\"", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut bad = TcpStream::connect(server.address()).await.unwrap();
        let mut bytes = Vec::new();
        request(ECHO, b"before").write(&mut bytes);
        bytes.extend_from_slice(garbage);
        bad.write_all(&bytes).await.unwrap();
        let mut buffer = Vec::new();
        assert_eq!(read_command(&mut bad, &mut buffer).await.unwrap().body.as_ref(), b"before");
        assert!(read_command(&mut bad, &mut buffer).await.is_none());
    }
    let mut bytes = Vec::new();
    request(ECHO, b"still here").write(&mut bytes);
    good.write_all(&bytes).await.unwrap();
    assert_eq!(read_command(&mut good, &mut Vec::new()).await.unwrap().body.as_ref(), b"still here");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_read_from_and_harms_nobody() {
    let server = start(8, Duration::from_secs(60), 1 << 30);
    let mut deaf = TcpStream::connect(server.address()).await.unwrap();
    let mut bytes = Vec::new();
    for opaque in 0..64 {
        let mut command = request(FLOOD, b"");
        command.opaque = opaque;
        command.write(&mut bytes);
    }
    deaf.write_all(&bytes).await.unwrap();
    let client = Client::new();
    let answer = client.call(&server.address().to_string(), request(ECHO, b"x"), Duration::from_secs(60)).await;
    assert_eq!(answer.unwrap().body.as_ref(), b"x");
    // When it reads at last, every answer is there.
    let mut buffer = Vec::new();
    for opaque in 0..64 {
        let answer = read_command(&mut deaf, &mut buffer).await.unwrap();
        assert_eq!((answer.opaque, answer.body.len()), (opaque, 1 << 20));
    }
}

#[tokio::test]
async fn limits_close_connections() {
    let server = start(1, Duration::from_secs(600), 64 * 1024);
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    let mut bytes = Vec::new();
    request(ECHO, b"").write(&mut bytes);
    first.write_all(&bytes).await.unwrap();
    read_command(&mut first, &mut Vec::new()).await.unwrap();
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(second.read(&mut [0; 1]).await.unwrap_or(0), 0, "a connection over the limit is closed");
    first.write_all(&bytes).await.unwrap();
    assert!(read_command(&mut first, &mut Vec::new()).await.is_some(), "the first is still served");

    let server = start(1, Duration::from_millis(50), 64 * 1024);
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0, "an idle connection is closed");

    let server = start(4, Duration::from_secs(60), 64 * 1024);
    let mut greedy = TcpStream::connect(server.address()).await.unwrap();
    bytes.clear();
    request(ECHO, &vec![0; 1 << 20]).write(&mut bytes);
    let _ = greedy.write_all(&bytes).await;
    assert_eq!(greedy.read(&mut [0; 1]).await.unwrap_or(0), 0, "a frame over the memory budget closes its connection");
}

#[test]
fn an_outbox_keeps_its_order_through_any_cut() {
    for cut in [1, 7, 513, 4096] {
        let (mut out, mut other, mut expected) = (Outbox::default(), Outbox::default(), Vec::new());
        for (round, length) in [0, 10, 600, 511, 512, 5000].into_iter().enumerate() {
            let target = if round % 2 == 0 { &mut out } else { &mut other };
            let response = Response::success().body(vec![round as u8; length]);
            let question = Question { code: 0, opaque: round as i32, codec: HeaderCodec::Json, one_way: false };
            response.clone().write(&question, target);
            if round % 2 == 1 {
                out.append(&mut other);
            }
            let mut command = RemotingCommand::answer(ResponseCode::SUCCESS, round as i32);
            command.body = response.body.concat().into();
            command.write(&mut expected);
        }
        let mut got = Vec::new();
        out.write_with(|slices| {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = all.len().min(cut);
            got.extend_from_slice(&all[..taken]);
            Ok(taken)
        })
        .unwrap();
        assert!(out.is_empty());
        assert_eq!(got, expected, "cut {cut}");
    }
}

#[tokio::test]
async fn the_address_for_all_takes_peers_of_both_kinds() {
    let listener = bind(([0, 0, 0, 0], 0).into(), 16).unwrap();
    let port = listener.local_addr().unwrap().port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(TcpStream::connect(("::1", port)).await.is_ok(), has_ipv6);
    assert!(bind(([0, 0, 0, 0], port).into(), 16).unwrap_err().to_string().contains("taken"));
    let loopback = bind(([127, 0, 0, 1], 0).into(), 16).unwrap();
    assert!(loopback.local_addr().unwrap().is_ipv4());
}

#[tokio::test]
async fn a_server_that_leaves_sends_away_who_understands_it() {
    let server = start(8, Duration::from_secs(60), 1 << 30);
    let client = Client::new();
    let address = server.address().to_string();
    server.leave();
    for (version, code) in [(version::V5_3_1, 0), (version::V5_3_1 + 1, 1500), (crate::code::VERSION, 1500)] {
        let mut command = request(ECHO, b"x");
        command.version = version;
        let answer = client.call(&address, command, Duration::from_secs(60)).await.unwrap();
        assert_eq!(answer.code, code, "{version}");
    }
    server.stop().await;
}
