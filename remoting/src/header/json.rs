//! The JSON header codec.
//!
//! Read: any JSON object; known members are taken, unknown ones skipped; raw control characters inside strings
//! are accepted, as fastjson accepts them. Written: compact, members in alphabetical order, nulls left out.

use super::field::FieldSink;
use super::{HeaderError, HeaderHead, HeaderScratch, Meta, Span};
use crate::code::Language;

/// How deep an unknown member may nest before the header is refused.
const NESTING_MAX: u32 = 16;

pub(super) fn decode(text: &str, scratch: &mut HeaderScratch) -> Result<Meta, HeaderError> {
    let mut scan = Scan { text, bytes: text.as_bytes(), at: 0, scratch };
    let mut meta = Meta::default();
    scan.object(|scan, key| {
        match scan.span(key) {
            "code" => meta.code = scan.integer()?,
            "version" => meta.version = scan.integer()?,
            "opaque" => meta.opaque = scan.integer()?,
            "flag" => meta.flag = scan.integer()?,
            "language" => meta.language = scan.text_or_null()?.map(|span| Language::from_name(scan.span(span))),
            "remark" => meta.remark = scan.text_or_null()?,
            "extFields" => scan.fields()?,
            _ => scan.skip(0)?,
        }
        Ok(())
    })?;
    scan.blanks();
    if scan.at != scan.bytes.len() {
        return Err(scan.expected("the end of the header"));
    }
    Ok(meta)
}

struct Scan<'t, 's> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    scratch: &'s mut HeaderScratch,
}

impl Scan<'_, '_> {
    fn expected(&self, expected: &'static str) -> HeaderError {
        HeaderError::Json { at: self.at, expected }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8, expected: &'static str) -> Result<(), HeaderError> {
        self.blanks();
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.expected(expected))
    }

    fn eat_word(&mut self, word: &'static str) -> Result<(), HeaderError> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.expected(word))
    }

    fn span(&self, span: Span) -> &str {
        let source = if span.in_scratch { &self.scratch.text } else { self.text };
        source.get(span.start as usize..(span.start + span.length) as usize).unwrap_or_default()
    }

    /// Walks an object; `member` is called after each key and its colon and must take the value.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Span) -> Result<(), HeaderError>,
    ) -> Result<(), HeaderError> {
        self.eat(b'{', "an object")?;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.eat(b':', "a colon")?;
            self.blanks();
            member(self, key)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected("a comma or the object's end")),
            }
        }
    }

    fn fields(&mut self) -> Result<(), HeaderError> {
        if self.peek() == Some(b'n') {
            return self.eat_word("null");
        }
        self.object(|scan, key| {
            // Upstream reads any scalar as text; null is an absent field.
            let value = match scan.peek() {
                Some(b'"') => Some(scan.string()?),
                Some(b'n') => {
                    scan.eat_word("null")?;
                    None
                }
                _ => {
                    let start = scan.at;
                    scan.skip(0)?;
                    Some(Span { start: start as u32, length: (scan.at - start) as u32, in_scratch: false })
                }
            };
            if let Some(value) = value {
                scan.scratch.fields.push((key, value));
            }
            Ok(())
        })
    }

    fn text_or_null(&mut self) -> Result<Option<Span>, HeaderError> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            _ => self.eat_word("null").map(|()| None),
        }
    }

    fn integer(&mut self) -> Result<i32, HeaderError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        digits.parse().map_err(|_| HeaderError::Json { at: start, expected: "a 32-bit number" })
    }

    /// Reads a string; the span lies in the header unless an escape had to be resolved.
    fn string(&mut self) -> Result<Span, HeaderError> {
        self.eat(b'"', "a string")?;
        let start = self.at;
        if self.pass_plain()? == b'\\' {
            return self.escaped_string(start);
        }
        let span = Span { start: start as u32, length: (self.at - start) as u32, in_scratch: false };
        self.at += 1;
        Ok(span)
    }

    /// Passes over the characters that stand for themselves, up to a quote or a backslash; which of the two.
    fn pass_plain(&mut self) -> Result<u8, HeaderError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(length) => {
                self.at += length;
                Ok(rest.get(length).copied().unwrap_or(b'"'))
            }
            None => {
                self.at = self.bytes.len();
                Err(self.expected("the string's end"))
            }
        }
    }

    /// Goes on with a string whose first escape stands at `self.at`, copying it unescaped into the scratch.
    fn escaped_string(&mut self, start: usize) -> Result<Span, HeaderError> {
        let scratch_start = self.scratch.text.len();
        let mut plain = start;
        loop {
            let found = self.pass_plain()?;
            self.copy_plain(plain);
            self.at += 1;
            if found == b'"' {
                let length = (self.scratch.text.len() - scratch_start) as u32;
                return Ok(Span { start: scratch_start as u32, length, in_scratch: true });
            }
            let resolved = self.escape()?;
            self.scratch.text.push(resolved);
            plain = self.at;
        }
    }

    fn copy_plain(&mut self, from: usize) {
        self.scratch.text.push_str(self.text.get(from..self.at).unwrap_or_default());
    }

    fn escape(&mut self) -> Result<char, HeaderError> {
        let byte = self.peek().ok_or_else(|| self.expected("an escape"))?;
        self.at += 1;
        Ok(match byte {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => char::from(byte),
            b'u' => {
                let first = self.four_hex_digits()?;
                if !(0xd800..0xe000).contains(&first) {
                    return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                // A surrogate pair, or half of one, which Java strings may hold and UTF-8 cannot.
                let pair = self.bytes.get(self.at..self.at + 2) == Some(b"\\u");
                if first >= 0xdc00 || !pair {
                    return Ok(char::REPLACEMENT_CHARACTER);
                }
                let back = self.at;
                self.at += 2;
                let second = self.four_hex_digits()?;
                if !(0xdc00..0xe000).contains(&second) {
                    self.at = back;
                    return Ok(char::REPLACEMENT_CHARACTER);
                }
                let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.expected("an escape")),
        })
    }

    fn four_hex_digits(&mut self) -> Result<u32, HeaderError> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(|| self.expected("four hex digits"))?;
        let mut value = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16).ok_or_else(|| self.expected("four hex digits"))?;
            value = value << 4 | digit;
        }
        self.at += 4;
        Ok(value)
    }

    /// Passes over any value.
    fn skip(&mut self, depth: u32) -> Result<(), HeaderError> {
        if depth > NESTING_MAX {
            return Err(self.expected("less nesting"));
        }
        self.blanks();
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(|scan, _| scan.skip(depth + 1)),
            Some(b'[') => {
                self.at += 1;
                self.blanks();
                if self.peek() == Some(b']') {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    self.blanks();
                    match self.peek() {
                        Some(b',') => self.at += 1,
                        Some(b']') => {
                            self.at += 1;
                            return Ok(());
                        }
                        _ => return Err(self.expected("a comma or the list's end")),
                    }
                }
            }
            Some(b't') => self.eat_word("true"),
            Some(b'f') => self.eat_word("false"),
            Some(b'n') => self.eat_word("null"),
            Some(b'-' | b'0'..=b'9') => {
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.expected("a value")),
        }
    }
}

pub(super) fn encode(out: &mut Vec<u8>, head: &HeaderHead<'_>, fields: impl FnOnce(&mut FieldSink<'_>)) {
    out.extend_from_slice(b"{\"code\":");
    write_integer(out, i64::from(head.code));
    out.extend_from_slice(b",\"extFields\":{");
    fields(&mut FieldSink::json(out));
    out.extend_from_slice(b"},\"flag\":");
    write_integer(out, i64::from(head.flag));
    out.extend_from_slice(b",\"language\":\"");
    out.extend_from_slice(head.language.name().as_bytes());
    out.extend_from_slice(b"\",\"opaque\":");
    write_integer(out, i64::from(head.opaque));
    if let Some(remark) = head.remark {
        out.extend_from_slice(b",\"remark\":");
        write_string(out, remark);
    }
    out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    write_integer(out, i64::from(head.version));
    out.push(b'}');
}

/// Appends a number in decimal.
pub(super) fn write_integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends a JSON string; control characters become `\u00XX`, all else stays UTF-8.
pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    // Without an early exit the compiler looks at many bytes at once; nearly every text needs no escape.
    if !bytes.iter().fold(false, |found, byte| found | needs_escape(*byte)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !needs_escape(*byte) {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}
