//! Tests of rates and days.

use super::counters::GroupGets;
use super::*;

fn stats(now_ms: i64) -> BrokerStats {
    BrokerStats::new(now_ms, &BrokerConfig::default())
}

#[test]
fn three_rates_are_told_from_the_start_on() {
    let stats = stats(0);
    assert_eq!(stats.rates(Rate::Transferred), "0.0 0.0 0.0");
    for second in 0..=60 {
        stats.take_sample(second * 1000);
        stats.fetched(if second < 30 { 6 } else { 3 });
    }
    assert_eq!(stats.rates(Rate::Transferred), "3.0 4.5 4.5");
    assert_eq!(stats.rates(Rate::GetFound), "1.0 1.0 1.0");
    assert_eq!(stats.rates(Rate::Put), "0.0 0.0 0.0");
    for second in 61..=1000 {
        stats.take_sample(second * 1000);
    }
    assert_eq!(stats.rates(Rate::Transferred), "0.0 0.0 0.0");
}

#[test]
fn midnight_marks_the_day_of_what_users_get() {
    // A day apart it is another day in every time zone.
    let stats = stats(0);
    let (users, own) = (GroupGets::new(&stats, "T", "g"), GroupGets::new(&stats, "SCHEDULE_TOPIC_XXXX", "g"));
    users.count(&stats, 5, 500);
    own.count(&stats, 100, 100);
    stats.take_sample(DAY_MS);
    users.count(&stats, 2, 200);
    assert_eq!(stats.days().1, [0, 5, 7]);
    stats.take_sample(2 * DAY_MS);
    assert_eq!(stats.days().1, [5, 7, 7]);
    let total = |name| stats.items.find(name, "DefaultCluster").unwrap().total();
    assert_eq!((total("BROKER_GET_NUMS"), total("BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC")), (107, 7));
    assert_eq!(stats.items.find("GROUP_GET_SIZE", "T@g").unwrap().total(), 700);
}
