//! Texts as Java prints them, where upstream's output shows one: times, permissions, maps.
//!
//! A Java hash map prints its entries in the order of their hashes. That order is the same in every run, so outputs
//! of upstream's tool and of this one can be compared line by line: [`hash_order`].

use std::fmt::Display;

pub use boostermq_remoting::code::version_name;
use boostermq_remoting::message::tags::java_string_hash;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Buckets of a Java hash map that was made without a capacity.
pub const DEFAULT_BUCKETS: usize = 16;
/// Buckets of the map that holds the properties of a message.
pub const PROPERTY_BUCKETS: usize = 128;

/// Puts `items`, which stand in the order of their insertion, into the order in which a Java hash map or set gives
/// them out: one that began with `buckets` buckets, a power of two.
pub fn hash_order<T>(items: &mut [T], buckets: usize, hash: impl Fn(&T) -> i32) {
    let mut buckets = buckets.max(1);
    while items.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    // Items of one bucket keep their order.
    items.sort_by_key(|item| {
        let hash = hash(item) as u32;
        (hash ^ (hash >> 16)) & mask
    });
}

/// [`hash_order`] of strings in a map made without a capacity.
pub fn string_order<T: AsRef<str>>(items: &mut [T]) {
    hash_order(items, DEFAULT_BUCKETS, |item| java_string_hash(item.as_ref()));
}

/// A map as Java prints one: `{a=1, b=2}`.
pub fn map_text<K: Display, V: Display>(entries: impl IntoIterator<Item = (K, V)>) -> String {
    let entries: Vec<String> = entries.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// The first `length` characters of a name that may be too long for its column.
#[must_use]
pub fn front(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// Milliseconds since 1970 as local time, `2026-11-22 17:37:53,951`.
#[must_use]
pub fn local_time(time_ms: i64) -> String {
    formatted(time_ms, "%Y-%m-%d %H:%M:%S,%3f")
}

/// Milliseconds since 1970 as local time to the second, `2026-11-22 17:37:53`.
#[must_use]
pub fn local_seconds(time_ms: i64) -> String {
    formatted(time_ms, "%Y-%m-%d %H:%M:%S")
}

/// Milliseconds since 1970 as local time without separators, `20261122173753951`.
#[must_use]
pub fn compact_time(time_ms: i64) -> String {
    formatted(time_ms, "%Y%m%d%H%M%S%3f")
}

fn formatted(time_ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime(format).to_string(),
        // No clock shows such a time: the number says more.
        Err(_) => time_ms.to_string(),
    }
}

/// Puts keys, which stand in the order of their insertion, into the order in which Java's `Properties` gives them out:
/// that of a `ConcurrentHashMap` which began with sixteen bins and is doubled when it is three quarters full.
#[must_use]
pub fn properties_order<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let spread = |key: &str| {
        let hash = java_string_hash(key) as u32;
        ((hash ^ (hash >> 16)) & 0x7fff_ffff) as usize
    };
    let mut bins: Vec<Vec<&str>> = vec![Vec::new(); DEFAULT_BUCKETS];
    let mut count = 0;
    for key in keys {
        let at = spread(key) & (bins.len() - 1);
        if let Some(bin) = bins.get_mut(at) {
            bin.push(key);
        }
        count += 1;
        if count >= bins.len() / 4 * 3 {
            bins = doubled(bins, spread);
        }
    }
    bins.into_iter().flatten().collect()
}

/// Each bin is split in two by one more bit of the hash. The keys at its end that stay together keep their order, those
/// before them are put in front one by one.
fn doubled(bins: Vec<Vec<&str>>, spread: impl Fn(&str) -> usize) -> Vec<Vec<&str>> {
    let half = bins.len();
    let (mut low, mut high) = (Vec::with_capacity(half * 2), Vec::with_capacity(half));
    for bin in bins {
        let is_high = |key: &&str| spread(key) & half != 0;
        let last = bin.last().is_some_and(is_high);
        let run = bin.iter().rev().take_while(|key| is_high(key) == last).count();
        let (before, run) = bin.split_at(bin.len() - run);
        let (mut lows, mut highs): (Vec<&str>, Vec<&str>) = before.iter().rev().partition(|key| !is_high(key));
        if last {
            highs.extend(run)
        } else {
            lows.extend(run)
        }
        low.push(lows);
        high.push(highs);
    }
    low.append(&mut high);
    low
}

/// The bits of a permission as letters: `RW-`.
#[must_use]
pub fn permission(bits: i32) -> String {
    [(4, 'R'), (2, 'W'), (1, 'X')].map(|(bit, letter)| if bits & bit == bit { letter } else { '-' }).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_in_the_order_of_a_java_set() {
        // As printed by topicList of RocketMQ 5.5.0.
        let printed = [
            "RMQ_SYS_TRANS_HALF_TOPIC",
            "BenchmarkTest",
            "OFFSET_MOVED_EVENT",
            "TBW102",
            "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
            "rmq_sys_REVIVE_LOG_DefaultCluster",
            "SELF_TEST_TOPIC",
            "DefaultCluster",
            "SCHEDULE_TOPIC_XXXX",
            "DefaultCluster_REPLY_TOPIC",
            "rmq_sys_wheel_timer",
            "rmq_sys_SYNC_BROKER_MEMBER_broker-a",
            "RMQ_SYS_TRANS_OP_HALF_TOPIC",
            "ProbeT",
            "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
            "broker-a",
            "%RETRY%TOOLS_CONSUMER",
        ];
        let mut names = printed;
        names.sort_unstable();
        string_order(&mut names);
        assert_eq!(names, printed);
    }

    #[test]
    fn small_texts() {
        assert_eq!(front("abc", 2), "ab");
        assert_eq!(front("aé", 2), "aé");
        assert_eq!(permission(6), "RW-");
        assert_eq!(permission(7), "RWX");
        assert_eq!(permission(4), "R--");
        assert_eq!(map_text([("a", 1), ("b", 2)]), "{a=1, b=2}");
        assert_eq!(local_time(i64::MAX), i64::MAX.to_string());
    }
}
