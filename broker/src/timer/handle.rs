//! The handle by which a producer calls a timed message back.
//!
//! ```text
//! base64url( "v1" " " topic " " broker name " " time in ms " " unique key )
//! ```
//! The time is that of the message's tick and 1 ms more, so that a message with that time comes to the same tick.
//!
//! Upstream: `RecallMessageHandle`.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const VERSION: &str = "v1";
/// Java's encoder pads, its decoder takes both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longest handle that is looked at: names and a key have limits far below.
const LENGTH_MAX: usize = 4096;

/// What a handle says. Whether it is true is for others to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecallHandle {
    /// The message's topic.
    pub(crate) topic: String,
    /// The broker it waits on.
    pub(crate) broker_name: String,
    /// When it is due, milliseconds since 1970; -1 when that is no number.
    pub(crate) deliver_ms: i64,
    /// Its `UNIQ_KEY`.
    pub(crate) unique_key: String,
}

/// The handle of a message that waits for the tick `slot_ms`.
pub(crate) fn encode(topic: &str, broker_name: &str, slot_ms: i64, unique_key: &str) -> String {
    BASE64.encode(format!("{VERSION} {topic} {broker_name} {} {unique_key}", slot_ms + 1))
}

/// Reads a handle; `None` when it is none.
pub(crate) fn decode(handle: &str) -> Option<RecallHandle> {
    if handle.len() > LENGTH_MAX {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(handle).ok()?).ok()?;
    let mut parts = text.split(' ');
    if parts.next()? != VERSION {
        return None;
    }
    Some(RecallHandle {
        topic: parts.next()?.to_owned(),
        broker_name: parts.next()?.to_owned(),
        deliver_ms: parts.next()?.parse().unwrap_or(-1),
        unique_key: parts.next().filter(|key| !key.is_empty() && !key.contains(['\u{1}', '\u{2}']))?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_says_what_was_put_into_it() {
        let handle = encode("T", "b", 1_700_000_005_000, "KEY");
        assert_eq!(handle, "djEgVCBiIDE3MDAwMDAwMDUwMDEgS0VZ");
        let expected = RecallHandle {
            topic: "T".into(),
            broker_name: "b".into(),
            deliver_ms: 1_700_000_005_001,
            unique_key: "KEY".into(),
        };
        assert_eq!(decode(&handle), Some(expected));
        assert_eq!(decode(&encode("%DLQ%g", "broker-ä", 0, "K")).unwrap().broker_name, "broker-ä");
    }

    #[test]
    fn what_is_no_handle_is_none() {
        let raw = |text: &str| BASE64.encode(text);
        let bad_key = raw("v1 T b 1 K\u{2}DELAY\u{1}1");
        for bad in ["", "!", "v1 T b 1 K", &raw(""), &raw("v2 T b 1 K"), &raw("v1 T b 1"), &raw("v1 T b 1 "), &bad_key]
        {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode(&BASE64.encode([b'v', b'1', b' ', 0xFF])), None);
        assert_eq!(decode(&"A".repeat(LENGTH_MAX + 4)), None);
        assert_eq!(decode(&raw("v1 T b soon K")).unwrap().deliver_ms, -1);
        assert_eq!(decode(raw("v1 T b 1 KE").trim_end_matches('=')).unwrap().unique_key, "KE");
    }
}
