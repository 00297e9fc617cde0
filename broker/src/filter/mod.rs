//! Which messages of a queue a consumer wants.

pub mod sql;
mod subscription;

pub(crate) use subscription::{ExpressionType, Subscription};
