#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod allocate;
mod boot;
pub mod check;
mod checkpoint;
pub mod clock;
mod commit_log;
pub mod config;
pub mod consume_queue;
mod disk;
mod dispatch;
pub mod error;
#[cfg(test)]
mod fixture;
mod get_message;
mod health;
mod housekeeping;
pub mod index;
mod io;
mod layout;
mod lock_file;
mod mapped_file;
mod mapped_file_queue;
mod message_store;
mod mmap;
mod offset_by_time;
mod once_a_minute;
mod opening;
mod options;
#[cfg(test)]
mod power_loss;
mod query;
mod queue_entries;
mod queue_files;
mod recover;
mod retention;
mod stats;
mod takeover;
pub mod timer;

pub use commit_log::{AppendBatch, AppendReceipt, FlushOutcome};
pub use disk::{DiskCapacity, DiskUsage, Fullness};
pub use dispatch::{Arrival, ArrivalListener};
pub use get_message::{GetOutcome, GetRequest, GetStatus, MessageFilter};
pub use message_store::MessageStore;
pub use offset_by_time::TimeBoundary;
pub use options::{FlushMode, StoreOptions};
pub use query::{QUERY_MAX_BYTES, QueryOutcome};
pub use queue_entries::{EntryExtension, QueueEntry};
pub use retention::RetentionOptions;
pub use stats::StoreStats;
pub use takeover::{Refusal, refusals};
