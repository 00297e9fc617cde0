//! Requests that wait for messages.

mod pull_hold;
#[cfg(test)]
mod tests;

pub(crate) use pull_hold::{HeldPull, PullHolds};
