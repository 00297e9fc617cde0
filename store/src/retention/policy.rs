//! The rules of deletion, without doing any of it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::allocate::Room;

/// When files of the log are deleted. Keys in parentheses are upstream's; the values may change while the store is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionOptions {
    /// How long a file is kept after its last write (`fileReservedTime`).
    pub keep_for: Duration,
    /// Hours of the day, by the machine's time zone, at which expired files are deleted (`deleteWhen`).
    pub delete_hours: Vec<u8>,
    /// Percent of the disk in use above which expired files are deleted at any hour (`diskMaxUsedSpaceRatio`).
    pub expire_above: u32,
    /// Percent of the disk in use above which the oldest files are deleted before they expire
    /// (`diskSpaceCleanForciblyRatio`).
    pub force_above: u32,
    /// Whether files may be deleted before they expire at all (`cleanFileForciblyEnable`).
    pub may_force: bool,
    /// Time between two looks for files to delete (`cleanResourceInterval`).
    pub interval: Duration,
    /// Most files of the log that one look deletes (`deleteFileBatchMax`).
    pub batch_max: u32,
    /// Pause after a file of the log (`deleteCommitLogFilesInterval`).
    pub log_pause: Duration,
    /// Pause after a file of a consume queue (`deleteConsumeQueueFilesInterval`).
    pub queue_pause: Duration,
}

impl Default for RetentionOptions {
    /// The defaults of RocketMQ 5.5.0.
    fn default() -> Self {
        Self {
            keep_for: Duration::from_secs(72 * 3600),
            delete_hours: vec![4],
            expire_above: 75,
            force_above: 85,
            may_force: true,
            interval: Duration::from_secs(10),
            batch_max: 10,
            log_pause: Duration::from_millis(100),
            queue_pause: Duration::from_millis(100),
        }
    }
}

/// What one look at clock and disk found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// By the machine's clock.
    pub(super) now_ms: i64,
    /// Percent of the fullest disk in use; `None` where the system does not say.
    pub(super) used: Option<u32>,
    /// Whether there is room for the next file of the log.
    pub(super) room: Room,
    /// An operator asked.
    pub(super) is_asked: bool,
}

/// Why a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is older than it must become.
    Expired,
    /// There is no room for it, though somebody may still want it.
    NoRoom,
}

impl RetentionOptions {
    /// Whether the oldest file goes, which was last written at `written_ms`; `deleted` went before it in the same look.
    pub(super) fn decide(&self, found: Found, written_ms: i64, deleted: u32) -> Option<Reason> {
        if deleted >= self.batch_max {
            return None;
        }
        let is_above = |percent| found.used.is_some_and(|used| used > percent);
        let keep_ms = i64::try_from(self.keep_for.as_millis()).unwrap_or(i64::MAX);
        let is_expired = found.now_ms.saturating_sub(written_ms) >= keep_ms;
        // Room for the next file is there when one has gone.
        let lacks_room = is_above(self.force_above) || found.room == Room::None && deleted == 0;
        let may_expire = found.is_asked
            || lacks_room
            || found.room != Room::Enough
            || is_above(self.expire_above)
            || self.delete_hours.contains(&hour_of_day(found.now_ms));
        if is_expired && may_expire {
            Some(Reason::Expired)
        } else if self.may_force && lacks_room {
            Some(Reason::NoRoom)
        } else {
            None
        }
    }
}

/// Hour of the day, 0 to 23, by the machine's time zone.
fn hour_of_day(now_ms: i64) -> u8 {
    let now = Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(TimeZone::system());
    now.hour().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// Some time at this hour of the machine's day.
    fn at_hour(hour: u8) -> i64 {
        let start = 1_700_000_000_000;
        (0..24).map(|hours| start + hours * HOUR_MS).find(|now| hour_of_day(*now) == hour).unwrap()
    }

    #[test]
    fn the_oldest_file_goes_by_age_hour_and_room() {
        use Reason::{Expired, NoRoom};
        let options = RetentionOptions { delete_hours: vec![4, 14], ..RetentionOptions::default() };
        let never = RetentionOptions { may_force: false, ..options.clone() };
        let (at, not_at, also_at) = (at_hour(4), at_hour(5), at_hour(14));
        let found = |now_ms, used| Found { now_ms, used: Some(used), ..Found::default() };
        let asked = |now_ms| Found { is_asked: true, ..found(now_ms, 10) };
        let with = |room| Found { room, ..found(not_at, 10) };
        // Found, hours since the last write, deleted before, with force, without.
        for (number, (found, hours, deleted, forced, unforced)) in [
            (found(at, 10), 72, 0, Some(Expired), Some(Expired)),
            (found(also_at, 10), 73, 9, Some(Expired), Some(Expired)),
            (found(at, 10), 73, 10, None, None),
            (found(at, 10), 71, 0, None, None),
            (found(not_at, 10), 72, 0, None, None),
            (found(not_at, 75), 72, 0, None, None),
            (found(not_at, 76), 72, 0, Some(Expired), Some(Expired)),
            (found(not_at, 85), 71, 0, None, None),
            (found(not_at, 86), 71, 0, Some(NoRoom), None),
            (found(not_at, 86), 72, 0, Some(Expired), Some(Expired)),
            (found(not_at, 100), 0, 9, Some(NoRoom), None),
            (found(not_at, 100), 0, 10, None, None),
            (Found { used: None, ..found(not_at, 0) }, 72, 0, None, None),
            (asked(not_at), 72, 0, Some(Expired), Some(Expired)),
            (asked(not_at), 71, 0, None, None),
            (with(Room::None), 0, 0, Some(NoRoom), None),
            (with(Room::None), 0, 1, None, None),
            (with(Room::None), 72, 1, Some(Expired), Some(Expired)),
            (with(Room::NotAhead), 0, 0, None, None),
            (with(Room::NotAhead), 72, 0, Some(Expired), Some(Expired)),
            // A file from a time to come is new.
            (found(at, 10), -1000, 0, None, None),
        ]
        .into_iter()
        .enumerate()
        {
            let written_ms = found.now_ms - hours * HOUR_MS;
            assert_eq!(options.decide(found, written_ms, deleted), forced, "row {number}");
            assert_eq!(never.decide(found, written_ms, deleted), unforced, "row {number}, never by force");
        }
    }

    #[test]
    fn a_file_goes_at_once_when_none_is_to_be_kept() {
        let options = RetentionOptions { keep_for: Duration::ZERO, ..RetentionOptions::default() };
        let now_ms = at_hour(5);
        let found = Found { now_ms, used: Some(1), is_asked: true, room: Room::Enough };
        assert_eq!(options.decide(found, now_ms, 0), Some(Reason::Expired));
    }
}
