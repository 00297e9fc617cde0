use super::*;
use proptest::prelude::*;

fn entries(text: &str) -> Vec<(String, String)> {
    let properties = Properties::parse("test", text.as_bytes()).unwrap();
    properties.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn syntax_is_javas() {
    let table: &[(&str, &[(&str, &str)])] = &[
        ("", &[]),
        ("# a=b\n! c=d\n   # e=f\n", &[]),
        ("a=b", &[("a", "b")]),
        ("a = b \n", &[("a", "b ")]),
        ("a:b\r\nc d\re\tf", &[("a", "b"), ("c", "d"), ("e", "f")]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("a==b", &[("a", "=b")]),
        ("a : =b", &[("a", "=b")]),
        ("=b", &[("", "b")]),
        ("a=1\na=2", &[("a", "2")]),
        ("a=x,\\\n   y\nb=z", &[("a", "x,y"), ("b", "z")]),
        ("a=x\\\\\nb=z", &[("a", "x\\"), ("b", "z")]),
        ("a=x\\\n# not a comment", &[("a", "x# not a comment")]),
        ("# comment \\\nb=z", &[("b", "z")]),
        ("a\\ b\\=c\\:d=e", &[("a b=c:d", "e")]),
        ("p=C\\:\\\\data\\t\\n\\q", &[("p", "C:\\data\t\nq")]),
        ("name=\\u00e9\\u4E2d\\uD83D\\uDE00", &[("name", "é中😀")]),
        ("name=中", &[("name", "中")]),
        ("\u{feff}a=b", &[("a", "b")]),
        ("a=x\\", &[("a", "x")]),
        ("\\", &[]),
    ];
    for (text, expected) in table {
        let expected: Vec<_> = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(entries(text), expected, "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_latin1() {
    let properties = Properties::parse("test", b"name=caf\xe9").unwrap();
    assert_eq!(properties.get("name"), Some("café"));
}

#[test]
fn broken_unicode_escape_names_its_line() {
    for text in ["\n\na=\\u12", "# c\n\na=\\u12zz", "\n\na=\\uD83D", "\n\na=\\uD83Dx\\uDE00", "\n\na=\\uDE00"] {
        let error = Properties::parse("test", text.as_bytes()).unwrap_err();
        assert_eq!(error, PropertiesError::BadUnicodeEscape { line: 3 }, "{text:?}");
    }
}

#[test]
fn lines_and_repetitions_are_known() {
    let properties = Properties::parse("broker.conf", b"a=1\n\nb=x\\\n  y\nc=3\na=4\n").unwrap();
    assert_eq!(properties.source(), "broker.conf");
    assert_eq!(["a", "b", "c", "d"].map(|key| properties.line(key)), [Some(6), Some(3), Some(5), None]);
    assert_eq!(properties.repeated().collect::<Vec<_>>(), [("a", 6)]);
}

#[test]
fn wire_text_is_sorted_and_plain() {
    let mut properties = Properties::new();
    properties.insert("storePathRootDir", "C:\\a b");
    properties.insert("brokerName", "é");
    assert_eq!(properties.to_wire_text(), "brokerName=é\nstorePathRootDir=C:\\\\a b\n");
    assert_eq!(properties.to_file_text(), "brokerName=\\u00E9\nstorePathRootDir=C:\\\\a b\n");
    assert_eq!(properties.remove("brokerName").as_deref(), Some("é"));
    assert_eq!(properties.len(), 1);
}

#[test]
fn credentials_do_not_show_in_logs() {
    let properties = Properties::parse("broker.conf", b"initAuthenticationUser=secret").unwrap();
    let shown = format!("{properties:?}");
    assert!(shown.contains("initAuthenticationUser") && !shown.contains("=secret") && !shown.contains("\"secret"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Properties::parse("test", &bytes);
    }

    #[test]
    fn any_text_of_syntax_letters_is_read_or_refused(text in "[\\\\u0-9a-fD#!=: \\t\\r\\n]{0,80}") {
        let _ = Properties::parse("test", text.as_bytes());
    }

    #[test]
    fn a_written_file_reads_back(pairs in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..8)) {
        let mut properties = Properties::new();
        for (key, value) in &pairs {
            properties.insert(key.clone(), value.clone());
        }
        let text = properties.to_file_text();
        prop_assert!(text.is_ascii());
        let read: BTreeMap<_, _> = entries(&text).into_iter().collect();
        prop_assert_eq!(read, pairs);
    }
}

#[test]
fn what_is_shown_is_read_back_and_never_becomes_another_key() {
    let mut properties = Properties::new();
    for (key, value) in [("path", r"C:\data"), ("lead", "  x "), ("evil", "1\nlistenPort=2"), ("a b=c", "é")] {
        properties.insert(key, value);
    }
    let text = properties.to_wire_text();
    assert_eq!(text.lines().count(), 4, "{text}");
    let read = Properties::parse("", text.as_bytes()).unwrap();
    assert!(read.iter().eq(properties.iter()), "{text}");
}

#[test]
fn a_file_is_edited_where_its_keys_stand() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (text, key, value, expected) in [
        ("", "a", "1", "a=1\n"),
        ("a=0", "a", "1", "a=1\n"),
        ("a=0\n# a=0\n\nb=2\n", "a", "1", "a=1\n# a=0\n\nb=2\n"),
        ("b=2", "a", "1", "b=2\na=1\n"),
        ("  a : 0\r\nb=2\r\n", "a", "1", "a=1\nb=2\r\n"),
        ("a=0\\\n  more\nb=2\n", "a", "1", "a=1\nb=2\n"),
        ("b=x\\\na=0\n", "a", "1", "b=x\\\na=0\na=1\n"),
        ("# x\\\na=0\n", "a", "1", "# x\\\na=1\n"),
        ("a=0\nb=2\na=3\n", "a", "1", "a=1\nb=2\na=1\n"),
        ("\\u0061=0\n", "a", "1", "a=1\n"),
        ("bad=\\u12\n", "a", "é", "bad=\\u12\na=\\u00E9\n"),
        ("a=0\rb=2", "a", "1", "a=1\nb=2"),
        ("a", "a", "1", "a=1\n"),
        ("ab=0\n", "a", "1", "ab=0\na=1\n"),
    ] {
        let found = edited(text.as_bytes(), &[pair(key, value)]);
        assert_eq!(String::from_utf8(found).unwrap(), expected, "{text:?}");
    }
    let latin = b"name=\xe9\na=0\n";
    assert_eq!(edited(latin, &[pair("a", "1")]), b"name=\xe9\na=1\n");
}
