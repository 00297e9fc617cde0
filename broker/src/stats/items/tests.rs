//! Tests of windows and of what goes with a topic or a group.

use super::*;

const SECOND: i64 = 1000;

fn sums(data: &BrokerStatsData) -> [i64; 3] {
    [data.stats_minute.sum, data.stats_hour.sum, data.stats_day.sum]
}

#[test]
fn a_minute_is_what_came_between_seven_looks() {
    let statistics = Statistics::default();
    let item = statistics.item(Statistic::TopicPutNums, "T");
    assert_eq!(item.windows(), BrokerStatsData::default());
    item.add(30, 3);
    assert_eq!(item.windows(), BrokerStatsData::default(), "nothing shows before the first look");
    statistics.look(0, Span::Minute);
    let minute = item.windows().stats_minute;
    assert_eq!((minute.sum, minute.tps, minute.avgpt), (30, 3.0, 10.0));
    for look in 1..=5 {
        statistics.look(look * 10 * SECOND, Span::Minute);
    }
    let minute = item.windows().stats_minute;
    assert_eq!((minute.sum, minute.tps), (30, 0.5));
    // The seventh look pushes out the moment before the first.
    statistics.look(60 * SECOND, Span::Minute);
    assert_eq!(item.windows().stats_minute.sum, 0);
    assert_eq!(statistics.per_second(Statistic::TopicPutNums, "T"), 0.0);
    assert_eq!(item.total(), 30);
}

#[test]
fn each_window_has_looks_of_its_own() {
    let statistics = Statistics::default();
    let item = statistics.item(Statistic::GroupGetNums, "T@g");
    for second in 1..=3 * 3600_i64 {
        item.add(2, 1);
        for (span, every) in [(Span::Minute, 10), (Span::Hour, 600), (Span::Day, 3600)] {
            if second % every == 0 {
                statistics.look(second * SECOND, span);
            }
        }
    }
    assert_eq!(sums(&item.windows()), [120, 7200, 21_600]);
    let day = item.windows().stats_day;
    assert_eq!((day.tps, day.avgpt), (2.0, 2.0));
}

#[test]
fn looks_in_a_burst_count_once() {
    let statistics = Statistics::default();
    let item = statistics.item(Statistic::TopicPutNums, "T");
    item.add(10, 10);
    for at in [0, 1, 2, 3, 4, 5, 6, 7, 8] {
        statistics.look(at, Span::Minute);
    }
    assert_eq!(item.windows().stats_minute.tps, 1.0);
}

#[test]
fn a_topic_or_group_takes_its_counts_along() {
    let keys = [
        (Statistic::TopicPutNums, "T"),
        (Statistic::TopicPutLatency, "0@T"),
        (Statistic::GroupGetNums, "T@g"),
        (Statistic::GroupGetLatency, "0@T@g"),
        (Statistic::GroupGetLatency, "T@g"),
        (Statistic::QueuePutNums, "T@0"),
        (Statistic::QueueGetNums, "T@0@g"),
        (Statistic::GroupGetNums, "TT@gg"),
        (Statistic::BrokerPutNums, "T"),
    ];
    let left = |forget: fn(&Statistics)| {
        let statistics = Statistics::default();
        for (statistic, key) in keys {
            statistics.add(statistic, key, 1, 1);
        }
        let before = statistics.generation();
        forget(&statistics);
        assert!(statistics.generation() > before);
        let name = |statistic| Statistic::ALL.iter().find(|(known, ..)| *known == statistic).unwrap().1;
        let is_left = |(statistic, key): &(Statistic, &str)| statistics.find(name(*statistic), key).is_some();
        keys.iter().filter(|key| is_left(key)).map(|(_, key)| *key).collect::<Vec<_>>()
    };
    assert_eq!(left(|statistics| statistics.forget_topic("T")), ["TT@gg", "T"]);
    assert_eq!(left(|statistics| statistics.forget_group("g")), ["T", "0@T", "T@0", "TT@gg", "T"]);
    assert_eq!(left(|statistics| statistics.forget_group("gone")).len(), keys.len());
}

#[test]
fn idle_items_go_after_their_time() {
    let statistics = Statistics::default();
    let moving = statistics.item(Statistic::TopicPutNums, "moving");
    statistics.item(Statistic::TopicPutNums, "idle").add(1, 1);
    for at in [0, 10, 20] {
        moving.add(1, 1);
        statistics.look(at * SECOND, Span::Minute);
    }
    statistics.forget_idle(15 * SECOND);
    assert!(statistics.find("TOPIC_PUT_NUMS", "idle").is_none());
    assert!(statistics.find("TOPIC_PUT_NUMS", "moving").is_some());
    assert!(statistics.find("NO_SUCH", "moving").is_none());
}

#[test]
fn keys_beyond_the_room_are_not_counted() {
    let statistics = Statistics::default();
    for number in 0..=ITEMS_MAX {
        statistics.add(Statistic::TopicPutNums, &number.to_string(), 1, 1);
    }
    assert!(statistics.find("TOPIC_PUT_NUMS", "7").is_some());
    assert!(statistics.find("TOPIC_PUT_NUMS", &ITEMS_MAX.to_string()).is_none());
}

/// A window as upstream keeps it: every look.
fn model(counted: &[(i64, i64)], most: usize) -> (i64, f64) {
    let mut looks = std::collections::VecDeque::new();
    for (at_ms, value) in counted {
        if looks.is_empty() {
            looks.push_back((at_ms - 10_000, 0));
        }
        looks.push_back((*at_ms, *value));
        if looks.len() > most {
            looks.pop_front();
        }
    }
    let (Some(first), Some(last)) = (looks.front(), looks.back()) else { return (0, 0.0) };
    (last.1 - first.1, (last.1 - first.1) as f64 * 1000.0 / (last.0 - first.0) as f64)
}

#[test]
fn what_is_kept_says_what_every_look_would() {
    let patterns: [&[i64]; 6] = [
        &[0; 20],
        &[1; 20],
        &[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 0, 0, 9, 0, 0, 0, 0, 0, 3, 3],
        &[2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0],
        &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
    ];
    for pattern in patterns {
        let item = Item::default();
        let (mut counted, mut total) = (Vec::new(), 0);
        for (number, add) in pattern.iter().enumerate() {
            item.add(*add, i64::from(*add > 0));
            total += add;
            // Looks are never quite on time.
            let at_ms = 5000 + number as i64 * 10_000 + (number as i64 * 7919) % 90;
            counted.push((at_ms, total));
            item.look(at_ms, Span::Minute);
            let (sum, tps) = model(&counted, 7);
            let found = item.windows().stats_minute;
            assert_eq!(found.sum, sum, "{pattern:?} after {number}");
            assert!((found.tps - tps).abs() <= tps * 0.01, "{pattern:?} after {number}: {} for {tps}", found.tps);
        }
        assert!(item.windows.lock().minute.looks.len() <= 7);
    }
    let idle = Item::default();
    idle.add(1, 1);
    for number in 0..100 {
        idle.look(number * 10_000, Span::Minute);
    }
    assert_eq!(idle.windows.lock().minute.looks.len(), 1, "what does not move is one look");
}
