use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::code::{ResponseCode, VERSION};
use crate::frame::{HeaderCodec, Split, split};
use crate::names::{QueueId, Topic};

crate::header! {
    /// For tests.
    PlainHeader {
        /// Required.
        topic: Topic = "topic" | "b",
        /// Required.
        queue_id: QueueId = "queueId" | "e",
        /// Optional.
        note: Option<String> = "note",
    }
    /// For tests.
    BorrowedHeader<'a> {
        /// Required.
        text: Cow<'a, str> = "text",
    }
    /// For tests.
    EmptyHeader {}
}

fn decode_json(text: &str) -> Result<PlainHeader, FieldError> {
    let mut scratch = HeaderScratch::default();
    let view = decode(HeaderCodec::Json, text.as_bytes(), &mut scratch).unwrap();
    PlainHeader::decode(&view.fields)
}

#[test]
fn long_and_short_names_fill_one_struct() {
    let expected = PlainHeader { topic: Topic::parse("T").unwrap(), queue_id: QueueId(3), note: None };
    for text in [
        r#"{"code":1,"extFields":{"topic":"T","queueId":"3"}}"#,
        r#"{"extFields":{"e":"3","b":"T","x":"y"},"code":1}"#,
        r#" { "code" : 1 , "extFields" : { "b" : "T" , "e" : 3 , "note":"" , "n":null } , "odd":[1,{"a":[]}] } "#,
    ] {
        assert_eq!(decode_json(text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn the_field_at_fault_is_named() {
    let missing = decode_json(r#"{"code":1,"extFields":{"topic":"T"}}"#).unwrap_err();
    assert_eq!(missing.to_string(), "the request header field queueId is missing");
    let negative = decode_json(r#"{"code":1,"extFields":{"topic":"T","queueId":"-1"}}"#).unwrap_err();
    assert_eq!(negative.field, "queueId");
    let name = decode_json(r#"{"code":1,"extFields":{"topic":"a b","queueId":"1"}}"#).unwrap_err();
    assert!(matches!(name.problem, FieldProblem::Name(_)));
}

#[test]
fn escapes_are_resolved_and_written_back() {
    let mut scratch = HeaderScratch::default();
    let text = r#"{"code":-7,"language":"GO","opaque":-1,"flag":2,"remark":"a\"b","extFields":{"text":"k\u0001v\u0002\ud83d\ude00\/é"}}"#;
    let view = decode(HeaderCodec::Json, text.as_bytes(), &mut scratch).unwrap();
    assert_eq!((view.code, view.opaque, view.language.name(), view.remark), (-7, -1, "GO", Some("a\"b")));
    assert!(view.is_one_way() && !view.is_response());
    let header = BorrowedHeader::decode(&view.fields).unwrap();
    assert_eq!(header.text, "k\u{1}v\u{2}😀/é");
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let mut out = Vec::new();
        let mut head = HeaderHead::answer(ResponseCode::SUCCESS, -1);
        head.remark = Some("line\nbreak");
        write_frame(&mut out, codec, &head, |sink| header.encode(sink), 0);
        let Ok(Split::Whole(frame, used)) = split(&out) else { panic!("{out:?}") };
        assert_eq!(used, out.len());
        let mut scratch = HeaderScratch::default();
        let back = decode(frame.codec, frame.header, &mut scratch).unwrap();
        assert_eq!((back.version, back.opaque, back.remark), (VERSION, -1, Some("line\nbreak")));
        assert_eq!(BorrowedHeader::decode(&back.fields).unwrap(), header);
    }
}

#[test]
fn half_a_surrogate_is_replaced_not_refused() {
    let mut scratch = HeaderScratch::default();
    let view =
        decode(HeaderCodec::Json, br#"{"extFields":{"a":"\ud83dx","b":"\ude00","c":"\ud83d\u0041"}}"#, &mut scratch);
    let fields: Vec<_> = view.unwrap().fields.iter().map(|(_, value)| value.to_owned()).collect();
    assert_eq!(fields, ["\u{fffd}x", "\u{fffd}", "\u{fffd}A"]);
}

#[test]
fn every_cut_of_a_header_is_refused() {
    let mut out = Vec::new();
    let header = PlainHeader { topic: Topic::parse("T").unwrap(), queue_id: QueueId(3), note: Some("n".into()) };
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        out.clear();
        write_frame(&mut out, codec, &HeaderHead::answer(ResponseCode::SUCCESS, 1), |sink| header.encode(sink), 0);
        let whole = &out[8..];
        let mut scratch = HeaderScratch::default();
        for end in 0..whole.len() {
            assert!(decode(codec, &whole[..end], &mut scratch).is_err(), "{codec:?} {end}");
        }
        assert!(decode(codec, whole, &mut scratch).is_ok());
    }
}

#[test]
fn nesting_is_bounded() {
    let text = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(decode(HeaderCodec::Json, text.as_bytes(), &mut HeaderScratch::default()).is_err());
}

#[test]
fn declared_fields_are_listed() {
    assert!(EmptyHeader::FIELDS.is_empty());
    assert_eq!(PlainHeader::FIELDS[0].short, "b");
    assert!(PlainHeader::FIELDS[1].required && !PlainHeader::FIELDS[2].required);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let mut scratch = HeaderScratch::default();
        let _ = decode(HeaderCodec::Json, &bytes, &mut scratch);
        let _ = decode(HeaderCodec::Binary, &bytes, &mut scratch);
    }

    #[test]
    fn any_json_like_text_is_decoded_or_refused(text in "[{}\\[\\]\",:\\\\a-f0-9ux \u{1}]{0,80}") {
        let _ = decode(HeaderCodec::Json, text.as_bytes(), &mut HeaderScratch::default());
    }

    #[test]
    fn any_text_survives_both_codecs(text in "\\PC{1,40}|[\u{0}-\u{20}\"\\\\]{1,20}") {
        for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
            let mut out = Vec::new();
            let head = HeaderHead::answer(ResponseCode::SUCCESS, 1);
            write_frame(&mut out, codec, &head, |sink| sink.text("text", &text), 0);
            let mut scratch = HeaderScratch::default();
            let view = decode(codec, &out[8..], &mut scratch).unwrap();
            prop_assert_eq!(view.fields.find("text"), Some(text.as_str()));
        }
    }
}
