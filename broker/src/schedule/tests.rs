//! Tests of delay levels, against a whole broker.

use super::*;
use crate::clients::fixture::TestBroker;
use crate::clients::fixture::messages::{Sending, number};

const LEVEL_1: [(&str, &str); 4] = [("UNIQ_KEY", "u"), ("TAGS", "A"), ("KEYS", "k"), ("DELAY", "1")];

fn delayed() -> Sending<'static> {
    Sending { queue_id: 2, properties: &LEVEL_1, body: b"later", ..Sending::default() }
}

/// Waits until the progress is noted: a moment after the last message can be read.
async fn progress_becomes(broker: &TestBroker, expected: BTreeMap<i32, i64>) {
    while broker.broker().schedule.offsets() != expected {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_level_past_the_last_is_the_last() {
    for (level, levels, queue_id) in
        [(1, 18, 0), (3, 18, 2), (18, 18, 17), (19, 18, 17), (30, 18, 17), (i32::MAX, 18, 17), (5, 2, 1), (1, 0, 0)]
    {
        let target = delay_target(level, levels);
        assert_eq!(
            (target.topic.as_str(), target.queue_id),
            (SCHEDULE_TOPIC, QueueId(queue_id)),
            "{level} of {levels}"
        );
    }
}

#[test]
fn every_few_moves_make_a_version() {
    let dir = tempfile::tempdir().unwrap();
    let schedule = DelaySchedule::load(dir.path(), &[Duration::from_secs(1)]).unwrap();
    let counters = (1..=7).map(|next| {
        schedule.advance(&schedule.levels[0], QueueOffset(next), 3, 77);
        let text: serde_json::Value = serde_json::from_slice(&schedule.to_json()).unwrap();
        assert_eq!(text["offsetTable"]["1"], next);
        text["dataVersion"]["counter"].as_i64().unwrap()
    });
    assert_eq!(counters.collect::<Vec<_>>(), [0, 0, 1, 1, 1, 2, 2]);
}

#[tokio::test]
async fn a_delayed_message_comes_to_its_own_queue_and_not_early() {
    use boostermq_store::clock::Clock;
    let (broker, clock) = TestBroker::start_timeless(&[]).await;
    let mut client = broker.connect().await;
    let answer = client.store(&delayed()).await;
    // The client hears of its own queue, but of the place among the waiting ones.
    assert_eq!((number(&answer, "queueId"), number(&answer, "queueOffset")), (2, 0));
    assert_eq!((answer.field("transactionId"), answer.field("recallHandle")), (Some("u"), None));
    broker.dispatched().await;
    assert!(client.everything("T", 2).await.is_empty());
    let waiting = client.everything(SCHEDULE_TOPIC, 0).await.remove(0);
    assert_eq!((waiting.properties.get("REAL_TOPIC"), waiting.properties.get("REAL_QID")), (Some("T"), Some("2")));
    assert_eq!(answer.field("msgId"), Some(waiting.offset_id().to_string().as_str()));

    clock.advance(999);
    broker.broker().schedule.wake.notify_one();
    for _ in 0..50 {
        assert!(client.everything("T", 2).await.is_empty(), "early");
    }
    clock.advance(1);
    broker.broker().schedule.wake.notify_one();
    let delivered = client.wait_for("T", 2, 0).await.remove(0);
    assert_eq!(delivered.store_timestamp, clock.now_ms());
    assert_eq!((delivered.topic.as_str(), delivered.queue_id, &delivered.body[..]), ("T", QueueId(2), &b"later"[..]));
    assert_eq!(delivered.properties, waiting.properties);
    assert_eq!((delivered.flag, delivered.born_timestamp), (waiting.flag, waiting.born_timestamp));
    assert_eq!((delivered.born_host, delivered.reconsume_times), (waiting.born_host, 0));
    assert!(delivered.physical_offset > waiting.physical_offset);
    progress_becomes(&broker, BTreeMap::from([(1, 1)])).await;
    broker.stop().await;
}

#[tokio::test]
async fn every_level_has_its_queue_and_nonsense_has_none() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for (level, queue_id) in [("30", 17), ("18", 17), ("4", 3)] {
        let properties = [("DELAY", level)];
        client.store(&Sending { properties: &properties, ..Sending::default() }).await;
        broker.dispatched().await;
        let waiting = client.everything(SCHEDULE_TOPIC, queue_id).await;
        assert_eq!(waiting.last().unwrap().properties.get("REAL_TOPIC"), Some("T"), "{level}");
    }
    for (at, level) in ["0", "-1", "soon", ""].into_iter().enumerate() {
        let properties = [("DELAY", level)];
        let answer = client.store(&Sending { properties: &properties, ..Sending::default() }).await;
        assert_eq!(number(&answer, "queueOffset"), at as i64, "{level} is no delay");
    }
    // A level counts before a timer.
    client.store(&Sending { properties: &[("DELAY", "4"), ("TIMER_DELAY_SEC", "60")], ..Sending::default() }).await;
    broker.dispatched().await;
    assert_eq!(client.everything(SCHEDULE_TOPIC, 3).await.len(), 2);
    broker.stop().await;
}

#[tokio::test]
async fn a_forged_destination_does_not_count() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let properties = [("REAL_TOPIC", "Other"), ("REAL_QID", "7"), ("DELAY", "1")];
    client.store(&Sending { properties: &properties, ..Sending::default() }).await;
    assert_eq!(client.wait_for("T", 0, 0).await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn what_was_delivered_is_not_delivered_again_after_a_restart() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for _ in 0..40 {
        client.store(&delayed()).await;
    }
    let mut delivered = 0;
    while delivered < 40 {
        delivered += client.wait_for("T", 2, delivered).await.len() as i64;
    }
    let broker = broker.restart(&[]).await;
    assert_eq!(broker.broker().schedule.offsets(), BTreeMap::from([(1, 40)]));
    let mut client = broker.connect().await;
    client.store(&Sending { body: b"after", ..delayed() }).await;
    let next = client.wait_for("T", 2, 40).await;
    assert_eq!((next.len(), &next[0].body[..]), (1, &b"after"[..]));
    broker.stop().await;
}

#[tokio::test]
async fn what_waits_while_the_broker_is_down_is_delivered_once_by_the_next() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&delayed()).await;
    broker.dispatched().await;
    let waiting = client.everything(SCHEDULE_TOPIC, 0).await.remove(0);
    let broker = broker.restart(&[]).await;
    let mut client = broker.connect().await;
    let delivered = client.wait_for("T", 2, 0).await.remove(0);
    assert!(delivered.store_timestamp >= waiting.store_timestamp + 1000);
    client.store(&Sending { body: b"after", ..delayed() }).await;
    assert_eq!(&client.wait_for("T", 2, 1).await[0].body[..], b"after");
    broker.stop().await;
}

/// Each stop comes while messages become due: what one broker delivered and noted, the next does not deliver again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_in_the_midst_of_deliveries_repeats_none() {
    let mut broker = TestBroker::start(&[]).await;
    let count = 300;
    let mut client = broker.connect().await;
    for at in 0..count {
        client.store(&Sending { body: at.to_string().as_bytes(), ..delayed() }).await;
    }
    for _ in 0..5 {
        let answer = client.ask(30, &[("topic", "T"), ("queueId", "2")], "").await;
        let end = number(&answer, "offset");
        if end < count {
            client.wait_for("T", 2, end).await;
        }
        broker = broker.restart(&[]).await;
        client = broker.connect().await;
    }
    let mut last = -1;
    let mut at = 0;
    while at < count {
        for message in client.wait_for("T", 2, at).await {
            let number: i64 = String::from_utf8(message.body).unwrap().parse().unwrap();
            assert_eq!(number, last + 1, "at {at}");
            (last, at) = (number, at + 1);
        }
    }
    broker.stop().await;
}

/// Metadata outlived its store, or runs ahead of what a power loss left of it.
#[tokio::test]
async fn progress_past_the_end_of_a_queue_loses_no_message() {
    for noted in [7, i64::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("store/config");
        std::fs::create_dir_all(&config).unwrap();
        let text = format!(r#"{{"offsetTable":{{1:{noted},99:5}}}}"#);
        std::fs::write(config.join("delayOffset.json"), text).unwrap();
        let broker = TestBroker::start_in(dir, &[]).await;
        let mut client = broker.connect().await;
        client.store(&delayed()).await;
        assert_eq!(client.wait_for("T", 2, 0).await.len(), 1, "{noted}");
        broker.stop().await;
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_delivered_holds_up_no_other() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&delayed()).await;
    let state = broker.broker();
    let queue = state.store.queue(&Topic::parse_stored(SCHEDULE_TOPIC).unwrap(), QueueId(0));
    let properties = |entries: &[(&str, &str)]| crate::clients::fixture::messages::properties(entries);
    for bad in [
        properties(&[]),
        properties(&[("REAL_TOPIC", "T")]),
        properties(&[("REAL_TOPIC", "T"), ("REAL_QID", "-1")]),
        properties(&[("REAL_TOPIC", "../etc"), ("REAL_QID", "0")]),
        properties(&[("REAL_TOPIC", HALF_TOPIC), ("REAL_QID", "0")]),
    ] {
        let mut batch = AppendBatch::new();
        let plain = RecordFields::plain(SCHEDULE_TOPIC, QueueId(0), state.identity.address, b"bad");
        let fields = RecordFields { properties: bad.as_bytes(), ..plain };
        batch.push(&queue, &fields).unwrap();
        state.store.append(&mut batch).unwrap();
    }
    client.store(&Sending { body: b"behind", ..delayed() }).await;
    client.wait_for("T", 2, 0).await;
    assert_eq!(&client.wait_for("T", 2, 1).await[0].body[..], b"behind");
    progress_becomes(&broker, BTreeMap::from([(1, 7)])).await;
    broker.stop().await;
}

#[test]
fn a27_a_delay_is_as_long_as_it_should_be_whatever_is_done_to_the_clock() {
    use boostermq_store::clock::{Clock, ManualClock};
    const NOON: i64 = 1_700_000_000_000;
    const HOUR: i64 = 3_600_000;
    let delay = Duration::from_secs(30);
    // Set by this much ten seconds after the message was stored; then the seconds until it is delivered.
    for (by, least, most) in [(0, 20, 20), (24 * HOUR, 20, 20), (-HOUR, 20, 23), (1000, 20, 20), (-1000, 20, 23)] {
        let clock = Arc::new(ManualClock::new(NOON));
        let time = StoreTime::new(clock.clone(), 0);
        let stored = time.now_ms();
        clock.advance(10_000);
        clock.set(clock.now_ms() + by);
        let mut seconds = 0;
        while !left(&time, stored, delay).is_zero() {
            clock.advance(1000);
            seconds += 1;
            assert!(seconds <= most, "set by {by}: held for too long");
        }
        assert!(seconds >= least, "set by {by}: early, after {seconds} s");
    }
}

#[tokio::test]
async fn a27_a_clock_that_is_set_delivers_nothing_early_and_holds_nothing_back() {
    use boostermq_store::clock::{Clock, ManualClock, SystemClock};
    let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
    let broker = TestBroker::start_by(clock.clone(), tempfile::tempdir().unwrap(), &[]).await;
    let mut client = broker.connect().await;
    for (round, by) in [24 * 3_600_000, -3_600_000, -24 * 3_600_000].into_iter().enumerate() {
        let round = round as i64;
        client.store(&delayed()).await;
        broker.dispatched().await;
        clock.set(clock.now_ms() + by);
        broker.broker().schedule.wake.notify_one();
        for _ in 0..50 {
            assert_eq!(client.everything("T", 2).await.len() as i64, round, "early: no time has passed");
        }
        // A tenth more, while the store's time is slower than the machine's.
        clock.advance(1200);
        broker.broker().schedule.wake.notify_one();
        client.wait_for("T", 2, round).await;
    }
    let delivered = client.everything("T", 2).await;
    assert!(delivered.is_sorted_by_key(|message| message.store_timestamp), "store times never fall");
    broker.stop().await;
}

#[tokio::test]
async fn all_eighteen_levels_deliver_and_catch_up_after_a_stop() {
    let delays = ["1s"; 18].join(" ");
    let keys = [("messageDelayLevel", delays.as_str())];
    let mut broker = TestBroker::start(&keys).await;
    for round in 0..2_i64 {
        let mut client = broker.connect().await;
        for level in 1..=18 {
            let level = level.to_string();
            client.store(&Sending { properties: &[("DELAY", &level)], ..Sending::default() }).await;
        }
        // The second time they wait while the broker is down.
        if round == 1 {
            drop(client);
            broker = broker.restart(&keys).await;
            client = broker.connect().await;
        }
        for offset in round * 18..round * 18 + 18 {
            // One after the other: a pull far beyond the end is not held.
            client.wait_for("T", 0, offset).await;
        }
        let delivered = client.everything("T", 0).await;
        let mut levels: Vec<i32> = delivered
            .iter()
            .skip(round as usize * 18)
            .map(|message| message.properties.get("DELAY").unwrap().parse().unwrap())
            .collect();
        levels.sort_unstable();
        assert_eq!(levels, (1..=18).collect::<Vec<_>>());
        progress_becomes(&broker, (1..=18).map(|level| (level, round + 1)).collect()).await;
    }
    broker.stop().await;
}
