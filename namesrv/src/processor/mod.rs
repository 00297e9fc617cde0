//! One family of requests each: read the request, ask the tables, answer.

pub(crate) mod config;
pub(crate) mod kv;
pub(crate) mod register;
pub(crate) mod route;
pub(crate) mod topic;
