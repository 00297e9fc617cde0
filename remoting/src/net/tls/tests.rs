use std::fs::File;
use std::io::{Cursor, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use pkcs8::LineEnding;
use pkcs8::der::pem;
use pkcs8::pkcs5::pbes2;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::session::SESSION_MEMORY;
use super::*;
use crate::config::Config;
use crate::net::Budget;
use crate::net::client::{CallError, Client};
use crate::net::server::Server;
use crate::net::tests::{ECHO, FLOOD, LATER, read_command, request, start_with};
use crate::properties_file::Properties;

const SOON: Duration = Duration::from_secs(10);

fn settings(text: &str) -> TlsConfig {
    TlsConfig::from_properties(&Properties::parse("tls", text.as_bytes()).unwrap()).unwrap().0
}

fn start(text: &str) -> Server {
    let tls = ServerTls::new(&settings(text)).unwrap();
    start_with(16, Duration::from_secs(60), Arc::new(Budget::new(1 << 30)), tls)
}

fn client(text: &str) -> Client {
    Client::with_tls(Some(ClientTls::new(&settings(text)).unwrap()))
}

async fn connect(address: SocketAddr) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let config = ClientTls::new(&TlsConfig::default()).unwrap().config();
    TlsConnector::from(config).connect(ServerName::from(address.ip()), stream).await.unwrap()
}

async fn echoes(client: &Client, server: &Server) -> Result<(), CallError> {
    let answer = client.call(&server.address().to_string(), request(ECHO, b"x"), SOON).await?;
    assert_eq!(answer.body.as_ref(), b"x");
    Ok(())
}

/// Certificates in a folder.
struct Papers {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Papers {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let papers = Self { folder: tempfile::tempdir().unwrap(), issuer };
        papers.write("ca.pem", "CERTIFICATE", papers.issuer.der());
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, label: &str, der: &[u8]) {
        std::fs::write(self.path(name), pem::encode_string(label, LineEnding::LF, der).unwrap()).unwrap();
    }

    /// `NAME.pem` and `NAME.key`; the certificate as it is.
    fn issue(&self, name: &str) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["somewhere.else".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(&format!("{name}.pem"), "CERTIFICATE", certificate.der());
        self.write(&format!("{name}.key"), "PRIVATE KEY", &key.serialize_der());
        certificate.der().to_vec()
    }

    /// Settings of one end by the files of `name`.
    fn files(&self, end: &str, name: &str) -> String {
        let (key, certificate) = (self.path(&format!("{name}.key")), self.path(&format!("{name}.pem")));
        format!(
            "tls.test.mode.enable=false\ntls.{end}.keyPath={}\ntls.{end}.certPath={}\n",
            key.display(),
            certificate.display()
        )
    }

    fn trust(&self, end: &str, file: &str) -> String {
        let checks = if end == "server" { "authClient" } else { "authServer" };
        format!("tls.{end}.{checks}=true\ntls.{end}.trustCertPath={}\n", self.path(file).display())
    }
}

#[tokio::test]
async fn w13_the_mode_says_who_is_served() {
    for (mode, plain, by_tls) in
        [("", true, true), ("permissive", true, true), ("enforcing", false, true), ("disabled", true, false)]
    {
        let server = start(&format!("tls.server.mode={mode}"));
        for (client, is_served) in [(Client::new(), plain), (client(""), by_tls)] {
            assert_eq!(echoes(&client, &server).await.is_ok(), is_served, "{mode}, TLS {client:?}");
        }
        server.stop().await;
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn answers_of_all_kinds_and_sizes_come_by_tls() {
    let memory = Arc::new(Budget::new(1 << 30));
    let tls = ServerTls::new(&TlsConfig::default()).unwrap();
    let server = start_with(16, Duration::from_secs(60), memory.clone(), tls);
    let client = client("");
    for (code, length) in
        [(ECHO, 0), (LATER, 10), (ECHO, 16 * 1024), (LATER, 70_000), (ECHO, 4 << 20), (LATER, 4 << 20)]
    {
        let body: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let answer = client.call(&server.address().to_string(), request(code, &body), SOON).await.unwrap();
        assert!(answer.body == body, "{code} {length}");
    }
    assert!(memory.used() >= SESSION_MEMORY);
    server.stop().await;
    assert_eq!(memory.used(), 0);
}

#[tokio::test]
async fn pipelined_and_cut_frames_are_all_answered_by_tls() {
    let server = start("");
    let mut stream = connect(server.address()).await;
    let mut bytes = Vec::new();
    for opaque in 0..1000 {
        // Every third is answered from another thread.
        let mut command = request(if opaque % 3 == 0 { LATER } else { ECHO }, &[opaque as u8; 300]);
        command.opaque = opaque;
        command.write(&mut bytes);
    }
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let write = async {
        for cut in bytes.chunks(977) {
            writer.write_all(cut).await.unwrap();
        }
        writer.flush().await.unwrap();
    };
    let read = async {
        let (mut buffer, mut seen) = (Vec::new(), vec![false; 1000]);
        for _ in 0..1000 {
            let answer = read_command(&mut reader, &mut buffer).await.unwrap();
            assert_eq!(answer.body.as_ref(), [answer.opaque as u8; 300]);
            assert!(!std::mem::replace(&mut seen[answer.opaque as usize], true));
        }
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn a_peer_by_tls_that_does_not_read_is_not_read_from_and_harms_nobody() {
    let server = start("");
    let mut deaf = connect(server.address()).await;
    let mut bytes = Vec::new();
    for opaque in 0..64 {
        let mut command = request(FLOOD, b"");
        command.opaque = opaque;
        command.write(&mut bytes);
    }
    deaf.write_all(&bytes).await.unwrap();
    deaf.flush().await.unwrap();
    echoes(&client(""), &server).await.unwrap();
    echoes(&Client::new(), &server).await.unwrap();
    // When it reads at last, every answer is there.
    let mut buffer = Vec::new();
    for opaque in 0..64 {
        let answer = read_command(&mut deaf, &mut buffer).await.unwrap();
        assert_eq!((answer.opaque, answer.body.len()), (opaque, 1 << 20));
    }
}

/// Reads to the end, whatever kind of end it is.
async fn until_end(stream: &mut TcpStream) {
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test]
async fn w13_garbage_and_slow_handshakes_close_only_their_connection() {
    let tls = ServerTls::with_handshake_time(&TlsConfig::default(), Duration::from_millis(300)).unwrap();
    let memory = Arc::new(Budget::new(1 << 30));
    let server = start_with(16, Duration::from_secs(60), memory.clone(), tls);
    let good = client("");
    echoes(&good, &server).await.unwrap();
    let record = |body: &[u8]| [&[0x16, 3, 1, 0, body.len() as u8], body].concat();
    for garbage in [
        vec![0x16; 64],
        record(&[1, 0, 0, 1, 0]),
        record(&[0xff; 200]),
        [&[0x16, 3, 3, 0xff, 0xff][..], &[0; 70_000]].concat(),
    ] {
        let mut bad = TcpStream::connect(server.address()).await.unwrap();
        let _ = bad.write_all(&garbage).await;
        until_end(&mut bad).await;
    }
    // A first byte and nothing more, and a hello that never ends.
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    silent.write_all(&[0x16]).await.unwrap();
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let began = std::time::Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let drip = async {
        let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc][..], &[0; 500]].concat();
        let (mut reader, mut writer) = slow.split();
        let mut seen = [0; 64];
        for byte in hello {
            tokio::select! {
                _ = tick.tick() => if writer.write_all(&[byte]).await.is_err() { return },
                // An alert is no end.
                read = reader.read(&mut seen) => if !read.is_ok_and(|count| count > 0) { return },
            }
        }
        panic!("a handshake went on for {:?}", began.elapsed());
    };
    tokio::join!(until_end(&mut silent), drip);
    echoes(&good, &server).await.unwrap();
    server.stop().await;
    assert_eq!((server.connections(), memory.used()), (0, 0));
}

#[tokio::test]
async fn w13_handshakes_count_among_connections_and_in_their_memory() {
    let tls = ServerTls::new(&TlsConfig::default()).unwrap();
    let server = start_with(16, Duration::from_secs(60), Arc::new(Budget::new(SESSION_MEMORY)), tls);
    let mut half = TcpStream::connect(server.address()).await.unwrap();
    half.write_all(&[0x16]).await.unwrap();
    // There is no room for a session beside the buffer it is read into.
    until_end(&mut half).await;

    let tls = ServerTls::new(&TlsConfig::default()).unwrap();
    let server = start_with(1, Duration::from_secs(60), Arc::new(Budget::new(1 << 30)), tls);
    let mut half = TcpStream::connect(server.address()).await.unwrap();
    half.write_all(&[0x16]).await.unwrap();
    let mut other = TcpStream::connect(server.address()).await.unwrap();
    until_end(&mut other).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_end_is_said() {
    let server = start("");
    let mut stream = connect(server.address()).await;
    stream.write_all(b"no frame at all, by any codec").await.unwrap();
    // Without close_notify this would be an error of kind UnexpectedEof.
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn clients_show_what_is_asked_of_them() {
    let (papers, others) = (Papers::new(), Papers::new());
    papers.issue("server");
    papers.issue("client");
    others.issue("stranger");
    let none = String::new();
    let (own, stranger) = (papers.files("client", "client"), others.files("client", "stranger"));
    let trusting = papers.trust("server", "ca.pem");
    for (auth, trust, client_files, is_served) in [
        ("none", &trusting, &none, true),
        ("optional", &trusting, &none, true),
        ("optional", &trusting, &own, true),
        ("optional", &trusting, &stranger, false),
        ("require", &trusting, &none, false),
        ("require", &trusting, &own, true),
        ("require", &trusting, &stranger, false),
        ("require", &none, &none, false),
        ("require", &none, &stranger, true),
    ] {
        let text = format!("{}{trust}tls.server.need.client.auth={auth}\n", papers.files("server", "server"));
        let server = start(&text);
        let result = echoes(&client(client_files), &server).await;
        assert_eq!(result.is_ok(), is_served, "{auth} {trust:?} {client_files:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_client_that_checks_takes_only_issued_servers() {
    let (papers, others) = (Papers::new(), Papers::new());
    papers.issue("server");
    let server = start(&papers.files("server", "server"));
    let checking =
        |papers: &Papers| client(&format!("tls.test.mode.enable=false\n{}", papers.trust("client", "ca.pem")));
    // The certificate is of another name: brokers are called by their address.
    echoes(&checking(&papers), &server).await.unwrap();
    let refused = echoes(&checking(&others), &server).await.unwrap_err().to_string();
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    echoes(&client("tls.test.mode.enable=false"), &server).await.unwrap();
}

/// The certificate that a new connection is shown.
async fn shown(server: &Server) -> Vec<u8> {
    let stream = connect(server.address()).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Puts the last write of a file at a time of its own.
fn touch(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let papers = Papers::new();
    let first = papers.issue("server");
    let tls = ServerTls::new(&settings(&papers.files("server", "server"))).unwrap();
    let server = start_with(16, Duration::from_secs(60), Arc::new(Budget::new(1 << 30)), tls.clone());
    let lasting = client("");
    echoes(&lasting, &server).await.unwrap();
    assert_eq!(shown(&server).await, first);

    let second = papers.issue("server");
    touch(&papers.path("server.pem"), 1);
    tls.read_changes();
    assert_eq!(shown(&server).await, second);

    for (seconds, text) in [(2, "-----BEGIN CERTIFICATE-----\nx\n"), (3, "")] {
        std::fs::write(papers.path("server.pem"), text).unwrap();
        touch(&papers.path("server.pem"), seconds);
        tls.read_changes();
        assert_eq!(shown(&server).await, second);
    }
    std::fs::remove_file(papers.path("server.key")).unwrap();
    tls.read_changes();
    assert_eq!(shown(&server).await, second);

    let third = papers.issue("server");
    touch(&papers.path("server.key"), 4);
    tls.read_changes();
    assert_eq!(shown(&server).await, third);
    echoes(&lasting, &server).await.unwrap();
}

#[test]
fn files_that_cannot_be_used_stop_the_start() {
    let (papers, others) = (Papers::new(), Papers::new());
    papers.issue("server");
    others.issue("server");
    std::fs::copy(others.path("server.key"), papers.path("other.key")).unwrap();
    std::fs::copy(papers.path("server.pem"), papers.path("other.pem")).unwrap();
    std::fs::copy(papers.path("server.pem"), papers.path("locked.pem")).unwrap();
    let key = std::fs::read(papers.path("server.key")).unwrap();
    let (_, key) = pkcs8::SecretDocument::from_pem(str::from_utf8(&key).unwrap()).unwrap();
    let key = pkcs8::PrivateKeyInfo::try_from(key.as_bytes()).unwrap();
    let how = pbes2::Parameters::pbkdf2_sha256_aes256cbc(2048, b"saltsalt", &[7; 16]).unwrap();
    let locked = key.encrypt_with_params(how, "123456").unwrap();
    papers.write("locked.key", "ENCRYPTED PRIVATE KEY", locked.as_bytes());
    let locked = papers.files("server", "locked");
    ServerTls::new(&settings(&format!("{locked}tls.server.keyPassword=123456\n"))).unwrap();

    let good = papers.files("server", "server");
    for (text, expected) in [
        ("tls.test.mode.enable=false".to_owned(), "needs tls.server.keyPath"),
        ("tls.test.mode.enable=false\ntls.server.keyPath=/x".to_owned(), "needs tls.server.certPath"),
        (papers.files("server", "absent"), "cannot be read: No such file"),
        (papers.files("server", "other"), "does not belong to the certificate"),
        (papers.files("server", "server").replace("/server.key", "/server.pem"), "holds no private key"),
        (papers.files("server", "server").replace("/server.pem", "/server.key"), "holds no certificate"),
        (locked.clone(), "no password is set"),
        (format!("{locked}tls.server.keyPassword=wrong"), "check its keyPassword; decrypt it with `openssl pkcs8"),
        (
            format!("{good}tls.server.authClient=true\ntls.server.need.client.auth=require"),
            "tls.server.authClient=true needs tls.server.trustCertPath",
        ),
    ] {
        let error = ServerTls::new(&settings(&text)).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        // A server that takes nobody by TLS does not mind.
        ServerTls::new(&settings(&format!("{text}\ntls.server.mode=disabled"))).unwrap();
    }
    let error = ClientTls::new(&settings("tls.test.mode.enable=false\ntls.client.authServer=true")).unwrap_err();
    assert!(error.to_string().contains("tls.client.trustCertPath"), "{error}");
}

/// A session and its client, in memory, after the handshake.
fn shaken() -> (session::TlsSession, ClientConnection) {
    let tls = ServerTls::new(&TlsConfig::default()).unwrap();
    let mut session = tls.session().unwrap();
    let config = ClientTls::new(&TlsConfig::default()).unwrap().config();
    let mut client = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    client.set_buffer_limit(None);
    while client.is_handshaking() || client.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut room = vec![0; bytes.len()];
        assert_eq!(session.receive(&bytes, &mut room).unwrap().plain, 0);
        bytes.clear();
        session.drain(&mut bytes);
        let mut bytes = Cursor::new(bytes);
        while client.read_tls(&mut bytes).unwrap() > 0 {
            client.process_new_packets().unwrap();
        }
    }
    (session, client)
}

#[test]
fn plaintext_survives_any_cut_and_any_room() {
    for (seed, most) in [(1, 64), (2, 5000), (3, 16 * 1024), (4, 60_000)] {
        let (mut session, mut client) = shaken();
        let mut random: u64 = seed;
        let mut next = |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1 + (random >> 33) as usize % limit
        };
        let sent: Vec<u8> = (0..300_000u32).map(|index| (index % 253) as u8).collect();
        let mut rest = &sent[..];
        let mut cipher = Vec::new();
        while !rest.is_empty() {
            let (record, tail) = rest.split_at(next(most).min(rest.len()));
            client.writer().write_all(record).unwrap();
            while client.wants_write() {
                client.write_tls(&mut cipher).unwrap();
            }
            rest = tail;
        }
        client.send_close_notify();
        client.write_tls(&mut cipher).unwrap();
        let (mut got, mut unread, mut is_end, mut has_more) = (Vec::new(), &cipher[..], false, false);
        while !is_end {
            let mut room = vec![0; next(most)];
            let count = if has_more { 0 } else { room.len().min(unread.len()) };
            let (cut, tail) = unread.split_at(count);
            let received = session.receive(cut, &mut room).unwrap();
            got.extend_from_slice(&room[..received.plain]);
            (unread, is_end, has_more) = (tail, received.is_end, received.has_more);
        }
        assert!(got == sent, "seed {seed}");
        assert!(unread.is_empty());
    }
}
