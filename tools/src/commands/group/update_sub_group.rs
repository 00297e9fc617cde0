//! `updateSubGroup`: makes or changes a consumer group.
//!
//! As in upstream's tool, what is not given is set to its default, not left as it is; consuming from the first message and
//! broadcasting are then switched off.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use boostermq_remoting::body::{GroupRetryPolicy, SubscriptionGroupConfig};
use boostermq_remoting::fastjson;
use boostermq_remoting::names::Group;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::group::UpdateAndCreateSubscriptiongroup;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "create subscription group to which broker"),
    CommandOption::optional("c", "clusterName", "create subscription group to which cluster"),
    CommandOption::required("g", "groupName", "consumer group name"),
    CommandOption::optional("s", "consumeEnable", "consume enable"),
    CommandOption::optional("m", "consumeFromMinEnable", "from min offset"),
    CommandOption::optional("d", "consumeBroadcastEnable", "broadcast"),
    CommandOption::optional("o", "consumeMessageOrderly", "consume message orderly"),
    CommandOption::optional("q", "retryQueueNums", "retry queue nums"),
    CommandOption::optional("r", "retryMaxTimes", "retry max times"),
    CommandOption::optional(
        "p",
        "groupRetryPolicy",
        "the json string of retry policy ( exp: {\"type\":\"EXPONENTIAL\",\"exponentialRetryPolicy\":{\"initial\":5000,\"max\":7200000,\"multiplier\":2}} {\"type\":\"CUSTOMIZED\",\"customizedRetryPolicy\":{\"next\":[1000,5000,10000]}} )",
    ),
    CommandOption::optional("i", "brokerId", "consumer from which broker id"),
    CommandOption::optional("w", "whichBrokerWhenConsumeSlowly", "which broker id when consume slowly"),
    CommandOption::optional("a", "notifyConsumerIdsChanged", "notify consumerId changed"),
    CommandOption::optional("", "attributes", "attribute(+a=b,+c=d,-e)"),
];

commands! {
    /// Makes or changes a group.
    UpdateSubGroup = "updateSubGroup", "Update or create subscription group.", OPTIONS, update;
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let group = group(arguments)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let body = Bytes::from(fastjson::to_vec(&group));
    let done = |address: &str| format!("create subscription group to {address} success.");
    targets::tell::<UpdateAndCreateSubscriptiongroup>(session, &brokers, &NoHeader {}, body, done).await?;
    Ok(write!(session.out, "{}", group_text(&group))?)
}

fn group(arguments: &Arguments) -> anyhow::Result<SubscriptionGroupConfig> {
    let name = arguments.required("g")?;
    Group::parse(name)?;
    let mut group = SubscriptionGroupConfig::new(name);
    let truth = |key: &str, instead: bool| if arguments.has(key) { arguments.truth(key) } else { instead };
    group.consume_enable = truth("s", group.consume_enable);
    group.consume_from_min_enable = arguments.truth("m");
    group.consume_broadcast_enable = arguments.truth("d");
    group.consume_message_orderly = arguments.truth("o");
    group.notify_consumer_ids_changed_enable = truth("a", group.notify_consumer_ids_changed_enable);
    group.retry_queue_nums = arguments.number("q")?.unwrap_or(group.retry_queue_nums);
    group.retry_max_times = arguments.number("r")?.unwrap_or(group.retry_max_times);
    group.broker_id = arguments.number("i")?.unwrap_or(group.broker_id);
    group.which_broker_when_consume_slowly = arguments.number("w")?.unwrap_or(group.which_broker_when_consume_slowly);
    if let Some(text) = arguments.text("p") {
        group.group_retry_policy = fastjson::from_slice(text.as_bytes())
            .map_err(|error| anyhow!("-p must be a policy such as {{\"type\":\"CUSTOMIZED\"}}: {error}"))?;
    }
    group.attributes = attributes(arguments.text("attributes").unwrap_or_default())?;
    Ok(group)
}

/// Changes of attributes, `+name=value` and `-name`, by name with its sign.
fn attributes(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut changes = BTreeMap::new();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let (name, value) = match piece.split_once('=') {
            Some((name, value)) if name.starts_with('+') => (name, value),
            None if piece.starts_with('-') => (piece, ""),
            _ => bail!("the attribute {piece} is neither +name=value nor -name"),
        };
        if changes.insert(name.to_owned(), value.to_owned()).is_some() {
            bail!("key duplication: {name}; name each attribute once");
        }
    }
    Ok(changes)
}

/// The group as Java prints it.
fn group_text(group: &SubscriptionGroupConfig) -> String {
    format!(
        "SubscriptionGroupConfig{{groupName={}, consumeEnable={}, consumeFromMinEnable={}, consumeBroadcastEnable={}, \
         consumeMessageOrderly={}, retryQueueNums={}, retryMaxTimes={}, groupRetryPolicy={}, brokerId={}, \
         whichBrokerWhenConsumeSlowly={}, notifyConsumerIdsChangedEnable={}, groupSysFlag={}, \
         consumeTimeoutMinute={}, subscriptionDataSet={}, attributes={}}}",
        group.group_name,
        group.consume_enable,
        group.consume_from_min_enable,
        group.consume_broadcast_enable,
        group.consume_message_orderly,
        group.retry_queue_nums,
        group.retry_max_times,
        policy_text(&group.group_retry_policy),
        group.broker_id,
        group.which_broker_when_consume_slowly,
        group.notify_consumer_ids_changed_enable,
        group.group_sys_flag,
        group.consume_timeout_minute,
        subscriptions_text(group).unwrap_or_else(|| "null".to_owned()),
        print::map_text(&group.attributes),
    )
}

/// A retry policy as Java prints it.
pub(super) fn policy_text(policy: &GroupRetryPolicy) -> String {
    let exponential = policy.exponential_retry_policy.as_ref().map_or("null".to_owned(), |policy| {
        format!(
            "ExponentialRetryPolicy{{initial={}, max={}, multiplier={}}}",
            policy.initial, policy.max, policy.multiplier
        )
    });
    let customized = policy.customized_retry_policy.as_ref().map_or("null".to_owned(), |policy| {
        let next: Vec<String> = policy.next.iter().map(i64::to_string).collect();
        format!("CustomizedRetryPolicy{{next=[{}]}}", next.join(", "))
    });
    format!(
        "GroupRetryPolicy{{type={}, exponentialRetryPolicy={exponential}, customizedRetryPolicy={customized}}}",
        policy.policy_type
    )
}

/// The subscriptions fixed by configuration as Java prints them; `None` when there are none at all.
pub(super) fn subscriptions_text(group: &SubscriptionGroupConfig) -> Option<String> {
    let all = group.subscription_data_set.as_ref()?;
    let texts: Vec<String> = all
        .iter()
        .map(|data| {
            format!(
                "SimpleSubscriptionData{{topic='{}', expressionType='{}', expression='{}', version={}}}",
                data.topic,
                data.expression_type.as_deref().unwrap_or("null"),
                data.expression.as_deref().unwrap_or("null"),
                data.version
            )
        })
        .collect();
    Some(format!("[{}]", texts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parse;
    use crate::tests::golden;

    #[test]
    fn prints_as_upstream() {
        let arguments = parse(OPTIONS, &["-c", "DefaultCluster", "-g", "gold_sub", "-r", "3", "-q", "2"]).unwrap();
        let text = golden("updateSubGroup");
        assert_eq!(Some(group_text(&group(&arguments).unwrap()).as_str()), text.lines().nth(1));
    }

    #[test]
    fn bad_values_are_refused() {
        for tokens in [
            ["-g", "a b", "-q", "1"],
            ["-g", "g", "-q", "many"],
            ["-g", "g", "-p", "{"],
            ["-g", "g", "--attributes", "a=b"],
            ["-g", "g", "--attributes", "+a=b,+a=c"],
        ] {
            assert!(group(&parse(OPTIONS, &tokens).unwrap()).is_err(), "{tokens:?}");
        }
    }
}
