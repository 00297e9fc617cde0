use proptest::prelude::*;

use super::*;

/// Writes an entry separator as `;` and a name-value separator as `=`.
fn wire(text: &str) -> String {
    text.replace('=', "\u{1}").replace(';', "\u{2}")
}

#[test]
fn what_upstream_tolerates() {
    for (text, expected) in [
        ("", &[][..]),
        ("a=1;b=2;", &[("a", "1"), ("b", "2")]),
        ("a=1;b=2", &[("a", "1"), ("b", "2")]),
        ("a=1;;;b=2", &[("a", "1"), ("b", "2")]),
        ("a=;=1;=;c;d=4", &[("d", "4")]),
        ("a=1=2;", &[("a", "1\u{1}2")]),
        ("a==;", &[("a", "\u{1}")]),
        ("键=值;", &[("键", "值")]),
        ("a=1;b=2;a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
    ] {
        let text = wire(text);
        assert_eq!(Properties(&text).iter().collect::<Vec<_>>(), expected, "{text:?}");
    }
}

#[test]
fn the_later_value_counts() {
    let text = wire("a=1;b=2;a=3;a=;");
    assert_eq!(Properties(&text).get("a"), Some("3"));
    assert_eq!(Properties(&text).get("b"), Some("2"));
    assert_eq!(Properties(&text).get("c"), None);
    assert_eq!(PropertyMap::parse(&text).encode(), wire("a=3;b=2;"));
}

#[test]
fn without_a_name() {
    for (text, name, expected) in [
        ("a=1;b=2;c=3", "b", "a=1;c=3"),
        ("a=1;b=2;c=3", "c", "a=1;b=2;"),
        ("a=1;ab=2;a=3;", "a", "ab=2;"),
        ("a;b=2;a=", "b", "a;a="),
        ("a;b=2", "a", "a;b=2"),
    ] {
        assert_eq!(Properties(&wire(text)).without(name), wire(expected), "{text} without {name}");
    }
    assert!(matches!(Properties("a").without("a"), Cow::Borrowed(_)));
}

#[test]
fn append_closes_an_open_entry() {
    for (before, after) in [("", "k=v;"), ("a=1;", "a=1;k=v;"), ("a=1", "a=1;k=v;")] {
        let mut out = wire(before).into_bytes();
        append(&mut out, "k", "v");
        assert_eq!(out, wire(after).as_bytes(), "{before}");
    }
}

#[test]
fn a_map_keeps_places() {
    let mut map = PropertyMap::parse(&wire("a=1;b=2;c=3"));
    assert_eq!(map.insert("b", "4"), Some("2".to_owned()));
    assert_eq!(map.insert("d", "5"), None);
    assert_eq!(map.remove("a"), Some("1".to_owned()));
    assert_eq!(map.remove("a"), None);
    assert_eq!((map.len(), map.get("b"), map.get("a")), (3, Some("4"), None));
    assert_eq!(map.encode(), wire("b=4;c=3;d=5;"));
}

proptest! {
    #[test]
    fn any_text_reads_the_same_both_ways(text in "[ab=;é]{0,60}") {
        let text = wire(&text);
        let map = PropertyMap::parse(&text);
        for (name, value) in map.iter() {
            prop_assert_eq!(Properties(&text).get(name), Some(value));
        }
        for (name, _) in Properties(&text).iter() {
            prop_assert!(map.get(name).is_some());
            let less = Properties(&text).without(name);
            prop_assert_eq!(Properties(&less).get(name), None);
            prop_assert_eq!(PropertyMap::parse(&less).len(), map.len() - 1);
        }
        prop_assert_eq!(PropertyMap::parse(&map.encode()), map);
    }
}
