//! Lines of columns in Java's format strings, which is how upstream's are known: `%-20s  %-48s %10s`.
//!
//! ```text
//! % [-] [width] [.most] letter      - left; width: at least so many characters; most: at most so many
//! %n                                the end of the line
//! ```
//!
//! Cells come as texts, so that every letter means the same.

/// Appends one line: `cells` in the places of `format`, and a line feed if the format does not end with `%n`.
/// A missing cell is empty; one too many is left out.
pub(super) fn line(text: &mut String, format: &str, cells: &[&str]) {
    let mut cells = cells.iter();
    let mut rest = format.strip_suffix("%n").unwrap_or(format);
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let (place, tail) = Place::parse(after);
        place.fill(text, cells.next().copied().unwrap_or_default());
        rest = tail;
    }
    text.push_str(rest);
    text.push('\n');
}

/// How many cells a format has room for.
#[cfg(test)]
pub(super) fn places(format: &str) -> usize {
    format.strip_suffix("%n").unwrap_or(format).matches('%').count()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    is_left: bool,
    width: usize,
    most: Option<usize>,
}

impl Place {
    /// Reads what stands behind a percent sign; gives the rest back too.
    fn parse(text: &str) -> (Self, &str) {
        let (is_left, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (width, text) = number(text);
        let (most, text) = match text.strip_prefix('.') {
            Some(text) => number(text),
            None => (None, text),
        };
        // The letter.
        let mut rest = text.chars();
        rest.next();
        (Self { is_left, width: width.unwrap_or_default(), most }, rest.as_str())
    }

    fn fill(self, text: &mut String, cell: &str) {
        let cell = crate::print::front(cell, self.most.unwrap_or(usize::MAX));
        let blanks = self.width.saturating_sub(cell.chars().count());
        let pad = |text: &mut String| text.extend(std::iter::repeat_n(' ', blanks));
        if self.is_left {
            text.push_str(cell);
            pad(text);
        } else {
            pad(text);
            text.push_str(cell);
        }
    }
}

fn number(text: &str) -> (Option<usize>, &str) {
    let digits = text.len() - text.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    (number.parse().ok(), rest)
}
