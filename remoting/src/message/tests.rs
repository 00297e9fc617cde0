//! Messages as RocketMQ 5.5.0 wrote them, read and written again.

use super::record::{Record, RecordVersion, Records, set_physical_offset, set_queue_offset, set_store_timestamp};
use super::{Message, flags::SysFlag, property_name};

const GOLDEN: &str = include_str!("../../tests/golden/records.txt");
const BODY_LIMIT: usize = 1 << 20;

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The columns and the record of each line.
fn golden() -> Vec<(Vec<&'static str>, Vec<u8>)> {
    let lines = GOLDEN.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns: Vec<_> = line.split(' ').collect();
            let record = unhex(columns.pop().unwrap());
            (columns, record)
        })
        .collect()
}

#[test]
fn golden_records_read_as_another_reader_read_them() {
    for (columns, bytes) in golden() {
        let record = Record::parse(&bytes).unwrap();
        let message = Message::from_record(&record, BODY_LIMIT).unwrap();
        let read = [
            message.topic.clone(),
            message.queue_id.to_string(),
            message.queue_offset.to_string(),
            message.physical_offset.to_string(),
            message.sys_flag.to_string(),
            message.born_host.to_string(),
            message.reconsume_times.to_string(),
            message.prepared_transaction_offset.to_string(),
            message.body.len().to_string(),
            crc32fast::hash(&message.body).to_string(),
            message.properties.len().to_string(),
        ];
        assert_eq!(read[..], columns[1..], "{}", columns[0]);
        assert_eq!(record.check_body_crc(), Ok(()), "{}", columns[0]);
        assert_eq!(message.store_size as usize, bytes.len());
        let unique_key = message.properties.get(property_name::UNIQ_KEY).map(str::to_owned);
        assert_eq!(message.id(), unique_key.unwrap_or_else(|| message.offset_id().to_string()));
    }
}

#[test]
fn golden_records_are_written_to_the_same_bytes() {
    for (columns, bytes) in golden() {
        let record = Record::parse(&bytes).unwrap();
        let mut written = Vec::new();
        record.to_fields().encode(&mut written).unwrap();
        set_queue_offset(&mut written, record.queue_offset());
        set_physical_offset(&mut written, record.physical_offset());
        set_store_timestamp(&mut written, record.store_timestamp());
        assert_eq!(written, bytes, "{}", columns[0]);
        let text = record.properties().as_str();
        assert_eq!(super::properties::PropertyMap::parse(text).encode(), text, "{}", columns[0]);
    }
}

#[test]
fn golden_records_follow_each_other() {
    let bytes: Vec<u8> = golden().into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(Records::new(&bytes).map(Result::unwrap).count(), golden().len());
}

/// The file is of use only while it holds all of these.
#[test]
fn golden_records_cover_the_layout() {
    let all = golden();
    let records: Vec<_> = all.iter().map(|(_, bytes)| Record::parse(bytes).unwrap()).collect();
    let has = |what: &str, test: &dyn Fn(&Record<'_>) -> bool| assert!(records.iter().any(test), "none has {what}");
    has("V2", &|record| record.version() == RecordVersion::V2);
    has("IPv6 on one side", &|record| record.born_host().is_ipv6() && record.store_host().is_ipv4());
    has("IPv6 on the other side", &|record| record.born_host().is_ipv4() && record.store_host().is_ipv6());
    for flag in [0x101, 0x201, 0x301, 0x8] {
        has(&format!("flag {flag:#x}"), &|record| record.sys_flag() == SysFlag(flag));
    }
    has("retries", &|record| record.reconsume_times() > 0 && record.topic().starts_with("%RETRY%"));
    has("a half message", &|record| record.prepared_transaction_offset() > 0);
    has("other letters", &|record| !record.properties().as_str().is_ascii());
    for name in [property_name::DELAY, property_name::TIMER_OUT_MS, property_name::TRANSACTION_CHECK_TIMES] {
        has(name, &|record| record.properties().get(name).is_some());
    }
}

#[test]
fn a_body_over_the_limit_is_an_error() {
    let all = golden();
    let compressed =
        all.iter().map(|(_, bytes)| Record::parse(bytes).unwrap()).find(|r| r.sys_flag().compression().is_some());
    assert!(Message::from_record(&compressed.unwrap(), 100).is_err());
}

/// This module is to be able to leave its crate: it may use names and offsets, and nothing else of it.
#[test]
fn messages_know_no_sibling() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/message");
    let mut folders = vec![root.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            // How many `super` lead from this file to `message` itself; one more leads out of it.
            let depth = path.strip_prefix(&root).unwrap().components().count();
            let depth = if path.ends_with("mod.rs") { depth - 1 } else { depth };
            let text = std::fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let place = format!("{}:{}", path.display(), number + 1);
                for used in line.split("crate::").skip(1) {
                    let name = used.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
                    // The empty name: this test itself, which holds the word in quotes.
                    let allowed = matches!(name, Some("names" | "offsets")) || used.starts_with('"');
                    assert!(allowed, "{place} uses {used}");
                }
                assert!(!line.contains(&"super::".repeat(depth + 1)), "{place} reaches out of its module");
            }
        }
    }
    assert!(files > 10, "only {files} files were looked at");
}
