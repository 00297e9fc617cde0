use super::*;

const NOON: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn time() -> (Arc<ManualClock>, StoreTime) {
    let clock = Arc::new(ManualClock::new(NOON));
    (Arc::clone(&clock), StoreTime::new(clock, 0))
}

#[test]
fn time_goes_on_evenly_over_a_step_back() {
    let (clock, time) = time();
    clock.advance(1000);
    assert_eq!(time.now_ms(), NOON + 1000);
    clock.advance(-HOUR);
    assert_eq!(time.now_ms(), NOON + 1000, "as it was");
    // Nine tenths as fast, until the machine has caught up after ten hours.
    for minutes in [1, 10, 60, 120] {
        let before = time.now_ms();
        for _ in 0..minutes {
            clock.advance(60_000);
            time.observe();
        }
        assert_eq!(time.now_ms() - before, minutes * 54_000, "{minutes}");
    }
    for _ in 0..600 {
        clock.advance(60_000);
        time.observe();
    }
    assert_eq!(time.now_ms(), clock.now_ms());
}

#[test]
fn many_looks_slow_down_as_few_do() {
    let (clock, time) = time();
    clock.advance(-HOUR);
    time.observe();
    for _ in 0..10_000 {
        clock.advance(1);
        let _ = time.now_ms();
        time.observe();
    }
    assert_eq!(time.now_ms(), NOON + 9000);
}

#[test]
fn a_step_forward_is_followed_and_does_not_count_as_time() {
    let (clock, time) = time();
    let stored = time.now_ms();
    clock.advance(5000);
    clock.set(NOON + 5000 + DAY);
    assert_eq!(time.elapsed_ms(stored), 5000);
    let stored_after = time.now_ms();
    assert_eq!(stored_after, NOON + 5000 + DAY, "people search by it");
    clock.advance(7000);
    assert_eq!((time.elapsed_ms(stored), time.elapsed_ms(stored_after)), (12_000, 7000));
    // Between the two there was no time; whoever says so was told by another clock.
    assert_eq!(time.elapsed_ms(NOON + HOUR), DAY - HOUR + 12_000);
    assert_eq!(time.elapsed_ms(NOON + 2 * DAY), 0, "a time to come");
}

#[test]
fn repeated_steps_neither_take_time_back_nor_shorten_it() {
    let (clock, time) = time();
    let stored = time.now_ms();
    let mut last = stored;
    for (round, by) in [HOUR, -HOUR, -DAY, 2 * DAY, -DAY, 30_000, -30_000].into_iter().cycle().take(70).enumerate() {
        clock.set(clock.now_ms() + by);
        let now = time.now_ms();
        assert!(now >= last, "round {round}: {now} after {last}");
        clock.advance(1000);
        let now = time.now_ms();
        assert!(now > last, "round {round}: {now} after {last}");
        last = now;
        let passed = (round as i64 + 1) * 1000;
        let elapsed = time.elapsed_ms(stored);
        assert!(elapsed <= passed && elapsed >= passed * 8 / 10, "round {round}: {elapsed} of {passed}");
    }
}

#[test]
fn time_begins_at_the_last_message() {
    let clock = Arc::new(ManualClock::new(NOON));
    let time = StoreTime::new(clock.clone(), NOON + HOUR);
    assert_eq!(time.now_ms(), NOON + HOUR);
    clock.advance(10_000);
    time.observe();
    assert_eq!(time.now_ms(), NOON + HOUR + 9000);
    assert_eq!(time.take_set_by_ms(), 0, "nobody has set it");
    // Set right: no time has passed.
    clock.set(clock.now_ms() + HOUR);
    assert_eq!(time.elapsed_ms(NOON + HOUR), 9000);
    assert_eq!((time.take_set_by_ms(), time.take_set_by_ms()), (HOUR, 0));
}

#[test]
fn the_machine_has_a_counter_that_only_grows() {
    let (first, now) = (SystemClock.steady_ms(), SystemClock.now_ms());
    assert!(first > 0 && SystemClock.steady_ms() >= first && now > NOON);
}
