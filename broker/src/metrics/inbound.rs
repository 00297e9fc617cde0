//! What clients sent: messages, bytes and sizes, by topic and kind of message.
//!
//! A connection adds up what it stored in one read and adds that to the shared counters once. The topic is the one that the
//! record is stored in, as in RocketMQ 5.5.0: a delayed message counts there when it comes, and in its own topic when it is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use boostermq_remoting::names::Topic;
use dashmap::DashMap;

use super::histogram::{Histogram, Steps, step};

/// Bounds of message sizes in bytes (RocketMQ 5.5.0).
const SIZES: [u64; 6] = [1 << 10, 4 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20];
/// Topics and kinds that are counted; more are not.
const INBOUND_MAX: usize = 100_000;
/// Counters that one connection keeps at hand.
const AT_HAND: usize = 32;

/// What a message is, by its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum MessageKind {
    /// Nothing of the below.
    Normal,
    /// One of a sequence.
    Fifo,
    /// For a later time.
    Delay,
    /// Half of a transaction.
    Transaction,
}

impl MessageKind {
    /// As the label says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Fifo => "fifo",
            Self::Delay => "delay",
            Self::Transaction => "transaction",
        }
    }
}

/// Counters of one topic and kind.
#[derive(Debug)]
pub(crate) struct Inbound {
    messages: AtomicU64,
    bytes: AtomicU64,
    sizes: Histogram,
}

impl Default for Inbound {
    fn default() -> Self {
        Self { messages: AtomicU64::new(0), bytes: AtomicU64::new(0), sizes: Histogram::new(&SIZES) }
    }
}

impl Inbound {
    /// Messages stored.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Bytes of their records.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Their sizes: of a batch the average, once.
    pub(crate) fn sizes(&self) -> Steps {
        self.sizes.steps()
    }
}

/// The counters of all topics.
#[derive(Debug, Default)]
pub(crate) struct InboundTable {
    by_topic: DashMap<(Topic, MessageKind), Arc<Inbound>>,
    /// Grows when counters are removed: whoever keeps some looks them up anew then.
    generation: AtomicU64,
    beyond: Arc<Inbound>,
}

impl InboundTable {
    /// The counters of a topic and kind.
    pub(crate) fn of(&self, topic: &Topic, kind: MessageKind) -> Arc<Inbound> {
        let key = (topic.clone(), kind);
        if let Some(found) = self.by_topic.get(&key) {
            return found.clone();
        }
        if self.by_topic.len() >= INBOUND_MAX {
            return self.beyond.clone();
        }
        self.by_topic.entry(key).or_default().clone()
    }

    /// A topic was deleted.
    pub(crate) fn forget(&self, topic: &str) {
        self.by_topic.retain(|(known, _), _| known.as_str() != topic);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// All counters, sorted.
    pub(crate) fn all(&self) -> Vec<(Topic, MessageKind, Arc<Inbound>)> {
        let entry = |entry: dashmap::mapref::multiple::RefMulti<'_, (Topic, MessageKind), Arc<Inbound>>| {
            let (topic, kind) = entry.key();
            (topic.clone(), *kind, entry.value().clone())
        };
        let mut all: Vec<_> = self.by_topic.iter().map(entry).collect();
        all.sort_by(|(a, a_kind, _), (b, b_kind, _)| (a.as_str(), a_kind).cmp(&(b.as_str(), b_kind)));
        all
    }
}

/// What one connection has stored and not yet added to the shared counters.
#[derive(Debug, Default)]
pub(crate) struct InboundSums {
    generation: u64,
    at_hand: Vec<(Topic, MessageKind, Arc<Inbound>)>,
    open: Option<(usize, Sums)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    messages: u64,
    bytes: u64,
    sizes: [u64; SIZES.len() + 1],
    size_sum: u64,
}

impl InboundSums {
    /// One request stored this many messages with this many bytes.
    pub(crate) fn stored(
        &mut self,
        table: &InboundTable,
        topic: &Topic,
        kind: MessageKind,
        (messages, bytes): (u64, u64),
    ) {
        let at = self.find(table, topic, kind);
        if self.open.as_ref().is_some_and(|(open, _)| *open != at) {
            self.flush();
        }
        let (_, sums) = self.open.get_or_insert((at, Sums::default()));
        let size = bytes / messages.max(1);
        sums.messages += messages;
        sums.bytes += bytes;
        sums.size_sum += size;
        if let Some(count) = sums.sizes.get_mut(step(&SIZES, size)) {
            *count += 1;
        }
    }

    /// Adds everything to the shared counters.
    pub(crate) fn flush(&mut self) {
        let Some((at, sums)) = self.open.take() else { return };
        let Some((.., counters)) = self.at_hand.get(at) else { return };
        counters.messages.fetch_add(sums.messages, Ordering::Relaxed);
        counters.bytes.fetch_add(sums.bytes, Ordering::Relaxed);
        counters.sizes.add(&sums.sizes, sums.size_sum);
    }

    fn find(&mut self, table: &InboundTable, topic: &Topic, kind: MessageKind) -> usize {
        let generation = table.generation.load(Ordering::Acquire);
        if self.generation != generation {
            self.flush();
            self.at_hand.clear();
            self.generation = generation;
        }
        if let Some(at) = self.at_hand.iter().position(|(known, its, _)| *its == kind && known == topic) {
            return at;
        }
        if self.at_hand.len() >= AT_HAND {
            self.flush();
            self.at_hand.clear();
        }
        self.at_hand.push((topic.clone(), kind, table.of(topic, kind)));
        self.at_hand.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_read_stored_is_added_up() {
        let (table, mut sums) = (InboundTable::default(), InboundSums::default());
        let (t, u) = (Topic::parse("T").unwrap(), Topic::parse("U").unwrap());
        for (topic, kind, messages, bytes) in [
            (&t, MessageKind::Normal, 1, 100),
            (&t, MessageKind::Normal, 5, 10_000),
            (&t, MessageKind::Fifo, 1, 1024),
            (&u, MessageKind::Normal, 1, 5 << 20),
            (&t, MessageKind::Normal, 1, 100),
        ] {
            sums.stored(&table, topic, kind, (messages, bytes));
        }
        sums.flush();
        sums.flush();
        let seen: Vec<_> = table
            .all()
            .iter()
            .map(|(topic, kind, counters)| {
                let sizes = counters.sizes();
                (topic.to_string(), kind.name(), counters.messages(), counters.bytes(), sizes.counts, sizes.sum)
            })
            .collect();
        let expected = [
            ("T".to_owned(), "normal", 7, 10_200, vec![2, 1, 0, 0, 0, 0, 0], 2200),
            ("T".to_owned(), "fifo", 1, 1024, vec![1, 0, 0, 0, 0, 0, 0], 1024),
            ("U".to_owned(), "normal", 1, 5 << 20, vec![0, 0, 0, 0, 0, 0, 1], 5 << 20),
        ];
        assert_eq!(seen, expected);
        table.forget("T");
        sums.stored(&table, &t, MessageKind::Normal, (1, 7));
        sums.flush();
        let left: Vec<_> =
            table.all().iter().map(|(topic, _, counters)| (topic.to_string(), counters.bytes())).collect();
        assert_eq!(left, [("T".to_owned(), 7), ("U".to_owned(), 5 << 20)], "a topic made anew begins at nothing");
    }
}
