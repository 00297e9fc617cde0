//! Writing: strict JSON, except for bare object keys.

use std::io::{Result, Write};

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// Writes a value as a body: compact, integer keys quoted, object keys bare.
///
/// # Errors
/// When the type's own `Serialize` fails, which no type of [`crate::body`] does.
pub fn try_to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    write(value, None)
}

/// As [`try_to_vec`], for types that can always be written.
///
/// # Panics
/// When the type's own `Serialize` fails, which no type of [`crate::body`] does.
#[must_use]
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    always(write(value, None))
}

/// Writes a value as a metadata file: one TAB a level, no blank after `:`, as upstream lays it out.
///
/// # Panics
/// As [`to_vec`].
#[must_use]
pub fn to_pretty_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    always(write(value, Some(Indent::default())))
}

fn always(written: serde_json::Result<Vec<u8>>) -> Vec<u8> {
    match written {
        Ok(text) => text,
        Err(error) => panic!("a body must always be writable, but: {error}"),
    }
}

fn write<T: Serialize + ?Sized>(value: &T, indent: Option<Indent>) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Dialect { key: None, indent }))?;
    Ok(out)
}

#[derive(Default)]
struct Indent {
    level: usize,
    has_value: bool,
}

impl Indent {
    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> Result<()> {
        writer.write_all(b"\n")?;
        for _ in 0..self.level {
            writer.write_all(b"\t")?;
        }
        Ok(())
    }
}

/// Keeps a key back until it is whole; then a text that is an object goes out bare, any other quoted.
struct Dialect {
    key: Option<String>,
    indent: Option<Indent>,
}

impl Dialect {
    fn open<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> Result<()> {
        if let Some(indent) = &mut self.indent {
            indent.level += 1;
            indent.has_value = false;
        }
        writer.write_all(bracket)
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> Result<()> {
        if let Some(indent) = &mut self.indent {
            indent.level = indent.level.saturating_sub(1);
            if indent.has_value {
                indent.line(writer)?;
            }
            indent.has_value = true;
        }
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        match &self.indent {
            Some(indent) => indent.line(writer),
            None => Ok(()),
        }
    }

    fn end_item(&mut self) -> Result<()> {
        if let Some(indent) = &mut self.indent {
            indent.has_value = true;
        }
        Ok(())
    }
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        fn $name<W: ?Sized + Write>(&mut self, writer: &mut W, value: $type) -> Result<()> {
            match &mut self.key {
                Some(key) => key.push_str(&value.to_string()),
                None => CompactFormatter.$name(writer, value)?,
            }
            Ok(())
        }
    )*};
}

impl Formatter for Dialect {
    integers! { write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_bool: bool }

    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        if self.key.is_none() { writer.write_all(b"\"") } else { Ok(()) }
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        match self.key.take() {
            None => writer.write_all(b"\""),
            Some(key) if is_object(&key) => writer.write_all(key.as_bytes()),
            Some(key) => serde_json::to_writer(writer, &key).map_err(Into::into),
        }
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> Result<()> {
        match &mut self.key {
            Some(key) => key.push_str(fragment),
            None => writer.write_all(fragment.as_bytes())?,
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> Result<()> {
        let Some(key) = &mut self.key else { return CompactFormatter.write_char_escape(writer, escape) };
        key.push(match escape {
            CharEscape::Quote => '"',
            CharEscape::ReverseSolidus => '\\',
            CharEscape::Solidus => '/',
            CharEscape::Backspace => '\u{8}',
            CharEscape::FormFeed => '\u{c}',
            CharEscape::LineFeed => '\n',
            CharEscape::CarriageReturn => '\r',
            CharEscape::Tab => '\t',
            CharEscape::AsciiControl(byte) => char::from(byte),
        });
        Ok(())
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.item(writer, first)?;
        self.key = Some(String::new());
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> Result<()> {
        self.end_item()
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.item(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> Result<()> {
        self.end_item()
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.close(writer, b"}")
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.close(writer, b"]")
    }
}

fn is_object(key: &str) -> bool {
    key.starts_with('{') && serde_json::from_str::<IgnoredAny>(key).is_ok()
}
