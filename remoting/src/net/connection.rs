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
    outbox: Mutex<Outbox>,
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
            outbox: Mutex::new(Outbox::default()),
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
        let mut outbox = self.outbox.lock();
        write(&mut outbox);
        let broke = self.write_some(&mut outbox).is_err();
        let is_over = outbox.pending() > self.outbox_limit;
        if broke || is_over {
            *outbox = Outbox::default();
        }
        let waits = !outbox.is_empty();
        drop(outbox);
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

    fn write_some(&self, outbox: &mut Outbox) -> io::Result<()> {
        self.has_written.store(true, Ordering::Relaxed);
        match &self.stream {
            Some(stream) => outbox.write_with(|slices| stream.try_write_vectored(slices)),
            None => Ok(()),
        }
    }

    /// Writes `own` behind what others left unwritten; how many bytes still wait for the socket.
    ///
    /// # Errors
    /// The socket's, which end the connection.
    pub(crate) fn flush(&self, own: &mut Outbox) -> io::Result<usize> {
        let mut outbox = self.outbox.lock();
        outbox.append(own);
        if !outbox.is_empty() {
            self.write_some(&mut outbox)?;
        }
        Ok(outbox.pending())
    }

    /// True when something was written since this was last asked.
    pub(crate) fn take_written(&self) -> bool {
        self.has_written.swap(false, Ordering::Relaxed)
    }

    /// Gives memory back while nothing is to be written.
    pub(crate) fn release(&self) {
        self.outbox.lock().release();
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
