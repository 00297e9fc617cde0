//! Asks for the facts: name servers for places, brokers for offsets and settings, members (through their brokers) for what
//! they do; offsets and members twice. Servers are asked side by side; what does not answer is named and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boostermq_remoting::body::{
    self, BrokerData, BrokerStatsData, ConsumeStats, ConsumeType, ConsumerConnection, ConsumerRunningInfo,
    GroupForbidden, KvTable, MessageModel, MessageQueue, OffsetWrapper, SubscriptionGroupConfig,
    SubscriptionGroupWrapper, TopicConfig, TopicOffset, TopicStatsTable,
};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{ClientId, Group, QueueId, RETRY_TOPIC_PREFIX};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config::GetBrokerRuntimeInfo;
use boostermq_remoting::request::client::{
    GetConsumerConnectionList, GetConsumerConnectionListRequestHeader, GetConsumerRunningInfo,
    GetConsumerRunningInfoRequestHeader,
};
use boostermq_remoting::request::cold_data::GetColdDataFlowCtrInfo;
use boostermq_remoting::request::group::{
    GetAllSubscriptionGroupRequestHeader, GetAllSubscriptiongroupConfig, QueryTopicsByConsumer,
    QueryTopicsByConsumerRequestHeader, UpdateAndGetGroupForbidden, UpdateGroupForbiddenRequestHeader,
};
use boostermq_remoting::request::stats::{
    GetConsumeStats, GetConsumeStatsRequestHeader, ViewBrokerStatsData, ViewBrokerStatsDataRequestHeader,
};
use boostermq_remoting::request::topic::{GetTopicStatsInfo, GetTopicStatsInfoRequestHeader};
use bytes::Bytes;

use super::facts::{Broker, Facts, Member, Queue, Topic, Waiting};
use crate::admin::{self, Admin, AdminError, side_by_side};
use crate::command::Session;
use crate::consumer::{self, TOOLS_GROUP};
use crate::producer::now_ms;

/// How long a member may take to answer through its broker.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(12);
/// Queues of which the next message is looked at: those furthest behind.
const LOOKED_INTO: usize = 4;
/// Most members that are asked; more are not looked at.
const MEMBERS: usize = 1_000;

/// Looks at what brokers let groups read of old messages, between the two samples.
const COLD_LOOKS: u32 = 6;

/// A broker's name and address.
type Place = (String, String);

/// Asks for everything that is known of a group; of one topic if `only` names it.
pub(super) async fn collect(
    session: &mut Session<'_>,
    group: &str,
    only: Option<&str>,
    interval: Duration,
) -> anyhow::Result<Facts> {
    let name = Group::parse(group)?;
    let places = places(&session.admin, &name).await?;
    let mut facts = Facts { group: group.to_owned(), ..Facts::default() };
    let known = brokers(session, &name, &places, &mut facts).await;
    anyhow::ensure!(known, "no broker knows the group {group}: check its name with consumerProgress");
    let clients = connections(session, &name, &places, &mut facts).await;
    let topics = topics(session, &name, &places, &facts, only).await;
    let begun = begun(&facts, &topics);
    let first = offsets(session, &name, &places, &begun).await;
    let dead_first = dead(&session.admin, &name, &places).await;
    let running_first = running(&session.admin, &name, &clients, false).await;
    let began = tokio::time::Instant::now();
    wait(&session.admin, &name, &places, &mut facts, interval).await;
    let second = offsets(session, &name, &places, &begun).await;
    facts.interval_s = began.elapsed().as_secs_f64();
    facts.now_ms = now_ms();
    let dead_second = dead(&session.admin, &name, &places).await;
    facts.dead = dead_first.zip(dead_second);
    // Stacks are for those that do not move; they cost a client something, so they are asked for once.
    let running_second = running(&session.admin, &name, &clients, true).await;
    facts.members = members(&clients, running_first, running_second);
    fill_queues(&mut facts, &first, &second, only);
    fill_topics(session, &name, &places, topics, &mut facts).await;
    look_into(&session.admin, &places, &mut facts).await;
    Ok(facts)
}

/// Name and master, or a slave of one without a master, of each broker that knows the group: it has its retry topic. Of
/// all brokers when none has: a group may never have been used.
async fn places(admin: &Admin, group: &Group) -> anyhow::Result<Vec<Place>> {
    let place = |broker: &BrokerData| Some((broker.broker_name.clone(), admin::any_address(broker)?.to_owned()));
    match admin.route(boostermq_remoting::names::Topic::retry_of(group).as_str()).await {
        Ok(route) => return Ok(route.broker_datas.iter().filter_map(place).collect()),
        Err(error) if error.is(ResponseCode::TOPIC_NOT_EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let info = admin.cluster_info().await?;
    Ok(info.broker_addr_table.values().filter_map(place).collect())
}

/// Asks every broker the same. Gives the answers; complains of what failed for another reason than `nothing`.
async fn ask_each<T>(
    session: &mut Session<'_>,
    places: &[Place],
    nothing: &[ResponseCode],
    ask: impl AsyncFn(&Admin, &str) -> Result<T, AdminError>,
) -> Vec<(Place, T)> {
    let admin = &session.admin;
    let asked = side_by_side(places, async |place: &Place| ask(admin, &place.1).await).await;
    let mut answers = Vec::new();
    for (place, answer) in places.iter().zip(asked) {
        match answer {
            Ok(answer) => answers.push((place.clone(), answer)),
            Err(error) if nothing.iter().any(|code| error.is(*code)) => {}
            Err(error) => session.complain_of(&place.1, &error),
        }
    }
    answers
}

/// Settings of the group and load of every broker. False when none knows the group.
async fn brokers(session: &mut Session<'_>, group: &Group, places: &[Place], facts: &mut Facts) -> bool {
    // Asked for one group, a broker makes it when it does not know it.
    let header = GetAllSubscriptionGroupRequestHeader { group_seq: None, max_group_num: None, data_version: None };
    let tables = ask_each(session, places, &[], async |admin, address| {
        admin.call_body::<GetAllSubscriptiongroupConfig, SubscriptionGroupWrapper>(address, &header).await
    })
    .await;
    let of_group = |(place, mut table): (Place, SubscriptionGroupWrapper)| {
        table.subscription_group_table.remove(group.as_str()).map(|config| (place, config))
    };
    let configs: Vec<(Place, SubscriptionGroupConfig)> = tables.into_iter().filter_map(of_group).collect();
    let runtimes = ask_each(session, places, &[], async |admin, address| {
        admin.call_body::<GetBrokerRuntimeInfo, KvTable>(address, &NoHeader {}).await
    })
    .await;
    let cold = side_by_side(places, async |place: &Place| is_cold(&session.admin, &place.1, group).await).await;
    for ((name, address), is_cold) in places.iter().zip(cold) {
        let config = configs.iter().find(|((_, of), _)| of == address).map(|(_, config)| config);
        let runtime = runtimes.iter().find(|((_, of), _)| of == address).map(|(_, table)| table.table.clone());
        facts.brokers.push(Broker {
            name: name.clone(),
            is_enabled: config.map(|config| config.consume_enable),
            is_broadcast_enabled: config.is_none_or(|config| config.consume_broadcast_enable),
            forbidden: Vec::new(),
            runtime: runtime.unwrap_or_default().into_iter().collect(),
            is_cold,
        });
    }
    !configs.is_empty()
}

/// True when a broker slows the group down. A broker without cold-data control is asked in vain, which proves nothing.
async fn is_cold(admin: &Admin, address: &str, group: &Group) -> bool {
    let answer = admin.call::<GetColdDataFlowCtrInfo>(address, &NoHeader {}, Bytes::new()).await;
    let read = answer.ok().and_then(|answer| fastjson::from_slice(&answer.body).ok());
    read.is_some_and(|table| is_over(&table, group.as_str()))
}

/// True when the group has read its part of old messages in this window, or some while all groups have read theirs.
pub(super) fn is_over(table: &serde_json::Value, group: &str) -> bool {
    let number = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_i64);
    let of_group = |name: &str| table.get(name).and_then(|table| table.get(group));
    let read = number(of_group("runtimeTable").and_then(|one| one.get("coldAcc"))).unwrap_or_default();
    let own = number(of_group("configTable")).or_else(|| number(table.get("cgColdReadThreshold")));
    let reaches = |read: i64, limit: Option<i64>| limit.is_some_and(|limit| limit >= 0 && read >= limit);
    read > 0
        && (reaches(read, own)
            || reaches(
                number(table.get("globalAcc")).unwrap_or_default(),
                number(table.get("globalColdReadThreshold")),
            ))
}

/// Waits between the samples, and looks meanwhile whether brokers slow the group down: they count anew each five seconds
/// (RocketMQ 5.5.0), so that one look may come just after they began.
async fn wait(admin: &Admin, group: &Group, places: &[Place], facts: &mut Facts, interval: Duration) {
    for _ in 0..COLD_LOOKS {
        tokio::time::sleep(interval / COLD_LOOKS).await;
        let cold = side_by_side(places, async |place: &Place| is_cold(admin, &place.1, group).await).await;
        for (broker, is_cold) in facts.brokers.iter_mut().zip(cold) {
            broker.is_cold |= is_cold;
        }
    }
}

/// Clients of the group by the broker that is asked for them.
async fn connections(
    session: &mut Session<'_>,
    group: &Group,
    places: &[Place],
    facts: &mut Facts,
) -> BTreeMap<String, String> {
    let header = GetConsumerConnectionListRequestHeader { consumer_group: group.clone() };
    let nobody = [ResponseCode::CONSUMER_NOT_ONLINE];
    let answers = ask_each(session, places, &nobody, async |admin, address| {
        admin.call_body::<GetConsumerConnectionList, ConsumerConnection>(address, &header).await
    })
    .await;
    let mut clients = BTreeMap::new();
    for ((_, address), connection) in answers {
        facts.model = facts.model.or(connection.message_model);
        facts.consume_type = facts.consume_type.or(connection.consume_type);
        for (topic, subscription) in connection.subscription_table {
            if !topic.starts_with(RETRY_TOPIC_PREFIX) {
                facts.subscriptions.entry(topic).or_insert(subscription);
            }
        }
        for one in connection.connection_set {
            clients.entry(one.client_id).or_insert_with(|| address.clone());
        }
    }
    clients
}

/// Topics of the group: those it has offsets of, and those it subscribes to.
async fn topics(
    session: &mut Session<'_>,
    group: &Group,
    places: &[Place],
    facts: &Facts,
    only: Option<&str>,
) -> BTreeSet<String> {
    let header = QueryTopicsByConsumerRequestHeader { group: group.clone() };
    let answers = ask_each(session, places, &[ResponseCode::SYSTEM_ERROR], async |admin, address| {
        admin.call_body::<QueryTopicsByConsumer, body::TopicList>(address, &header).await
    })
    .await;
    let mut topics: BTreeSet<String> = answers.into_iter().flat_map(|(_, list)| list.topic_list).collect();
    topics.extend(facts.subscriptions.keys().cloned());
    topics.retain(|topic| !topic.starts_with(RETRY_TOPIC_PREFIX) && only.is_none_or(|only| only == topic));
    topics
}

/// Topics whose queues count although the group has committed nothing of them: members are there to consume them, and commit
/// what they consume. Who asks for messages by itself may keep its offsets elsewhere.
fn begun(facts: &Facts, topics: &BTreeSet<String>) -> BTreeSet<String> {
    let commits = facts.consume_type == Some(ConsumeType::Passively) && facts.model != Some(MessageModel::Broadcasting);
    if commits { topics.clone() } else { BTreeSet::new() }
}

/// Offsets of every queue of the group; those of `begun` from their first message on where it has committed nothing.
async fn offsets(
    session: &mut Session<'_>,
    group: &Group,
    places: &[Place],
    begun: &BTreeSet<String>,
) -> BTreeMap<MessageQueue, OffsetWrapper> {
    let header = GetConsumeStatsRequestHeader { consumer_group: group.clone(), topic: None, topic_list: None };
    let nothing = [ResponseCode::SYSTEM_ERROR, ResponseCode::TOPIC_NOT_EXIST];
    let answers = ask_each(session, places, &nothing, async |admin, address| {
        admin.call_body::<GetConsumeStats, ConsumeStats>(address, &header).await
    })
    .await;
    let mut all: BTreeMap<MessageQueue, OffsetWrapper> =
        answers.into_iter().flat_map(|(_, stats)| stats.offset_table.0).collect();
    let committed: BTreeSet<(&str, &str)> =
        all.keys().map(|queue| (queue.topic.as_str(), queue.broker_name.as_str())).collect();
    let pairs = places.iter().flat_map(|place| begun.iter().map(move |topic| (place, topic)));
    let missing: Vec<(&Place, &String)> =
        pairs.filter(|(place, topic)| !committed.contains(&(topic.as_str(), place.0.as_str()))).collect();
    let admin = &session.admin;
    let asked = side_by_side(missing, async |(place, topic): (&Place, &String)| {
        let topic = boostermq_remoting::names::Topic::parse(topic).ok()?;
        let header = GetTopicStatsInfoRequestHeader { topic };
        admin.call_body::<GetTopicStatsInfo, TopicStatsTable>(&place.1, &header).await.ok()
    })
    .await;
    for (queue, ends) in asked.into_iter().flatten().flat_map(|stats| stats.offset_table.0) {
        all.insert(queue, uncommitted(&ends));
    }
    all
}

/// How far a group is in a queue of which it has committed nothing.
pub(super) fn uncommitted(ends: &TopicOffset) -> OffsetWrapper {
    OffsetWrapper {
        broker_offset: ends.max_offset.max(0),
        consumer_offset: ends.min_offset.max(0),
        pull_offset: ends.min_offset.max(0),
        last_timestamp: 0,
    }
}

/// Ends of the dead-letter queues; `None` when there are none.
async fn dead(admin: &Admin, group: &Group, places: &[Place]) -> Option<i64> {
    let header = GetTopicStatsInfoRequestHeader { topic: boostermq_remoting::names::Topic::dlq_of(group) };
    let asked = side_by_side(places, async |place: &Place| {
        admin.call_body::<GetTopicStatsInfo, TopicStatsTable>(&place.1, &header).await
    })
    .await;
    let ends =
        asked.into_iter().flatten().map(|table| table.offset_table.0.values().map(|one| one.max_offset).sum::<i64>());
    ends.reduce(|one, other| one + other)
}

/// What each client says of itself.
async fn running(
    admin: &Admin,
    group: &Group,
    clients: &BTreeMap<String, String>,
    with_stacks: bool,
) -> Vec<Result<ConsumerRunningInfo, String>> {
    side_by_side(clients.iter().take(MEMBERS), async |(client, address): (&String, &String)| {
        let header = GetConsumerRunningInfoRequestHeader {
            consumer_group: group.clone(),
            client_id: ClientId::from(client.as_str()),
            jstack_enable: Some(with_stacks),
        };
        let answer = admin.ask::<GetConsumerRunningInfo>(address, &header, Bytes::new(), MEMBER_TIMEOUT).await;
        let read = answer.and_then(admin::succeeded).and_then(|answer| admin::read_body(address, &answer));
        read.map_err(|error| error.to_string())
    })
    .await
}

fn members(
    clients: &BTreeMap<String, String>,
    first: Vec<Result<ConsumerRunningInfo, String>>,
    second: Vec<Result<ConsumerRunningInfo, String>>,
) -> Vec<Member> {
    let both = first.into_iter().zip(second);
    let member = |(client_id, (first, second)): (&String, (Result<_, String>, Result<_, String>))| Member {
        client_id: client_id.clone(),
        running: first.and_then(|first| second.map(|second| (first, second))),
    };
    clients.keys().zip(both).map(member).collect()
}

fn fill_queues(
    facts: &mut Facts,
    first: &BTreeMap<MessageQueue, OffsetWrapper>,
    second: &BTreeMap<MessageQueue, OffsetWrapper>,
    only: Option<&str>,
) {
    for (queue, offsets) in second {
        let filled = Queue {
            topic: queue.topic.clone(),
            broker: queue.broker_name.clone(),
            queue_id: queue.queue_id,
            // A queue that was not there before began in between.
            first: first.get(queue).cloned().unwrap_or_else(|| offsets.clone()),
            second: offsets.clone(),
            next: None,
        };
        if queue.topic.starts_with(RETRY_TOPIC_PREFIX) {
            facts.retries.push(filled);
        } else if only.is_none_or(|only| only == queue.topic) {
            facts.queues.push(filled);
        }
    }
}

/// Queues, rights and rates of each topic.
async fn fill_topics(
    session: &mut Session<'_>,
    group: &Group,
    places: &[Place],
    topics: BTreeSet<String>,
    facts: &mut Facts,
) {
    let admin = &session.admin;
    let routes = side_by_side(&topics, async |topic: &String| admin.route(topic).await).await;
    for (topic, route) in topics.iter().zip(routes) {
        let read_queues = match route {
            Ok(route) => {
                let readable = route.queue_datas.iter().filter(|data| data.perm & TopicConfig::PERM_READ != 0);
                Some(readable.map(|data| usize::try_from(data.read_queue_nums).unwrap_or_default()).sum())
            }
            Err(error) if error.is(ResponseCode::TOPIC_NOT_EXIST) => None,
            Err(error) => {
                session.complain(&format_args!("doctor: the route of {topic}: {error}"));
                continue;
            }
        };
        facts.topics.push(Topic { name: topic.clone(), read_queues, last_minute: None });
    }
    for topic in &mut facts.topics {
        topic.last_minute = last_minute(&session.admin, group, places, &topic.name).await;
        for (place, broker) in places.iter().zip(&mut facts.brokers) {
            if is_forbidden(&session.admin, &place.1, group, &topic.name).await {
                broker.forbidden.push(topic.name.clone());
            }
        }
    }
}

async fn is_forbidden(admin: &Admin, address: &str, group: &Group, topic: &str) -> bool {
    let Ok(topic) = boostermq_remoting::names::Topic::parse(topic) else { return false };
    let header = UpdateGroupForbiddenRequestHeader { group: group.clone(), topic, readable: None };
    let answer = admin.call_body::<UpdateAndGetGroupForbidden, GroupForbidden>(address, &header).await;
    answer.is_ok_and(|answer| !answer.readable)
}

/// Messages of a topic that were stored in the last minute, and that the group got. Brokers that count neither say so by
/// an error.
async fn last_minute(admin: &Admin, group: &Group, places: &[Place], topic: &str) -> Option<(i64, i64)> {
    let count = async |name: &str, key: String| {
        let header = ViewBrokerStatsDataRequestHeader { stats_name: name.to_owned(), stats_key: key };
        let asked = side_by_side(places, async |place: &Place| {
            admin.call_body::<ViewBrokerStatsData, BrokerStatsData>(&place.1, &header).await
        })
        .await;
        asked.into_iter().flatten().map(|stats| stats.stats_minute.sum).reduce(|one, other| one + other)
    };
    let stored = count("TOPIC_PUT_NUMS", topic.to_owned()).await?;
    let got = count("GROUP_GET_NUMS", format!("{topic}@{group}")).await?;
    Some((stored, got))
}

/// Looks at the messages that come next in the queues furthest behind: how old they are, how deep in the log.
async fn look_into(admin: &Admin, places: &[Place], facts: &mut Facts) {
    let mut order: Vec<usize> = (0..facts.queues.len()).collect();
    let lag = |at: &usize| facts.queues.get(*at).map_or(0, Queue::lag);
    order.sort_by_key(|at| std::cmp::Reverse(lag(at)));
    order.retain(|at| lag(at) > 0);
    order.truncate(LOOKED_INTO);
    for at in order {
        let Some(queue) = facts.queues.get_mut(at) else { continue };
        let Some((_, address)) = places.iter().find(|(name, _)| *name == queue.broker) else { continue };
        let Ok(topic) = boostermq_remoting::names::Topic::parse(&queue.topic) else { continue };
        let Ok(queue_id) = u32::try_from(queue.queue_id) else { continue };
        let place = consumer::Queue {
            topic,
            broker_name: queue.broker.clone(),
            queue_id: QueueId(queue_id),
            address: address.clone(),
        };
        let offset = QueueOffset(queue.second.consumer_offset.max(0));
        let Ok(pulled) = consumer::pull(admin, TOOLS_GROUP, &place, offset, 1).await else { continue };
        let end = facts.brokers.iter().find(|broker| broker.name == queue.broker);
        let end =
            end.and_then(|broker| broker.runtime.get("commitLogMaxOffset")).and_then(|text| text.parse::<i64>().ok());
        queue.next = pulled.messages.first().map(|message| Waiting {
            stored_ms: message.store_timestamp,
            bytes_behind: end.map_or(0, |end| end.saturating_sub(message.physical_offset.0)),
        });
    }
}
