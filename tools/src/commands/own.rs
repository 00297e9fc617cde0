//! Commands that upstream does not have: what they do stands in modules of their own.

use crate::command::commands;
use crate::{doctor, find, top};

commands! {
    /// Says why a group is behind.
    Doctor = "doctor", "Say why a consumer group is behind, with the evidence, and what to do.", doctor::OPTIONS,
        doctor::doctor, has_tables;
    /// Shows the whole life of a message.
    Find = "find", "Find a message by key or id over all topics, and show its whole life.", find::OPTIONS, find::find,
        has_tables => "KEY";
    /// Shows brokers, topics and groups on one screen.
    Top = "top", "Show brokers, topics and groups on a screen that goes on by itself.", top::OPTIONS, top::top, has_tables;
}
