//! Headers: the fields of a command, read in place and written as bytes.
//!
//! A header is decoded once into a [`HeaderView`]: numbers, and the ext fields as slices of the bytes they
//! arrived in (texts that carried escapes stand in the connection's [`HeaderScratch`]). A typed header, declared
//! with [`header!`](crate::header!), takes its fields from there without a map in between.
//! Upstream: `RemotingCommand`, `CommandCustomHeader`, `RemotingSerializable`, `RocketMQSerializable`
//! (RocketMQ 5.5.0).

mod binary;
mod field;
mod json;
#[cfg(test)]
#[expect(unreachable_pub, dead_code, reason = "headers declared by the test are as public as all others")]
mod tests;

pub use field::{DecodeHeader, EncodeHeader, Field, FieldError, FieldProblem, FieldSink, HeaderField, HeaderValue};

use crate::code::Language;
use crate::frame::{self, HeaderCodec};

/// Flag bit of a response.
pub const FLAG_RESPONSE: i32 = 1;
/// Flag bit of a request that wants no answer.
pub const FLAG_ONE_WAY: i32 = 2;

/// Why a header cannot be read. Without it nobody can be answered, so the connection is closed, as upstream does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not UTF-8.
    #[error("the header is not UTF-8 from byte {at} on")]
    Utf8 {
        /// First bad byte.
        at: usize,
    },
    /// The JSON header cannot be read on.
    #[error("the JSON header breaks off at byte {at}: {expected} was expected")]
    Json {
        /// Position in the header.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The binary header ends inside a field.
    #[error("the binary header ends inside {field}")]
    Truncated {
        /// The field.
        field: &'static str,
    },
    /// A length inside the binary header is impossible.
    #[error("the binary header gives {field} a length of {length}")]
    Length {
        /// The field.
        field: &'static str,
        /// The length as read.
        length: i64,
    },
}

/// A piece of text: in the header's own bytes, or in the scratch when it had to be unescaped.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
    in_scratch: bool,
}

/// What decoding needs besides the bytes; one per connection, reused for every frame.
#[derive(Debug, Default)]
pub struct HeaderScratch {
    fields: Vec<(Span, Span)>,
    text: String,
}

impl HeaderScratch {
    fn clear(&mut self) {
        self.fields.clear();
        self.text.clear();
        // One huge header must not stay in memory for the life of the connection.
        self.fields.shrink_to(256);
        self.text.shrink_to(64 * 1024);
    }
}

/// The ext fields of a header, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    header: &'a str,
    scratch: &'a str,
    spans: &'a [(Span, Span)],
}

impl<'a> Fields<'a> {
    /// No fields.
    pub const EMPTY: Fields<'static> = Fields { header: "", scratch: "", spans: &[] };

    fn text(&self, span: Span) -> &'a str {
        let source = if span.in_scratch { self.scratch } else { self.header };
        let start = span.start as usize;
        source.get(start..start + span.length as usize).unwrap_or_default()
    }

    /// All fields in the order they arrived in.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let this = *self;
        this.spans.iter().map(move |(key, value)| (this.text(*key), this.text(*value)))
    }

    /// The value of `key`; the last one wins when it stands more than once.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&'a str> {
        self.iter().filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }
}

/// A decoded header, borrowed from its frame.
#[derive(Clone, Copy, Debug)]
pub struct HeaderView<'a> {
    /// Request or response code.
    pub code: i32,
    /// Language of the sender.
    pub language: Language,
    /// Version ordinal of the sender.
    pub version: i32,
    /// Pairs an answer with its question.
    pub opaque: i32,
    /// [`FLAG_RESPONSE`], [`FLAG_ONE_WAY`].
    pub flag: i32,
    /// Free text.
    pub remark: Option<&'a str>,
    /// The ext fields.
    pub fields: Fields<'a>,
}

impl HeaderView<'_> {
    /// True for an answer.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flag & FLAG_RESPONSE != 0
    }

    /// True for a request that wants no answer.
    #[must_use]
    pub const fn is_one_way(&self) -> bool {
        self.flag & FLAG_ONE_WAY != 0
    }
}

/// What stands in a header besides the fields, while it is being decoded.
#[derive(Clone, Copy, Debug, Default)]
struct Meta {
    code: i32,
    language: Option<Language>,
    version: i32,
    opaque: i32,
    flag: i32,
    remark: Option<Span>,
}

/// Decodes a header.
///
/// # Errors
/// [`HeaderError`] says where the header breaks off.
pub fn decode<'a>(
    codec: HeaderCodec,
    bytes: &'a [u8],
    scratch: &'a mut HeaderScratch,
) -> Result<HeaderView<'a>, HeaderError> {
    scratch.clear();
    let (meta, header) = match codec {
        HeaderCodec::Json => {
            let text = str::from_utf8(bytes).map_err(|error| HeaderError::Utf8 { at: error.valid_up_to() })?;
            (json::decode(text, scratch)?, text)
        }
        HeaderCodec::Binary => (binary::decode(bytes, scratch)?, ""),
    };
    let fields = Fields { header, scratch: &scratch.text, spans: &scratch.fields };
    Ok(HeaderView {
        code: meta.code,
        language: meta.language.unwrap_or(Language::OTHER),
        version: meta.version,
        opaque: meta.opaque,
        flag: meta.flag,
        remark: meta.remark.map(|span| fields.text(span)),
        fields,
    })
}

/// The fixed part of a header to be written.
#[derive(Clone, Copy, Debug)]
pub struct HeaderHead<'a> {
    /// Request or response code.
    pub code: i32,
    /// Language of the sender.
    pub language: Language,
    /// Version ordinal of the sender.
    pub version: i32,
    /// Pairs an answer with its question.
    pub opaque: i32,
    /// [`FLAG_RESPONSE`], [`FLAG_ONE_WAY`].
    pub flag: i32,
    /// Free text.
    pub remark: Option<&'a str>,
}

impl HeaderHead<'_> {
    /// The head of an answer of ours to the question `opaque`.
    #[must_use]
    pub const fn answer(code: crate::code::ResponseCode, opaque: i32) -> Self {
        Self {
            code: code.0,
            language: Language::JAVA,
            version: crate::code::VERSION,
            opaque,
            flag: FLAG_RESPONSE,
            remark: None,
        }
    }
}

/// Writes the frame of one command up to its body: the caller appends exactly `body_length` bytes after it.
/// `fields` is called once and names each ext field.
pub fn write_frame(
    out: &mut Vec<u8>,
    codec: HeaderCodec,
    head: &HeaderHead<'_>,
    fields: impl FnOnce(&mut FieldSink<'_>),
    body_length: usize,
) {
    let start = frame::begin(out);
    match codec {
        HeaderCodec::Json => json::encode(out, head, fields),
        HeaderCodec::Binary => binary::encode(out, head, fields),
    }
    frame::finish(out, start, codec, body_length);
}
