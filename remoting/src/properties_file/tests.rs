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
    assert_eq!(properties.to_wire_text(), "brokerName=é\nstorePathRootDir=C:\\a b\n");
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
