//! Which client alone may consume a queue, for consumers in order.
//!
//! A client asks again every 20 s, believes in a lock for 30 s, and loses it here after 60 s of silence. Nobody but
//! its holder gives a lock back. In memory only: after a restart whoever asks first gets the queue.
//!
//! Upstream: `RebalanceLockManager` (RocketMQ 5.5.0).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use boostermq_remoting::body::MessageQueue;
use boostermq_store::clock::Clock;
use dashmap::DashMap;

/// How long a lock outlives its holder's last word (RocketMQ 5.5.0).
const LIFETIME: Duration = Duration::from_secs(60);
/// Locks kept at once: a hundred for each of ten thousand consumers.
const LOCKS_MAX: usize = 1_000_000;

#[derive(Debug)]
struct Lock {
    client_id: Arc<str>,
    heard: Instant,
}

impl Lock {
    fn is_live(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) <= LIFETIME
    }
}

type Locks = HashMap<MessageQueue, Lock>;

/// The locks of all groups.
pub(crate) struct QueueLocks {
    clock: Arc<dyn Clock>,
    groups: DashMap<String, Locks>,
    count: AtomicUsize,
    limit: usize,
}

impl QueueLocks {
    /// No locks; time is `clock`'s, the one that never steps back.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, groups: DashMap::new(), count: AtomicUsize::new(0), limit: LOCKS_MAX }
    }

    /// Locks those of the queues that are free or the client's own; they are returned as they were spelled.
    pub(crate) fn lock(&self, group: &str, client_id: &str, queues: Vec<MessageQueue>) -> Vec<MessageQueue> {
        self.lock_at(group, client_id, queues, self.clock.instant())
    }

    fn lock_at(&self, group: &str, client_id: &str, queues: Vec<MessageQueue>, now: Instant) -> Vec<MessageQueue> {
        let client_id: Arc<str> = client_id.into();
        let mut locks = self.groups.entry(group.to_owned()).or_default();
        let mut locked = queues;
        locked.retain(|queue| {
            if let Some(lock) = locks.get_mut(queue) {
                if lock.client_id != client_id {
                    if lock.is_live(now) {
                        return false;
                    }
                    let from = &lock.client_id;
                    tracing::info!(%group, ?queue, %from, to = %client_id, "a lock ran out and goes to another client");
                    lock.client_id = client_id.clone();
                }
                lock.heard = now;
                return true;
            }
            if self.count.fetch_add(1, Ordering::Relaxed) >= self.limit {
                self.count.fetch_sub(1, Ordering::Relaxed);
                tracing::warn!(%group, limit = self.limit, "a queue is not locked: too many locks are held");
                return false;
            }
            locks.insert(queue.clone(), Lock { client_id: client_id.clone(), heard: now });
            true
        });
        locked
    }

    /// Gives back those of the queues that the client holds.
    pub(crate) fn unlock(&self, group: &str, client_id: &str, queues: &[MessageQueue]) {
        if let Some(mut locks) = self.groups.get_mut(group) {
            for queue in queues {
                if locks.get(queue).is_some_and(|lock| &*lock.client_id == client_id) {
                    locks.remove(queue);
                    self.count.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
        self.groups.remove_if(group, |_, locks| locks.is_empty());
    }

    /// True while some client of the group consumes in order.
    pub(crate) fn has_live_lock(&self, group: &str) -> bool {
        self.has_live_lock_at(group, self.clock.instant())
    }

    fn has_live_lock_at(&self, group: &str, now: Instant) -> bool {
        self.groups.get(group).is_some_and(|locks| locks.values().any(|lock| lock.is_live(now)))
    }

    /// Forgets locks that ran out.
    pub(crate) fn drop_expired(&self) {
        self.drop_expired_at(self.clock.instant());
    }

    fn drop_expired_at(&self, now: Instant) {
        self.groups.retain(|_, locks| {
            let before = locks.len();
            locks.retain(|_, lock| lock.is_live(now));
            self.count.fetch_sub(before - locks.len(), Ordering::Relaxed);
            !locks.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use boostermq_store::clock::SystemClock;

    use super::*;

    fn queues(ids: &[i32]) -> Vec<MessageQueue> {
        let queue = |id: &i32| MessageQueue { broker_name: "b".into(), queue_id: *id, topic: "T".into() };
        ids.iter().map(queue).collect()
    }

    struct Table(QueueLocks, Instant);

    impl Table {
        fn new() -> Self {
            Self(QueueLocks::new(Arc::new(SystemClock)), Instant::now())
        }

        #[track_caller]
        fn lock(&self, seconds: u64, client: &str, asked: &[i32], expected: &[i32]) {
            let now = self.1 + Duration::from_secs(seconds);
            assert_eq!(self.0.lock_at("g", client, queues(asked), now), queues(expected), "{client} at {seconds} s");
        }
    }

    #[test]
    fn a_lock_is_its_holders_until_it_ran_out() {
        let table = Table::new();
        table.lock(0, "a", &[0, 1], &[0, 1]);
        table.lock(10, "b", &[2, 1, 0], &[2]);
        table.lock(30, "a", &[0], &[0]);
        // Queue 1 was last asked for at 0 s, queue 0 at 30 s.
        table.lock(60, "b", &[0, 1], &[]);
        table.lock(61, "b", &[0, 1], &[1]);
        table.lock(62, "a", &[0, 1], &[0]);
        // A lock that ran out and that nobody took is still its old holder's to renew.
        table.lock(200, "a", &[0], &[0]);
        // Another group has locks of its own.
        assert_eq!(table.0.lock_at("h", "c", queues(&[0]), table.1), queues(&[0]));
    }

    #[test]
    fn only_the_holder_unlocks() {
        let table = Table::new();
        table.lock(0, "a", &[0, 1], &[0, 1]);
        table.0.unlock("g", "b", &queues(&[0, 1]));
        table.0.unlock("other", "a", &queues(&[0]));
        table.lock(1, "b", &[0], &[]);
        table.0.unlock("g", "a", &queues(&[0, 7]));
        table.lock(2, "b", &[0, 1], &[0]);
    }

    #[test]
    fn what_ran_out_is_forgotten() {
        let table = Table::new();
        let at = |seconds| table.1 + Duration::from_secs(seconds);
        table.lock(0, "a", &[0], &[0]);
        table.lock(30, "a", &[1], &[1]);
        assert!(table.0.has_live_lock_at("g", at(90)));
        assert!(!table.0.has_live_lock_at("g", at(91)));
        assert!(!table.0.has_live_lock_at("h", at(0)));
        for (seconds, left) in [(60, 2), (61, 1), (91, 0)] {
            table.0.drop_expired_at(at(seconds));
            assert_eq!(table.0.count.load(Ordering::Relaxed), left, "{seconds} s");
        }
        assert!(table.0.groups.is_empty());
    }

    #[test]
    fn locks_are_bounded() {
        let mut table = Table::new();
        table.0.limit = 2;
        table.lock(0, "a", &[0, 1, 2], &[0, 1]);
        table.lock(0, "a", &[2, 0], &[0]);
        table.0.unlock("g", "a", &queues(&[1]));
        table.lock(0, "b", &[2], &[2]);
    }
}
