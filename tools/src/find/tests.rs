use boostermq_remoting::body::{ConsumerConnection, MessageModel, SubscriptionData};
use boostermq_remoting::message::property_name;

use super::delivery::{Delivery, Facts, delivery, retried};
use super::life::{Outcome, Timing, gather, outcome, timing};
use super::*;
use crate::output::Format;
use crate::tests::{message, printed};

/// A copy in a topic, with properties.
fn copy(topic: &str, place: i64, stored_ms: i64, properties: &[(&str, &str)]) -> Message {
    let mut copy = message("ID1", 2, 17, place, stored_ms);
    copy.topic = topic.to_owned();
    for (name, value) in properties {
        copy.properties.insert(*name, *value);
    }
    copy
}

#[test]
fn copies_are_one_life() {
    let lives = gather(vec![
        copy("%DLQ%g", 500, 50, &[]),
        copy("T", 100, 10, &[]),
        copy("%RETRY%g", 300, 30, &[]),
        copy("SCHEDULE_TOPIC_XXXX", 200, 20, &[(property_name::REAL_TOPIC, "%RETRY%g")]),
        // Found twice: by key and by id.
        copy("T", 100, 10, &[]),
        copy("Other", 900, 5, &[(property_name::UNIQ_KEY, "ID0")]),
    ]);
    let ids: Vec<&str> = lives.iter().map(|life| life.id.as_str()).collect();
    assert_eq!(ids, ["ID0", "ID1"]);
    let names: Vec<&str> = lives[1].copies.iter().map(|(role, _)| role.name()).collect();
    assert_eq!(names, ["stored", "retry, waiting", "retry", "dead letter"]);
    assert_eq!(lives[1].message().unwrap().topic, "T");
    assert_eq!(lives[1].retrying_groups().into_iter().collect::<Vec<_>>(), ["g"]);
}

#[test]
fn a_copy_without_unique_key_belongs_to_its_origin() {
    let mut origin = copy("T", 100, 10, &[]);
    origin.properties.remove(property_name::UNIQ_KEY);
    let mut retry = copy("%RETRY%g", 300, 30, &[]);
    retry.properties.remove(property_name::UNIQ_KEY);
    retry.properties.insert(property_name::ORIGIN_MESSAGE_ID, origin.offset_id().to_string());
    assert_eq!(gather(vec![retry, origin]).len(), 1);
}

#[test]
fn the_topic_is_that_of_the_sender() {
    for (topic, property, wanted) in [
        ("T", (property_name::REAL_TOPIC, "X"), "T"),
        ("%RETRY%g", (property_name::RETRY_TOPIC, "X"), "X"),
        ("%DLQ%g", (property_name::DLQ_ORIGIN_TOPIC, "X"), "X"),
        ("RMQ_SYS_TRANS_HALF_TOPIC", (property_name::REAL_TOPIC, "X"), "X"),
        ("rmq_sys_wheel_timer", (property_name::REAL_TOPIC, "X"), "X"),
    ] {
        let lives = gather(vec![copy(topic, 1, 1, &[property])]);
        assert_eq!(lives[0].topic(), Some(wanted), "{topic}");
    }
}

#[test]
fn transactions() {
    let half = || copy("RMQ_SYS_TRANS_HALF_TOPIC", 1, 1, &[(property_name::TRANSACTION_CHECK_TIMES, "3")]);
    let given_up = || copy("TRANS_CHECK_MAX_TIME_TOPIC", 2, 2, &[]);
    let stored = || copy("T", 3, 3, &[]);
    for (copies, settled, wanted) in [
        (vec![stored()], None, None),
        (vec![half(), stored()], Some(true), Some(Outcome::Committed)),
        (vec![half(), stored()], None, Some(Outcome::Committed)),
        (vec![half()], Some(true), Some(Outcome::RolledBack)),
        (vec![half()], Some(false), Some(Outcome::Open { checks: 3 })),
        (vec![half()], None, Some(Outcome::Unknown)),
        (vec![half(), given_up()], Some(true), Some(Outcome::GivenUp)),
    ] {
        let lives = gather(copies);
        assert_eq!(outcome(&lives[0], settled), wanted, "{lives:?}");
    }
}

#[test]
fn timers() {
    let timed = |properties: &[(&str, &str)]| copy("rmq_sys_wheel_timer", 1, 100, properties);
    let at = [(property_name::TIMER_OUT_MS, "5000")];
    for (copies, now_ms, wanted) in [
        (vec![copy("T", 3, 5100, &[])], 9000, None),
        (vec![timed(&at), copy("T", 3, 5100, &[])], 9000, Some(Timing::Delivered { late_ms: Some(100) })),
        (vec![timed(&at)], 4000, Some(Timing::Waiting { at_ms: Some(5000), level: 0 })),
        (vec![timed(&at)], 6000, Some(Timing::Overdue { at_ms: 5000 })),
        (
            vec![copy("SCHEDULE_TOPIC_XXXX", 1, 1, &[(property_name::DELAY, "4")])],
            6000,
            Some(Timing::Waiting { at_ms: None, level: 4 }),
        ),
    ] {
        assert_eq!(timing(&gather(copies)[0], now_ms), wanted);
    }
}

#[test]
fn deliveries() {
    let message = copy("T", 1, 1, &[(property_name::TAGS, "A")]);
    let group = |model, tags: &[&str]| {
        let subscription = SubscriptionData {
            topic: "T".to_owned(),
            tags_set: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..SubscriptionData::default()
        };
        ConsumerConnection {
            message_model: Some(model),
            subscription_table: [("T".to_owned(), subscription)].into(),
            ..ConsumerConnection::default()
        }
    };
    let (all, only_b) = (group(MessageModel::Clustering, &[]), group(MessageModel::Clustering, &["B"]));
    let broadcast = group(MessageModel::Broadcasting, &[]);
    for (committed, connection, wanted) in [
        (Some(18), Some(&all), Delivery::Consumed),
        (Some(17), Some(&all), Delivery::Waiting { before: 0 }),
        (Some(7), None, Delivery::Waiting { before: 10 }),
        (Some(18), None, Delivery::Consumed),
        (Some(18), Some(&only_b), Delivery::Filtered),
        (Some(18), Some(&broadcast), Delivery::Broadcast),
        (None, Some(&all), Delivery::NoOffset),
    ] {
        assert_eq!(delivery(&Facts { message: &message, committed, connection }), wanted, "{committed:?}");
    }
}

#[test]
fn retries() {
    let tried = |topic: &str, stored_ms: i64, tries: i32| {
        let mut copy = copy(topic, stored_ms, stored_ms, &[(property_name::REAL_TOPIC, "%RETRY%g")]);
        copy.reconsume_times = tries;
        copy
    };
    let waiting = |stored_ms, tries| tried("SCHEDULE_TOPIC_XXXX", stored_ms, tries);
    let retry = |stored_ms, tries| tried("%RETRY%g", stored_ms, tries);
    for (copies, committed, wanted) in [
        (vec![copy("T", 1, 1, &[])], None, None),
        (vec![copy("T", 1, 1, &[]), waiting(2, 1)], None, Some(Delivery::RetryLater { tries: 1 })),
        (vec![waiting(2, 1), retry(3, 1)], Some(17), Some(Delivery::RetryNext { tries: 1 })),
        (vec![waiting(2, 1), retry(3, 1)], Some(18), Some(Delivery::ConsumedAtRetry { tries: 1 })),
        (vec![retry(3, 1), waiting(4, 2)], Some(18), Some(Delivery::RetryLater { tries: 2 })),
        (vec![retry(3, 1), tried("%DLQ%g", 4, 2)], None, Some(Delivery::Dead)),
    ] {
        let lives = gather(copies);
        assert_eq!(retried(&lives[0], "g", committed), wanted, "{lives:?}");
        assert_eq!(retried(&lives[0], "other", committed), None);
    }
}

#[test]
fn operations_name_offsets() {
    for (body, is_named) in
        [("17,", true), ("16,17,18,", true), ("17", true), ("117,", false), ("", false), ("x", false)]
    {
        assert_eq!(names_offset(body.as_bytes(), 17), is_named, "{body}");
    }
}

#[test]
fn the_page_shows_everything() {
    let mut lives = gather(vec![
        copy("T", 100, 1_795_000_000_000, &[(property_name::TAGS, "A"), (property_name::KEYS, "order-1")]),
        copy("%RETRY%g", 300, 1_795_000_005_000, &[]),
    ]);
    let groups = vec![
        GroupLine {
            group: "g".to_owned(),
            delivery: Ok(Delivery::ConsumedAtRetry { tries: 1 }),
            committed: Some(18),
            online: Some(2),
            retries: 1,
            is_dead: false,
        },
        GroupLine {
            group: "h".to_owned(),
            delivery: Ok(Delivery::Waiting { before: 5 }),
            committed: Some(12),
            online: Some(0),
            retries: 0,
            is_dead: false,
        },
    ];
    let entry = Entry { life: lives.remove(0), groups, outcome: Some(Outcome::Committed), timing: None };
    let document = page::page(&[entry], |_| "broker-a".to_owned(), 3);
    let text = printed(|out| document.write(Format::Text, out));
    for wanted in [
        "Message ID1\n",
        "broker broker-a (127.0.0.1:10911), queue 2, offset 17, log position 100",
        "keys         order-1\n",
        "transaction  committed",
        "g       consumed, after it failed once                      18        2         1",
        "h       not yet                                  5          12        0         0",
        "retry   ",
        "3 more messages have this key",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    let json = printed(|out| document.write(Format::Json, out));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["messages"][0]["groups"][1]["before"], 5);
    assert_eq!(read["messages"][0]["copies"][1]["kind"], "retry");
    assert_eq!(read["messages"][0]["properties"]["KEYS"], "order-1");
    assert_eq!(read["omitted"], 3);
}
