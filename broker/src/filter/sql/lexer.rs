//! Tokens of an expression, cut one at a time: what nobody asks for is not looked at.
//!
//! ```text
//! name      letter, _ or $, then those and digits; reserved words in any case
//! integer   0, or digits that do not begin with 0, then l or L if at all
//! fraction  5.5  5.  .5  and each with an exponent; 5E10
//! string    '…', '' stands for one quote
//! skipped   space, tab, line end, form feed;  -- to the end of a line that has one;  /* … */
//! ```
//! The longest token wins, as in upstream's scanner: `007` is three integers, `0L` an integer and a name, `5e` an
//! integer and a name. Upstream: `SelectorParserTokenManager` (RocketMQ 5.5.0).

use super::SqlError;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing follows.
    End,
    Not,
    And,
    Or,
    Between,
    In,
    True,
    False,
    Null,
    Is,
    Contains,
    StartsWith,
    EndsWith,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Open,
    Comma,
    Close,
    Plus,
    Minus,
    /// A whole number, the `l` behind it included.
    Integer,
    /// A number with a point or an exponent.
    Fraction,
    /// A string with its quotes.
    Text,
    /// The name of a property.
    Name,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Its first byte in the expression.
    pub(super) at: usize,
    /// As it is written; empty at the end.
    pub(super) text: &'a str,
}

const RESERVED: [(&str, Kind); 12] = [
    ("NOT", Kind::Not),
    ("AND", Kind::And),
    ("OR", Kind::Or),
    ("BETWEEN", Kind::Between),
    ("IN", Kind::In),
    ("TRUE", Kind::True),
    ("FALSE", Kind::False),
    ("NULL", Kind::Null),
    ("IS", Kind::Is),
    ("CONTAINS", Kind::Contains),
    ("STARTSWITH", Kind::StartsWith),
    ("ENDSWITH", Kind::EndsWith),
];

/// The rest of an expression.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Cuts the next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>, SqlError> {
        self.skip();
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let Some(&first) = rest.first() else {
            return Ok(Token { kind: Kind::End, at: self.at, text: "" });
        };
        let second = rest.get(1).copied();
        let (kind, length) = match (first, second) {
            (b'=', _) => (Kind::Equal, 1),
            (b'<', Some(b'>')) => (Kind::NotEqual, 2),
            (b'<', Some(b'=')) => (Kind::LessOrEqual, 2),
            (b'<', _) => (Kind::Less, 1),
            (b'>', Some(b'=')) => (Kind::GreaterOrEqual, 2),
            (b'>', _) => (Kind::Greater, 1),
            (b'(', _) => (Kind::Open, 1),
            (b',', _) => (Kind::Comma, 1),
            (b')', _) => (Kind::Close, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'\'', _) => match string_length(rest) {
                Some(length) => (Kind::Text, length),
                None => return Err(SqlError::OpenString { column: column(self.text, self.at) }),
            },
            (b'0'..=b'9', _) | (b'.', Some(b'0'..=b'9')) => number(rest),
            (b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$', _) => {
                let length = rest.iter().take_while(|byte| is_name(**byte)).count();
                (Kind::Name, length)
            }
            _ => {
                let found = self.text.get(self.at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                return Err(SqlError::Character { column: column(self.text, self.at), found });
            }
        };
        // All tokens end at a byte of ASCII, so this is never inside a character.
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        let reserved = (kind == Kind::Name).then(|| RESERVED.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)));
        let kind = reserved.flatten().map_or(kind, |(_, kind)| *kind);
        let token = Token { kind, at: self.at, text };
        self.at += length;
        Ok(token)
    }

    /// Passes over blanks and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += match rest {
                [b' ' | b'\t' | b'\n' | b'\r' | 0x0C, ..] => 1,
                [b'-', b'-', ..] => match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                    Some(end) => end + 1,
                    // Without a line end it is no comment but two signs.
                    None => return,
                },
                [b'/', b'*', body @ ..] => match body.windows(2).position(|pair| pair == b"*/") {
                    Some(end) => end + 4,
                    None => return,
                },
                _ => return,
            };
        }
    }
}

/// Column of a byte, for people: characters, from 1.
pub(super) fn column(text: &str, at: usize) -> usize {
    text.get(..at).map_or(0, |before| before.chars().count()) + 1
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// Bytes of the string that begins here. Where the last quote pair leaves a string open, the string ended before it.
fn string_length(rest: &[u8]) -> Option<usize> {
    let mut closed = None;
    let mut at = 1;
    while let Some(quote) = rest.get(at..).and_then(|rest| memchr::memchr(b'\'', rest)) {
        at += quote + 1;
        closed = Some(at);
        if rest.get(at) != Some(&b'\'') {
            break;
        }
        at += 1;
    }
    closed
}

fn number(rest: &[u8]) -> (Kind, usize) {
    let whole = digits(rest, 0);
    if rest.get(whole) == Some(&b'.') {
        let end = digits(rest, whole + 1);
        return (Kind::Fraction, exponent(rest, end).unwrap_or(end));
    }
    if let Some(end) = exponent(rest, whole) {
        return (Kind::Fraction, end);
    }
    if rest.first() == Some(&b'0') {
        return (Kind::Integer, 1);
    }
    (Kind::Integer, whole + usize::from(matches!(rest.get(whole), Some(b'l' | b'L'))))
}

/// Where the digits from `at` on end.
fn digits(rest: &[u8], at: usize) -> usize {
    at + rest.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where the exponent at `at` ends, if a whole one stands there.
fn exponent(rest: &[u8], at: usize) -> Option<usize> {
    if !matches!(rest.get(at), Some(b'e' | b'E')) {
        return None;
    }
    let begin = at + 1 + usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
    Some(digits(rest, begin)).filter(|end| *end > begin)
}
