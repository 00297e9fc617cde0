//! The dialect, by example and by chance.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;

fn strict(text: &str) -> String {
    to_strict(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_dialect_becomes_strict_json() {
    for (dialect, expected) in [
        (r#" {"a" : [ 1 , -2.5e3 , true , null , "x" ] } "#, r#"{"a":[1,-2.5e3,true,null,"x"]}"#),
        (r#"{0:"a",-1:'b',name:"c"}"#, r#"{"0":"a","-1":"b","name":"c"}"#),
        (r#"{{"queueId":0,"topic":"T"}:12}"#, r#"{"{\"queueId\":0,\"topic\":\"T\"}":12}"#),
        (r#"{ { queueId : 0 , 'topic' : 'a"b' } : {} }"#, r#"{"{\"queueId\":0,\"topic\":\"a\\\"b\"}":{}}"#),
        (r#"{[1,2]:3}"#, r#"{"[1,2]":3}"#),
        (r#"{,"a":1,,"b":[,1,,2,],}"#, r#"{"a":1,"b":[1,2]}"#),
        (r#"{"a":null,"b":1,"c":NaN,"d":undefined}"#, r#"{"b":1}"#),
        (r#"{"a":null}"#, "{}"),
        (r#"{"b":1,"a":null}"#, r#"{"b":1}"#),
        (r#"{"a":[null],"b":{"c":null}}"#, r#"{"a":[null],"b":{}}"#),
        (r#"'it\'s "so"\x41\v\0'"#, r#""it's \"so\"A\u000b\u0000""#),
        ("\"a\tb\nc\u{1}\"", r#""a\tb\nc\u0001""#),
        (r#""\ud83d\ude00\ud83d\u0041\udc00""#, "\"😀\u{fffd}A\u{fffd}\""),
        (r#""\u00e9é\/""#, r#""éé/""#),
        ("null", "null"),
        ("[]", "[]"),
    ] {
        let ours = strict(dialect);
        assert_eq!(ours, expected, "{dialect}");
        serde_json::from_str::<Value>(&ours).unwrap();
        assert_eq!(strict(&ours), ours, "strict text stays as it is");
    }
}

#[test]
fn what_is_no_dialect_is_refused_where_it_breaks() {
    for (text, at) in [
        ("", 0),
        ("  ", 2),
        ("{", 1),
        (r#"{"a""#, 4),
        (r#"{"a":1"#, 6),
        (r#"{"a":1 "b":2}"#, 7),
        ("[1 2]", 3),
        (r#"{"a" 1}"#, 5),
        (r#""abc"#, 4),
        (r#""a\"#, 2),
        (r#""\q""#, 1),
        (r#""\u12"#, 1),
        ("{} {}", 3),
        ("tru", 0),
        ("01", 0),
        ("{:1}", 1),
        ("{{{1:2}:3}:4}", 2),
        ("\"\u{ff}\"", usize::MAX),
    ] {
        match to_strict(text.as_bytes()) {
            Err(error) => assert_eq!(error.at, at, "{text}: {error}"),
            Ok(_) => assert_eq!(at, usize::MAX, "{text} was read"),
        }
    }
    assert_eq!(to_strict(b"\"\xff\"").unwrap_err().at, 1);
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(to_strict(nested(MAX_DEPTH as usize).as_bytes()).is_ok());
    assert!(to_strict(nested(MAX_DEPTH as usize + 2).as_bytes()).is_err());
    assert!(to_strict("{{".repeat(100_000).as_bytes()).is_err());
    assert!(parse("[".repeat(1 << 20).as_bytes()).is_err());
}

#[test]
fn back_references_are_followed() {
    for (text, expected) in [
        (r#"{"a":{"x":1},"b":{"$ref":"$.a"}}"#, json!({"a":{"x":1},"b":{"x":1}})),
        (
            r#"{"a":[{"x":1},2],"b":{"$ref":"$.a[0]"},"c":[{"$ref":"$.a[1]"}]}"#,
            json!({"a":[{"x":1},2],"b":{"x":1},"c":[2]}),
        ),
        (r#"{"a.b":{"c[d":7},"e":{"$ref":"$.a\\.b.c\\[d"}}"#, json!({"a.b":{"c[d":7},"e":7})),
        (r#"{0:{x:1},"b":{"$ref":"$['0']"}}"#, json!({"0":{"x":1},"b":{"x":1}})),
        (
            r#"{"a":{"$ref":"$.none"},"b":{"$ref":".."},"c":{"$ref":1}}"#,
            json!({"a":{"$ref":"$.none"},"b":{"$ref":".."},"c":{"$ref":1}}),
        ),
        (r#"{"t":{"$ref":"$.a","more":1}}"#, json!({"t":{"$ref":"$.a","more":1}})),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
    }
}

#[test]
fn back_references_cannot_fill_the_memory() {
    let items = vec!["0"; 10_000].join(",");
    let references = vec![r#"{"$ref":"$.a"}"#; 10_000].join(",");
    let error = parse(format!(r#"{{"a":[{items}],"b":[{references}]}}"#).as_bytes()).unwrap_err();
    assert!(error.what.contains("million"), "{error}");
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    id: i32,
    name: String,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Body {
    by_key: ObjectKeyMap<Key, BTreeMap<i64, String>>,
    list: Vec<f64>,
    text: String,
}

fn body(name: &str) -> Body {
    let key = Key { id: -1, name: name.to_owned() };
    let values = BTreeMap::from([(0, name.to_owned())]);
    Body { by_key: [(key, values)].into_iter().collect(), list: vec![0.0, 1.5], text: name.to_owned() }
}

#[test]
fn object_keys_are_written_bare_and_read_in_both_forms() {
    let bare = r#"{"by_key":{{"id":-1,"name":"n"}:{"0":"n"}},"list":[0.0,1.5],"text":"n"}"#;
    assert_eq!(String::from_utf8(to_vec(&body("n"))).unwrap(), bare);
    let quoted = r#"{"by_key":{"{\"id\":-1,\"name\":\"n\"}":{"0":"n"}},"list":[0.0,1.5],"text":"n"}"#;
    assert_eq!(serde_json::to_string(&body("n")).unwrap(), quoted);
    for text in [bare, quoted, r#"{by_key:{{name:'n',id:-1}:{0:'n'}},list:[0.0,1.5],text:'n',none:null,}"#] {
        assert_eq!(from_slice::<Body>(text.as_bytes()), Ok(body("n")), "{text}");
    }
}

#[test]
fn a_null_takes_the_default() {
    let text = br#"{"by_key":null,"list":null,"text":null}"#;
    assert_eq!(from_slice::<Body>(text), Ok(Body::default()));
    let error = from_slice::<Body>(br#"{"text":[]}"#).unwrap_err();
    assert!(error.what.contains("expected a string"), "{error}");
}

#[test]
fn files_are_laid_out_as_upstream_lays_them_out() {
    let value = json!({"a": {"b": [1, {"c": "x: y"}], "d": {}, "e": []}, "f": 1});
    let expected = "{\n\t\"a\":{\n\t\t\"b\":[\n\t\t\t1,\n\t\t\t{\n\t\t\t\t\"c\":\"x: y\"\n\t\t\t}\n\t\t],\n\t\t\"d\":{},\n\t\t\"e\":[]\n\t},\n\t\"f\":1\n}";
    assert_eq!(String::from_utf8(to_pretty_vec(&value)).unwrap(), expected);
}

#[test]
fn keys_that_only_look_like_objects_stay_texts() {
    for name in ["{", "{x}", "{\"a\":}", "[1]", "\"", "a\\b\u{1}\t/", ""] {
        let map = BTreeMap::from([(name, 1)]);
        assert_eq!(to_vec(&map), serde_json::to_vec(&map).unwrap(), "{name:?}");
    }
}

/// Pieces that make texts of the dialect likelier than random bytes do.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "'",
    "\\",
    "\\u",
    "d83d",
    "0",
    "-1",
    "1.5",
    "null",
    "true",
    "a",
    "$ref",
    "$.a",
    " ",
    "\n",
    "é",
    "{\"a\":1}",
    "\"$ref\":\"$.a\"",
    "NaN",
];

/// Any JSON value with texts of any kind.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[\\x00-\\x7f]{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_read_is_strict_json(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let text: String = pieces.concat();
        if let Ok(strict) = to_strict(text.as_bytes()) {
            prop_assert!(serde_json::from_str::<Value>(&strict).is_ok(), "{text} became {strict}");
        }
        let _ = parse(text.as_bytes());
    }

    #[test]
    fn strict_json_means_what_it_meant(value in any_value()) {
        let text = serde_json::to_string(&value).unwrap();
        let read: Value = serde_json::from_str(&strict(&text)).unwrap();
        prop_assert_eq!(&read, &value);
        // Keys that are texts of objects would come out as object keys; such names do not occur here.
        prop_assert_eq!(parse(&to_vec(&value)).unwrap(), value);
    }

    #[test]
    fn object_keys_come_back(name in "\\PC{0,12}|[\\x00-\\x7f]{0,12}") {
        let body = body(&name);
        prop_assert_eq!(from_slice::<Body>(&to_vec(&body)), Ok(body));
    }
}
