//! One family of requests each: read the request, ask the tables, answer.

pub(crate) mod config;
pub(crate) mod kv;
pub(crate) mod register;
pub(crate) mod route;
pub(crate) mod topic;

/// The field in which brokers and clients say in which zone they stand.
const ZONE_NAME: &str = "__ZONE_NAME";
