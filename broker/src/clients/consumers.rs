//! Consumer groups: what they subscribe to, how they consume, and the connections of their members.
//!
//! Subscriptions belong to the group, not to a member: each full heartbeat of any member says what the whole group
//! wants. Members that disagree undo each other's; that is a mistake of the application, and [`super::agreement`] says
//! so to the log, to operators and to the members.
//!
//! Pulls read a group's subscriptions without a lock; heartbeats that change nothing write nothing.
//!
//! Upstream: `ConsumerManager`, `ConsumerGroupInfo` (RocketMQ 5.5.0).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use boostermq_remoting::body::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use boostermq_remoting::names::Group;
use boostermq_remoting::net::connection::{Connection, ConnectionId};
use dashmap::DashMap;
use parking_lot::Mutex;

use super::Member;
use super::agreement::{Agreement, Speaker};
use super::groups_by_connection::{GroupsByConnection, TooManyGroups};
use super::notify::ChangedGroups;
use crate::filter::Subscription;

/// What a heartbeat says about a group's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscriptions {
    /// They are all there. The number is the client's fingerprint of its heartbeat, 0 from clients without one.
    Given(i32),
    /// They are left out: the heartbeat would have the same fingerprint as one before.
    LeftOut(i32),
}

/// How a group consumes: the last heartbeat decides.
#[derive(Debug, Default)]
struct Consumption {
    consume_type: Option<ConsumeType>,
    message_model: Option<MessageModel>,
    from_where: Option<ConsumeFromWhere>,
    /// Fingerprint of the heartbeat that brought the subscriptions; `None` before the first.
    fingerprint: Option<i32>,
    /// By topic.
    subscriptions: HashMap<String, Subscribed>,
}

#[derive(Clone, Debug)]
struct Subscribed {
    /// As the client sent it, for those who list subscriptions.
    data: Arc<SubscriptionData>,
    /// Ready to filter.
    subscription: Arc<Subscription>,
}

impl Subscribed {
    fn new(data: &SubscriptionData) -> Self {
        Self { data: Arc::new(data.clone()), subscription: Arc::new(Subscription::from_heartbeat(data)) }
    }
}

/// What a heartbeat did to a subscription table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Difference {
    /// Topics came or went.
    topics: bool,
    /// A subscription got a newer version.
    versions: bool,
}

/// The members of a group; once the last has left, the group takes no new ones.
#[derive(Debug, Default)]
struct Members {
    by_connection: HashMap<ConnectionId, Member>,
    agreement: Agreement,
    is_retired: bool,
}

/// A consumer group with at least one member.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    name: Group,
    consumption: ArcSwap<Consumption>,
    members: Mutex<Members>,
    speaker: Arc<Speaker>,
}

impl ConsumerGroup {
    fn new(name: &Group, speaker: Arc<Speaker>) -> Self {
        Self { name: name.clone(), consumption: ArcSwap::default(), members: Mutex::default(), speaker }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &Group {
        &self.name
    }

    /// True when every member gets every message.
    pub(crate) fn is_broadcasting(&self) -> bool {
        self.consumption.load().message_model == Some(MessageModel::Broadcasting)
    }

    /// What the group wants of a topic.
    pub(crate) fn subscription(&self, topic: &str) -> Option<Arc<Subscription>> {
        self.consumption.load().subscriptions.get(topic).map(|subscribed| subscribed.subscription.clone())
    }

    /// The same as the client sent it.
    pub(crate) fn subscription_data(&self, topic: &str) -> Option<Arc<SubscriptionData>> {
        self.consumption.load().subscriptions.get(topic).map(|subscribed| subscribed.data.clone())
    }

    /// All subscriptions as clients sent them, by topic.
    pub(crate) fn all_subscription_data(&self) -> BTreeMap<String, SubscriptionData> {
        let consumption = self.consumption.load();
        let entries = consumption.subscriptions.iter();
        entries.map(|(topic, subscribed)| (topic.clone(), (*subscribed.data).clone())).collect()
    }

    /// Who decides when a message is consumed, who gets it, and where the group starts without offsets.
    pub(crate) fn mode(&self) -> (Option<ConsumeType>, Option<MessageModel>, Option<ConsumeFromWhere>) {
        let consumption = self.consumption.load();
        (consumption.consume_type, consumption.message_model, consumption.from_where)
    }

    /// Its members, oldest connection first.
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut members: Vec<Member> = self.members.lock().by_connection.values().cloned().collect();
        members.sort_unstable_by_key(|member| member.connection.id());
        members
    }

    /// The connections of its members, in no order.
    pub(crate) fn connections(&self) -> Vec<Arc<Connection>> {
        self.members.lock().by_connection.values().map(|member| member.connection.clone()).collect()
    }

    /// The member that calls itself so; of several connections of one client, the one heard last.
    pub(crate) fn member(&self, client_id: &str) -> Option<Member> {
        let members = self.members.lock();
        let named = members.by_connection.values().filter(|member| member.client_id.as_str() == client_id);
        named.max_by_key(|member| (member.heard, member.connection.id())).cloned()
    }

    /// In what the members differ, as a sentence; nothing when they want the same.
    pub(crate) fn disagreement(&self) -> Option<Arc<str>> {
        self.members.lock().agreement.disagreement().cloned()
    }

    /// Takes a heartbeat; `None` when the group was retired meanwhile.
    fn heartbeat(&self, member: &Member, data: &ConsumerData, subscriptions: Subscriptions) -> Option<Beat> {
        let mut members = self.members.lock();
        if members.is_retired {
            return None;
        }
        let members = &mut *members;
        let old = members.by_connection.insert(member.connection.id(), member.clone());
        if let Subscriptions::Given(_) = subscriptions
            && let Some(news) = members.agreement.heard(member.connection.id(), data, &members.by_connection)
        {
            self.speaker.say(self.name.as_str(), &news);
        }
        if let Some(old) = &old
            && old.client_id != member.client_id
        {
            tracing::warn!(
                group = %self.name, peer = %member.connection.peer(), before = %old.client_id, now = %member.client_id,
                "a consumer changed its client id"
            );
        }
        // Written under the members' lock only: nothing is lost between load and store.
        let current = self.consumption.load_full();
        let is_stale = match subscriptions {
            Subscriptions::Given(fingerprint) => current.fingerprint.is_some_and(|last| last != fingerprint),
            Subscriptions::LeftOut(fingerprint) => current.fingerprint != Some(fingerprint),
        };
        let difference = match subscriptions {
            Subscriptions::Given(_) => current.compare(&data.subscription_data_set),
            Subscriptions::LeftOut(_) => Difference::default(),
        };
        let next = current.next(data, subscriptions, difference);
        if let Some(next) = next {
            if difference.topics && old.is_some() && members.agreement.disagreement().is_none() {
                tracing::info!(
                    group = %self.name, client = %member.client_id,
                    before = ?current.subscriptions.keys(), now = ?next.subscriptions.keys(), "a group's topics changed"
                );
            }
            self.consumption.store(Arc::new(next));
        }
        let warning = members.agreement.disagreement().cloned();
        Some(Beat { is_new: old.is_none(), topics_changed: difference.topics, heard: Heard { is_stale, warning } })
    }

    /// Removes members; their connections. The group is retired with the last.
    fn remove(&self, mut is_meant: impl FnMut(&Member) -> bool) -> Vec<Arc<Connection>> {
        let mut members = self.members.lock();
        let members = &mut *members;
        let removed = members.by_connection.extract_if(|_, member| is_meant(member));
        let removed: Vec<Arc<Connection>> = removed.map(|(_, member)| member.connection).collect();
        members.is_retired |= members.by_connection.is_empty();
        let ids: Vec<ConnectionId> = removed.iter().map(|connection| connection.id()).collect();
        if let Some(news) = members.agreement.left(&ids, &members.by_connection) {
            self.speaker.say(self.name.as_str(), &news);
        }
        removed
    }

    fn is_retired(&self) -> bool {
        self.members.lock().is_retired
    }
}

impl Consumption {
    /// What would change if these were the subscriptions.
    fn compare(&self, given: &[SubscriptionData]) -> Difference {
        // The same topic twice counts once.
        let topics: HashSet<&str> = given.iter().map(|data| data.topic.as_str()).collect();
        let mut difference = Difference { topics: topics.len() != self.subscriptions.len(), versions: false };
        for data in given {
            match self.subscriptions.get(&data.topic) {
                None => difference.topics = true,
                Some(old) => difference.versions |= data.sub_version > old.data.sub_version,
            }
        }
        difference
    }

    /// How the group consumes after the heartbeat; `None` when nothing changes.
    fn next(&self, data: &ConsumerData, subscriptions: Subscriptions, difference: Difference) -> Option<Self> {
        let fingerprint = match subscriptions {
            Subscriptions::Given(fingerprint) => Some(fingerprint),
            Subscriptions::LeftOut(_) => self.fingerprint,
        };
        let is_same_mode = (self.consume_type, self.message_model, self.from_where)
            == (data.consume_type, data.message_model, data.consume_from_where);
        if is_same_mode && fingerprint == self.fingerprint && difference == Difference::default() {
            return None;
        }
        let table = if difference == Difference::default() {
            self.subscriptions.clone()
        } else {
            self.merge(&data.subscription_data_set)
        };
        Some(Self {
            consume_type: data.consume_type,
            message_model: data.message_model,
            from_where: data.consume_from_where,
            fingerprint,
            subscriptions: table,
        })
    }

    /// Exactly the topics given, each in its newest version.
    fn merge(&self, given: &[SubscriptionData]) -> HashMap<String, Subscribed> {
        let mut table: HashMap<String, Subscribed> = HashMap::with_capacity(given.len());
        for data in given {
            let old = table.get(&data.topic).or_else(|| self.subscriptions.get(&data.topic));
            let newest = match old {
                Some(old) if old.data.sub_version >= data.sub_version => old.clone(),
                _ => Subscribed::new(data),
            };
            table.insert(data.topic.clone(), newest);
        }
        table
    }
}

/// What a heartbeat brought to a group.
#[derive(Debug)]
struct Beat {
    is_new: bool,
    topics_changed: bool,
    heard: Heard,
}

/// What the sender of a heartbeat must hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The group's subscriptions are not, or were not, the ones that the heartbeat stands for: clients with
    /// fingerprints send all of them once more.
    pub(crate) is_stale: bool,
    /// In what the group's members differ.
    pub(crate) warning: Option<Arc<str>>,
}

/// Every consumer group with a member. A group is here as long as it has one.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    groups: DashMap<Group, Arc<ConsumerGroup>>,
    by_connection: GroupsByConnection,
    changed: ChangedGroups,
    speaker: Arc<Speaker>,
}

impl Consumers {
    /// A group, if somebody is there.
    pub(crate) fn find(&self, group: &str) -> Option<Arc<ConsumerGroup>> {
        self.groups.get(group).map(|group| group.clone())
    }

    /// A heartbeat named `group`. Members are told when the sender is new or the topics changed.
    ///
    /// # Errors
    /// [`TooManyGroups`] when the connection is a member of too many.
    pub(crate) fn heartbeat(
        &self,
        group: &Group,
        member: &Member,
        data: &ConsumerData,
        subscriptions: Subscriptions,
    ) -> Result<Heard, TooManyGroups> {
        let id = member.connection.id();
        let (group, beat) = loop {
            let found = self.find(group.as_str()).unwrap_or_else(|| {
                let made = || Arc::new(ConsumerGroup::new(group, Arc::clone(&self.speaker)));
                self.groups.entry(group.clone()).or_insert_with(made).clone()
            });
            match found.heartbeat(member, data, subscriptions) {
                Some(beat) => break (found, beat),
                // The last member left just now: a group of the same name starts anew.
                None => self.forget(&found),
            }
        };
        // Noted last: whoever closes the connection after this finds the group.
        if let Err(error) = self.by_connection.add(id, group.name()) {
            self.remove(&group, id);
            return Err(error);
        }
        if beat.is_new || beat.topics_changed {
            self.changed.add(&group);
        }
        Ok(beat.heard)
    }

    /// A member leaves a group; the others are told.
    pub(crate) fn leave(&self, group: &str, connection: ConnectionId) {
        self.by_connection.remove(connection, group);
        if let Some(group) = self.find(group) {
            self.remove(&group, connection);
        }
    }

    /// A connection is gone; those who stay in its groups are told.
    pub(crate) fn connection_closed(&self, connection: ConnectionId) {
        for group in self.by_connection.take(connection) {
            if let Some(group) = self.find(group.as_str()) {
                self.remove(&group, connection);
            }
        }
    }

    fn remove(&self, group: &Arc<ConsumerGroup>, connection: ConnectionId) {
        if !group.remove(|member| member.connection.id() == connection).is_empty() {
            self.removed(group);
        }
    }

    fn removed(&self, group: &Arc<ConsumerGroup>) {
        if group.is_retired() {
            self.forget(group);
        } else {
            self.changed.add(group);
        }
    }

    fn forget(&self, retired: &Arc<ConsumerGroup>) {
        self.groups.remove_if(retired.name(), |_, current| Arc::ptr_eq(current, retired));
    }

    /// Drops the members that were last heard before a moment; their connections, one for each group. Those who stay
    /// are told.
    pub(crate) fn drop_silent(&self, before: Instant) -> Vec<Arc<Connection>> {
        let mut silent = Vec::new();
        for group in self.all() {
            let dropped = group.remove(|member| member.heard < before);
            if dropped.is_empty() {
                continue;
            }
            for connection in &dropped {
                self.by_connection.remove(connection.id(), group.name().as_str());
            }
            self.removed(&group);
            silent.extend(dropped);
        }
        silent
    }

    /// Every group that has a member, by name.
    pub(crate) fn all(&self) -> Vec<Arc<ConsumerGroup>> {
        let mut all: Vec<_> = self.groups.iter().map(|entry| entry.value().clone()).collect();
        all.sort_unstable_by(|a, b| a.name().as_str().cmp(b.name().as_str()));
        all
    }

    /// True while the connection is a member of some group.
    pub(crate) fn has_member(&self, connection: ConnectionId) -> bool {
        self.by_connection.contains(connection)
    }

    /// Groups that subscribe to a topic now.
    pub(crate) fn groups_of_topic(&self, topic: &str) -> Vec<Group> {
        let groups = self.groups.iter();
        groups.filter(|entry| entry.value().subscription(topic).is_some()).map(|entry| entry.key().clone()).collect()
    }

    /// Waits until members of some group have something to hear.
    pub(crate) async fn changed(&self) {
        self.changed.added().await;
    }

    /// Takes the groups whose members have something to hear.
    pub(crate) fn take_changed(&self) -> Vec<Arc<ConsumerGroup>> {
        self.changed.take()
    }
}

#[cfg(test)]
mod tests;
