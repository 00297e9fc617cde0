//! Taking messages in: from the queue of the timer's topic into the wheel.

use std::sync::atomic::Ordering;

use boostermq_remoting::message::property_name as property;
use boostermq_remoting::message::record::Record;
use boostermq_remoting::message::tags::java_string_hash;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::consume_queue::Unit;
use boostermq_store::timer::{Waiting, read_waiting};

use super::counts::Changes;
use super::{SLOTS, Scene, State, Timer, TimerTrouble, Times};

/// Messages taken in at once.
const AT_ONCE: usize = 800;

/// What the properties of a waiting message say.
struct Timed<'a> {
    due_ms: i64,
    real_topic: &'a str,
    is_recall: bool,
    /// When its sender made it, ms since 1970.
    born_ms: i64,
}

impl Timer {
    /// Takes in what has arrived, up to [`AT_ONCE`]. Returns whether there may be more.
    pub(super) fn take_in(&self, state: &mut State, scene: &Scene<'_>) -> Result<bool, TimerTrouble> {
        let mut units = std::mem::take(&mut state.units);
        let result = self.take_in_units(state, scene, &mut units);
        state.units = units;
        result
    }

    fn take_in_units(&self, state: &mut State, scene: &Scene<'_>, units: &mut Vec<Unit>) -> Result<bool, TimerTrouble> {
        let from = read_waiting(scene.store, state.queue_offset, AT_ONCE, units)?;
        if from != state.queue_offset {
            tracing::warn!(
                from = state.queue_offset.0,
                to = from.0,
                "the timer's topic does not have the messages where the timer goes on"
            );
            self.go_on(state, from);
        }
        let mut changes = Changes::default();
        let mut done = 0;
        let mut failure = None;
        for unit in units.iter() {
            match self.take_in_one(state, scene, unit, &mut changes) {
                Ok(()) => done += 1,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // Before the progress is noted: a snapshot must not say more than is written.
        state.files.write()?;
        self.go_on(state, from.plus(done as i64));
        self.counts.change(&changes, scene.now_ms);
        self.taken_in.add(done, scene.now_ms);
        if done > 0 {
            self.wake.changed();
        }
        failure.map_or(Ok(done > 0), Err)
    }

    fn go_on(&self, state: &mut State, at: QueueOffset) {
        state.queue_offset = at;
        self.queue_offset.store(at.0, Ordering::Release);
    }

    /// What cannot be read or has no time is passed over: one bad message must not hold up all others.
    fn take_in_one(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        unit: &Unit,
        changes: &mut Changes,
    ) -> Result<(), TimerTrouble> {
        if unit.is_blank() || state.files.is_taken_in(unit.physical_offset) {
            return Ok(());
        }
        let Some(bytes) = scene.store.record_at(unit.physical_offset) else {
            tracing::warn!(at = %unit.physical_offset, "a timed message is gone from the commit log before it was taken in");
            return Ok(());
        };
        let timed = Record::parse(&bytes).ok().and_then(|record| Some((timed(&record)?, record.total_size())));
        let Some((timed, size)) = timed else {
            tracing::error!(
                at = %unit.physical_offset,
                "a message in the timer's topic has no TIMER_OUT_MS or no REAL_TOPIC and is passed over; it stays in the commit log"
            );
            return Ok(());
        };
        let taken_in_ms = self.times.tick(scene.now_ms);
        let (slot_ms, is_put_off) = slot(self.times, timed.due_ms, taken_in_ms);
        state.files.add(&Waiting {
            is_put_off,
            is_recall: timed.is_recall,
            taken_in_ms,
            slot_ms,
            physical_offset: unit.physical_offset,
            size,
            topic_hash: java_string_hash(timed.real_topic),
        })?;
        changes.add(timed.real_topic, if timed.is_recall { -1 } else { 1 });
        if let Some(metrics) = scene.metrics {
            let delay_ms = timed.due_ms.saturating_sub(timed.born_ms).max(0).cast_unsigned();
            metrics.timer_took_in(timed.real_topic, delay_ms / 1000);
        }
        Ok(())
    }
}

fn timed<'a>(record: &Record<'a>) -> Option<Timed<'a>> {
    let (mut due_ms, mut real_topic, mut is_recall) = (None, None, false);
    for (name, value) in record.properties().iter() {
        match name {
            property::TIMER_OUT_MS => due_ms = value.parse().ok(),
            property::REAL_TOPIC => real_topic = Some(value),
            property::TIMER_DEL_UNIQKEY => is_recall = true,
            _ => {}
        }
    }
    Some(Timed { due_ms: due_ms?, real_topic: real_topic?, is_recall, born_ms: record.born_timestamp() })
}

/// The tick that a message waits for which is due in the tick `due_ms`, and whether it is put off there.
///
/// Beyond the reach of the wheel it waits for the whole reach, or for half of it when little would be left
/// (RocketMQ 5.5.0). One that is long overdue waits for a tick that fits a unit of the timer log.
fn slot(times: Times, due_ms: i64, taken_in_ms: i64) -> (i64, bool) {
    let beyond_ms = due_ms.saturating_sub(taken_in_ms).saturating_sub(times.reach_ms);
    if beyond_ms < 0 {
        let longest_ms = (SLOTS * times.precision_ms).min(i64::from(i32::MAX));
        return (times.tick(due_ms.max(taken_in_ms - longest_ms)), false);
    }
    let slots = times.reach_ms / times.precision_ms;
    let wait = if beyond_ms < slots / 3 * times.precision_ms { slots / 2 } else { slots };
    (taken_in_ms + wait * times.precision_ms, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_wheel_is_put_off() {
        let times = Times { precision_ms: 1000, reach_ms: 12_000 };
        let now = 1_700_000_000_000;
        for (delay, waits, is_put_off) in [
            (-1_000, -1_000, false),
            (0, 0, false),
            (11_000, 11_000, false),
            (12_000, 6_000, true),
            (15_000, 6_000, true),
            (16_000, 12_000, true),
            (86_400_000, 12_000, true),
            (-700_000_000, -604_800_000, false),
            (-1_700_000_000_000, -604_800_000, false),
        ] {
            assert_eq!(slot(times, now + delay, now), (now + waits, is_put_off), "{delay}");
        }
        let coarse = Times { precision_ms: 60_000, reach_ms: 2_147_460_000 };
        assert_eq!(slot(coarse, 0, now).0 % 60_000, 0);
        assert!(now - slot(coarse, 0, now).0 <= i64::from(i32::MAX) + 60_000);
    }
}
