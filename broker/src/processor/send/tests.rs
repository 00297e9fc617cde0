//! Tests of sends, against a whole broker.

use boostermq_remoting::code::version;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::frame::HeaderCodec;
use boostermq_remoting::header::FLAG_ONE_WAY;
use boostermq_remoting::message::id::OffsetMessageId;
use boostermq_remoting::names::Group;

use super::checks::NOT_SENDABLE;
use super::seen::SeenProperties;
use super::*;
use crate::clients::fixture::messages::{Sending, batch, messages, number};
use crate::clients::fixture::{TestBroker, TestClient, request};

/// Changes settings as an operator does.
async fn set(client: &mut TestClient, settings: &str) {
    client.ask_ok(25, &[], settings).await;
}

/// A request that always succeeds, to see what has been answered before it.
fn marker() -> RemotingCommand {
    request(30, &[("topic", "T"), ("queueId", "0")], b"")
}

async fn refused(client: &mut TestClient, command: RemotingCommand, code: i32, what: &str) {
    let answer = client.ask_command(command).await;
    assert_eq!(answer.code, code, "{what}: {:?}", answer.remark);
    assert!(answer.remark.as_deref().is_some_and(|remark| !remark.is_empty()), "{what}");
    let fields = (answer.field("MSG_REGION"), answer.field("TRACE_ON"), answer.field("msgId"));
    assert_eq!(fields, (Some("DefaultRegion"), Some("true"), None), "{what}");
}

#[tokio::test]
async fn every_refusal_has_its_code_and_says_where_and_whether_to_trace() {
    let broker = TestBroker::start(&[("maxMessageSize", "10000")]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    let plain = Sending::default();
    let (long, longest) = ("a".repeat(128), format!("%RETRY%{}", "a".repeat(249)));
    let (large, many) = (vec![b'x'; 10_001], "v".repeat(32_700));
    let good = batch(&[("one", &[]), ("two", &[])]);
    let cut = &good[..good.len() - 1];
    let mut negative = good.clone();
    negative[16..20].copy_from_slice(&(-1_i32).to_be_bytes());
    let mut huge = good.clone();
    huge[16..20].copy_from_slice(&i32::MAX.to_be_bytes());
    let (delayed, half) = (batch(&[("a", &[]), ("b", &[("DELAY", "3")])]), batch(&[("a", &[("TRAN_MSG", "true")])]));
    let heavy = [("k", many.as_str())];
    let batched = |body| Sending { code: 320, is_batch: true, body, ..Sending::default() };
    let mut table = vec![
        ("a blank topic", 29, Sending { topic: " ", ..plain.clone() }),
        ("a letter that none may have", 29, Sending { topic: "a/../b", ..plain.clone() }),
        ("a long topic", 29, Sending { topic: &long, ..plain.clone() }),
        ("a long retry topic", 29, Sending { topic: &longest, ..plain.clone() }),
        ("a queue too many", 29, Sending { queue_id: 4, ..plain.clone() }),
        ("the last queue of all", 29, Sending { queue_id: i32::MAX, ..plain.clone() }),
        ("a large body", 13, Sending { body: &large, ..plain.clone() }),
        ("long properties", 13, Sending { properties: &heavy, ..plain.clone() }),
        ("a batch to be retried", 13, Sending { topic: "%RETRY%g", ..batched(&good) }),
        ("a batch that ends early", 13, batched(cut)),
        ("a batch with a negative length", 13, batched(&negative)),
        ("a batch with an immense length", 13, batched(&huge)),
        ("a batch of nothing", 13, batched(b"")),
        ("a batch that is none", 13, batched(b"hello")),
        ("a batch with a delay", 13, batched(&delayed)),
        ("a batch with a half message", 13, batched(&half)),
        ("a timer too far ahead", 13, Sending { properties: &[("TIMER_DELAY_SEC", "259202")], ..plain.clone() }),
        ("a timer that is no number", 13, Sending { properties: &[("TIMER_DELAY_MS", "soon")], ..plain.clone() }),
        ("an unknown template", 17, Sending { topic: "New", template: "Nothing", ..plain.clone() }),
        ("no template", 17, Sending { topic: "New", template: "", ..plain.clone() }),
        ("a template that none may inherit", 17, Sending { topic: "New", template: "T", ..plain.clone() }),
        ("records of pops", 16, Sending { topic: "rmq_sys_REVIVE_LOG_DefaultCluster", ..plain.clone() }),
        ("dead letters of nobody", 17, Sending { topic: "%DLQ%nobody", template: "", ..plain.clone() }),
    ];
    table.extend(NOT_SENDABLE.map(|topic| (topic, 16, Sending { topic, ..plain.clone() })));
    for (what, code, sending) in table {
        for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
            refused(&mut client, RemotingCommand { codec, ..sending.request() }, code, what).await;
        }
    }
    // The binary header cannot tell an empty text from none.
    for (codec, code) in [(HeaderCodec::Json, 29), (HeaderCodec::Binary, 1)] {
        let command = Sending { topic: "", ..plain.clone() }.request();
        refused(&mut client, RemotingCommand { codec, ..command }, code, "no topic").await;
    }
    refused(&mut client, request(310, &[("a", "p"), ("b", "T")], b"x"), 1, "missing fields").await;
    refused(&mut client, request(10, &[], b"x"), 1, "no fields").await;
    assert_eq!(client.everything("T", 0).await.len(), 1, "nothing refused was stored");
    broker.stop().await;
}

#[tokio::test]
async fn switches_of_the_operator_refuse_sends() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    let ordered = Topic::parse("Ordered").unwrap();
    let config = TopicConfig { order: true, ..TopicConfig::new("Ordered", 1, 6) };
    broker.broker().topics.put(vec![(ordered, config)]).unwrap();
    for (off, on, sending, code) in [
        ("autoCreateTopicEnable=false", "autoCreateTopicEnable=true", Sending { topic: "N", ..Sending::default() }, 17),
        (
            "autoCreateSubscriptionGroup=false",
            "autoCreateSubscriptionGroup=true",
            Sending { topic: "%RETRY%g", ..Sending::default() },
            26,
        ),
        ("startAcceptSendRequestTimeStamp=9000000000000", "startAcceptSendRequestTimeStamp=0", Sending::default(), 1),
        ("brokerPermission=4", "brokerPermission=6", Sending { topic: "Ordered", ..Sending::default() }, 16),
    ] {
        set(&mut client, off).await;
        refused(&mut client, sending.request(), code, off).await;
        set(&mut client, on).await;
        client.store(&sending).await;
    }
    set(&mut client, "brokerPermission=4").await;
    client.store(&Sending::default()).await;
    set(&mut client, "regionId=North").await;
    set(&mut client, "traceOn=false").await;
    for sending in [Sending::default(), Sending { queue_id: 99, ..Sending::default() }] {
        let answer = client.ask_command(sending.request()).await;
        assert_eq!((answer.field("MSG_REGION"), answer.field("TRACE_ON")), (Some("North"), Some("false")));
    }
    broker.broker().store.set_writeable(false);
    let answer = client.ask_command(Sending::default().request()).await;
    assert_eq!((answer.code, answer.field("MSG_REGION")), (14, Some("North")));
    broker.broker().store.set_writeable(true);
    client.store(&Sending::default()).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_stored_send_is_answered_with_its_place_and_kept_with_its_origin() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let mut offset = 0;
    for code in [10, 310] {
        for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
            let properties = [("TAGS", "A"), ("POP_CK", "forged"), ("CLUSTER", "forged")];
            let sending = Sending { code, queue_id: 1, properties: &properties, body: b"hello", ..Sending::default() };
            let answer = client.ask_command(RemotingCommand { codec, ..sending.request() }).await;
            assert_eq!((answer.code, answer.codec), (0, codec), "{:?}", answer.remark);
            assert_eq!((number(&answer, "queueId"), number(&answer, "queueOffset")), (1, offset));
            assert_eq!((answer.field("MSG_REGION"), answer.field("TRACE_ON")), (Some("DefaultRegion"), Some("true")));
            assert_eq!((answer.field("batchUniqId"), answer.field("recallHandle")), (None, None));

            let stored = client.wait_for("T", 1, offset).await.remove(0);
            let property = |name| stored.properties.get(name);
            assert_eq!(answer.field("msgId"), Some(stored.offset_id().to_string().as_str()));
            assert_eq!(stored.store_host, broker.address());
            assert_eq!(answer.field("transactionId"), property("UNIQ_KEY"));
            assert_eq!((stored.topic.as_str(), stored.queue_id, stored.queue_offset.0), ("T", QueueId(1), offset));
            assert_eq!((stored.flag, stored.born_timestamp, &stored.body[..]), (7, 1_700_000_000_000, &b"hello"[..]));
            assert_eq!((property("TAGS"), property("POP_CK")), (Some("A"), None));
            assert_eq!((property("CLUSTER"), property("TRACE_ON")), (Some("DefaultCluster"), Some("true")));
            assert_eq!(property("MSG_REGION"), Some("DefaultRegion"));
            offset += 1;
        }
    }
    let own = Sending { properties: &[("UNIQ_KEY", "mine")], ..Sending::default() };
    assert_eq!(client.store(&own).await.field("transactionId"), Some("mine"));
    broker.stop().await;
}

#[tokio::test]
async fn the_sends_of_one_read_keep_their_order_and_a_refused_one_harms_no_other() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending { body: b"0", ..Sending::default() }).await;
    let three = batch(&[("3", &[]), ("4", &[("TAGS", "A")]), ("5", &[])]);
    let cut = batch(&[("lost", &[]), ("lost", &[])]);
    let send = |body| Sending { body, ..Sending::default() };
    let pieces = Sending { code: 320, is_batch: true, ..send(&three) };
    let mut one_way = send(b"6").request();
    one_way.flag |= FLAG_ONE_WAY;
    let mut refused_one_way = Sending { queue_id: 9, ..send(b"lost") }.request();
    refused_one_way.flag |= FLAG_ONE_WAY;
    let mut commands = [
        Sending { code: 10, ..send(b"1") }.request(),
        Sending { queue_id: 9, ..send(b"lost") }.request(),
        send(b"2").request(),
        Sending { code: 320, is_batch: true, ..send(&cut[..cut.len() - 3]) }.request(),
        pieces.request(),
        one_way,
        refused_one_way,
        Sending { queue_id: 1, ..send(b"other") }.request(),
        Sending { topic: "U", ..send(b"another") }.request(),
        send(b"7").request(),
        marker(),
    ];
    let last = client.put(&mut commands.iter_mut().collect::<Vec<_>>()).await;
    let first = last - commands.len() as i32 + 1;
    let mut answers = std::collections::BTreeMap::new();
    for _ in 0..commands.len() - 2 {
        let answer = client.next_answer().await;
        let place = answer.field("queueOffset").map(|offset| offset.parse::<i64>().unwrap());
        let ids = answer.field("msgId").map(|ids| ids.split(',').count());
        assert!(answers.insert(answer.opaque - first, (answer.code, place, ids)).is_none(), "answered twice");
    }
    let expected = [
        (0, (0, Some(1), Some(1))),
        (1, (29, None, None)),
        (2, (0, Some(2), Some(1))),
        (3, (13, None, None)),
        (4, (0, Some(3), Some(3))),
        (7, (0, Some(0), Some(1))),
        (8, (0, Some(0), Some(1))),
        (9, (0, Some(7), Some(1))),
        (10, (0, None, None)),
    ];
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), expected);
    broker.dispatched().await;
    let stored = client.everything("T", 0).await;
    let bodies: Vec<_> = stored.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert!(stored.is_sorted_by_key(|message| message.physical_offset));
    assert_eq!(stored.iter().map(|message| message.queue_offset.0).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    broker.stop().await;
}

#[tokio::test]
async fn a_batch_names_every_message_and_keeps_their_properties_as_they_were() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let body = batch(&[("one", &[("UNIQ_KEY", "u1"), ("TAGS", "A")]), ("two", &[("UNIQ_KEY", "u2")])]);
    let properties = [("UNIQ_KEY", "all")];
    let sending =
        Sending { code: 320, is_batch: true, body: &body, properties: &properties, queue_id: 2, ..Sending::default() };
    let answer = client.store(&sending).await;
    assert_eq!((answer.field("transactionId"), number(&answer, "queueId")), (Some("all"), 2));
    broker.dispatched().await;
    let stored = client.everything("T", 2).await;
    let ids: Vec<_> = stored.iter().map(|message| message.offset_id().to_string()).collect();
    assert_eq!(answer.field("msgId").unwrap().split(',').collect::<Vec<_>>(), ids);
    let seen: Vec<_> = stored.iter().map(|message| (&message.body[..], message.flag, message.tags())).collect();
    assert_eq!(seen, [(&b"one"[..], 3, Some("A")), (&b"two"[..], 3, None)]);
    assert_eq!(stored[1].properties.iter().collect::<Vec<_>>(), [("UNIQ_KEY", "u2")]);
    // Go gives the batch no key of its own.
    let answer = client.store(&Sending { properties: &[], ..sending }).await;
    assert_eq!((answer.field("transactionId"), number(&answer, "queueOffset")), (None, 2));
    broker.stop().await;
}

#[tokio::test]
async fn queues_of_a_topic_made_by_a_send_are_the_smaller_of_two_wishes() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for (topic, asked, made) in [("A", 2, 2), ("B", 4, 4), ("C", 100, 8), ("D", 0, 1), ("E", -1, 1)] {
        client.store(&Sending { topic, queues: asked, ..Sending::default() }).await;
        let config = broker.broker().topics.find(topic).unwrap();
        assert_eq!((config.read_queue_nums, config.write_queue_nums, config.perm), (made, made, 6), "{asked}");
    }
    client.store(&Sending { topic: "%RETRY%g", template: "", ..Sending::default() }).await;
    let config = broker.broker().topics.find("%RETRY%g").unwrap();
    assert_eq!((config.read_queue_nums, config.write_queue_nums, config.perm), (1, 1, 6));
    broker.stop().await;
}

#[tokio::test]
async fn the_broker_picks_a_writable_queue_where_the_client_does_not() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let config = TopicConfig { read_queue_nums: 4, ..TopicConfig::new("Wide", 2, 6) };
    broker.broker().topics.put(vec![(Topic::parse("Wide").unwrap(), config)]).unwrap();
    for queue_id in [-1, -7, i32::MIN] {
        let answer = client.store(&Sending { topic: "Wide", queue_id, ..Sending::default() }).await;
        let picked = number(&answer, "queueId");
        assert!((0..2).contains(&picked), "{picked}");
        broker.dispatched().await;
        let stored = client.everything("Wide", picked as i32).await;
        assert_eq!(stored.last().unwrap().offset_id().to_string(), answer.field("msgId").unwrap());
    }
    // A queue that can be read but is not written by clients is taken none the less (RocketMQ 5.5.0).
    client.store(&Sending { topic: "Wide", queue_id: 3, ..Sending::default() }).await;
    refused(&mut client, Sending { topic: "Wide", queue_id: 4, ..Sending::default() }.request(), 29, "past both").await;
    broker.stop().await;
}

#[tokio::test]
async fn a_changed_topic_is_seen_by_a_connection_that_sent_to_it() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending { queue_id: 3, ..Sending::default() }).await;
    let topic = Topic::parse("T").unwrap();
    broker.broker().topics.put(vec![(topic.clone(), TopicConfig::new("T", 1, 6))]).unwrap();
    refused(&mut client, Sending { queue_id: 3, ..Sending::default() }.request(), 29, "fewer queues").await;
    broker.broker().topics.put(vec![(topic, TopicConfig::new("T", 9, 6))]).unwrap();
    client.store(&Sending { queue_id: 8, ..Sending::default() }).await;
    set(&mut client, "autoCreateTopicEnable=false").await;
    broker.broker().topics.delete("T").unwrap();
    refused(&mut client, Sending::default().request(), 17, "deleted").await;
    broker.stop().await;
}

#[tokio::test]
async fn answers_wait_for_the_disk_where_the_broker_promises_it() {
    let broker = TestBroker::start(&[("flushDiskType", "SYNC_FLUSH")]).await;
    let mut client = broker.connect().await;
    for _ in 0..5 {
        let answer = client.store(&Sending::default()).await;
        let id: OffsetMessageId = answer.field("msgId").unwrap().parse().unwrap();
        assert!(broker.broker().store.flushed_offset() > id.physical_offset);
    }
    let unhurried = [("WAIT", "false")];
    let body = batch(&[("a", &[]), ("b", &[])]);
    let mut commands = [
        Sending::default().request(),
        Sending { properties: &unhurried, ..Sending::default() }.request(),
        Sending { code: 320, is_batch: true, body: &body, ..Sending::default() }.request(),
        Sending { queue_id: 77, ..Sending::default() }.request(),
        Sending { properties: &[("DELAY", "18")], ..Sending::default() }.request(),
    ];
    let last = client.put(&mut commands.iter_mut().collect::<Vec<_>>()).await;
    let mut codes = std::collections::BTreeMap::new();
    for _ in 0..commands.len() {
        let answer = client.next_answer().await;
        codes.insert(last - answer.opaque, answer.code);
    }
    assert_eq!(codes.into_values().collect::<Vec<_>>(), [0, 29, 0, 0, 0]);
    broker.dispatched().await;
    assert_eq!(client.everything("T", 0).await.len(), 9);
    // Held pulls are woken by messages that are on disk.
    let mut producer = broker.connect().await;
    producer.store(&Sending::default()).await;
    assert_eq!(client.wait_for("T", 0, 9).await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn what_is_given_back_too_often_by_a_send_goes_to_the_dead_letters() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let mut group = (*broker.broker().groups.find_or_create("g").unwrap()).clone();
    group.retry_max_times = 5;
    broker.broker().groups.put(vec![(Group::parse("g").unwrap(), group)]).unwrap();
    let (retry, dead) = ("%RETRY%g", "%DLQ%g");
    let given_back =
        |reconsume_times| Sending { topic: retry, max_reconsume_times: 2, reconsume_times, ..Sending::default() };
    let mut old = given_back(5).request();
    old.version = version::V3_4_9 - 1;
    let mut old_and_spent = given_back(6).request();
    old_and_spent.version = version::V3_4_9 - 1;
    let (mut in_retry, mut in_dead) = (0, 0);
    for (what, command, is_dead) in [
        ("at its maximum", given_back(2).request(), false),
        ("over its maximum", given_back(3).request(), true),
        ("from a client whose maximum does not count", old, false),
        ("over the group's maximum", old_and_spent, true),
    ] {
        let answer = client.ask_command(command).await;
        assert_eq!(answer.code, 0, "{what}: {:?}", answer.remark);
        let (topic, count) = if is_dead { (dead, &mut in_dead) } else { (retry, &mut in_retry) };
        assert_eq!(number(&answer, "queueOffset"), *count, "{what}");
        *count += 1;
        let stored = client.wait_for(topic, 0, *count - 1).await.remove(0);
        assert_eq!(stored.offset_id().to_string(), answer.field("msgId").unwrap(), "{what}");
    }
    // An orderly consumer gives up at the maximum, and holds locks while it does.
    let queues = r#"{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"b","queueId":0,"topic":"T"}]}"#;
    client.ask_ok(41, &[], queues).await;
    client.store(&given_back(1)).await;
    let delayed = [("DELAY", "5"), ("RETRY_TOPIC", "T"), ("ORIGIN_MESSAGE_ID", "first")];
    let answer = client.store(&Sending { properties: &delayed, ..given_back(2) }).await;
    assert_eq!(number(&answer, "queueOffset"), in_dead);
    let stored = client.wait_for(dead, 0, in_dead).await.remove(0);
    let property = |name| stored.properties.get(name);
    assert_eq!((property("DELAY"), property("RETRY_TOPIC"), property("REAL_TOPIC")), (Some("-1"), Some("T"), None));
    assert_eq!((property("DLQ_ORIGIN_TOPIC"), property("DLQ_ORIGIN_MESSAGE_ID")), (Some("T"), Some("first")));
    assert_eq!((stored.topic.as_str(), stored.reconsume_times), (dead, 2));
    let config = broker.broker().topics.find(dead).unwrap();
    assert_eq!((config.read_queue_nums, config.write_queue_nums, config.perm), (1, 1, 6));
    broker.stop().await;
}

#[tokio::test]
async fn the_fast_port_takes_sends() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect_fast().await;
    client.store(&Sending::default()).await;
    broker.stop().await;
}

#[tokio::test]
async fn much_more_than_one_append_holds_is_stored_in_order() {
    let broker = TestBroker::start(&[("mappedFileSizeCommitLog", "4194304")]).await;
    let mut client = broker.connect().await;
    let body = vec![b'x'; 300_000];
    let mut commands: Vec<_> = (0..30).map(|_| Sending { body: &body, ..Sending::default() }.request()).collect();
    client.put(&mut commands.iter_mut().collect::<Vec<_>>()).await;
    let mut offsets = Vec::new();
    for _ in 0..commands.len() {
        let answer = client.next_answer().await;
        offsets.push((answer.opaque, number(&answer, "queueOffset")));
    }
    offsets.sort_unstable();
    assert_eq!(offsets.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), (0..30).collect::<Vec<_>>());
    broker.stop().await;
}

#[test]
fn properties_are_seen_in_one_pass() {
    let seen = SeenProperties::scan("UNIQ_KEY\u{1}u\u{2}WAIT\u{1}False\u{2}DELAY\u{1}7\u{2}POP_CK\u{1}x\u{2}");
    assert_eq!((seen.unique_key, seen.waits, seen.delay_level), (Some("u"), false, 7));
    assert!(seen.has_pop_check_point && !seen.is_timer && !seen.is_transaction);
    let seen = SeenProperties::scan("DELAY\u{1}soon\u{2}TRAN_MSG\u{1}TRUE\u{2}WAIT\u{1}yes\u{2}TIMER_DELIVER_MS\u{1}1");
    assert_eq!((seen.unique_key, seen.waits, seen.delay_level), (None, true, 0));
    assert!(seen.is_timer && seen.is_transaction && !seen.has_pop_check_point);
}

#[tokio::test]
async fn one_way_sends_are_stored_and_answered_with_nothing() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let one_way = |sending: Sending<'_>| {
        let mut command = sending.request();
        command.flag |= FLAG_ONE_WAY;
        command
    };
    let (mut good, mut bad) = (one_way(Sending::default()), one_way(Sending { topic: "!", ..Sending::default() }));
    client.put(&mut [&mut good, &mut bad]).await;
    // The first answer that comes is that of what follows.
    let answer = client.ask_command(marker()).await;
    assert_eq!((answer.code, answer.field("msgId")), (0, None));
    broker.dispatched().await;
    let answer = client.ask_command(crate::clients::fixture::messages::Pulling::default().request()).await;
    assert_eq!(messages(&answer).len(), 1);
    broker.stop().await;
}
