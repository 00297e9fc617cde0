//! `getConsumerConfig`: the configuration of a group on every broker.

use boostermq_remoting::body::{SubscriptionGroupConfig, SubscriptionGroupWrapper};
use boostermq_remoting::request::group::{GetAllSubscriptionGroupRequestHeader, GetAllSubscriptiongroupConfig};

use super::update_sub_group::{policy_text, subscriptions_text};
use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Style, Table};
use crate::print;

const OPTIONS: &[CommandOption] = &[CommandOption::required("g", "groupName", "subscription group name")];

commands! {
    /// Shows the configuration of a group.
    GetConsumerConfig =
        "getConsumerConfig", "Get consumer config by subscription group name.", OPTIONS, show, has_tables;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = arguments.required("g")?;
    let info = session.admin.cluster_info().await?;
    let mut names: Vec<&String> = info.broker_addr_table.keys().collect();
    print::string_order(&mut names);
    let asked: Vec<(&String, String)> = names
        .into_iter()
        .filter_map(|name| {
            let address = info.broker_addr_table.get(name).and_then(admin::any_address)?;
            Some((name, address.to_owned()))
        })
        .collect();
    let addresses: Vec<String> = asked.iter().map(|(_, address)| address.clone()).collect();
    let header = GetAllSubscriptionGroupRequestHeader { group_seq: None, max_group_num: None, data_version: None };
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            admin.call_body::<GetAllSubscriptiongroupConfig, SubscriptionGroupWrapper>(address, &header).await
        })
        .await;
    let mut document = Document::new();
    let mut is_known = false;
    for (address, mut wrapper) in answers {
        let Some(group) = wrapper.subscription_group_table.remove(name) else { continue };
        let Some((broker, _)) = asked.iter().find(|(_, known)| *known == address) else { continue };
        let cluster = info.cluster_addr_table.iter().find(|(_, names)| names.contains(broker));
        let cluster = cluster.map_or("null", |(name, _)| name.as_str());
        let rule = "=".repeat(29);
        document.line(format!("{rule}{cluster}:{broker}{rule}")).table(table(broker, &group));
        is_known = true;
    }
    if !is_known {
        // Upstream says nothing at all.
        session.complain(&format_args!("getConsumerConfig: no broker that answered knows the group {name}"));
    }
    Ok(session.print(&document)?)
}

static STYLE: Style = Style {
    name: "settings",
    head: "",
    row: "%-40s=  %s%n",
    columns: &[Column::value("brokerName"), Column::new("key", "#Key"), Column::new("value", "#Value")],
};

fn table(broker: &str, group: &SubscriptionGroupConfig) -> Table {
    let mut table = Table::new(&STYLE);
    for (field, value) in fields(group) {
        table.row([broker.into(), field.into(), value.into()]);
    }
    table
}

/// Names and values in upstream's order.
fn fields(group: &SubscriptionGroupConfig) -> [(&'static str, String); 15] {
    [
        ("groupName", group.group_name.clone()),
        ("consumeEnable", group.consume_enable.to_string()),
        ("consumeFromMinEnable", group.consume_from_min_enable.to_string()),
        ("consumeBroadcastEnable", group.consume_broadcast_enable.to_string()),
        ("consumeMessageOrderly", group.consume_message_orderly.to_string()),
        ("retryQueueNums", group.retry_queue_nums.to_string()),
        ("retryMaxTimes", group.retry_max_times.to_string()),
        ("groupRetryPolicy", policy_text(&group.group_retry_policy)),
        ("brokerId", group.broker_id.to_string()),
        ("whichBrokerWhenConsumeSlowly", group.which_broker_when_consume_slowly.to_string()),
        ("notifyConsumerIdsChangedEnable", group.notify_consumer_ids_changed_enable.to_string()),
        ("groupSysFlag", group.group_sys_flag.to_string()),
        ("consumeTimeoutMinute", group.consume_timeout_minute.to_string()),
        ("subscriptionDataSet", subscriptions_text(group).unwrap_or_default()),
        ("attributes", print::map_text(&group.attributes)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn fields_are_printed_as_upstream_does() {
        let table = table("broker-a", &SubscriptionGroupConfig::new("gold_live"));
        let text = printed(|out| Document::of(table).write(Format::Text, out));
        assert_eq!(text, golden("getConsumerConfig").split_once('\n').unwrap().1);
    }
}
