//! Which messages of a queue a consumer wants.

mod subscription;

pub(crate) use subscription::{ExpressionType, Subscription};
