//! Registrations as RocketMQ 5.5.0 writes them, and broken ones.

use proptest::prelude::*;

use super::*;
use crate::code::VERSION;

/// One registration in both forms, written by RocketMQ 5.5.0's own `RegisterBrokerBody`.
const PLAIN: &[u8] = include_bytes!("../../../tests/golden/register.json");
const COMPRESSED: &[u8] = include_bytes!("../../../tests/golden/register.zlib");

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn both_forms_say_the_same() {
    let plain = RegisterBrokerBody::decode(PLAIN, false, VERSION).unwrap();
    let wrapper = &plain.topic_config_serialize_wrapper;
    assert_eq!(plain.filter_server_list, ["1.2.3.4:5"]);
    assert_eq!(wrapper.data_version, DataVersion { counter: 7, state_version: 2, timestamp: 1_700_000_000_000 });
    let topic = &wrapper.topic_config_table["TopicA"];
    assert_eq!((topic.read_queue_nums, topic.write_queue_nums, topic.perm), (4, 8, 6));
    assert_eq!(
        (topic.topic_filter_type, topic.attributes["message.type"].as_str()),
        (TopicFilterType::MultiTag, "FIFO")
    );
    assert!(wrapper.topic_config_table["%RETRY%g"].order);
    assert_eq!(wrapper.topic_queue_mapping_info_map["TopicS"]["currIdMap"]["4"], 1);

    // The compressed form loses these, as upstream's does.
    let mut expected = plain.clone();
    let lossy = expected.topic_config_serialize_wrapper.topic_config_table.get_mut("%RETRY%g").unwrap();
    (lossy.order, lossy.topic_sys_flag) = (false, 0);
    expected.topic_config_serialize_wrapper.mapping_data_version = DataVersion::default();
    assert_eq!(RegisterBrokerBody::decode(COMPRESSED, true, VERSION).unwrap(), expected);
}

#[test]
fn what_is_written_is_what_upstream_writes() {
    let body = RegisterBrokerBody::decode(PLAIN, false, VERSION).unwrap();
    let compressed = inflate(&body.encode(true), MAX_INFLATED).unwrap();
    // Ours quotes integer keys, which every reader accepts.
    let theirs = String::from_utf8(inflate(COMPRESSED, MAX_INFLATED).unwrap()).unwrap();
    let theirs = theirs.replace("{0:0,4:1}", r#"{"0":0,"4":1}"#).replace("\0\0\0x{", "\0\0\0|{");
    assert_eq!(String::from_utf8(compressed).unwrap(), theirs);
    assert_eq!(RegisterBrokerBody::decode(&body.encode(false), false, VERSION).unwrap(), body);
}

#[test]
fn senders_before_5_0_have_no_mappings() {
    let mut plain = inflate(COMPRESSED, MAX_INFLATED).unwrap();
    let old = RegisterBrokerBody::decode(&deflate(&plain), true, V5_0_0 - 1).unwrap();
    assert!(old.topic_config_serialize_wrapper.topic_queue_mapping_info_map.is_empty());
    let mappings = plain.windows(5).position(|window| window == b"5\"]\0\0").unwrap() + 3;
    plain.truncate(mappings);
    assert_eq!(RegisterBrokerBody::decode(&deflate(&plain), true, VERSION).unwrap(), old);
}

#[test]
fn topics_are_lines() {
    let topic = |line: &str| parse_topic_line(line.as_bytes());
    let plain = topic("T 4 8 6 SINGLE_TAG").unwrap();
    assert_eq!(plain, TopicConfig { write_queue_nums: 8, ..TopicConfig::new("T", 4, 6) });
    let spaced = topic(r#"T 4 8 6 SINGLE_TAG {"a":"b c d"}"#).unwrap();
    assert_eq!(spaced.attributes["a"], "b c d");
    assert_eq!(topic("T 4 8 6 OTHER nonsense").unwrap(), plain);
    for bad in ["", "T", "T 4 8 6", "T four 8 6 SINGLE_TAG", "T  4 8 6 SINGLE_TAG", "T 99999999999 8 6 SINGLE_TAG"] {
        assert!(matches!(topic(bad), Err(RegistrationError::Topic { .. })), "{bad:?}");
    }
}

#[test]
fn broken_registrations_are_refused() {
    let whole = inflate(COMPRESSED, MAX_INFLATED).unwrap();
    let end_without_mappings = whole.windows(5).position(|window| window == b"5\"]\0\0").unwrap() + 3;
    for cut in (0..whole.len()).filter(|cut| *cut != end_without_mappings) {
        let cut_off = deflate(whole.get(..cut).unwrap());
        assert!(RegisterBrokerBody::decode(&cut_off, true, VERSION).is_err(), "cut at {cut}");
    }
    for cut in 0..COMPRESSED.len() {
        let cut_off = COMPRESSED.get(..cut).unwrap();
        assert!(RegisterBrokerBody::decode(cut_off, true, VERSION).is_err(), "cut at {cut}");
    }
    let negative = deflate(&(-1_i32).to_be_bytes());
    assert!(matches!(
        RegisterBrokerBody::decode(&negative, true, VERSION),
        Err(RegistrationError::Length { part: "data version", length: -1 })
    ));
}

#[test]
fn a_small_body_cannot_unfold_without_end() {
    let body = deflate(&[0; 100_000]);
    assert!(body.len() < 1000);
    assert!(matches!(inflate(&body, 99_999), Err(RegistrationError::TooLong)));
    assert_eq!(inflate(&body, 100_000).unwrap().len(), 100_000);
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200), compressed: bool) {
        let _ = RegisterBrokerBody::decode(&bytes, compressed, VERSION);
        let _ = RegisterBrokerBody::decode(&deflate(&bytes), true, VERSION);
    }
}
