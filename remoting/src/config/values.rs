//! Types of settings: what a value is inside, and the bare text it is in a file and on the wire.
//!
//! A key carries a number in upstream's unit (`fileReservedTime=72`); inside, the type says the unit
//! ([`Hours`]), so that a number of hours cannot be taken for milliseconds. Texts are those Java prints.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::names::{BrokerId, BrokerName, ClusterName};

/// A type that a key of a configuration may have.
pub trait Setting: Sized {
    /// A path, an address, a name or other free text: no request changes a key of this type unless it takes effect at once.
    const IS_FREE_TEXT: bool = false;

    /// What a right value looks like, to end the sentence "expected …".
    fn kind() -> String;
    /// Reads the text of a key, already trimmed. `None` when it is not a value of this type.
    fn parse(text: &str) -> Option<Self>;
    /// The text upstream shows for the value; `None` for a value that it leaves out (Java's null).
    fn text(&self) -> Option<String>;
    /// The bare number, for keys that have a range.
    fn number(&self) -> Option<i64> {
        None
    }
    /// Least and greatest number of a key that declares no range.
    fn limits() -> Option<RangeInclusive<i64>> {
        None
    }
}

impl Setting for bool {
    fn kind() -> String {
        "true or false".into()
    }
    fn parse(text: &str) -> Option<Self> {
        [true, false].into_iter().find(|value| text.eq_ignore_ascii_case(if *value { "true" } else { "false" }))
    }
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! integers {
    ($($type:ty, $kind:literal, $limits:expr, $is_address:literal;)*) => { $(
        impl Setting for $type {
            const IS_FREE_TEXT: bool = $is_address;
            fn kind() -> String {
                $kind.into()
            }
            fn parse(text: &str) -> Option<Self> {
                text.parse::<i64>().ok()?.try_into().ok()
            }
            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
            fn number(&self) -> Option<i64> {
                i64::try_from(*self).ok()
            }
            fn limits() -> Option<RangeInclusive<i64>> {
                $limits
            }
        }
    )* };
}
integers! {
    u16, "a port", Some(0..=65_535), true;
    u32, "a whole number", Some(0..=i64::MAX), false;
    u64, "a whole number", Some(0..=i64::MAX), false;
    i32, "a whole number", None, false;
    i64, "a whole number", None, false;
}

impl Setting for f64 {
    fn kind() -> String {
        "a number such as 0.8".into()
    }
    fn parse(text: &str) -> Option<Self> {
        text.parse::<Self>().ok().filter(|value| value.is_finite())
    }
    /// As Java prints a double: `0.8`, `8000.0`, `1.0E7`.
    fn text(&self) -> Option<String> {
        let size = self.abs();
        if size == 0.0 || (1e-3..1e7).contains(&size) {
            return Some(format!("{self:?}"));
        }
        let text = format!("{self:E}");
        Some(if text.contains('.') { text } else { text.replace('E', ".0E") })
    }
}

impl Setting for String {
    const IS_FREE_TEXT: bool = true;
    fn kind() -> String {
        "a text".into()
    }
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }
}

/// `None` while the key is absent or its value empty.
impl<T: Setting> Setting for Option<T> {
    const IS_FREE_TEXT: bool = T::IS_FREE_TEXT;
    fn kind() -> String {
        T::kind()
    }
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::parse(text).map(Some) }
    }
    fn text(&self) -> Option<String> {
        self.as_ref().and_then(T::text)
    }
    fn number(&self) -> Option<i64> {
        self.as_ref().and_then(T::number)
    }
    fn limits() -> Option<RangeInclusive<i64>> {
        T::limits()
    }
}

/// A value that no request changes, be it a number, a switch or a word: who may connect, and how, is decided at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtStart<T>(pub T);

impl<T: Setting> Setting for AtStart<T> {
    const IS_FREE_TEXT: bool = true;
    fn kind() -> String {
        T::kind()
    }
    fn parse(text: &str) -> Option<Self> {
        T::parse(text).map(Self)
    }
    fn text(&self) -> Option<String> {
        self.0.text()
    }
    fn number(&self) -> Option<i64> {
        self.0.number()
    }
    fn limits() -> Option<RangeInclusive<i64>> {
        T::limits()
    }
}

/// Empty until `resolve` fills it.
impl Setting for PathBuf {
    const IS_FREE_TEXT: bool = true;
    fn kind() -> String {
        "a path".into()
    }
    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
    fn text(&self) -> Option<String> {
        (!self.as_os_str().is_empty()).then(|| self.to_string_lossy().into_owned())
    }
}

impl Setting for IpAddr {
    const IS_FREE_TEXT: bool = true;
    fn kind() -> String {
        "an IP address such as 0.0.0.0".into()
    }
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! name_settings {
    ($($type:ty)*) => { $(
        /// Empty until `resolve` fills it.
        impl Setting for $type {
            const IS_FREE_TEXT: bool = true;
            fn kind() -> String {
                "a name".into()
            }
            fn parse(text: &str) -> Option<Self> {
                Some(text.into())
            }
            fn text(&self) -> Option<String> {
                (!self.as_str().is_empty()).then(|| self.as_str().to_owned())
            }
        }
    )* };
}
name_settings!(BrokerName ClusterName);

macro_rules! numbers {
    ($($type:ty = $inner:ty, $kind:literal;)*) => { $(
        impl Setting for $type {
            fn kind() -> String {
                $kind.into()
            }
            fn parse(text: &str) -> Option<Self> {
                <$inner>::parse(text).map(Self)
            }
            fn text(&self) -> Option<String> {
                self.0.text()
            }
            fn number(&self) -> Option<i64> {
                self.0.number()
            }
            fn limits() -> Option<RangeInclusive<i64>> {
                <$inner>::limits()
            }
        }
    )* };
}
numbers! {
    BrokerId = i64, "a whole number";
    ByteSize = u64, "a number of bytes";
    Percent = u32, "a percentage";
    Millis = u64, "a number of milliseconds";
    Seconds = u64, "a number of seconds";
    Minutes = u64, "a number of minutes";
    Hours = u64, "a number of hours";
    Days = u64, "a number of days";
}

macro_rules! times {
    ($($(#[doc = $doc:literal])+ $name:ident = $millis:literal;)*) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl $name {
            /// The same span of time as a [`Duration`].
            #[must_use]
            pub const fn duration(self) -> Duration {
                Duration::from_millis(self.0.saturating_mul($millis))
            }
        }

        impl From<$name> for Duration {
            fn from(span: $name) -> Self {
                span.duration()
            }
        }
    )* };
}
times! {
    /// A span of time that its key counts in milliseconds.
    Millis = 1;
    /// A span of time that its key counts in seconds.
    Seconds = 1_000;
    /// A span of time that its key counts in minutes.
    Minutes = 60_000;
    /// A span of time that its key counts in hours.
    Hours = 3_600_000;
    /// A span of time that its key counts in days.
    Days = 86_400_000;
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// So many times 1,024 bytes.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many times 1,024 KiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// So many times 1,024 MiB.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// The number as a length in memory; the largest length where it would not fit.
    #[must_use]
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A share of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u32);

impl Percent {
    /// The share of one: 75 becomes 0.75.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// A text that never shows in logs or answers: credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(empty)" } else { "Secret(hidden)" })
    }
}

impl Setting for Secret {
    const IS_FREE_TEXT: bool = true;
    fn kind() -> String {
        String::kind()
    }
    fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
    fn text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| "******".to_owned())
    }
}

/// As [`Secret`], of a key that upstream shows as an empty text until it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretText(pub Secret);

impl Setting for SecretText {
    const IS_FREE_TEXT: bool = true;
    fn kind() -> String {
        String::kind()
    }
    fn parse(text: &str) -> Option<Self> {
        Secret::parse(text).map(Self)
    }
    fn text(&self) -> Option<String> {
        Some(self.0.text().unwrap_or_default())
    }
}

/// Declares an enum whose values are constants of a Java enum, and makes it a [`Setting`].
///
/// ```
/// boostermq_remoting::constants! {
///     /// When a send is answered.
///     pub enum Answer {
///         /// At once.
///         Early = "EARLY",
///         /// When it is on disk.
///         Late = "LATE",
///     }
/// }
/// # use boostermq_remoting::config::Setting;
/// assert_eq!(Answer::parse("LATE"), Some(Answer::Late));
/// ```
#[macro_export]
macro_rules! constants {
    ($(#[doc = $about:literal])+ $visibility:vis enum $name:ident { $($(#[doc = $doc:literal])+ $value:ident = $text:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name { $($(#[doc = $doc])+ $value,)+ }

        impl $name {
            /// The constant's name in upstream's text.
            #[must_use]
            $visibility const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl $crate::config::Setting for $name {
            fn kind() -> String {
                format!("one of {}", [$($text),+].join(", "))
            }
            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$value),)+ _ => None }
            }
            fn text(&self) -> Option<String> {
                Some(self.as_str().to_owned())
            }
        }
    };
}
