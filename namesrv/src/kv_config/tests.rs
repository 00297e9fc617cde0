use super::*;

#[test]
fn a_change_is_on_disk_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("namesrv/kvConfig.json");
    let kv = KvConfig::open(&path).unwrap();
    assert!(!path.exists(), "opening writes nothing");
    kv.put(ORDER_TOPIC_CONFIG, "orders", "broker-a:4").unwrap();
    kv.put("N", "K", "väl\"ue").unwrap();
    kv.put("N", "gone", "x").unwrap();
    kv.delete("N", "gone").unwrap();
    kv.delete("absent", "gone").unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        r#"{"configTable":{"N":{"K":"väl\"ue"},"ORDER_TOPIC_CONFIG":{"orders":"broker-a:4"}}}"#
    );
    let again = KvConfig::open(&path).unwrap();
    assert_eq!(again.value("N", "K").as_deref(), Some("väl\"ue"));
    assert_eq!(again.value("N", "gone"), None);
    assert_eq!(again.namespace(ORDER_TOPIC_CONFIG).unwrap().len(), 1);
    assert_eq!(again.namespace("absent"), None);
}

#[test]
fn upstreams_file_is_read_and_a_broken_one_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kvConfig.json");
    for (text, value) in [
        ("{\n\t\"configTable\":{\"N\":{\"K\":\"V\"\n\t\t}\n\t}\n}", Some("V")),
        ("", None),
        (" \n", None),
        ("{}", None),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(KvConfig::open(&path).unwrap().value("N", "K").as_deref(), value, "{text:?}");
    }
    std::fs::write(&path, "{\"configTable\":{\"N\"").unwrap();
    assert!(matches!(KvConfig::open(&path), Err(KvConfigError::Parse { .. })));
    assert!(matches!(KvConfig::open(folder.path()), Err(KvConfigError::Read { .. })));
}

#[test]
fn a_change_that_cannot_be_written_or_is_too_large_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kvConfig.json");
    let kv = KvConfig::open(&path).unwrap();
    kv.put("N", "K", "old").unwrap();
    assert!(matches!(kv.put("N", "big", &"x".repeat(BYTES_MAX)), Err(KvConfigError::Full)));
    // The name of the file beside it is taken by a folder.
    std::fs::create_dir(folder.path().join("kvConfig.json.tmp")).unwrap();
    assert!(matches!(kv.put("N", "K", "new"), Err(KvConfigError::Write { .. })));
    assert_eq!(kv.value("N", "K").as_deref(), Some("old"));
    assert_eq!(kv.value("N", "big"), None);
}
