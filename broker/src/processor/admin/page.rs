//! A table handed out in pages: the names in order, from a place on (21, 201).
//!
//! The asker goes on where its last page ended and starts again when the version it was given is no longer the current
//! one. Upstream: `enableSplitMetadata` (RocketMQ 5.5.0).

use std::collections::BTreeMap;

use boostermq_remoting::body::DataVersion;

use crate::config::BrokerConfig;

/// Which page is wanted; without any of it, the whole table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Entries before the page.
    pub(crate) first: Option<i32>,
    /// Most entries in it.
    pub(crate) most: Option<i32>,
    /// Version of the pages before, JSON.
    pub(crate) version: Option<&'a str>,
}

/// The part of `table` that is wanted.
pub(crate) fn page<'t, T>(
    table: BTreeMap<&'t str, T>,
    version: DataVersion,
    wanted: Wanted<'_>,
    config: &BrokerConfig,
) -> BTreeMap<&'t str, T> {
    let is_whole = wanted.first.is_none() && wanted.most.is_none() && wanted.version.is_none();
    if is_whole || !config.enable_split_metadata {
        return table;
    }
    let known = wanted.version.and_then(|text| serde_json::from_str::<DataVersion>(text).ok());
    let first = match known {
        Some(known) if known == version => wanted.first.unwrap_or(0),
        _ => 0,
    };
    let limit = config.split_metadata_size as usize;
    let most = wanted.most.and_then(|most| usize::try_from(most).ok()).map_or(limit, |most| most.min(limit));
    table.into_iter().skip(usize::try_from(first).unwrap_or(0)).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DataVersion = DataVersion { counter: 3, state_version: 0, timestamp: 5 };
    const NOW_TEXT: &str = r#"{"counter":3,"stateVersion":0,"timestamp":5}"#;
    const OLD_TEXT: &str = r#"{"counter":2,"stateVersion":0,"timestamp":5}"#;

    #[test]
    fn pages_go_on_until_the_version_changes() {
        let small = BrokerConfig { split_metadata_size: 3, ..BrokerConfig::default() };
        let off = BrokerConfig { enable_split_metadata: false, ..small.clone() };
        for (config, first, most, version, expected) in [
            (&small, None, None, None, "abcde"),
            (&small, Some(0), Some(2), Some(""), "ab"),
            (&small, Some(0), Some(9), Some(""), "abc"),
            (&small, Some(2), Some(2), Some(NOW_TEXT), "cd"),
            (&small, Some(4), Some(2), Some(NOW_TEXT), "e"),
            (&small, Some(9), Some(2), Some(NOW_TEXT), ""),
            (&small, Some(2), Some(2), Some(OLD_TEXT), "ab"),
            (&small, Some(2), Some(2), None, "ab"),
            (&small, Some(-1), Some(-1), Some(NOW_TEXT), "abc"),
            (&small, Some(3), None, Some(NOW_TEXT), "de"),
            (&off, Some(2), Some(2), Some(NOW_TEXT), "abcde"),
        ] {
            let table: BTreeMap<&str, ()> = ["a", "b", "c", "d", "e"].map(|name| (name, ())).into();
            let found = page(table, NOW, Wanted { first, most, version }, config);
            assert_eq!(Vec::from_iter(found.into_keys()).concat(), expected, "{first:?} {most:?} {version:?}");
        }
    }
}
