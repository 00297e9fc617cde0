//! Options in the dialect of commons-cli, which scripts written for upstream's tool use.
//!
//! ```text
//! -t T   -tT   -t=T   --topic T   --topic=T   -topic T   --top T (any beginning that only one option has)
//! -lt T  (flags in a row)         --          (nothing after it is an option)
//! ```
//!
//! A value may begin with `-` only when it is a number or no option's name. What is no option and no value is left
//! alone. Of an option given twice the first value counts. Upstream: `DefaultParser`, `ServerUtil`.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context, anyhow};

/// Whether an option must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It may be left out.
    Optional,
    /// It must be there.
    Required,
    /// Exactly one of the command's options with this rule and number must be there.
    OneOf(u8),
}

/// One option of a command.
#[derive(Clone, Copy, Debug)]
pub struct CommandOption {
    /// Short name, mostly one letter; empty when there is none.
    pub short: &'static str,
    /// Long name as usage texts show it; upstream left a blank at the end of some, which nobody needs to type.
    pub long: &'static str,
    /// It takes a value.
    pub takes_value: bool,
    /// Whether it must be given.
    pub rule: Rule,
    /// What it is for.
    pub description: &'static str,
}

/// Options of every command, unless it has one of its own with the same short name.
pub const COMMON: [CommandOption; 2] = [
    CommandOption::flag("h", "help", "Print help"),
    CommandOption::optional("n", "namesrvAddr", "Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'"),
];

/// How to print, for every command with tables. A command's own options of these names come first, whole or in part:
/// upstream's scripts mean those.
pub const OUTPUT: [CommandOption; 2] = [
    CommandOption::optional("o", "output", "How to print: text, wide, json or yaml"),
    CommandOption::optional("", "watch", "Print again after so many seconds, until it is interrupted"),
];

impl CommandOption {
    /// An option with a value that may be left out.
    #[must_use]
    pub const fn optional(short: &'static str, long: &'static str, description: &'static str) -> Self {
        Self { short, long, takes_value: true, rule: Rule::Optional, description }
    }

    /// An option with a value that must be there.
    #[must_use]
    pub const fn required(short: &'static str, long: &'static str, description: &'static str) -> Self {
        Self { short, long, takes_value: true, rule: Rule::Required, description }
    }

    /// An option with a value, one of several of which exactly one must be there.
    #[must_use]
    pub const fn one_of(short: &'static str, long: &'static str, description: &'static str) -> Self {
        Self { short, long, takes_value: true, rule: Rule::OneOf(0), description }
    }

    /// The same for a second choice beside the first.
    #[must_use]
    pub const fn one_of_others(short: &'static str, long: &'static str, description: &'static str) -> Self {
        Self { short, long, takes_value: true, rule: Rule::OneOf(1), description }
    }

    /// An option without a value.
    #[must_use]
    pub const fn flag(short: &'static str, long: &'static str, description: &'static str) -> Self {
        Self { short, long, takes_value: false, rule: Rule::Optional, description }
    }

    /// The name it goes by in complaints and in order: the short one if there is one.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        if self.short.is_empty() { self.long } else { self.short }
    }
}

/// Why a command line was refused; the texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No option has this name.
    #[error("Unrecognized option: {0}")]
    Unrecognized(String),
    /// Several options begin so.
    #[error("Ambiguous option: '{name}'  (could be: {candidates})")]
    Ambiguous {
        /// What was typed.
        name: String,
        /// The options it may mean.
        candidates: String,
    },
    /// An option stands without its value.
    #[error("Missing argument for option: {0}")]
    MissingValue(&'static str),
    /// An option that must be there is not.
    #[error("Missing required option{}: {}", if .0.len() == 1 { "" } else { "s" }, .0.join(", "))]
    MissingOptions(Vec<String>),
    /// Two options that exclude each other.
    #[error("The option '{second}' was specified but an option from this group has already been selected: '{first}'")]
    AlreadySelected {
        /// The one that came first.
        first: &'static str,
        /// The one that is too many.
        second: &'static str,
    },
}

/// The options that were given.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    given: Vec<(&'static str, String)>,
    words: Vec<String>,
}

impl Arguments {
    /// What was given and is neither an option nor the value of one.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The value of `-o` as a way to print, or of `--output` for a command that has an `-o` of its own; `None` when
    /// nothing was said.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        self.text(OUTPUT_KEY)
    }

    /// The value of `--watch`.
    #[must_use]
    pub fn watch(&self) -> Option<&str> {
        self.text(WATCH_KEY)
    }

    /// True when the option was given.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == key)
    }

    /// The value of an option without the blanks around it; `None` when it was not given.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| *given == key).map(|(_, value)| value.trim())
    }

    /// The value of an option that must be there.
    ///
    /// # Errors
    /// When it was not given, which the command's rules exclude.
    pub fn required(&self, key: &str) -> anyhow::Result<&str> {
        self.text(key).ok_or_else(|| anyhow!("Missing required option: {key}"))
    }

    /// The value of an option as a number.
    ///
    /// # Errors
    /// When it is none, or too large.
    pub fn number<T: FromStr<Err: Display>>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let parse =
            |text: &str| text.parse().map_err(|error| anyhow!("-{key} must be a number, not {text:?}: {error}"));
        self.text(key).map(parse).transpose()
    }

    /// The value of an option as a truth value: true for `true` in any case, as Java reads it.
    #[must_use]
    pub fn truth(&self, key: &str) -> bool {
        self.text(key).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The value of an option as a time, milliseconds since 1970: written so, or as `yyyy-MM-dd#HH:mm:ss:SSS` in local
    /// time.
    ///
    /// # Errors
    /// When it is neither.
    pub fn time_ms(&self, key: &str) -> anyhow::Result<Option<i64>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        if let Ok(number) = text.parse() {
            return Ok(Some(number));
        }
        let refused = || format!("-{key} must be milliseconds since 1970 or yyyy-MM-dd#HH:mm:ss:SSS, not {text:?}");
        parse_date(text).map(Some).with_context(refused)
    }
}

fn parse_date(text: &str) -> Option<i64> {
    let parts = text.split(['-', '#', ':']).map(|part| part.parse::<i16>().ok()).collect::<Option<Vec<_>>>()?;
    let [year, month, day, hour, minute, second, millisecond] = parts.try_into().ok()?;
    let small = |number: i16| i8::try_from(number).ok();
    let nanosecond = i32::from(millisecond).checked_mul(1_000_000)?;
    let date = jiff::civil::DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanosecond,
    );
    let zoned = date.ok()?.to_zoned(jiff::tz::TimeZone::system()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// Reads a command line.
///
/// # Errors
/// [`OptionError`] for the first thing that breaks a rule; never when help is asked for.
pub fn parse(options: &'static [CommandOption], tokens: &[&str]) -> Result<Arguments, OptionError> {
    let mut parser = Parser { options, given: Vec::new(), words: Vec::new(), waiting: None };
    let mut tokens = tokens.iter();
    for token in tokens.by_ref() {
        if *token == "--" {
            break;
        }
        parser.token(token)?;
    }
    parser.words.extend(tokens.map(|token| (*token).to_owned()));
    parser.finish()
}

struct Parser {
    options: &'static [CommandOption],
    given: Vec<(&'static str, String)>,
    words: Vec<String>,
    /// The option whose value comes next.
    waiting: Option<&'static CommandOption>,
}

impl Parser {
    fn token(&mut self, token: &str) -> Result<(), OptionError> {
        if let Some(option) = self.waiting
            && self.is_value(token)
        {
            self.waiting = None;
            self.value(option, token);
            return Ok(());
        }
        if let Some(name) = token.strip_prefix("--") {
            self.long(token, name)
        } else if let Some(name) = token.strip_prefix('-').filter(|name| !name.is_empty()) {
            self.short_or_long(token, name)
        } else {
            self.words.push(token.to_owned());
            Ok(())
        }
    }

    /// `--name` or `--name=value`.
    fn long(&mut self, token: &str, name: &str) -> Result<(), OptionError> {
        let (name, value) = split(name);
        let mut candidates = self.with_long_name(name);
        if candidates.is_empty() {
            candidates.extend(OUTPUT_OPTIONS.iter().find(|option| option.long == name));
        }
        match candidates.as_slice() {
            [] => Err(OptionError::Unrecognized(token.to_owned())),
            [option] => self.option(token, option, value),
            _ => {
                let names: Vec<String> = candidates.iter().map(|option| format!("'{}'", option.long.trim())).collect();
                Err(OptionError::Ambiguous {
                    name: token.split('=').next().unwrap_or(token).to_owned(),
                    candidates: names.join(", "),
                })
            }
        }
    }

    /// `-n`, `-nVALUE`, `-n=VALUE`, `-name`, or flags in a row.
    fn short_or_long(&mut self, token: &str, rest: &str) -> Result<(), OptionError> {
        let (name, value) = split(rest);
        if let Some(option) = self.with_short_name(name) {
            return self.option(token, option, value);
        }
        if !self.with_long_name(name).is_empty() || OUTPUT_OPTIONS.iter().any(|option| option.long == name) {
            return self.long(token, rest);
        }
        if name == "o" {
            let [output, _] = &OUTPUT_OPTIONS;
            return self.option(token, output, value);
        }
        for (at, letter) in rest.char_indices() {
            let mut buffer = [0; 4];
            let Some(option) = self.with_short_name(letter.encode_utf8(&mut buffer)) else {
                return Err(OptionError::Unrecognized(token.to_owned()));
            };
            let after = rest.get(at + letter.len_utf8()..).unwrap_or_default();
            if option.takes_value && !after.is_empty() {
                return self.option(token, option, Some(after));
            }
            self.option(token, option, None)?;
        }
        Ok(())
    }

    fn option(&mut self, token: &str, option: &'static CommandOption, value: Option<&str>) -> Result<(), OptionError> {
        self.check_waiting()?;
        if matches!(option.rule, Rule::OneOf(_))
            && let Some(first) = self.selected(option.rule).filter(|first| *first != option.key())
        {
            return Err(OptionError::AlreadySelected { first, second: option.key() });
        }
        match value {
            Some(value) if option.takes_value => self.value(option, value),
            Some(_) => return Err(OptionError::Unrecognized(token.to_owned())),
            None if option.takes_value => self.waiting = Some(option),
            None => self.given.push((option.key(), String::new())),
        }
        Ok(())
    }

    fn value(&mut self, option: &'static CommandOption, value: &str) {
        // A pair of quotes around the whole value goes, as with upstream.
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = inner.filter(|inner| !inner.contains('"')).unwrap_or(value);
        self.given.push((stored_key(option), value.to_owned()));
    }

    fn finish(self) -> Result<Arguments, OptionError> {
        let arguments = Arguments { given: self.given, words: self.words };
        if arguments.has("h") {
            return Ok(arguments);
        }
        if let Some(option) = self.waiting {
            return Err(OptionError::MissingValue(option.key()));
        }
        let mut missing = Vec::new();
        for option in self.options {
            let choice: Vec<&CommandOption> = self.options.iter().filter(|other| other.rule == option.rule).collect();
            let is_chosen = choice.iter().any(|option| arguments.has(option.key()));
            match option.rule {
                Rule::Required if !arguments.has(option.key()) => missing.push(option.key().to_owned()),
                Rule::OneOf(_) if !is_chosen && choice.first().is_some_and(|first| first.key() == option.key()) => {
                    let names = choice.iter().map(|option| format!("-{} {}", option.key(), option.description));
                    missing.push(format!("[{}]", names.collect::<Vec<_>>().join(", ")));
                }
                _ => {}
            }
        }
        if missing.is_empty() { Ok(arguments) } else { Err(OptionError::MissingOptions(missing)) }
    }

    fn check_waiting(&self) -> Result<(), OptionError> {
        self.waiting.map_or(Ok(()), |option| Err(OptionError::MissingValue(option.key())))
    }

    fn selected(&self, rule: Rule) -> Option<&'static str> {
        let choice = |key: &&str| self.options.iter().any(|option| option.rule == rule && option.key() == *key);
        self.given.iter().map(|(key, _)| *key).find(choice)
    }

    /// A value is what no option is called, and every number.
    fn is_value(&self, token: &str) -> bool {
        let Some(rest) = token.strip_prefix('-').filter(|rest| !rest.is_empty()) else { return true };
        if token.parse::<f64>().is_ok() {
            return true;
        }
        if token == "-o" || token == "--output" || token == "--watch" {
            return false;
        }
        let (name, _) = split(rest.strip_prefix('-').unwrap_or(rest));
        let first = name.chars().next().map(String::from).unwrap_or_default();
        let is_short = !token.starts_with("--")
            && (self.with_short_name(name).is_some() || self.with_short_name(&first).is_some());
        !is_short && self.with_long_name(name).is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &'static CommandOption> + use<> {
        let is_own = |common: &CommandOption| self.options.iter().any(|option| option.short == common.short);
        let common: Vec<&'static CommandOption> = COMMON_OPTIONS.iter().filter(|common| !is_own(common)).collect();
        common.into_iter().chain(self.options)
    }

    fn with_short_name(&self, name: &str) -> Option<&'static CommandOption> {
        self.all().find(|option| !option.short.is_empty() && option.short == name)
    }

    /// The option of that name, or all whose names begin so.
    fn with_long_name(&self, name: &str) -> Vec<&'static CommandOption> {
        if name.is_empty() {
            return Vec::new();
        }
        if let Some(option) = self.all().find(|option| option.long.trim() == name) {
            return vec![option];
        }
        self.all().filter(|option| option.long.starts_with(name)).collect()
    }
}

static COMMON_OPTIONS: [CommandOption; 2] = COMMON;
static OUTPUT_OPTIONS: [CommandOption; 2] = OUTPUT;

/// Where the value of `--output` is kept: beside that of a command's own `-o`.
const OUTPUT_KEY: &str = "\u{0}output";
/// Where the value of `--watch` is kept.
const WATCH_KEY: &str = "\u{0}watch";

fn stored_key(option: &'static CommandOption) -> &'static str {
    let [output, watch] = &OUTPUT_OPTIONS;
    if std::ptr::eq(option, output) {
        OUTPUT_KEY
    } else if std::ptr::eq(option, watch) {
        WATCH_KEY
    } else {
        option.key()
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests;
