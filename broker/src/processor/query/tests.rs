//! Tests of queries by key and by id, against a whole broker.

use boostermq_remoting::command::RemotingCommand;

use crate::clients::fixture::messages::{Sending, messages, number};
use crate::clients::fixture::{TestBroker, TestClient, request};

async fn query(client: &mut TestClient, topic: &str, key: &str, more: &[(&'static str, &str)]) -> RemotingCommand {
    let mut fields = vec![("topic", topic), ("key", key), ("maxNum", "64"), ("beginTimestamp", "0")];
    fields.push(("endTimestamp", "9000000000000"));
    fields.retain(|(name, _)| !more.iter().any(|(other, _)| name == other));
    fields.extend(more);
    client.ask(12, &fields, "").await
}

#[tokio::test]
async fn messages_are_found_by_any_of_their_keys_and_by_their_unique_key() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for (topic, keys, unique) in [("T", "k1 k2", "u1"), ("T", "k2", "u2"), ("U", "k1", "u3")] {
        let properties = [("KEYS", keys), ("UNIQ_KEY", unique)];
        client.store(&Sending { topic, properties: &properties, ..Sending::default() }).await;
    }
    broker.dispatched().await;
    let unique = [("_UNIQUE_KEY_QUERY", "true")];
    let past = [("endTimestamp", "1000")];
    let future = [("beginTimestamp", "8000000000000")];
    for (topic, key, more, expected) in [
        ("T", "k1", &[][..], &["u1"][..]),
        ("T", "k2", &[], &["u1", "u2"]),
        ("U", "k1", &[], &["u3"]),
        ("T", "k3", &[], &[]),
        ("Unknown", "k1", &[], &[]),
        ("T", "u2", &unique, &["u2"]),
        ("U", "u3", &unique, &["u3"]),
        ("T", "u3", &unique, &[]),
        ("T", "k1", &past, &[]),
        ("T", "k1", &future, &[]),
        ("T", "k2", &[("maxNum", "0")], &[]),
        ("T", "k2", &[("maxNum", "-1")], &[]),
    ] {
        let answer = query(&mut client, topic, key, more).await;
        let found = messages(&answer);
        let mut keys: Vec<_> = found.iter().map(|message| message.properties.get("UNIQ_KEY").unwrap()).collect();
        keys.sort_unstable();
        assert_eq!((answer.code, &keys[..]), (if expected.is_empty() { 22 } else { 0 }, expected), "{topic} {key}");
        assert!(number(&answer, "indexLastUpdateTimestamp") > 0);
        assert!(number(&answer, "indexLastUpdatePhyoffset") > 0);
    }
    assert_eq!(messages(&query(&mut client, "T", "k2", &[("maxNum", "1")]).await).len(), 1);
    // Whoever looks for a unique key gets it whatever number he names.
    let fields = [("maxNum", "0"), unique[0]];
    assert_eq!(messages(&query(&mut client, "T", "u1", &fields).await).len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn of_a_unique_key_so_many_are_found_as_the_broker_is_told() {
    let broker = TestBroker::start(&[("defaultQueryMaxNum", "2")]).await;
    let mut client = broker.connect().await;
    for _ in 0..3 {
        client.store(&Sending { properties: &[("UNIQ_KEY", "u")], ..Sending::default() }).await;
    }
    broker.dispatched().await;
    let found = query(&mut client, "T", "u", &[("_UNIQUE_KEY_QUERY", "true")]).await;
    assert_eq!(messages(&found).len(), 2);
    broker.stop().await;
}

#[tokio::test]
async fn a_message_is_seen_by_its_place_in_the_log_and_nothing_by_any_other() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for text in ["one", "two"] {
        client.store(&Sending { body: text.as_bytes(), ..Sending::default() }).await;
    }
    broker.dispatched().await;
    for stored in client.everything("T", 0).await {
        let offset = stored.physical_offset.to_string();
        let answer = client.ask(33, &[("offset", &offset)], "").await;
        assert_eq!((answer.code, messages(&answer)), (0, vec![stored]));
    }
    let end = broker.broker().store.max_physical_offset().0;
    for offset in [1, 5, end, end + 1, 1 << 40, i64::MAX, -1, i64::MIN] {
        let answer = client.ask_command(request(33, &[("offset", &offset.to_string())], b"")).await;
        assert_eq!((answer.code, answer.body.len()), (1, 0), "{offset}: {:?}", answer.remark);
    }
    broker.stop().await;
}
