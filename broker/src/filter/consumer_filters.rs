//! The SQL filters of consumer groups: compiled when a heartbeat brings them, kept in `consumerFilter.json`.
//!
//! ```text
//! filterDataByTopic   TOPIC -> groupFilterData: GROUP -> expression, its version, when it came and went, bits
//! ```
//! A filter is known by group and topic and outlives the group's last member by `filterDataCleanTimeSpan`. A newer version
//! with another expression replaces it; one that cannot be compiled removes it, so that pulls say so. Never reads a
//! message but through [`Expression`].
//!
//! The file can be lost: the next heartbeats bring everything again. Upstream: `ConsumerFilterManager`,
//! `ConsumerFilterData`, `ExpressionMessageFilter`, `ExpressionForRetryMessageFilter` (RocketMQ 5.5.0).

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use boostermq_remoting::body::SubscriptionData;
use boostermq_remoting::config::Live;
use boostermq_remoting::message::property_name;
use boostermq_remoting::message::record::Record;
use boostermq_store::MessageFilter;
use boostermq_store::clock::Clock;
use parking_lot::RwLock;

use super::bloom::{Bloom, BloomPositions};
use super::sql::{Expression, SqlError};
use crate::config::Settings;
use crate::metadata::{MetadataError, MetadataFile};

/// The only type of expression besides tags.
pub(crate) const SQL92: &str = "SQL92";
/// Filters that a broker keeps: ten times what the largest clusters known use.
const FILTERS_MAX: usize = 100_000;

/// Why an expression of a type other than tags cannot filter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpressionError {
    /// No such type.
    #[error("this broker does not know filters of the type {kind:?}; it knows TAG and {SQL92}")]
    UnknownType {
        /// The type.
        kind: String,
    },
    /// No proper expression.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Compiles an expression of a type other than tags.
pub(crate) fn compile(kind: &str, expression: &str) -> Result<Expression, ExpressionError> {
    if kind != SQL92 {
        return Err(ExpressionError::UnknownType { kind: kind.to_owned() });
    }
    Ok(Expression::compile(expression)?)
}

impl MessageFilter for Expression {
    fn matches_tags(&self, _: i64) -> bool {
        true
    }

    fn needs_record(&self) -> bool {
        true
    }

    fn matches_record(&self, record: &Record<'_>) -> bool {
        self.matches(record.properties())
    }
}

/// What a group wants of a topic, for those who read the topic.
#[derive(Debug)]
pub(crate) struct GroupFilter {
    expression: Expression,
    positions: BloomPositions,
    /// When the expression came, milliseconds since 1970. Filter bits of messages up to then know nothing of it.
    born_ms: i64,
}

impl MessageFilter for GroupFilter {
    fn matches_tags(&self, _: i64) -> bool {
        true
    }

    fn knows_bits(&self) -> bool {
        true
    }

    fn matches_bits(&self, store_timestamp: i64, bits: &[u8]) -> bool {
        store_timestamp <= self.born_ms || Bloom::may_hold(&self.positions, bits)
    }

    fn needs_record(&self) -> bool {
        true
    }

    fn matches_record(&self, record: &Record<'_>) -> bool {
        self.expression.matches(record.properties())
    }
}

/// A filter and its life.
#[derive(Clone, Debug)]
struct ConsumerFilter {
    /// The expression as the client wrote it.
    expression: String,
    filter: Arc<GroupFilter>,
    /// When the group left it; 0 before.
    dead_ms: i64,
    /// The version of the subscription.
    version: i64,
}

impl ConsumerFilter {
    fn is_dead(&self) -> bool {
        self.dead_ms >= self.filter.born_ms
    }
}

/// All filters at one moment.
#[derive(Debug, Default)]
struct FilterTable {
    by_topic: HashMap<String, HashMap<String, ConsumerFilter>>,
    /// Topics of each group that has a filter.
    topics: HashMap<String, BTreeSet<String>>,
    count: usize,
}

impl FilterTable {
    fn find(&self, topic: &str, group: &str) -> Option<&ConsumerFilter> {
        self.by_topic.get(topic)?.get(group)
    }

    fn insert(&mut self, topic: &str, group: &str, filter: ConsumerFilter) {
        if self.by_topic.entry(topic.to_owned()).or_default().insert(group.to_owned(), filter).is_none() {
            self.topics.entry(group.to_owned()).or_default().insert(topic.to_owned());
            self.count += 1;
        }
    }

    /// Removes a filter; false when there is none.
    fn remove(&mut self, topic: &str, group: &str) -> bool {
        let Some(groups) = self.by_topic.get_mut(topic) else { return false };
        if groups.remove(group).is_none() {
            return false;
        }
        self.count -= 1;
        if groups.is_empty() {
            self.by_topic.remove(topic);
        }
        if let Some(topics) = self.topics.get_mut(group) {
            topics.remove(topic);
            if topics.is_empty() {
                self.topics.remove(group);
            }
        }
        true
    }

    /// Group and topic of every filter of which `is_meant` holds.
    fn names(&self, is_meant: impl Fn(&str, &str, &ConsumerFilter) -> bool) -> Vec<(String, String)> {
        let mut names = Vec::new();
        for (topic, groups) in &self.by_topic {
            let meant = groups.iter().filter(|(group, filter)| is_meant(topic, group, filter));
            names.extend(meant.map(|(group, _)| (topic.clone(), group.clone())));
        }
        names
    }

    /// Topics for which a group has a filter that is not dead, and that are not among these subscriptions.
    fn living_beside(&self, group: &str, subscriptions: &[SubscriptionData]) -> Vec<String> {
        let topics = self.topics.get(group).into_iter().flatten();
        let is_meant = |topic: &&String| {
            subscriptions.iter().all(|data| data.topic != **topic)
                && self.find(topic, group).is_some_and(|filter| !filter.is_dead())
        };
        topics.filter(is_meant).cloned().collect()
    }

    fn filter_mut(&mut self, topic: &str, group: &str) -> Option<&mut ConsumerFilter> {
        self.by_topic.get_mut(topic)?.get_mut(group)
    }
}

/// The SQL filters of all groups.
pub(crate) struct ConsumerFilters {
    table: RwLock<FilterTable>,
    bloom: Bloom,
    /// Newest store time of a message for which bits were computed: a filter is never older, even when clocks were set back.
    newest_stored_ms: AtomicI64,
    file: MetadataFile,
    settings: Live<Settings>,
    clock: Arc<dyn Clock>,
}

impl ConsumerFilters {
    /// Reads `consumerFilter.json` in `dir`. What cannot be understood there is left out: heartbeats bring it again.
    ///
    /// # Errors
    /// [`MetadataError::Io`] when the file system refuses.
    pub(crate) fn load(dir: &Path, settings: Live<Settings>, clock: Arc<dyn Clock>) -> Result<Self, MetadataError> {
        let bloom = {
            let broker = &settings.read().broker;
            Bloom::new(broker.max_error_rate_of_bloom_filter.0, broker.expect_consumer_num_use_filter)
        };
        let file = MetadataFile::new(dir, "consumerFilter.json");
        let stored: Option<file::FilterFile> = match file.load() {
            Err(error @ MetadataError::Damaged { .. }) => {
                tracing::warn!(%error, "the filters of consumers start empty instead; their heartbeats bring them again");
                None
            }
            other => other?,
        };
        let table = file::into_table(stored.unwrap_or_default(), bloom, clock.now_ms());
        Ok(Self { table: RwLock::new(table), bloom, newest_stored_ms: AtomicI64::new(0), file, settings, clock })
    }

    /// The filter of a group for a topic, and the version of its subscription.
    pub(crate) fn find(&self, topic: &str, group: &str) -> Option<(Arc<GroupFilter>, i64)> {
        self.table.read().find(topic, group).map(|filter| (filter.filter.clone(), filter.version))
    }

    /// The filter of a group for a topic as it stands in the file, for those who look into it.
    pub(crate) fn show(&self, topic: &str, group: &str) -> Option<String> {
        self.table.read().find(topic, group).map(|filter| file::entry_text(topic, group, filter))
    }

    /// Computes which groups want a message, where `enableCalcFilterBitMap` says so: its filter bits, empty when nobody
    /// filters its topic.
    pub(crate) fn compute_bits(&self, record: &Record<'_>, bits: &mut Vec<u8>) {
        if !self.settings.read().broker.enable_calc_filter_bit_map {
            return;
        }
        let table = self.table.read();
        // Under the lock: a filter that comes later is younger than this message.
        self.newest_stored_ms.fetch_max(record.store_timestamp(), Ordering::Relaxed);
        let Some(groups) = table.by_topic.get(record.topic()) else { return };
        self.bloom.none(bits);
        for filter in groups.values().filter(|filter| filter.filter.matches_record(record)) {
            Bloom::set(&filter.filter.positions, bits);
        }
    }

    /// Takes what a full heartbeat says about a group's subscriptions. Filters of topics that it does not name end.
    pub(crate) fn register(&self, group: &str, subscriptions: &[SubscriptionData]) {
        let filtered = || subscriptions.iter().filter(|data| !data.is_tag_type() && !data.sub_string.is_empty());
        let is_current = |table: &FilterTable| {
            let is_known = |data: &SubscriptionData| {
                let filter = table.find(&data.topic, group);
                filter.is_some_and(|filter| filter.version == data.sub_version && !filter.is_dead())
            };
            // Mostly nobody filters, or every filter is known already.
            filtered().all(is_known) && table.living_beside(group, subscriptions).is_empty()
        };
        if is_current(&self.table.read()) {
            return;
        }
        let mut table = self.table.write();
        for data in filtered() {
            self.register_one(&mut table, group, data);
        }
        let now = self.clock.now_ms();
        for topic in table.living_beside(group, subscriptions) {
            if let Some(filter) = table.filter_mut(&topic, group) {
                filter.dead_ms = now.max(filter.filter.born_ms);
                self.file.note_change();
            }
        }
    }

    fn register_one(&self, table: &mut FilterTable, group: &str, data: &SubscriptionData) {
        let SubscriptionData { topic, sub_string: expression, sub_version: version, .. } = data;
        let kind = data.expression_type.as_deref().unwrap_or_default();
        let is_full = table.count >= FILTERS_MAX;
        if let Some(old) = table.filter_mut(topic, group) {
            let is_same = old.expression == *expression && kind == SQL92;
            if *version < old.version || (*version == old.version && !old.is_dead()) {
                if !is_same {
                    tracing::debug!(%group, %topic, %version, newest = old.version, "an older filter is passed over");
                }
                return;
            }
            if is_same || *version == old.version {
                old.version = *version;
                old.dead_ms = 0;
                self.file.note_change();
                return;
            }
        } else if is_full {
            tracing::warn!(%group, %topic, "a filter is refused: the broker keeps {FILTERS_MAX} already");
            return;
        }
        match compile(kind, expression) {
            Ok(compiled) => {
                tracing::info!(%group, %topic, %expression, %version, "a group filters messages");
                let filter = GroupFilter {
                    expression: compiled,
                    positions: self.bloom.positions(group, topic),
                    born_ms: self.clock.now_ms().max(self.newest_stored_ms.load(Ordering::Relaxed)),
                };
                let filter = ConsumerFilter {
                    expression: expression.clone(),
                    filter: Arc::new(filter),
                    dead_ms: 0,
                    version: *version,
                };
                table.insert(topic, group, filter);
                self.file.note_change();
            }
            Err(error) => {
                tracing::warn!(%group, %topic, %error, "a group's filter cannot be used; its pulls are refused");
                if table.remove(topic, group) {
                    self.file.note_change();
                }
            }
        }
    }

    /// Ends the filters of groups that have no members, and forgets those that ended long ago.
    pub(crate) fn tidy(&self, has_members: impl Fn(&str) -> bool) {
        let span = i64::try_from(self.settings.read().broker.filter_data_clean_time_span.0).unwrap_or(i64::MAX);
        let now = self.clock.now_ms();
        let is_stale = |_: &str, group: &str, filter: &ConsumerFilter| match filter.is_dead() {
            true => now - filter.dead_ms >= span,
            false => !has_members(group),
        };
        let stale = self.table.read().names(is_stale);
        if stale.is_empty() {
            return;
        }
        let mut table = self.table.write();
        for (topic, group) in stale {
            let Some(filter) = table.filter_mut(&topic, &group) else { continue };
            // It may have come to life meanwhile.
            if !filter.is_dead() && !has_members(&group) {
                filter.dead_ms = now.max(filter.filter.born_ms);
            } else if filter.is_dead() && now - filter.dead_ms >= span {
                tracing::info!(%group, %topic, "the filter of a group that left long ago is forgotten");
                table.remove(&topic, &group);
            }
            self.file.note_change();
        }
    }

    /// Writes the file, if something has changed.
    ///
    /// # Errors
    /// [`MetadataError::Io`]; the next call tries again.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        self.file.save(|| file::text(&self.table.read()))
    }
}

/// Filters messages of a group's retry topic by what the group wanted of the topics they came from
/// (`filterSupportRetry`).
pub(crate) struct RetryFilter {
    /// Where the filters are.
    pub(crate) filters: Arc<ConsumerFilters>,
    /// The group.
    pub(crate) group: String,
}

impl MessageFilter for RetryFilter {
    fn matches_tags(&self, _: i64) -> bool {
        true
    }

    fn needs_record(&self) -> bool {
        true
    }

    fn matches_record(&self, record: &Record<'_>) -> bool {
        let properties = record.properties();
        let Some(topic) = properties.get(property_name::RETRY_TOPIC) else { return true };
        self.filters.find(topic, &self.group).is_none_or(|(filter, _)| filter.matches_record(record))
    }
}
