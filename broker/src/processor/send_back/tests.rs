//! Tests of messages that consumers send back, against a whole broker.

use boostermq_remoting::body::SubscriptionGroupConfig;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::message::Message;
use boostermq_remoting::names::Group;

use super::*;
use crate::clients::fixture::messages::Sending;
use crate::clients::fixture::{TestBroker, TestClient, request};

const RETRY: &str = "%RETRY%g";
const DEAD: &str = "%DLQ%g";
const ORIGIN: [(&str, &str); 3] = [("UNIQ_KEY", "u"), ("TAGS", "A"), ("own", "kept")];

fn back(offset: i64, level: i32, max: Option<i32>) -> RemotingCommand {
    let mut command = request(36, &[("group", "g"), ("originTopic", "T"), ("unitMode", "false")], b"");
    command.fields.push(("offset".into(), offset.to_string()));
    command.fields.push(("delayLevel".into(), level.to_string()));
    command.fields.extend(max.map(|max| ("maxReconsumeTimes".into(), max.to_string())));
    command
}

/// A message of topic `T` that a consumer has got.
async fn consumed(broker: &TestBroker, client: &mut TestClient) -> Message {
    client.store(&Sending { properties: &ORIGIN, ..Sending::default() }).await;
    broker.dispatched().await;
    client.everything("T", 0).await.pop().unwrap()
}

async fn accepted(client: &mut TestClient, command: RemotingCommand) {
    let answer = client.ask_command(command).await;
    assert_eq!(answer.code, 0, "{:?}", answer.remark);
}

fn is_a_copy(copy: &Message, origin: &Message) {
    assert_eq!((&copy.body, copy.flag, copy.born_timestamp), (&origin.body, origin.flag, origin.born_timestamp));
    assert_eq!(copy.born_host, origin.born_host);
    for name in ["UNIQ_KEY", "TAGS", "own"] {
        assert_eq!(copy.properties.get(name), origin.properties.get(name), "{name}");
    }
    assert_eq!(copy.properties.get("RETRY_TOPIC"), Some("T"));
}

#[tokio::test]
async fn a_message_sent_back_comes_again_and_remembers_where_it_began() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let origin = consumed(&broker, &mut client).await;
    let first_id = origin.offset_id().to_string();
    let mut last = origin.clone();
    for times in 1..=2 {
        accepted(&mut client, back(last.physical_offset.0, 1, Some(16))).await;
        last = client.wait_for(RETRY, 0, times - 1).await.remove(0);
        is_a_copy(&last, &origin);
        assert_eq!((last.topic.as_str(), last.reconsume_times), (RETRY, times as i32));
        assert_eq!(last.properties.get("ORIGIN_MESSAGE_ID"), Some(first_id.as_str()));
        assert_eq!((last.properties.get("REAL_TOPIC"), last.properties.get("REAL_QID")), (Some(RETRY), Some("0")));
    }
    let config = broker.broker().topics.find(RETRY).unwrap();
    assert_eq!((config.read_queue_nums, config.write_queue_nums, config.perm), (1, 1, 6));
    // The second retry is given up: its count is the maximum.
    accepted(&mut client, back(last.physical_offset.0, 0, Some(2))).await;
    let dead = client.wait_for(DEAD, 0, 0).await.remove(0);
    is_a_copy(&dead, &origin);
    assert_eq!(dead.properties.get("ORIGIN_MESSAGE_ID"), Some(first_id.as_str()));
    assert_eq!(dead.reconsume_times, 3);
    broker.stop().await;
}

/// The waiting copy shows the level: 3 and one more with each time, or the client's own.
#[tokio::test]
async fn waits_are_the_clients_or_grow_with_each_time() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let origin = consumed(&broker, &mut client).await;
    for (level, queue_id) in [(0, 2), (7, 6), (18, 17), (40, 17)] {
        accepted(&mut client, back(origin.physical_offset.0, level, None)).await;
        broker.dispatched().await;
        let waiting = client.everything(schedule::SCHEDULE_TOPIC, queue_id).await.pop().unwrap();
        is_a_copy(&waiting, &origin);
        assert_eq!(waiting.properties.get("DELAY"), Some((queue_id + 1).to_string().as_str()), "{level}");
        assert_eq!((waiting.properties.get("REAL_TOPIC"), waiting.reconsume_times), (Some(RETRY), 1));
    }
    // A copy that a client itself sent to the retry topic counts on from where it stood.
    client.store(&Sending { topic: RETRY, reconsume_times: 4, properties: &ORIGIN, ..Sending::default() }).await;
    let again = client.wait_for(RETRY, 0, 0).await.remove(0);
    accepted(&mut client, back(again.physical_offset.0, 0, Some(16))).await;
    broker.dispatched().await;
    assert_eq!(client.everything(schedule::SCHEDULE_TOPIC, 6).await.pop().unwrap().reconsume_times, 5);
    broker.stop().await;
}

#[tokio::test]
async fn dead_letters_say_where_they_come_from() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let origin = consumed(&broker, &mut client).await;
    let mut old = back(origin.physical_offset.0, 0, Some(0));
    old.version = version::V3_4_9 - 1;
    let mut dead = 0;
    for (what, command, is_dead) in [
        ("level -1", back(origin.physical_offset.0, -1, Some(16)), true),
        ("a maximum of 0", back(origin.physical_offset.0, 0, Some(0)), true),
        ("a maximum that does not count", old, false),
    ] {
        accepted(&mut client, command).await;
        broker.dispatched().await;
        dead += usize::from(is_dead);
        let letters = client.everything(DEAD, 0).await;
        assert_eq!(letters.len(), dead, "{what}");
        let letter = letters.last().unwrap();
        is_a_copy(letter, &origin);
        let id = origin.offset_id().to_string();
        for (name, value) in [
            ("DLQ_ORIGIN_TOPIC", Some("T")),
            ("DLQ_ORIGIN_MESSAGE_ID", Some(id.as_str())),
            ("ORIGIN_MESSAGE_ID", Some(id.as_str())),
            ("DELAY", None),
            ("REAL_TOPIC", None),
        ] {
            assert_eq!(letter.properties.get(name), value, "{name}");
        }
        assert_eq!((letter.topic.as_str(), letter.reconsume_times), (DEAD, 1));
    }
    let config = broker.broker().topics.find(DEAD).unwrap();
    assert_eq!((config.read_queue_nums, config.write_queue_nums, config.perm), (1, 1, 6));
    broker.stop().await;
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_refused_and_leaves_nothing() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let origin = consumed(&broker, &mut client).await;
    let state = broker.broker();
    let end = state.store.max_physical_offset();
    for offset in [end.0, end.0 + 1_000_000, i64::MAX, -1, i64::MIN, origin.physical_offset.0 + 1] {
        let answer = client.ask_command(back(offset, 0, None)).await;
        assert_eq!(answer.code, 1, "{offset}: {:?}", answer.remark);
    }
    assert_eq!(state.store.max_physical_offset(), end);

    client.ask_ok(25, &[], "brokerPermission=4").await;
    assert_eq!(client.ask_command(back(origin.physical_offset.0, 0, None)).await.code, 16);
    client.ask_ok(25, &[], "brokerPermission=6").await;

    let closed = Topic::retry_of(&Group::parse("g").unwrap());
    state.topics.put(vec![(closed, TopicConfig::new(RETRY, 1, TopicConfig::PERM_READ))]).unwrap();
    assert_eq!(client.ask_command(back(origin.physical_offset.0, 0, None)).await.code, 16);

    client.ask_ok(25, &[], "autoCreateSubscriptionGroup=false").await;
    let mut unknown = back(origin.physical_offset.0, 0, None);
    unknown.fields.retain(|(name, _)| name != "group");
    unknown.fields.push(("group".into(), "unknown".to_owned()));
    assert_eq!(client.ask_command(unknown).await.code, 26);

    let config = SubscriptionGroupConfig { retry_queue_nums: 0, ..(*state.groups.find("g").unwrap()).clone() };
    state.groups.put(vec![(Group::parse("g").unwrap(), config)]).unwrap();
    accepted(&mut client, back(origin.physical_offset.0, -1, None)).await;
    assert_eq!(state.store.max_physical_offset(), end);

    state.store.set_writeable(false);
    let config = SubscriptionGroupConfig { retry_queue_nums: 1, ..(*state.groups.find("g").unwrap()).clone() };
    state.groups.put(vec![(Group::parse("g").unwrap(), config)]).unwrap();
    state.topics.put(vec![(Topic::parse(RETRY).unwrap(), TopicConfig::new(RETRY, 1, 6))]).unwrap();
    assert_eq!(client.ask_command(back(origin.physical_offset.0, 0, None)).await.code, 1);
    state.store.set_writeable(true);
    broker.stop().await;
}

#[tokio::test]
async fn a_broker_that_waits_for_the_disk_takes_messages_back_too() {
    let broker = TestBroker::start(&[("flushDiskType", "SYNC_FLUSH")]).await;
    let mut client = broker.connect().await;
    let origin = consumed(&broker, &mut client).await;
    accepted(&mut client, back(origin.physical_offset.0, -1, None)).await;
    let store = &broker.broker().store;
    assert_eq!(store.flushed_offset(), store.max_physical_offset());
    assert_eq!(client.wait_for(DEAD, 0, 0).await.len(), 1);
    broker.stop().await;
}
