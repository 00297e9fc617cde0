//! From the dialect to strict JSON, text to text.

use super::{FastjsonError, MAX_DEPTH, MAX_LENGTH};

/// Turns a text of the dialect into strict, compact JSON.
///
/// # Errors
/// [`FastjsonError`] names the first byte that cannot stand where it stands; also for text that is not UTF-8,
/// nested deeper than [`MAX_DEPTH`] or longer than [`MAX_LENGTH`].
pub fn to_strict(text: &[u8]) -> Result<String, FastjsonError> {
    if text.len() > MAX_LENGTH {
        return Err(FastjsonError::new(MAX_LENGTH, format!("the text is longer than {MAX_LENGTH} bytes")));
    }
    let input = str::from_utf8(text).map_err(|error| FastjsonError::new(error.valid_up_to(), "not UTF-8"))?;
    let mut rewriter = Rewriter { input, at: 0, out: String::with_capacity(input.len() + input.len() / 8) };
    rewriter.value(0, false)?;
    match rewriter.peek() {
        None => Ok(rewriter.out),
        Some(_) => Err(rewriter.error("the end of the text was expected")),
    }
}

/// What a value turned out to be.
#[derive(PartialEq)]
enum Found {
    Null,
    Something,
}

struct Rewriter<'a> {
    input: &'a str,
    at: usize,
    out: String,
}

impl<'a> Rewriter<'a> {
    fn error(&self, what: &str) -> FastjsonError {
        FastjsonError::new(self.at, what)
    }

    fn byte(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space; it is not consumed.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c | 0x08) {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn value(&mut self, depth: u32, inside_key: bool) -> Result<Found, FastjsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error("the text is nested too deep"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth, inside_key)?,
            Some(b'[') => self.array(depth, inside_key)?,
            Some(b'"' | b'\'') => self.string()?,
            Some(_) => return self.literal(),
            None => return Err(self.error("a value was expected")),
        }
        Ok(Found::Something)
    }

    fn object(&mut self, depth: u32, inside_key: bool) -> Result<(), FastjsonError> {
        self.at += 1;
        self.out.push('{');
        let first = self.out.len();
        loop {
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(b'}') => break,
                _ => {}
            }
            let member = self.out.len();
            if member > first {
                self.out.push(',');
            }
            self.key(depth, inside_key)?;
            if self.peek() != Some(b':') {
                return Err(self.error("`:` was expected after a key"));
            }
            self.at += 1;
            self.out.push(':');
            if self.value(depth + 1, inside_key)? == Found::Null {
                self.out.truncate(member);
            }
            if !matches!(self.peek(), Some(b',' | b'}')) {
                return Err(self.error("`,` or `}` was expected"));
            }
        }
        self.at += 1;
        self.out.push('}');
        Ok(())
    }

    fn array(&mut self, depth: u32, inside_key: bool) -> Result<(), FastjsonError> {
        self.at += 1;
        self.out.push('[');
        let first = self.out.len();
        loop {
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(b']') => break,
                _ => {}
            }
            if self.out.len() > first {
                self.out.push(',');
            }
            self.value(depth + 1, inside_key)?;
            if !matches!(self.peek(), Some(b',' | b']')) {
                return Err(self.error("`,` or `]` was expected"));
            }
        }
        self.at += 1;
        self.out.push(']');
        Ok(())
    }

    fn key(&mut self, depth: u32, inside_key: bool) -> Result<(), FastjsonError> {
        match self.peek() {
            Some(b'"' | b'\'') => self.string(),
            // Every level of keys in keys would double the escapes of the one below: one level is all that upstream has.
            Some(b'{' | b'[') if inside_key => Err(self.error("a key inside a key must not be an object")),
            Some(b'{' | b'[') => {
                let outer = std::mem::take(&mut self.out);
                self.value(depth + 1, true)?;
                let key = std::mem::replace(&mut self.out, outer);
                push_string(&mut self.out, &key);
                Ok(())
            }
            Some(_) => {
                let token = self.token()?;
                push_string(&mut self.out, token);
                Ok(())
            }
            None => Err(self.error("a key was expected")),
        }
    }

    /// A bare word or number: everything up to the next punctuation.
    fn token(&mut self) -> Result<&'a str, FastjsonError> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let punctuation =
            |c: char| c.is_ascii_whitespace() || matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | '"' | '\'');
        let token = rest.split(punctuation).next().unwrap_or_default();
        if token.is_empty() || token.bytes().any(|byte| byte < 0x20 || byte == b'\\') {
            return Err(self.error("a key or a value was expected"));
        }
        self.at += token.len();
        Ok(token)
    }

    fn literal(&mut self) -> Result<Found, FastjsonError> {
        let at = self.at;
        let token = self.token()?;
        if matches!(token, "null" | "undefined" | "NaN") {
            self.out.push_str("null");
            return Ok(Found::Null);
        }
        if !matches!(token, "true" | "false") && serde_json::from_str::<serde_json::Number>(token).is_err() {
            return Err(FastjsonError::new(at, "a value was expected"));
        }
        self.out.push_str(token);
        Ok(Found::Something)
    }

    /// A quoted text, with either quote and with escapes that JSON does not have.
    fn string(&mut self) -> Result<(), FastjsonError> {
        let quote = self.byte().unwrap_or(b'"');
        self.at += 1;
        self.out.push('"');
        loop {
            let rest = self.input.get(self.at..).unwrap_or_default();
            let Some(stop) =
                rest.bytes().position(|byte| byte == quote || byte == b'\\' || byte == b'"' || byte < 0x20)
            else {
                return Err(FastjsonError::new(self.input.len(), "the text ends inside a string"));
            };
            self.out.push_str(rest.get(..stop).unwrap_or_default());
            self.at += stop;
            match self.byte() {
                Some(byte) if byte == quote => break,
                Some(b'\\') => self.escape()?,
                Some(byte) => {
                    push_escaped(&mut self.out, char::from(byte));
                    self.at += 1;
                }
                None => {}
            }
        }
        self.at += 1;
        self.out.push('"');
        Ok(())
    }

    /// One escape; the backslash is next.
    fn escape(&mut self) -> Result<(), FastjsonError> {
        let Some(kind) = self.input.as_bytes().get(self.at + 1).copied() else {
            return Err(self.error("the text ends inside an escape"));
        };
        let (character, length) = match kind {
            b'"' | b'\'' | b'\\' | b'/' => (char::from(kind), 2),
            b'b' => ('\u{8}', 2),
            b'f' | b'F' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'v' => ('\u{b}', 2),
            b'0'..=b'7' => (char::from(kind - b'0'), 2),
            b'x' => (self.hex(self.at + 2, 2).and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER), 4),
            b'u' => self.unicode()?,
            _ => return Err(self.error("an unknown escape")),
        };
        push_escaped(&mut self.out, character);
        self.at += length;
        Ok(())
    }

    /// `\uXXXX`, or a pair of them; half a pair means nothing, so it is replaced.
    fn unicode(&self) -> Result<(char, usize), FastjsonError> {
        let high = self.hex(self.at + 2, 4).ok_or_else(|| self.error("four hexadecimal digits were expected"))?;
        if let Some(character) = char::from_u32(high) {
            return Ok((character, 6));
        }
        let escaped = self.input.as_bytes().get(self.at + 6..self.at + 8) == Some(b"\\u");
        let low = if escaped { self.hex(self.at + 8, 4) } else { None };
        match low {
            Some(low @ 0xdc00..=0xdfff) if high < 0xdc00 => {
                let character = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                Ok((character.unwrap_or(char::REPLACEMENT_CHARACTER), 12))
            }
            _ => Ok((char::REPLACEMENT_CHARACTER, 6)),
        }
    }

    fn hex(&self, at: usize, digits: usize) -> Option<u32> {
        let text = self.input.get(at..at + digits)?;
        if text.bytes().all(|byte| byte.is_ascii_hexdigit()) { u32::from_str_radix(text, 16).ok() } else { None }
    }
}

/// Writes a character inside a JSON string.
fn push_escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        control if (control as u32) < 0x20 => {
            const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
            out.push_str("\\u00");
            out.push(DIGITS[control as usize >> 4 & 15]);
            out.push(DIGITS[control as usize & 15]);
        }
        other => out.push(other),
    }
}

/// Writes a whole JSON string.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        push_escaped(out, character);
    }
    out.push('"');
}
