//! Commands that move groups.

mod clone_group_offset;
mod reset;
mod reset_offset_by_time;
mod skip_accumulated_message;

pub use clone_group_offset::CloneGroupOffset;
pub use reset_offset_by_time::ResetOffsetByTime;
pub use skip_accumulated_message::SkipAccumulatedMessage;
