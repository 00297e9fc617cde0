//! Causes that lie in how a group is set up: members, subscriptions, rights.

use std::collections::{BTreeMap, BTreeSet};

use boostermq_remoting::body::{ConsumerRunningInfo, MessageModel};
use boostermq_remoting::names::RETRY_TOPIC_PREFIX;

use crate::doctor::facts::{Facts, Finding, finding};

pub(super) fn consuming_is_disabled(facts: &Facts) -> Option<Finding> {
    let is_broadcast = facts.model == Some(MessageModel::Broadcasting);
    let evidence = facts.brokers.iter().filter_map(|broker| match broker.is_enabled {
        Some(false) => Some(format!("{}: consumeEnable=false for {}", broker.name, facts.group)),
        Some(true) if is_broadcast && !broker.is_broadcast_enabled => {
            Some(format!("{}: consumeBroadcastEnable=false, and the group consumes by broadcast", broker.name))
        }
        _ => None,
    });
    finding(
        "consume-disabled",
        "The brokers do not let the group consume.",
        evidence.collect(),
        "Allow it again: mqadmin updateSubGroup -c CLUSTER -g GROUP -s true (-d true for broadcast).",
    )
}

pub(super) fn reading_is_forbidden(facts: &Facts) -> Option<Finding> {
    let forbidden = facts.brokers.iter().flat_map(|broker| {
        broker.forbidden.iter().map(|topic| format!("{}: {} may not read {topic}", broker.name, facts.group))
    });
    let unreadable = facts.topics.iter().filter_map(|topic| match topic.read_queues {
        Some(0) => Some(format!("{} has no queue that may be read", topic.name)),
        None => Some(format!("{} is unknown to the name servers", topic.name)),
        Some(_) => None,
    });
    finding(
        "read-forbidden",
        "The group may not read a topic.",
        forbidden.chain(unreadable).collect(),
        "Give the right back: UPDATE_AND_GET_GROUP_FORBIDDEN with readable=true for the group, mqadmin updateTopicPerm \
         -p 6 for the topic.",
    )
}

pub(super) fn no_member(facts: &Facts) -> Option<Finding> {
    let evidence = match facts.members.is_empty() {
        true => vec![format!("no consumer of {} is connected; {} messages wait", facts.group, facts.lag())],
        false => Vec::new(),
    };
    finding(
        "no-member",
        "Nobody consumes.",
        evidence,
        "Start a consumer of this group. If one runs, compare its name servers and its group name with these, and look \
         into its log.",
    )
}

/// A subscription without what may differ: `topic -> filter`.
fn subscriptions(running: &ConsumerRunningInfo) -> BTreeMap<&str, (&str, &str)> {
    let own = running.subscription_set.iter().filter(|one| !one.topic.starts_with(RETRY_TOPIC_PREFIX));
    own.map(|one| {
        let kind = if one.is_tag_type() { "TAG" } else { one.expression_type.as_deref().unwrap_or("TAG") };
        (one.topic.as_str(), (kind, one.sub_string.as_str()))
    })
    .collect()
}

fn text(subscriptions: &BTreeMap<&str, (&str, &str)>) -> String {
    let parts = subscriptions.iter().map(|(topic, (kind, filter))| format!("{topic} by {kind} {filter:?}"));
    parts.collect::<Vec<_>>().join(", ")
}

/// The first few of many names.
fn some(names: &[&str]) -> String {
    const FEW: usize = 4;
    let shown = names.get(..FEW).unwrap_or(names).join(", ");
    if names.len() > FEW { format!("{shown} and {} more", names.len() - FEW) } else { shown }
}

pub(super) fn mismatched_subscriptions(facts: &Facts) -> Option<Finding> {
    let mut members: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (member, _, running) in facts.running() {
        let mut said = text(&subscriptions(running));
        for (name, label) in
            [("messageModel", "model"), ("PROP_CONSUME_TYPE", "type"), ("PROP_CONSUMEORDERLY", "orderly")]
        {
            if let Some(value) = running.properties.get(name) {
                said.push_str(&format!(", {label} {value}"));
            }
        }
        members.entry(said).or_default().push(&member.client_id);
    }
    if members.len() < 2 {
        return None;
    }
    let evidence = members.iter().map(|(said, ids)| format!("{}: {said}", some(ids)));
    finding(
        "mismatched-subscriptions",
        "Members of the group want different messages: each heartbeat replaces the subscription of the others, and messages \
         are passed over.",
        evidence.collect(),
        "Give all members the same topics, filters and model, or give those that differ a group of their own.",
    )
}

pub(super) fn more_members_than_queues(facts: &Facts) -> Option<Finding> {
    if facts.model == Some(MessageModel::Broadcasting) {
        return None;
    }
    let members = facts.members.len();
    let subscribed = |topic: &str| facts.subscriptions.is_empty() || facts.subscriptions.contains_key(topic);
    let most =
        facts.topics.iter().filter(|topic| subscribed(&topic.name)).filter_map(|topic| topic.read_queues).max()?;
    if most == 0 || members <= most {
        return None;
    }
    let topics = facts.topics.iter().filter(|topic| subscribed(&topic.name));
    let evidence = topics.map(|topic| {
        format!("{members} members, {} queues of {} to read", topic.read_queues.unwrap_or_default(), topic.name)
    });
    finding(
        "more-members-than-queues",
        format!("{} members have nothing to do: a queue goes to one member only.", members - most),
        evidence.collect(),
        "Add queues (mqadmin updateTopic -r N -w N), stop the members that are too many, or let the group pop.",
    )
}

pub(super) fn silent_member(facts: &Facts) -> Option<Finding> {
    let evidence = facts
        .members
        .iter()
        .filter_map(|member| member.running.as_ref().err().map(|reason| format!("{}: {reason}", member.client_id)));
    finding(
        "silent-member",
        "A member is connected, but does not say how it does.",
        evidence.collect(),
        "If it is no Java client, that may be all it can. Else it hangs or is gone: look at its process, or restart it.",
    )
}

/// Client ids of members that hold a queue.
pub(super) fn holders(facts: &Facts) -> BTreeMap<(&str, &str, i32), BTreeSet<&str>> {
    let mut holders: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (member, _, running) in facts.running() {
        for queue in running.mq_table.0.iter().filter(|(_, held)| !held.droped).map(|(queue, _)| queue) {
            let key = (queue.topic.as_str(), queue.broker_name.as_str(), queue.queue_id);
            holders.entry(key).or_default().insert(&member.client_id);
        }
    }
    holders
}
