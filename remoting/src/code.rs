//! Request and response codes: newtypes that keep an unknown number.
//!
//! Request codes are declared in [`crate::request`], each beside its header; response codes here. Source:
//! RocketMQ 5.5.0.

use std::fmt;

/// Code of a request. Any number is legal; [`RequestCode::name`] knows the declared ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestCode(pub i32);

impl RequestCode {
    /// Upstream's name of the code, or `None` for an undeclared one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        crate::request::row(self).map(|row| row.name)
    }
}

impl fmt::Display for RequestCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for RequestCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Code of a response.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode(pub i32);

macro_rules! response_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl ResponseCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Upstream's name of the code, or `None` for one we do not know.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

response_codes! {
    /// Done.
    SUCCESS = 0;
    /// Any failure that has no code of its own.
    SYSTEM_ERROR = 1;
    /// Flow control: try later or elsewhere.
    SYSTEM_BUSY = 2;
    /// Nobody here serves this request.
    REQUEST_CODE_NOT_SUPPORTED = 3;
    /// Stored, but the flush to disk was late.
    FLUSH_DISK_TIMEOUT = 10;
    /// Stored, but no slave could take a copy.
    SLAVE_NOT_AVAILABLE = 11;
    /// Stored, but the copy to a slave was late.
    FLUSH_SLAVE_TIMEOUT = 12;
    /// The message breaks a limit or a rule.
    MESSAGE_ILLEGAL = 13;
    /// The store takes no messages: stopping, full, or a slave.
    SERVICE_NOT_AVAILABLE = 14;
    /// The peer's version is not served.
    VERSION_NOT_SUPPORTED = 15;
    /// Forbidden by a permission or a switch.
    NO_PERMISSION = 16;
    /// No such topic, and none may be created.
    TOPIC_NOT_EXIST = 17;
    /// Nothing at this offset yet.
    PULL_NOT_FOUND = 19;
    /// Nothing here matched; go on at the offset given.
    PULL_RETRY_IMMEDIATELY = 20;
    /// The offset lies outside the queue; go on at the one given.
    PULL_OFFSET_MOVED = 21;
    /// The thing asked for is not there.
    QUERY_NOT_FOUND = 22;
    /// A filter expression cannot be read.
    SUBSCRIPTION_PARSE_FAILED = 23;
    /// The group has not subscribed to the topic here.
    SUBSCRIPTION_NOT_EXIST = 24;
    /// The broker knows an older subscription than the client.
    SUBSCRIPTION_NOT_LATEST = 25;
    /// No such group, and none may be created.
    SUBSCRIPTION_GROUP_NOT_EXIST = 26;
    /// No compiled filter for the group.
    FILTER_DATA_NOT_EXIST = 27;
    /// An older compiled filter than the client's.
    FILTER_DATA_NOT_LATEST = 28;
    /// A field holds an impossible value.
    INVALID_PARAMETER = 29;
    /// No consumer of the group is connected.
    CONSUMER_NOT_ONLINE = 206;
    /// A consumer did not answer in time.
    CONSUME_MSG_TIMEOUT = 207;
    /// No message at the offset.
    NO_MESSAGE = 208;
    /// Too many held pops.
    POLLING_FULL = 209;
    /// A held pop ran out of time.
    POLLING_TIMEOUT = 210;
    /// The group consumes by broadcasting.
    BROADCAST_CONSUMPTION = 213;
    /// Flow control of a pull.
    FLOW_CONTROL = 215;
    /// This broker does not lead the logical queue.
    NOT_LEADER_FOR_QUEUE = 501;
    /// Not allowed in this state.
    ILLEGAL_OPERATION = 604;
    /// The server is stopping; connect elsewhere.
    GO_AWAY = 1500;
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// First ordinal of the versions that are named regularly: V4_0_0_SNAPSHOT (RocketMQ 5.5.0: `MQVersion`).
const REGULAR_FROM: i32 = 212;
/// The ordinal that stands for all versions upstream does not know yet.
const HIGHER_VERSION: i32 = 612;

/// The name of a version: `V5_5_0` for 513.
#[must_use]
pub fn version_name(ordinal: i32) -> String {
    if ordinal >= HIGHER_VERSION {
        return "HIGHER_VERSION".to_owned();
    }
    // Each release comes after its snapshot: even ordinals are snapshots.
    let (pair, suffix) = (ordinal.div_euclid(2), if ordinal % 2 == 0 { "_SNAPSHOT" } else { "" });
    let (major, minor, patch) = match ordinal {
        REGULAR_FROM.. => {
            let place = pair - REGULAR_FROM / 2;
            (4 + place / 100, place / 10 % 10, place % 10)
        }
        // From 3.3 to 3.9 there was no release with a zero.
        86.. => (3, 3 + (pair - 43) / 9, 1 + (pair - 43) % 9),
        46.. => (3, 1 + (pair - 23) / 10, (pair - 23) % 10),
        16.. => (3, 0, pair - 7),
        15 => return "V3_0_0_FINAL".to_owned(),
        _ => return ordinal.to_string(),
    };
    format!("V{major}_{minor}_{patch}{suffix}")
}

/// What this code says of itself in every frame: V5_5_0, as the ordinal upstream's clients compare
/// (RocketMQ 5.5.0).
pub const VERSION: i32 = 513;

/// Ordinals of upstream versions that change behaviour (RocketMQ 5.5.0).
pub mod version {
    /// Older consumers cannot take offset resets.
    pub const V3_0_7_SNAPSHOT: i32 = 28;
    /// From here on a registration's body is a `RegisterBrokerBody`.
    pub const V3_0_11: i32 = 37;
    /// Older consumers cannot answer running-info and direct-consumption requests.
    pub const V3_1_8_SNAPSHOT: i32 = 62;
    /// From here on `maxReconsumeTimes` of a request counts.
    pub const V3_4_9: i32 = 121;
    /// From here on route bodies are strict JSON.
    pub const V4_9_4: i32 = 401;
    /// From here on a compressed registration carries static-topic mappings.
    pub const V5_0_0: i32 = 413;
    /// Newer clients understand [`super::ResponseCode::GO_AWAY`].
    pub const V5_3_1: i32 = 475;
}

/// Language of a peer, as numbered in binary headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Language(pub u8);

const LANGUAGES: [&str; 14] = [
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST",
    "NODE_JS",
];

impl Language {
    /// What we say of ourselves. Official clients decide nothing by it; tools print it.
    pub const JAVA: Self = Self(0);
    /// A client in C++: it gets one reset body in a form of its own.
    pub const CPP: Self = Self(1);
    /// Any language without a number.
    pub const OTHER: Self = Self(7);

    /// The name used in JSON headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        LANGUAGES.get(usize::from(self.0)).copied().unwrap_or("OTHER")
    }

    /// The language named so in a JSON header; [`Language::OTHER`] for an unknown name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        LANGUAGES.iter().position(|known| *known == name).map_or(Self::OTHER, |at| Self(at as u8))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_names_that_upstream_prints() {
        for (ordinal, name) in [
            (15, "V3_0_0_FINAL"),
            (28, "V3_0_7_SNAPSHOT"),
            (37, "V3_0_11"),
            (45, "V3_0_15"),
            (46, "V3_1_0_SNAPSHOT"),
            (62, "V3_1_8_SNAPSHOT"),
            (67, "V3_2_0"),
            (85, "V3_2_9"),
            (87, "V3_3_1"),
            (121, "V3_4_9"),
            (123, "V3_5_1"),
            (211, "V3_9_9"),
            (212, "V4_0_0_SNAPSHOT"),
            (401, "V4_9_4"),
            (413, "V5_0_0"),
            (479, "V5_3_3"),
            (513, "V5_5_0"),
            (611, "V5_9_9"),
            (9_999, "HIGHER_VERSION"),
            (-1, "-1"),
        ] {
            assert_eq!(version_name(ordinal), name);
        }
    }
}
