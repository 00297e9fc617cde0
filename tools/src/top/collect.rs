//! Looks at a cluster: one call for the map, two for each broker, a bounded number for topics that nobody consumes.

use std::collections::{BTreeMap, BTreeSet};

use boostermq_remoting::body::{
    ClusterInfo, ConsumeStatsList, ConsumerConnection, KvTable, QueryConsumeTimeSpanBody, TopicList, TopicStatsTable,
};
use boostermq_remoting::names::{DLQ_TOPIC_PREFIX, Group, RETRY_TOPIC_PREFIX, Topic};
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerRuntimeInfo;
use boostermq_remoting::request::client::{GetConsumerConnectionList, GetConsumerConnectionListRequestHeader};
use boostermq_remoting::request::stats::{
    GetBrokerConsumeStats, GetConsumeStatsInBrokerHeader, QueryConsumeTimeSpan, QueryConsumeTimeSpanRequestHeader,
};
use boostermq_remoting::request::topic::{
    GetAllTopicListFromNameserver, GetTopicStatsInfo, GetTopicStatsInfoRequestHeader,
};
use tokio::time::Instant;

use super::snapshot::{BrokerLoad, GroupLoad, Member, QueueLoad, Snapshot, TopicLoad};
use crate::admin::{Admin, AdminError, side_by_side};
use crate::producer::now_ms;

/// Topics without groups that are asked for their ends in one look: the others have their turn in the next ones.
const TOPICS_AT_ONCE: usize = 128;

/// Topics of groups that are asked in one look how long their messages wait.
const SPANS_AT_ONCE: usize = 32;

/// Remembers what the look before saw, for rates.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// Ends of topics, when they were seen, and the rate since the time before.
    ends: BTreeMap<String, End>,
    /// The topic that was asked last.
    turn: Option<String>,
}

#[derive(Debug)]
struct End {
    messages: i64,
    seen: Instant,
    tps: Option<f64>,
}

impl Sampler {
    /// Looks. `focus` is a group whose members are wanted.
    ///
    /// # Errors
    /// When no name server answers; brokers that do not are among the problems.
    pub(super) async fn look(&mut self, admin: &Admin, focus: Option<&str>) -> anyhow::Result<Snapshot> {
        let info = admin.cluster_info().await?;
        let mut snapshot = Snapshot { brokers: brokers(&info), ..Snapshot::default() };
        runtimes(admin, &mut snapshot).await;
        groups(admin, &mut snapshot).await;
        times(admin, &mut snapshot).await;
        self.topics(admin, &mut snapshot).await?;
        if let Some(group) = focus {
            members(admin, group, &mut snapshot).await;
        }
        snapshot.at_ms = now_ms();
        Ok(snapshot)
    }

    async fn topics(&mut self, admin: &Admin, snapshot: &mut Snapshot) -> anyhow::Result<()> {
        let list: TopicList = admin.name_server_body::<GetAllTopicListFromNameserver, _>(&NoHeader {}).await?;
        let is_shown = |name: &String| !name.starts_with(RETRY_TOPIC_PREFIX) && !name.starts_with(DLQ_TOPIC_PREFIX);
        let names: BTreeSet<String> = list.topic_list.into_iter().filter(is_shown).collect();
        let mut ends: BTreeMap<String, i64> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for queue in snapshot.groups.iter().flat_map(|group| &group.queues) {
            // Several groups tell the end of the same queue.
            if seen.insert((&queue.topic, &queue.broker, queue.queue_id)) {
                *ends.entry(queue.topic.clone()).or_default() += queue.end;
            }
        }
        let asked = self.next_turn(names.iter().filter(|name| !ends.contains_key(*name)).collect());
        let addresses: Vec<&str> = up(snapshot).map(|broker| broker.address.as_str()).collect();
        let answers = side_by_side(&asked, async |topic: &String| end(admin, &addresses, topic).await).await;
        ends.extend(asked.iter().cloned().zip(answers).filter_map(|(topic, end)| Some((topic, end?))));
        self.remember(&ends);
        self.ends.retain(|name, _| names.contains(name));
        snapshot.topics = names
            .into_iter()
            .map(|name| {
                let end = self.ends.get(&name);
                let (messages, in_tps) = end.map_or((0, None), |end| (end.messages, end.tps));
                TopicLoad { name, in_tps, end: messages }
            })
            .collect();
        Ok(())
    }

    /// The topics whose turn it is.
    fn next_turn(&mut self, names: Vec<&String>) -> Vec<String> {
        let from = self.turn.as_ref().map_or(0, |turn| names.partition_point(|name| *name <= turn));
        let turn: Vec<String> =
            names.iter().cycle().skip(from).take(names.len().min(TOPICS_AT_ONCE)).map(|name| (*name).clone()).collect();
        self.turn = turn.last().cloned();
        turn
    }

    fn remember(&mut self, ends: &BTreeMap<String, i64>) {
        let seen = Instant::now();
        for (topic, messages) in ends {
            let before = self.ends.get(topic);
            let tps = before.map(|before| {
                let seconds = seen.duration_since(before.seen).as_secs_f64().max(0.001);
                messages.saturating_sub(before.messages).max(0) as f64 / seconds
            });
            self.ends.insert(topic.clone(), End { messages: *messages, seen, tps });
        }
    }
}

fn brokers(info: &ClusterInfo) -> Vec<BrokerLoad> {
    let mut brokers = Vec::new();
    for (cluster, names) in &info.cluster_addr_table {
        for broker in names.iter().filter_map(|name| info.broker_addr_table.get(name)) {
            brokers.extend(broker.broker_addrs.iter().map(|(id, address)| BrokerLoad {
                cluster: cluster.clone(),
                name: broker.broker_name.clone(),
                id: id.0,
                address: address.clone(),
                runtime: BTreeMap::new(),
            }));
        }
    }
    brokers
}

async fn runtimes(admin: &Admin, snapshot: &mut Snapshot) {
    let asked = side_by_side(&snapshot.brokers, async |broker: &BrokerLoad| {
        admin.call_body::<GetBrokerRuntimeInfo, KvTable>(&broker.address, &NoHeader {}).await
    })
    .await;
    for (broker, answer) in snapshot.brokers.iter_mut().zip(asked) {
        match answer {
            Ok(table) => broker.runtime = table.table.into_iter().collect(),
            Err(error) => snapshot.problems.push(format!("{} {}: {error}", broker.name, broker.address)),
        }
    }
}

/// Masters that answered.
fn up(snapshot: &Snapshot) -> impl Iterator<Item = &BrokerLoad> {
    snapshot.brokers.iter().filter(|broker| broker.is_up() && broker.id == 0)
}

async fn groups(admin: &Admin, snapshot: &mut Snapshot) {
    let addresses: Vec<String> = up(snapshot).map(|broker| broker.address.clone()).collect();
    let header = GetConsumeStatsInBrokerHeader { is_order: Some(false) };
    let asked = side_by_side(&addresses, async |address: &String| {
        admin.call_body::<GetBrokerConsumeStats, ConsumeStatsList>(address, &header).await
    })
    .await;
    let mut groups: BTreeMap<String, GroupLoad> = BTreeMap::new();
    for (address, answer) in addresses.iter().zip(asked) {
        match answer {
            Ok(list) => list.consume_stats_list.into_iter().flatten().for_each(|(name, topics)| {
                let group = groups.entry(name.clone()).or_insert_with(|| GroupLoad { name, ..GroupLoad::default() });
                for stats in topics {
                    group.out_tps += stats.consume_tps;
                    group.queues.extend(stats.offset_table.0.into_iter().map(|(queue, offsets)| QueueLoad {
                        topic: queue.topic,
                        broker: queue.broker_name,
                        queue_id: queue.queue_id,
                        end: offsets.broker_offset,
                        committed: offsets.consumer_offset,
                        last_ms: offsets.last_timestamp,
                    }));
                }
            }),
            Err(error) => snapshot.problems.push(format!("groups of {address}: {error}")),
        }
    }
    snapshot.groups = groups.into_values().collect();
}

/// Asks how long messages wait for groups that have consumed nothing of a queue yet, of which the offsets do not tell.
async fn times(admin: &Admin, snapshot: &mut Snapshot) {
    let mut wanted = BTreeSet::new();
    for group in &snapshot.groups {
        let unknown = group.queues.iter().filter(|queue| queue.lag() > 0 && queue.last_ms == 0);
        wanted.extend(unknown.map(|queue| (group.name.clone(), queue.topic.clone())));
    }
    let addresses: Vec<String> = up(snapshot).map(|broker| broker.address.clone()).collect();
    let calls: Vec<(String, String, String)> = wanted
        .into_iter()
        .take(SPANS_AT_ONCE)
        .flat_map(|(group, topic)| addresses.iter().map(move |address| (group.clone(), topic.clone(), address.clone())))
        .collect();
    let answers = side_by_side(&calls, async |(group, topic, address): &(String, String, String)| {
        let header =
            QueryConsumeTimeSpanRequestHeader { topic: Topic::parse(topic).ok()?, group: Group::parse(group).ok()? };
        admin.call_body::<QueryConsumeTimeSpan, QueryConsumeTimeSpanBody>(address, &header).await.ok()
    })
    .await;
    let now_ms = now_ms();
    for ((group, ..), spans) in calls.iter().zip(answers) {
        let Some(group) = snapshot.groups.iter_mut().find(|one| one.name == *group) else { continue };
        for span in spans.into_iter().flat_map(|body| body.consume_time_span_set) {
            let place = &span.message_queue;
            let is_place = |queue: &&mut QueueLoad| {
                queue.topic == place.topic && queue.broker == place.broker_name && queue.queue_id == place.queue_id
            };
            if let Some(queue) = group.queues.iter_mut().find(is_place).filter(|_| span.delay_time > 0) {
                queue.last_ms = now_ms.saturating_sub(span.delay_time);
            }
        }
    }
}

/// Messages ever stored in a topic; `None` when no broker tells.
async fn end(admin: &Admin, addresses: &[&str], topic: &str) -> Option<i64> {
    let header = GetTopicStatsInfoRequestHeader { topic: Topic::parse(topic).ok()? };
    let mut sum = None;
    for address in addresses {
        let answer: Result<TopicStatsTable, AdminError> =
            admin.call_body::<GetTopicStatsInfo, _>(address, &header).await;
        if let Ok(table) = answer {
            let end: i64 = table.offset_table.0.values().map(|queue| queue.max_offset).sum();
            sum = Some(sum.unwrap_or_default() + end);
        }
    }
    sum
}

async fn members(admin: &Admin, group: &str, snapshot: &mut Snapshot) {
    let Ok(group) = Group::parse(group) else { return };
    let header = GetConsumerConnectionListRequestHeader { consumer_group: group };
    let mut members = BTreeMap::new();
    for broker in up(snapshot) {
        let answer: Result<ConsumerConnection, AdminError> =
            admin.call_body::<GetConsumerConnectionList, _>(&broker.address, &header).await;
        // A broker without members of the group answers with an error.
        for one in answer.map(|answer| answer.connection_set).unwrap_or_default() {
            let member = Member { client_id: one.client_id.clone(), address: one.client_addr, language: one.language };
            members.insert(one.client_id, member);
        }
    }
    snapshot.members = members.into_values().collect();
}
