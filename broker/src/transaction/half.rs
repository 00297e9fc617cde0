//! A half message: what its properties say, and how they are written.

use boostermq_remoting::message::properties::{Properties, append};
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;

use super::HALF_TOPIC;
use crate::timer::due::Wish;

/// Properties that only the broker sets on a half message. Taken from a client, they would make it another transaction's
/// copy, or one that was asked about often enough; applications that send on what they received do hand them in.
const BROKERS_OWN: [&str; 5] = [
    property::TRAN_PREPARED_QUEUE_OFFSET,
    property::TRANSACTION_CHECK_TIMES,
    property::TRANSACTION_ID,
    property::REAL_TOPIC,
    property::REAL_QID,
];

/// Turns the properties of a send, which end in `properties`, into those of a half message.
pub(crate) fn append_half_destination(properties: &mut Vec<u8>, unique_key: &str, topic: &str, queue_id: QueueId) {
    let given = std::mem::take(properties);
    let given = String::from_utf8_lossy(&given);
    for (name, value) in Properties(&given).iter() {
        if !BROKERS_OWN.contains(&name) {
            append(properties, name, value);
        }
    }
    append(properties, property::TRANSACTION_ID, unique_key);
    append(properties, property::REAL_TOPIC, topic);
    append(properties, property::REAL_QID, &queue_id.to_string());
}

/// What the properties of a half message say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfProperties<'a> {
    pub(super) real_topic: &'a str,
    pub(super) real_queue: Option<QueueId>,
    /// Group of its producers.
    pub(super) group: &'a str,
    pub(super) unique_key: &'a str,
    /// What the broker noted as the first half message of the transaction.
    pub(super) first: Option<QueueOffset>,
    /// How often producers were asked; `None` when never. An unreadable number counts as -1, as upstream's.
    pub(super) check_times: Option<i32>,
    /// The time that the producer wants to be left in peace, as it wrote it.
    pub(super) immunity: Option<&'a str>,
    pub(super) delay_level: i32,
    /// When it wants to be delivered, counted from its commit.
    pub(super) wish: Wish<'a>,
    /// Whether the answer to its end waits for the disk.
    pub(super) waits: bool,
}

impl<'a> HalfProperties<'a> {
    pub(super) fn of(record: &Record<'a>) -> Self {
        let mut half = Self { waits: true, ..Self::default() };
        for (name, value) in record.properties().iter() {
            match name {
                property::REAL_TOPIC => half.real_topic = value,
                property::REAL_QID => half.real_queue = value.parse().ok().and_then(QueueId::from_wire),
                property::PGROUP => half.group = value,
                property::UNIQ_KEY => half.unique_key = value,
                property::TRAN_PREPARED_QUEUE_OFFSET => half.first = value.parse().ok().map(QueueOffset),
                property::TRANSACTION_CHECK_TIMES => half.check_times = Some(value.parse().unwrap_or(-1)),
                property::CHECK_IMMUNITY_TIME_IN_SECONDS => half.immunity = Some(value),
                property::DELAY => half.delay_level = value.parse().unwrap_or(0),
                property::WAIT => half.waits = !value.eq_ignore_ascii_case("false"),
                _ => half.wish.note(name, value),
            }
        }
        half
    }

    /// Where the message goes when it is committed.
    pub(super) fn destination(&self) -> Result<(Topic, QueueId), &'static str> {
        let topic = Topic::parse_stored(self.real_topic).ok_or("its REAL_TOPIC cannot name a topic")?;
        if self.real_topic == HALF_TOPIC {
            return Err("its REAL_TOPIC is the topic of half messages");
        }
        Ok((topic, self.real_queue.ok_or("its REAL_QID is no queue number")?))
    }

    /// Milliseconds from its birth on in which nobody is asked about it, when it says so itself (RocketMQ 5.5.0: a number
    /// that cannot be read means the usual time, and so does -1).
    pub(super) fn immunity_ms(&self, usual_ms: i64) -> Option<i64> {
        let seconds = self.immunity?.parse().unwrap_or(-1_i64);
        Some(if seconds == -1 { usual_ms } else { seconds.saturating_mul(1000) })
    }

    /// Milliseconds from its birth on in which its producer may end it unasked, when it says so itself (RocketMQ 5.5.0:
    /// never less than the usual time).
    pub(super) fn ends_within_ms(&self, usual_ms: i64) -> Option<i64> {
        let seconds = self.immunity?.parse().unwrap_or(0_i64);
        Some(seconds.saturating_mul(1000).max(usual_ms))
    }
}

/// Copies the properties of `record` without `left_out`.
pub(super) fn copy_properties(record: &Record<'_>, left_out: &[&str], properties: &mut Vec<u8>) {
    properties.clear();
    for (name, value) in record.properties().iter() {
        if !left_out.contains(&name) {
            append(properties, name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_broker_sets_is_not_taken_from_a_client() {
        let mut given = Vec::new();
        for (name, value) in [
            ("TRAN_PREPARED_QUEUE_OFFSET", "3"),
            ("PGROUP", "g"),
            ("REAL_TOPIC", "forged"),
            ("TRANSACTION_CHECK_TIMES", "15"),
            ("__transactionId__", "other"),
            ("UNIQ_KEY", "u"),
        ] {
            append(&mut given, name, value);
        }
        append_half_destination(&mut given, "u", "T", QueueId(2));
        let entries: Vec<_> = Properties(std::str::from_utf8(&given).unwrap()).iter().collect();
        assert_eq!(
            entries,
            [("PGROUP", "g"), ("UNIQ_KEY", "u"), ("__transactionId__", "u"), ("REAL_TOPIC", "T"), ("REAL_QID", "2")]
        );
    }

    #[test]
    fn times_of_peace_are_upstreams() {
        for (immunity, asked, ends) in [
            (None, None, None),
            (Some("100"), Some(100_000), Some(100_000)),
            (Some("2"), Some(2000), Some(6000)),
            (Some("0"), Some(0), Some(6000)),
            (Some("-1"), Some(6000), Some(6000)),
            (Some("-5"), Some(-5000), Some(6000)),
            (Some("soon"), Some(6000), Some(6000)),
        ] {
            let half = HalfProperties { immunity, ..HalfProperties::default() };
            assert_eq!((half.immunity_ms(6000), half.ends_within_ms(6000)), (asked, ends), "{immunity:?}");
        }
    }
}
