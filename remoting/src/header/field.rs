//! Typed fields: text in, checked value out, and back.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Fields, json};
use crate::names::{BrokerId, BrokerName, ClientId, ClusterName, Group, NameError, QueueId, Topic};
use crate::offsets::{PhysicalOffset, QueueOffset};

/// What is wrong with one field of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request header field {field} {problem}")]
pub struct FieldError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: FieldProblem,
}

/// Why a field's text is no value of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// A required field is not there.
    #[error("is missing")]
    Missing,
    /// The text is not what the type asks for.
    #[error("must be {expected}, not {value:?}")]
    Invalid {
        /// What would be right.
        expected: &'static str,
        /// The text that came, cut to 64 characters.
        value: String,
    },
    /// A topic or group name breaks the rules; the text is upstream's.
    #[error("names no topic or group: {0}")]
    Name(NameError),
}

impl FieldProblem {
    /// A text that does not fit its type.
    #[must_use]
    pub fn invalid(expected: &'static str, value: &str) -> Self {
        Self::Invalid { expected, value: value.chars().take(64).collect() }
    }
}

/// A type that stands in a header field.
pub trait Field<'a>: Sized {
    /// Reads the value from its text.
    ///
    /// # Errors
    /// [`FieldProblem`] when the text is no such value.
    fn parse(text: &'a str) -> Result<Self, FieldProblem>;
    /// Writes the value's text under `name`.
    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>);
}

macro_rules! integer_field {
    ($($type:ty, $expected:literal, |$value:ident| $read:expr, |$this:ident| $write:expr;)*) => {$(
        impl Field<'_> for $type {
            fn parse(text: &str) -> Result<Self, FieldProblem> {
                text.parse().ok().and_then(|$value| $read).ok_or_else(|| FieldProblem::invalid($expected, text))
            }
            fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
                let $this = self;
                sink.integer(name, i64::from($write));
            }
        }
    )*};
}
integer_field! {
    i32, "a 32-bit number", |value| Some(value), |this| *this;
    i64, "a 64-bit number", |value| Some(value), |this| *this;
    QueueId, "a queue number of 0 or more", |value| Self::from_wire(value), |this| this.to_wire();
    QueueOffset, "a queue offset", |value| Some(Self(value)), |this| this.0;
    PhysicalOffset, "a commit-log offset", |value| Some(Self(value)), |this| this.0;
    BrokerId, "a broker number", |value| Some(Self(value)), |this| this.0;
}

impl Field<'_> for bool {
    // As Java reads a boolean: "true" in any case is true, all else is false.
    fn parse(text: &str) -> Result<Self, FieldProblem> {
        Ok(text.eq_ignore_ascii_case("true"))
    }
    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        sink.text(name, if *self { "true" } else { "false" });
    }
}

impl Field<'_> for String {
    fn parse(text: &str) -> Result<Self, FieldProblem> {
        Ok(text.to_owned())
    }
    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        sink.text(name, self);
    }
}

impl<'a> Field<'a> for Cow<'a, str> {
    fn parse(text: &'a str) -> Result<Self, FieldProblem> {
        Ok(Cow::Borrowed(text))
    }
    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        sink.text(name, self);
    }
}

macro_rules! text_field {
    ($($type:ty: |$text:ident| $read:expr;)*) => {$(
        impl Field<'_> for $type {
            fn parse($text: &str) -> Result<Self, FieldProblem> {
                $read
            }
            fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
                sink.text(name, self.as_str());
            }
        }
    )*};
}
text_field! {
    Topic: |text| Topic::parse(text).map_err(FieldProblem::Name);
    Group: |text| Group::parse(text).map_err(FieldProblem::Name);
    BrokerName: |text| Ok(text.into());
    ClusterName: |text| Ok(text.into());
    ClientId: |text| Ok(text.into());
}

/// Where ext fields are written to, in the codec of the frame.
#[derive(Debug)]
pub struct FieldSink<'o> {
    out: &'o mut Vec<u8>,
    json: bool,
    first: bool,
}

impl<'o> FieldSink<'o> {
    pub(super) const fn json(out: &'o mut Vec<u8>) -> Self {
        Self { out, json: true, first: true }
    }

    pub(super) const fn binary(out: &'o mut Vec<u8>) -> Self {
        Self { out, json: false, first: true }
    }

    fn json_key(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        json::write_string(self.out, name);
        self.out.push(b':');
    }

    fn binary_key(&mut self, name: &str) {
        // No field name of ours or of upstream comes near 32 KiB; a relayed one that does is cut off by its length.
        let name = name.get(..name.len().min(i16::MAX as usize)).unwrap_or_default();
        self.out.extend_from_slice(&(name.len() as i16).to_be_bytes());
        self.out.extend_from_slice(name.as_bytes());
    }

    /// Writes a text.
    pub fn text(&mut self, name: &str, value: &str) {
        if self.json {
            self.json_key(name);
            json::write_string(self.out, value);
        } else {
            self.binary_key(name);
            self.out.extend_from_slice(&(value.len() as i32).to_be_bytes());
            self.out.extend_from_slice(value.as_bytes());
        }
    }

    /// Writes a text that holds only printable ASCII without `"` and `\`, straight from bytes.
    pub fn plain(&mut self, name: &'static str, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.json {
            self.json_key(name);
            self.out.push(b'"');
            write(self.out);
            self.out.push(b'"');
        } else {
            self.binary_key(name);
            self.out.extend_from_slice(&(length as i32).to_be_bytes());
            let start = self.out.len();
            write(self.out);
            debug_assert_eq!(self.out.len() - start, length, "the length announced for {name}");
        }
    }

    /// Writes a number.
    pub fn integer(&mut self, name: &str, value: i64) {
        if self.json {
            self.json_key(name);
            self.out.push(b'"');
            json::write_integer(self.out, value);
            self.out.push(b'"');
        } else {
            let mut digits = String::with_capacity(20);
            // Writing into a String cannot fail.
            let _ = write!(digits, "{value}");
            self.text(name, &digits);
        }
    }
}

/// A header that can be read.
pub trait DecodeHeader<'a>: Sized {
    /// Takes the header's fields; unknown ones are left alone.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that is missing or wrong.
    fn decode(fields: &Fields<'a>) -> Result<Self, FieldError>;
}

/// A header that can be written.
pub trait EncodeHeader {
    /// Writes every field that has a value.
    fn encode(&self, sink: &mut FieldSink<'_>);
}

/// One field of a declared header, for tests and generated documents.
#[derive(Clone, Copy, Debug)]
pub struct HeaderField {
    /// Name on the wire.
    pub name: &'static str,
    /// Second, short name; the same as `name` when there is none.
    pub short: &'static str,
    /// False for a field that may be left out.
    pub required: bool,
}

/// Declares headers. Required or optional is the field's type: `T` or `Option<T>`. A second name after `|` is
/// the short one of upstream's `_V2` headers; both are read, the first is written.
///
/// ```
/// boostermq_remoting::header! {
///     /// Header of an example.
///     ExampleHeader {
///         /// The topic.
///         topic: boostermq_remoting::names::Topic = "topic" | "b",
///         /// How many.
///         count: Option<i32> = "count",
///     }
/// }
/// ```
#[macro_export]
macro_rules! header {
    ($($(#[$doc:meta])* $name:ident $(<$lt:lifetime>)? {
        $($(#[$field_doc:meta])* $field:ident : $type:ty = $wire:literal $(| $short:literal)?),* $(,)?
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name $(<$lt>)? { $($(#[$field_doc])* pub $field: $type),* }

        $crate::header!(@decode $name [$($lt)?] $($field : $type = $wire $(| $short)?),*);

        impl $(<$lt>)? $crate::header::EncodeHeader for $name $(<$lt>)? {
            #[allow(unused_variables)]
            fn encode(&self, sink: &mut $crate::header::FieldSink<'_>) {
                $($crate::header::HeaderValue::write_into(&self.$field, $wire, sink);)*
            }
        }

        impl $(<$lt>)? $name $(<$lt>)? {
            /// Every field as declared.
            pub const FIELDS: &'static [$crate::header::HeaderField] = &[$($crate::header::HeaderField {
                name: $wire,
                short: $crate::header!(@short $wire $($short)?),
                required: <$type as $crate::header::HeaderValue<'_>>::REQUIRED,
            }),*];
        }
    )*};
    (@short $wire:literal) => { $wire };
    (@short $wire:literal $short:literal) => { $short };
    (@decode $name:ident [$lt:lifetime] $($field:ident : $type:ty = $wire:literal $(| $short:literal)?),*) => {
        impl<$lt> $crate::header::DecodeHeader<$lt> for $name<$lt> { $crate::header!(@body $lt, $($field : $type = $wire $(| $short)?),*); }
    };
    (@decode $name:ident [] $($field:ident : $type:ty = $wire:literal $(| $short:literal)?),*) => {
        impl<'a> $crate::header::DecodeHeader<'a> for $name { $crate::header!(@body 'a, $($field : $type = $wire $(| $short)?),*); }
    };
    (@body $lt:lifetime, $($field:ident : $type:ty = $wire:literal $(| $short:literal)?),*) => {
        #[allow(unused_variables, unused_mut)]
        fn decode(fields: &$crate::header::Fields<$lt>) -> Result<Self, $crate::header::FieldError> {
            $(let mut $field: Option<&$lt str> = None;)*
            for (name, text) in fields.iter() {
                match name {
                    $($wire $(| $short)? => $field = Some(text),)*
                    _ => {}
                }
            }
            Ok(Self { $($field: $crate::header::HeaderValue::read_from($field, $wire)?),* })
        }
    };
}

/// A field's value with its rule for absence: `T` is required, `Option<T>` is not. An empty text counts as
/// absent for an optional field, since binary headers and Go clients make no difference
/// (RocketMQ 5.5.0).
pub trait HeaderValue<'a>: Sized {
    /// True when absence is an error.
    const REQUIRED: bool;
    /// Reads the value, or refuses its absence.
    ///
    /// # Errors
    /// [`FieldError`] with `name`.
    fn read_from(text: Option<&'a str>, name: &'static str) -> Result<Self, FieldError>;
    /// Writes the value if there is one.
    fn write_into(&self, name: &'static str, sink: &mut FieldSink<'_>);
}

impl<'a, T: Field<'a>> HeaderValue<'a> for T {
    const REQUIRED: bool = true;
    fn read_from(text: Option<&'a str>, name: &'static str) -> Result<Self, FieldError> {
        let text = text.ok_or(FieldError { field: name, problem: FieldProblem::Missing })?;
        T::parse(text).map_err(|problem| FieldError { field: name, problem })
    }
    fn write_into(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        self.write(name, sink);
    }
}

impl<'a, T: Field<'a>> HeaderValue<'a> for Option<T> {
    const REQUIRED: bool = false;
    fn read_from(text: Option<&'a str>, name: &'static str) -> Result<Self, FieldError> {
        let text = text.filter(|text| !text.is_empty());
        text.map(|text| T::parse(text).map_err(|problem| FieldError { field: name, problem })).transpose()
    }
    fn write_into(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        if let Some(value) = self {
            value.write(name, sink);
        }
    }
}
