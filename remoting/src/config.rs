//! Settings, each declared once: [`config!`](crate::config!) turns one line per key into the struct, the defaults,
//! the reading of a file, the text of GET_BROKER_CONFIG, the check of a change at run time, and `CONFIG.md`.
//!
//! Two stages: raw [`Properties`] become a typed configuration here; the `resolve` of each configuration then
//! fills what depends on other keys or on the machine. Readers hold a [`Live`] and take one snapshot a request.
//! Keys, defaults and units are those of RocketMQ 5.5.0.
//!
//! Upstream: `Configuration`, `MixAll.properties2Object`.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::properties_file::Properties;

mod change;
mod machine;
mod net;
pub mod reasons;
#[cfg(test)]
mod tests;
mod tls;
mod values;
mod write_back;

pub use change::{Change, ChangeRefusal};
pub use machine::{Machine, system_properties};
pub use net::{ClientConfig, ServerConfig};
pub use tls::{ClientAuth, TlsConfig, TlsMode};
pub use values::{AtStart, ByteSize, Days, Hours, Millis, Minutes, Percent, Seconds, Secret, SecretText, Setting};
pub use write_back::write_back;

/// What setting a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A change holds for the next request.
    Live,
    /// A change is kept and holds from the next start.
    Restart,
    /// Accepted for compatibility, does nothing; why.
    Inert(&'static str),
    /// Only the default is accepted, because the key would promise what this version does not keep (safety of
    /// messages, access control); why.
    Refused(&'static str),
}

/// One key as declared.
#[derive(Clone, Debug)]
pub struct ConfigRow {
    /// The struct that declares the key.
    pub section: &'static str,
    /// The key in files and on the wire.
    pub key: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// The default in upstream's text; `None` for a value upstream leaves out until it is set.
    pub default: Option<String>,
    /// What a right value looks like.
    pub kind: String,
    /// Least and greatest number.
    pub range: Option<RangeInclusive<i64>>,
    /// What setting it does.
    pub effect: Effect,
    /// The value is a path, an address, a name or other free text.
    pub is_free_text: bool,
}

impl ConfigRow {
    /// What a right value looks like, range included.
    #[must_use]
    pub fn right(&self) -> String {
        right(&self.kind, self.range.as_ref())
    }
}

fn right(kind: &str, range: Option<&RangeInclusive<i64>>) -> String {
    match range {
        Some(range) if *range.end() == i64::MAX => format!("{kind}, {} or more", range.start()),
        Some(range) => format!("{kind} from {} to {}", range.start(), range.end()),
        None => kind.to_owned(),
    }
}

/// Why a value stops the start, or is refused at run time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not a value of the key.
    #[error("{}{key}={value}: expected {right}", place(.file, *.line))]
    BadValue {
        /// Where it was set: a file; empty for a request or flag.
        file: String,
        /// Its line, from 1.
        line: Option<usize>,
        /// The key.
        key: String,
        /// The text that was given.
        value: String,
        /// What would be right.
        right: String,
    },
    /// The key asks for a promise that this version does not keep.
    #[error("{}{key}={value} cannot be kept: {why}; take the key out", place(.file, *.line))]
    Refused {
        /// Where it was set: a file; empty for a request or flag.
        file: String,
        /// Its line, from 1.
        line: Option<usize>,
        /// The key.
        key: String,
        /// The text that was given.
        value: String,
        /// Why.
        why: String,
    },
}

fn place(file: &str, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{file}:{line}: "),
        None if file.is_empty() => String::new(),
        None => format!("{file}: "),
    }
}

impl ConfigError {
    /// A value that does not go with the rest, found by a `resolve`.
    #[must_use]
    pub fn unfit(properties: &Properties, key: &str, value: impl Into<String>, right: impl Into<String>) -> Self {
        let (file, line) = (properties.source().to_owned(), properties.line(key));
        Self::BadValue { file, line, key: key.to_owned(), value: value.into(), right: right.into() }
    }
}

/// What an operator should know about a file that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// No such key; it is kept, and does nothing.
    #[error("{}{key} is not a known key and does nothing{}", place(.file, *.line), suggestion(*.nearest))]
    UnknownKey {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: Option<usize>,
        /// The key as written.
        key: String,
        /// The text that was given.
        value: String,
        /// A known key that looks much like it.
        nearest: Option<&'static str>,
    },
    /// A key that is accepted for compatibility only.
    #[error("{}{key} does nothing here: {why}", place(.file, *.line))]
    NoEffect {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: Option<usize>,
        /// The key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// A key given more than once; the last value stands.
    #[error("{}{key} is set more than once; this last value stands", place(.file, Some(*.line)))]
    Repeated {
        /// The file.
        file: String,
        /// The line of the value that stands, from 1.
        line: usize,
        /// The key.
        key: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean {key}?")).unwrap_or_default()
}

/// What became of a change at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The configuration now holds the value.
    Applied,
    /// The value is right, but holds from the next start; the configuration was not changed.
    AfterRestart,
    /// The key is accepted for compatibility and does nothing; why.
    NoEffect(&'static str),
    /// The key has that value already, and could not be given another.
    Unchanged,
    /// The key holds a path, an address, a name or other free text that is read at start only; no request changes it.
    AtStartOnly,
    /// No such key.
    UnknownKey,
}

/// A set of keys; written by [`config!`](crate::config!). A pair of configurations read from one file is a configuration too.
pub trait Config: Clone + Default {
    /// All keys, in the order of their declaration.
    fn rows() -> Vec<ConfigRow>;

    /// Sets a key from its text. `None`: no such key; `Err`: what would be right. Knows nothing of [`Effect`].
    fn assign(&mut self, key: &str, text: &str) -> Option<Result<(), String>>;

    /// The text of a key as upstream shows it; `None` for an unknown key, or a value upstream leaves out.
    fn value_text(&self, key: &str) -> Option<String>;

    /// Reads a file. Keys that are not known, or do nothing here, come back as warnings.
    ///
    /// # Errors
    /// [`ConfigError`] for a wrong value of a key that matters; a wrong value of one that does nothing is a
    /// warning like a right one.
    fn from_properties(properties: &Properties) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut config = Self::default();
        let rows = Self::rows();
        let source = || properties.source().to_owned();
        let mut warnings: Vec<_> = properties
            .repeated()
            .map(|(key, line)| Warning::Repeated { file: source(), line, key: key.to_owned() })
            .collect();
        for (key, value) in properties.iter() {
            let line = properties.line(key);
            let Some(row) = rows.iter().find(|row| row.key == key) else {
                let (key, value, nearest) = (key.to_owned(), value.to_owned(), nearest(&rows, key));
                warnings.push(Warning::UnknownKey { file: source(), line, key, value, nearest });
                continue;
            };
            match check(&mut config, row, value) {
                Ok(()) => {}
                Err(_) if matches!(row.effect, Effect::Inert(_)) => {}
                Err(error) => return Err(error.at(source(), line)),
            }
            if let Effect::Inert(why) = row.effect
                && config.value_text(key) != row.default
            {
                warnings.push(Warning::NoEffect { file: source(), line, key: key.to_owned(), why });
            }
        }
        Ok((config, warnings))
    }

    /// Every key that has a value, in upstream's text.
    fn to_properties(&self) -> Properties {
        let mut properties = Properties::new();
        for row in Self::rows() {
            if let Some(text) = self.value_text(row.key) {
                properties.insert(row.key, text);
            }
        }
        properties
    }

    /// Changes one key at run time, if it is one that may change.
    ///
    /// # Errors
    /// [`ConfigError`] for a wrong value, or a key that may only have its default.
    fn update(&mut self, key: &str, value: &str) -> Result<Outcome, ConfigError> {
        let rows = Self::rows();
        let Some(row) = rows.iter().find(|row| row.key == key) else { return Ok(Outcome::UnknownKey) };
        let mut changed = self.clone();
        check(&mut changed, row, value)?;
        Ok(match row.effect {
            Effect::Live => {
                *self = changed;
                Outcome::Applied
            }
            Effect::Refused(_) => Outcome::Unchanged,
            // A key that is read at start may stand otherwise in the file already: only there it shows what changes.
            Effect::Restart if !row.is_free_text => Outcome::AfterRestart,
            _ if self.value_text(key).as_deref() == Some(value.trim()) => Outcome::Unchanged,
            _ if row.is_free_text => Outcome::AtStartOnly,
            Effect::Restart => Outcome::AfterRestart,
            Effect::Inert(why) => Outcome::NoEffect(why),
        })
    }
}

/// Sets a key if its effect and its type allow the value. A text of several lines is never a value: written to a
/// file by hand it would become keys of its own.
fn check<T: Config>(config: &mut T, row: &ConfigRow, raw: &str) -> Result<(), ConfigError> {
    let text = raw.trim();
    let (file, line, key, value) = (String::new(), None, row.key.to_owned(), text.to_owned());
    if text.contains(char::is_control) {
        return Err(ConfigError::BadValue { file, line, key, value, right: format!("{} on one line", row.right()) });
    }
    if let Some(Err(right)) = config.assign(row.key, text) {
        return Err(ConfigError::BadValue { file, line, key, value, right });
    }
    match row.effect {
        Effect::Refused(why) if config.value_text(row.key) != row.default => {
            Err(ConfigError::Refused { file, line, key, value, why: why.to_owned() })
        }
        _ => Ok(()),
    }
}

impl ConfigError {
    fn at(mut self, source: String, number: Option<usize>) -> Self {
        let (Self::BadValue { file, line, .. } | Self::Refused { file, line, .. }) = &mut self;
        *file = source;
        *line = number;
        self
    }
}

impl<A: Config, B: Config> Config for (A, B) {
    fn rows() -> Vec<ConfigRow> {
        let mut rows = A::rows();
        rows.extend(B::rows());
        rows
    }

    fn assign(&mut self, key: &str, text: &str) -> Option<Result<(), String>> {
        self.0.assign(key, text).or_else(|| self.1.assign(key, text))
    }

    fn value_text(&self, key: &str) -> Option<String> {
        self.0.value_text(key).or_else(|| self.1.value_text(key))
    }
}

/// The known key that differs from a mistyped one least, if by no more than a few letters.
fn nearest(rows: &[ConfigRow], key: &str) -> Option<&'static str> {
    let wrong = key.to_ascii_lowercase();
    let limit = (wrong.len() / 5).clamp(1, 3);
    let near = |row: &ConfigRow| (letters_between(&wrong, &row.key.to_ascii_lowercase()), row.key);
    // A key of any length comes from a file or over the network; its letters are counted only where they may fit.
    let alike = rows.iter().filter(|row| row.key.len().abs_diff(wrong.len()) <= limit);
    alike.map(near).filter(|(distance, _)| *distance <= limit).min().map(|(_, key)| key)
}

/// Levenshtein's distance in bytes.
fn letters_between(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, other) in right.bytes().enumerate() {
            let change = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The text of a `CONFIG.md`: one table a section, and first the words of `introduction`.
#[must_use]
pub fn markdown(introduction: &str, rows: &[ConfigRow]) -> String {
    let mut text = format!("{introduction}\n");
    let mut section = "";
    for row in rows {
        if section != row.section {
            section = row.section;
            let _ = write!(
                text,
                "\n## {section}\n\n| Key | Default | Takes effect | Meaning |\n| --- | --- | --- | --- |\n"
            );
        }
        let default = row.default.as_deref().map_or_else(String::new, |value| {
            if value.is_empty() { "(empty)".to_owned() } else { format!("`{value}`") }
        });
        let effect = match row.effect {
            Effect::Live => "at once".to_owned(),
            Effect::Restart => "at start".to_owned(),
            Effect::Inert(why) => format!("never: {why}"),
            Effect::Refused(why) => format!("only the default is accepted: {why}"),
        };
        let doc = row.doc.trim().replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {default} | {effect} | {doc} Takes {}. |", row.key, row.right());
    }
    text
}

/// A configuration that may change while it is read: readers take a snapshot, without a lock, and use it to the
/// end of their request. Clones share the value.
#[derive(Debug)]
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    /// Shares a configuration.
    pub fn new(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }

    /// The configuration as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// The configuration as it is now, cheaper than [`Live::snapshot`]; for use within one function, not to be kept.
    #[must_use]
    pub fn read(&self) -> arc_swap::Guard<Arc<T>> {
        self.0.load()
    }

    /// Puts another in its place.
    pub fn replace(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Sets a field, for the code that [`config!`](crate::config!) writes.
#[doc(hidden)]
pub fn assign<T: Setting>(field: &mut T, text: &str, range: Option<RangeInclusive<i64>>) -> Result<(), String> {
    let range = range.or_else(T::limits);
    let in_range = |value: &T| match (&range, value.number()) {
        (Some(range), Some(number)) => range.contains(&number),
        _ => true,
    };
    *field = T::parse(text).filter(in_range).ok_or_else(|| right(&T::kind(), range.as_ref()))?;
    Ok(())
}

/// Declares a configuration: one line per key with its meaning, field, type, default, key, effect and range.
/// `sections` are configurations whose keys stand in the same file.
///
/// ```
/// boostermq_remoting::config! {
///     /// Settings of a kiosk.
///     pub struct KioskConfig {
///         /// Port on which it listens.
///         port: u16 = 80, "port", Restart, 1..=65535;
///         /// Sells at night.
///         at_night: bool = false, "atNight", Live;
///     }
/// }
/// ```
#[macro_export]
macro_rules! config {
    (
        $(#[doc = $about:literal])+
        $visibility:vis struct $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $key:literal,
                $effect:ident $(($why:expr))? $(, $range:expr)?;)*
            $(sections { $($(#[doc = $section_doc:literal])+ $section:ident: $section_type:ty;)* })?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        $visibility struct $name {
            $($(#[doc = $doc])+ $visibility $field: $type,)*
            $($($(#[doc = $section_doc])+ $visibility $section: $section_type,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                    $($($section: <$section_type>::default(),)*)?
                }
            }
        }

        impl $crate::config::Config for $name {
            fn rows() -> Vec<$crate::config::ConfigRow> {
                let defaults = Self::default();
                #[allow(unused_mut, reason = "a configuration without sections adds nothing")]
                let mut rows = vec![$($crate::config::ConfigRow {
                    section: stringify!($name),
                    key: $key,
                    doc: concat!($($doc),+),
                    default: $crate::config::Setting::text(&defaults.$field),
                    kind: <$type as $crate::config::Setting>::kind(),
                    range: None$(.or(Some($range)))?.or_else(<$type as $crate::config::Setting>::limits),
                    effect: $crate::config::Effect::$effect$(($why))?,
                    is_free_text: <$type as $crate::config::Setting>::IS_FREE_TEXT,
                },)*];
                $($(rows.extend(<$section_type as $crate::config::Config>::rows());)*)?
                rows
            }

            fn assign(&mut self, key: &str, text: &str) -> Option<Result<(), String>> {
                match key {
                    $($key => Some($crate::config::assign(&mut self.$field, text, None$(.or(Some($range)))?)),)*
                    _ => None$($(.or_else(|| $crate::config::Config::assign(&mut self.$section, key, text)))*)?,
                }
            }

            fn value_text(&self, key: &str) -> Option<String> {
                match key {
                    $($key => $crate::config::Setting::text(&self.$field),)*
                    _ => None$($(.or_else(|| $crate::config::Config::value_text(&self.$section, key)))*)?,
                }
            }
        }
    };
}
