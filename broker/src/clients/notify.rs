//! Tells the members of a consumer group that its membership or its topics changed, so that they share out the
//! queues anew at once instead of at their next 20 s round.
//!
//! A change is noted by whoever makes it and told by one task. The first is told at once; changes that follow within
//! [`PAUSE`] are told together, so that a thousand clients that come or go in one moment cost each member a few
//! frames and not a thousand. Nothing waits for an answer: the request (40) is one-way.
//!
//! Upstream: `DefaultConsumerIdsChangeListener` (RocketMQ 5.5.0).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::names::Group;
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::client::{NotifyConsumerIdsChanged, NotifyConsumerIdsChangedRequestHeader};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ConsumerGroup;
use crate::broker::Broker;

/// Least time between two rounds.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Groups whose members have not heard of a change yet.
#[derive(Debug, Default)]
pub(super) struct ChangedGroups {
    groups: Mutex<HashMap<Group, Arc<ConsumerGroup>>>,
    wake: Notify,
}

impl ChangedGroups {
    pub(super) fn add(&self, group: &Arc<ConsumerGroup>) {
        self.groups.lock().insert(group.name().clone(), group.clone());
        self.wake.notify_one();
    }

    pub(super) fn take(&self) -> Vec<Arc<ConsumerGroup>> {
        std::mem::take(&mut *self.groups.lock()).into_values().collect()
    }

    /// Waits until something was added since the last wait ended.
    pub(super) async fn added(&self) {
        self.wake.notified().await;
    }
}

/// Tells the members of every group that changed.
pub(super) fn tell_members(broker: &Broker) {
    let changed = broker.consumers.take_changed();
    if !broker.settings.read().broker.notify_consumer_ids_changed_enable {
        return;
    }
    for group in changed {
        let is_wanted =
            broker.groups.find(group.name().as_str()).is_none_or(|config| config.notify_consumer_ids_changed_enable);
        if !is_wanted || group.is_broadcasting() {
            continue;
        }
        let header = NotifyConsumerIdsChangedRequestHeader { consumer_group: group.name().clone() };
        let command = RemotingCommand::request(NotifyConsumerIdsChanged::ROW.code, &header, Bytes::new());
        for connection in group.connections() {
            connection.notify(command.clone());
        }
    }
}
