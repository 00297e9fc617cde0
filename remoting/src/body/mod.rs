//! Bodies: what stands after a header as JSON, and what broker metadata files hold.
//!
//! Each type has upstream's class name and writes its members in upstream's order (alphabetical), leaves out what is
//! absent, ignores members it does not know and takes upstream's default for members that are missing. Types that
//! stand in metadata files keep unknown members (`others`), so that a file can go back to a newer or a Java broker
//! without losing anything. Write a body with [`fastjson::to_vec`](crate::fastjson::to_vec) and read one with
//! [`fastjson::from_slice`](crate::fastjson::from_slice): plain serde_json reads only strict JSON.
//!
//! Names of topics and groups are plain strings here: whoever takes a name out of a body checks it with
//! [`Topic::parse`](crate::names::Topic::parse).

mod lenient;

/// Declares body types: serde in upstream's spelling, every member optional when read.
macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),* }
    )*};
}

/// Declares an enumeration that travels by name. An unknown name reads as absent, as upstream reads it; a number
/// reads as the position in this list, which is what the Go client sends.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// Every value, in upstream's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The value of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl $crate::body::lenient::Named for $name {
            const ALL: &'static [Self] = Self::ALL;
            fn name(self) -> &'static str {
                Self::name(self)
            }
        }
    )*};
}

mod access;
mod assignment;
mod client;
mod data_version;
mod group;
mod heartbeat;
mod lock;
mod message_queue;
mod offset;
mod register_broker;
mod route;
mod stats;
#[cfg(test)]
mod tests;
mod topic;

pub use access::{AclInfo, PolicyEntryInfo, PolicyInfo, UserInfo};
pub use assignment::{
    MessageQueueAssignment, MessageRequestMode, MessageRequestModeSerializeWrapper, QueryAssignmentRequestBody,
    QueryAssignmentResponseBody, SetMessageRequestModeRequestBody,
};
pub use client::{
    CheckClientRequestBody, CmResult, Connection, ConsumeMessageDirectlyResult, ConsumeStatus, ConsumerConnection,
    ConsumerRunningInfo, GetConsumerListByGroupResponseBody, PopProcessQueueInfo, ProcessQueueInfo, ProducerConnection,
    ProducerInfo, ProducerTableInfo, QuerySubscriptionResponseBody,
};
pub use data_version::DataVersion;
pub use group::{
    CustomizedRetryPolicy, ExponentialRetryPolicy, GroupForbidden, GroupList, GroupRetryPolicy, GroupRetryPolicyType,
    SimpleSubscriptionData, SubscriptionGroupConfig, SubscriptionGroupList, SubscriptionGroupWrapper,
};
pub use heartbeat::{
    ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel, ProducerData, SubscriptionData,
};
pub use lock::{LockBatchRequestBody, LockBatchResponseBody, UnlockBatchRequestBody};
pub use message_queue::MessageQueue;
pub use offset::{
    ConsumeStats, ConsumeStatsList, ConsumerOffsetSerializeWrapper, DelayOffsetSerializeWrapper, GetConsumerStatusBody,
    MessageQueueForC, OffsetTable, OffsetWrapper, QueryConsumeTimeSpanBody, QueryCorrectionOffsetBody, QueueTimeSpan,
    ResetOffsetBody, ResetOffsetBodyForC,
};
pub use register_broker::{MAX_INFLATED, RegisterBrokerBody, RegistrationError};
pub use route::{
    BrokerData, BrokerMemberGroup, ClusterInfo, GetBrokerMemberGroupResponseBody, KvTable, QueueData, TopicRouteData,
};
pub use stats::{
    BrokerStatsData, BrokerStatsItem, ConsumeQueueData, HaClientRuntimeInfo, HaConnectionRuntimeInfo, HaRuntimeInfo,
    QueryConsumeQueueResponseBody,
};
pub use topic::{
    CreateTopicListRequestBody, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicConfigSerializeWrapper,
    TopicFilterType, TopicList, TopicOffset, TopicStatsTable,
};
