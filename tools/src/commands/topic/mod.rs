//! Commands about topics.

mod delete_topic;
mod topic_list;
mod topic_route;
mod update_topic;

pub use delete_topic::DeleteTopic;
pub use topic_list::TopicList;
pub use topic_route::TopicRoute;
pub use update_topic::UpdateTopic;
