use proptest::prelude::*;

use super::*;

fn offset_id(host: &str, offset: i64) -> OffsetMessageId {
    OffsetMessageId { store_host: host.parse().unwrap(), physical_offset: PhysicalOffset(offset) }
}

#[test]
fn offset_ids_as_upstream_writes_them() {
    for (id, text) in [
        (offset_id("127.0.0.1:10911", 0), "7F00000100002A9F0000000000000000"),
        (offset_id("[2001:db8::1]:10911", 0x884D_7141), "20010DB800000000000000000000000100002A9F00000000884D7141"),
    ] {
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_lowercase().parse(), Ok(id));
        let mut out = b"x".to_vec();
        id.write_hex(&mut out);
        assert_eq!(out, format!("x{text}").as_bytes());
    }
    // A socket that takes both kinds of addresses shows IPv4 in IPv6 clothes.
    assert_eq!(offset_id("[::ffff:127.0.0.1]:10911", 0).to_string(), "7F00000100002A9F0000000000000000");
}

#[test]
fn what_is_no_offset_id() {
    let zeros = "0".repeat(32);
    for (text, error) in [
        ("", IdError::Length { length: 0 }),
        (&zeros[1..], IdError::Length { length: 31 }),
        (&format!("{}g", &zeros[1..]), IdError::NotHex { position: 31 }),
        (&format!("é{}", &zeros[2..]), IdError::NotHex { position: 0 }),
        ("7F00000100010000000000000000000A", IdError::Port { port: 65536 }),
        ("7F000001FFFFFFFF000000000000000A", IdError::Port { port: -1 }),
        ("7F00000100002A9FFFFFFFFFFFFFFFFF", IdError::Offset { physical_offset: -1 }),
        // The unique key of a Java client.
        ("7F0000013A2B18B4AAC24D7141880000", IdError::Port { port: 0x3A2B_18B4 }),
    ] {
        assert_eq!(text.parse::<OffsetMessageId>(), Err(error), "{text:?}");
    }
}

#[test]
fn unique_ids_differ_and_name_their_maker() {
    for (ip, length) in [("10.1.2.3", 32), ("2001:db8::7", 56)] {
        let source = UniqueIdSource::new(ip.parse().unwrap(), 0x12_3456);
        let (first, second) = (source.next(1_700_000_000_000), source.next(1_700_000_000_000));
        assert_ne!(first, second);
        assert_eq!(first.ip, ip.parse::<IpAddr>().unwrap());
        assert_eq!(first.pid, 0x3456);
        let text = first.to_string();
        assert_eq!(text.len(), length);
        assert_eq!(text.parse(), Ok(first));
        assert_eq!(text.to_lowercase().parse(), Ok(first));
        let mut out = Vec::new();
        first.write_hex(&mut out);
        assert_eq!(out, text.as_bytes());
    }
}

#[test]
fn months_begin_on_the_first() {
    for (time, start) in [
        (0, 0),
        (2_678_399_999, 0),                     // 1970-01-31T23:59:59.999
        (2_678_400_000, 2_678_400_000),         // 1970-02-01
        (-1, -2_678_400_000),                   // 1969-12-31
        (951_782_400_000, 949_363_200_000),     // 2000-02-29, a leap day of a century
        (1_709_251_199_999, 1_706_745_600_000), // 2024-02-29T23:59:59.999
        (1_709_251_200_000, 1_709_251_200_000), // 2024-03-01
        (1_700_000_000_000, 1_698_796_800_000), // 2023-11-14
        (4_107_542_400_000, 4_107_542_400_000), // 2100-03-01, no leap year
        (4_107_542_399_999, 4_105_123_200_000), // 2100-02-28
    ] {
        assert_eq!(month_start_ms(time), start, "{time}");
    }
}

#[test]
fn a_search_begins_before_the_id_was_made() {
    const HOUR: i64 = 3_600_000;
    let november = 1_698_796_800_000;
    // Made in several zones, at several places of the month, looked for at once or weeks later.
    for zone in [-12, -5, 0, 1, 8, 14] {
        for made_after in [0, HOUR, 10 * HOUR, 20 * HOUR, 300 * HOUR, 700 * HOUR, 719 * HOUR] {
            for age in [0, 1, HOUR, 20 * HOUR, 400 * HOUR, 650 * HOUR] {
                let made = november + made_after;
                let local = made + zone * HOUR;
                let month_ms = u32::try_from(local - month_start_ms(local)).unwrap();
                let id = UniqueId { ip: [127, 0, 0, 1].into(), pid: 1, salt: 2, month_ms, counter: 3 };
                let begin = id.begin_time_ms(made + age);
                assert!(begin <= made, "zone {zone}, {made_after} ms into November, {age} ms old: {begin} > {made}");
                assert!(begin >= made - 33 * 24 * HOUR, "zone {zone}: {begin} is far before {made}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), hex in "[0-9a-fA-F]{32}|[0-9a-fA-F]{56}", now in any::<i64>()) {
        let _ = text.parse::<OffsetMessageId>();
        let _ = hex.parse::<OffsetMessageId>();
        let id = hex.parse::<UniqueId>().unwrap();
        let _ = id.begin_time_ms(now);
        // An address like ::ffff:1.2.3.4 comes back shorter, as Java would write it.
        if id.ip == id.ip.to_canonical() {
            prop_assert_eq!(id.to_string(), hex.to_uppercase());
        }
    }

    #[test]
    fn offset_ids_survive(ip in any::<std::net::IpAddr>(), port in any::<u16>(), offset in 0..=i64::MAX) {
        let id = OffsetMessageId {
            store_host: SocketAddr::new(ip.to_canonical(), port),
            physical_offset: PhysicalOffset(offset),
        };
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
