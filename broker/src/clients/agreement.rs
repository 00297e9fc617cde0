//! Whether the members of a consumer group want the same. They must: a group has one set of subscriptions, the last
//! heartbeat's, so members that differ undo each other's, and each loses messages to the other.
//!
//! Compared is what full heartbeats said: how a member consumes, and, of members that are pushed to, topics and filters.
//! Members that pull say with each pull what they want, so their subscriptions may differ. Of several connections of one
//! client only the one heard last counts. Never decides what the group gets; that is [`super::consumers`]'s.
//!
//! Upstream finds this only when an operator asks: `ConsumerRunningInfo.analyzeSubscription`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::body::{ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use boostermq_remoting::net::connection::ConnectionId;
use parking_lot::Mutex;

use super::Member;

/// Letters of a client's id or filter that a sentence shows.
const SHOWN: usize = 120;
/// For what a member did not say.
const UNSAID: &str = "it did not say what";
/// Sentences in one [`WINDOW`], of all groups together.
const SENTENCES_MAX: u32 = 30;
/// See [`SENTENCES_MAX`].
const WINDOW: Duration = Duration::from_secs(60);

/// What one member wants, as far as members must agree.
#[derive(Debug, PartialEq, Eq)]
struct Wishes {
    consume_type: Option<ConsumeType>,
    message_model: Option<MessageModel>,
    /// Filters by topic; empty for a member that pulls.
    filters: BTreeMap<Box<str>, Box<str>>,
}

impl Wishes {
    fn of(data: &ConsumerData) -> Self {
        let is_pulling = data.consume_type == Some(ConsumeType::Actively);
        let subscriptions = data.subscription_data_set.iter().filter(|_| !is_pulling);
        Self {
            consume_type: data.consume_type,
            message_model: data.message_model,
            filters: subscriptions.map(|data| (data.topic.as_str().into(), filter(data))).collect(),
        }
    }
}

/// A filter spelled so that equal ones are equal: tags in order, without the spaces between them.
fn filter(data: &SubscriptionData) -> Box<str> {
    if !data.is_tag_type() {
        let kind = data.expression_type.as_deref().unwrap_or_default();
        return format!("{kind} {}", data.sub_string.trim()).into();
    }
    if data.tags_set.is_empty() {
        let expression = data.sub_string.trim();
        return if expression.is_empty() { SubscriptionData::SUB_ALL } else { expression }.into();
    }
    data.tags_set.iter().map(String::as_str).collect::<Vec<_>>().join("||").into()
}

/// What the members of one group want.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    by_connection: HashMap<ConnectionId, Arc<Wishes>>,
    /// Each kind of wishes once, and how many members have it. One kind is agreement.
    kinds: Vec<(Arc<Wishes>, usize)>,
    /// In what two members differ, as a sentence.
    disagreement: Option<Arc<str>>,
}

/// What a comparison brought to light.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Members differ, or differ in something else than before.
    Differ(Arc<str>),
    /// All want the same again.
    Settled,
}

impl Agreement {
    /// In what members differ; nothing when they agree.
    pub(super) fn disagreement(&self) -> Option<&Arc<str>> {
        self.disagreement.as_ref()
    }

    /// A full heartbeat came from a member, which is among `members` already.
    pub(super) fn heard(
        &mut self,
        id: ConnectionId,
        data: &ConsumerData,
        members: &HashMap<ConnectionId, Member>,
    ) -> Option<News> {
        let wishes = Wishes::of(data);
        if self.by_connection.get(&id).is_some_and(|known| **known == wishes) {
            return None;
        }
        self.forget(id);
        let wishes = match self.kinds.iter_mut().find(|(known, _)| **known == wishes) {
            Some((known, count)) => {
                *count += 1;
                Arc::clone(known)
            }
            None => {
                let wishes = Arc::new(wishes);
                self.kinds.push((Arc::clone(&wishes), 1));
                wishes
            }
        };
        self.by_connection.insert(id, wishes);
        self.compare(members)
    }

    /// Members left; `members` are those who stay.
    pub(super) fn left(&mut self, ids: &[ConnectionId], members: &HashMap<ConnectionId, Member>) -> Option<News> {
        for id in ids {
            self.forget(*id);
        }
        self.compare(members)
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some(wishes) = self.by_connection.remove(&id) else { return };
        self.kinds.retain_mut(|(known, count)| {
            *count -= usize::from(Arc::ptr_eq(known, &wishes));
            *count > 0
        });
    }

    fn compare(&mut self, members: &HashMap<ConnectionId, Member>) -> Option<News> {
        let found = if self.kinds.len() > 1 { self.first_difference(members) } else { None };
        if found.as_deref() == self.disagreement.as_deref() {
            return None;
        }
        self.disagreement = found.map(Arc::from);
        Some(self.disagreement.clone().map_or(News::Settled, News::Differ))
    }

    /// In what the client with the first name differs from the next one that does.
    fn first_difference(&self, members: &HashMap<ConnectionId, Member>) -> Option<String> {
        let mut latest: BTreeMap<&str, (Instant, ConnectionId)> = BTreeMap::new();
        for (id, member) in members {
            let heard = (member.heard, *id);
            let known = latest.entry(member.client_id.as_str()).or_insert(heard);
            *known = (*known).max(heard);
        }
        let mut clients = latest.iter().filter_map(|(client, (_, id))| Some((*client, &**self.by_connection.get(id)?)));
        let (first, wanted) = clients.next()?;
        let (other, different) = clients.find(|(_, wishes)| *wishes != wanted)?;
        Some(sentence((first, wanted), (other, different)))
    }
}

fn sentence((first, a): (&str, &Wishes), (second, b): (&str, &Wishes)) -> String {
    let (first, second) = (shown(first), shown(second));
    if a.message_model != b.message_model {
        let (a, b) = (a.message_model.map(MessageModel::name), b.message_model.map(MessageModel::name));
        return format!("{first} consumes as {}, {second} as {}", a.unwrap_or(UNSAID), b.unwrap_or(UNSAID));
    }
    if a.consume_type != b.consume_type {
        let (a, b) = (a.consume_type.map(ConsumeType::name), b.consume_type.map(ConsumeType::name));
        return format!("{first} consumes as {}, {second} as {}", a.unwrap_or(UNSAID), b.unwrap_or(UNSAID));
    }
    for (topic, filter) in &a.filters {
        match b.filters.get(topic) {
            Some(other) if other == filter => {}
            Some(other) => {
                let (filter, other) = (shown(filter), shown(other));
                return format!("{first} subscribes to {topic} by {filter}, {second} by {other}");
            }
            None => return format!("{first} subscribes to {topic}, {second} does not"),
        }
    }
    let more = b.filters.keys().find(|topic| !a.filters.contains_key(*topic));
    format!("{second} subscribes to {}, {first} does not", more.map_or("", |topic| topic))
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

/// Says what is new, so many sentences a minute and no more; those left out are counted.
#[derive(Debug, Default)]
pub(super) struct Speaker(Mutex<Spoken>);

#[derive(Debug, Default)]
struct Spoken {
    since: Option<Instant>,
    count: u32,
    left_out: u64,
}

impl Speaker {
    /// Says it, or leaves it out.
    pub(super) fn say(&self, group: &str, news: &News) {
        let Some(left_out) = self.take(Instant::now()) else { return };
        match news {
            News::Differ(how) => tracing::warn!(
                group, %how, left_out,
                "the members of a group do not want the same, and undo each other's subscriptions: start all of them alike"
            ),
            News::Settled => tracing::info!(group, left_out, "the members of a group want the same again"),
        }
    }

    /// Leave to say one sentence, with the number of those that had to be left out since the last.
    fn take(&self, now: Instant) -> Option<u64> {
        let mut spoken = self.0.lock();
        if spoken.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            *spoken = Spoken { since: Some(now), count: 0, left_out: spoken.left_out };
        }
        if spoken.count >= SENTENCES_MAX {
            spoken.left_out += 1;
            return None;
        }
        spoken.count += 1;
        Some(std::mem::take(&mut spoken.left_out))
    }
}

#[cfg(test)]
mod tests;
