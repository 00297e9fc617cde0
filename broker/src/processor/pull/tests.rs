//! Tests of pulls that are answered at once, against a whole broker.

use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::frame::HeaderCodec;
use boostermq_remoting::header::FLAG_ONE_WAY;
use boostermq_remoting::names::Group;

use super::*;
use crate::clients::fixture::messages::{COMMIT, Pulling, SUBSCRIPTION, SUSPEND, Sending, batch, bodies, number};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

const PLACES: [&str; 4] = ["suggestWhichBrokerId", "nextBeginOffset", "minOffset", "maxOffset"];

async fn set(client: &mut TestClient, settings: &str) {
    client.ask_ok(25, &[], settings).await;
}

#[tokio::test]
async fn every_refusal_has_its_code_and_says_who_forbids() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let state = broker.broker();
    for topic in ["T", "U"] {
        client.store(&Sending { topic, ..Sending::default() }).await;
    }
    state.topics.put(vec![(Topic::parse("Closed").unwrap(), TopicConfig::new("Closed", 1, 2))]).unwrap();
    let group = |name: &str| (*state.groups.find_or_create(name).unwrap()).clone();
    let put = |config: SubscriptionGroupConfig| {
        state.groups.put(vec![(Group::parse(&config.group_name).unwrap(), config)]).unwrap();
    };
    put(SubscriptionGroupConfig { consume_enable: false, ..group("stopped") });
    put(SubscriptionGroupConfig { consume_broadcast_enable: false, ..group("loud") });
    for (name, model, topics) in
        [("loud", "BROADCASTING", &["T"][..]), ("barred", "CLUSTERING", &["T"]), ("member", "CLUSTERING", &["T"])]
    {
        client.ask_ok(34, &[], &heartbeat("c", name, model, topics)).await;
    }
    state.groups.set_may_read("barred", "T", false).unwrap();
    let own = Pulling::default();
    let groups = |group, topic| Pulling { group, topic, flags: 0, version: 1, ..Pulling::default() };
    let huge = "a||".repeat(5000);
    for (what, code, forbidden, pulling) in [
        ("a stopped group", 16, Some("2"), Pulling { group: "stopped", ..own.clone() }),
        ("an unknown topic", 17, None, Pulling { topic: "Unknown", ..own.clone() }),
        ("a topic nobody may read", 16, Some("3"), Pulling { topic: "Closed", ..own.clone() }),
        ("no queue", 29, None, Pulling { queue_id: -1, ..own.clone() }),
        ("a queue too many", 29, None, Pulling { queue_id: 4, ..own.clone() }),
        ("the last queue of all", 29, None, Pulling { queue_id: i32::MAX, ..own.clone() }),
        ("no tag", 23, None, Pulling { expression: "||", ..own.clone() }),
        ("too many tags", 23, None, Pulling { expression: &huge, ..own.clone() }),
        ("another language", 1, None, Pulling { expression_type: "SQL92", expression: "a > 5", ..own.clone() }),
        ("a group without members", 24, None, groups("absent", "T")),
        ("a topic not subscribed", 24, None, groups("member", "U")),
        ("a newer subscription", 25, None, Pulling { version: 2, ..groups("member", "T") }),
        ("broadcasting", 16, Some("4"), groups("loud", "T")),
        ("a topic barred to the group", 16, Some("5"), groups("barred", "T")),
        ("a group that cannot be", 26, None, Pulling { group: "a b", ..own.clone() }),
        ("no group", 26, None, Pulling { group: "", ..own.clone() }),
    ] {
        for code_sent in [11, 361] {
            let answer = client.pull(&Pulling { code: code_sent, ..pulling.clone() }).await;
            assert_eq!((answer.code, answer.field("forbiddenType")), (code, forbidden), "{what}: {:?}", answer.remark);
            assert!(answer.remark.is_some_and(|remark| !remark.is_empty()) && answer.body.is_empty(), "{what}");
        }
    }
    assert_eq!(client.pull(&groups("member", "T")).await.code, 0);
    assert_eq!(client.pull(&Pulling { version: 0, ..groups("member", "T") }).await.code, 0);
    broker.stop().await;
}

#[tokio::test]
async fn switches_of_the_operator_refuse_pulls() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    broker.dispatched().await;
    let fresh = Pulling { group: "fresh", ..Pulling::default() };
    let lite = Pulling { code: 361, ..Pulling::default() };
    for (off, on, pulling, code, forbidden) in [
        ("brokerPermission=2", "brokerPermission=6", &lite, 16, Some("1")),
        ("litePullMessageEnable=false", "litePullMessageEnable=true", &lite, 16, None),
        ("autoCreateSubscriptionGroup=false", "autoCreateSubscriptionGroup=true", &fresh, 26, None),
        ("rejectPullConsumerEnable=true", "rejectPullConsumerEnable=false", &lite, 24, None),
    ] {
        set(&mut client, off).await;
        let answer = client.pull(pulling).await;
        assert_eq!((answer.code, answer.field("forbiddenType")), (code, forbidden), "{off}: {:?}", answer.remark);
        set(&mut client, on).await;
        assert_eq!(client.pull(pulling).await.code, 0, "{on}");
    }
    // Members of a group that is pushed to, and the tools, pull on.
    set(&mut client, "rejectPullConsumerEnable=true").await;
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    for group in ["g", "TOOLS_CONSUMER"] {
        assert_eq!(client.pull(&Pulling { group, ..Pulling::default() }).await.code, 0, "{group}");
    }
    broker.stop().await;
}

/// Whether it could wait or not: what is not to be waited for is answered at once.
#[tokio::test]
async fn every_end_of_a_read_has_its_code_and_all_four_places() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for text in ["0", "1", "2"] {
        client.store(&Sending { body: text.as_bytes(), properties: &[("TAGS", "A")], ..Sending::default() }).await;
    }
    broker.dispatched().await;
    let at = |offset| Pulling { offset, ..Pulling::default() };
    let never = |offset| Pulling { queue_id: 3, ..at(offset) };
    let filtered = |offset| Pulling { expression: "B || C", ..at(offset) };
    for (what, pulling, code, remark, places) in [
        ("found", at(0), 0, "FOUND", [0, 3, 0, 3]),
        ("found in part", Pulling { max_messages: 2, ..at(1) }, 0, "FOUND", [0, 3, 0, 3]),
        ("one at a time", Pulling { max_messages: 1, ..at(1) }, 0, "FOUND", [0, 2, 0, 3]),
        ("less than one at a time", Pulling { max_messages: -5, ..at(0) }, 0, "FOUND", [0, 1, 0, 3]),
        ("the end", at(3), 19, "OFFSET_OVERFLOW_ONE", [0, 3, 0, 3]),
        ("the end, filtered", filtered(3), 19, "OFFSET_OVERFLOW_ONE", [0, 3, 0, 3]),
        ("past the end", at(4), 21, "OFFSET_OVERFLOW_BADLY", [0, 3, 0, 3]),
        ("far past the end", at(i64::MAX), 21, "OFFSET_OVERFLOW_BADLY", [0, 3, 0, 3]),
        ("before the first", at(-1), 21, "OFFSET_TOO_SMALL", [0, 0, 0, 3]),
        ("nothing wanted", filtered(1), 20, "NO_MATCHED_MESSAGE", [0, 3, 0, 3]),
        ("never written", never(0), 19, "NO_MATCHED_LOGIC_QUEUE", [0, 0, 0, 0]),
        ("never written, elsewhere", never(5), 21, "NO_MATCHED_LOGIC_QUEUE", [0, 0, 0, 0]),
    ] {
        for flags in [SUBSCRIPTION, SUBSCRIPTION | SUSPEND] {
            if code == 19 && flags & SUSPEND != 0 {
                continue;
            }
            for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
                let command = Pulling { flags, ..pulling.clone() }.request();
                let answer = client.ask_command(RemotingCommand { codec, ..command }).await;
                assert_eq!((answer.code, answer.remark.as_deref()), (code, Some(remark)), "{what}");
                assert_eq!(PLACES.map(|name| number(&answer, name)), places, "{what}");
                assert_eq!(["topicSysFlag", "groupSysFlag"].map(|name| number(&answer, name)), [0, 0], "{what}");
                assert_eq!(answer.body.is_empty(), code != 0, "{what}");
                assert_eq!(answer.field("offsetDelta"), None);
            }
        }
    }
    assert_eq!(bodies(&client.pull(&Pulling { max_messages: 1, ..at(1) }).await), ["1"]);
    assert_eq!(broker.broker().holds.count(), 0);
    broker.stop().await;
}

#[tokio::test]
async fn one_answer_holds_so_many_messages_and_so_many_bytes_but_at_least_one() {
    let broker = TestBroker::start(&[("mappedFileSizeCommitLog", "4194304")]).await;
    let mut client = broker.connect().await;
    for (topic, size, count, expected) in [("Small", 10, 40, 32), ("Middle", 100_000, 5, 2), ("Large", 400_000, 2, 1)] {
        let body = vec![b'x'; size];
        for _ in 0..count {
            client.store(&Sending { topic, body: &body, ..Sending::default() }).await;
        }
        broker.dispatched().await;
        let answer = client.pull(&Pulling { topic, max_messages: 64, ..Pulling::default() }).await;
        assert_eq!((bodies(&answer).len(), number(&answer, "nextBeginOffset")), (expected, expected as i64), "{topic}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_picky_pull_moves_on_until_it_finds_its_message() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let other: (&str, &[(&str, &str)]) = ("other", &[("TAGS", "B")]);
    let body = batch(&[other; 500]);
    for _ in 0..4 {
        client.store(&Sending { code: 320, is_batch: true, body: &body, ..Sending::default() }).await;
    }
    client.store(&Sending { body: b"mine", properties: &[("TAGS", "A")], ..Sending::default() }).await;
    broker.dispatched().await;
    let (mut offset, mut steps) = (0, 0);
    loop {
        let answer = client.pull(&Pulling { offset, expression: "A", ..Pulling::default() }).await;
        let next = number(&answer, "nextBeginOffset");
        assert!(next > offset, "{answer:?}");
        offset = next;
        if answer.code == 0 {
            assert_eq!((bodies(&answer), next), (vec!["mine".to_owned()], 2001));
            break;
        }
        assert_eq!(answer.code, 20);
        steps += 1;
    }
    assert!((2..10).contains(&steps), "{steps}");
    broker.stop().await;
}

#[tokio::test]
async fn tags_with_one_hash_both_pass_and_the_client_tells_them_apart() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for tag in ["Aa", "BB", "C"] {
        let properties = [("TAGS", tag)];
        client.store(&Sending { body: tag.as_bytes(), properties: &properties, ..Sending::default() }).await;
    }
    broker.dispatched().await;
    let answer = client.pull(&Pulling { expression: " Aa ", ..Pulling::default() }).await;
    assert_eq!(bodies(&answer), ["Aa", "BB"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_pull_commits_whatever_comes_of_it_unless_it_is_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    broker.dispatched().await;
    let commit =
        |commit_offset, offset| Pulling { flags: SUBSCRIPTION | COMMIT, commit_offset, offset, ..Pulling::default() };
    let refused = Pulling { expression: "||", ..commit(9, 0) };
    let silent = Pulling { flags: SUBSCRIPTION, ..commit(9, 0) };
    for (pulling, code, committed) in [
        (commit(7, 0), 0, 7),
        (commit(3, 1), 19, 3),
        (commit(5, 99), 21, 5),
        (refused, 23, 5),
        (silent, 0, 5),
        (Pulling { flags: SUBSCRIPTION | COMMIT | SUSPEND, ..commit(6, 0) }, 0, 6),
    ] {
        assert_eq!(client.pull(&pulling).await.code, code);
        let fields = [("consumerGroup", "g"), ("topic", "T"), ("queueId", "0")];
        let answer = client.ask(14, &fields, "").await;
        assert_eq!((answer.code, number(&answer, "offset")), (0, committed));
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_group_that_was_reset_is_sent_to_its_new_offset_once() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for _ in 0..5 {
        client.store(&Sending::default()).await;
    }
    broker.dispatched().await;
    broker.broker().offsets.reset("g", "T", QueueId(0), 2);
    let answer = client.pull(&Pulling { offset: 5, flags: SUBSCRIPTION | SUSPEND, ..Pulling::default() }).await;
    assert_eq!((answer.code, answer.remark.as_deref()), (21, Some("OFFSET_RESET")));
    assert_eq!(PLACES.map(|name| number(&answer, name)), [0, 2, 0, 5]);
    let answer = client.pull(&Pulling { offset: 2, ..Pulling::default() }).await;
    assert_eq!((answer.code, bodies(&answer).len()), (0, 3));
    broker.stop().await;
}

#[tokio::test]
async fn a_changed_topic_or_group_is_seen_by_a_connection_that_pulled() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    broker.dispatched().await;
    let state = broker.broker();
    assert_eq!(client.pull(&Pulling::default()).await.code, 0);
    let config = (*state.groups.find("g").unwrap()).clone();
    for (enabled, code) in [(false, 16), (true, 0)] {
        let config = SubscriptionGroupConfig { consume_enable: enabled, ..config.clone() };
        state.groups.put(vec![(Group::parse("g").unwrap(), config)]).unwrap();
        assert_eq!(client.pull(&Pulling::default()).await.code, code);
    }
    state.topics.delete("T").unwrap();
    assert_eq!(client.pull(&Pulling::default()).await.code, 17);
    broker.stop().await;
}

#[tokio::test]
async fn pulls_by_the_fast_port_are_not_served_and_one_way_ones_not_answered() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    broker.dispatched().await;
    let mut one_way = Pulling::default().request();
    one_way.flag |= FLAG_ONE_WAY;
    let mut held = Pulling { offset: 1, flags: SUBSCRIPTION | SUSPEND, suspend_ms: 0, ..Pulling::default() }.request();
    held.flag |= FLAG_ONE_WAY;
    client.put(&mut [&mut one_way, &mut held]).await;
    assert_eq!(client.pull(&Pulling::default()).await.code, 0);
    let mut fast = broker.connect_fast().await;
    for code in [11, 361] {
        assert_eq!(fast.pull(&Pulling { code, ..Pulling::default() }).await.code, 3);
    }
    broker.stop().await;
}
