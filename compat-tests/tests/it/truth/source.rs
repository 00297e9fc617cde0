//! The files of the project, and Rust source without what is no code.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::workspace_dir;

/// A text file of the project.
pub(super) struct Source {
    /// From the workspace's folder, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every text file of the project but recorded data (`golden`) and what tools write (`target`, `Cargo.lock`).
pub(super) fn all() -> Result<Vec<Source>> {
    let root = workspace_dir();
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() && !["target", "golden", ".git"].iter().any(|passed_over| name == *passed_over) {
                folders.push(path);
            } else if kind.is_file() && name != "Cargo.lock" {
                sources.extend(read(&root, path)?);
            }
        }
    }
    ensure!(sources.iter().filter(|source| source.is_rust()).count() > 200, "the project was not found");
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(sources)
}

/// `None` for what is no text.
fn read(root: &Path, path: PathBuf) -> Result<Option<Source>> {
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
    Ok(String::from_utf8(bytes).ok().map(|text| Source { path, text }))
}

/// Rust source with comments and the insides of literals blanked out; lines stay where they are.
pub(super) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            'r' | 'b' | 'c' if !is_word(before) => raw_string(rest).unwrap_or(0),
            '"' => quoted(rest, '"'),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(letter);
            before = letter;
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        let (blanked, next) = rest.split_at(length);
        out.extend(blanked.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        (before, rest) = (' ', next);
    }
    out
}

pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of a raw string with its prefix; `None` when none begins here.
fn raw_string(text: &str) -> Option<usize> {
    let marks = text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    let inside = marks[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(text.len() - inside.len() + length)
}

fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.chars().skip(1);
    match (letters.next(), letters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(text, '\''),
        _ => 0,
    }
}

#[test]
fn only_code_is_left() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */\n d */ e", "a             \n      e"),
        (r#"f("b // \" c", d)"#, r#"f(           , d)"#),
        ("f(r#\"b \" c\"#, br\"\\\", d)", "f(          ,      , d)"),
        ("f('\"', '\\'', 'a: loop {})", "f(   ,     , 'a: loop {})"),
        ("for r in x { var\"b\" }", "for r in x { var    }"),
        ("f(b\"b\", r#type)", "f(b   , r#type)"),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
}
