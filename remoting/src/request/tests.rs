//! What every declaration must hold, whichever request it declares.

use std::collections::BTreeSet;

use super::*;
use crate::frame::HeaderCodec;
use crate::header::{FieldProblem, Fields, HeaderHead, HeaderScratch, decode, write_frame};

/// `code name` of every constant of RocketMQ 5.5.0's `RequestCode`.
const GOLDEN: &str = include_str!("../../tests/golden/request_codes.txt");

#[test]
fn every_upstream_code_is_declared_once_under_its_name() {
    let golden: BTreeSet<String> = GOLDEN.lines().map(str::to_owned).collect();
    assert_eq!(golden.len(), 169);
    let declared: BTreeSet<String> = rows().map(|row| format!("{} {}", row.code.0, row.name)).collect();
    let differences: Vec<_> = golden.symmetric_difference(&declared).collect();
    assert!(differences.is_empty(), "only upstream or only here: {differences:?}");
    let codes: BTreeSet<i32> = rows().map(|row| row.code.0).collect();
    assert_eq!(rows().count(), codes.len(), "a code is declared twice");
}

#[test]
fn binary_headers_cut_no_code_to_another() {
    // A binary header holds 16 bits of the code (RocketMQ 5.5.0).
    let mut cut = BTreeSet::new();
    for row in rows() {
        assert!(cut.insert(row.code.0 as i16), "{} is cut to the code of another", row.name);
    }
}

#[test]
fn permissions_name_fields_of_their_header() {
    // Parts that do not exist yet are declared without headers.
    for row in rows().filter(|row| !row.fields.is_empty()) {
        let named: Vec<&str> = match row.permission {
            Permission::Topic(field, _) | Permission::Group(field, _) => vec![field],
            Permission::TopicAndGroup(topic, group, _) => vec![topic, group],
            Permission::Open | Permission::Cluster(_) | Permission::InBody(_) => Vec::new(),
        };
        for name in named {
            let known = row.fields.iter().any(|field| field.name == name || field.short == name);
            assert!(known, "{} checks {name}, which its header does not have", row.name);
        }
    }
}

#[test]
fn no_name_means_two_fields() {
    for fields in rows().flat_map(|row| [row.fields, row.response_fields]) {
        let mut names = BTreeSet::new();
        for field in fields {
            assert!(names.insert(field.name), "{} stands twice", field.name);
            assert!(field.short == field.name || names.insert(field.short), "{} stands twice", field.short);
        }
    }
}

/// Fields that came in a header. The bytes stay for the rest of the test run, because some headers borrow them.
fn arrived(pairs: &[(&str, &str)]) -> Fields<'static> {
    let mut frame = Vec::new();
    let head = HeaderHead::answer(crate::code::ResponseCode::SUCCESS, 0);
    let write = |sink: &mut crate::header::FieldSink<'_>| pairs.iter().for_each(|(name, value)| sink.text(name, value));
    write_frame(&mut frame, HeaderCodec::Json, &head, write, 0);
    let frame: &'static [u8] = Vec::leak(frame);
    let scratch: &'static mut HeaderScratch = Box::leak(Box::default());
    decode(HeaderCodec::Json, &frame[8..], scratch).unwrap().fields
}

/// Every field with a value that any type takes, under its long or its short name.
fn filled(fields: &'static [HeaderField], short: bool) -> Vec<(&'static str, &'static str)> {
    fields.iter().map(|field| (if short { field.short } else { field.name }, "1")).collect()
}

#[test]
fn whole_headers_are_read_and_unknown_fields_left_alone() {
    for row in rows() {
        for short in [false, true] {
            let mut pairs = vec![("noSuchField", "x"), ("Signature", "=="), ("nsd", "true")];
            pairs.extend(filled(row.fields, short));
            pairs.push(("", ""));
            assert_eq!((row.check)(&arrived(&pairs)), Ok(()), "{}", row.name);
        }
    }
}

#[test]
fn a_missing_required_field_is_named_and_an_optional_one_is_not_missed() {
    for row in rows() {
        for field in row.fields {
            let mut pairs = filled(row.fields, false);
            pairs.retain(|(name, _)| *name != field.name);
            let result = (row.check)(&arrived(&pairs));
            if field.required {
                let error = result.expect_err(row.name);
                assert_eq!((error.field, error.problem), (field.name, FieldProblem::Missing), "{}", row.name);
            } else {
                assert_eq!(result, Ok(()), "{} without {}", row.name, field.name);
                // An empty text is absent: binary headers and Go clients make no difference.
                pairs.push((field.name, ""));
                assert_eq!((row.check)(&arrived(&pairs)), Ok(()), "{} with an empty {}", row.name, field.name);
            }
        }
    }
}

#[test]
fn a_field_that_cannot_be_read_is_named() {
    let mut refused = 0;
    for row in rows() {
        for field in row.fields {
            let mut pairs = filled(row.fields, false);
            pairs.iter_mut().filter(|(name, _)| *name == field.name).for_each(|(_, value)| *value = "not one/\u{1}");
            if let Err(error) = (row.check)(&arrived(&pairs)) {
                refused += 1;
                assert_eq!(error.field, field.name, "{}", row.name);
            }
        }
    }
    assert!(refused > 100, "numbers and names must be checked, but only {refused} were");
}

#[test]
fn documents_and_names_are_fit_to_be_printed() {
    for row in rows() {
        assert!(row.doc.trim().ends_with('.'), "{}: {:?}", row.name, row.doc);
        assert_eq!(row.code.to_string(), format!("{}({})", row.name, row.code.0));
    }
}

/// Lines of `code request|response client fields`, recorded from RocketMQ 5.5.0 and official clients.
const RECORDED: &str = include_str!("../../tests/golden/fields.txt");

/// Fields that any header may carry (RocketMQ 5.5.0).
const COMMON: &[&str] =
    &["bname", "ns", "nsd", "oway", "lo", "ReqT", "__ZONE_NAME", "__ZONE_MODE", "AccessKey", "Signature"];

#[test]
fn recorded_headers_hold_what_is_declared() {
    let mut checked = 0;
    let mut unknown = Vec::new();
    for line in RECORDED.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let code = RequestCode(words[0].parse().unwrap());
        let recorded: std::collections::BTreeMap<String, String> = serde_json::from_str(words[3]).unwrap();
        let row = row(code).unwrap();
        let declared = if words[1] == "request" { row.fields } else { row.response_fields };
        for name in recorded.keys() {
            let known = declared.iter().any(|field| field.name == name || field.short == name);
            if !known && !COMMON.contains(&name.as_str()) {
                unknown.push(format!("{} {} of {}: {name}", row.name, words[1], words[2]));
            }
        }
        if words[1] == "request" {
            let pairs: Vec<(&str, &str)> =
                recorded.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!((row.check)(&arrived(&pairs)), Ok(()), "{} of {}", row.name, words[2]);
            checked += 1;
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(checked > 80, "only {checked}");
}
