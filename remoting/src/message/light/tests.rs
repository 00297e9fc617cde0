use super::super::record::RecordFields;
use super::*;

#[test]
fn names_are_read_as_a_sender_means_them() {
    let of = |names: &[&'static str], refused| LightNames { names: names.to_vec(), refused };
    for (list, expected) in [
        ("%LMQ%a", of(&["%LMQ%a"], None)),
        ("%LMQ%a,%LMQ%b", of(&["%LMQ%a", "%LMQ%b"], None)),
        (",%LMQ%a,,%LMQ%b,", of(&["%LMQ%a", "%LMQ%b"], None)),
        ("%LMQ%a,%LMQ%b,%LMQ%a", of(&["%LMQ%a", "%LMQ%b"], None)),
        ("%LMQ%$p$c,%LMQ%a.b,%LMQ%..", of(&["%LMQ%$p$c", "%LMQ%a.b", "%LMQ%.."], None)),
        ("", of(&[], None)),
        (",,", of(&[], None)),
        ("other", of(&[], Some("other"))),
        (" %LMQ%a", of(&[], Some(" %LMQ%a"))),
        ("%LMQ%", of(&[], Some("%LMQ%"))),
        ("%LMQ%a,..,/", of(&["%LMQ%a"], Some(".."))),
        ("%LMQ%a/../../b", of(&[], Some("%LMQ%a/../../b"))),
        ("%LMQ%a\0", of(&[], Some("%LMQ%a\0"))),
        ("%LMQ%a\nb", of(&[], Some("%LMQ%a\nb"))),
    ] {
        assert_eq!(LightNames::parse(list), expected, "{list:?}");
    }
    let long = format!("%LMQ%{}", "x".repeat(251));
    assert_eq!(LightNames::parse(&long).refused, Some(long.as_str()));
    let thousand: String = (0..1000).map(|n| format!("%LMQ%{n},")).collect();
    assert_eq!(LightNames::parse(&thousand).names.len(), 1000);
}

#[test]
fn places_are_read_from_both_lists() {
    for (topic, names, offsets, expected) in [
        ("T", "%LMQ%a,%LMQ%b", "0,7", &[("%LMQ%a", 0), ("%LMQ%b", 7)][..]),
        ("%DLQ%g", "%LMQ%a", "1", &[("%LMQ%a", 1)]),
        // As a Java broker wrote it for a name that is not a light queue's: its dispatcher takes none of them.
        ("T", "%LMQ%a,other,", "5,", &[]),
        ("T", "%LMQ%a,other,%LMQ%b", "5,,6", &[("%LMQ%a", 5), ("%LMQ%b", 6)]),
        ("T", "%LMQ%a,%LMQ%b", "5", &[]),
        ("T", "%LMQ%a", "-1", &[]),
        ("T", "%LMQ%a", "9999999999999999999", &[]),
        ("T", "%LMQ%a/b,x", "1,2", &[]),
        ("%RETRY%g", "%LMQ%a", "1", &[]),
        ("rmq_sys_wheel_timer", "%LMQ%a", "1", &[]),
        ("SCHEDULE_TOPIC_XXXX", "%LMQ%a", "1", &[]),
    ] {
        let properties = format!("INNER_MULTI_DISPATCH\x01{names}\x02INNER_MULTI_QUEUE_OFFSET\x01{offsets}\x02");
        let bytes = record(topic, &properties);
        let record = Record::parse(&bytes).unwrap();
        let found: Vec<_> = record.light_places().map(|(name, offset)| (name, offset.0)).collect();
        assert_eq!(found, expected, "{topic} {names} {offsets}");
        for (name, offset) in expected {
            assert!(record.has_place(name, LIGHT_QUEUE, QueueOffset(*offset)));
            assert!(!record.has_place(name, LIGHT_QUEUE, QueueOffset(offset + 1)));
            assert!(!record.has_place(name, QueueId(1), QueueOffset(*offset)));
            assert_eq!(record.offset_in(name, LIGHT_QUEUE), Some(QueueOffset(*offset)));
        }
        assert!(record.has_place(topic, QueueId(3), QueueOffset(0)));
        assert_eq!(record.offset_in("%LMQ%none", LIGHT_QUEUE), None);
    }
}

fn record(topic: &str, properties: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let host = "127.0.0.1:10911".parse().unwrap();
    let plain = RecordFields::plain(topic, QueueId(3), host, b"hi");
    let fields = RecordFields { properties: properties.as_bytes(), ..plain };
    fields.encode(&mut bytes).unwrap();
    bytes
}
