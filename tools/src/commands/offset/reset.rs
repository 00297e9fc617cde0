//! Moves a group: the broker does it, or, where it leaves that to clients and none is connected, each offset is stored from
//! here. Upstream: `resetOffsetByTimestamp`, `resetOffsetByTimestampOld`.

use anyhow::anyhow;
use boostermq_remoting::body::{ConsumeStats, MessageQueue, ResetOffsetBody, TopicStatsTable};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::{Group, LMQ_PREFIX, QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::offset::{
    InvokeBrokerToResetOffset, ResetOffsetRequestHeader, UpdateConsumerOffset, UpdateConsumerOffsetRequestHeader,
};
use boostermq_remoting::request::stats::{GetConsumeStats, GetConsumeStatsRequestHeader};
use boostermq_remoting::request::topic::{GetTopicStatsInfo, GetTopicStatsInfoRequestHeader};
use bytes::Bytes;

use crate::admin::{self, Admin, AdminError};
use crate::command::Session;
use crate::consumer::{self, Queue};
use crate::options::Arguments;
use crate::output::{Cell, Column, Style, Table};

/// Time that stands for the end of a queue.
pub(super) const END: i64 = -1;
/// Topic of timed messages, whose route is that of a cluster.
const WHEEL_TIMER_TOPIC: &str = "rmq_sys_wheel_timer";

/// What is moved, and where to.
pub(super) struct Wanted<'a> {
    pub(super) group: Group,
    pub(super) topic: Topic,
    pub(super) cluster: Option<&'a str>,
    /// Store time, ms; [`END`] for the end.
    pub(super) time_ms: i64,
    /// Also forwards.
    pub(super) is_forced: bool,
}

impl<'a> Wanted<'a> {
    /// What the options say, but for the time.
    pub(super) fn read(arguments: &'a Arguments, time_ms: i64) -> anyhow::Result<Self> {
        Ok(Self {
            group: Group::parse(arguments.required("g")?)?,
            topic: Topic::parse(arguments.required("t")?)?,
            cluster: arguments.text("c"),
            time_ms,
            is_forced: !arguments.has("f") || arguments.truth("f"),
        })
    }
}

/// What became of it.
pub(super) enum Moved {
    /// The brokers moved these queues there.
    ByBrokers(Vec<(MessageQueue, i64)>),
    /// Nobody of the group is connected: it was done from here.
    FromHere(Vec<Step>),
}

/// One queue that was moved from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    broker_name: String,
    queue_id: i32,
    broker_offset: i64,
    consumer_offset: i64,
    time_offset: i64,
    reset_offset: i64,
}

pub(super) static OFFSETS: Style = Style {
    name: "queues",
    head: "%-40s  %-40s  %-40s%n",
    row: "%-40.32s  %-40s  %-40s%n",
    columns: &[
        Column::new("brokerName", "#brokerName"),
        Column::new("queueId", "#queueId"),
        Column::new("offset", "#offset"),
    ],
};

/// The queues that brokers moved.
pub(super) fn table(queues: &[(MessageQueue, i64)]) -> Table {
    let mut table = Table::new(&OFFSETS);
    for (queue, offset) in queues {
        table.row([Cell::from(&queue.broker_name), queue.queue_id.into(), (*offset).into()]);
    }
    table
}

/// The queues that were moved from here; the style has the name of the last column.
pub(super) fn steps_table(style: &'static Style, steps: &[Step]) -> Table {
    let mut table = Table::new(style);
    for step in steps {
        table.row([
            Cell::from(&step.broker_name),
            step.queue_id.into(),
            step.broker_offset.into(),
            step.consumer_offset.into(),
            step.time_offset.into(),
            step.reset_offset.into(),
        ]);
    }
    table
}

/// Moves the group on every broker of the topic. Brokers that failed are complained of while others did it.
pub(super) async fn reset(wanted: &Wanted<'_>, session: &mut Session<'_>) -> anyhow::Result<Moved> {
    let topic = wanted.topic.as_str();
    let is_by_cluster = topic.starts_with(LMQ_PREFIX) || topic == WHEEL_TIMER_TOPIC;
    let route_topic = wanted.cluster.filter(|_| is_by_cluster).unwrap_or(topic);
    let route = session.admin.route(route_topic).await?;
    let addresses: Vec<&str> = route.broker_datas.iter().filter_map(admin::any_address).collect();
    let header = ResetOffsetRequestHeader {
        group: wanted.group.clone(),
        topic: wanted.topic.clone(),
        queue_id: Some(-1),
        offset: Some(-1),
        timestamp: wanted.time_ms,
        is_force: Some(wanted.is_forced),
    };
    let mut moved = Vec::new();
    let mut failed = Vec::new();
    for address in &addresses {
        match session.admin.call_body::<InvokeBrokerToResetOffset, ResetOffsetBody>(address, &header).await {
            Ok(body) => moved.extend(body.offset_table.0),
            Err(error) => failed.push(((*address).to_owned(), error)),
        }
    }
    if failed.iter().any(|(_, error)| error.is(ResponseCode::CONSUMER_NOT_ONLINE)) {
        let mut steps = Vec::new();
        for address in &addresses {
            steps.extend(reset_from_here(wanted, &session.admin, address).await?);
        }
        return Ok(Moved::FromHere(steps));
    }
    if failed.len() == addresses.len() {
        let last = failed.pop().map(|(_, error)| error);
        return Err(last.map_or_else(|| anyhow!("{topic} has no broker: see topicRoute"), Into::into));
    }
    for (address, error) in &failed {
        session.complain_of(address, error);
    }
    moved.sort_by(|(one, _), (other, _)| one.cmp(other));
    consumer::queue_order(&mut moved);
    Ok(Moved::ByBrokers(moved))
}

async fn reset_from_here(wanted: &Wanted<'_>, admin: &Admin, address: &str) -> Result<Vec<Step>, AdminError> {
    let Wanted { group, topic, .. } = wanted;
    let header = GetConsumeStatsRequestHeader { consumer_group: group.clone(), topic: None, topic_list: None };
    let stats: ConsumeStats = admin.call_body::<GetConsumeStats, _>(address, &header).await?;
    let consumed = stats.offset_table.0.into_iter().filter(|(queue, _)| queue.topic == topic.as_str());
    let mut queues: Vec<(MessageQueue, i64, i64)> =
        consumed.map(|(queue, offsets)| (queue, offsets.broker_offset, offsets.consumer_offset)).collect();
    if queues.is_empty() {
        let header = GetTopicStatsInfoRequestHeader { topic: topic.clone() };
        let stats: TopicStatsTable = admin.call_body::<GetTopicStatsInfo, _>(address, &header).await?;
        queues = stats.offset_table.0.into_iter().map(|(queue, at)| (queue, at.max_offset, at.min_offset)).collect();
    }
    let mut steps = Vec::with_capacity(queues.len());
    for (queue, broker_offset, consumer_offset) in queues {
        let Some(queue_id) = QueueId::from_wire(queue.queue_id) else { continue };
        let place = Queue {
            topic: topic.clone(),
            broker_name: queue.broker_name.clone(),
            queue_id,
            address: address.to_owned(),
        };
        let time_offset = match wanted.time_ms {
            END => consumer::max_offset(admin, &place).await?,
            time_ms => consumer::offset_at(admin, &place, time_ms).await?,
        };
        let is_moved = wanted.is_forced || time_offset <= consumer_offset;
        if is_moved {
            store(admin, address, group, topic, queue_id, time_offset).await?;
        }
        steps.push(Step {
            broker_name: queue.broker_name,
            queue_id: queue.queue_id,
            broker_offset,
            consumer_offset,
            time_offset,
            reset_offset: if is_moved { time_offset } else { consumer_offset },
        });
    }
    Ok(steps)
}

/// Stores what a group has consumed of a queue.
async fn store(
    admin: &Admin,
    address: &str,
    group: &Group,
    topic: &Topic,
    queue_id: QueueId,
    offset: i64,
) -> Result<(), AdminError> {
    let header = UpdateConsumerOffsetRequestHeader {
        consumer_group: group.clone(),
        topic: topic.clone(),
        queue_id: Some(queue_id),
        commit_offset: Some(QueueOffset(offset)),
    };
    admin.call::<UpdateConsumerOffset>(address, &header, Bytes::new()).await.map(drop)
}

/// Moves a group in one queue of one broker to an offset.
pub(super) async fn reset_queue(
    admin: &Admin,
    address: &str,
    group: &Group,
    topic: &Topic,
    queue_id: QueueId,
    offset: i64,
) -> Result<(), AdminError> {
    store(admin, address, group, topic, queue_id, offset).await?;
    let header = ResetOffsetRequestHeader {
        group: group.clone(),
        topic: topic.clone(),
        queue_id: Some(queue_id.to_wire()),
        offset: Some(offset),
        timestamp: 0,
        is_force: Some(false),
    };
    admin.call::<InvokeBrokerToResetOffset>(address, &header, Bytes::new()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Document, Format};
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        for name in ["resetOffsetByTime", "skipAccumulatedMessage"] {
            let text = golden(name);
            let from = text.find("#brokerName").unwrap();
            let rows = text.lines().filter(|line| line.starts_with("broker-a"));
            let queue = |line: &str| {
                let cells: Vec<&str> = line.split_whitespace().collect();
                let queue = MessageQueue {
                    broker_name: cells[0].to_owned(),
                    queue_id: cells[1].parse().unwrap(),
                    topic: "GoldNormal".to_owned(),
                };
                (queue, cells[2].parse::<i64>().unwrap())
            };
            let mut queues: Vec<(MessageQueue, i64)> = rows.map(queue).collect();
            queues.sort();
            consumer::queue_order(&mut queues);
            let shown = printed(|out| Document::of(table(&queues)).write(Format::Text, out));
            assert_eq!(shown, text[from..], "{name}");
        }
    }
}
