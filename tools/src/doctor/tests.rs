use boostermq_remoting::body::{
    ConsumeStatus, ConsumeType, ConsumerRunningInfo, MessageModel, MessageQueue, OffsetWrapper, ProcessQueueInfo,
    SubscriptionData,
};

use super::facts::{Broker, Facts, Member, Queue, Topic, Waiting};
use super::{report, rules, span, stack};
use crate::output::Format;
use crate::tests::printed;

const NOW_MS: i64 = 1_000_000;

fn queue_key(queue_id: i32) -> MessageQueue {
    MessageQueue { topic: "T".to_owned(), broker_name: "a".to_owned(), queue_id }
}

/// A queue with its end and what is committed, before and after.
fn queue(queue_id: i32, first: (i64, i64), second: (i64, i64)) -> Queue {
    let offsets = |(broker_offset, consumer_offset): (i64, i64)| OffsetWrapper {
        broker_offset,
        consumer_offset,
        last_timestamp: 0,
        pull_offset: consumer_offset,
    };
    Queue {
        topic: "T".to_owned(),
        broker: "a".to_owned(),
        queue_id,
        first: offsets(first),
        second: offsets(second),
        next: None,
    }
}

fn subscription(filter: &str) -> SubscriptionData {
    SubscriptionData { topic: "T".to_owned(), sub_string: filter.to_owned(), ..SubscriptionData::default() }
}

/// A member that owns these queues and does well.
fn running(queues: &[i32]) -> ConsumerRunningInfo {
    let held = |queue_id: &i32| {
        let held = ProcessQueueInfo {
            cached_msg_count: 1,
            cached_msg_min_offset: 100,
            cached_msg_max_offset: 101,
            commit_offset: 100,
            last_consume_timestamp: NOW_MS - 10,
            last_pull_timestamp: NOW_MS - 10,
            ..ProcessQueueInfo::default()
        };
        (queue_key(*queue_id), held)
    };
    let status = ConsumeStatus { consume_ok_tps: 10.0, consume_rt: 3.0, pull_tps: 10.0, ..ConsumeStatus::default() };
    ConsumerRunningInfo {
        mq_table: queues.iter().map(held).collect(),
        status_table: [("T".to_owned(), status)].into(),
        subscription_set: vec![subscription("*")],
        properties: [("PROP_CONSUMEORDERLY".to_owned(), "false".to_owned())].into(),
        ..ConsumerRunningInfo::default()
    }
}

fn member(client_id: &str, running: &ConsumerRunningInfo) -> Member {
    Member { client_id: client_id.to_owned(), running: Ok((running.clone(), running.clone())) }
}

/// A group of two members and two queues that is all right.
fn healthy() -> Facts {
    Facts {
        group: "g".to_owned(),
        now_ms: NOW_MS,
        interval_s: 6.0,
        brokers: vec![Broker {
            name: "a".to_owned(),
            is_enabled: Some(true),
            is_broadcast_enabled: true,
            ..Broker::default()
        }],
        members: vec![member("m0", &running(&[0])), member("m1", &running(&[1]))],
        model: Some(MessageModel::Clustering),
        consume_type: Some(ConsumeType::Passively),
        subscriptions: [("T".to_owned(), subscription("*"))].into(),
        topics: vec![Topic { name: "T".to_owned(), read_queues: Some(2), last_minute: None }],
        queues: vec![queue(0, (100, 100), (160, 160)), queue(1, (100, 100), (160, 159))],
        retries: Vec::new(),
        dead: None,
    }
}

/// Changes the second sample of the first member, and the first alike.
fn with_running(change: impl Fn(&mut ConsumerRunningInfo)) -> impl Fn(&mut Facts) {
    move |facts| {
        if let Ok((first, second)) = &mut facts.members[0].running {
            change(first);
            change(second);
        }
    }
}

fn held(running: &mut ConsumerRunningInfo) -> &mut ProcessQueueInfo {
    running.mq_table.0.values_mut().next().unwrap()
}

type Change = Box<dyn Fn(&mut Facts)>;

/// A trouble, and the cause that it is found as, or none.
fn troubles() -> Vec<(&'static str, Change, Option<&'static str>)> {
    vec![
        ("nothing", Box::new(|_| {}), None),
        ("nobody", Box::new(|facts| facts.members.clear()), Some("no-member")),
        ("disabled", Box::new(|facts| facts.brokers[0].is_enabled = Some(false)), Some("consume-disabled")),
        (
            "broadcast disabled",
            Box::new(|facts| {
                facts.brokers[0].is_broadcast_enabled = false;
                facts.model = Some(MessageModel::Broadcasting);
            }),
            Some("consume-disabled"),
        ),
        ("broadcast disabled, not used", Box::new(|facts| facts.brokers[0].is_broadcast_enabled = false), None),
        ("forbidden", Box::new(|facts| facts.brokers[0].forbidden.push("T".to_owned())), Some("read-forbidden")),
        ("unreadable", Box::new(|facts| facts.topics[0].read_queues = Some(0)), Some("read-forbidden")),
        ("topic gone", Box::new(|facts| facts.topics[0].read_queues = None), Some("read-forbidden")),
        (
            "too many members",
            Box::new(|facts| facts.members.push(member("m2", &running(&[])))),
            Some("more-members-than-queues"),
        ),
        (
            "filters differ",
            Box::new(with_running(|running| running.subscription_set = vec![subscription("A")])),
            Some("mismatched-subscriptions"),
        ),
        (
            "order differs",
            Box::new(with_running(|running| {
                running.properties.insert("PROP_CONSUME_TYPE".to_owned(), "CONSUME_ACTIVELY".to_owned());
            })),
            Some("mismatched-subscriptions"),
        ),
        ("versions differ", Box::new(with_running(|running| running.subscription_set[0].sub_version = 77)), None),
        (
            "filters differ, and what follows",
            Box::new(|facts| {
                with_running(|running| running.subscription_set = vec![subscription("A")])(facts);
                facts.queues[0] = queue(0, (100, 100), (10_000, 160));
            }),
            Some("mismatched-subscriptions"),
        ),
        ("silence", Box::new(|facts| facts.members[0].running = Err("timeout".to_owned())), Some("silent-member")),
        (
            "stuck",
            Box::new(with_running(|running| held(running).last_consume_timestamp = NOW_MS - 60_000)),
            Some("stuck-in-flight"),
        ),
        (
            "slow, its turn comes",
            Box::new(with_running(|running| {
                held(running).last_consume_timestamp = NOW_MS - 15_000;
                held(running).cached_msg_count = 900;
                running.status_table.get_mut("T").unwrap().consume_rt = 400.0;
            })),
            None,
        ),
        (
            "one message of many stuck",
            Box::new(with_running(|running| held(running).cached_msg_max_offset = 5_000)),
            Some("stuck-in-flight"),
        ),
        (
            "flow control by count",
            Box::new(with_running(|running| {
                *held(running) = ProcessQueueInfo {
                    cached_msg_count: 1_000,
                    last_consume_timestamp: NOW_MS - 10,
                    cached_msg_min_offset: 100,
                    cached_msg_max_offset: 1_100,
                    ..ProcessQueueInfo::default()
                };
            })),
            Some("member-flow-controlled"),
        ),
        (
            "flow control by its own limit",
            Box::new(with_running(|running| {
                running.properties.insert("pullThresholdForQueue".to_owned(), "1".to_owned());
            })),
            Some("member-flow-controlled"),
        ),
        (
            "flow control by span",
            Box::new(|facts| {
                with_running(|running| held(running).cached_msg_max_offset = 5_000)(facts);
                let Ok((first, _)) = &mut facts.members[0].running else { unreachable!() };
                held(first).cached_msg_min_offset = 90;
            }),
            Some("member-flow-controlled"),
        ),
        (
            "paused",
            Box::new(|facts| {
                with_running(|running| {
                    held(running).cached_msg_count = 0;
                    running.status_table.clear();
                })(facts);
                facts.queues[0] = queue(0, (100, 100), (160, 100));
            }),
            Some("member-paused"),
        ),
        (
            "lock",
            Box::new(|facts| {
                with_running(|running| {
                    running.properties.insert("PROP_CONSUMEORDERLY".to_owned(), "true".to_owned());
                    held(running).cached_msg_count = 0;
                })(facts);
                // Both members are orderly; only the first has no lock.
                let Ok((first, second)) = &mut facts.members[1].running else { unreachable!() };
                for running in [first, second] {
                    running.properties.insert("PROP_CONSUMEORDERLY".to_owned(), "true".to_owned());
                    held(running).locked = true;
                }
            }),
            Some("lock-held-elsewhere"),
        ),
        ("unowned", Box::new(|facts| facts.queues.push(queue(2, (10, 0), (10, 0)))), Some("queue-without-member")),
        (
            "filter",
            Box::new(|facts| {
                facts.subscriptions.insert("T".to_owned(), subscription("A"));
                facts.queues[0] = queue(0, (100, 100), (10_100, 10_100));
            }),
            Some("filter-drops-nearly-all"),
        ),
        (
            "filter, by the brokers' counts",
            Box::new(|facts| {
                facts.subscriptions.insert("T".to_owned(), subscription("A"));
                facts.topics[0].last_minute = Some((1_000, 3));
            }),
            Some("filter-drops-nearly-all"),
        ),
        ("few, without a filter", Box::new(|facts| facts.topics[0].last_minute = Some((1_000, 3))), None),
        (
            "retries",
            Box::new(with_running(|running| {
                running.status_table.get_mut("T").unwrap().consume_failed_tps = 5.0;
            })),
            Some("retry-storm"),
        ),
        (
            "retries, by the queue",
            Box::new(|facts| facts.retries.push(queue(0, (0, 0), (100, 100)))),
            Some("retry-storm"),
        ),
        ("a retry", Box::new(|facts| facts.retries.push(queue(0, (0, 0), (1, 1)))), None),
        ("dead letters", Box::new(|facts| facts.dead = Some((5, 7))), Some("dead-letters-grow")),
        ("old dead letters", Box::new(|facts| facts.dead = Some((5, 5))), None),
        ("hot", Box::new(|facts| facts.queues[0] = queue(0, (100, 100), (10_000, 160))), Some("hot-queue")),
        (
            "not committed",
            Box::new(|facts| {
                with_running(|running| held(running).commit_offset = 150)(facts);
                facts.queues[0] = queue(0, (150, 100), (160, 100));
            }),
            Some("offsets-not-committed"),
        ),
        (
            "pulled, not committed",
            Box::new(|facts| {
                facts.consume_type = Some(ConsumeType::Actively);
                facts.queues[0] = queue(0, (100, 100), (160, 100));
                facts.queues[0].second.pull_offset = 160;
            }),
            Some("offsets-not-committed"),
        ),
        (
            "disk",
            Box::new(|facts| facts.queues[0].next = Some(Waiting { stored_ms: 5, bytes_behind: 20 << 30 })),
            Some("reads-from-disk"),
        ),
        ("cold", Box::new(|facts| facts.brokers[0].is_cold = true), Some("reads-from-disk")),
        (
            "pulls wait",
            Box::new(|facts| {
                facts.brokers[0].runtime.insert("pullThreadPoolQueueHeadWaitTimeMills".to_owned(), "900".to_owned());
            }),
            Some("broker-flow-control"),
        ),
        (
            "slow",
            Box::new(|facts| {
                facts.queues = vec![queue(0, (1_000, 100), (2_000, 160)), queue(1, (1_000, 100), (2_000, 160))];
            }),
            Some("too-slow"),
        ),
        (
            "slow, catching up",
            Box::new(|facts| {
                facts.queues = vec![queue(0, (2_000, 100), (2_000, 160)), queue(1, (2_000, 100), (2_000, 160))];
            }),
            Some("catching-up"),
        ),
    ]
}

#[test]
fn each_trouble_is_found_and_nothing_else() {
    for (name, change, wanted) in troubles() {
        let mut facts = healthy();
        change(&mut facts);
        let causes: Vec<&str> = rules::findings(&facts).into_iter().map(|finding| finding.cause).collect();
        let wanted: Vec<&str> = wanted.into_iter().collect();
        assert_eq!(causes, wanted, "{name}");
    }
}

#[test]
fn every_cause_is_tried() {
    let tried: std::collections::BTreeSet<&str> = troubles().into_iter().filter_map(|(_, _, cause)| cause).collect();
    // One of each rule, and the two of the last resort.
    assert_eq!(tried.len(), 20, "{tried:?}");
}

#[test]
fn the_page_tells_evidence_and_advice() {
    let mut facts = healthy();
    facts.members.clear();
    facts.queues[0].next = Some(Waiting { stored_ms: NOW_MS - 200_000, bytes_behind: 0 });
    let findings = rules::findings(&facts);
    let document = report::page(&facts, &findings);
    let text = printed(|out| document.write(Format::Text, out));
    for wanted in [
        "Group g: members 0, topics 1, queues 2; 1 messages wait, the oldest for 3 min 20 s; 20.0/s stored, 19.8/s consumed.",
        "1. Nobody consumes. [no-member]\n   - no consumer of g is connected; 1 messages wait\n   Do: Start a consumer",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(text.lines().all(|line| line.len() < 130), "{text}");
    let json = printed(|out| document.write(Format::Json, out));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((read["status"].as_str(), read["lag"].as_i64()), (Some("findings"), Some(1)));
    assert_eq!(read["findings"][0]["cause"], "no-member");
    assert_eq!(read["queues"][1]["lag"], 1);
}

#[test]
fn a_healthy_page() {
    let text = printed(|out| report::page(&healthy(), &[]).write(Format::Text, out));
    assert!(text.contains("#Member  #Queues  #Holds  #Consumes/s"), "{text}");
    assert!(text.ends_with("\nHealthy: no cause of trouble was found.\n"), "{text}");
}

#[test]
fn stacks_are_read() {
    let stacks = "\
ConsumeMessageThread_g_1                TID: 40 STATE: TIMED_WAITING
ConsumeMessageThread_g_1                java.lang.Thread.sleep(Native Method)
ConsumeMessageThread_g_1                app.Listener.pay(Listener.java:17)
ConsumeMessageThread_g_1                org.apache.rocketmq.client.impl.consumer.ConsumeRequest.run(C.java:1)

ConsumeMessageThread_g_2                TID: 41 STATE: TIMED_WAITING
ConsumeMessageThread_g_2                java.base@17.0.15/java.lang.Thread.sleep(Native Method)
ConsumeMessageThread_g_2                app//app.Listener.pay(Listener.java:17)

ConsumeMessageThread_g_3                TID: 42 STATE: WAITING
ConsumeMessageThread_g_3                java.util.concurrent.LinkedBlockingQueue.take(Q.java:1)

PullMessageService                      app.Wrong.place(W.java:1)
";
    let wanted =
        "2 threads stand in app.Listener.pay(Listener.java:17), which waits in java.lang.Thread.sleep(Native Method)";
    assert_eq!(stack::consuming(stacks, "g"), [wanted]);
    assert!(stack::consuming("", "g").is_empty());
    assert!(stack::consuming(stacks, "other").is_empty());
}

#[test]
fn groups_that_read_their_part_of_old_messages_are_seen() {
    for (is_over, read, limits, all, all_limit) in [
        (false, 99, "{}", 99, 1000),
        (true, 100, "{}", 100, 1000),
        // A limit of its own, higher and lower.
        (false, 100, r#"{"g":200}"#, 100, 1000),
        (true, 10, r#"{"g":10}"#, 10, 1000),
        (true, 1, r#"{"g":0}"#, 1, 1000),
        // All groups together: only who read some waits.
        (true, 1, "{}", 1000, 1000),
        (false, 0, "{}", 1000, 1000),
    ] {
        let table = format!(
            r#"{{"runtimeTable":{{"g":{{"coldAcc":{read}}},"h":{{"coldAcc":999}}}},"configTable":{limits},
                "cgColdReadThreshold":100,"globalColdReadThreshold":{all_limit},"globalAcc":{all}}}"#
        );
        let read_table = serde_json::from_str(&table).unwrap();
        assert_eq!(super::collect::is_over(&read_table, "g"), is_over, "{table}");
    }
    assert!(!super::collect::is_over(&serde_json::json!({}), "g"));
}

#[test]
fn spans_are_said() {
    for (milliseconds, text) in [
        (900, "0.9 s"),
        (45_000, "45 s"),
        (200_000, "3 min 20 s"),
        (10_000_000, "2 h 46 min"),
        (200_000_000, "2 days 7 h"),
    ] {
        assert_eq!(span(milliseconds), text);
    }
}

#[test]
fn evidence_is_cut() {
    let mut facts = healthy();
    facts.members = (0..20).map(|at| member(&format!("m{at}"), &ConsumerRunningInfo::default())).collect();
    for member in &mut facts.members {
        member.running = Err("timeout".to_owned());
    }
    let findings = rules::findings(&facts);
    let silent = findings.iter().find(|finding| finding.cause == "silent-member").unwrap();
    assert_eq!(silent.evidence.last().unwrap(), "and 14 more");
}
