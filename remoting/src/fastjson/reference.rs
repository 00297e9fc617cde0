//! Back references: an object that stands in a text more than once is written once, then as `{"$ref":"$.path"}`.
//!
//! Brokers up to 5.3 may write them; 5.5.0 does not (RocketMQ 5.5.0).

use serde_json::Value;

use super::FastjsonError;

const NAME: &str = "$ref";
/// Most values that references may add to a text, so that references to references cannot fill the memory.
const MAX_ADDED: usize = 1 << 20;

/// True when a text may hold back references.
pub(super) fn occur_in(text: &[u8]) -> bool {
    text.windows(NAME.len()).any(|window| window == NAME.as_bytes())
}

/// Puts in place of every back reference what it refers to. One that leads nowhere, or to another reference, stays.
pub(super) fn resolve(strict: &str) -> Result<String, FastjsonError> {
    let root: Value =
        serde_json::from_str(strict).map_err(|error| FastjsonError::new(error.column(), error.to_string()))?;
    let mut resolved = root.clone();
    let mut left = MAX_ADDED;
    replace(&mut resolved, &root, &mut left)?;
    Ok(resolved.to_string())
}

fn replace(value: &mut Value, root: &Value, left: &mut usize) -> Result<(), FastjsonError> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(item, root, left)),
        Value::Object(members) => {
            let path = members.get(NAME).and_then(Value::as_str).filter(|_| members.len() == 1);
            let Some(path) = path else {
                return members.values_mut().try_for_each(|member| replace(member, root, left));
            };
            if let Some(target) = find(path, root) {
                *left = left
                    .checked_sub(size(target))
                    .ok_or_else(|| FastjsonError::new(0, "its back references add up to more than a million values"))?;
                *value = target.clone();
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Follows a path from the root: `$.name.name[0]`, with `\` before punctuation inside a name.
fn find<'v>(path: &str, root: &'v Value) -> Option<&'v Value> {
    let mut rest = path.strip_prefix('$')?;
    let mut value = root;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inner, after) = after.split_once(']')?;
            value = match inner.parse::<usize>() {
                Ok(index) => value.get(index).or_else(|| value.get(inner))?,
                Err(_) => value.get(inner.trim_matches(['"', '\'']))?,
            };
            rest = after;
        } else {
            let (name, length) = member_name(rest.strip_prefix('.')?);
            value = value.get(&name)?;
            rest = rest.get(1 + length..)?;
        }
    }
    Some(value)
}

/// A name up to the next `.` or `[`, and how many bytes it takes.
fn member_name(text: &str) -> (String, usize) {
    let mut name = String::new();
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, at),
            _ => {
                name.push(character);
                escaped = false;
            }
        }
    }
    (name, text.len())
}
