//! A connection that carries many requests at once.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::harness::wire::{Answer, Frame};

/// How long a connect and each read may take: longer than every pause of the broker, and than the machine may stand still.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the broker. After an error it is of no use any more.
pub(super) struct Peer {
    stream: BufReader<TcpStream>,
    opaque: i64,
    unsent: Vec<u8>,
}

impl Peer {
    pub(super) fn open(address: &str) -> Result<Self> {
        let address: SocketAddr = address.parse().with_context(|| address.to_owned())?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream), opaque: 0, unsent: Vec::new() })
    }

    /// Puts a request behind those that are to be written; returns what its answer will be known by.
    pub(super) fn push(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Result<i64> {
        self.opaque += 1;
        self.unsent.extend(Frame::request(code, self.opaque, fields, body)?.to_bytes()?);
        Ok(self.opaque)
    }

    /// Writes what was pushed.
    pub(super) fn flush(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.unsent);
        Ok(self.stream.get_mut().write_all(&bytes)?)
    }

    /// The next answer, whichever request it is to.
    pub(super) fn answer(&mut self) -> Result<(i64, Answer)> {
        loop {
            if let Some(answer) = Answer::of(Frame::read(&mut self.stream)?)? {
                return Ok(answer);
            }
        }
    }

    /// Asks one question.
    pub(super) fn call(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let opaque = self.push(code, fields, body)?;
        self.flush()?;
        loop {
            let (found, answer) = self.answer()?;
            if found == opaque {
                return Ok(answer);
            }
        }
    }

    /// The whole number in a field of an answer.
    pub(super) fn number(answer: &Answer, field: &str) -> Result<i64> {
        let text = answer.fields.get(field).with_context(|| format!("no {field} in {answer:?}"))?;
        text.parse().with_context(|| format!("{field}={text}"))
    }
}
