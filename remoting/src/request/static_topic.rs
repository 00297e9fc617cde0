//! Static topics: queues that outlive their broker.
//!
//! Codes: RocketMQ 5.5.0.

use super::{Action, Permission};

requests! {
    /// Makes or changes a static topic.
    UpdateAndCreateStaticTopic = 513 "UPDATE_AND_CREATE_STATIC_TOPIC", Blocking, Permission::Topic("topic", Action::Create);
}
