//! Routes: where the queues of a topic are.
//!
//! Codes and fields: RocketMQ 5.5.0. Served by name servers.

use super::{NoHeader, Permission};

crate::header! {
    /// Header: upstream `GetRouteInfoRequestHeader`. Any text is looked up.
    GetRouteInfoRequestHeader {
        /// The topic.
        topic: String = "topic",
        /// The client reads strict JSON only; ours always is.
        accept_standard_json_only: Option<bool> = "acceptStandardJsonOnly",
    }
}

requests! {
    /// Tells which brokers hold a topic; body `TopicRouteData`.
    GetRouteinfoByTopic = 105 "GET_ROUTEINFO_BY_TOPIC", Inline, Permission::Open,
        GetRouteInfoRequestHeader => NoHeader;
}
