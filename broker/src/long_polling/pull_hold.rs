//! Pulls that found nothing and wait: woken by the arrival of a message they want, or by their deadline.
//!
//! Owns the held pulls and nothing else; carrying one out is [`crate::processor::pull`]'s. Upstream:
//! `PullRequestHoldService`, `NotifyMessageArrivingListener` (RocketMQ 5.5.0).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::net::connection::{Connection, ConnectionId};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_store::{Arrival, MessageFilter};
use parking_lot::Mutex;

use crate::broker::Broker;
use crate::processor::pull::{Pull, answer_held};

/// Pulls that may be held at once: 100 queues each for 10,000 consumers.
const HELD_MAX: usize = 1_000_000;

/// A pull that waits.
pub(crate) struct HeldPull {
    /// Who waits for the answer.
    pub(crate) connection: Arc<Connection>,
    /// When it is answered in any case.
    pub(crate) deadline: Instant,
    /// What is asked.
    pub(crate) pull: Pull,
}

/// Too many pulls are held.
#[derive(Debug)]
pub(crate) struct HoldsFull;

/// The held pulls of every queue.
#[derive(Default)]
pub(crate) struct PullHolds {
    by_topic: Mutex<HashMap<Topic, HashMap<QueueId, Vec<HeldPull>>>>,
    count: AtomicUsize,
}

impl PullHolds {
    /// Pulls held now.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Holds a pull.
    pub(crate) fn hold(&self, held: HeldPull) -> Result<(), HoldsFull> {
        // Counted first and under the lock, so that an arrival either sees the count or comes before the re-check
        // that the caller makes after this.
        let mut by_topic = self.by_topic.lock();
        if self.count.fetch_add(1, Ordering::SeqCst) >= HELD_MAX {
            self.count.fetch_sub(1, Ordering::SeqCst);
            return Err(HoldsFull);
        }
        let queues = by_topic.entry(held.pull.topic.clone()).or_default();
        queues.entry(held.pull.queue_id).or_default().push(held);
        Ok(())
    }

    /// A message can be read: answers the pulls that want it.
    pub(crate) fn arrived(&self, broker: &Broker, arrival: &Arrival<'_>) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let wants = |filter: &dyn MessageFilter| {
            filter.matches_tags(arrival.tags_code) && (!filter.needs_record() || filter.matches_record(arrival.record))
        };
        self.release(broker, arrival.topic, arrival.queue_id, |held| {
            arrival.queue_offset > held.pull.queue_offset && held.pull.filter.as_deref().is_none_or(wants)
        });
    }

    /// Answers the pulls of a queue that have something to read, filtered or not.
    pub(crate) fn release_readable(&self, broker: &Broker, topic: &str, queue_id: QueueId, max: QueueOffset) {
        self.release(broker, topic, queue_id, |held| max > held.pull.queue_offset);
    }

    /// Answers the pulls of one group: its offset was reset.
    pub(crate) fn release_group(&self, broker: &Broker, group: &str, topic: &str, queue_id: QueueId) {
        self.release(broker, topic, queue_id, |held| held.pull.group.group_name == group);
    }

    fn release(&self, broker: &Broker, topic: &str, queue_id: QueueId, wanted: impl Fn(&HeldPull) -> bool) {
        let released: Vec<HeldPull> = {
            let mut by_topic = self.by_topic.lock();
            let Some(queues) = by_topic.get_mut(topic) else { return };
            let Some(waiting) = queues.get_mut(&queue_id) else { return };
            let released = waiting.extract_if(.., |held| wanted(held)).collect();
            if waiting.is_empty() {
                queues.remove(&queue_id);
                if queues.is_empty() {
                    by_topic.remove(topic);
                }
            }
            released
        };
        self.count.fetch_sub(released.len(), Ordering::SeqCst);
        for held in released {
            answer_held(broker, held);
        }
    }

    fn take(&self, mut wanted: impl FnMut(&HeldPull) -> bool) -> Vec<HeldPull> {
        if self.count() == 0 {
            return Vec::new();
        }
        let mut taken = Vec::new();
        self.by_topic.lock().retain(|_, queues| {
            queues.retain(|_, waiting| {
                taken.extend(waiting.extract_if(.., |held| wanted(held)));
                !waiting.is_empty()
            });
            !queues.is_empty()
        });
        self.count.fetch_sub(taken.len(), Ordering::SeqCst);
        taken
    }

    /// Answers the pulls whose time is up.
    pub(crate) fn answer_expired(&self, broker: &Broker) {
        let now = Instant::now();
        for held in self.take(|held| held.deadline <= now) {
            answer_held(broker, held);
        }
    }

    /// Answers all pulls: the broker stops.
    pub(crate) fn answer_all(&self, broker: &Broker) {
        for held in self.take(|_| true) {
            answer_held(broker, held);
        }
    }

    /// Forgets the pulls of a closed connection.
    pub(crate) fn forget(&self, connection: ConnectionId) {
        self.take(|held| held.connection.id() == connection);
    }
}
