//! `updateSubGroupList`: makes or changes the groups that stand in a file.

use boostermq_remoting::body::{SubscriptionGroupConfig, SubscriptionGroupList};
use boostermq_remoting::fastjson;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::group::UpdateAndCreateSubscriptiongroupList;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::list_file;
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "create groups to which broker"),
    CommandOption::one_of("c", "clusterName", "create groups to which cluster"),
    CommandOption::required(
        "f",
        "filename",
        "Path to a file with a list of org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig in json format",
    ),
];

commands! {
    /// Makes or changes the groups of a file.
    UpdateSubGroupList = "updateSubGroupList", "Update or create subscription group in batch", OPTIONS, update;
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let groups: Vec<SubscriptionGroupConfig> = list_file::read(session, arguments.required("f")?, "groups")?;
    if groups.is_empty() {
        return Ok(());
    }
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    // Upstream has two wordings.
    let what = if arguments.has("b") { "group" } else { "subscription group" };
    let done =
        |address: &str| format!("submit batch of {what} config to {address} success, please check the result later.");
    let body = Bytes::from(fastjson::to_vec(&SubscriptionGroupList { group_config_list: groups }));
    targets::tell::<UpdateAndCreateSubscriptiongroupList>(session, &brokers, &NoHeader {}, body, done).await
}
