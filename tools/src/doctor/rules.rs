//! From facts to findings: one function for each cause, none of which asks anybody.
//!
//! Causes that explain others come first: a group without members is not told that its offsets do not move.

mod broker;
mod member;
mod rate;
mod set_up;

use super::facts::{Facts, Finding};

/// A rule.
type Rule = fn(&Facts) -> Option<Finding>;

const RULES: &[Rule] = &[
    set_up::consuming_is_disabled,
    set_up::reading_is_forbidden,
    set_up::no_member,
    set_up::mismatched_subscriptions,
    set_up::more_members_than_queues,
    set_up::silent_member,
    member::stuck_in_flight,
    member::flow_controlled,
    member::paused,
    member::lock_held_elsewhere,
    member::queue_without_member,
    rate::filter_drops_nearly_all,
    rate::retry_storm,
    rate::dead_letters_grow,
    rate::hot_queue,
    rate::offsets_not_committed,
    broker::reads_from_disk,
    broker::flow_control,
];

/// Causes that have others as their consequence, and these: told beside them, they would lead astray.
const ROOTS: [&str; 3] = ["consume-disabled", "read-forbidden", "mismatched-subscriptions"];
const CONSEQUENCES: [&str; 4] = ["member-paused", "queue-without-member", "filter-drops-nearly-all", "hot-queue"];

/// Everything that is wrong.
pub(crate) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().filter_map(|rule| rule(facts)).collect();
    if findings.iter().any(|finding| ROOTS.contains(&finding.cause)) {
        findings.retain(|finding| !CONSEQUENCES.contains(&finding.cause));
    }
    if findings.is_empty() {
        findings.extend(rate::too_slow(facts));
    }
    findings
}
