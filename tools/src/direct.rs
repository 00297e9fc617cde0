//! Has a connected consumer consume one message at once. Upstream: `consumeMessageDirectly`.

use anyhow::anyhow;
use boostermq_remoting::body::{ConsumeMessageDirectlyResult, ConsumerRunningInfo};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::{ClientId, Group, Topic};
use boostermq_remoting::request::client::{
    ConsumeMessageDirectly, ConsumeMessageDirectlyResultRequestHeader, GetConsumerRunningInfo,
    GetConsumerRunningInfoRequestHeader,
};

use crate::admin::{self, Admin, AdminError};
use crate::query;

/// Name under which a consumer tells of what type it is.
const CONSUMER_TYPE: &str = "PROP_CONSUME_TYPE";

/// True when the client says that messages are pushed to its application: only then can it be made to consume one.
///
/// # Errors
/// When no broker of the group knows the client, or the client does not answer.
pub async fn is_push_consumer(admin: &Admin, group: &str, client_id: &str) -> anyhow::Result<bool> {
    let group = Group::parse(group)?;
    let header = GetConsumerRunningInfoRequestHeader {
        consumer_group: group.clone(),
        client_id: ClientId::from(client_id),
        jstack_enable: Some(false),
    };
    let mut last = AdminError::refused(ResponseCode::CONSUMER_NOT_ONLINE, "Not found the consumer group connection");
    for address in brokers(admin, &group).await? {
        match admin.call_body::<GetConsumerRunningInfo, ConsumerRunningInfo>(&address, &header).await {
            Ok(info) => return Ok(info.properties.get(CONSUMER_TYPE).is_some_and(|kind| kind == "CONSUME_PASSIVELY")),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// Has the client consume the message of that id, and tells in Java's words what came of it.
///
/// # Errors
/// When message or client cannot be found, or the client does not answer.
pub async fn consume(
    admin: &Admin,
    cluster: Option<&str>,
    group: &str,
    client_id: &str,
    topic: &str,
    id: &str,
) -> anyhow::Result<String> {
    let message = query::by_id(admin, topic, cluster, id).await?;
    let place = message.offset_id();
    let header = ConsumeMessageDirectlyResultRequestHeader {
        consumer_group: Group::parse(group)?,
        client_id: Some(ClientId::from(client_id)),
        msg_id: Some(place.to_string()),
        topic: Some(topic.to_owned()),
        broker_name: None,
        topic_sys_flag: None,
        group_sys_flag: None,
    };
    // The broker that keeps the message reads it, and passes it on.
    let address = place.store_host.to_string();
    let result: ConsumeMessageDirectlyResult = admin.call_body::<ConsumeMessageDirectly, _>(&address, &header).await?;
    let outcome = result.consume_result.ok_or_else(|| anyhow!("{client_id} did not say what came of the message"))?;
    Ok(format!(
        "ConsumeMessageDirectlyResult [order={}, autoCommit={}, consumeResult={outcome}, remark={}, spentTimeMills={}]",
        result.order,
        result.auto_commit,
        result.remark.as_deref().unwrap_or("null"),
        result.spent_time_mills,
    ))
}

async fn brokers(admin: &Admin, group: &Group) -> Result<Vec<String>, AdminError> {
    let route = admin.route(Topic::retry_of(group).as_str()).await?;
    Ok(route.broker_datas.iter().filter_map(admin::any_address).map(str::to_owned).collect())
}
