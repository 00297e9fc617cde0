//! What a client tells of itself as upstream's tool writes it, and what it finds wrong with it.
//! Upstream: `ConsumerRunningInfo`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use boostermq_remoting::body::{ConsumerRunningInfo, MessageQueue, ProcessQueueInfo};

use crate::print;

/// How long a consumer must have run before its subscriptions are compared, ms.
const SETTLED_MS: i64 = 120_000;
/// How long a queue may stand still with messages in it, ms.
const STUCK_MS: i64 = 60_000;

/// The report of one client.
pub(super) fn report(info: &ConsumerRunningInfo) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut text, info);
    text
}

fn write_report(out: &mut String, info: &ConsumerRunningInfo) -> std::fmt::Result {
    out.push_str("#Consumer Properties#\n");
    for key in print::properties_order(info.properties.keys().map(String::as_str)) {
        writeln!(out, "{key:<40}: {}", info.properties.get(key).map_or("", String::as_str))?;
    }
    out.push_str("\n\n#Consumer Subscription#\n");
    let mut subscriptions: Vec<_> = info.subscription_set.iter().collect();
    subscriptions.sort_by(|one, other| (&one.topic, &one.sub_string).cmp(&(&other.topic, &other.sub_string)));
    for (index, data) in (1..).zip(subscriptions) {
        let (topic, mode, expression) = (&data.topic, data.class_filter_mode.to_string(), &data.sub_string);
        writeln!(out, "{index:03} Topic: {topic:<40} ClassFilter: {mode:<8} SubExpression: {expression}")?;
    }
    out.push_str("\n\n#Consumer Offset#\n");
    writeln!(out, "{:<64}  {:<32}  {:<4}  {:<20}", "#Topic", "#Broker Name", "#QID", "#Consumer Offset")?;
    for (queue, held) in &info.mq_table.0 {
        let MessageQueue { topic, broker_name, queue_id } = queue;
        writeln!(out, "{topic:<32}  {broker_name:<32}  {queue_id:<4}  {:<20}", held.commit_offset)?;
    }
    out.push_str("\n\n#Consumer MQ Detail#\n");
    writeln!(out, "{:<64}  {:<32}  {:<4}  {:<20}", "#Topic", "#Broker Name", "#QID", "#ProcessQueueInfo")?;
    for (queue, held) in &info.mq_table.0 {
        let MessageQueue { topic, broker_name, queue_id } = queue;
        writeln!(out, "{topic:<64}  {broker_name:<32}  {queue_id:<4}  {}", held_text(held))?;
    }
    out.push_str("\n\n#Consumer Pop Detail#\n");
    writeln!(out, "{:<32}  {:<32}  {:<4}  {:<20}", "#Topic", "#Broker Name", "#QID", "#ProcessQueueInfo")?;
    for (queue, held) in &info.mq_pop_table.0 {
        let MessageQueue { topic, broker_name, queue_id } = queue;
        let (count, dropped, time) = (held.wait_ack_count, held.droped, held.last_pop_timestamp);
        writeln!(
            out,
            "{topic:<32}  {broker_name:<32}  {queue_id:<4}  PopProcessQueueInfo [waitAckCount:{count}, \
             droped:{dropped}, lastPopTimestamp:{time}]"
        )?;
    }
    write_rates(out, info)?;
    out.push_str("\n\n#User Consume Info#\n");
    for (key, value) in &info.user_consumer_info {
        writeln!(out, "{key:<40}: {value}")?;
    }
    if let Some(stacks) = &info.jstack {
        out.push_str("\n\n#Consumer jstack#\n");
        out.push_str(stacks);
    }
    Ok(())
}

fn write_rates(out: &mut String, info: &ConsumerRunningInfo) -> std::fmt::Result {
    out.push_str("\n\n#Consumer RT&TPS#\n");
    writeln!(
        out,
        "{:<64}  {:>14} {:>14} {:>14} {:>14} {:>18} {:>25}",
        "#Topic",
        "#Pull RT",
        "#Pull TPS",
        "#Consume RT",
        "#ConsumeOK TPS",
        "#ConsumeFailed TPS",
        "#ConsumeFailedMsgsInHour"
    )?;
    for (topic, status) in &info.status_table {
        writeln!(
            out,
            "{topic:<32}  {:>14.2} {:>14.2} {:>14.2} {:>14.2} {:>18.2} {:>25}",
            status.pull_rt,
            status.pull_tps,
            status.consume_rt,
            status.consume_ok_tps,
            status.consume_failed_tps,
            status.consume_failed_msgs
        )?;
    }
    Ok(())
}

fn held_text(held: &ProcessQueueInfo) -> String {
    format!(
        "ProcessQueueInfo [commitOffset={}, cachedMsgMinOffset={}, cachedMsgMaxOffset={}, cachedMsgCount={}, \
         cachedMsgSizeInMiB={}, transactionMsgMinOffset={}, transactionMsgMaxOffset={}, transactionMsgCount={}, \
         locked={}, tryUnlockTimes={}, lastLockTimestamp={}, droped={}, lastPullTimestamp={}, \
         lastConsumeTimestamp={}]",
        held.commit_offset,
        held.cached_msg_min_offset,
        held.cached_msg_max_offset,
        held.cached_msg_count,
        held.cached_msg_size_in_mib,
        held.transaction_msg_min_offset,
        held.transaction_msg_max_offset,
        held.transaction_msg_count,
        held.locked,
        held.try_unlock_times,
        print::compact_time(held.last_lock_timestamp),
        held.droped,
        print::compact_time(held.last_pull_timestamp),
        print::compact_time(held.last_consume_timestamp),
    )
}

fn is_push(info: &ConsumerRunningInfo) -> bool {
    info.properties.get("PROP_CONSUME_TYPE").is_some_and(|kind| kind == "CONSUME_PASSIVELY")
}

/// False when members that have run for a while do not want the same.
pub(super) fn is_subscription_same(members: &BTreeMap<String, ConsumerRunningInfo>, now_ms: i64) -> bool {
    let Some(first) = members.values().next() else { return true };
    let started: i64 =
        first.properties.get("PROP_CONSUMER_START_TIMESTAMP").and_then(|text| text.parse().ok()).unwrap_or(now_ms);
    if !is_push(first) || now_ms.saturating_sub(started) <= SETTLED_MS {
        return true;
    }
    let wanted = |info: &ConsumerRunningInfo| {
        let mut all: Vec<(String, String)> =
            info.subscription_set.iter().map(|data| (data.topic.clone(), data.sub_string.clone())).collect();
        all.sort_unstable();
        all
    };
    let first = wanted(first);
    members.values().all(|info| wanted(info) == first)
}

/// What stands still in the queues of one member, a line for each.
pub(super) fn stuck_queues(client_id: &str, info: &ConsumerRunningInfo, now_ms: i64) -> String {
    let mut text = String::new();
    if !is_push(info) {
        return text;
    }
    let is_orderly = info.properties.get("PROP_CONSUMEORDERLY").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    for (queue, held) in &info.mq_table.0 {
        let MessageQueue { topic, broker_name, queue_id } = queue;
        let queue = format!("MessageQueue [topic={topic}, brokerName={broker_name}, queueId={queue_id}]");
        let idle_ms = now_ms.saturating_sub(held.last_consume_timestamp);
        let line = if is_orderly && !held.locked {
            let unlocked_ms = now_ms.saturating_sub(held.last_lock_timestamp);
            format!("{client_id} {queue} can't lock for a while, {unlocked_ms}ms\n")
        } else if is_orderly && held.droped && held.try_unlock_times > 0 {
            format!("{client_id} {queue} unlock {} times, still failed\n", held.try_unlock_times)
        } else if !is_orderly && idle_ms > STUCK_MS && held.cached_msg_count > 0 {
            format!("{client_id} {queue} can't consume for a while, maybe blocked, {idle_ms}ms\n")
        } else {
            continue;
        };
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::body::SubscriptionData;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn member(expression: &str, started_ms: i64) -> ConsumerRunningInfo {
        let mut info = ConsumerRunningInfo::default();
        let properties = [
            ("PROP_CONSUME_TYPE", "CONSUME_PASSIVELY".to_owned()),
            ("PROP_CONSUMER_START_TIMESTAMP", started_ms.to_string()),
        ];
        info.properties.extend(properties.map(|(key, value)| (key.to_owned(), value)));
        let data = SubscriptionData {
            topic: "T".to_owned(),
            sub_string: expression.to_owned(),
            ..SubscriptionData::default()
        };
        info.subscription_set.push(data);
        info
    }

    #[test]
    fn members_that_want_something_else_are_told_after_a_while() {
        let settled = NOW_MS - SETTLED_MS - 1;
        for (started_ms, other, is_same) in
            [(settled, "a", true), (settled, "b", false), (NOW_MS - SETTLED_MS, "b", true), (NOW_MS, "b", true)]
        {
            let members = [("1", member("a", started_ms)), ("2", member(other, started_ms))];
            let members = members.map(|(id, info)| (id.to_owned(), info)).into();
            assert_eq!(is_subscription_same(&members, NOW_MS), is_same, "{started_ms} {other}");
        }
    }

    #[test]
    fn queues_that_stand_still_are_told() {
        let queue = MessageQueue { broker_name: "b".to_owned(), queue_id: 3, topic: "T".to_owned() };
        let held = |consumed_ms, count, locked| ProcessQueueInfo {
            last_consume_timestamp: consumed_ms,
            last_lock_timestamp: NOW_MS - 7,
            cached_msg_count: count,
            locked,
            ..ProcessQueueInfo::default()
        };
        for (is_orderly, held, line) in [
            (false, held(NOW_MS - STUCK_MS, 1, false), ""),
            (false, held(NOW_MS - STUCK_MS - 1, 0, false), ""),
            (false, held(NOW_MS - STUCK_MS - 1, 1, false), "can't consume for a while, maybe blocked, 60001ms\n"),
            (true, held(NOW_MS - STUCK_MS - 1, 1, true), ""),
            (true, held(NOW_MS, 0, false), "can't lock for a while, 7ms\n"),
        ] {
            let mut info = member("a", 0);
            info.properties.insert("PROP_CONSUMEORDERLY".to_owned(), is_orderly.to_string());
            info.mq_table.0.insert(queue.clone(), held);
            let text = stuck_queues("c", &info, NOW_MS);
            let head = "c MessageQueue [topic=T, brokerName=b, queueId=3] ";
            assert_eq!(text, if line.is_empty() { String::new() } else { format!("{head}{line}") });
        }
    }

    #[test]
    fn a_report_has_every_part() {
        let mut info = member("TagA", 0);
        info.mq_table.0.insert(MessageQueue::default(), ProcessQueueInfo::default());
        info.status_table.insert("T".to_owned(), boostermq_remoting::body::ConsumeStatus::default());
        info.jstack = Some("stacks".to_owned());
        let text = report(&info);
        for part in [
            "#Consumer Properties#\n",
            "001 Topic: T                                        ClassFilter: false    SubExpression: TagA\n",
            "\n\n#Consumer Offset#\n#Topic ",
            "ProcessQueueInfo [commitOffset=0, cachedMsgMinOffset=0,",
            "#Consumer Pop Detail#\n",
            "#ConsumeFailedMsgsInHour\nT                                           0.00",
            "\n\n#User Consume Info#\n",
            "\n\n#Consumer jstack#\nstacks",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
}
