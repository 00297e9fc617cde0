//! The handle of one accepted connection: whoever holds it may answer later, ask the peer, or close.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

use super::outbox::Outbox;
use super::tls::session::{Received, TlsSession};
use crate::command::RemotingCommand;

/// Identity of a connection within this process; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Which of a server's ports a connection came in by. A broker's fast port serves everything but consumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The port that serves everything.
    Main,
    /// `listenPort - 2`.
    Fast,
}

/// Why a peer could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The connection is closed.
    #[error("the connection to {0} is closed")]
    Closed(SocketAddr),
    /// No answer came in time.
    #[error("{0} did not answer within {1:?}")]
    TimedOut(SocketAddr, Duration),
    /// Too many questions to this peer are open.
    #[error("{0} has too many open questions")]
    TooMany(SocketAddr),
}

/// Questions to one peer that may be open at once.
const OPEN_QUESTIONS_MAX: usize = 1024;

/// What stands between those who answer and the socket.
#[derive(Debug, Default)]
struct Writing {
    outbox: Outbox,
    /// Of a connection by TLS.
    tls: Option<Box<TlsSession>>,
}

impl Writing {
    /// Hands what waits to the socket, as far as it takes it.
    fn write_to(&mut self, stream: &TcpStream) -> io::Result<()> {
        match &mut self.tls {
            None => self.outbox.write_with(|slices| stream.try_write_vectored(slices)),
            Some(session) => session.write(&mut self.outbox, stream),
        }
    }

    /// True when nothing waits for the socket.
    fn is_done(&self) -> bool {
        self.outbox.is_empty() && !self.tls.as_ref().is_some_and(|session| session.has_unwritten())
    }

    /// Bytes that wait for the socket; those that a session holds, few as they are, count as one.
    fn pending(&self) -> usize {
        self.outbox.pending() + usize::from(self.tls.as_ref().is_some_and(|session| session.has_unwritten()))
    }
}

/// One accepted connection.
pub struct Connection {
    id: ConnectionId,
    peer: SocketAddr,
    local: SocketAddr,
    port: Port,
    /// The socket; none for a connection that leads nowhere.
    stream: Option<Arc<TcpStream>>,
    /// What is to be written. Whoever adds to it also writes, as far as the socket takes it: an answer from another thread
    /// need not wake this connection's own.
    writing: Mutex<Writing>,
    outbox_limit: usize,
    /// Something was written since the connection's task last asked.
    has_written: AtomicBool,
    wake: Notify,
    closing: AtomicBool,
    questions: Mutex<HashMap<i32, oneshot::Sender<RemotingCommand>>>,
    next_opaque: AtomicI32,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} {})", self.id.0, self.peer)
    }
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        peer: SocketAddr,
        local: SocketAddr,
        port: Port,
        outbox_limit: usize,
        stream: Option<Arc<TcpStream>>,
    ) -> Self {
        Self {
            id,
            peer,
            local,
            port,
            stream,
            writing: Mutex::default(),
            outbox_limit,
            has_written: AtomicBool::new(false),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            questions: Mutex::new(HashMap::new()),
            next_opaque: AtomicI32::new(1),
        }
    }

    /// A connection that leads nowhere, for tests of what is kept per connection.
    #[must_use]
    pub fn detached(id: u64) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::new(ConnectionId(id), nowhere, nowhere, Port::Main, 1 << 20, None)
    }

    /// Its identity.
    #[must_use]
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// The peer's address, an IPv4 one never wrapped into IPv6.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our end's address.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The port it came in by.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.port
    }

    /// False once it is closing or closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.closing.load(Ordering::Acquire)
    }

    /// Closes the connection; what is queued is offered to the socket once more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.questions.lock().clear();
        self.wake.notify_one();
    }

    /// Writes frames from any task: what the socket does not take at once waits for it. Nothing happens when the
    /// connection is closed; a peer that lets more than its bound pile up is closed.
    pub fn send(&self, write: impl FnOnce(&mut Outbox)) {
        if !self.is_open() {
            return;
        }
        let mut writing = self.writing.lock();
        write(&mut writing.outbox);
        let broke = self.write_some(&mut writing).is_err();
        let is_over = writing.outbox.pending() > self.outbox_limit;
        if broke || is_over {
            writing.outbox = Outbox::default();
        }
        let waits = !writing.is_done();
        drop(writing);
        if is_over {
            tracing::warn!(
                peer = %self.peer, limit = self.outbox_limit, "closing a connection: its peer does not read its answers"
            );
        }
        if broke || is_over {
            self.close();
        } else if waits {
            // The connection's task waits until the socket takes more.
            self.wake.notify_one();
        }
    }

    fn write_some(&self, writing: &mut Writing) -> io::Result<()> {
        self.has_written.store(true, Ordering::Relaxed);
        match &self.stream {
            Some(stream) => writing.write_to(stream),
            None => Ok(()),
        }
    }

    /// Writes `own` behind what others left unwritten; how many bytes still wait for the socket.
    ///
    /// # Errors
    /// The socket's, which end the connection.
    pub(crate) fn flush(&self, own: &mut Outbox) -> io::Result<usize> {
        let mut writing = self.writing.lock();
        writing.outbox.append(own);
        if !writing.is_done() {
            self.write_some(&mut writing)?;
        }
        Ok(writing.pending())
    }

    /// From now on all that is read and written is encrypted. Called before anything was.
    pub(super) fn begin_tls(&self, session: TlsSession) {
        self.writing.lock().tls = Some(Box::new(session));
    }

    /// Decrypts all of `cipher`, which must not be longer than `room`, into `room`, and writes what the handshake answers.
    ///
    /// # Errors
    /// The peer does not speak TLS as it should, or is refused; it is told so as far as the socket takes it.
    pub(super) fn decrypt(&self, cipher: &[u8], room: &mut [u8]) -> Result<Received, rustls::Error> {
        let mut writing = self.writing.lock();
        let Some(session) = &mut writing.tls else { return Err(rustls::Error::HandshakeNotComplete) };
        let received = session.receive(cipher, room);
        if let Some(stream) = &self.stream
            && session.has_unwritten()
        {
            // A socket that is broken says so again when it is read.
            let _ = writing.write_to(stream);
        }
        received
    }

    /// Tells a peer that is connected by TLS that this is the end, and not an attacker's cut.
    pub(super) fn end_tls(&self) {
        if let (Some(session), Some(stream)) = (&mut self.writing.lock().tls, &self.stream) {
            session.say_end(stream);
        }
    }

    /// True when something was written since this was last asked.
    pub(crate) fn take_written(&self) -> bool {
        self.has_written.swap(false, Ordering::Relaxed)
    }

    /// Gives memory back while nothing is to be written.
    pub(crate) fn release(&self) {
        self.writing.lock().outbox.release();
    }

    /// Sends a request that wants no answer.
    pub fn notify(&self, mut command: RemotingCommand) {
        command.flag |= crate::header::FLAG_ONE_WAY;
        command.opaque = self.next_opaque.fetch_add(1, Ordering::Relaxed);
        self.send(|out| out.bytes(|bytes| command.write(bytes)));
    }

    /// Asks the peer and waits for its answer.
    ///
    /// # Errors
    /// [`InvokeError`] when the connection is closed, the answer is late, or too much is open already.
    pub async fn invoke(
        &self,
        mut command: RemotingCommand,
        timeout: Duration,
    ) -> Result<RemotingCommand, InvokeError> {
        let (sender, receiver) = oneshot::channel();
        let opaque = self.next_opaque.fetch_add(1, Ordering::Relaxed);
        {
            let mut questions = self.questions.lock();
            if questions.len() >= OPEN_QUESTIONS_MAX {
                return Err(InvokeError::TooMany(self.peer));
            }
            questions.insert(opaque, sender);
        }
        command.opaque = opaque;
        self.send(|out| out.bytes(|bytes| command.write(bytes)));
        if !self.is_open() {
            self.questions.lock().remove(&opaque);
            return Err(InvokeError::Closed(self.peer));
        }
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(InvokeError::Closed(self.peer)),
            Err(_) => {
                self.questions.lock().remove(&opaque);
                Err(InvokeError::TimedOut(self.peer, timeout))
            }
        }
    }

    /// Hands an answer to whoever asked; one that nobody waits for any more is dropped.
    pub(crate) fn answered(&self, answer: RemotingCommand) {
        if let Some(sender) = self.questions.lock().remove(&answer.opaque) {
            let _ = sender.send(answer);
        }
    }

    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}
