//! Commands about controllers, which elect masters. They really ask: a cluster of RocketMQ may have controllers.

mod configuration;
mod leader;
mod masters;
mod sync_state;

pub use configuration::{GetControllerConfig, UpdateControllerConfig};
pub use leader::GetControllerMetaData;
pub use masters::{CleanBrokerMetadata, ElectMaster};
pub use sync_state::GetSyncStateSet;
