//! Requests of operators and their tools, by noun.

pub(crate) mod cleaning;
pub(crate) mod client;
pub(crate) mod cold_data;
pub(crate) mod config;
pub(crate) mod consume_stats;
pub(crate) mod correction;
pub(crate) mod group;
pub(crate) mod offset;
mod page;
pub(crate) mod queue;
pub(crate) mod replication;
pub(crate) mod runtime;
pub(crate) mod stats;
pub(crate) mod timer;
pub(crate) mod topic;

#[cfg(test)]
mod tests;
