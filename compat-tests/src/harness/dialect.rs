//! Bodies as upstream writes them: JSON, but for keys of maps that are numbers or whole objects.
//!
//! ```text
//! {"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:7},"brokerAddrs":{0:"10.0.0.1:10911"}}
//! ```
//! Written apart from the product's reader on purpose: a mistake there must not hide itself here.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Reads a body. Keys that are no texts become texts: numbers as they stand, objects as their JSON.
pub fn parse(text: &[u8]) -> Result<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value()?;
    reader.blanks();
    ensure!(reader.rest.is_empty(), "{} bytes after the value", reader.rest.len());
    Ok(value)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn peek(&mut self) -> Result<u8> {
        self.blanks();
        self.rest.first().copied().context("the text ends in the middle of a value")
    }

    fn take(&mut self, wanted: u8) -> Result<bool> {
        let found = self.peek()? == wanted;
        if found {
            self.rest = &self.rest[1..];
        }
        Ok(found)
    }

    fn value(&mut self) -> Result<Value> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            _ => Ok(serde_json::from_slice(self.scalar()?)?),
        }
    }

    fn object(&mut self) -> Result<Value> {
        let mut map = Map::new();
        self.take(b'{')?;
        while !self.take(b'}')? {
            let key = match self.peek()? {
                b'{' => self.object()?.to_string(),
                b'"' => serde_json::from_slice(self.scalar()?)?,
                _ => String::from_utf8(self.scalar()?.to_vec())?,
            };
            ensure!(self.take(b':')?, "no colon after the key {key}");
            map.insert(key, self.value()?);
            if !self.take(b',')? && self.peek()? != b'}' {
                bail!("neither comma nor brace in an object");
            }
        }
        Ok(Value::Object(map))
    }

    fn array(&mut self) -> Result<Value> {
        let mut list = Vec::new();
        self.take(b'[')?;
        while !self.take(b']')? {
            list.push(self.value()?);
            if !self.take(b',')? && self.peek()? != b']' {
                bail!("neither comma nor bracket in a list");
            }
        }
        Ok(Value::Array(list))
    }

    /// The bytes of a text, a number or a word.
    fn scalar(&mut self) -> Result<&'a [u8]> {
        let is_text = self.peek()? == b'"';
        let mut escaped = false;
        let end = self.rest.iter().skip(1).position(|&byte| {
            let ends = if is_text { byte == b'"' && !escaped } else { b",:]}".contains(&byte) };
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let end = end.map_or(self.rest.len(), |end| end + 1 + usize::from(is_text));
        let (scalar, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(scalar.trim_ascii_end())
    }
}

/// Which members a body has and of what type, as `path:type`: elements of lists and of the maps named are all alike, `[]` and `*`.
pub fn shape(value: &Value, maps: &[&str]) -> BTreeSet<String> {
    let mut shape = BTreeSet::new();
    collect(value, "", maps, &mut shape);
    shape
}

fn collect(value: &Value, path: &str, maps: &[&str], shape: &mut BTreeSet<String>) {
    let name = match value {
        Value::Object(members) => {
            shape.insert(format!("{path}:object"));
            let last = path.rsplit('.').next().unwrap_or_default();
            for (key, member) in members {
                // An object for a key is one of a map's.
                let is_map = maps.contains(&last) || key.starts_with('{');
                collect(member, &format!("{path}.{}", if is_map { "*" } else { key }), maps, shape);
            }
            return;
        }
        Value::Array(list) => {
            shape.insert(format!("{path}:list"));
            list.iter().for_each(|element| collect(element, &format!("{path}[]"), maps, shape));
            return;
        }
        Value::Null => return,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
    };
    shape.insert(format!("{path}:{name}"));
}

/// What of `shape` the other lacks, but for what stands in a list or map of which the other has no element.
pub fn missing(shape: &BTreeSet<String>, other: &BTreeSet<String>) -> Vec<String> {
    let is_comparable = |path: &str| {
        let ends = path.match_indices("[]").chain(path.match_indices(".*")).map(|(at, mark)| at + mark.len());
        ends.map(|end| &path[..end]).all(|element| other.iter().any(|found| found.starts_with(element)))
    };
    shape.difference(other).filter(|path| is_comparable(path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn upstreams_keys_are_read() -> Result<()> {
        let text = br#" {"t":{{"q":0,"s":"a,\"}"}:7 , {"q":1}:8},"n":{0:"x",-1:[]},"l":[1,{"a":null},"]"],"e":{}} "#;
        let expected = json!({"t": {r#"{"q":0,"s":"a,\"}"}"#: 7, r#"{"q":1}"#: 8}, "n": {"0": "x", "-1": []},
            "l": [1, {"a": null}, "]"], "e": {}});
        assert_eq!(parse(text)?, expected);
        for text in ["", "{", "{}x", r#"{"a" 1}"#, r#"{"a":1 "b":2}"#, "[1 2]", r#""a"#, "nul"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn shapes_differ_by_members_and_types_only() {
        let shape_of = |value| shape(&value, &["map"]);
        let one = shape_of(json!({"map": {"x": {"a": 1}}, "list": [{"b": "t"}], "gone": true}));
        let other = shape_of(json!({"map": {"y": {"a": 2, "c": 1}}, "list": [], "gone": 1}));
        assert_eq!(missing(&one, &other), [".gone:bool"]);
        assert_eq!(missing(&other, &one), [".gone:number", ".map.*.c:number"]);
    }
}
