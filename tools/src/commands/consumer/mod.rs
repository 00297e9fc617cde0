//! Commands about connected clients and how far groups are.

mod consumer_connection;
mod consumer_progress;
mod consumer_status;
mod producer;
mod producer_connection;
mod running_text;
mod running_values;
mod start_monitoring;
mod stats_all;

pub use consumer_connection::ConsumerConnection;
pub use consumer_progress::ConsumerProgress;
pub use consumer_status::ConsumerStatus;
pub use producer::Producer;
pub use producer_connection::ProducerConnection;
pub use start_monitoring::StartMonitoring;
pub use stats_all::StatsAll;
pub(crate) use stats_all::day;
