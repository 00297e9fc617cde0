//! Java's `.properties` text: `broker.conf`, `namesrv.conf`, and the bodies of the configuration requests.
//!
//! Owns the syntax, read and written; it never knows what a key means (that is [`crate::config`]).
//!
//! ```text
//! # comment            ! comment
//! key=value            key: value            key value
//! long=first, \
//!      second          → "first, second"
//! path=C\:\\data       → "C:\data"           name=\u00e9 → "é"
//! ```
//!
//! Upstream: `java.util.Properties`, `MixAll.string2Properties`, `MixAll.properties2String`.

use std::collections::BTreeMap;
use std::fmt;

#[cfg(test)]
mod tests;

/// Why a text is not a properties file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// `\u` without four hexadecimal digits, or half of a surrogate pair.
    #[error(
        "line {line}: \"\\u\" stands for a character only with its four hexadecimal digits (both halves of a pair)"
    )]
    BadUnicodeEscape {
        /// Number of the line on which the entry begins, from 1.
        line: usize,
    },
}

#[derive(Clone, PartialEq, Eq)]
struct Value {
    text: String,
    line: Option<usize>,
}

/// Keys and values, sorted by key, each with the line it came from.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    source: String,
    values: BTreeMap<String, Value>,
    repeated: Vec<(String, usize)>,
}

/// Shows keys only: values may be credentials.
impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Properties").field("source", &self.source).field("keys", &self.values.keys()).finish()
    }
}

impl Properties {
    /// No entry yet, with a name of where they will come from, for errors.
    #[must_use]
    pub fn named(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// No entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a whole text. `source` names it in error messages: a file, a request. Bytes that are not UTF-8 are
    /// read as Latin-1, which is how Java reads such a file. Of a key given twice the later value stands.
    ///
    /// # Errors
    /// [`PropertiesError`] with the line of a broken `\u` escape; Java refuses such a text too.
    pub fn parse(source: &str, bytes: &[u8]) -> Result<Self, PropertiesError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        };
        let mut properties = Self { source: source.to_owned(), ..Self::default() };
        for (line, entry) in logical_lines(text.trim_start_matches('\u{feff}')) {
            let (key, value) = split_entry(&entry);
            let (key, value) = (unescape(key, line)?, unescape(value, line)?);
            let fresh = Value { text: value, line: Some(line) };
            if properties.values.insert(key.clone(), fresh).is_some() {
                properties.repeated.push((key, line));
            }
        }
        Ok(properties)
    }

    /// What the text was: a file, a request. Empty for one built in memory.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.text.as_str())
    }

    /// The line a key stands on, from 1; `None` when it is absent or did not come from a text.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        self.values.get(key)?.line
    }

    /// Sets a key, as a command-line flag or a request does.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.values.insert(key.into(), Value { text: value.into(), line: None });
    }

    /// Takes a key out and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.values.remove(key).map(|value| value.text)
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.text.as_str()))
    }

    /// Keys that the text gave more than once, with the line of each later entry.
    pub fn repeated(&self) -> impl Iterator<Item = (&str, usize)> {
        self.repeated.iter().map(|(key, line)| (key.as_str(), *line))
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True when there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `key=value` lines sorted by key: the body in which GET_BROKER_CONFIG and GET_NAMESRV_CONFIG are answered, and which
    /// mqadmin reads. What its reader would take for something else is escaped, which upstream leaves out: backslashes, blanks
    /// that lead a value, line ends. Letters beyond ASCII stay as they are.
    #[must_use]
    pub fn to_wire_text(&self) -> String {
        let mut text = String::new();
        for (key, value) in self.iter() {
            escape(key, true, is_wire_plain, &mut text);
            text.push('=');
            escape(value, false, is_wire_plain, &mut text);
            text.push('\n');
        }
        text
    }

    /// The text for a file: what [`Properties::parse`] and Java's reader turn back into the same entries. Letters
    /// beyond ASCII are written as `\u`, since Java reads files as Latin-1.
    #[must_use]
    pub fn to_file_text(&self) -> String {
        let mut text = String::new();
        for (key, value) in self.iter() {
            write_entry(key, value, &mut text);
        }
        text
    }
}

/// `text`, a file, with these keys set: the lines of a key that stands there are replaced, other keys are appended, all else stays
/// byte for byte. No key may be given twice.
#[must_use]
pub fn edited(text: &[u8], changes: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut written = vec![false; changes.len()];
    let mut lines = raw_lines(text).peekable();
    while let Some(line) = lines.next() {
        let mut entry = line.to_vec();
        if !is_remark(line) {
            while goes_on(&entry)
                && let Some(more) = lines.next()
            {
                entry.extend_from_slice(more);
            }
            let change = key_of(&entry).and_then(|key| changes.iter().position(|(changed, _)| *changed == key));
            if let Some(at) = change
                && let (Some((key, value)), Some(written)) = (changes.get(at), written.get_mut(at))
            {
                // Of a key that stands there more than once the last entry counts: they all become the same.
                *written = true;
                let mut line = String::new();
                write_entry(key, value, &mut line);
                out.extend_from_slice(line.as_bytes());
                continue;
            }
        }
        out.extend_from_slice(&entry);
    }
    let missing = changes.iter().zip(written).filter(|(_, written)| !written);
    for ((key, value), _) in missing {
        if out.last().is_some_and(|last| *last != b'\n') {
            out.push(b'\n');
        }
        let mut line = String::new();
        write_entry(key, value, &mut line);
        out.extend_from_slice(line.as_bytes());
    }
    out
}

/// Lines with their ends.
fn raw_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(at) if rest.get(at..at + 2) == Some(b"\r\n") => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (line, after) = rest.split_at(end);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// True for a comment and for a line of blanks: neither can be continued.
fn is_remark(line: &[u8]) -> bool {
    let first = without_end(line).iter().find(|byte| !is_blank(char::from(**byte)));
    first.is_none_or(|first| matches!(first, b'#' | b'!'))
}

/// True for a line that ends with a backslash which is not escaped.
fn goes_on(line: &[u8]) -> bool {
    without_end(line).iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The key of an entry; `None` for one that cannot be read.
fn key_of(entry: &[u8]) -> Option<String> {
    let read = Properties::parse("", entry).ok()?;
    read.iter().next().map(|(key, _)| key.to_owned())
}

const fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\x0c')
}

/// Joins continued lines and drops comments and blank lines. A comment cannot be continued, and blanks that
/// lead a continuation do not count.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, raw) in natural_lines(text).enumerate() {
        let trimmed = raw.trim_start_matches(is_blank);
        let (line, mut entry) = match open.take() {
            Some(begun) => begun,
            None if trimmed.is_empty() || trimmed.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = trimmed.chars().rev().take_while(|&letter| letter == '\\').count();
        if backslashes % 2 == 1 {
            entry.push_str(trimmed.strip_suffix('\\').unwrap_or(trimmed));
            open = Some((line, entry));
        } else {
            entry.push_str(trimmed);
            lines.push((line, entry));
        }
    }
    lines.extend(open.filter(|(_, entry)| !entry.is_empty()));
    lines
}

/// Lines end with `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Cuts an entry at the first `=`, `:` or blank that is not escaped; blanks around the separator do not count,
/// blanks at the end of the value do.
fn split_entry(entry: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = entry.find(|letter: char| {
        let found = !escaped && (is_blank(letter) || matches!(letter, '=' | ':'));
        escaped = !escaped && letter == '\\';
        found
    });
    let (key, rest) = entry.split_at(end.unwrap_or(entry.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn unescape(text: &str, line: usize) -> Result<String, PropertiesError> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\x0c'),
            Some('u') => plain.push(unicode_escape(&mut letters).ok_or(PropertiesError::BadUnicodeEscape { line })?),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

/// The character after `\u`. One beyond the basic plane is written as two escapes.
fn unicode_escape(letters: &mut std::str::Chars<'_>) -> Option<char> {
    let first = four_digits(letters)?;
    if let Some(letter) = char::from_u32(first) {
        return Some(letter);
    }
    if letters.next() != Some('\\') || letters.next() != Some('u') {
        return None;
    }
    let pair = [u16::try_from(first).ok()?, u16::try_from(four_digits(letters)?).ok()?];
    char::decode_utf16(pair).next()?.ok()
}

fn four_digits(letters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + letters.next()?.to_digit(16)?))
}

/// One line of a file.
fn write_entry(key: &str, value: &str, out: &mut String) {
    escape(key, true, is_file_plain, out);
    out.push('=');
    escape(value, false, is_file_plain, out);
    out.push('\n');
}

/// Java reads files as Latin-1.
fn is_file_plain(letter: char) -> bool {
    matches!(letter, ' '..='~')
}

fn is_wire_plain(letter: char) -> bool {
    !letter.is_control()
}

fn escape(text: &str, is_key: bool, is_plain: fn(char) -> bool, out: &mut String) {
    for (index, letter) in text.chars().enumerate() {
        match letter {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\x0c' => out.push_str("\\f"),
            ' ' if is_key || index == 0 => out.push_str("\\ "),
            '\\' => out.push_str("\\\\"),
            '=' | ':' | '#' | '!' if is_key => {
                out.push('\\');
                out.push(letter);
            }
            _ if is_plain(letter) => out.push(letter),
            _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}"))),
        }
    }
}
