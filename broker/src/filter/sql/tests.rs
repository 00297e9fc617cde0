use proptest::prelude::*;

use super::*;
use boostermq_remoting::message::properties::{Properties, PropertyMap};

/// Answer of RocketMQ 5.5.0, expression and properties (`a=5|b=x`), one question a line, `\n`, `\t`, `\r` and `\\` escaped:
/// what its `SqlFilter` said to expressions written by hand and by chance. `fault` is an evaluation that ended with an
/// exception.
const GOLDEN: &str = include_str!("../../../tests/golden/sql.tsv");

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                _ => '\\',
            },
            (letter, false) => letter,
        });
    }
    plain
}

fn properties(text: &str) -> String {
    let mut map = PropertyMap::new();
    for pair in text.split('|').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        map.insert(name, unescape(value));
    }
    map.encode()
}

fn answer(expression: &str, properties: &str) -> &'static str {
    match Expression::compile(expression).map(|compiled| compiled.evaluate(Properties(properties))) {
        Err(_) => "refused",
        Ok(Err(_)) => "fault",
        Ok(Ok(None)) => "null",
        Ok(Ok(Some(true))) => "true",
        Ok(Ok(Some(false))) => "false",
    }
}

#[test]
fn expressions_are_answered_as_upstream_answers_them() {
    let mut count = 0;
    for line in GOLDEN.lines() {
        let mut columns = line.split('\t');
        let expected = columns.next().unwrap();
        let (expression, pairs) = (unescape(columns.next().unwrap()), columns.next().unwrap());
        assert_eq!(answer(&expression, &properties(pairs)), expected, "{expression:?} of {pairs:?}");
        count += 1;
    }
    assert!(count > 1500, "the golden answers were cut to {count}");
}

#[test]
fn refusals_say_where_and_what() {
    for (expression, remark) in [
        (
            "",
            "the SQL92 expression has \"\" at column 1 where a property, a string, a number, TRUE, FALSE, NULL or an opening bracket should stand",
        ),
        ("é = 1", "the SQL92 expression has an unexpected 'é' at column 1"),
        ("a = 'é' AND ;", "the SQL92 expression has an unexpected ';' at column 13"),
        ("a = 'x", "the SQL92 expression has a string that does not end; it begins at column 5"),
        (
            "a = 9223372036854775808",
            "the SQL92 expression has the number 9223372036854775808 at column 5, which is out of range",
        ),
        ("a > 'x'", "the SQL92 expression asks at column 3 what it cannot: only numbers and properties have a size"),
        ("a BETWEEN 2 AND 1", "the SQL92 expression has a BETWEEN at column 3 whose second value is below the first"),
        (
            "a IN ('x' 'y')",
            "the SQL92 expression has \"'y'\" at column 11 where a comma or a closing bracket should stand",
        ),
    ] {
        assert_eq!(Expression::compile(expression).unwrap_err().to_string(), remark, "{expression}");
    }
}

#[test]
fn bounds_hold() {
    let long = format!("a = '{}'", "x".repeat(LENGTH_MAX));
    assert_eq!(Expression::compile(&long).unwrap_err(), SqlError::TooLong { length: long.len() });
    let nested = |open: &str, count: usize, close: &str| format!("{}a{}", open.repeat(count), close.repeat(count));
    for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", " "), ("+", "")] {
        let is_deep = |count| matches!(Expression::compile(&nested(open, count, close)), Err(SqlError::TooDeep { .. }));
        assert!(!is_deep(DEPTH_MAX - 1) && is_deep(DEPTH_MAX + 1), "{open}");
    }
    // 100,000 brackets stop at the length; as many as fit, at the depth.
    assert!(matches!(Expression::compile(&"(".repeat(100_000)), Err(SqlError::TooLong { .. })));
    assert!(matches!(Expression::compile(&"(".repeat(LENGTH_MAX)), Err(SqlError::TooDeep { .. })));
    let chain = |count| format!("a = 'x'{}", " = TRUE".repeat(count));
    assert!(Expression::compile(&chain(DEPTH_MAX - 1)).is_ok());
    assert!(matches!(Expression::compile(&chain(DEPTH_MAX)), Err(SqlError::TooDeep { .. })));
    // AND and OR have no depth, however many there are.
    let wide = format!("a = 1{}", " OR a = 1".repeat(400));
    assert_eq!(answer(&wide, &properties("a=1")), "true");
}

#[test]
fn many_properties_are_found() {
    let names: Vec<String> = (0..300).map(|number| format!("p{number}")).collect();
    let expression = names.iter().map(|name| format!("{name} = 1")).collect::<Vec<_>>().join(" AND ");
    let all = names.iter().map(|name| format!("{name}=1")).collect::<Vec<_>>().join("|");
    assert_eq!(answer(&expression, &properties(&all)), "true");
    assert_eq!(answer(&expression, &properties(&all.replace("p299=1", "p299=2"))), "false");
    assert_eq!(answer(&expression, &properties(&all.replace("p299=1", "q=2"))), "null");
}

#[test]
fn a_property_that_stands_twice_has_its_later_value() {
    assert_eq!(answer("a = 'y'", "a\u{1}x\u{2}a\u{1}y\u{2}"), "true");
    assert_eq!(answer("a = 'x'", "a\u{1}x\u{2}a\u{1}\u{2}"), "true", "an empty value does not count");
}

#[test]
fn work_is_bounded() {
    let search = |count: usize| format!("a CONTAINS 'y'{}", " OR a CONTAINS 'y'".repeat(count - 1));
    let long = properties(&format!("a={}", "x".repeat(32_000)));
    assert_eq!(answer(&search(32), &long), "false");
    assert_eq!(answer(&search(40), &long), "fault");
}

proptest! {
    #[test]
    fn any_text_is_refused_or_answered(text in "[-+()=<>'a-c0-9eElL. \t\nNOTANDRISUL,/*$#é]{0,200}", value in ".{0,20}") {
        let properties = format!("a\u{1}{value}\u{2}b\u{1}5\u{2}");
        let first = answer(&text, &properties);
        prop_assert_eq!(answer(&text, &properties), first);
    }

    #[test]
    fn any_bytes_are_no_trouble(text in any::<String>()) {
        answer(&text, &text);
    }
}
