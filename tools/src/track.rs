//! What became of a message in each group that consumes its topic. Upstream: `MessageTrack`, `messageTrackDetail`.

use std::collections::BTreeSet;
use std::fmt;

use boostermq_remoting::body::{ConsumeStats, ConsumeType, ConsumerConnection, GroupList, MessageModel};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::message::Message;
use boostermq_remoting::names::{Group, Topic};
use boostermq_remoting::request::client::{GetConsumerConnectionList, GetConsumerConnectionListRequestHeader};
use boostermq_remoting::request::stats::{GetConsumeStats, GetConsumeStatsRequestHeader};
use boostermq_remoting::request::topic::{QueryTopicConsumeByWho, QueryTopicConsumeByWhoRequestHeader};

use crate::admin::{self, Admin, AdminError};
use crate::print;

/// A group and what became of the message in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The group.
    pub group: String,
    /// What became of it.
    pub kind: TrackKind,
    /// Why that is not known better.
    pub reason: Option<String>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    /// Consumed.
    Consumed,
    /// Passed over: the group does not want its tag.
    ConsumedButFiltered,
    /// The group pulls, and keeps to itself what it has consumed.
    Pull,
    /// Still to be consumed.
    NotConsumedYet,
    /// Nobody of the group is connected.
    NotOnline,
    /// Each consumer of the group keeps to itself what it has consumed.
    ConsumeBroadcasting,
    /// It could not be found out.
    Unknown,
}

impl TrackKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Consumed => "CONSUMED",
            Self::ConsumedButFiltered => "CONSUMED_BUT_FILTERED",
            Self::Pull => "PULL",
            Self::NotConsumedYet => "NOT_CONSUME_YET",
            Self::NotOnline => "NOT_ONLINE",
            Self::ConsumeBroadcasting => "CONSUME_BROADCASTING",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, kind, reason) = (&self.group, self.kind.name(), self.reason.as_deref().unwrap_or("null"));
        write!(f, "MessageTrack [consumerGroup={group}, trackType={kind}, exceptionDesc={reason}]")
    }
}

/// What became of a message in every group.
///
/// # Errors
/// When the groups cannot be found out.
pub async fn tracks(admin: &Admin, message: &Message) -> anyhow::Result<Vec<Track>> {
    let route = admin.route(&message.topic).await?;
    let header = QueryTopicConsumeByWhoRequestHeader { topic: Topic::parse(&message.topic)? };
    let mut groups = BTreeSet::new();
    for address in route.broker_datas.iter().filter_map(admin::any_address) {
        let list: GroupList = admin.call_body::<QueryTopicConsumeByWho, _>(address, &header).await?;
        groups.extend(list.group_list);
    }
    let mut groups: Vec<String> = groups.into_iter().collect();
    print::string_order(&mut groups);
    let mut tracks = Vec::with_capacity(groups.len());
    for group in groups {
        let (kind, reason) = match track(admin, message, &group).await {
            Ok(kind) => (kind, None),
            Err(error) => refusal(&error),
        };
        tracks.push(Track { group, kind, reason });
    }
    Ok(tracks)
}

fn refusal(error: &anyhow::Error) -> (TrackKind, Option<String>) {
    match error.downcast_ref() {
        Some(AdminError::Refused { code, remark }) => {
            let is_offline = *code == ResponseCode::CONSUMER_NOT_ONLINE;
            let kind = if is_offline { TrackKind::NotOnline } else { TrackKind::Unknown };
            (kind, Some(format!("CODE:{} DESC:{remark}", code.0)))
        }
        _ => (TrackKind::Unknown, Some(format!("{error:#}"))),
    }
}

async fn track(admin: &Admin, message: &Message, group: &str) -> anyhow::Result<TrackKind> {
    let group = Group::parse(group)?;
    let route = admin.route(Topic::retry_of(&group).as_str()).await?;
    let addresses: Vec<&str> = route.broker_datas.iter().filter_map(admin::any_address).collect();
    let first = addresses.first().copied();
    let first = first.ok_or_else(|| {
        AdminError::refused(ResponseCode::CONSUMER_NOT_ONLINE, "Not found the consumer group connection")
    })?;
    let header = GetConsumerConnectionListRequestHeader { consumer_group: group.clone() };
    let connection: ConsumerConnection = admin.call_body::<GetConsumerConnectionList, _>(first, &header).await?;
    if connection.consume_type == Some(ConsumeType::Actively) {
        return Ok(TrackKind::Pull);
    }
    if connection.message_model == Some(MessageModel::Broadcasting) {
        return Ok(TrackKind::ConsumeBroadcasting);
    }
    if connection.consume_type != Some(ConsumeType::Passively) {
        return Ok(TrackKind::Unknown);
    }
    if !is_consumed(admin, message, &group, &addresses).await? {
        return Ok(TrackKind::NotConsumedYet);
    }
    Ok(if is_wanted(message, &connection) { TrackKind::Consumed } else { TrackKind::ConsumedButFiltered })
}

async fn is_consumed(admin: &Admin, message: &Message, group: &Group, addresses: &[&str]) -> anyhow::Result<bool> {
    let info = admin.cluster_info().await?;
    let store_host = message.store_host.to_string();
    let header = GetConsumeStatsRequestHeader { consumer_group: group.clone(), topic: None, topic_list: None };
    for address in addresses {
        let stats: ConsumeStats = admin.call_body::<GetConsumeStats, _>(address, &header).await?;
        for (queue, offsets) in &stats.offset_table.0 {
            let is_queue = queue.topic == message.topic && queue.queue_id == message.queue_id.to_wire();
            let broker = info.broker_addr_table.get(&queue.broker_name);
            let is_broker = broker.and_then(admin::master) == Some(store_host.as_str());
            if is_queue && is_broker && offsets.consumer_offset > message.queue_offset.0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_wanted(message: &Message, connection: &ConsumerConnection) -> bool {
    let Some(subscription) = connection.subscription_table.get(&message.topic) else { return true };
    let tags = &subscription.tags_set;
    tags.is_empty() || tags.contains("*") || message.tags().is_some_and(|tag| tags.contains(tag))
}
