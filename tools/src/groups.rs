//! What brokers know of a group: its members, and how far it is. Upstream: `examineConsumerConnectionInfo`,
//! `examineConsumeStats`.

use boostermq_remoting::body::{ConsumeStats, ConsumerConnection, ConsumerRunningInfo, MessageModel};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::{ClientId, Group, LMQ_PREFIX, Topic};
use boostermq_remoting::request::client::{
    GetConsumerConnectionList, GetConsumerConnectionListRequestHeader, GetConsumerRunningInfo,
    GetConsumerRunningInfoRequestHeader,
};
use boostermq_remoting::request::stats::{GetConsumeStats, GetConsumeStatsRequestHeader};
use bytes::Bytes;
use std::time::Duration;

use crate::admin::{self, Admin, AdminError, side_by_side};

/// How long a broker may count.
const STATS_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take to tell how it does, and the broker to pass it on.
const RUNNING_TIMEOUT: Duration = Duration::from_secs(12);
/// Topic of timed messages, whose route is that of a cluster.
const WHEEL_TIMER_TOPIC: &str = "rmq_sys_wheel_timer";

/// The brokers that know a group, by the route of its retry topic.
///
/// # Errors
/// [`AdminError::Refused`] with [`ResponseCode::TOPIC_NOT_EXIST`] when there is no such group.
pub async fn brokers(admin: &Admin, group: &Group) -> Result<Vec<String>, AdminError> {
    let route = admin.route(Topic::retry_of(group).as_str()).await?;
    Ok(route.broker_datas.iter().filter_map(admin::any_address).map(str::to_owned).collect())
}

/// The members of a group, from the first of its brokers that knows any.
///
/// # Errors
/// [`AdminError::Refused`] with [`ResponseCode::CONSUMER_NOT_ONLINE`] when there are none.
pub async fn connection(admin: &Admin, group: &Group) -> Result<ConsumerConnection, AdminError> {
    let mut last = None;
    for address in brokers(admin, group).await? {
        match connection_at(admin, &address, group).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(offline))
}

/// The members of a group that one broker knows.
///
/// # Errors
/// As [`connection`].
pub async fn connection_at(admin: &Admin, address: &str, group: &Group) -> Result<ConsumerConnection, AdminError> {
    let header = GetConsumerConnectionListRequestHeader { consumer_group: group.clone() };
    let connection: ConsumerConnection = admin.call_body::<GetConsumerConnectionList, _>(address, &header).await?;
    if connection.connection_set.is_empty() { Err(offline()) } else { Ok(connection) }
}

fn offline() -> AdminError {
    AdminError::refused(ResponseCode::CONSUMER_NOT_ONLINE, "Not found the consumer group connection")
}

/// How a member does, asked of the first of the group's brokers that reaches it.
///
/// # Errors
/// When none does.
pub async fn running(
    admin: &Admin,
    group: &Group,
    client_id: &str,
    with_stacks: bool,
) -> Result<ConsumerRunningInfo, AdminError> {
    let header = GetConsumerRunningInfoRequestHeader {
        consumer_group: group.clone(),
        client_id: ClientId::from(client_id),
        jstack_enable: Some(with_stacks),
    };
    let mut last = None;
    for address in brokers(admin, group).await? {
        let asked = admin.ask::<GetConsumerRunningInfo>(&address, &header, Bytes::new(), RUNNING_TIMEOUT).await;
        match asked.and_then(admin::succeeded).and_then(|answer| admin::read_body(&address, &answer)) {
            Ok(running) => return Ok(running),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(offline))
}

/// How far a group is on all its brokers, and what those answered that did not.
///
/// # Errors
/// [`AdminError`] when no broker is known or answers, or the group has no offsets and nobody is connected.
pub async fn stats(
    admin: &Admin,
    group: &Group,
    topic: Option<&str>,
    cluster: Option<&str>,
) -> Result<(ConsumeStats, Vec<(String, AdminError)>), AdminError> {
    let addresses = stats_brokers(admin, group, topic, cluster).await?;
    let header = GetConsumeStatsRequestHeader {
        consumer_group: group.clone(),
        topic: topic.map(str::to_owned),
        topic_list: None,
    };
    let asked = side_by_side(&addresses, async |address: &String| {
        let answer = admin.ask::<GetConsumeStats>(address, &header, Bytes::new(), STATS_TIMEOUT).await?;
        admin::read_body::<ConsumeStats>(address, &admin::succeeded(answer)?)
    })
    .await;
    let (mut all, mut unasked) = (ConsumeStats::default(), Vec::new());
    for (address, answer) in addresses.iter().zip(asked) {
        match answer {
            Ok(stats) => {
                all.consume_tps += stats.consume_tps;
                all.offset_table.0.extend(stats.offset_table.0);
            }
            Err(error) => unasked.push((address.clone(), error)),
        }
    }
    if unasked.len() == addresses.len()
        && let Some((_, error)) = unasked.pop()
    {
        return Err(error);
    }
    if all.offset_table.0.is_empty() {
        let why = "Not found the consumer group consume stats, because return offset table is empty,";
        match connection(admin, group).await {
            Ok(connection) if connection.message_model == Some(MessageModel::Broadcasting) => {
                let remark = format!("{why} the consumer is under the broadcast mode");
                return Err(AdminError::refused(ResponseCode::BROADCAST_CONSUMPTION, remark));
            }
            Ok(_) => {}
            Err(AdminError::Refused { .. }) => {
                let remark = format!("{why} maybe the consumer not online");
                return Err(AdminError::refused(ResponseCode::CONSUMER_NOT_ONLINE, remark));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((all, unasked))
}

/// The brokers by the route of the retry topic, else that of the topic, else that of the topic's pop retries.
async fn stats_brokers(
    admin: &Admin,
    group: &Group,
    topic: Option<&str>,
    cluster: Option<&str>,
) -> Result<Vec<String>, AdminError> {
    let retry = Topic::retry_of(group);
    let mut routes = vec![retry.as_str().to_owned()];
    if let Some(topic) = topic {
        routes.push(topic.to_owned());
        routes.push(format!("{retry}_{topic}"));
        let is_by_cluster = topic.starts_with(LMQ_PREFIX) || topic == WHEEL_TIMER_TOPIC;
        routes.extend(cluster.filter(|_| is_by_cluster).map(str::to_owned));
    }
    let mut last = None;
    for name in routes {
        match admin.route(&name).await {
            Ok(route) => {
                return Ok(route.broker_datas.iter().filter_map(admin::any_address).map(str::to_owned).collect());
            }
            Err(error) if error.is(ResponseCode::TOPIC_NOT_EXIST) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(offline))
}
