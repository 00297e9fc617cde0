//! Causes that show in rates: how much is stored, passed, consumed, tried again.

use boostermq_remoting::body::{ConsumeType, ConsumerRunningInfo, MessageModel, MessageQueue};

use crate::doctor::facts::{Facts, Finding, Queue, finding};
use crate::doctor::span;

/// Fewer messages than these prove nothing.
const FEW: i64 = 20;
/// A filter that lets through less than this part drops nearly all.
const FILTER_PART: f64 = 0.1;
/// A group of whose messages more than this part fail retries them in a storm.
const FAILED_PART: f64 = 0.2;
/// A queue with more than this part of all that waits is hot, with [`HOT_LAG`] messages and more.
const HOT_PART: f64 = 0.7;
const HOT_LAG: i64 = 100;

pub(super) fn filter_drops_nearly_all(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    for topic in &facts.topics {
        let Some(subscription) = facts.subscriptions.get(&topic.name) else { continue };
        let is_all =
            subscription.is_tag_type() && (subscription.sub_string.is_empty() || subscription.sub_string == "*");
        if is_all {
            continue;
        }
        let passed: i64 = facts.queues.iter().filter(|queue| queue.topic == topic.name).map(Queue::consumed).sum();
        let consumed: f64 = facts
            .running()
            .filter_map(|(_, _, running)| running.status_table.get(&topic.name))
            .map(|status| status.consume_ok_tps + status.consume_failed_tps)
            .sum();
        let is_few = |got: f64, of: f64| of > 0.0 && got < of * FILTER_PART;
        if passed >= FEW && facts.running().next().is_some() && is_few(consumed, facts.rate(passed)) {
            evidence.push(format!(
                "{}: the group passes {:.1} messages/s and consumes {consumed:.1}/s; its filter is {:?}",
                topic.name,
                facts.rate(passed),
                subscription.sub_string,
            ));
        } else if let Some((stored, got)) = topic
            .last_minute
            .filter(|(stored, got)| *stored >= FEW && passed > 0 && is_few(*got as f64, *stored as f64))
        {
            evidence.push(format!(
                "{}: {stored} messages were stored in the last minute, the group got {got}; its filter is {:?}",
                topic.name, subscription.sub_string,
            ));
        }
    }
    finding(
        "filter-drops-nearly-all",
        "The group's filter drops nearly all messages: brokers read and consumers wait for little.",
        evidence,
        "If the filter is right, send these messages to a topic of their own. If not: tags are compared exactly, and \
         separated by ||.",
    )
}

pub(super) fn retry_storm(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    let put_back: i64 = facts.retries.iter().map(Queue::stored).sum();
    let passed: i64 = facts.queues.iter().map(Queue::consumed).sum();
    if put_back > 0 && put_back as f64 >= (passed + put_back) as f64 * FAILED_PART {
        evidence.push(format!(
            "{put_back} messages were put back in {:.0} s, {passed} of the topics were passed",
            facts.interval_s
        ));
    }
    for (member, _, running) in facts.running() {
        for (topic, status) in &running.status_table {
            let all = status.consume_ok_tps + status.consume_failed_tps;
            if status.consume_failed_tps > 0.0 && status.consume_failed_tps >= all * FAILED_PART {
                evidence.push(format!(
                    "{}: {:.1} of {all:.1} messages/s of {topic} fail; {} failed in the last hour",
                    member.client_id, status.consume_failed_tps, status.consume_failed_msgs,
                ));
            }
        }
    }
    if !evidence.is_empty() && facts.retry_lag() > 0 {
        evidence.push(format!("{} messages wait in %RETRY%{}", facts.retry_lag(), facts.group));
    }
    finding(
        "retry-storm",
        "Many messages fail and come again: the same work is done over and over.",
        evidence,
        "Look for the exception in the consumers' logs. Take messages that can never succeed as consumed and keep them aside; \
         lower retryMaxTimes (mqadmin updateSubGroup -r) until it is mended.",
    )
}

pub(super) fn dead_letters_grow(facts: &Facts) -> Option<Finding> {
    let evidence = match facts.dead {
        Some((first, second)) if second > first => {
            vec![format!("%DLQ%{}: {} more in {:.0} s, {second} in all", facts.group, second - first, facts.interval_s)]
        }
        _ => Vec::new(),
    };
    finding(
        "dead-letters-grow",
        "Messages are given up after all their retries.",
        evidence,
        "Read them (mqadmin printMsg -t %DLQ%GROUP, or find KEY), mend the cause, and send them again.",
    )
}

pub(super) fn hot_queue(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    for topic in &facts.topics {
        let queues: Vec<&Queue> = facts.queues.iter().filter(|queue| queue.topic == topic.name).collect();
        let all: i64 = queues.iter().map(|queue| queue.lag()).sum();
        let Some(hottest) = queues.iter().max_by_key(|queue| queue.lag()) else { continue };
        if queues.len() < 2 || hottest.lag() < HOT_LAG || (hottest.lag() as f64) < all as f64 * HOT_PART {
            continue;
        }
        let stored: i64 = queues.iter().map(|queue| queue.stored()).sum();
        let part = if stored > 0 {
            format!("; {} of {stored} new messages went there", hottest.stored())
        } else {
            String::new()
        };
        evidence.push(format!(
            "{}: {} of the {all} messages that wait in {} queues of {}{part}",
            hottest.name(),
            hottest.lag(),
            queues.len(),
            topic.name,
        ));
    }
    finding(
        "hot-queue",
        "Nearly all that waits is in one queue, which only one member may consume.",
        evidence,
        "Producers choose this queue (a key that is too frequent, a fixed queue) or its member is slower than the others: \
         spread the key, or look at that member.",
    )
}

pub(super) fn offsets_not_committed(facts: &Facts) -> Option<Finding> {
    if facts.model == Some(MessageModel::Broadcasting) {
        return None;
    }
    let mut evidence = Vec::new();
    for (member, first, running) in facts.running() {
        for (queue, held) in running.mq_table.0.iter().filter(|(_, held)| !held.droped) {
            let of = |one: &&Queue| {
                one.topic == queue.topic && one.broker == queue.broker_name && one.queue_id == queue.queue_id
            };
            let Some(known) = facts.queues.iter().find(of) else { continue };
            let before = first.mq_table.0.get(queue).map_or(0, |held| held.commit_offset);
            // What the member had reached when the first sample was taken, the broker must know by now.
            if before > known.second.consumer_offset && known.consumed() == 0 {
                evidence.push(format!(
                    "{} has reached {} in {}, the broker still has {}",
                    member.client_id,
                    held.commit_offset,
                    known.name(),
                    known.second.consumer_offset,
                ));
            }
        }
    }
    let pulls = facts.consume_type == Some(ConsumeType::Actively);
    for queue in facts.queues.iter().filter(|queue| pulls && queue.consumed() == 0) {
        // What was pulled and is in no member's hands any more was consumed.
        let held: i64 = facts.running().filter_map(|(_, _, running)| held_of(running, queue)).sum();
        let gone = queue.second.pull_offset.saturating_sub(queue.second.consumer_offset).saturating_sub(held);
        if gone >= FEW {
            evidence.push(format!(
                "{}: {gone} messages were pulled and worked off, the broker still has offset {}",
                queue.name(),
                queue.second.consumer_offset,
            ));
        }
    }
    finding(
        "offsets-not-committed",
        "Messages are consumed, and the offsets do not get to the broker: they will come again.",
        evidence,
        "A consumer that pulls must commit (commitSync, updateConsumeOffset). A push consumer does so each 5 s: look for \
         errors of UPDATE_CONSUMER_OFFSET in its log.",
    )
}

/// Messages of a queue that a member holds.
fn held_of(running: &ConsumerRunningInfo, queue: &Queue) -> Option<i64> {
    let key = MessageQueue { topic: queue.topic.clone(), broker_name: queue.broker.clone(), queue_id: queue.queue_id };
    running.mq_table.0.get(&key).map(|held| i64::from(held.cached_msg_count))
}

/// What to say when messages wait and nothing else was found.
pub(super) fn too_slow(facts: &Facts) -> Option<Finding> {
    let (lag, put, consume) = (facts.lag(), facts.put_rate(), facts.consume_rate());
    // What was stored in the last seconds is on its way.
    if lag < FEW || (lag as f64) <= put * facts.interval_s {
        return None;
    }
    let mut evidence = vec![format!("{lag} messages wait; {put:.1}/s are stored, {consume:.1}/s consumed")];
    if consume > put {
        evidence.push(format!(
            "at this rate it has caught up in {}",
            span((lag as f64 / (consume - put) * 1_000.0) as i64)
        ));
        return finding("catching-up", "The group is behind and catches up.", evidence, "Wait, or start more members.");
    }
    finding(
        "too-slow",
        "The group consumes less than is stored, and no other cause was found.",
        evidence,
        "Start more members, up to one for each queue; then make the listener faster or add queues.",
    )
}
