//! The commands, by the noun they are about: one file each.

use crate::command::SubCommand;

pub mod cluster;
pub mod message;
pub mod own;
pub mod topic;

/// Every command, in the order in which upstream lists them.
pub const ALL: &[&dyn SubCommand] = &[
    &topic::UpdateTopic,
    &topic::DeleteTopic,
    &topic::TopicRoute,
    &message::QueryMsgById,
    &message::QueryMsgByKey,
    &message::QueryMsgByUniqueKey,
    &cluster::ClusterList,
    &topic::TopicList,
    &message::SendMessage,
    &message::ConsumeMessage,
];

/// Commands that upstream does not have.
pub const OWN: &[&dyn SubCommand] = &[&own::Find];
