//! Commands about what name servers keep.

mod configuration;
mod key_values;
mod write_permission;

pub use configuration::{GetNamesrvConfig, UpdateNamesrvConfig};
pub use key_values::{DeleteKvConfig, UpdateKvConfig};
pub use write_permission::{AddWritePerm, WipeWritePerm};
