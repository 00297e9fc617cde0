//! One file per family of requests: validate, ask the parts, answer.

pub(crate) mod admin;
pub(crate) mod assignment;
pub(crate) mod client;
pub(crate) mod offset;
pub(crate) mod pull;
pub(crate) mod query;
pub(crate) mod recall;
pub(crate) mod relay;
pub(crate) mod reply;
pub(crate) mod send;
pub(crate) mod send_back;
#[cfg(test)]
mod tests;
