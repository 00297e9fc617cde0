//! What a command prints: upstream's text, or the same as JSON or YAML.
//!
//! A command that prints tables builds one [`Document`] of tables, single values and lines, and hands it to
//! [`Session::print`](crate::command::Session::print). How it is shown is chosen with `-o`:
//!
//! ```text
//!          tables                                          fields                lines
//! text     upstream's columns, byte for byte               upstream's words      as they are
//! wide     laid out by their content, with more columns    as text               as they are
//! json     a member each: one object for a row             a member each         left out
//! yaml     as json                                         as json               left out
//! ```
//!
//! Owns the shapes of output. Never asks a server, and never decides what is true.

use std::io::{self, Write};
use std::str::FromStr;

mod layout;
mod table;
mod value;
mod yaml;

pub use table::{Cell, Column, Style, Table};
pub use value::Value;

/// How a document is shown: `-o`, or `--output` where a command has an `-o` of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Upstream's text.
    #[default]
    Text,
    /// Text with more columns, none of them cut.
    Wide,
    /// JSON with two blanks for each level.
    Json,
    /// YAML in block style.
    Yaml,
}

impl FromStr for Format {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => Err(anyhow::anyhow!("-o must be text, wide, json or yaml, not {text:?}")),
        }
    }
}

/// What a command found, in the order in which it is printed.
#[derive(Debug, Default)]
pub struct Document {
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Line(String),
    Field(&'static str, Value),
    Table(Table),
}

impl Document {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of one table.
    #[must_use]
    pub fn of(table: Table) -> Self {
        Self { items: vec![Item::Table(table)] }
    }

    /// Adds a table.
    pub fn table(&mut self, table: Table) -> &mut Self {
        self.items.push(Item::Table(table));
        self
    }

    /// Adds a line of text, which JSON and YAML leave out. The line feed is added.
    pub fn line(&mut self, text: impl Into<String>) -> &mut Self {
        let mut text = text.into();
        text.push('\n');
        self.text(text)
    }

    /// Adds text as it is, without a line feed.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.items.push(Item::Line(text.into()));
        self
    }

    /// Adds a value that JSON and YAML show under `name`; `line` is what text shows for it.
    pub fn field(&mut self, name: &'static str, value: impl Into<Value>, line: impl Into<String>) -> &mut Self {
        self.items.push(Item::Field(name, value.into()));
        self.line(line)
    }

    /// Adds a value that only JSON and YAML show.
    pub fn hidden(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.items.push(Item::Field(name, value.into()));
        self
    }

    /// Prints it.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text | Format::Wide => self.write_text(format == Format::Wide, out),
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.value()).map_err(io::Error::from)?;
                writeln!(out)
            }
            Format::Yaml => out.write_all(yaml::document(&self.value()).as_bytes()),
        }
    }

    fn write_text(&self, is_wide: bool, out: &mut dyn Write) -> io::Result<()> {
        for item in &self.items {
            match item {
                Item::Line(text) => out.write_all(text.as_bytes())?,
                Item::Table(table) if is_wide => table.write_wide(out)?,
                Item::Table(table) => table.write_text(out)?,
                Item::Field(..) => {}
            }
        }
        Ok(())
    }

    fn value(&self) -> Value {
        let mut members: Vec<(String, Value)> = Vec::with_capacity(self.items.len());
        for item in &self.items {
            match item {
                Item::Line(_) => {}
                Item::Table(table) if table.name().is_empty() => {}
                Item::Field(name, value) => members.push(((*name).to_owned(), value.clone())),
                // Tables of one name are one list: upstream prints some in pieces.
                Item::Table(table) => {
                    let rows = table.values();
                    match members.iter_mut().find(|(name, _)| name == table.name()) {
                        Some((_, Value::List(all))) => all.extend(rows),
                        _ => members.push((table.name().to_owned(), Value::List(rows))),
                    }
                }
            }
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests;
