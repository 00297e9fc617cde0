//! Accepts connections and runs one task for each.
//!
//! The task reads what the socket has, hands every whole frame in it to the [`Service`], and writes all answers
//! in one vectored write. Answers that come later reach it through [`Connection::send`]. It stops reading from a
//! peer that does not read its answers. Upstream: `NettyRemotingServer` (RocketMQ 5.5.0).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Budget;
use super::connection::{Connection, ConnectionId, Port};
use super::outbox::Outbox;
use super::threads::NetworkThreads;
use super::tls::session::SESSION_MEMORY;
use super::tls::{self, ServerTls, TlsError};
use crate::code::{ResponseCode, version};
use crate::command::RemotingCommand;
use crate::config::TlsMode;
use crate::frame::{FRAME_PREFIX_LENGTH, Frame, Split, split};
use crate::header::{HeaderScratch, HeaderView, decode};
use crate::router::{Question, Response};

/// Bytes a new connection may read at once; doubled while the socket has more.
const READ_BUFFER_START: usize = 8 * 1024;
/// Bytes a connection reads at once at most, frames longer than this excepted.
const READ_BUFFER_FULL: usize = 256 * 1024;
/// Encrypted bytes that a connection reads at once. They stand on the stack: an idle connection has none.
const TLS_READ: usize = 16 * 1024;
/// A connection with more unwritten answers than this is not read from.
const READ_PAUSE: usize = 4 * 1024 * 1024;
/// How long a stopping server lets its connections write their last answers.
const LINGER: Duration = Duration::from_secs(2);

/// Limits of a server.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections at once; further ones are closed as they come. Servers that share it count together.
    pub connections: Arc<Budget>,
    /// A connection with neither reads nor writes for this long is closed.
    pub idle: Duration,
    /// Unwritten answers of one connection, in bytes; more closes it.
    pub unwritten: usize,
    /// What all connections hold in buffers.
    pub memory: Arc<Budget>,
    /// Who serves them.
    pub threads: Arc<NetworkThreads>,
    /// Which of them may come by TLS, or must.
    pub tls: Arc<ServerTls>,
}

/// One request as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The connection it came by.
    pub connection: &'a Arc<Connection>,
    /// Its header.
    pub header: &'a HeaderView<'a>,
    /// Its frame: codec and body.
    pub frame: &'a Frame<'a>,
}

/// What a server does with requests.
pub trait Service: Send + Sync + 'static {
    /// What it keeps for a connection.
    type Session: Send;
    /// A connection was accepted.
    fn open(self: &Arc<Self>, connection: &Arc<Connection>) -> Self::Session;
    /// A request arrived. Answers that are ready go into `out`; the connection keeps reading whatever happens.
    fn request(self: &Arc<Self>, session: &mut Self::Session, incoming: &Incoming<'_>, out: &mut Outbox);
    /// The last whole frame of one read has been handed over.
    fn end_of_read(self: &Arc<Self>, session: &mut Self::Session, connection: &Arc<Connection>, out: &mut Outbox);
    /// The answers of one read are with the kernel, or wait for the peer.
    fn written(self: &Arc<Self>, session: &mut Self::Session);
    /// The connection is gone.
    fn close(self: &Arc<Self>, session: Self::Session, connection: &Arc<Connection>);
}

/// A bound and listening server; dropping it does not stop its tasks, [`Server::stop`] does.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    open: Arc<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    count: AtomicUsize,
    none: Notify,
    /// Clients that understand it are sent away.
    leaving: AtomicBool,
    complaints: Complaints,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Binds a listening socket. 0.0.0.0 stands for every address of the machine, those of IPv6 too, as it does to a JVM.
///
/// # Errors
/// An error whose text names the address and the usual cause.
pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let listen = |address: SocketAddr| {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog.min(i32::MAX as u32) as i32)?;
        TcpListener::from_std(socket.into())
    };
    let listening = if address.ip() == Ipv4Addr::UNSPECIFIED {
        match listen((Ipv6Addr::UNSPECIFIED, address.port()).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            // A machine without IPv6.
            Err(_) => listen(address),
            bound => bound,
        }
    } else {
        listen(address)
    };
    listening.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => io::Error::new(
            error.kind(),
            format!("{address} is taken by another process; stop it or choose another listenPort"),
        ),
        io::ErrorKind::AddrNotAvailable => {
            io::Error::new(error.kind(), format!("{address} is no address of this machine; correct bindAddress"))
        }
        _ => io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")),
    })
}

/// Serves `listener` until [`Server::stop`].
///
/// # Errors
/// When the listener's own address cannot be read.
pub fn serve<S: Service>(
    listener: TcpListener,
    port: Port,
    service: Arc<S>,
    limits: ServerLimits,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let open = Arc::new(OpenConnections::default());
    tokio::spawn(accept(listener, port, service, limits, stopped, open.clone()));
    Ok(Server { address, stop, open })
}

impl Server {
    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.count.load(Ordering::Relaxed)
    }

    /// From now on requests of clients that understand it are answered with [`ResponseCode::GO_AWAY`]; those of older ones
    /// are served as ever. Called some time before [`Server::stop`].
    pub fn leave(&self) {
        self.open.leaving.store(true, Ordering::Relaxed);
    }

    /// Stops accepting and reading, lets connections write what is queued, closes them, and waits until they are
    /// gone, at most a few seconds.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let gone = async {
            loop {
                let none = self.open.none.notified();
                if self.open.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                none.await;
            }
        };
        let _ = tokio::time::timeout(LINGER + Duration::from_secs(1), gone).await;
    }
}

async fn accept<S: Service>(
    listener: TcpListener,
    port: Port,
    service: Arc<S>,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
    open: Arc<OpenConnections>,
) {
    let mut look = tokio::time::interval(tls::LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let has_files = limits.tls.has_files();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
            _ = look.tick(), if has_files => {
                let tls = limits.tls.clone();
                tokio::task::spawn_blocking(move || tls.read_changes());
                continue;
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                if !limits.connections.take(1) {
                    tracing::warn!(%peer, limit = limits.connections.limit(), "refused a connection: the limit is reached");
                    continue;
                }
                open.count.fetch_add(1, Ordering::AcqRel);
                // Taken here, so that numbers follow the order of arrival.
                let id = ConnectionId(NEXT_ID.fetch_add(1, Ordering::Relaxed));
                // The socket is taken from this runtime and given to the one that will serve it.
                let given = stream.into_std();
                let run = {
                    let (service, limits, stop) = (service.clone(), limits.clone(), stop.clone());
                    let count = Count(open.clone(), limits.connections.clone());
                    async move {
                        match given.and_then(TcpStream::from_std) {
                            Ok(stream) => run(Accepted { stream, id, peer, port }, service, limits, stop, count).await,
                            Err(error) => tracing::warn!(%peer, %error, "an accepted connection cannot be served"),
                        }
                    }
                };
                limits.threads.pick().spawn(run);
            }
            Err(error) => {
                // Out of descriptors, mostly: wait for some to be given back instead of spinning.
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Calls [`Service::close`] whatever ends the task, a panic included.
struct Open<S: Service> {
    service: Arc<S>,
    connection: Arc<Connection>,
    session: Option<S::Session>,
    limits: ServerLimits,
    /// Bytes taken from the memory budget.
    taken: usize,
    /// Bytes taken from it for TLS, as long as the connection lives.
    session_memory: usize,
    /// Dropped last: the connection counts until everything else is done.
    count: Count,
}

/// One connection among those that are open, and among those that may be.
struct Count(Arc<OpenConnections>, Arc<Budget>);

impl Drop for Count {
    fn drop(&mut self) {
        self.1.give(1);
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

impl<S: Service> Drop for Open<S> {
    fn drop(&mut self) {
        self.connection.close();
        if let Some(session) = self.session.take() {
            self.service.close(session, &self.connection);
        }
        self.limits.memory.give(self.taken + self.session_memory);
    }
}

/// A connection that came in.
struct Accepted {
    stream: TcpStream,
    id: ConnectionId,
    peer: SocketAddr,
    port: Port,
}

async fn run<S: Service>(
    accepted: Accepted,
    service: Arc<S>,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
    count: Count,
) {
    let Accepted { stream, id, peer, port } = accepted;
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let peer = canonical(peer);
    let local = stream.local_addr().map_or(peer, canonical);
    let _ = stream.set_nodelay(true);
    let stream = Arc::new(stream);
    let connection = Arc::new(Connection::new(id, peer, local, port, limits.unwritten, Some(stream.clone())));
    let session = Some(service.open(&connection));
    let idle = limits.idle;
    let mut task = Task {
        open: Open { service, connection, session, limits, taken: 0, session_memory: 0, count },
        stream,
        buffer: Vec::new(),
        start: 0,
        end: 0,
        scratch: HeaderScratch::default(),
        out: Outbox::default(),
        unwritten: 0,
        more: false,
        transport: Transport::New,
        handshake: Handshake::No,
        has_plain: false,
    };
    let mut active = Instant::now();
    let timer = tokio::time::sleep_until(active + idle);
    tokio::pin!(timer);
    let mut deadline = None;
    if let Err(error) = async {
        loop {
            task.write()?;
            let closing = deadline.is_some() || !task.open.connection.is_open();
            if closing {
                if task.unwritten == 0 || deadline.is_none() {
                    return Ok(());
                }
            } else if task.more && task.unwritten < READ_PAUSE {
                task.handle()?;
                continue;
            } else if task.has_plain && task.unwritten < READ_PAUSE {
                if !task.read()? {
                    return Ok(());
                }
                continue;
            }
            if task.handshake == Handshake::Begins {
                let end = Instant::now() + task.open.limits.tls.handshake_time();
                task.handshake = Handshake::EndsBy(end);
                timer.as_mut().reset(end);
            }
            let reading = !closing && task.unwritten < READ_PAUSE;
            let interest = match (reading, task.unwritten == 0) {
                (true, true) => Interest::READABLE,
                (true, false) => Interest::READABLE | Interest::WRITABLE,
                (false, false) => Interest::WRITABLE,
                (false, true) => return Ok(()),
            };
            tokio::select! {
                ready = task.stream.ready(interest) => {
                    active = Instant::now();
                    if reading && ready?.is_readable() && !task.read()? {
                        return Ok(());
                    }
                }
                () = task.open.connection.woken() => {}
                () = &mut timer => {
                    if let Some(deadline) = deadline && Instant::now() >= deadline {
                        return Ok(());
                    }
                    if let Handshake::EndsBy(end) = task.handshake && Instant::now() >= end {
                        let time = task.open.limits.tls.handshake_time();
                        return Err(ConnectionError::HandshakeTooSlow(time));
                    }
                    if task.open.connection.take_written() {
                        active = Instant::now();
                    }
                    if active.elapsed() >= idle {
                        tracing::debug!(%peer, "closing an idle connection");
                        return Ok(());
                    }
                    task.release();
                    timer.as_mut().reset(active + idle);
                }
                _ = stop.changed(), if deadline.is_none() => {
                    let end = Instant::now() + LINGER;
                    deadline = Some(end);
                    timer.as_mut().reset(end);
                }
            }
        }
    }
    .await
    {
        let error: ConnectionError = error;
        match error {
            ConnectionError::Io(error) => tracing::debug!(%peer, %error, "a connection broke"),
            error => {
                if let Some(unsaid) = task.open.count.0.complaints.next() {
                    tracing::warn!(%peer, %error, unsaid, "closing a connection");
                }
            }
        }
    }
    task.open.connection.end_tls();
}

/// Keeps strangers who knock at a port from filling the log.
#[derive(Debug, Default)]
struct Complaints(Mutex<(Option<Instant>, u32, u64)>);

/// Complaints that are written in a second.
const COMPLAINTS_PER_SECOND: u32 = 10;

impl Complaints {
    /// `None` when there are too many of late; else how many were left out since the last one.
    fn next(&self) -> Option<u64> {
        let mut state = self.0.lock();
        let (began, count, unsaid) = &mut *state;
        if began.is_none_or(|began| began.elapsed() >= Duration::from_secs(1)) {
            (*began, *count) = (Some(Instant::now()), 0);
        }
        *count += 1;
        if *count > COMPLAINTS_PER_SECOND {
            *unsaid += 1;
            return None;
        }
        Some(std::mem::take(unsaid))
    }
}

#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("malformed frame: {0}")]
    Frame(#[from] crate::frame::FrameError),
    #[error("malformed header: {0}")]
    Header(#[from] crate::header::HeaderError),
    #[error(
        "the memory for the buffers of all connections is used up ({0} bytes are held); fewer or smaller requests at once would fit"
    )]
    Memory(usize),
    #[error(
        "a client by TLS, and tls.server.mode is disabled: switch TLS off in the client, or take both with permissive"
    )]
    TlsDisabled,
    #[error(
        "a client without TLS, and tls.server.mode is enforcing: switch TLS on in the client (tls.enable=true), or take both with permissive"
    )]
    PlainRefused,
    #[error("TLS failed: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    TlsSetUp(#[from] TlsError),
    #[error("its TLS handshake takes longer than {0:?}")]
    HandshakeTooSlow(Duration),
}

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// None came yet: the first one tells.
    New,
    Plain,
    Tls,
}

/// Where a TLS handshake stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    /// There is none, or it is over.
    No,
    /// Its first byte has come.
    Begins,
    /// Then the connection is closed.
    EndsBy(Instant),
}

struct Task<S: Service> {
    open: Open<S>,
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
    /// Unread bytes are `buffer[start..end]`.
    start: usize,
    end: usize,
    scratch: HeaderScratch,
    out: Outbox,
    /// Bytes that wait for the peer to read.
    unwritten: usize,
    /// Unread bytes may hold a whole frame: handling stopped because the peer must read first.
    more: bool,
    transport: Transport,
    handshake: Handshake,
    /// The TLS session has plaintext for which there was no room.
    has_plain: bool,
}

impl<S: Service> Task<S> {
    /// Reads once and handles what came; false at the end of the stream.
    fn read(&mut self) -> Result<bool, ConnectionError> {
        if self.transport == Transport::Tls {
            return self.read_tls();
        }
        self.make_room()?;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let offered = room.len();
        match self.stream.try_read(room) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                self.end += count;
                if self.transport == Transport::New && self.begin()? == Transport::Tls {
                    return self.first_of_tls();
                }
                self.handle()?;
                if count == offered && self.buffer.len() < READ_BUFFER_FULL {
                    self.grow(self.buffer.len() * 2)?;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Looks at the first byte of the connection.
    fn begin(&mut self) -> Result<Transport, ConnectionError> {
        let is_tls = self.buffer.get(self.start) == Some(&tls::FIRST_BYTE);
        self.transport = match (is_tls, self.open.limits.tls.mode()) {
            (true, TlsMode::Disabled) => return Err(ConnectionError::TlsDisabled),
            (false, TlsMode::Enforcing) => return Err(ConnectionError::PlainRefused),
            (true, _) => Transport::Tls,
            (false, _) => Transport::Plain,
        };
        Ok(self.transport)
    }

    /// Begins a handshake with what was read to find that it is one.
    fn first_of_tls(&mut self) -> Result<bool, ConnectionError> {
        if !self.open.limits.memory.take(SESSION_MEMORY) {
            return Err(ConnectionError::Memory(self.open.limits.memory.used()));
        }
        self.open.session_memory = SESSION_MEMORY;
        self.handshake = Handshake::Begins;
        self.open.connection.begin_tls(self.open.limits.tls.session()?);
        let cipher = self.buffer.get(self.start..self.end).unwrap_or_default().to_vec();
        (self.start, self.end) = (0, 0);
        let is_end = self.decrypt(&cipher)?;
        self.handle()?;
        Ok(!is_end)
    }

    /// As [`Task::read`], of a connection by TLS: whatever the socket has, up to the room of a whole read.
    #[inline(never)]
    fn read_tls(&mut self) -> Result<bool, ConnectionError> {
        let mut cipher = [0; TLS_READ];
        let (mut is_end, mut taken) = (false, 0);
        while !is_end && taken < READ_BUFFER_FULL {
            self.make_room()?;
            // What the session has comes first, and alone: there may be no room for more.
            let offered = if self.has_plain { 0 } else { (self.buffer.len() - self.end).min(TLS_READ) };
            let offer = cipher.get_mut(..offered).unwrap_or_default();
            let count = match if offered == 0 { Ok(0) } else { self.stream.try_read(offer) } {
                Ok(0) if offered == 0 => 0,
                Ok(0) => {
                    is_end = true;
                    break;
                }
                Ok(count) => count,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => break,
                Err(error) => return Err(error.into()),
            };
            taken += count;
            is_end = self.decrypt(cipher.get(..count).unwrap_or_default())?;
            if count < offered || offered == 0 && !self.has_plain {
                break;
            }
        }
        self.handle()?;
        Ok(!is_end)
    }

    /// Puts the plaintext of `cipher`, which is not longer than the room there is, behind what is unread. True when the peer
    /// has sent its last.
    fn decrypt(&mut self, cipher: &[u8]) -> Result<bool, ConnectionError> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let received = self.open.connection.decrypt(cipher, room)?;
        self.end += received.plain;
        self.has_plain = received.has_more;
        if !received.is_handshaking {
            self.handshake = Handshake::No;
        }
        Ok(received.is_end)
    }

    fn make_room(&mut self) -> Result<(), ConnectionError> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.buffer.len() > READ_BUFFER_FULL {
                // A long frame has been dealt with: its room goes back.
                self.open.limits.memory.give(self.buffer.len() - READ_BUFFER_FULL);
                self.open.taken -= self.buffer.len() - READ_BUFFER_FULL;
                self.buffer.truncate(READ_BUFFER_FULL);
                self.buffer.shrink_to_fit();
            }
        }
        if self.buffer.is_empty() {
            return self.grow(READ_BUFFER_START);
        }
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                // One frame fills the buffer. It grows only as fast as bytes really arrive.
                self.grow(self.buffer.len() * 2)?;
            }
        }
        Ok(())
    }

    fn grow(&mut self, length: usize) -> Result<(), ConnectionError> {
        let more = length.saturating_sub(self.buffer.len());
        if !self.open.limits.memory.take(more) {
            return Err(ConnectionError::Memory(self.open.limits.memory.used()));
        }
        self.open.taken += more;
        self.buffer.resize(length, 0);
        Ok(())
    }

    /// Gives memory back while the connection is quiet.
    fn release(&mut self) {
        if self.start == self.end {
            self.buffer = Vec::new();
            self.open.limits.memory.give(std::mem::take(&mut self.open.taken));
            self.scratch = HeaderScratch::default();
            self.out.release();
            self.open.connection.release();
        }
    }

    /// Hands over every whole frame, then writes the answers.
    fn handle(&mut self) -> Result<(), ConnectionError> {
        self.more = false;
        let Some(session) = self.open.session.as_mut() else { return Ok(()) };
        let service = &self.open.service;
        let connection = &self.open.connection;
        let leaving = self.open.count.0.leaving.load(Ordering::Relaxed);
        let mut failed = None;
        while self.end - self.start >= FRAME_PREFIX_LENGTH {
            if self.unwritten + self.out.pending() >= READ_PAUSE {
                self.more = true;
                break;
            }
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let (frame, used) = match split(unread) {
                Ok(Split::Whole(frame, used)) => (frame, used),
                Ok(Split::Partial(_)) => break,
                Err(error) => {
                    failed = Some(error.into());
                    break;
                }
            };
            match decode(frame.codec, frame.header, &mut self.scratch) {
                Ok(header) if header.is_response() => {
                    connection.answered(RemotingCommand::from_view(&header, &frame));
                }
                Ok(header) => {
                    let incoming = Incoming { connection, header: &header, frame: &frame };
                    if leaving && header.version > version::V5_3_1 {
                        let away = Response::with_code(ResponseCode::GO_AWAY, "please go away");
                        away.write(&Question::of(&incoming), &mut self.out);
                    } else {
                        service.request(session, &incoming, &mut self.out);
                    }
                }
                Err(error) => {
                    failed = Some(ConnectionError::from(error));
                    break;
                }
            }
            self.start += used;
        }
        service.end_of_read(session, connection, &mut self.out);
        // What was understood is answered before a broken frame closes the connection.
        let wrote = self.write();
        if let Some(session) = self.open.session.as_mut() {
            self.open.service.written(session);
        }
        match failed {
            Some(error) => Err(error),
            None => wrote,
        }
    }

    fn write(&mut self) -> Result<(), ConnectionError> {
        self.unwritten = self.open.connection.flush(&mut self.out)?;
        Ok(())
    }
}
