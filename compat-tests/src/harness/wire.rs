//! The least of the remoting protocol that a test needs: one frame out, one frame in, JSON headers.
//!
//! ```text
//! | length: u32 | codec: u8, header length: u24 | header | body |      length counts all that follows it
//! ```
//!
//! Written apart from the product's codec on purpose: a mistake there must not hide itself here.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

/// Largest frame either side may send (RocketMQ 5.5.0).
const FRAME_LIMIT: u32 = 16 * 1024 * 1024;

/// A whole frame, its length word included.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// 0 for a JSON header, 1 for the compact binary one.
    pub codec: u8,
    /// The header's bytes.
    pub header: Vec<u8>,
    /// The body; empty when absent.
    pub body: Vec<u8>,
}

impl Frame {
    /// A request with a JSON header.
    pub fn request(code: i32, opaque: i64, fields: &[(&str, &str)], body: &[u8]) -> Result<Frame> {
        let ext: Map<String, Value> = fields.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let header = json!({"code": code, "extFields": ext, "flag": 0, "language": "JAVA", "opaque": opaque,
            "serializeTypeCurrentRPC": "JSON", "version": 513});
        Ok(Frame { codec: 0, header: serde_json::to_vec(&header)?, body: body.to_vec() })
    }

    /// Reads one frame, and waits for it.
    pub fn read(from: &mut impl Read) -> Result<Frame> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let size = u32::from_be_bytes(length);
        ensure!(size < FRAME_LIMIT, "frame of {size} bytes");
        let mut bytes = length.to_vec();
        bytes.resize(4 + usize::try_from(size)?, 0);
        from.read_exact(&mut bytes[4..])?;
        Frame::parse(&bytes)
    }

    /// Splits one frame. The bytes must hold exactly one.
    pub fn parse(bytes: &[u8]) -> Result<Frame> {
        let (length, rest) = word(bytes)?;
        ensure!(u32::try_from(rest.len())? == length, "length word says {length}, {} bytes follow", rest.len());
        let (mark, rest) = word(rest)?;
        let header_length = usize::try_from(mark & 0x00ff_ffff)?;
        ensure!(header_length <= rest.len(), "header length {header_length} beyond the frame");
        let (header, body) = rest.split_at(header_length);
        Ok(Frame { codec: u8::try_from(mark >> 24)?, header: header.to_vec(), body: body.to_vec() })
    }

    /// The frame's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header_length = u32::try_from(self.header.len())?;
        ensure!(header_length <= 0x00ff_ffff, "header of {header_length} bytes");
        let length = 4 + header_length + u32::try_from(self.body.len())?;
        let mut bytes = Vec::with_capacity(self.header.len() + self.body.len() + 8);
        bytes.extend(length.to_be_bytes());
        bytes.extend((u32::from(self.codec) << 24 | header_length).to_be_bytes());
        bytes.extend(&self.header);
        bytes.extend(&self.body);
        Ok(bytes)
    }

    /// The header of a JSON frame, parsed.
    pub fn json(&self) -> Result<Map<String, Value>> {
        ensure!(self.codec == 0, "header codec {} is not JSON", self.codec);
        match serde_json::from_slice(&self.header)? {
            Value::Object(header) => Ok(header),
            other => bail!("header is no object: {other}"),
        }
    }
}

/// An answer, decoded.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Response code; 0 is success.
    pub code: i64,
    /// Free text; empty when absent.
    pub remark: String,
    /// The header's fields.
    pub fields: BTreeMap<String, String>,
    /// The body; empty when absent.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer in a frame and the request that it belongs to; `None` when the frame is a request.
    pub fn of(frame: Frame) -> Result<Option<(i64, Answer)>> {
        let header = frame.json()?;
        let number = |key: &str| header.get(key).and_then(Value::as_i64);
        if number("flag").unwrap_or(0) & 1 == 0 {
            return Ok(None);
        }
        let fields = match header.get("extFields") {
            Some(Value::Object(map)) => {
                map.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
            }
            _ => BTreeMap::new(),
        };
        let remark = header.get("remark").and_then(Value::as_str).unwrap_or_default().to_owned();
        let answer = Answer { code: number("code").context("no code")?, remark, fields, body: frame.body };
        Ok(Some((number("opaque").context("no opaque")?, answer)))
    }
}

/// A connection to a name server or broker that has one request in flight.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    opaque: i64,
}

impl Connection {
    /// Connects to `host:port`; `timeout` bounds the connect and each read.
    pub fn open(address: &str, timeout: Duration) -> Result<Connection> {
        let address: SocketAddr = address.parse().with_context(|| address.to_owned())?;
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, opaque: 1000 })
    }

    /// Sends a request with a JSON header and waits for the answer with the same `opaque`.
    pub fn call(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        self.opaque += 1;
        self.send(&Frame::request(code, self.opaque, fields, body)?)?;
        self.answer(self.opaque)
    }

    /// Writes a frame as it is.
    pub fn send(&mut self, frame: &Frame) -> Result<()> {
        Ok(self.stream.write_all(&frame.to_bytes()?)?)
    }

    /// Writes a frame of `length` bytes with an empty header, all but its last byte.
    pub fn send_part(&mut self, length: u32) -> Result<()> {
        self.stream.set_write_timeout(Some(Duration::from_secs(2)))?;
        let mut bytes = Frame { codec: 0, header: b"{}".to_vec(), body: Vec::new() }.to_bytes()?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.resize(usize::try_from(length)? + 3, 0);
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Reads frames until the answer to `opaque`; what else arrives is dropped.
    pub fn answer(&mut self, opaque: i64) -> Result<Answer> {
        self.answer_serving(opaque, |_| None)
    }

    /// As [`Connection::answer`], but requests of the broker that arrive meanwhile are answered with what `serve` makes of them.
    pub fn answer_serving(&mut self, opaque: i64, serve: impl Fn(&Frame) -> Option<Frame>) -> Result<Answer> {
        loop {
            let frame = Frame::read(&mut self.stream)?;
            match Answer::of(frame.clone())? {
                Some((found, answer)) if found == opaque => return Ok(answer),
                Some(_) => {}
                None => {
                    if let Some(answer) = serve(&frame) {
                        self.send(&answer)?;
                    }
                }
            }
        }
    }
}

fn word(bytes: &[u8]) -> Result<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>().context("frame ends in the middle of a length")?;
    Ok((u32::from_be_bytes(*head), rest))
}
