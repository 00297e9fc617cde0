//! How much each group reads of messages so old that they come from the disk, and who has to wait for it.
//!
//! With `coldDataFlowControlEnable` the bytes are added up over windows of five seconds: by group, against the group's own limit or
//! `cgColdReadThreshold`, and over all groups against `globalColdReadThreshold`. A group over one of them gets no more old
//! messages until the window ends; new ones are not limited. Limits of groups are set by request, and last until the broker stops,
//! as upstream's do. Never here: which messages are old (the store says that), what a pull is answered.
//!
//! Upstream: `ColdDataCgCtrService` (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::RwLock;
use serde::Serialize;

use crate::config::BrokerConfig;
use crate::metadata::is_system_group;

/// How long a group that read nothing old is still shown (RocketMQ 5.5.0).
const SHOWN_MS: i64 = 60_000;
/// Groups that a limit may be set for.
const LIMITS_MAX: usize = 10_000;
/// Pulls that may wait for a moment at once; more are told that the broker is busy.
const WAITING_MAX: usize = 10_000;

/// What groups read of old messages, and their limits.
#[derive(Debug, Default)]
pub(crate) struct ColdReads {
    limits: RwLock<BTreeMap<String, i64>>,
    groups: DashMap<Box<str>, Arc<Used>>,
    total: AtomicI64,
    waiting: AtomicUsize,
}

/// What one group read in this window.
#[derive(Debug)]
struct Used {
    bytes: AtomicI64,
    last_ms: AtomicI64,
    first_ms: i64,
}

/// Upstream's `AccAndTimeStamp`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UsedBody {
    cold_acc: i64,
    create_time_mills: i64,
    last_cold_read_time_mills: i64,
}

/// The answer to GET_COLD_DATA_FLOW_CTR_INFO.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColdReadsBody {
    runtime_table: BTreeMap<String, UsedBody>,
    config_table: BTreeMap<String, i64>,
    cg_cold_read_threshold: u64,
    global_cold_read_threshold: u64,
    global_acc: i64,
}

/// There are limits for too many groups.
#[derive(Debug, thiserror::Error)]
#[error("{LIMITS_MAX} groups have a limit already; remove some of them first")]
pub(crate) struct TooManyLimits;

impl ColdReads {
    /// Sets what a group may read of old messages in a window, bytes.
    ///
    /// # Errors
    /// [`TooManyLimits`]; nothing was changed.
    pub(crate) fn set_limit(&self, group: &str, bytes: i64) -> Result<(), TooManyLimits> {
        let mut limits = self.limits.write();
        if limits.len() >= LIMITS_MAX && !limits.contains_key(group) {
            return Err(TooManyLimits);
        }
        limits.insert(group.to_owned(), bytes);
        Ok(())
    }

    /// Gives a group the limit back that all have.
    pub(crate) fn remove_limit(&self, group: &str) {
        self.limits.write().remove(group);
    }

    /// A group read old messages.
    pub(crate) fn note(&self, group: &str, bytes: i64, now_ms: i64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
        let known = self.groups.get(group).map(|used| used.clone());
        let used = known.unwrap_or_else(|| {
            let fresh = || Arc::new(Used { bytes: 0.into(), last_ms: now_ms.into(), first_ms: now_ms });
            self.groups.entry(group.into()).or_insert_with(fresh).clone()
        });
        used.bytes.fetch_add(bytes, Ordering::Relaxed);
        used.last_ms.store(now_ms, Ordering::Relaxed);
    }

    /// True for a group that has read its part of old messages, or that has read some while all have read theirs.
    pub(crate) fn is_over(&self, group: &str, config: &BrokerConfig) -> bool {
        if is_system_group(group) {
            return false;
        }
        let Some(read) = self.groups.get(group).map(|used| used.bytes.load(Ordering::Relaxed)) else { return false };
        let own = self.limits.read().get(group).copied();
        let most = own.unwrap_or_else(|| i64::try_from(config.cg_cold_read_threshold.0).unwrap_or(i64::MAX));
        let all = i64::try_from(config.global_cold_read_threshold.0).unwrap_or(i64::MAX);
        read >= most || self.total.load(Ordering::Relaxed) >= all
    }

    /// Begins another window.
    pub(crate) fn end_window(&self, now_ms: i64) {
        self.groups.retain(|_, used| now_ms < used.last_ms.load(Ordering::Relaxed).saturating_add(SHOWN_MS));
        for used in &self.groups {
            used.bytes.store(0, Ordering::Relaxed);
        }
        self.total.store(0, Ordering::Relaxed);
    }

    /// Takes a place for a pull that waits for a moment; `None` when there is none. It is given back by dropping it.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < WAITING_MAX).then_some(count + 1));
        taken.ok().map(|_| Place(self.clone()))
    }

    /// What is set and what was read.
    pub(crate) fn show(&self, config: &BrokerConfig) -> ColdReadsBody {
        let row = |used: dashmap::mapref::multiple::RefMulti<'_, Box<str>, Arc<Used>>| {
            let body = UsedBody {
                cold_acc: used.bytes.load(Ordering::Relaxed),
                create_time_mills: used.first_ms,
                last_cold_read_time_mills: used.last_ms.load(Ordering::Relaxed),
            };
            (used.key().to_string(), body)
        };
        ColdReadsBody {
            runtime_table: self.groups.iter().map(row).collect(),
            config_table: self.limits.read().clone(),
            cg_cold_read_threshold: config.cg_cold_read_threshold.0,
            global_cold_read_threshold: config.global_cold_read_threshold.0,
            global_acc: self.total.load(Ordering::Relaxed),
        }
    }
}

/// The place of a pull that waits.
#[derive(Debug)]
pub(crate) struct Place(Arc<ColdReads>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::config::ByteSize;

    use super::*;

    #[test]
    fn a_group_waits_once_it_has_read_its_part_and_until_the_window_ends() {
        let config = BrokerConfig {
            cg_cold_read_threshold: ByteSize(100),
            global_cold_read_threshold: ByteSize(250),
            ..BrokerConfig::default()
        };
        let reads = ColdReads::default();
        let over = || ["a", "b", "c"].map(|group| reads.is_over(group, &config));
        reads.note("a", 99, 0);
        assert_eq!(over(), [false, false, false]);
        reads.note("a", 1, 1);
        reads.note("b", 60, 2);
        reads.set_limit("b", 50).unwrap();
        assert_eq!(over(), [true, true, false]);
        reads.remove_limit("b");
        assert_eq!(over(), [true, false, false]);
        // All together: only who reads old messages waits.
        reads.note("TOOLS_CONSUMER", 200, 3);
        assert_eq!(over(), [true, true, false]);
        assert!(!reads.is_over("TOOLS_CONSUMER", &config));
        reads.end_window(10);
        assert_eq!(over(), [false, false, false]);
        let shown = serde_json::to_string(&reads.show(&config)).unwrap();
        assert!(shown.contains(r#""a":{"coldAcc":0,"createTimeMills":0,"lastColdReadTimeMills":1}"#), "{shown}");
        reads.end_window(SHOWN_MS + 2);
        assert!(!serde_json::to_string(&reads.show(&config)).unwrap().contains(r#""a""#));
    }

    #[test]
    fn limits_and_places_have_bounds() {
        let reads = Arc::new(ColdReads::default());
        for number in 0..LIMITS_MAX {
            reads.set_limit(&number.to_string(), 1).unwrap();
        }
        assert!(reads.set_limit("more", 1).is_err());
        reads.set_limit("0", 2).unwrap();
        let places: Vec<_> = std::iter::repeat_with(|| reads.place()).take(WAITING_MAX + 1).collect();
        assert_eq!(places.iter().filter(|place| place.is_none()).count(), 1);
        drop(places);
        assert!(reads.place().is_some());
    }
}
