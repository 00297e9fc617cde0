//! YAML in block style, for one kind of value and in one direction.
//!
//! The crates for YAML are given up by their authors or bring a parser with them; what is needed here is a screenful.
//! Texts stand in double quotes, which are JSON's, unless every reader takes them for a text without.

use std::fmt::Write;

use super::Value;

/// The whole document, with the line that begins one.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::from("---\n");
    block(&mut text, value, 0);
    text
}

/// Writes a value that begins on a line of its own.
fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::List(values) if !values.is_empty() => {
            for value in values {
                indent(text, depth);
                text.push_str("- ");
                after_dash(text, value, depth + 1);
            }
        }
        Value::Object(members) if !members.is_empty() => members_of(text, members, depth, false),
        _ => {
            indent(text, depth);
            flow(text, value);
            text.push('\n');
        }
    }
}

/// Writes a value behind the dash of a list: its first member shares the line.
fn after_dash(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => members_of(text, members, depth, true),
        Value::List(values) if !values.is_empty() => {
            text.push('\n');
            block(text, value, depth);
        }
        _ => {
            flow(text, value);
            text.push('\n');
        }
    }
}

fn members_of(text: &mut String, members: &[(String, Value)], depth: usize, is_behind_dash: bool) {
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 || !is_behind_dash {
            indent(text, depth);
        }
        scalar(text, name);
        text.push(':');
        let is_nested = match value {
            Value::List(values) => !values.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => false,
        };
        if is_nested {
            text.push('\n');
            block(text, value, depth + 1);
        } else {
            text.push(' ');
            flow(text, value);
            text.push('\n');
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Writes a value that fits behind a name.
fn flow(text: &mut String, value: &Value) {
    let _ = match value {
        Value::Null => write!(text, "null"),
        Value::Bool(value) => write!(text, "{value}"),
        Value::Integer(value) => write!(text, "{value}"),
        Value::Float(value) if value.is_finite() => write!(text, "{value:?}"),
        Value::Float(_) => write!(text, "null"),
        Value::Text(value) => {
            scalar(text, value);
            Ok(())
        }
        Value::List(_) => write!(text, "[]"),
        Value::Object(_) => write!(text, "{{}}"),
    };
}

fn scalar(text: &mut String, value: &str) {
    if is_plain(value) {
        text.push_str(value);
    } else {
        // A string of JSON is one of YAML.
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

/// True for what no reader takes for anything but a text: a letter, then letters, digits and a few signs, and none of
/// YAML's words.
fn is_plain(value: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "y"];
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    value.starts_with(|first: char| first.is_ascii_alphabetic())
        && value.bytes().all(is_sign)
        && !WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        && !value.eq_ignore_ascii_case("n")
}
