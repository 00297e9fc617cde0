//! One TLS connection: ciphertext in, plaintext out, and back. It stands under the same lock as the connection's outbox, so
//! that whoever adds to the outbox also encrypts and writes.
//!
//! What it holds is bounded: one record that is not whole yet (64 KiB in a handshake), the plaintext of one, and
//! [`ENCRYPTED_MAX`] bytes that the socket did not take.

use std::io::{self, IoSlice, Read, Write};

use rustls::ServerConnection;
use tokio::net::TcpStream;

use crate::net::outbox::Outbox;

/// Encrypted bytes that may wait for the socket: what is to be written beyond them stays in the outbox.
const ENCRYPTED_MAX: usize = 32 * 1024;
/// What one connection counts for in the memory of all.
pub(in crate::net) const SESSION_MEMORY: usize = 48 * 1024;

/// State of one TLS connection.
#[derive(Debug)]
pub(in crate::net) struct TlsSession(ServerConnection);

/// What came of some ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Received {
    /// Bytes of plaintext that were put down.
    pub(in crate::net) plain: usize,
    /// There is more for which there was no room.
    pub(in crate::net) has_more: bool,
    /// The peer said that it sends nothing further.
    pub(in crate::net) is_end: bool,
    /// The handshake is not over.
    pub(in crate::net) is_handshaking: bool,
}

impl TlsSession {
    pub(super) fn new(mut connection: ServerConnection) -> Self {
        connection.set_buffer_limit(Some(ENCRYPTED_MAX));
        Self(connection)
    }

    /// Takes all of `cipher`, which must not be longer than `room`, and puts plaintext into `room`.
    ///
    /// # Errors
    /// The bytes are not those of a TLS client, or what it wants is refused; what it is to be told is ready to be written.
    pub(in crate::net) fn receive(&mut self, mut cipher: &[u8], room: &mut [u8]) -> Result<Received, rustls::Error> {
        let mut plain = self.take_plain(room);
        while !cipher.is_empty() {
            // As no more comes in than there is room for, what cannot be put down is of one record at most: less than the
            // plaintext at which the session takes nothing further.
            match self.0.read_tls(&mut cipher) {
                // After the peer's last word.
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(rustls::Error::General(error.to_string())),
            }
            self.0.process_new_packets()?;
            plain += self.take_plain(room.get_mut(plain..).unwrap_or_default());
        }
        let state = self.0.process_new_packets()?;
        let has_more = state.plaintext_bytes_to_read() > 0;
        Ok(Received {
            plain,
            has_more,
            is_end: state.peer_has_closed() && !has_more,
            is_handshaking: self.0.is_handshaking(),
        })
    }

    fn take_plain(&mut self, room: &mut [u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = room.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            match self.0.reader().read(rest) {
                Ok(count) if count > 0 => taken += count,
                // Nothing there now, or ever again.
                _ => break,
            }
        }
        taken
    }

    /// Encrypts and writes what stands in `outbox`, as far as the socket takes it.
    ///
    /// # Errors
    /// The socket's.
    pub(in crate::net) fn write(&mut self, outbox: &mut Outbox, stream: &TcpStream) -> io::Result<()> {
        outbox.write_with(|slices| {
            loop {
                match self.0.writer().write_vectored(slices)? {
                    0 if self.flush(stream)? == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                    0 => {}
                    count => return Ok(count),
                }
            }
        })?;
        self.flush(stream).map(|_| ())
    }

    /// Writes what is encrypted; how many bytes the socket took.
    ///
    /// # Errors
    /// The socket's.
    pub(in crate::net) fn flush(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let mut written = 0;
        while self.0.wants_write() {
            match self.0.write_tls(&mut Socket(stream)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Takes what is encrypted, for tests without a socket.
    #[cfg(test)]
    pub(super) fn drain(&mut self, bytes: &mut Vec<u8>) {
        while self.0.wants_write() {
            let _ = self.0.write_tls(bytes);
        }
    }

    /// True when encrypted bytes wait for the socket.
    pub(in crate::net) fn has_unwritten(&self) -> bool {
        self.0.wants_write()
    }

    /// Says that nothing further will come, as far as the socket takes it.
    pub(in crate::net) fn say_end(&mut self, stream: &TcpStream) {
        self.0.send_close_notify();
        let _ = self.flush(stream);
    }
}

/// A socket that never waits.
struct Socket<'a>(&'a TcpStream);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
