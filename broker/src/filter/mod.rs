//! Which messages of a queue a consumer wants.

mod bloom;
mod consumer_filters;
pub mod sql;
mod subscription;
#[cfg(test)]
mod tests;

pub(crate) use consumer_filters::{ConsumerFilters, RetryFilter, compile};
pub(crate) use subscription::{ExpressionType, Subscription};
