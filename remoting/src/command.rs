//! An owned command, for everything off the hot path: requests that wait, clients, tests.
//!
//! Upstream: `RemotingCommand` (RocketMQ 5.5.0).

use std::borrow::Cow;

use bytes::Bytes;

use crate::code::{Language, RequestCode, ResponseCode, VERSION};
use crate::frame::{Frame, HeaderCodec};
use crate::header::{
    DecodeHeader, EncodeHeader, FLAG_ONE_WAY, FLAG_RESPONSE, FieldError, FieldSink, HeaderError, HeaderHead,
    HeaderScratch, HeaderView, decode, write_frame,
};

/// Ext fields of a command, in order.
pub type OwnedFields = Vec<(Cow<'static, str>, String)>;

/// A whole command.
#[derive(Clone, Debug, PartialEq)]
pub struct RemotingCommand {
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
    pub remark: Option<String>,
    /// Ext fields.
    pub fields: OwnedFields,
    /// Body, empty when there is none.
    pub body: Bytes,
    /// Codec of the header: an answer uses that of its question.
    pub codec: HeaderCodec,
}

impl RemotingCommand {
    /// A request of ours. The connection sets `opaque`.
    #[must_use]
    pub fn request(code: RequestCode, header: &impl EncodeHeader, body: Bytes) -> Self {
        Self {
            code: code.0,
            language: Language::JAVA,
            version: VERSION,
            opaque: 0,
            flag: 0,
            remark: None,
            fields: collect_fields(header),
            body,
            codec: HeaderCodec::Json,
        }
    }

    /// An answer of ours to the question `opaque`, without fields and body.
    #[must_use]
    pub fn answer(code: ResponseCode, opaque: i32) -> Self {
        Self {
            code: code.0,
            language: Language::JAVA,
            version: VERSION,
            opaque,
            flag: FLAG_RESPONSE,
            remark: None,
            fields: Vec::new(),
            body: Bytes::new(),
            codec: HeaderCodec::Json,
        }
    }

    /// Copies a frame out of the bytes it arrived in.
    ///
    /// # Errors
    /// [`HeaderError`] when the header cannot be read.
    pub fn from_frame(frame: &Frame<'_>, scratch: &mut HeaderScratch) -> Result<Self, HeaderError> {
        let view = decode(frame.codec, frame.header, scratch)?;
        Ok(Self::from_view(&view, frame))
    }

    /// Copies a decoded frame.
    #[must_use]
    pub fn from_view(view: &HeaderView<'_>, frame: &Frame<'_>) -> Self {
        Self {
            code: view.code,
            language: view.language,
            version: view.version,
            opaque: view.opaque,
            flag: view.flag,
            remark: view.remark.map(str::to_owned),
            fields: view.fields.iter().map(|(name, value)| (name.to_owned().into(), value.to_owned())).collect(),
            body: Bytes::copy_from_slice(frame.body),
            codec: frame.codec,
        }
    }

    /// Appends the command's frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let head = HeaderHead {
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            flag: self.flag,
            remark: self.remark.as_deref(),
        };
        write_frame(out, self.codec, &head, |sink| write_fields(&self.fields, sink), self.body.len());
        out.extend_from_slice(&self.body);
    }

    /// The value of an ext field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the fields as a typed header.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that is missing or wrong.
    pub fn header<H: for<'a> DecodeHeader<'a>>(&self) -> Result<H, FieldError> {
        // Off the hot path: the fields are written and read once more, so that there is one decoder.
        let mut bytes = Vec::new();
        let head = HeaderHead::answer(ResponseCode::SUCCESS, 0);
        write_frame(&mut bytes, HeaderCodec::Json, &head, |sink| write_fields(&self.fields, sink), 0);
        let mut scratch = HeaderScratch::default();
        let view = decode(HeaderCodec::Json, bytes.get(8..).unwrap_or_default(), &mut scratch)
            .map_err(|_| FieldError { field: "extFields", problem: crate::header::FieldProblem::Missing })?;
        H::decode(&view.fields)
    }

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

    /// The answer's code.
    #[must_use]
    pub const fn response_code(&self) -> ResponseCode {
        ResponseCode(self.code)
    }
}

/// Writes owned fields.
pub(crate) fn write_fields(fields: &OwnedFields, sink: &mut FieldSink<'_>) {
    for (name, value) in fields {
        sink.text(name, value);
    }
}

/// The fields of a typed header, owned.
#[must_use]
pub fn collect_fields(header: &impl EncodeHeader) -> OwnedFields {
    let mut bytes = Vec::new();
    let head = HeaderHead::answer(ResponseCode::SUCCESS, 0);
    write_frame(&mut bytes, HeaderCodec::Json, &head, |sink| header.encode(sink), 0);
    let mut scratch = HeaderScratch::default();
    match decode(HeaderCodec::Json, bytes.get(8..).unwrap_or_default(), &mut scratch) {
        Ok(view) => view.fields.iter().map(|(name, value)| (name.to_owned().into(), value.to_owned())).collect(),
        Err(_) => Vec::new(),
    }
}
