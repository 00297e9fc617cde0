//! Causes that lie in one member: what it holds, what it does not fetch, where its threads stand.

use std::collections::BTreeSet;

use boostermq_remoting::body::{ConsumeType, ConsumerRunningInfo, MessageModel, MessageQueue, ProcessQueueInfo};

use super::set_up::holders;
use crate::doctor::facts::{Facts, Finding, Member, Queue, finding};
use crate::doctor::stack;

/// A member that consumed nothing of a queue for so long while it holds messages of it is stuck, ms.
const STUCK_MS: i64 = 10_000;
/// An orderly member that could not lock a queue for so long is kept out by another, ms: it tries each 20 s.
const UNLOCKED_MS: i64 = 25_000;
/// Limits of a Java client, when it does not say its own (RocketMQ 5.5.0).
const PULL_THRESHOLD: i64 = 1_000;
const PULL_THRESHOLD_MIB: i64 = 100;
const MAX_SPAN: i64 = 2_000;
const DEFAULT_THREADS: i64 = 20;

/// What a member holds of a queue, both times.
struct Held<'a> {
    member: &'a Member,
    running: &'a ConsumerRunningInfo,
    queue: &'a MessageQueue,
    first: Option<&'a ProcessQueueInfo>,
    second: &'a ProcessQueueInfo,
}

impl Held<'_> {
    fn name(&self) -> String {
        format!("{}@{}:{}", self.queue.topic, self.queue.broker_name, self.queue.queue_id)
    }

    /// It held the same first message both times, and either finished none for long, or only such as come long after it.
    fn is_still(&self, facts: &Facts) -> bool {
        let is_same = self.first.is_some_and(|first| {
            first.cached_msg_count > 0 && first.cached_msg_min_offset == self.second.cached_msg_min_offset
        });
        let since_ms = facts.now_ms.saturating_sub(self.second.last_consume_timestamp);
        let is_passed =
            !self.is_orderly() && self.span() >= setting(self.running, "consumeConcurrentlyMaxSpan", MAX_SPAN);
        is_same && self.second.cached_msg_count > 0 && (is_passed || since_ms > STUCK_MS.max(self.patience_ms()))
    }

    /// Twice the time in which the member works off all that it holds, ms: queues take turns.
    fn patience_ms(&self) -> i64 {
        let threads = setting(self.running, "PROP_THREADPOOL_CORE_SIZE", DEFAULT_THREADS).max(1);
        let held: i64 = self.running.mq_table.0.values().map(|held| i64::from(held.cached_msg_count)).sum();
        let slowest = self.running.status_table.values().map(|status| status.consume_rt).fold(0.0, f64::max);
        (2.0 * held as f64 * slowest / threads as f64) as i64
    }

    fn is_orderly(&self) -> bool {
        self.running.properties.get("PROP_CONSUMEORDERLY").is_some_and(|value| value == "true")
    }

    /// Offsets between the first and the last message it holds.
    const fn span(&self) -> i64 {
        self.second.cached_msg_max_offset.saturating_sub(self.second.cached_msg_min_offset)
    }
}

fn held(facts: &Facts) -> Vec<Held<'_>> {
    let mut all = Vec::new();
    for (member, first, running) in facts.running() {
        for (queue, second) in running.mq_table.0.iter().filter(|(_, held)| !held.droped) {
            all.push(Held { member, running, queue, first: first.mq_table.0.get(queue), second });
        }
    }
    all
}

fn queue_of<'a>(facts: &'a Facts, wanted: &MessageQueue) -> Option<&'a Queue> {
    facts.queues.iter().chain(&facts.retries).find(|queue| {
        queue.topic == wanted.topic && queue.broker == wanted.broker_name && queue.queue_id == wanted.queue_id
    })
}

fn setting(running: &ConsumerRunningInfo, name: &str, default: i64) -> i64 {
    running.properties.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub(super) fn stuck_in_flight(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    let mut stuck = BTreeSet::new();
    for held in held(facts).iter().filter(|held| held.is_still(facts)) {
        stuck.insert(&held.member.client_id);
        let since_s = facts.now_ms.saturating_sub(held.second.last_consume_timestamp) / 1_000;
        let age = queue_of(facts, held.queue).and_then(|queue| queue.next).map_or_else(String::new, |next| {
            format!("; the message was stored {} s ago", facts.now_ms.saturating_sub(next.stored_ms) / 1_000)
        });
        evidence.push(format!(
            "{} holds {} messages of {}, finished the last {since_s} s ago, and still has that at offset {}{age}",
            held.member.client_id,
            held.second.cached_msg_count,
            held.name(),
            held.second.cached_msg_min_offset,
        ));
    }
    if evidence.is_empty() {
        return None;
    }
    for (member, _, running) in facts.running().filter(|(member, ..)| stuck.contains(&member.client_id)) {
        let stacks = running.jstack.as_deref().unwrap_or_default();
        for line in stack::consuming(stacks, &facts.group) {
            evidence.insert(1.min(evidence.len()), format!("{}: {line}", member.client_id));
        }
    }
    finding(
        "stuck-in-flight",
        "A member has messages in hand and does not finish them.",
        evidence,
        "See where its listener waits (mqadmin consumerStatus -g GROUP -i CLIENT -s prints all stacks): mostly a call \
         without a time limit. Mend it and restart the member; its messages go to another.",
    )
}

pub(super) fn flow_controlled(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    for held in held(facts).iter().filter(|held| !held.is_still(facts)) {
        let second = held.second;
        let limit = setting(held.running, "pullThresholdForQueue", PULL_THRESHOLD);
        let limit_mib = setting(held.running, "pullThresholdSizeForQueue", PULL_THRESHOLD_MIB);
        let max_span = setting(held.running, "consumeConcurrentlyMaxSpan", MAX_SPAN);
        let span = held.span();
        let reason = if i64::from(second.cached_msg_count) >= limit {
            format!("{} messages, its limit is {limit}", second.cached_msg_count)
        } else if i64::from(second.cached_msg_size_in_mib) >= limit_mib {
            format!("{} MiB, its limit is {limit_mib}", second.cached_msg_size_in_mib)
        } else if !held.is_orderly() && span >= max_span {
            format!("messages {span} offsets apart, its limit is {max_span}")
        } else {
            continue;
        };
        let status = held.running.status_table.get(&held.queue.topic).cloned().unwrap_or_default();
        evidence.push(format!(
            "{} holds of {} {reason}; it consumes {:.1}/s with {} threads, {:.0} ms for one",
            held.member.client_id,
            held.name(),
            status.consume_ok_tps,
            setting(held.running, "PROP_THREADPOOL_CORE_SIZE", DEFAULT_THREADS),
            status.consume_rt,
        ));
    }
    finding(
        "member-flow-controlled",
        "A member has stopped fetching, because it does not work off what it holds.",
        evidence,
        "Its listener is too slow: make it faster, give it more threads (consumeThreadMax) or larger batches, or start \
         more members, up to one for each queue.",
    )
}

pub(super) fn paused(facts: &Facts) -> Option<Finding> {
    if facts.consume_type != Some(ConsumeType::Passively) {
        return None;
    }
    let mut evidence = Vec::new();
    for held in held(facts) {
        let Some(queue) = queue_of(facts, held.queue) else { continue };
        let is_unlocked = held.is_orderly() && !held.second.locked;
        let status = held.running.status_table.get(&held.queue.topic).cloned().unwrap_or_default();
        let is_idle = held.second.cached_msg_count == 0 && status.pull_tps == 0.0 && status.consume_ok_tps == 0.0;
        if queue.lag() > 0 && queue.consumed() == 0 && is_idle && !is_unlocked {
            evidence.push(format!(
                "{} owns {} where {} messages wait, holds none of them, and fetched none in the last minute",
                held.member.client_id,
                held.name(),
                queue.lag(),
            ));
        }
    }
    finding(
        "member-paused",
        "A member owns queues and does not fetch from them.",
        evidence,
        "Either its application called suspend(): resume it. Or its pulls fail: its log says why (rights, broker address, \
         subscription).",
    )
}

pub(super) fn lock_held_elsewhere(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    for held in held(facts) {
        let is_shared = facts.model == Some(MessageModel::Broadcasting);
        let since_ms = facts.now_ms.saturating_sub(held.second.last_lock_timestamp);
        if held.is_orderly() && !is_shared && !held.second.locked && since_ms > UNLOCKED_MS {
            let lag = queue_of(facts, held.queue).map_or(0, Queue::lag);
            evidence.push(format!(
                "{} owns {} and has no lock on it since {} s; {lag} messages wait",
                held.member.client_id,
                held.name(),
                since_ms / 1_000,
            ));
        }
    }
    // A Java client does not take a queue at all when it cannot lock it.
    for queue in unowned(facts).into_iter().filter(|_| is_orderly(facts)) {
        evidence.push(format!("no member could take {}; {} messages wait", queue.name(), queue.lag()));
    }
    finding(
        "lock-held-elsewhere",
        "An orderly member cannot lock its queue: another client holds the lock, perhaps one that is dead.",
        evidence,
        "A lock ends 60 s after its holder was last heard. If it stays, a client of this group runs that is not in the \
         list of members, or works against another name server: find it and stop it.",
    )
}

fn is_orderly(facts: &Facts) -> bool {
    let is_true = |running: &ConsumerRunningInfo| {
        running.properties.get("PROP_CONSUMEORDERLY").is_some_and(|value| value == "true")
    };
    facts.model != Some(MessageModel::Broadcasting) && facts.running().any(|(_, _, running)| is_true(running))
}

/// Queues where messages wait and that no member says it has; none when not every member says what it has.
fn unowned(facts: &Facts) -> Vec<&Queue> {
    let is_complete = facts.members.iter().all(|member| member.running.is_ok());
    let is_pushed = facts.consume_type == Some(ConsumeType::Passively);
    let pops = facts.running().any(|(_, _, running)| !running.mq_pop_table.0.is_empty());
    if facts.members.is_empty() || !is_complete || !is_pushed || pops {
        return Vec::new();
    }
    let holders = holders(facts);
    let has_holder =
        |queue: &&Queue| holders.contains_key(&(queue.topic.as_str(), queue.broker.as_str(), queue.queue_id));
    facts.queues.iter().filter(|queue| queue.lag() > 0 && !has_holder(queue)).collect()
}

pub(super) fn queue_without_member(facts: &Facts) -> Option<Finding> {
    let unowned = unowned(facts).into_iter().filter(|_| !is_orderly(facts));
    let evidence = unowned.map(|queue| format!("{} belongs to no member; {} messages wait", queue.name(), queue.lag()));
    let evidence = evidence.collect();
    finding(
        "queue-without-member",
        "Messages wait in a queue that no member has taken.",
        evidence,
        "Members share queues out each 20 s: ask again. If it stays, they disagree: compare their subscriptions, their \
         strategy, and the client ids, which must differ. A topic that nobody subscribes to any more keeps its offsets.",
    )
}
