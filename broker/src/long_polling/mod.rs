//! Requests that wait for messages.

mod pull_hold;

pub(crate) use pull_hold::{HeldPull, PullHolds};
