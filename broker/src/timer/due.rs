//! When a message with a time of its own is due, and which tick of the wheel it waits for.
//!
//! ```text
//! deliver   ──┬────────┬────────┬──▶   the tick is the second before the one in which the time lies, so that its end, when
//!        tick 4      tick 5   tick 6   messages are given out, is never before the time: 5.3 waits for tick 5, given out at
//!                    │  ▲ 5.3          6.0; 5.0 waits for tick 4, given out at 5.0
//! ```
//! Upstream: `HookUtils.transformTimerMessage` (RocketMQ 5.5.0).

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::router::ResponseError;

use crate::broker::Broker;
use crate::response_error;

/// The properties by which a sender asks for a time; what stands first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish<'a> {
    /// `TIMER_DELAY_SEC`: seconds from now.
    pub(crate) delay_sec: Option<&'a str>,
    /// `TIMER_DELAY_MS`: milliseconds from now.
    pub(crate) delay_ms: Option<&'a str>,
    /// `TIMER_DELIVER_MS`: milliseconds since 1970.
    pub(crate) deliver_ms: Option<&'a str>,
    /// The message recalls another one: `TIMER_DEL_UNIQKEY`.
    pub(crate) is_recall: bool,
    /// `TIMER_OUT_MS` is there: the message comes from a timer and is not timed again.
    pub(crate) is_timed: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is stored as any other.
    Now,
    /// It waits for this tick, milliseconds since 1970.
    At(i64),
}

impl<'a> Wish<'a> {
    /// Takes in a property, if it speaks of times.
    pub(crate) fn note(&mut self, name: &str, value: &'a str) {
        match name {
            property::TIMER_DELAY_SEC => self.delay_sec = Some(value),
            property::TIMER_DELAY_MS => self.delay_ms = Some(value),
            property::TIMER_DELIVER_MS => self.deliver_ms = Some(value),
            property::TIMER_DEL_UNIQKEY => self.is_recall = true,
            property::TIMER_OUT_MS => self.is_timed = true,
            _ => {}
        }
    }

    /// Whether a time is asked for.
    pub(crate) const fn is_there(&self) -> bool {
        !self.is_timed && (self.delay_sec.is_some() || self.delay_ms.is_some() || self.deliver_ms.is_some())
    }

    /// When the message is due, asked at `now_ms`.
    pub(crate) fn due(&self, now_ms: i64, precision_ms: i64, max_delay_ms: i64) -> Result<Due, ResponseError> {
        let refusal = || {
            response_error::message_illegal(format!(
                "timer message illegal, the delay time should not be bigger than the max delay {max_delay_ms}ms; or if set del msg, the delay time should be bigger than the current time"
            ))
        };
        let number = |text: &str| text.parse::<i64>().map_err(|_| refusal());
        let deliver_ms = match (self.delay_sec, self.delay_ms, self.deliver_ms) {
            (Some(seconds), _, _) => now_ms.saturating_add(number(seconds)?.saturating_mul(1000)),
            (_, Some(ms), _) => now_ms.saturating_add(number(ms)?),
            (_, _, Some(at)) => number(at)?,
            _ => return Ok(Due::Now),
        };
        if deliver_ms <= now_ms {
            return if self.is_recall { Err(refusal()) } else { Ok(Due::Now) };
        }
        if deliver_ms.saturating_sub(now_ms) > max_delay_ms {
            return Err(refusal());
        }
        Ok(Due::At(tick_of(deliver_ms, precision_ms)))
    }
}

/// The last tick that ends at or after `deliver_ms`.
fn tick_of(deliver_ms: i64, precision_ms: i64) -> i64 {
    (deliver_ms - 1).div_euclid(precision_ms) * precision_ms
}

/// The tick that a message with this wish waits for, asked now; `draw` chooses which are refused where a tick has many.
pub(crate) fn slot(broker: &Broker, wish: &Wish<'_>, draw: u64) -> Result<Option<i64>, ResponseError> {
    if !wish.is_there() {
        return Ok(None);
    }
    let timer = broker.timer.as_ref().ok_or_else(not_enabled)?;
    let settings = broker.settings.read();
    let max_delay_ms = settings.store.timer_max_delay_ms();
    match wish.due(broker.clock.now_ms(), timer.precision_ms(), max_delay_ms)? {
        Due::Now => Ok(None),
        Due::At(slot_ms) => {
            let limit = i64::from(settings.store.timer_congest_num_each_slot);
            if timer.refuses(slot_ms, limit, draw) {
                return Err(congested(limit));
            }
            Ok(Some(slot_ms))
        }
    }
}

/// Refusal while the timer is switched off.
pub(crate) fn not_enabled() -> ResponseError {
    ResponseError::new(
        ResponseCode::SYSTEM_ERROR,
        "accurate timer message is not enabled, timerWheelEnable is false".to_owned(),
    )
}

/// Refusal of a message for a tick that has too many.
fn congested(limit: i64) -> ResponseError {
    ResponseError::new(
        ResponseCode::SYSTEM_ERROR,
        format!(
            "timer message is under flow control, max num limit is {limit} or the current value is greater than {limit} and less than {}, trigger random flow control",
            limit.saturating_mul(2)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_500;

    fn due(wish: Wish<'_>) -> Option<Due> {
        wish.due(NOW, 1000, 259_200_000).ok()
    }

    #[test]
    fn the_first_property_counts_and_a_tick_never_ends_early() {
        let seconds = |text| Wish { delay_sec: Some(text), ..Wish::default() };
        let millis = |text| Wish { delay_ms: Some(text), ..Wish::default() };
        let at = |text| Wish { deliver_ms: Some(text), ..Wish::default() };
        let recall = Wish { is_recall: true, ..at("1700000000500") };
        for (wish, expected) in [
            (seconds("5"), Some(Due::At(1_700_000_005_000))),
            (seconds("0"), Some(Due::Now)),
            (seconds("-7"), Some(Due::Now)),
            (seconds("259200"), Some(Due::At(1_700_259_200_000))),
            (seconds("259201"), None),
            (seconds("9223372036854775807"), None),
            (seconds("soon"), None),
            (seconds(""), None),
            (seconds("1.5"), None),
            (millis("1"), Some(Due::At(1_700_000_000_000))),
            (millis("500"), Some(Due::At(1_700_000_000_000))),
            (millis("501"), Some(Due::At(1_700_000_001_000))),
            (at("1700000001000"), Some(Due::At(1_700_000_000_000))),
            (at("1700000001001"), Some(Due::At(1_700_000_001_000))),
            (at("1700000000500"), Some(Due::Now)),
            (at("1"), Some(Due::Now)),
            (at("9223372036854775807"), None),
            (recall, None),
            (Wish { delay_ms: Some("x"), ..seconds("5") }, Some(Due::At(1_700_000_005_000))),
            (Wish { deliver_ms: Some("1"), ..millis("1500") }, Some(Due::At(1_700_000_001_000))),
        ] {
            assert_eq!(due(wish), expected, "{wish:?}");
            if let Some(Due::At(tick)) = expected {
                assert_eq!(tick % 1000, 0);
            }
        }
        assert!(!Wish { is_timed: true, ..seconds("5") }.is_there());
        assert!(seconds("5").is_there() && !Wish::default().is_there());
    }
}
