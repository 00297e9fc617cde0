//! Tests of the timer with a store of its own and a clock moved by hand, and of its threads with a whole broker.

use std::sync::Arc;

use boostermq_remoting::message::properties::append;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::{RecordFields, Records};
use boostermq_remoting::names::QueueId;
use boostermq_store::clock::{Clock, ManualClock};
use boostermq_store::{GetRequest, StoreOptions};
use tempfile::TempDir;

use super::due::{Due, Wish};
use super::*;
use crate::clients::fixture::TestBroker;
use crate::clients::fixture::messages::Sending;
use crate::config::BrokerConfig;

/// Begin of a tick.
const START: i64 = 1_700_000_000_000;

struct Bench {
    dir: TempDir,
    clock: Arc<ManualClock>,
    store: MessageStore,
    stats: BrokerStats,
    timer: Timer,
    config: StoreConfig,
}

/// A delivered message: key, when, properties.
#[derive(Debug)]
struct Delivered {
    key: String,
    at_ms: i64,
    properties: Vec<(String, String)>,
}

impl Delivered {
    fn get(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut StoreConfig)) -> Self {
        let mut config = StoreConfig::default();
        config.mapped_file_size_timer_log.0 = 65_536;
        change(&mut config);
        Self::open(tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(START)), config)
    }

    fn open(dir: TempDir, clock: Arc<ManualClock>, config: StoreConfig) -> Self {
        let mut options = StoreOptions::new(dir.path());
        options.commit_log_file_size = 1 << 20;
        (options.index_slots, options.index_entries) = (500, 2000);
        options.transfer_count_in_memory = 100_000;
        options.transfer_bytes_in_memory = 100 << 20;
        let store = MessageStore::open(options, clock.clone()).unwrap();
        let timer = Timer::open(&store, &config, &dir.path().join("config"), clock.now_ms()).unwrap();
        let stats = BrokerStats::new(clock.now_ms(), &BrokerConfig::default());
        Self { dir, clock, store, stats, timer, config }
    }

    /// As after a kill.
    fn die(self) -> Self {
        let Self { dir, clock, store, timer, config, .. } = self;
        drop((timer, store));
        Self::open(dir, clock, config)
    }

    /// As after an orderly stop.
    fn restart(self) -> Self {
        self.snapshot();
        self.store.close().unwrap();
        self.die()
    }

    fn snapshot(&self) {
        self.timer.write_snapshot(&self.store, self.clock.now_ms(), |store, _| store.flush().is_ok());
    }

    /// Stores what a send with this delay stores.
    fn send(&self, key: &str, delay_ms: i64) {
        self.send_more(key, delay_ms, &[]);
    }

    fn send_more(&self, key: &str, delay_ms: i64, more: &[(&str, &str)]) {
        let text = delay_ms.to_string();
        let wish = Wish { delay_ms: Some(&text), ..Wish::default() };
        let Ok(Due::At(slot_ms)) = wish.due(self.clock.now_ms(), 1000, i64::MAX) else { panic!("{delay_ms}") };
        let mut entries = vec![("UNIQ_KEY", key.to_owned()), ("TIMER_DELAY_MS", text.clone())];
        entries.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        entries.extend([
            ("TIMER_OUT_MS", slot_ms.to_string()),
            ("REAL_TOPIC", "T".to_owned()),
            ("REAL_QID", "3".to_owned()),
        ]);
        self.store_in_wheel(&entries);
    }

    fn store_in_wheel(&self, entries: &[(&str, String)]) {
        let mut properties = Vec::new();
        for (name, value) in entries {
            append(&mut properties, name, value);
        }
        let host = "127.0.0.1:10911".parse().unwrap();
        let plain = RecordFields::plain(WHEEL_TOPIC, WHEEL_QUEUE, host, b"body");
        let fields = RecordFields { flag: 7, born_timestamp: 5, reconsume_times: 2, properties: &properties, ..plain };
        let mut batch = AppendBatch::new();
        batch.push(&self.timer.queue(&self.store), &fields).unwrap();
        self.store.append(&mut batch).unwrap();
        self.store.dispatch_now();
    }

    fn recall(&self, key: &str, delay_ms: i64) {
        self.send_more("recall", delay_ms, &[("TIMER_DEL_UNIQKEY", key)]);
    }

    fn turn(&self) -> Result<Next, TimerTrouble> {
        let now_ms = self.clock.now_ms();
        let (store, stats) = (&self.store, &self.stats);
        self.timer.turn(&Scene { store, stats, metrics: None, now_ms, stops_intake: false, stops_delivery: false })
    }

    /// Works until there is nothing to do; what the thread would do then.
    fn work(&self) -> Next {
        loop {
            match self.turn().unwrap() {
                Next::Again => {}
                next => return next,
            }
        }
    }

    /// Moves the clock in steps of half a tick and works at each.
    fn pass(&self, ms: i64) {
        for _ in 0..ms / 500 {
            self.clock.advance(500);
            self.work();
        }
    }

    fn queue(&self, topic: &str, queue_id: QueueId) -> Vec<Delivered> {
        let mut all = Vec::new();
        loop {
            let queue_offset = QueueOffset(all.len() as i64);
            let request = GetRequest { topic, queue_id, queue_offset, max_messages: 10_000, filter: None };
            let found = self.store.get(&request).unwrap();
            if found.message_count == 0 {
                return all;
            }
            for record in found.slices.iter().flat_map(|slice| Records::new(slice)) {
                let record = record.unwrap();
                assert_eq!((record.flag(), record.born_timestamp(), record.reconsume_times()), (7, 5, 2));
                assert_eq!(record.body(), b"body");
                let properties = record.properties().iter();
                all.push(Delivered {
                    key: record.properties().get(property::UNIQ_KEY).unwrap_or_default().to_owned(),
                    at_ms: record.store_timestamp() - START,
                    properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                });
            }
        }
    }

    fn delivered(&self) -> Vec<Delivered> {
        self.queue("T", QueueId(3))
    }

    fn keys(&self) -> Vec<String> {
        self.delivered().into_iter().map(|message| message.key).collect()
    }

    fn count(&self) -> i64 {
        self.timer.counts.look().timing_count.get("T").map_or(0, |count| count.count)
    }
}

#[test]
fn nothing_is_delivered_early_or_a_tick_late() {
    let bench = Bench::new();
    bench.clock.advance(300);
    let delays = [1, 500, 700, 701, 999, 1000, 1699, 1700, 1701, 5000, 61_234];
    for delay in delays {
        bench.send(&delay.to_string(), delay);
    }
    assert_eq!(bench.work(), Next::At(START + 1000));
    assert_eq!(bench.count(), delays.len() as i64);
    for _ in 0..630 {
        bench.clock.advance(100);
        bench.work();
    }
    let delivered = bench.delivered();
    assert_eq!(delivered.len(), delays.len());
    for message in &delivered {
        let delay: i64 = message.key.parse().unwrap();
        let late_ms = message.at_ms - (300 + delay);
        assert!((0..1000).contains(&late_ms), "{late_ms} {message:?}");
        assert_eq!(message.get("TIMER_ENQUEUE_MS"), Some("1700000000000"));
        assert_eq!(message.get("TIMER_DEQUEUE_MS"), Some((START + message.at_ms).to_string().as_str()));
        assert_eq!((message.get("REAL_TOPIC"), message.get("REAL_QID")), (Some("T"), Some("3")));
        assert_eq!(message.get("TIMER_ROLL_TIMES"), None);
    }
    // Those of one tick come in the order they were sent.
    assert_eq!(bench.keys()[..7], ["1", "500", "700", "701", "999", "1000", "1699"]);
    assert_eq!((bench.count(), bench.work()), (0, Next::Arrival));
}

#[test]
fn a_clock_that_is_set_delivers_nothing_early() {
    let bench = Bench::new();
    bench.send("an hour", 3_600_000);
    bench.clock.set(START + 3_700_000);
    bench.work();
    assert_eq!(bench.keys(), ["an hour"]);
    // Back again: what is sent now is due by the clock as it is now, though later ticks were given out.
    bench.clock.set(START);
    bench.send("ten seconds", 10_000);
    assert_eq!(bench.work(), Next::At(START + 10_000));
    bench.pass(9_500);
    assert_eq!(bench.keys().len(), 1);
    let bench = bench.die();
    bench.pass(500);
    assert_eq!(bench.keys(), ["an hour", "ten seconds"]);
}

#[test]
fn what_lies_beyond_the_wheel_comes_back_until_it_is_due() {
    let bench = Bench::with(|config| config.timer_roll_window_slot = 6);
    bench.send("far", 20_700);
    bench.send("near", 5_000);
    bench.work();
    bench.pass(20_500);
    assert_eq!(bench.keys(), ["near"]);
    let bench = bench.restart();
    bench.pass(500);
    let far = bench.delivered().remove(1);
    assert_eq!((far.key.as_str(), far.at_ms), ("far", 21_000));
    // 6 + 6 + 3 and the rest: 20 are 6 and 14 left, 14 are 6 and 8, 8 are 3 (little would be left) and 5.
    assert_eq!(far.get("TIMER_ROLL_TIMES"), Some("3"));
    assert_eq!(far.properties.iter().filter(|(name, _)| name == "TIMER_DEQUEUE_MS").count(), 1);
    assert_eq!(bench.count(), 0);
}

#[test]
fn a_recalled_message_is_not_delivered() {
    let bench = Bench::with(|config| config.timer_roll_window_slot = 6);
    for (key, delay) in [("one", 3000), ("two", 3000), ("three", 3000), ("far", 20_000)] {
        bench.send(key, delay);
    }
    bench.recall("one", 3000);
    bench.recall("T+two", 3000);
    // Meets nothing: another topic, another tick, another key.
    bench.recall("U+three", 3000);
    bench.recall("three", 4000);
    bench.recall("four", 3000);
    bench.recall("far", 20_000);
    bench.work();
    bench.pass(25_000);
    assert_eq!(bench.keys(), ["three"]);
    assert_eq!((bench.count(), bench.timer.look(&bench.store, bench.clock.now_ms()).pending), (0, 0));
}

#[test]
fn every_message_is_delivered_once_whenever_the_broker_dies() {
    /// More than are appended at once.
    const MANY: usize = 1200;
    for deaths in 0..12 {
        let mut bench = Bench::with(|config| config.timer_roll_window_slot = 8);
        // Alike in all that tells messages apart: a producer that had no answer sends once more.
        for _ in 0..2 {
            bench.send("twin", 4000);
        }
        for at in 0..MANY {
            bench.send(&at.to_string(), 4000 + (at as i64 % 2) * 20_000);
        }
        bench.recall("7", 24_000);
        let mut step = 0;
        loop {
            // Dies after some steps, and writes a snapshot after others.
            step += 1;
            if step % 5 == 2 {
                bench.snapshot();
            }
            if deaths > 0 && step % deaths == 0 && step < 100 {
                bench = bench.die();
            }
            if bench.turn().unwrap() != Next::Again {
                if bench.clock.now_ms() > START + 30_000 {
                    break;
                }
                bench.clock.advance(500);
            }
        }
        let mut keys = bench.keys();
        keys.sort();
        let mut expected: Vec<_> = (0..MANY).filter(|at| *at != 7).map(|at| at.to_string()).collect();
        expected.extend(["twin".to_owned(), "twin".to_owned()]);
        expected.sort();
        let differs = keys.iter().zip(&expected).position(|(found, expected)| found != expected);
        assert_eq!((keys.len(), differs), (expected.len(), None), "deaths: {deaths}");
        assert!(bench.delivered().iter().all(|message| message.at_ms >= 4000));
    }
}

#[test]
fn what_was_due_while_the_broker_was_down_comes_at_once() {
    let bench = Bench::new();
    bench.send("a", 2000);
    bench.send("recalled", 3000);
    bench.work();
    bench.send("b", 2000);
    bench.recall("recalled", 3000);
    let bench = bench.die();
    bench.clock.advance(5 * 86_400_000);
    bench.work();
    assert_eq!(bench.keys(), ["a", "b"], "the recall counts though both were overdue");
    assert_eq!(bench.work(), Next::Arrival);
}

#[test]
fn a_store_that_takes_nothing_is_tried_again() {
    let bench = Bench::new();
    bench.send("a", 1000);
    bench.work();
    bench.clock.advance(2000);
    bench.store.set_writeable(false);
    assert!(matches!(bench.turn(), Err(TimerTrouble::Append(_))));
    assert!(bench.turn().is_err());
    let look = bench.timer.look(&bench.store, bench.clock.now_ms());
    assert_eq!((look.read_behind_s, look.pending), (1, 1));
    bench.store.set_writeable(true);
    bench.work();
    assert_eq!((bench.keys(), bench.count()), (vec!["a".to_owned()], 0));
}

#[test]
fn a_message_that_makes_no_sense_holds_up_nobody() {
    let bench = Bench::new();
    let out = || ("TIMER_OUT_MS", (START + 1000).to_string());
    let real = || ("REAL_TOPIC", "T".to_owned());
    for entries in [
        vec![],
        vec![real()],
        vec![out()],
        vec![("TIMER_OUT_MS", "soon".to_owned()), real()],
        vec![out(), real()],
        vec![out(), real(), ("REAL_QID", "-1".to_owned())],
        vec![out(), ("REAL_TOPIC", "../T".to_owned()), ("REAL_QID", "3".to_owned())],
        vec![out(), ("REAL_TOPIC", "RMQ_SYS_TRANS_HALF_TOPIC".to_owned()), ("REAL_QID", "0".to_owned())],
        vec![("TIMER_OUT_MS", i64::MIN.to_string()), real(), ("REAL_QID", "3".to_owned())],
    ] {
        bench.store_in_wheel(&entries);
    }
    bench.send("good", 2000);
    bench.pass(3000);
    assert_eq!(bench.keys(), ["", "good"], "one is long overdue, one is good");
}

#[test]
fn switches_hold_intake_and_delivery() {
    let bench = Bench::new();
    let turn = |stops_intake, stops_delivery| {
        let (store, stats, now_ms) = (&bench.store, &bench.stats, bench.clock.now_ms());
        bench.timer.turn(&Scene { store, stats, metrics: None, now_ms, stops_intake, stops_delivery }).unwrap()
    };
    bench.send("a", 1000);
    assert_eq!(turn(true, false), Next::Arrival);
    assert_eq!(bench.timer.look(&bench.store, START).offset_behind, 1);
    assert_eq!(turn(false, true), Next::Again);
    bench.clock.advance(5000);
    assert_eq!(turn(false, true), Next::Arrival);
    assert!(bench.keys().is_empty());
    bench.work();
    assert_eq!(bench.keys(), ["a"]);
}

#[test]
fn a_tick_that_has_too_many_refuses_more_and_more() {
    let bench = Bench::new();
    for at in 0..15 {
        bench.send(&at.to_string(), 5000);
    }
    bench.work();
    let slot_ms = START + 4000;
    let refused = |limit: i64| (0..1000).filter(|draw| bench.timer.refuses(slot_ms, limit, *draw)).count();
    for (limit, expected) in [(i64::from(i32::MAX), 0), (15, 0), (10, 499), (7, 1000), (1, 1000)] {
        assert_eq!(refused(limit), expected, "{limit}");
    }
    assert!(!bench.timer.refuses(slot_ms + 1000, 0, 0));
}

#[test]
fn counts_are_made_anew_after_a_crash() {
    let bench = Bench::new();
    for at in 0..5 {
        bench.send(&at.to_string(), 1000 + at * 1000);
    }
    bench.work();
    bench.snapshot();
    bench.pass(2000);
    let bench = bench.die();
    bench.work();
    assert_eq!((bench.count(), bench.keys().len()), (3, 2));
}

#[tokio::test]
async fn a_whole_broker_delivers_by_itself_and_goes_on_after_a_stop() {
    let (broker, clock) = TestBroker::start_timeless(&[("mappedFileSizeTimerLog", "65536")]).await;
    let mut client = broker.connect().await;
    let timed = |key: &'static str, ms: &'static str| [("UNIQ_KEY", key), ("TAGS", "A"), ("TIMER_DELAY_MS", ms)];
    let (soon, later) = (timed("soon", "1"), timed("later", "2000"));
    client.store(&Sending { queue_id: 2, properties: &later, ..Sending::default() }).await;
    client.store(&Sending { queue_id: 2, properties: &soon, ..Sending::default() }).await;
    clock.advance(1000);
    let delivered = client.wait_for("T", 2, 0).await.remove(0);
    assert_eq!(delivered.properties.get("UNIQ_KEY"), Some("soon"));
    let check_point = client.ask(60, &[], "").await;
    assert_eq!((check_point.code, check_point.body.len()), (0, 56));
    let metrics = client.ask_ok(61, &[], "").await;
    assert!(metrics.contains(r#""T":{"count":1,"#), "{metrics}");
    let info = client.ask_ok(28, &[], "").await;
    assert!(info.contains(r#""timerCongestNum":"1""#), "{info}");
    drop(client);
    let broker = broker.restart_by(clock.clone(), &[("mappedFileSizeTimerLog", "65536")]).await;
    let mut client = broker.connect().await;
    clock.advance(2000);
    let delivered = client.wait_for("T", 2, 1).await.remove(0);
    assert_eq!(delivered.properties.get("UNIQ_KEY"), Some("later"));
    assert!(
        delivered.store_timestamp >= delivered.properties.get("TIMER_OUT_MS").unwrap().parse::<i64>().unwrap() + 1000
    );
    broker.stop().await;
}

#[tokio::test]
async fn a_broker_without_a_timer_says_so() {
    let broker = TestBroker::start(&[("timerWheelEnable", "false")]).await;
    let mut client = broker.connect().await;
    let sending = Sending { properties: &[("TIMER_DELAY_SEC", "5")], ..Sending::default() };
    let answer = client.ask_command(sending.request()).await;
    let remark = "accurate timer message is not enabled, timerWheelEnable is false";
    assert_eq!((answer.code, answer.remark.as_deref()), (1, Some(remark)));
    for code in [60, 61] {
        assert_eq!(client.ask(code, &[], "").await.code, 1, "{code}");
    }
    broker.stop().await;
}
