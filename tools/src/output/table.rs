//! A table: columns with names, and rows of cells that know both their text and their value.

use std::io::{self, Write};

use super::{Value, layout};

/// Blanks between the columns of a wide table.
const GAP: &str = "  ";

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name of the member in JSON and YAML, `brokerName`; empty when the column is text only.
    name: &'static str,
    /// Head in text, `#Broker Name`; empty when the column is a value only.
    head: &'static str,
    /// Shown by `-o wide` only.
    is_wide: bool,
}

impl Column {
    /// A column in text and in JSON.
    #[must_use]
    pub const fn new(name: &'static str, head: &'static str) -> Self {
        Self { name, head, is_wide: false }
    }

    /// A column that stands in text only when `-o wide` asks for more, and in JSON.
    #[must_use]
    pub const fn wide(name: &'static str, head: &'static str) -> Self {
        Self { name, head, is_wide: true }
    }

    /// A column of several values in one text: their own columns follow as values.
    #[must_use]
    pub const fn text(head: &'static str) -> Self {
        Self { name: "", head, is_wide: false }
    }

    /// A value that only JSON and YAML show.
    #[must_use]
    pub const fn value(name: &'static str) -> Self {
        Self { name, head: "", is_wide: false }
    }

    fn is_in_text(&self) -> bool {
        !self.head.is_empty() && !self.is_wide
    }
}

/// What a table is: names, heads, upstream's widths.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Name of the list in JSON and YAML: `brokers`; empty when they leave the table out, as a line of totals.
    pub name: &'static str,
    /// Java's format of the heads; empty when upstream prints none.
    pub head: &'static str,
    /// Java's format of a row; empty when text is laid out by its content.
    pub row: &'static str,
    /// The columns. Those in text come in the order of the formats.
    pub columns: &'static [Column],
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// As text shows it, when that is not what the value looks like.
    text: Option<String>,
    value: Value,
}

impl Cell {
    /// A cell that text shows differently than its value looks: a time, a rate, a cut name.
    #[must_use]
    pub fn shown(text: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { text: Some(text.into()), value: value.into() }
    }

    /// A number that text shows with so many digits behind the point.
    #[must_use]
    pub fn rounded(value: f64, digits: usize) -> Self {
        Self::shown(format!("{value:.digits$}"), value)
    }

    /// A time, milliseconds since 1970, that text shows in local time.
    #[must_use]
    pub fn time(time_ms: i64) -> Self {
        Self::shown(crate::print::local_time(time_ms), time_ms)
    }

    fn text(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.value.text())
    }
}

impl<T: Into<Value>> From<T> for Cell {
    fn from(value: T) -> Self {
        Self { text: None, value: value.into() }
    }
}

/// Rows under columns.
#[derive(Clone, Debug)]
pub struct Table {
    style: &'static Style,
    rows: Vec<Vec<Cell>>,
    has_head: bool,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub const fn new(style: &'static Style) -> Self {
        Self { style, rows: Vec::new(), has_head: true }
    }

    /// The same table without a line of heads, where upstream prints them once for several tables.
    #[must_use]
    pub const fn without_head(mut self) -> Self {
        self.has_head = false;
        self
    }

    /// Adds a row: one cell for each column of the style, in its order.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.cells_row(cells.into());
    }

    /// Adds a row whose cells were made somewhere else.
    pub fn cells_row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.style.columns.len(), "cells of a row in {}", self.style.name);
        self.rows.push(cells);
    }

    /// True without rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) const fn name(&self) -> &'static str {
        self.style.name
    }

    /// Writes it in upstream's widths.
    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.style.row.is_empty() {
            return self.write_fitted(out, Column::is_in_text);
        }
        let mut text = String::new();
        if self.has_head && !self.style.head.is_empty() {
            let heads = self.style.columns.iter().filter(|column| column.is_in_text()).map(|column| column.head);
            layout::line(&mut text, self.style.head, &heads.collect::<Vec<_>>());
        }
        for row in &self.rows {
            let cells = self.cells(row).filter(|(column, _)| column.is_in_text()).map(|(_, cell)| cell.text());
            let cells: Vec<String> = cells.collect();
            layout::line(&mut text, self.style.row, &cells.iter().map(String::as_str).collect::<Vec<_>>());
        }
        out.write_all(text.as_bytes())
    }

    /// Writes all columns with a head, each as wide as its longest cell, nothing cut.
    pub(super) fn write_wide(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() && !self.has_head {
            return Ok(());
        }
        if self.style.columns.iter().all(|column| column.head.is_empty() || column.name.is_empty()) {
            // Nothing but text: it has its own layout.
            return self.write_text(out);
        }
        self.write_fitted(out, |column| !column.head.is_empty())
    }

    fn write_fitted(&self, out: &mut dyn Write, is_shown: impl Fn(&Column) -> bool) -> io::Result<()> {
        let columns: Vec<&Column> = self.style.columns.iter().filter(|column| is_shown(column)).collect();
        let rows = self.rows.iter().map(|row| {
            let cells = self.cells(row).filter(|(column, _)| is_shown(column));
            cells.map(|(_, cell)| (cell.text().trim().to_owned(), cell.value.is_number())).collect::<Vec<_>>()
        });
        let rows: Vec<Vec<(String, bool)>> = rows.collect();
        let width = |at: usize, column: &Column| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|(text, _)| text.chars().count());
            cells.chain([column.head.chars().count()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = columns.iter().enumerate().map(|(at, column)| width(at, column)).collect();
        let is_right = |at: usize| {
            let mut cells = rows.iter().filter_map(|row| row.get(at)).filter(|(text, _)| !text.is_empty()).peekable();
            cells.peek().is_some() && cells.all(|(_, is_number)| *is_number)
        };
        let right: Vec<bool> = (0..columns.len()).map(is_right).collect();
        let heads = columns.iter().map(|column| (column.head.to_owned(), false)).collect::<Vec<_>>();
        for row in std::iter::once(&heads).chain(&rows) {
            let cells = row.iter().zip(&widths).zip(&right).map(|(((text, _), width), is_right)| {
                if *is_right { format!("{text:>width$}") } else { format!("{text:<width$}") }
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end())?;
        }
        Ok(())
    }

    /// One object for each row.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let object = |row: &Vec<Cell>| {
            let named = self.cells(row).filter(|(column, _)| !column.name.is_empty());
            Value::Object(named.map(|(column, cell)| (column.name.to_owned(), cell.value.clone())).collect())
        };
        self.rows.iter().map(object).collect()
    }

    fn cells<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = (&'static Column, &'a Cell)> {
        self.style.columns.iter().zip(row)
    }
}

#[cfg(test)]
impl Style {
    /// Panics unless formats and columns fit together.
    pub(crate) fn check(&self) {
        if self.row.is_empty() {
            return;
        }
        let shown = self.columns.iter().filter(|column| column.is_in_text()).count();
        assert_eq!(layout::places(self.row), shown, "row of {}", self.name);
        assert!(self.head.is_empty() || layout::places(self.head) == shown, "head of {}", self.name);
    }
}
