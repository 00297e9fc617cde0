//! Asks other servers: one connection per address, opened when first needed and again after it broke.
//!
//! Upstream: `NettyRemotingClient`. For registration, tools and tests; not on the hot path.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use super::tls::ClientTls;
use crate::command::RemotingCommand;
use crate::frame::{Split, split};
use crate::header::{FLAG_ONE_WAY, HeaderScratch};

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address could not be reached.
    #[error("cannot connect to {address}: {source}; is it running, and is the address right?")]
    Connect {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke before the answer.
    #[error(
        "the connection to {address} broke before the answer came (a server that takes clients by TLS only needs tls.enable=true)"
    )]
    Broken {
        /// The address.
        address: String,
    },
    /// The answer is late.
    #[error("{address} did not answer within {timeout:?}")]
    TimedOut {
        /// The address.
        address: String,
        /// How long we waited.
        timeout: Duration,
    },
}

type Questions = Arc<Mutex<HashMap<i32, oneshot::Sender<RemotingCommand>>>>;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

struct Link {
    writer: tokio::sync::Mutex<Writer>,
    questions: Questions,
    broken: Arc<AtomicBool>,
    reader: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A client of any number of servers. Cheap to share behind an `Arc`.
#[derive(Debug, Default)]
pub struct Client {
    links: Mutex<HashMap<String, Arc<Link>>>,
    next_opaque: AtomicI32,
    /// All connections are made by it, if there is one.
    tls: Option<ClientTls>,
}

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A client without connections, that makes them by TLS if it is given how.
    #[must_use]
    pub fn with_tls(tls: Option<ClientTls>) -> Self {
        Self { tls, ..Self::default() }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`CallError`] when nobody answers; an answer with an error code is an answer.
    pub async fn call(
        &self,
        address: &str,
        mut command: RemotingCommand,
        timeout: Duration,
    ) -> Result<RemotingCommand, CallError> {
        let work = async {
            let link = self.link(address).await?;
            let opaque = self.next_opaque.fetch_add(1, Ordering::Relaxed);
            command.opaque = opaque;
            let (sender, receiver) = oneshot::channel();
            link.questions.lock().insert(opaque, sender);
            let _forget = Forget { questions: &link.questions, opaque };
            let broken = || CallError::Broken { address: address.to_owned() };
            self.write(address, &link, &command).await?;
            if link.broken.load(Ordering::Acquire) {
                return Err(broken());
            }
            receiver.await.map_err(|_| broken())
        };
        tokio::time::timeout(timeout, work)
            .await
            .unwrap_or_else(|_| Err(CallError::TimedOut { address: address.to_owned(), timeout }))
    }

    /// Sends a request that wants no answer.
    ///
    /// # Errors
    /// [`CallError`] when it cannot be handed to the socket.
    pub async fn one_way(&self, address: &str, mut command: RemotingCommand) -> Result<(), CallError> {
        command.flag |= FLAG_ONE_WAY;
        command.opaque = self.next_opaque.fetch_add(1, Ordering::Relaxed);
        let link = self.link(address).await?;
        self.write(address, &link, &command).await
    }

    /// Closes the connection to `address`, if there is one.
    pub fn disconnect(&self, address: &str) {
        self.links.lock().remove(address);
    }

    async fn write(&self, address: &str, link: &Arc<Link>, command: &RemotingCommand) -> Result<(), CallError> {
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        let mut writer = link.writer.lock().await;
        let wrote = match writer.write_all(&bytes).await {
            // A session by TLS may hold bytes back until it is told not to.
            Ok(()) => writer.flush().await,
            failed => failed,
        };
        wrote.map_err(|_| {
            link.broken.store(true, Ordering::Release);
            CallError::Broken { address: address.to_owned() }
        })
    }

    async fn connect(&self, address: &str) -> io::Result<(Reader, Writer)> {
        let stream = TcpStream::connect(address).await?;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            let (reader, writer) = stream.into_split();
            return Ok((Box::new(reader), Box::new(writer)));
        };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let handshake = TlsConnector::from(tls.config()).connect(name, stream).await;
        let stream = handshake.map_err(|error| {
            io::Error::new(error.kind(), format!("the TLS handshake failed ({error}); does the server take TLS?"))
        })?;
        let (reader, writer) = tokio::io::split(stream);
        Ok((Box::new(reader), Box::new(writer)))
    }

    async fn link(&self, address: &str) -> Result<Arc<Link>, CallError> {
        if let Some(link) = self.links.lock().get(address).filter(|link| !link.broken.load(Ordering::Acquire)) {
            return Ok(link.clone());
        }
        let failed = |source| CallError::Connect { address: address.to_owned(), source };
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.connect(address));
        let (reader, writer) =
            connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        let questions = Questions::default();
        let broken = Arc::new(AtomicBool::new(false));
        let link = Arc::new(Link {
            writer: tokio::sync::Mutex::new(writer),
            reader: tokio::spawn(read_answers(reader, questions.clone(), broken.clone())),
            questions,
            broken,
        });
        let mut links = self.links.lock();
        // Two callers may have connected at once: the first one's link stays.
        if let Some(first) = links.get(address).filter(|link| !link.broken.load(Ordering::Acquire)) {
            return Ok(first.clone());
        }
        links.insert(address.to_owned(), link.clone());
        Ok(link)
    }
}

/// Takes a question out of the table however the wait for its answer ends.
struct Forget<'a> {
    questions: &'a Questions,
    opaque: i32,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.questions.lock().remove(&self.opaque);
    }
}

async fn read_answers(mut reader: Reader, questions: Questions, broken: Arc<AtomicBool>) {
    let mut buffer = Vec::with_capacity(16 * 1024);
    let mut scratch = HeaderScratch::default();
    'connection: loop {
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let mut used = 0;
        loop {
            let unread = buffer.get(used..).unwrap_or_default();
            match split(unread) {
                Ok(Split::Whole(frame, length)) => {
                    let Ok(command) = RemotingCommand::from_frame(&frame, &mut scratch) else { break 'connection };
                    used += length;
                    if command.is_response()
                        && let Some(sender) = questions.lock().remove(&command.opaque)
                    {
                        let _ = sender.send(command);
                    }
                }
                Ok(Split::Partial(_)) => break,
                Err(error) => {
                    tracing::warn!(%error, "a server sent a malformed frame; closing the connection");
                    break 'connection;
                }
            }
        }
        buffer.drain(..used);
    }
    broken.store(true, Ordering::Release);
    questions.lock().clear();
}
