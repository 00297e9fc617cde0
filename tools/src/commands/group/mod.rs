//! Commands about consumer groups and their configuration.

mod delete_sub_group;
mod get_consumer_config;
mod set_consume_mode;
mod update_sub_group;
mod update_sub_group_list;

pub use delete_sub_group::DeleteSubGroup;
pub use get_consumer_config::GetConsumerConfig;
pub use set_consume_mode::SetConsumeMode;
pub use update_sub_group::UpdateSubGroup;
pub use update_sub_group_list::UpdateSubGroupList;
