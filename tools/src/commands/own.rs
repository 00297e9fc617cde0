//! Commands that upstream does not have: what they do stands in modules of their own.

use crate::command::commands;
use crate::find;

commands! {
    /// Shows the whole life of a message.
    Find = "find", "Find a message by key or id over all topics, and show its whole life.", find::OPTIONS, find::find,
        has_tables, words = "KEY";
}
