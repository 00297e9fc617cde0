use proptest::prelude::*;

use super::*;

fn encoded(entries: &[BatchEntry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        entry.encode(&mut out).unwrap();
    }
    out
}

#[test]
fn the_layout_is_upstreams() {
    let body = encoded(&[BatchEntry { flag: 7, body: b"hi", properties: Properties("TAGS\u{1}A\u{2}") }]);
    let expected = b"\0\0\0\x1f\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\x02hi\0\x07TAGS\x01A\x02";
    assert_eq!(body, expected);
    assert_eq!(body.len(), 31);
}

#[test]
fn a_batch_of_the_java_client() {
    // Three messages with flags 0 to 2, as `MessageDecoder.encodeMessages` wrote them.
    const JAVA: &str = concat!(
        "0000003500000000000000000000000000000005626f647930001a4b455953016b300257414954017472756502544147",
        "53015430020000003500000000000000000000000100000005626f647931001a4b455953016b31025741495401747275",
        "650254414753015431020000003500000000000000000000000200000005626f647932001a4b455953016b3202574149",
        "540174727565025441475301543202",
    );
    let bytes: Vec<u8> =
        (0..JAVA.len()).step_by(2).map(|at| u8::from_str_radix(&JAVA[at..at + 2], 16).unwrap()).collect();
    let entries: Vec<_> = BatchEntries::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(entries.len(), 3);
    for (number, entry) in (0..).zip(&entries) {
        assert_eq!(entry.flag, number);
        assert_eq!(entry.body, format!("body{number}").as_bytes());
        assert_eq!(entry.properties.get("TAGS"), Some(&*format!("T{number}")));
        assert_eq!(entry.properties.get("KEYS"), Some(&*format!("k{number}")));
    }
    assert_eq!(encoded(&entries), bytes);
}

#[test]
fn the_first_three_words_are_not_looked_at() {
    let mut body = encoded(&[BatchEntry { flag: 0, body: b"x", properties: Properties("") }]);
    body[..12].fill(0xAB);
    assert_eq!(BatchEntries::check(&body), Ok(1));
}

#[test]
fn errors_name_the_entry() {
    let good = encoded(&[BatchEntry { flag: 0, body: b"hi", properties: Properties("a\u{1}b") }]);
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        [good.clone(), bad].concat()
    };
    for (body, error) in [
        (with(16, &[0xFF; 4]), BatchError::NegativeLength { entry: 1, field: "bodyLength", length: -1 }),
        (with(22, &[0x80, 0]), BatchError::NegativeLength { entry: 1, field: "propertiesLength", length: -32768 }),
        (with(16, &[0x7F; 4]), BatchError::Truncated { entry: 1, field: "body", needed: 0x7F7F_7F7F, available: 7 }),
        (with(22, &[0, 4]), BatchError::Truncated { entry: 1, field: "properties", needed: 4, available: 3 }),
        (with(25, &[0xFF]), BatchError::NotUtf8 { entry: 1, valid_up_to: 1 }),
    ] {
        assert_eq!(BatchEntries::check(&body), Err(error));
    }
}

#[test]
fn properties_over_the_limit_are_refused() {
    let mut out = vec![1];
    let properties = "p".repeat(32768);
    let entry = BatchEntry { flag: 0, body: b"", properties: Properties(&properties) };
    assert_eq!(entry.encode(&mut out), Err(EncodeError::PropertiesTooLong { length: 32768 }));
    assert_eq!(out, [1]);
}

proptest! {
    #[test]
    fn entries_survive(entries in prop::collection::vec((any::<i32>(), prop::collection::vec(any::<u8>(), 0..40), any::<String>()), 0..6), cut in any::<prop::sample::Index>()) {
        let entries: Vec<_> = entries.iter()
            .map(|(flag, body, properties)| BatchEntry { flag: *flag, body, properties: Properties(properties) })
            .collect();
        let bytes = encoded(&entries);
        let read: Vec<_> = BatchEntries::new(&bytes).map(Result::unwrap).collect();
        prop_assert_eq!(&read, &entries);
        prop_assert_eq!(BatchEntries::check(&bytes), Ok(entries.len()));
        // A cut between two entries leaves fewer of them, any other cut is an error.
        let length = if bytes.is_empty() { 0 } else { cut.index(bytes.len()) };
        let whole = (0..=entries.len()).find(|&count| encoded(&entries[..count]).len() == length);
        prop_assert_eq!(BatchEntries::check(&bytes[..length]).ok(), whole);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = BatchEntries::check(&bytes);
    }
}
