//! A queue of a topic on a broker, as clients name it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::lenient;

/// One queue: upstream `MessageQueue`. Ordered as clients order queues: by topic, broker, number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueue {
    /// The broker's name.
    pub broker_name: String,
    /// Number of the queue; -1 stands for all of the broker in pop assignments.
    #[serde(deserialize_with = "lenient::integer")]
    pub queue_id: i32,
    /// The topic, as the client spells it.
    pub topic: String,
}

impl Ord for MessageQueue {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.topic, &self.broker_name, self.queue_id).cmp(&(&other.topic, &other.broker_name, other.queue_id))
    }
}

impl PartialOrd for MessageQueue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
