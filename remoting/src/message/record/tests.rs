use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::super::flags::SysFlag;
use super::super::properties::PROPERTIES_MAX_LENGTH;
use super::*;
use crate::names::QueueId;
use crate::offsets::{PhysicalOffset, QueueOffset};

/// A record as a Java broker wrote it.
const GOLDEN_V1: &str = "00000068 daa320a7 58932aac 00000001 00000000 0000000000000002 0000000000000000 00000000 \
    0000018bcfe56800 7f000001 00009c40 0000018bcfe56801 7f000001 00002a9f 00000000 0000000000000000 \
    00000002 6869 01 54 000a 5441475301 5461674102";

/// A record with checksum, as a RocketMQ 5.5.0 broker with `enabledAppendPropCRC=true` wrote it.
const GOLDEN_CHECKSUM: &str = "0000011ddaa320a77f19206200000003000000000000000000000000000000000000000000000000000001a20649bf037f00 \
    00010000edde000001a20649c1967f0000010000597f00000000000000000000000000000006706c61696e3006506172656e \
    7400b64d53475f524547494f4e0144656661756c74526567696f6e02554e49515f4b45590146443030303030303030303030 \
    3030303030303030303030303030303030303232334646314442443136413637314531443646433030303002434c55535445 \
    520144656661756c74436c757374657202544147530154616741024b455953016b2d706c61696e3002574149540174727565 \
    0254524143455f4f4e0174727565025f5f435243333223013435363835303531333102";

/// The same, of a batch.
const GOLDEN_CHECKSUM_IN_BATCH: &str = "000000dfdaa320a7759dc2be0000000200000000000000000000000100000000000009cc00000000000001a2065371517f00 \
    00010000acf6000001a2065371547f0000010000597f0000000000000000000000000000000662617463683006506172656e \
    7400784b455953016b2d62617463683002554e49515f4b455901464430303030303030303030303030303030303030303030 \
    3030303030303032314142313144424431364136373145423839353130303037025741495401747275650254414753015461 \
    6741025f5f435243333223013739363531333438373102";

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn fields<'a>() -> RecordFields<'a> {
    RecordFields {
        born_timestamp: 1_700_000_000_000,
        born_host: "127.0.0.1:40000".parse().unwrap(),
        properties: b"TAGS\x01TagA\x02",
        ..RecordFields::plain("T", QueueId(1), "127.0.0.1:10911".parse().unwrap(), b"hi")
    }
}

fn encoded(fields: &RecordFields<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    fields.encode(&mut out).unwrap();
    assert_eq!(out.len(), fields.encoded_len());
    out
}

/// An encoded record with some bytes replaced.
fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut record = encoded(&fields());
    record[at..at + bytes.len()].copy_from_slice(bytes);
    record
}

#[test]
fn bytes_are_those_of_java() {
    let mut record = encoded(&fields());
    set_queue_offset(&mut record, QueueOffset(2));
    set_physical_offset(&mut record, PhysicalOffset(0));
    set_store_timestamp(&mut record, 1_700_000_000_001);
    assert_eq!(record, unhex(GOLDEN_V1));
    let record = Record::parse(&record).unwrap();
    assert_eq!(record.queue_offset(), QueueOffset(2));
    assert_eq!(record.store_timestamp(), 1_700_000_000_001);
    assert_eq!(record.properties().get("TAGS"), Some("TagA"));
    assert_eq!(record.check_body_crc(), Ok(()));
}

#[test]
fn a_long_topic_makes_v2() {
    for (length, version, extra) in [
        (0, RecordVersion::V1, 0),
        (127, RecordVersion::V1, 0),
        (128, RecordVersion::V2, 1),
        (255, RecordVersion::V2, 1),
    ] {
        let topic = "t".repeat(length);
        let bytes = encoded(&RecordFields { topic: &topic, body: b"", properties: b"", ..fields() });
        assert_eq!(bytes.len(), RECORD_MIN_LENGTH + length + extra);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.version(), record.topic()), (version, topic.as_str()));
    }
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_no_trace() {
    let (topic, properties) = ("t".repeat(256), vec![b'p'; 32768]);
    for (fields, error) in [
        (RecordFields { topic: &topic, ..fields() }, EncodeError::TopicTooLong { length: 256 }),
        (RecordFields { properties: &properties, ..fields() }, EncodeError::PropertiesTooLong { length: 32768 }),
    ] {
        let mut out = vec![1];
        assert_eq!(fields.encode(&mut out), Err(error));
        assert_eq!(out, [1]);
    }
    assert!(RecordFields { properties: &properties[1..], ..fields() }.encode(&mut Vec::new()).is_ok());
}

#[test]
fn hosts_decide_their_flags() {
    for (born, store, flag, born_back) in [
        ("1.2.3.4:5", "6.7.8.9:10", 0x1, "1.2.3.4:5"),
        ("[2001:db8::1]:5", "6.7.8.9:10", 0x11, "[2001:db8::1]:5"),
        ("1.2.3.4:5", "[::1]:10", 0x21, "1.2.3.4:5"),
        ("[::1]:5", "[::2]:65535", 0x31, "[::1]:5"),
        ("[::ffff:1.2.3.4]:5", "6.7.8.9:10", 0x1, "1.2.3.4:5"),
    ] {
        let (born_host, store_host) = (born.parse().unwrap(), store.parse().unwrap());
        let mut bytes = encoded(&RecordFields { born_host, store_host, sys_flag: SysFlag(0x31), ..fields() });
        set_store_timestamp(&mut bytes, 77);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.sys_flag(), SysFlag(flag), "{born} {store}");
        assert_eq!(record.born_host(), born_back.parse::<SocketAddr>().unwrap());
        assert_eq!((record.store_host(), record.store_timestamp()), (store_host, 77));
        assert_eq!((record.topic(), record.body()), ("T", &b"hi"[..]));
    }
}

#[test]
fn what_is_no_record() {
    let size = 104;
    for (bytes, error, skippable) in [
        (vec![0; 200], RecordError::Unwritten, None),
        (patched(4, &[0; 4]), RecordError::Magic { magic: 0 }, None),
        (patched(4, &BLANK_MAGIC.to_be_bytes()), RecordError::Magic { magic: BLANK_MAGIC }, None),
        (patched(0, &[0xFF; 4]), RecordError::TotalSize { total_size: -1 }, None),
        (patched(0, &90_i32.to_be_bytes()), RecordError::TotalSize { total_size: 90 }, None),
        (patched(0, &105_i32.to_be_bytes()), RecordError::Truncated { needed: 105, available: 104 }, None),
        (
            patched(84, &[0xFF; 4]),
            RecordError::NegativeLength { total_size: size, field: "bodyLength", position: 84, length: -1 },
            None,
        ),
        (
            patched(84, &[0x7F; 4]),
            RecordError::Overrun { total_size: size, field: "body", position: 88, length: 0x7F7F_7F7F },
            None,
        ),
        (
            patched(90, &[200]),
            RecordError::Overrun { total_size: size, field: "topic", position: 91, length: 200 },
            None,
        ),
        (
            patched(92, &[0xFF, 0xFF]),
            RecordError::NegativeLength { total_size: size, field: "propertiesLength", position: 92, length: -1 },
            None,
        ),
        (patched(92, &[0, 9]), RecordError::Leftover { total_size: size, used: 103 }, None),
        (
            patched(92, &[0, 11]),
            RecordError::Overrun { total_size: size, field: "properties", position: 94, length: 11 },
            None,
        ),
        (patched(12, &[0xFF; 4]), RecordError::QueueId { total_size: size, queue_id: -1 }, Some(size)),
        (
            patched(52, &[0, 1, 0, 0]),
            RecordError::Port { total_size: size, field: "bornHost", port: 65536 },
            Some(size),
        ),
        (patched(68, &[0xFF; 4]), RecordError::Port { total_size: size, field: "storeHost", port: -1 }, Some(size)),
        (patched(91, &[0xFF]), RecordError::NotUtf8 { total_size: size, field: "topic", valid_up_to: 0 }, Some(size)),
        (
            patched(100, &[0xFF]),
            RecordError::NotUtf8 { total_size: size, field: "properties", valid_up_to: 6 },
            Some(size),
        ),
    ] {
        assert_eq!(Record::parse(&bytes).unwrap_err(), error);
        assert_eq!(error.skippable_length(), skippable, "{error}");
    }
}

#[test]
fn a_changed_body_is_found() {
    let bytes = patched(88, b"ho");
    let error = Record::parse(&bytes).unwrap().check_body_crc().unwrap_err();
    assert!(matches!(error, RecordError::BodyCrc { stored: 0x5893_2AAC, .. }), "{error}");
    // Java does not look at the CRC of an empty body.
    let mut bytes = encoded(&RecordFields { body: b"", ..fields() });
    bytes[8..12].fill(0xFF);
    assert_eq!(Record::parse(&bytes).unwrap().check_body_crc(), Ok(()));
}

#[test]
fn checksums_are_those_of_java() {
    for golden in [GOLDEN_CHECKSUM, GOLDEN_CHECKSUM_IN_BATCH] {
        let bytes = unhex(golden);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.check_checksum(), Ok(()));
        let fields = record.to_fields();
        let mut again = Vec::new();
        // The checksum that is there goes, and does not stand twice.
        fields.encode_with_checksum(&mut again).unwrap();
        assert_eq!(again.len(), bytes.len());
        set_queue_offset(&mut again, record.queue_offset());
        set_physical_offset(&mut again, record.physical_offset());
        set_store_timestamp(&mut again, record.store_timestamp());
        set_checksum(&mut again);
        assert_eq!(again, bytes);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let found = Record::parse(&damaged).and_then(|record| record.check_checksum());
            // Without its name or its separators it is no checksum any more, and the body is sound.
            let is_frame = at >= bytes.len() - CHECKSUM_LENGTH && !(bytes.len() - 11..bytes.len() - 1).contains(&at);
            assert_eq!(found.is_ok(), is_frame, "byte {at}");
        }
    }
}

#[test]
fn a_checksum_follows_whatever_properties_there_are() {
    let long_topic = "x".repeat(200);
    for (topic, properties, before) in [
        ("T", "", ""),
        ("T", "a\x01b\x02", "a\x01b\x02"),
        ("T", "a\x01b", "a\x01b\x02"),
        ("T", "__CRC32#\x011234567890\x02a\x01b\x02", "a\x01b\x02"),
        ("T", "a\x01b\x02__CRC32#\x01x", "a\x01b\x02"),
        (long_topic.as_str(), "a\x01b\x02", "a\x01b\x02"),
    ] {
        let mut bytes = Vec::new();
        let fields = RecordFields { topic, properties: properties.as_bytes(), ..fields() };
        fields.encode_with_checksum(&mut bytes).unwrap();
        set_checksum(&mut bytes);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.check_checksum(), Ok(()), "{properties:?}");
        let text = record.properties().as_str();
        assert_eq!(text.len(), before.len() + CHECKSUM_LENGTH, "{properties:?}");
        assert!(text.starts_with(&format!("{before}__CRC32#\x01")), "{text:?}");
        assert_eq!(record.version() == RecordVersion::V2, topic.len() > 127);
    }
    let properties = format!("a\x01{}\x02", "v".repeat(PROPERTIES_MAX_LENGTH - 3));
    let fields = RecordFields { properties: properties.as_bytes(), ..fields() };
    let mut bytes = Vec::new();
    let error = fields.encode_with_checksum(&mut bytes).unwrap_err();
    assert_eq!(error, EncodeError::PropertiesTooLong { length: PROPERTIES_MAX_LENGTH + CHECKSUM_LENGTH });
    assert!(bytes.is_empty());
    assert!(fields.encode(&mut bytes).is_ok());
}

#[test]
fn properties_can_grow_behind() {
    let mut bytes = encoded(&fields());
    bytes.extend_from_slice(b"a\x01b\x02");
    let length = fields().properties.len() as u16 + 4;
    set_properties_length(&mut bytes, length);
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(record.properties().as_str(), "TAGS\x01TagA\x02a\x01b\x02");
}

#[test]
fn a_log_file_ends_in_a_blank() {
    let blank = |length: i32| [length.to_be_bytes(), BLANK_MAGIC.to_be_bytes()].concat();
    assert!(matches!(parse_next(&blank(8)), Ok(Parsed::Blank { length: 8 })));
    assert!(matches!(parse_next(&blank(1000)), Ok(Parsed::Blank { length: 1000 })));
    for length in [-8, 0, 7] {
        assert_eq!(parse_next(&blank(length)).unwrap_err(), RecordError::TotalSize { total_size: length });
    }
    assert!(matches!(parse_next(&encoded(&fields())), Ok(Parsed::Record(_))));
    assert_eq!(parse_next(&[0; 7]).unwrap_err(), RecordError::Truncated { needed: 8, available: 7 });
    assert_eq!(parse_next(&[0; 8]).unwrap_err(), RecordError::Unwritten);
}

#[test]
fn records_follow_each_other() {
    let one = encoded(&fields());
    let bytes = [one.clone(), encoded(&RecordFields { topic: "U", ..fields() }), one[..50].to_vec()].concat();
    let mut records = Records::new(&bytes);
    assert_eq!(records.next().unwrap().unwrap().topic(), "T");
    assert_eq!(records.next().unwrap().unwrap().topic(), "U");
    assert_eq!(records.next().unwrap().unwrap_err(), RecordError::Truncated { needed: 104, available: 50 });
    assert!(records.next().is_none());
}

prop_compose! {
    fn host()(ip in any::<IpAddr>(), port in any::<u16>()) -> SocketAddr {
        SocketAddr::new(ip.to_canonical(), port)
    }
}

/// What a record is made of, owned.
#[derive(Clone, Debug)]
struct Owned {
    topic: String,
    body: Vec<u8>,
    properties: String,
    hosts: (SocketAddr, SocketAddr),
    words: (u32, i32, i32, i32),
    longs: (i64, i64, i64, i64, i64),
}

prop_compose! {
    fn owned()(
        topic in "[a-zA-Z%é]{0,127}",
        body in prop::collection::vec(any::<u8>(), 0..100),
        properties in any::<String>(),
        hosts in (host(), host()),
        words in (0..=i32::MAX as u32, any::<i32>(), any::<i32>(), any::<i32>()),
        longs in any::<(i64, i64, i64, i64, i64)>(),
    ) -> Owned {
        Owned { topic, body, properties, hosts, words, longs }
    }
}

impl Owned {
    fn fields(&self) -> RecordFields<'_> {
        RecordFields {
            topic: &self.topic,
            queue_id: QueueId(self.words.0),
            flag: self.words.1,
            sys_flag: SysFlag(self.words.2),
            born_timestamp: self.longs.0,
            born_host: self.hosts.0,
            store_host: self.hosts.1,
            reconsume_times: self.words.3,
            prepared_transaction_offset: self.longs.1,
            body: &self.body,
            properties: self.properties.as_bytes(),
        }
    }

    fn record(&self) -> Vec<u8> {
        let mut bytes = encoded(&self.fields());
        set_queue_offset(&mut bytes, QueueOffset(self.longs.2));
        set_physical_offset(&mut bytes, PhysicalOffset(self.longs.3));
        set_store_timestamp(&mut bytes, self.longs.4);
        bytes
    }
}

proptest! {
    #[test]
    fn records_survive(owned in owned(), after in prop::collection::vec(any::<u8>(), 0..20)) {
        let bytes = owned.record();
        let longer = [bytes.clone(), after].concat();
        let record = Record::parse(&longer).unwrap();
        let sys_flag = SysFlag(owned.words.2).without(SysFlag::BORN_HOST_V6).without(SysFlag::STORE_HOST_V6);
        prop_assert_eq!(record.bytes(), &bytes[..]);
        prop_assert_eq!(record.total_size() as usize, bytes.len());
        prop_assert_eq!(record.version() == RecordVersion::V2, owned.topic.len() > 127);
        prop_assert_eq!(record.queue_id().0, owned.words.0);
        prop_assert_eq!(record.flag(), owned.words.1);
        prop_assert_eq!(record.sys_flag().without(SysFlag::BORN_HOST_V6).without(SysFlag::STORE_HOST_V6), sys_flag);
        prop_assert_eq!(record.reconsume_times(), owned.words.3);
        prop_assert_eq!(record.born_timestamp(), owned.longs.0);
        prop_assert_eq!(record.prepared_transaction_offset(), owned.longs.1);
        prop_assert_eq!(record.queue_offset().0, owned.longs.2);
        prop_assert_eq!(record.physical_offset().0, owned.longs.3);
        prop_assert_eq!(record.store_timestamp(), owned.longs.4);
        prop_assert_eq!((record.born_host(), record.store_host()), owned.hosts);
        prop_assert_eq!(record.body(), &owned.body[..]);
        prop_assert_eq!(record.topic(), &owned.topic);
        prop_assert_eq!(record.properties().as_str(), &owned.properties);
        prop_assert_eq!(record.check_body_crc(), Ok(()));
        prop_assert_eq!(encoded(&record.to_fields()), encoded(&owned.fields()));
    }

    #[test]
    fn every_cut_is_an_error(owned in owned()) {
        let bytes = owned.record();
        for length in 0..bytes.len() {
            prop_assert!(Record::parse(&bytes[..length]).is_err(), "cut to {}", length);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_next(&bytes);
        let _ = Records::new(&bytes).count();
    }

    /// Bytes that get further than random ones: a record with some of its bytes changed.
    #[test]
    fn damaged_records_are_read_without_a_panic(owned in owned(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = owned.record();
        for (at, value) in damage {
            let place = at.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(Parsed::Record(record)) = parse_next(&bytes) {
            let _ = record.check_body_crc();
            let _ = record.properties().iter().count();
        }
        let _ = Records::new(&bytes.repeat(2)).count();
    }
}
